#!/usr/bin/env bash
# Stores that misbehave (tests/odd/oddfs.c), as NAS, CIFS, FUSE and cloud mounts do: what cannot be flushed, errors in
# the middle of a run, names that lag, scanners, quotas told late, restore targets that lie. Every failure has its exit
# code and names what failed; older sets are what they were; the next run after mending is whole.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/odd.bash"

# repository_on_store: a repository on the odd store, with a first set.
repository_on_store() {
    odd_mount
    plant
    quiet "$stillpoint" init -r "$store/r" --sheet "$world/sheet"
    the_first
}

# fails_with WORD CODE WORDS: from after the store was tried on, WORD holds: the run ends with CODE and says WORDS; no
# set is made; then all is well again, and the next run makes it.
fails_with() {
    local before
    before=$(set_count)
    alter
    when_open "$1"
    expect "$2" "$3" "$stillpoint" backup "$tree" "${during[@]}"
    odd
    [[ $(set_count) == "$before" ]] || fail "$1: a failed run left a set"
    quiet "$stillpoint" backup "$tree"
}

# EINVAL from the beginning is what such a store does, and is tolerated; it is said by doctor.
scene_unflushable() {
    odd_mount
    plant
    odd fsync=EINVAL fsyncdir=EINVAL
    quiet "$stillpoint" init -r "$store/r" --sheet "$world/sheet"
    the_first
    expect 1 'cannot be flushed there' "$stillpoint" doctor
    alter
    quiet "$stillpoint" backup "$tree"
    odd fsyncdir=ENOTSUP
    alter
    quiet "$stillpoint" backup "$tree"
    odd fsync=EINVAL fsyncdir=EIO # never EIO, whatever else is tolerated
    expect 2 'flush' "$stillpoint" backup "$tree"
    odd
    comes_back
    old_comes_back
    expect 0 '' "$stillpoint" check --read-data
}

scene_fsyncdir() {
    repository_on_store
    fails_with fsyncdir=EIO 2 'cannot flush folder'
    fails_with fsyncdir=EINVAL 2 'cannot flush folder' # the probe saw that it can be done
    fails_with fsyncdir=ESTALE 6 'Stale'
    comes_back
    old_comes_back
    expect 0 '' "$stillpoint" check --read-data
}

scene_fsync() {
    repository_on_store
    fails_with fsync=EIO 2 'cannot flush'
    fails_with fsync=EINVAL 2 'cannot flush'
    fails_with flush=EIO 2 'cannot close'
    comes_back
    old_comes_back
    expect 0 '' "$stillpoint" check --read-data
}

scene_quota() {
    repository_on_store
    fails_with quota=100000:EDQUOT 2 'quota'
    fails_with quota=100000:ENOSPC 2 'space'
    fails_with flush=EDQUOT 2 'quota' # as NFS tells it: when the file is closed
    fails_with fsync=ENOSPC 2 'space'
    fails_with create=EDQUOT 2 'quota'
    comes_back
    old_comes_back
    expect 0 '' "$stillpoint" check --read-data
}

scene_errors() {
    repository_on_store
    fails_with write=EIO 2 'cannot write'
    fails_with write=ENOTCONN 6 'not connected' # the process behind a FUSE mount has died
    fails_with rename=EIO 2 'cannot publish'
    fails_with rename=EROFS 2 'Read-only'
    fails_with create=EROFS 2 'Read-only'
    fails_with readdir=EIO 2 'cannot list'
    fails_with stale 6 'Stale'
    fails_with readdir=ESTALE 6 'Stale'
    comes_back
    old_comes_back
    expect 0 '' "$stillpoint" check --read-data
}

# A scanner holds new files for a moment.
scene_scanner() {
    local word
    repository_on_store
    for word in busy=2:EBUSY busy=2:EACCES busy=3:ETXTBSY; do
        odd "$word"
        alter 100
        quiet "$stillpoint" backup "$tree"
        comes_back
    done
    odd
    old_comes_back
    expect 0 '' "$stillpoint" check
}

# What a store may lack, all at once: flags of rename, links, types in listings, steady inode numbers, fine times.
scene_plain() {
    odd_mount
    plant
    odd inodes no-type seconds fold no-flags link=EPERM
    quiet "$stillpoint" init -r "$store/r" --sheet "$world/sheet"
    the_first
    odd inodes no-type seconds fold no-flags link=EIO # which is how rclone says it
    alter
    quiet "$stillpoint" backup "$tree"
    comes_back
    old_comes_back
    expect 0 '' "$stillpoint" check --read-data
}

# Names are listed only two seconds after they were given: the next run waits for its own, and the chain stays whole.
scene_lag() {
    repository_on_store
    odd lag=2000
    alter
    quiet "$stillpoint" backup "$tree"
    alter
    quiet "$stillpoint" backup "$tree"
    sleep 2.1
    expect 0 '' "$stillpoint" check
    odd
    [[ $(set_count) == 3 ]] || fail "lag: $(set_count) sets"
    comes_back
    old_comes_back
    expect 0 '' "$stillpoint" check --read-data
}

# A pack is lost before the run that relies on it has ended: seen before the set is made, and sent again.
scene_lost_meanwhile() {
    odd_mount
    plant 24000
    quiet "$stillpoint" init -r "$store/r" --sheet "$world/sheet"
    the_first
    head -c 24M /dev/urandom >"$tree/more"
    touch "$world/mark"
    odd slow=5
    "$stillpoint" backup "$tree" >"$world/log" 2>&1 &
    local run=$! i pack=
    for ((i = 0; i < 400; i++)); do
        pack=$(find "$real/r/packs" -type f -newer "$world/mark" | head -n 1)
        [[ -z $pack ]] || break
        sleep 0.02
    done
    [[ -n $pack ]] || fail "no pack came within 8 s: $(cat "$world/log")"
    kill -0 "$run" || fail "the run ended before its pack could be lost"
    : >"$pack"
    odd
    wait "$run" || fail "exit $?: $(cat "$world/log")"
    grep -q 'read again' "$world/log" || fail "nothing was missed: $(cat "$world/log")"
    comes_back
    old_comes_back
}

# A write-back mount that died: the newest files are empty or gone, names without content. Damage is told, and the next
# run makes it good.
scene_writeback() {
    local f i=0
    repository_on_store
    touch "$world/mark"
    alter 3000
    quiet "$stillpoint" backup "$tree"
    while read -r f; do
        if ((i++ % 2)); then rm "$f"; else : >"$f"; fi
    done < <(find "$real/r" -path '*/tmp' -prune -o -type f -newer "$world/mark" -print | sort)
    ((i >= 3)) || fail "only $i files were written"
    expect 3 '' "$stillpoint" check
    # the record of the set went too, or lies there empty
    "$stillpoint" backup "$tree" >"$world/log" 2>&1 || (($? == 1)) || fail "after the loss: $(cat "$world/log")"
    alter
    quiet "$stillpoint" backup "$tree"
    comes_back
    old_comes_back
}

# The record of the last set is there, and what it was made of is not: nothing of it is reused.
scene_parent() {
    odd_mount
    plant
    sleep 2.1 # so that nothing has to be read again for its times
    quiet "$stillpoint" init -r "$store/r" --sheet "$world/sheet"
    quiet "$stillpoint" backup "$tree" --set audit=0
    rm -r "$real/r/packs"
    expect 3 '' "$stillpoint" check
    expect 0 'read again' "$stillpoint" backup "$tree" --set audit=0
    comes_back
    comes_back latest~1
    expect 0 '' "$stillpoint" check --read-data
}

# A source whose file system tells whole seconds, other inode numbers than at the last run, no types.
scene_source() {
    odd_mount
    tree=$store/tree
    mkdir "$tree"
    cp -r "$SP_SOURCE/base" "$tree/base"
    odd seconds
    quiet "$stillpoint" init -r "$world/r" --sheet "$world/sheet"
    echo aaa >"$tree/file"
    the_first
    for i in 1 2 3; do # the same second, the same size
        echo "bb$i" >"$tree/file"
        quiet "$stillpoint" backup "$tree"
        comes_back
    done
    for i in 1 2; do
        odd inodes no-type
        quiet "$stillpoint" backup "$tree"
        comes_back
    done
    odd read=EIO
    expect 1 'Input/output error' "$stillpoint" backup "$tree" --reread
    odd stale
    expect 2 'Stale' "$stillpoint" backup "$tree"
    odd
    quiet "$stillpoint" backup "$tree"
    comes_back
}

# restore_fails WORD CODE WORDS: to a target that does WORD; and when it does so no more, the same again is whole,
# whatever the first has left there.
restore_fails() {
    rm -rf "$store/to"
    mkdir "$store/to"
    odd "$1"
    expect "$2" "$3" "$stillpoint" restore latest --target "$store/to"
    odd
    quiet "$stillpoint" restore latest --target "$store/to"
    same "$tree" "$store/to$tree"
}

scene_target() {
    odd_mount
    plant
    quiet "$stillpoint" init -r "$world/r" --sheet "$world/sheet"
    the_first
    restore_fails quota=100000:ENOSPC 2 'space'
    restore_fails quota=1000000:EDQUOT 2 'quota'
    restore_fails flush=EDQUOT 2 'quota'
    restore_fails flush=EIO 1 'Input/output error'
    restore_fails write=EIO 1 'Input/output error'
    restore_fails rename=EIO 1 'Input/output error'
    restore_fails create=EROFS 2 'Read-only'
    restore_fails stale 2 'Stale'
    # what the target keeps is not what it was given: nobody can see that but who reads it again
    restore_fails zeroes 0 ''
    echo A >"$tree/NAME"
    echo a >"$tree/name"
    quiet "$stillpoint" backup "$tree"
    restore_fails fold 1 'differs in case only'
}

scenes "$@"
