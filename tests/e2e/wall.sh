#!/usr/bin/env bash
# The server runs behind its wall (server/wall.h), serves as ever, and finds a repository again whose mount was lost
# and came back.
. "$(dirname "$0")/lib.bash"

[[ $EUID == 0 ]] || skip "mounts need root"
mkdir "$world/above" "$world/above/mnt" "$world/tree"
head -c 300000 /dev/urandom >"$world/tree/file"
truncate -s 64M "$world/disk"
mkfs.ext4 -q -F "$world/disk"
mount -o loop "$world/disk" "$world/above/mnt" || skip "no loop mount here"
mounts+=("$world/above/mnt")
port=$(free_port)
quiet "$stillpointd" init -D "$world/server" -r "$world/above/mnt/repository" --listen "127.0.0.1:$port"
mkdir "$world/fast" # the cache lies on another disk
rm -rf "$world/server/cache"
ln -s "$world/fast" "$world/server/cache"
start_server
if grep -q Landlock "$world/server.log"; then
    skip "this kernel has no Landlock"
fi
grep -q '^NoNewPrivs:.*1$' "/proc/$server/status" || fail "the server did not raise its wall"
new_host one
quiet "$stillpoint" backup "$world/tree"

# the share goes, with the server running, and comes back
umount "$world/above/mnt" || fail "the server holds the mount"
mounts=()
expect 6 '' "$stillpoint" backup "$world/tree"
# From a copy: a mount namespace that somebody made meanwhile (another suite) keeps the first file system alive, it
# would come back with the same inodes, and the rule for the repository itself would let the server in again.
sync "$world/disk"
cp --sparse=always "$world/disk" "$world/again"
mount -o loop "$world/again" "$world/above/mnt"
mounts+=("$world/above/mnt")
head -c 300000 /dev/urandom >"$world/tree/second"
quiet "$stillpoint" backup "$world/tree"
quiet "$stillpoint" check --read-data
quiet "$stillpoint" restore latest --target "$world/back"
same "$world/tree" "$world/back$world/tree"
echo "wall: ok"
