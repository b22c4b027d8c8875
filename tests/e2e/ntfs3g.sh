#!/usr/bin/env bash
# NTFS on Linux, through ntfs-3g: everything that it can hold goes into a set and comes back on another NTFS, byte by
# byte; what a mount or another file system cannot hold is named, once a kind, and stays in the set.
. "$(dirname "$0")/lib.bash"

[[ $EUID == 0 ]] || skip "needs root"
command -v mkntfs >/dev/null || skip "ntfs-3g is not installed"
here=$(dirname "$0")

# ntfs NAME [OPTIONS]: a new volume, mounted at $world/NAME.
ntfs() {
    truncate -s 200M "$world/$1.image"
    quiet mkntfs -F -q "$world/$1.image"
    mkdir "$world/$1"
    mount_ntfs "$@"
    mounts+=("$world/$1")
}

mount_ntfs() {
    mount -t ntfs-3g -o "loop,noatime${2:+,$2}" "$world/$1.image" "$world/$1" 2>"$world/log" ||
        skip "no mounts of ntfs-3g here: $(cat "$world/log")"
}

# again NAME [OPTIONS]: unmounts and mounts it, so that what is seen is what is on the disk.
again() {
    umount "$world/$1"
    mount_ntfs "$@"
}

features() {
    "$python" "$here/ntfs_compare.py" "$@" 2>&1 >"$world/matrix" | tee "$world/log" >&2
    [[ ${PIPESTATUS[0]} == 0 ]] || { cat "$world/matrix" >&2; fail "not as it was: $(head -n 5 "$world/log")"; }
}

# once WORDS: a sentence that must have been said once, and once only.
once() {
    [[ $(grep -cF "$1" "$world/log") == 1 ]] || fail "'$1' was said $(grep -cF "$1" "$world/log") times"
}

# restore CODE TARGET: what it says is in $world/log.
restore() {
    local got=0
    "$stillpoint" restore "${3:-latest}" --target "$2" >"$world/log" 2>&1 || got=$?
    [[ $got == "$1" ]] || fail "restore: exit $got instead of $1: $(cat "$world/log")"
}

ntfs a streams_interface=windows
tree=$world/a/t
mkdir "$tree"
"$python" "$here/ntfs_make.py" "$tree" --long-streams
again a streams_interface=windows
"$python" "$here/ntfs_compare.py" --describe "$tree" >"$world/expected"
cp -r "$tree/folder" "$world/plain-folder" # for later, to see that nothing of NTFS is in what Linux has
sleep 2.1                                  # so that nothing has to be read again for its times

as one
quiet "$stillpoint" init -r "$world/repository" --sheet "$world/sheet"
# what is in the cloud is behind a reparse point that ntfs-3g cannot go through
expect 1 't/cloud: what is in it is behind a reparse point (tag 9000101a) that ntfs-3g cannot read' \
    "$stillpoint" backup "$tree" --shadow none
expect 0 'faults        1:' "$stillpoint" show latest

# all of it on another NTFS
ntfs b streams_interface=windows
restore 1 "$world/b/back"
grep -q 't/cloud: it could not be read when the backup was made' "$world/log" || fail "the cloud was not named"
if grep -q 'cannot be set' "$world/log"; then fail "something was not set: $(cat "$world/log")"; fi
again b streams_interface=windows
back=$world/b/back$tree
features --expect "$world/expected" "$back" --absent cloud
cat "$world/matrix"

# the next run reads nothing of what did not change, and knows no difference
"$stillpoint" backup "$tree" --shadow none --set audit=0 --json >"$world/out.json" 2>/dev/null || (($? == 1))
[[ $(json "$world/out.json" 'x[0]["files_changed"]') == 1 ]] || fail "changed: $(cat "$world/out.json")"
[[ $(json "$world/out.json" 'x[0]["bytes_read"]') == 0 ]] || fail "read: $(cat "$world/out.json")"
expect 0 ' 0 changed' "$stillpoint" diff latest~1 latest

# what was changed at the target comes back; what was added to it goes
"$python" - "$back" <<'EOF'
import os, struct, sys
os.chdir(sys.argv[1])
def put(path, name, value): os.setxattr(path, name, value, follow_symlinks=False)
open("streams:added", "w").write("x")
os.unlink("streams:Zone.Identifier")
open("folder:of a folder", "a").write("more")
put("hidden", "system.ntfs_attrib_be", struct.pack(">I", 0x80))
put("protected", "system.ntfs_acl", bytes.fromhex("0100048014000000240000000000000034000000"
    "01020000000000052000000020020000" "01020000000000052000000020020000"
    "02001c000100000000031400ff011f00010100000000000100000000"))
put("eas", "system.ntfs_ea", struct.pack("<IBBH", 16, 0, 5, 1) + b"OTHER\0x\0")
os.removexattr("identified", "system.ntfs_object_id")
put("null-dacl", "system.ntfs_object_id", bytes(range(20, 36)))
put("times", "system.ntfs_times_be", struct.pack(">QQQ", *[133500000000000000] * 3))
open("long:second", "r+").write("other")
os.unlink("link-file"); os.symlink("folder/inside", "link-file")
EOF
again b streams_interface=windows
restore 1 "$world/b/back"
again b streams_interface=windows
features --expect "$world/expected" "$back" --absent cloud

# to a file system of Linux: plain files, and each kind of what is lost is named
restore 1 "$world/plain"
plain=$world/plain$tree
for words in 'access control lists of Windows cannot be set here' 'alternate data streams cannot be written here' \
    'attributes of Windows (hidden' 'extended attributes of Windows' 'object ids of NTFS' 'short names (8.3)' \
    'links of Windows become plain symbolic links'; do
    once "$words"
done
once 't/alias.exe: its content is not in the set in a form that this system can write'
[[ ! -e $plain/alias.exe ]] || fail "a file whose content is elsewhere was made of nothing"
[[ $(stat -c %a "$plain/readonly" "$plain/hidden" "$plain/folder" | xargs) == '444 644 755' ]] || fail "modes"
[[ $(readlink "$plain/junction") == C:/Users/All && $(readlink "$plain/link-folder") == folder ]] || fail "links"
[[ -d $plain/volume && ! -L $plain/volume ]] || fail "a folder that mounts a volume is no folder"
[[ $plain/name-1 -ef $plain/folder/name-3 ]] || fail "names of one file"
cmp "$tree/long" "$plain/long"
[[ $(stat -c %Y "$plain/times" "$plain/old" | xargs) == '1665526408 -34473592' ]] || fail "times of modification"
[[ $(stat -c %X "$plain/nothing") == "$(stat -c %X "$tree/nothing")" ]] || fail "times of access"
[[ -z $(getfattr -R -P -m - "$world/plain" 2>/dev/null) ]] || fail "attributes: $(getfattr -R -P -m - "$world/plain")"

# and from there it is like anything of Linux
quiet "$stillpoint" backup "$plain" --shadow none --job plain
restore 0 "$world/plain-again" plain
same "$plain" "$world/plain-again$plain"

# through the default interface of streams: long ones cannot be had, and are named
again a
expect 1 'longer than 64 KiB, which this mount cannot give (mount it with streams_interface=windows)' \
    "$stillpoint" backup "$tree" --shadow none --job short
again a streams_interface=none
expect 0 'hides alternate data streams (streams_interface=none)' \
    "$stillpoint" backup "$tree/folder" --shadow none --job blind
ntfs c
restore 1 "$world/c/back" paths
once 'alternate data streams longer than 64 KiB cannot be written through this mount'
again c streams_interface=windows
features --expect "$world/expected" "$world/c/back$tree" --absent cloud --lost 'long streams'

# what comes from Linux is written to NTFS as ever
quiet "$stillpoint" backup "$world/plain-folder" --shadow none --job linux
"$stillpoint" restore linux --target "$world/c/linux" >/dev/null 2>&1 || (($? == 1))
diff -r "$world/plain-folder" "$world/c/linux$world/plain-folder" || fail "what Linux has changed on NTFS"
expect 0 'no damage' "$stillpoint" check --read-data
echo "ntfs3g: ok"
