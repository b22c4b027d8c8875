#!/usr/bin/env bash
# A btrfs loop mount: the set holds the frozen state and says `crash`; without a shadow it says `live`; asked for
# and not to be had: exit 2 with the reason, and no set.
. "$(dirname "$0")/lib.bash"

[[ $EUID == 0 ]] || skip "needs root"
truncate -s 600M "$world/image"
quiet mkfs.btrfs -q "$world/image"
mkdir "$world/mnt"
mount -o loop "$world/image" "$world/mnt" 2>/dev/null || skip "no loop mounts here"
mounts+=("$world/mnt")
mkdir "$world/mnt/d"
for i in {1..300}; do echo "before $i" >"$world/mnt/d/$i"; done
head -c 60000000 /dev/urandom >"$world/mnt/d/big"

as one
quiet "$stillpoint" init -r "$world/repository" --sheet "$world/sheet"
# `after` runs when the shadow is there: from then on everything changes, and the set must not
cp -a "$world/mnt/d" "$world/frozen"
"$stillpoint" backup "$world/mnt/d" --shadow require --json \
    --after "for f in $world/mnt/d/*; do echo changed >\$f; done; rm $world/mnt/d/1" >"$world/out.json"
[[ $(json "$world/out.json" 'x[0]["files_consistency"]') == crash ]] || fail "not crash: $(cat "$world/out.json")"
[[ $(cat "$world/mnt/d/2") == changed ]] || fail "the after command did not run"
quiet "$stillpoint" restore latest --target "$world/back"
same "$world/frozen" "$world/back$world/mnt/d"
[[ -z $(find "$world/mnt" -maxdepth 2 -name '.stillpoint-shadow-*') ]] || fail "a shadow was left behind"

"$stillpoint" backup "$world/mnt/d" --shadow none --json >"$world/live.json"
[[ $(json "$world/live.json" 'x[0]["files_consistency"]') == live ]] || fail "not live"
expect 0 'live' "$stillpoint" list

sets=$("$stillpoint" list --json | grep -o '"set":' | wc -l)
mkdir "$world/plain"
echo x >"$world/plain/x"
expect 2 'shadow' "$stillpoint" backup "$world/plain" --shadow require
expect 2 'is demanded of' "$stillpoint" backup "$world/plain" --require crash
[[ $("$stillpoint" list --json | grep -o '"set":' | wc -l) == "$sets" ]] || fail "a set was made"

# a frozen copy of a system's folders round-trips as root without difference
mkdir "$world/mnt/sys"
cp -a /etc "$world/mnt/sys/etc"
cp -a /var/lib/dpkg "$world/mnt/sys/dpkg"
quiet btrfs -q subvolume snapshot -r "$world/mnt" "$world/mnt/snap"
quiet "$stillpoint" backup "$world/mnt/snap/sys" --job frozen --shadow none
quiet "$stillpoint" restore frozen --target "$world/sysback"
same "$world/mnt/snap/sys" "$world/sysback$world/mnt/snap/sys"
quiet btrfs -q subvolume delete "$world/mnt/snap"
echo "btrfs: ok"
