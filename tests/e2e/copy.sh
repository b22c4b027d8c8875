#!/usr/bin/env bash
# The offsite copy: twenty sets go to another repository, without a key; the copy is killed and interrupted ten
# times and goes on; then everything is there, a second copy sends nothing, and the copy alone restores.
# With SP_COPY_TARGET (an address, {} in it a name of its own) the target is that instead of a folder.
. "$(dirname "$0")/lib.bash"

target=${SP_COPY_TARGET:-$world/{\}}
away() { echo "${target//\{\}/$1}"; }

as one
mkdir "$world/tree"
"$maketree" --small --seed 11 "$world/tree/made"
quiet "$stillpoint" init -r "$world/repository" --sheet "$world/sheet" --name one
for ((i = 1; i <= 20; i++)); do
    head -c 6000000 /dev/urandom >"$world/tree/new $i"
    echo "$i" >"$world/tree/number"
    quiet "$stillpoint" backup "$world/tree"
done
quiet "$stillpoint" restore latest --target "$world/then"

# a machine that has no key and knows neither repository
as stranger
offsite=$(away offsite)
expect 0 'next: stillpoint copy' "$stillpoint" init --like "$world/repository" -r "$offsite"
expect 0 'would be sent' "$stillpoint" copy "$world/repository" "$offsite" --dry-run
cut=0
for ((i = 1; i <= 10; i++)); do
    "$stillpoint" copy "$world/repository" "$offsite" >"$world/cut.out" 2>&1 &
    pid=$!
    sleep "0.$(printf %02d $((i * 3)))"
    kill "$([[ $((i % 2)) == 0 ]] && echo -KILL || echo -TERM)" "$pid" 2>/dev/null && cut=$((cut + 1))
    wait "$pid" 2>/dev/null || true
    expect 0 '' "$stillpoint" check -r "$offsite"
done
((cut >= 2)) || fail "the copy was over before it could be cut"
expect 0 '' "$stillpoint" copy "$world/repository" "$offsite"
expect 0 '' "$stillpoint" check --read-data -r "$offsite"

# again: nothing
"$stillpoint" copy "$world/repository" "$offsite" --json >"$world/again.json"
[[ $(json "$world/again.json" 'x["sets_there"], x["sets_copied"], x["bytes_sent"]') == "(20, 0, 0)" ]] ||
    fail "the second copy: $(cat "$world/again.json")"
expect 0 'nothing sent' "$stillpoint" copy "$world/repository" "$offsite" --all

# one more backup: only that
as one
echo more >"$world/tree/more"
quiet "$stillpoint" backup "$world/tree"
as stranger
"$stillpoint" copy "$world/repository" "$offsite" --json >"$world/more.json"
[[ $(json "$world/more.json" 'x["sets_there"], x["sets_copied"]') == "(20, 1)" ]] ||
    fail "one more: $(cat "$world/more.json")"
(($(json "$world/more.json" 'x["bytes_sent"]') < 1000000)) || fail "one more: $(cat "$world/more.json")"

# nothing but the copy and the sheet
as empty
expect 0 '' "$stillpoint" list -r "$offsite" --recovery-key-file "$world/sheet"
quiet "$stillpoint" restore latest~1 -r "$offsite" --recovery-key-file "$world/sheet" --target "$world/rescued"
same "$world/then$world/tree" "$world/rescued$world/tree"
same_times() { "$stillpoint" list -r "$1" --recovery-key-file "$world/sheet" --json | "$python" -c '
import json, sys; print([(s["set"], s["published"]) for s in json.load(sys.stdin)["sets"]])'; }
[[ $(same_times "$offsite") == "$(same_times "$world/repository")" ]] ||
    fail "the copies have other times: $(same_times "$offsite") $(same_times "$world/repository")"

# chosen sets: the gaps that are left are known, and no damage
as stranger
chosen=$(away chosen)
quiet "$stillpoint" init --like "$world/repository" -r "$chosen"
expect 0 '2 sets copied' "$stillpoint" copy "$world/repository" "$chosen" latest latest~4
expect 0 'were not copied' "$stillpoint" check -r "$chosen"
expect 5 'there is no set' "$stillpoint" copy "$world/repository" "$chosen" nothing
expect 5 'is not enrolled' "$stillpoint" copy "$world/repository" stillpoint://nowhere.invalid

# a repository with keys of its own is not filled by mistake
as other
quiet "$stillpoint" init -r "$world/theirs" --sheet "$world/theirs.sheet"
expect 4 'init --like' "$stillpoint" copy "$world/repository" "$world/theirs"
expect 0 'copied' "$stillpoint" copy "$world/repository" "$world/theirs" --add-keys latest
expect 0 '' "$stillpoint" check --read-data -r "$world/theirs"

# this machine knows the copy that it made, and notices when the copy loses its newest set
as one
mine=$(away mine)
quiet "$stillpoint" init --like "$world/repository" -r "$mine"
expect 0 'sets copied' "$stillpoint" copy "$world/repository" "$mine" --open
quiet "$stillpoint" restore latest -r "$mine" --target "$world/from mine"
same "$world/tree" "$world/from mine$world/tree"
if [[ -d $mine ]]; then
    newest=$(find "$mine/sets" -name '*.set' -printf '%f %p\n' | sort | tail -n 1 | cut -d' ' -f2-)
    mv "$newest" "$world/aside"
    expect 3 '' "$stillpoint" check -r "$mine"
    mv "$world/aside" "$newest"
fi

# damage in the source: the sets that need it are named, the others are copied
as stranger
late=$(away late)
quiet "$stillpoint" init --like "$world/repository" -r "$late"
pack=$(find "$world/repository/packs" -type f -size +2M | sort | head -n 1)
printf 'x' | dd of="$pack" bs=1 seek=1000000 conv=notrunc status=none
expect 3 'is bad' "$stillpoint" copy "$world/repository" "$late"
expect 0 '' "$stillpoint" check --read-data -r "$late"
echo "copy: ok"
