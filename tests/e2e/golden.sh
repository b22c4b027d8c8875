#!/usr/bin/env bash
# Repositories of every version of the format that ever was are kept in tests/golden: this version checks them, lists
# them, and restores them as they were, by sheet and by passphrase.
. "$(dirname "$0")/lib.bash"

golden=${SP_SOURCE:?}/tests/golden
n=0
for folder in "$golden"/*/; do
    folder=${folder%/}
    name=${folder##*/}
    as "$name"
    # a checkout has no empty folders and other rights; a copy, so that nothing can happen to what is kept
    cp -r "$folder/repository" "$world/$name.repository"
    source=$(cat "$folder/source")
    for way in --recovery-key-file=$folder/sheet.txt --passphrase-file=$folder/passphrase; do
        expect 0 '' "$stillpoint" check --read-data -r "$world/$name.repository" "$way"
        expect 0 'golden' "$stillpoint" list -r "$world/$name.repository" "$way"
        expect 0 '' "$stillpoint" verify latest -r "$world/$name.repository" "$way"
        rm -rf "$world/back"
        if [[ $name == windows* ]]; then # of Windows: what is in the cloud or encrypted cannot be here
            expect 1 'restore it on Windows' "$stillpoint" restore latest -r "$world/$name.repository" "$way" \
                --target "$world/back" --numeric-owner
            "$python" "$golden/describe.py" --content "$world/back$source" >"$world/got"
            expect 0 'streams: Zone.Identifier (26 bytes)' "$stillpoint" show latest "$source" -R -r "$world/$name.repository" "$way"
            expect 0 'elsewhere     1 file' "$stillpoint" show latest -r "$world/$name.repository" "$way"
        else
            quiet "$stillpoint" restore latest -r "$world/$name.repository" "$way" --target "$world/back" --numeric-owner
            content=
            [[ $name != *vss ]] || content=--content
            # shellcheck disable=SC2086
            "$python" "$golden/describe.py" $content "$world/back$source" >"$world/got"
        fi
        if [[ $name == *vss ]]; then # the set's verdict as it ended: what its completion says
            expect 0 'web02 is crash-consistent' "$stillpoint" show latest --consistency -r "$world/$name.repository" "$way"
            "$stillpoint" show latest --consistency --json -r "$world/$name.repository" "$way" >"$world/verdict"
            [[ $("$python" -c 'import json, sys; v = json.load(open(sys.argv[1]))["consistency"]
print(v["vss"], v["confirmed"], *sorted((c["unit"], c["level"], c["why"]) for c in v["components"]))' "$world/verdict") == \
                "True True ('web01', 'application', 'took-part') ('web02', 'crash', 'method')" ]] ||
                fail "$name: another verdict: $(cat "$world/verdict")"
        fi
        diff "$folder/expected" "$world/got" >"$world/diff" || fail "$name: $(head -n 5 "$world/diff")"
    done
    [[ $("$stillpoint" list -r "$world/$name.repository" "$way" --json | "$python" -c 'import json,sys; print(len(json.load(sys.stdin)["sets"]))') == 2 ]] ||
        fail "$name: not two sets"
    n=$((n + 1))
done
((n > 0)) || fail "there is no golden repository"
echo "golden: $n repositories: ok"
