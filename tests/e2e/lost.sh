#!/usr/bin/env bash
# A chunk lost from the repository while its file is unchanged: the next run uploads it again.
. "$(dirname "$0")/lib.bash"

as one
mkdir "$world/tree"
for i in {1..30}; do head -c 700000 /dev/urandom >"$world/tree/$i"; done
sleep 2.2
quiet "$stillpoint" init -r "$world/repository" --sheet "$world/sheet"
quiet "$stillpoint" backup "$world/tree" --set audit=0
pack=$(find "$world/repository/packs" -type f | sort | head -n 1)
rm "$pack"
expect 3 '' "$stillpoint" check
quiet "$stillpoint" backup "$world/tree" --set audit=0
quiet "$stillpoint" restore latest --target "$world/back"
same "$world/tree" "$world/back$world/tree"

# emptied instead of removed, as a write-back mount leaves it
pack=$(find "$world/repository/packs" -type f -size +1M | sort | tail -n 1)
: >"$pack"
quiet "$stillpoint" backup "$world/tree" --set audit=0
quiet "$stillpoint" restore latest --target "$world/back2"
same "$world/tree" "$world/back2$world/tree"

# a byte that changed: nothing sees it until a check reads everything; the run after that stores it again
pack=$(find "$world/repository/packs" -type f -size +1M | sort | tail -n 1)
"$python" - "$pack" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(300000)
    byte = f.read(1)[0]
    f.seek(300000)
    f.write(bytes([byte ^ 1]))
PY
expect 3 'its bytes have changed' "$stillpoint" check --read-data
quiet "$stillpoint" backup "$world/tree" --set audit=0
expect 0 'is good' "$stillpoint" verify
quiet "$stillpoint" restore latest --target "$world/back5"
same "$world/tree" "$world/back5$world/tree"

# all nodes gone: the catalog is written again
rm -rf "$world/repository/nodes"
rm -rf "$world/one/cache"
quiet "$stillpoint" backup "$world/tree" --set audit=0
quiet "$stillpoint" restore latest --target "$world/back3"
same "$world/tree" "$world/back3$world/tree"

# the record of this machine gone, then damaged: said to be damage, and the next run writes it again
host=$(find "$world/repository/hosts" -type f)
rm "$host"
expect 3 'no record of host' "$stillpoint" check
expect 4 'not signed' "$stillpoint" restore latest --target "$world/unsigned"
expect 0 'written again' "$stillpoint" backup "$world/tree" --set audit=0
printf x | dd of="$host" bs=1 seek=60 conv=notrunc status=none
expect 0 'written again' "$stillpoint" backup "$world/tree" --set audit=0
quiet "$stillpoint" restore latest --target "$world/back6"
same "$world/tree" "$world/back6$world/tree"

# a set's record damaged: damage, whoever asks
record=$(find "$world/repository/sets" -name '*.set' | sort | tail -n 1)
cp "$record" "$world/record"
printf x | dd of="$record" bs=1 seek=260 conv=notrunc status=none
expect 3 'damage' "$stillpoint" verify
expect 3 'damage' "$stillpoint" show latest /
cp "$world/record" "$record"
expect 0 'is good' "$stillpoint" verify

# index and cache gone: only time is lost
rm -rf "$world/repository/index" "$world/one/cache"
quiet "$stillpoint" backup "$world/tree" --set audit=0
quiet "$stillpoint" restore latest --target "$world/back4"
same "$world/tree" "$world/back4$world/tree"
echo "lost: ok"
