#!/usr/bin/env bash
# What an SFTP account may do to a repository: packs removed, cut, emptied, altered; the index, the node packs, the record
# of the host gone. check names it, and the next run over the same account makes it whole.
. "$(dirname "$0")/../sftp/client.bash"

start_sshd
as one
mkdir "$world/tree"
for i in {1..30}; do head -c 700000 /dev/urandom >"$world/tree/$i"; done
sleep 2.2
new_repository plain
repository=$(there plain)
run() { quiet "$stillpoint" backup "$world/tree" --set audit=0; }
run

# a_pack: one that holds content
a_pack() { find "$repository/packs" -type f -size +1M | sort | "$1" -n 1; }

# healed: the next run is whole, and so is what it made.
rounds=0
healed() {
    rounds=$((rounds + 1))
    run
    quiet "$stillpoint" restore latest --target "$world/back$rounds"
    same "$world/tree" "$world/back$rounds$world/tree"
    rm -rf "$world/back$rounds"
}

pack=$(a_pack head)
rm "$pack"
expect 3 "$world/tree/" "$stillpoint" check # the files it takes along
healed
pack=$(a_pack tail)
: >"$pack"
expect 3 "${pack#"$repository/"}" "$stillpoint" check
healed
pack=$(a_pack tail)
truncate -s -1000 "$pack"
expect 3 "${pack#"$repository/"}" "$stillpoint" check
healed

# a byte that changed: nothing sees it until a check reads everything; the run after that stores it again
pack=$(a_pack head)
"$python" - "$pack" <<'PY'
import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(300000)
    byte = f.read(1)[0]
    f.seek(300000)
    f.write(bytes([byte ^ 1]))
PY
expect 3 "${pack#"$repository/"}" "$stillpoint" check --read-data
expect 3 'its bytes have changed' "$stillpoint" check --read-data
healed

# all nodes gone: the catalog is written again
rm -rf "$repository/nodes" "$world/one/cache"
healed

# the record of this machine gone
rm "$(find "$repository/hosts" -type f)"
expect 3 'no record of host' "$stillpoint" check
expect 0 'written again' "$stillpoint" backup "$world/tree" --set audit=0

# a set's record damaged: damage, whoever asks
record=$(find "$repository/sets" -name '*.set' | sort | tail -n 1)
cp -p "$record" "$world/record"
printf x | dd of="$record" bs=1 seek=260 conv=notrunc status=none
expect 3 'damage' "$stillpoint" verify
cat "$world/record" >"$record"

# index and cache gone: only time is lost
rm -rf "$repository/index" "$world/one/cache"
healed
echo "sftp_damage: $rounds times healed, $SECONDS s: ok"
