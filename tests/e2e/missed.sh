#!/usr/bin/env bash
# What only a machine that remembers can miss: the newest set, a key slot. And check names what is hit, no more.
. "$(dirname "$0")/lib.bash"

as one
mkdir "$world/tree"
for i in {1..6}; do head -c 300000 /dev/urandom >"$world/tree/$i"; done
sleep 2.2
quiet "$stillpoint" init -r "$world/repository" --sheet "$world/sheet"
for i in 1 2 3; do
    head -c 200000 /dev/urandom >"$world/tree/new $i"
    quiet "$stillpoint" backup "$world/tree" --set audit=0
done
expect 0 'no damage found' "$stillpoint" check
cp -a "$world/repository" "$world/whole"
again() {
    rm -rf "$world/repository"
    cp -a "$world/whole" "$world/repository"
}

# a pack that only the newest set needs: that set is named, and its file; the others are not
pack=$(find "$world/repository/packs" -type f -size -260k -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)
rm "$pack"
out=$("$stillpoint" check 2>&1) && fail "a lost pack is no damage"
[[ $(grep -c 'new 3: content is lost' <<<"$out") == 1 ]] || fail "the file is not named: $out"
[[ $(grep -c '^set ' <<<"$out") == 1 ]] || fail "sets that are whole are named: $out"
[[ $out == *'1 file is damaged'* ]] || fail "$out"
out=$("$stillpoint" check --json 2>&1) && fail "a lost pack is no damage"
"$python" - "$out" <<'PY' || fail "not one set: $out"
import json, sys
report = json.loads(sys.argv[1].splitlines()[-1])
sets = report["sets_damaged"]
assert len(sets) == 1 and sets[0]["files_damaged"] == 1 and report["exit"] == 3, sets
PY
again

# the newest set deleted: nothing in the repository speaks of it
newest=$(find "$world/repository/sets" -name '*.set' | sort | tail -n 1)
rm "$newest"
expect 3 'the newest set that is there has the number 2' "$stillpoint" check
expect 3 'the newest set that is there has the number 2' "$stillpoint" doctor
expect 0 'the newest set that is there has the number 2' "$stillpoint" list
again

# … replaced by the one before it
older=$(find "$world/repository/sets" -name '*.set' | sort | tail -n 2 | head -n 1)
cp "$older" "$newest"
expect 3 'belongs to another name' "$stillpoint" check
expect 0 'cannot be' "$stillpoint" list
again

# all sets gone
rm -r "$world/repository/sets"
expect 3 'no set of the job is there any more' "$stillpoint" check
again

# a key slot deleted, then altered
slot=$(find "$world/repository/keys" -type f | head -n 1)
rm "$slot"
expect 3 'is missing' "$stillpoint" check
expect 3 'is missing' "$stillpoint" doctor
again
printf x | dd of="$slot" bs=1 seek=150 conv=notrunc status=none
expect 3 'not as it was' "$stillpoint" check
again

# a host record with another name in it: only the key tells
host=$(find "$world/repository/hosts" -type f)
"$python" - "$host" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    bytes = bytearray(f.read())
    at = bytes.index(b"\x1a") + 2  # field 3, the name
    bytes[at] ^= 1
    f.seek(0)
    f.write(bytes)
PY
expect 3 'not authentic' "$stillpoint" check
again
expect 0 'no damage found' "$stillpoint" check --read-data

# somebody else, with the key alone, remembers nothing
as two
expect 0 'no damage found' "$stillpoint" check -r "$world/repository"
as one

# interrupted: exit 130, at once, and one document with --json
head -c 400000000 /dev/urandom >"$world/tree/big"
quiet "$stillpoint" backup "$world/tree" --set audit=0
for signal in INT TERM; do
    "$stillpoint" check --read-data --json >"$world/out" 2>/dev/null &
    pid=$!
    sleep 0.08
    kill -s "$signal" "$pid" 2>/dev/null || true
    got=0
    wait "$pid" || got=$?
    [[ $signal == INT && $got == 130 || $signal == TERM && $got == 143 || $got == 0 ]] || fail "exit $got after $signal"
    "$python" -c 'import json, sys; json.load(open(sys.argv[1]))' "$world/out" || fail "no document after $signal"
    [[ $got != 0 ]] || echo "(too fast to interrupt)"
done
echo "missed: ok"
