#!/usr/bin/env bash
# What a core dump would hold after the work is done: no key of the profile, nothing derived from it, in any form,
# whatever command ran and however it ended.
. "$(dirname "$0")/lib.bash"

searcher=$SP_BUILD/tests/secrets/libsp_residue.so
secrets=$SP_SOURCE/tests/secrets

# clean COMMAND…: runs it with the search at its exit, and nothing may be found.
clean() {
    local found=$world/found
    rm -f "$found"
    SP_NEEDLES=$world/needles SP_RESIDUE=$found LD_PRELOAD=$searcher "$@" >"$world/out" 2>&1 </dev/null || true
    [[ -s $found ]] || fail "nothing was searched: ${*##*/}"$'\n'"$(cat "$world/out")"
    grep -q '^searched [0-9]' "$found" || fail "the search broke off: ${*##*/}"
    if grep -v '^searched' "$found" >"$world/finds"; then
        while read -r k where; do
            echo "$(sed -n "$((k + 1))p" "$world/names"): $where" >&2
        done <"$world/finds"
        fail "keys stay in memory: ${*##*/}"
    fi
}

mkdir "$world/tree"
for i in {1..40}; do head -c $((i * 1000)) /dev/urandom >"$world/tree/$i"; done
new_server
new_host one
"$python" "$secrets/needles.py" "$STILLPOINT_STATE_DIR" "$world/needles" >"$world/names"

# The search finds what is there: a key as an argument of another program. (The environment and the arguments lie
# on the stack.)
rm -f "$world/found"
key=$(sed -n 's/^signing-secret = \(.\{64\}\).*/\1/p' "$STILLPOINT_STATE_DIR"/stores/*/profile)
SP_NEEDLES=$world/needles SP_RESIDUE=$world/found LD_PRELOAD=$searcher /bin/true "$key"
grep -qv '^searched' "$world/found" || fail "the search does not find a key that is there"

clean "$stillpoint" backup "$world/tree"
clean "$stillpoint" list
clean "$stillpoint" check --read-data
clean "$stillpoint" restore latest --target "$world/back"
clean "$stillpoint" verify latest
clean "$stillpoint" key list
clean "$stillpoint" doctor
clean "$stillpoint" restore nothing --target "$world/nowhere" # a run that fails
kill "$server"
wait "$server" || fail "the server did not end"
clean "$stillpoint" backup "$world/tree" # nobody listens

# a folder, a passphrase, a sheet
as two
quiet "$stillpoint" init -r "$world/folder" --sheet "$world/sheet"
"$python" "$secrets/needles.py" "$STILLPOINT_STATE_DIR" "$world/needles" >"$world/names"
clean "$stillpoint" backup "$world/tree"
clean "$stillpoint" check
as three
clean "$stillpoint" restore latest -r "$world/folder" --recovery-key-file "$world/sheet" --target "$world/again"
echo "residue: ok"
