#!/bin/bash
# Plants each kind of difference, one at a time, in a copy of a small tree, and demands that compare finds
# it and nothing else; and that equal trees agree, also the one with everything that maketree knows.
set -euo pipefail
compare=$SP_BUILD/tests/compare/compare
maketree=$SP_BUILD/tests/compare/maketree
work=$(mktemp -d "${TMPDIR:-/tmp}/sp-compare.XXXXXX")
trap 'chmod -R u+rwx "$work" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"
root=$((EUID == 0))
planted=0 mistakes=0

mistake() {
    echo "MISTAKE: $*"
    mistakes=$((mistakes + 1))
}

small_tree() {
    mkdir -p A/folder/inner
    echo content >A/file
    echo content >A/equal
    ln A/file A/folder/linked
    echo lonely >A/lonely
    cp A/equal A/twin
    echo inside >A/folder/inner/inside
    ln -s file A/symlink
    mkfifo A/fifo
    head -c 200000 /dev/zero | tr '\0' x >A/large
    truncate -s 1M A/sparse
    printf y | dd of=A/sparse bs=1 seek=500000 conv=notrunc status=none
    printf 'odd' >$'A/new\nline\xff'
    setfattr -n user.key -v value A/lonely
    setfacl -m u:12345:r A/large
    setfacl -d -m g:54321:rx A/folder
    if ((root)); then
        mknod A/device c 1 3
        chown 11:12 A/lonely
    fi
    find A -depth -exec touch -h -d '2020-02-03 04:05:06.123456789' {} +
}

# plant WHAT PATTERN COMMAND: the command changes B; times that it must not change are put back.
plant() {
    local what=$1 pattern=$2 command=$3 rc=0 out
    rm -rf B
    cp -a A B
    (cd B && eval "$command")
    out=$("$compare" "${options[@]}" A B) || rc=$?
    planted=$((planted + 1))
    if ((rc != 1)) || [[ $(wc -l <<<"$out") != 2 ]] || ! grep -Eq "$pattern" <<<"${out%%$'\n'*}"; then
        mistake "$what: wanted one line with '$pattern', got exit $rc and: $out"
    fi
}
options=()
keep='touch -r ../A' # folder times after names came or went

small_tree
cp -a A B
"$compare" A B >out || mistake "equal trees differ: $(cat out)"
"$compare" A A >out || mistake "a tree differs from itself: $(cat out)"

plant 'missing file' 'lonely: only in A' "rm lonely; $keep ."
plant 'extra file' 'new: only in B' "echo >new; $keep ."
plant 'missing folder with all below' 'folder/inner: only in A' "rm -r folder/inner; $keep/folder folder"
plant 'type' 'lonely: a file in A, a folder in B' "rm lonely; mkdir lonely; $keep ."
plant 'type, symlink for file' 'lonely: a file in A, a symlink in B' "rm lonely; ln -s x lonely; $keep ."
plant 'size' 'large: size 200000 in A, 199999 in B' "truncate -s 199999 large; $keep/large large"
plant 'one byte at the end' 'large: content differs at byte 199999' \
    "printf z | dd of=large bs=1 seek=199999 conv=notrunc status=none; $keep/large large"
plant 'one byte between holes' 'sparse: content differs at byte 500000' \
    "printf z | dd of=sparse bs=1 seek=500000 conv=notrunc status=none; $keep/sparse sparse"
plant 'hole filled with zeros' 'sparse: the hole of A' \
    "cp --sparse=never ../A/sparse x; cat x >sparse; rm x; $keep/sparse sparse; $keep ."
plant 'mode' 'equal: mode 0644 in A, 0645 in B' 'chmod 645 equal'
plant 'setuid bit' 'equal: mode 0644 in A, 4644 in B' 'chmod u+s equal'
plant 'mode of a folder' 'folder/inner: mode' 'chmod 700 folder/inner'
plant 'mode of the root' '^\.: mode' 'chmod 700 .'
plant 'one nanosecond' 'equal: mtime .*123456789 in A, .*123456788 in B' \
    "touch -d '2020-02-03 04:05:06.123456788' equal"
plant 'mtime of a folder' 'folder: mtime' 'touch folder'
plant 'mtime of a symlink' 'symlink: mtime' 'touch -h symlink'
plant 'mtime of a FIFO' 'fifo: mtime' 'touch fifo'
plant 'symlink target' 'symlink: the target' "ln -snf filf symlink; touch -hr ../A/symlink symlink; $keep ."
plant 'xattr missing' 'lonely: extended attribute user.key only in A' 'setfattr -x user.key lonely'
plant 'xattr value' 'lonely: extended attribute user.key differs' 'setfattr -n user.key -v valuf lonely'
plant 'xattr extra, empty' 'equal: extended attribute user.new only in B' 'setfattr -n user.new equal'
plant 'xattr of a folder' 'folder: extended attribute user.new only in B' 'setfattr -n user.new folder'
plant 'ACL missing' 'large: extended attribute system.posix_acl_access only in A' \
    'm=$(stat -c %a large); setfacl -b large; chmod $m large'
plant 'ACL entry' 'large: extended attribute system.posix_acl_access differs' 'setfacl -m u:12345:- -n large'
plant 'default ACL missing' 'folder: extended attribute system.posix_acl_default only in A' \
    'setfacl -k folder'
plant 'link broken' 'linked: a hard link in A alone, with file' \
    "cp -a folder/linked x; rm folder/linked; mv x folder/linked; $keep/folder folder; $keep ."
plant 'link made' 'twin: a hard link in B alone, with equal' "ln -f equal twin; $keep ."
plant 'odd name' 'new\\x0aline\\xff: only in A' "rm new*line*; $keep ."
if ((root)); then
    plant 'uid' 'lonely: uid 11 in A, 13 in B' 'chown 13 lonely'
    plant 'gid' 'lonely: gid 12 in A, 13 in B' 'chgrp 13 lonely'
    plant 'owner of a symlink' 'symlink: uid 0 in A, 13 in B' 'chown -h 13 symlink'
    plant 'device number' 'device: device 1:3 in A, 1:5 in B' \
        "rm device; mknod device c 1 5; $keep/device device; $keep ."
    plant 'device type' 'device: a character device in A, a block device in B' \
        "rm device; mknod device b 1 3; $keep/device device; $keep ."
    plant 'capability' 'equal: extended attribute security.capability only in B' \
        'setcap cap_net_raw=ep equal'
    plant 'trusted attribute' 'equal: extended attribute trusted.x only in B' 'setfattr -n trusted.x equal'
    plant 'attribute of a symlink' 'symlink: extended attribute trusted.x only in B' \
        'setfattr -h -n trusted.x symlink'
fi

# Excluded is excluded, with all below it, and nothing else is.
rm -rf B
cp -a A B
echo more >>B/folder/inner/inside
rm B/lonely
touch -r A/folder/inner/inside B/folder/inner/inside
touch -r A B
"$compare" --exclude folder/inner --exclude lonely A B >out || mistake "excluded, but: $(cat out)"
"$compare" --exclude inner A B >out && mistake "--exclude takes a path, not a name"
options=(--ignore-holes)
rm -rf B
cp -a --sparse=never A B
"$compare" "${options[@]}" A B >out || mistake "holes were to be ignored: $(cat out)"
plant 'content, holes ignored' 'sparse: content differs' \
    "printf z | dd of=sparse bs=1 seek=900000 conv=notrunc status=none; $keep/sparse sparse"

# Nothing to compare is not "equal".
rc=0
"$compare" A nowhere >out 2>&1 || rc=$?
((rc == 2)) || mistake "a missing tree gives exit $rc"
rc=0
"$compare" A >out 2>&1 || rc=$?
((rc == 2)) || mistake "a missing argument gives exit $rc"

# Everything at once, deeper than PATH_MAX: a seed makes equal trees, and another one does not.
"$maketree" --small --seed 7 first >out
"$maketree" --small --seed 7 second >>out
"$maketree" --small --seed 8 --without deep third >>out
sort -u out
"$compare" first second >out || mistake "two trees of one seed differ: $(head -n 5 out)"
"$compare" --exclude deep first third >out && mistake "two trees of different seeds are equal"
(cd second/deep/d && d=d && for _ in {1..100}; do cd d; done && cd half* 2>/dev/null || echo >planted)
"$compare" first second >out && mistake "a difference 100 folders down was not found"
"$maketree" --small --seed 7 --without deep fourth >out
cp -a fourth fifth
"$compare" fourth fifth >out || mistake "cp -a of the large tree differs: $(head -n 5 out)"

echo "compare self test: $planted planted differences, $mistakes mistakes"
((mistakes == 0 && planted >= 25))
