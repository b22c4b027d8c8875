#!/usr/bin/env bash
# Stores that go away in the middle of a run: unmounted, turned read-only. An empty mount point never looks like an
# empty repository (R20): nothing is written into it, no set is reported, and when the store is back the next run sends
# what is missing and no more.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/odd.bash"
slice=(unmounted read_only server)

[[ $EUID == 0 ]] || skip "needs root to mount"

attach() { mount -o loop "$world/image" "$store" 2>/dev/null || skip "no loop mounts here"; }

# disk: an ext4 of its own at $store, with a repository and a first set, and then much that is new.
disk() {
    store=$world/store
    mkdir "$store"
    truncate -s 200M "$world/image"
    quiet mkfs.ext4 -q -m 0 "$world/image"
    attach
    mounts+=("$store")
    rmdir "$store/lost+found"
    plant
    quiet "$stillpoint" init -r "$store" --sheet "$world/sheet"
    the_first
    for i in 1 2; do head -c 16M /dev/urandom >"$tree/more$i"; done
}

# under_way [OPTION…]: a run in the background, slow, that has stored something already.
under_way() {
    local i before
    before=$(find "$store/packs" -type f | wc -l)
    "$stillpoint" backup "$tree" --bandwidth 32M "$@" >"$world/log" 2>&1 &
    run=$!
    for ((i = 0; i < 400; i++)); do
        (($(find "$store/packs" -type f | wc -l) == before)) || return 0
        kill -0 "$run" 2>/dev/null || break
        sleep 0.02
    done
    fail "nothing was stored within 8 s: $(cat "$world/log")"
}

# ends_with CODE WORDS: the run in the background does.
ends_with() {
    local rc=0
    wait "$run" || rc=$?
    [[ $rc == "$1" ]] || fail "exit $rc instead of $1: $(cat "$world/log")"
    grep -q "$2" "$world/log" || fail "no '$2' in: $(cat "$world/log")"
}

back_again() {
    local sent
    [[ $(set_count) == 1 ]] || fail "a run whose store went away left a set"
    expect 0 '' "$stillpoint" check --read-data
    "$stillpoint" backup "$tree" --json >"$world/out.json" 2>"$world/log" || fail "exit $?: $(cat "$world/log")"
    sent=$(json "$world/out.json" 'x[0]["bytes_stored"]')
    ((sent < 30000000)) || fail "everything was sent again: $sent bytes"
    comes_back
    old_comes_back
}

scene_unmounted() {
    disk
    under_way
    umount -l "$store"
    ends_with 6 'mounted'
    [[ -z $(ls -A "$store") ]] || fail "something was written into the mount point: $(find "$store")"
    expect 6 'mount' "$stillpoint" backup "$tree"
    expect 6 'mount' "$stillpoint" list
    expect 6 'mount' "$stillpoint" check
    expect 6 'mount' "$stillpoint" restore latest --target "$world/nothing"
    [[ -z $(ls -A "$store") ]] || fail "something was written into the mount point: $(find "$store")"
    attach
    back_again
}

# It comes back while the run goes on: the run may end either way, and what it says holds.
scene_away_for_a_moment() {
    local rc=0
    disk
    under_way
    umount -l "$store"
    sleep 0.3
    attach
    wait "$run" || rc=$?
    [[ $rc == 0 || $rc == 6 ]] || fail "exit $rc: $(cat "$world/log")"
    ((rc == 6)) || comes_back
    quiet "$stillpoint" backup "$tree"
    comes_back
    old_comes_back
    expect 0 '' "$stillpoint" check --read-data
}

scene_read_only() {
    disk
    under_way
    # what an error of the disk does to an ext4 (errors=remount-ro): also while files are open for writing
    mount -o remount,abort "$store" 2>/dev/null || mount -o remount,ro "$store" || skip "cannot remount here"
    for i in {1..50}; do ! touch "$store/probe" 2>/dev/null || sleep 0.02; done
    ends_with 2 'Read-only\|Input/output'
    grep -q -e '->' "$world/log" || fail "no way out: $(cat "$world/log")"
    umount "$store"
    attach
    back_again
}

# The store of a server goes away and comes back: it says so, and lives.
scene_server() {
    local rc=0 i
    store=$world/store
    mkdir "$store"
    truncate -s 200M "$world/image"
    quiet mkfs.ext4 -q -m 0 "$world/image"
    attach
    mounts+=("$store")
    rmdir "$store/lost+found"
    port=$(free_port)
    quiet "$stillpointd" init -D "$world/server" -r "$store" --listen "127.0.0.1:$port"
    start_server
    new_host s1
    plant
    the_first
    for i in 1 2; do head -c 16M /dev/urandom >"$tree/more$i"; done
    under_way
    umount -l "$store"
    wait "$run" || rc=$?
    [[ $rc == 6 ]] || fail "exit $rc: $(cat "$world/log")"
    grep -q 'mounted' "$world/log" || fail "not said what is gone: $(cat "$world/log")"
    [[ -z $(ls -A "$store") ]] || fail "something was written into the mount point: $(find "$store")"
    expect 6 'mount' "$stillpoint" list
    kill -0 "$server" || fail "the server ended"
    attach
    quiet "$stillpoint" backup "$tree"
    comes_back
    old_comes_back
    expect 0 '' "$stillpoint" check --read-data
    kill "$server"
    wait "$server" || true
}

# A restore whose target goes away.
scene_target() {
    local rc=0
    plant 30000
    quiet "$stillpoint" init -r "$world/r" --sheet "$world/sheet"
    the_first
    store=$world/to
    mkdir "$store"
    truncate -s 200M "$world/image"
    quiet mkfs.ext4 -q -m 0 "$world/image"
    attach
    mounts+=("$store")
    "$stillpoint" restore latest --target "$store" >"$world/log" 2>&1 &
    run=$!
    sleep 0.05
    umount -l "$store"
    wait "$run" || rc=$?
    # handles stay good on what was unmounted: the restore may well end there
    ((rc == 0 || rc == 1 || rc == 2)) || fail "exit $rc: $(cat "$world/log")"
    attach
    quiet "$stillpoint" restore latest --target "$store"
    same "$tree" "$store$tree"
}

scenes "$@"
