#!/usr/bin/env bash
# The commands that look, find, compare, prove and keep keys: what they say and how they end, on a folder; every
# --json is one document, whatever goes wrong.
. "$(dirname "$0")/lib.bash"

sp=$stillpoint

# document CODE COMMAND…: standard output is one JSON object, and says the exit code that comes.
document() {
    local code=$1 got=0
    shift
    "$@" --json >"$world/document" 2>/dev/null </dev/null || got=$?
    [[ $got == "$code" ]] || fail "exit $got instead of $code: $*"
    [[ $(json "$world/document" 'x["exit"]') == "$code" ]] || fail "the document of $* says another exit code"
}

as one
mkdir -p "$world/tree/sub" "$world/tree/with space"
for i in 1 2 3; do head -c 300000 /dev/urandom >"$world/tree/f$i"; done
head -c 3000000 /dev/urandom >"$world/tree/sub/big"
truncate -s 5M "$world/tree/sub/sparse"
echo star >"$world/tree/with space/star*[x]"
echo plain >"$world/tree/with space/starry"
ln -s f1 "$world/tree/link"
printf odd >"$world/tree/"$'new\nline'
printf odd >"$world/tree/"$'bad\xff'
echo secret >"$world/passphrase"
quiet "$sp" init -r "$world/r" --name tester --sheet "$world/sheet"
quiet "$sp" backup "$world/tree"
first=$("$sp" list --json | "$python" -c 'import json,sys; print(json.load(sys.stdin)["sets"][0]["set"])')

# the names of sets
for spec in latest paths latest~0 "$first" "${first:0:8}" tester:latest tester:paths; do
    expect 0 "$first" "$sp" show "$spec"
done
expect 5 'there is no set' "$sp" show latest~1
expect 5 'no host' "$sp" show other:latest
expect 5 'there is no set' "$sp" show zzzz

# what is in it
expect 0 'with space' "$sp" show latest "$world/tree"
expect 0 'star*[x]' "$sp" show latest "$world/tree/with space/star*[x]"
expect 0 'bad\xff' "$sp" show latest -R "$world/tree"
expect 0 'new\nline' "$sp" show latest -R "$world/tree"
expect 2 'not in the set' "$sp" show latest "$world/nothing"
(cd "$world" && expect 0 'f1' "$sp" show latest tree)

# the live files are what the set has
expect 0 '0 changed' "$sp" verify --live
sleep 0.1
stamp=$(stat -c %y "$world/tree/sub/big")
printf XXXXXXXX | dd of="$world/tree/sub/big" bs=1 seek=2000000 conv=notrunc status=none
touch -d "$stamp" "$world/tree/sub/big" # same size, same time: only reading tells
printf XXXXXXXX | dd of="$world/tree/sub/sparse" bs=1 seek=3000000 conv=notrunc status=none
echo more >>"$world/tree/f1"
chmod 600 "$world/tree/f2"
rm "$world/tree/f3"
ln -sfn f2 "$world/tree/link"
mkdir "$world/tree/made"
expect 1 'sub/big (content)' "$sp" verify --live
expect 1 'sub/sparse (mtime, content)' "$sp" verify --live
expect 1 'f1 (size 300000 now 300005, mtime)' "$sp" verify "$world/tree/f1"
expect 1 'f2 (mode)' "$sp" verify latest "$world/tree"
expect 1 "- $world/tree/f3" "$sp" verify --live
expect 1 "+ $world/tree/made/" "$sp" verify --live
expect 1 'link (mtime, target)' "$sp" verify --live
expect 0 '' "$sp" verify "$world/tree/with space"
expect 5 'not among the paths' "$sp" verify /nowhere
document 1 "$sp" verify --live
[[ $(json "$world/document" 'len(x["differences"])') == 7 ]] || fail "$(cat "$world/document")"

# two sets, and all of them
quiet "$sp" backup "$world/tree" --reread
expect 0 "M $world/tree/f1 (size 300000 to 300005, content, mtime)" "$sp" diff latest~1 latest
expect 0 "- $world/tree/f3" "$sp" diff "$first" latest
expect 0 '1 added (0 B), 1 removed (300 kB)' "$sp" diff latest~1 latest
expect 0 '0 added' "$sp" diff latest~1 latest "$world/tree/with space"
expect 0 '1 removed' "$sp" diff "$first" latest "$world/tree/f3" # in one of them is enough
expect 5 '/nope is in neither set' "$sp" diff latest~1 latest /nope
[[ $("$sp" find 'f?' | grep -c tree/f) == 2 ]] || fail "find in the newest set"
[[ $("$sp" find --all-sets 'f?' | grep -c tree/f) == 4 ]] || fail "f1 twice, f2 and f3 once"
[[ $("$sp" find --all-sets 'star*' | grep -c star) == 2 ]] || fail "what did not change is one version"
[[ $("$sp" find --set "$first" f3 | grep -c f3) == 1 ]] || fail "find in one set"
expect 0 'found 0' "$sp" find 'nothing-like-it'

# restoring by exact name takes nothing else
quiet "$sp" restore latest --target "$world/one-name" "$world/tree/with space/star*[x]"
[[ $(find "$world/one-name" -type f | wc -l) == 1 ]] || fail "a name was taken for a pattern"
quiet "$sp" restore latest --target "$world/odd" --strip 3 "$world/tree/"$'new\nline' "$world/tree/"$'bad\xff'
expect 2 'nothing in set' "$sp" restore latest --target "$world/none" "$world/tree/absent"
expect 1 "$world/tree/absent is not in set" "$sp" restore latest --target "$world/some" "$world/tree/absent" "$world/tree/f1"
[[ -f $world/some$world/tree/f1 ]] || fail "a path that is absent kept another from being restored"
expect 0 'would restore' "$sp" restore latest --target "$world/dry" --dry-run
expect 0 "make       $world/tree/sub/" "$sp" restore latest --target "$world/dry" --dry-run
[[ ! -e $world/dry ]] || fail "a dry run made the target"

# ways to the key
expect 0 'recovery sheet' "$sp" key list
quiet "$sp" key add-passphrase --passphrase-file "$world/passphrase"
"$sp" key recovery create >"$world/administrator"
quiet "$sp" key add-recovery "$(sed -n 's/public key: //p' "$world/administrator")"
quiet "$sp" key sheet --sheet "$world/sheet2"
expect 2 'not written over' "$sp" key sheet --sheet "$world/sheet2"
quiet "$sp" key rotate --passphrase-file "$world/passphrase"
expect 6 'not a passphrase' "$sp" key rotate --passphrase-file "$world/sheet"
quiet "$sp" backup "$world/tree"
invitation=$("$sp" key invite | head -n 1)
as empty
for secret in "--passphrase-file $world/passphrase" "--recovery-key-file $world/sheet" \
    "--recovery-key-file $world/sheet2" "--recovery-key-file $world/administrator"; do
    # shellcheck disable=SC2086
    expect 0 'is good' "$sp" verify -r "$world/r" $secret
done
as second
expect 5 "" "$sp" key join -r "$world/r" --invitation "spi.${invitation#spi.?????-}"
quiet "$sp" key join -r "$world/r" --invitation "$invitation" --name second
expect 6 '' "$sp" backup -r "$world/none" "$world/tree"
quiet "$sp" backup "$world/tree/sub"
expect 0 'tester' "$sp" list --all
expect 0 'with space' "$sp" show tester:latest "$world/tree"
as third
expect 6 'used already' "$sp" key join -r "$world/r" --invitation "$invitation"
as one
quiet "$sp" key rotate
quiet "$sp" backup "$world/tree"
as second
expect 6 'key that is not here' "$sp" show tester:latest "$world/tree"
quiet "$sp" key join -r "$world/r" --recovery-key-file "$world/sheet"
expect 0 'with space' "$sp" show tester:latest "$world/tree"

# a moved folder is known by its id; doctor
as one
expect 0 'opens with the key' "$sp" doctor
mv "$world/r" "$world/moved"
expect 6 'may not be mounted' "$sp" doctor
expect 0 'sets with' "$sp" list -r "$world/moved"
mv "$world/moved" "$world/r"

# one document each, whatever goes wrong
document 0 "$sp" list
document 0 "$sp" show latest
document 0 "$sp" show latest -R /
document 0 "$sp" find '*'
document 0 "$sp" diff "$first" latest
document 0 "$sp" restore latest --target "$world/json"
document 0 "$sp" verify
document 0 "$sp" check --read-data
document 0 "$sp" check --read-data-subset auto
document 0 "$sp" key list
document 0 "$sp" doctor
document 5 "$sp" show nothing
document 5 "$sp" find x --set nothing
document 6 "$sp" list -r /nowhere
document 6 "$sp" check -r /nowhere
document 2 "$sp" restore latest --target "$world/json2" /nothing

# damage: named, and told apart from what is good
as bare # no profile, no key: looking is allowed
expect 0 'no damage found' "$sp" check -r "$world/r"
as one
pack=$(find "$world/r/packs" -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
printf XXXXXXXX | dd of="$pack" bs=1 seek=400000 conv=notrunc status=none
expect 0 'no damage found' "$sp" check
expect 3 'its bytes have changed' "$sp" check --read-data
expect 3 'content is lost' "$sp" check --read-data
expect 3 "damaged $world/tree" "$sp" verify "$first"
document 3 "$sp" verify "$first"
document 3 "$sp" check --read-data
expect 1 'NOT AS IN THE SET' "$sp" restore "$first" --target "$world/damaged"

# a record that its host did not sign
record=$(find "$world/r/sets" -name "*$first.set")
printf XXXXXXXX | dd of="$record" bs=1 seek=$(($(stat -c %s "$record") - 12)) conv=notrunc status=none
expect 0 'NOT SIGNED' "$sp" list
expect 4 'is not signed' "$sp" restore "$first" --target "$world/forged"
[[ ! -e $world/forged ]] || fail "something of a forged set was restored"
expect 3 'not signed' "$sp" check
document 4 "$sp" restore "$first" --target "$world/forged"
echo "commands: ok"
