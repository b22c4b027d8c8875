#!/usr/bin/env bash
# Full disks and quotas, real ones: of the repository, of what the client keeps, of what the server keeps, of the folder
# restored to. The exit code and the words say so, older sets are what they were, and with room again the next run is
# whole.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/odd.bash"
slice=(ext4 quota client server served target)

[[ $EUID == 0 ]] || skip "needs root to mount"

# small FOLDER MB [KIND]: a file system of that size.
small() {
    mkdir -p "$1"
    if [[ ${3:-tmpfs} == tmpfs ]]; then
        mount -t tmpfs -o size="$2"M none "$1" 2>/dev/null || skip "cannot mount here"
    else
        truncate -s "$2"M "$1.image"
        quiet mkfs.ext4 -q -m 0 "$1.image"
        mount -o loop "$1.image" "$1" 2>/dev/null || skip "no loop mounts here"
    fi
    mounts+=("$1")
}

fill() { head -c 1G /dev/zero >"$1/ballast" 2>/dev/null || true; }

# full_repository: it lies on $store.
full_repository() {
    plant
    quiet "$stillpoint" init -r "$store/r" --sheet "$world/sheet"
    the_first
    alter 20000
    expect 2 'space' "$stillpoint" backup "$tree"
    expect 2 'make room' "$stillpoint" backup "$tree"
    [[ $(set_count) == 1 ]] || fail "a failed run left a set"
    expect 0 '' "$stillpoint" check --read-data
    old_comes_back
    fill "$store" # to the last block
    expect 2 'space' "$stillpoint" backup "$tree"
    expect 0 '' "$stillpoint" check --read-data
    expect 1 'space' "$stillpoint" doctor
    old_comes_back
    rm "$store/ballast" "$tree"/new*
    alter 1000
    quiet "$stillpoint" backup "$tree"
    comes_back
    old_comes_back
    expect 0 '' "$stillpoint" check --read-data
    [[ -z $(find "$store/r/tmp" -type f) ]] || fail "a failed run left temporary files"
}

scene_tmpfs() {
    store=$world/store
    small "$store" 12
    full_repository
}

scene_ext4() {
    store=$world/store
    small "$store" 16 ext4
    full_repository
}

# Out of inodes: there is room, and none for a name.
scene_inodes() {
    local i
    store=$world/store
    small "$store" 16 ext4
    plant
    quiet "$stillpoint" init -r "$store/r" --sheet "$world/sheet"
    the_first
    mkdir "$store/many"
    for ((i = 0; ; i++)); do : >"$store/many/$i" || break; done 2>/dev/null
    alter
    expect 2 'space' "$stillpoint" backup "$tree"
    expect 0 '' "$stillpoint" check
    old_comes_back
    rm -r "$store/many"
    quiet "$stillpoint" backup "$tree"
    comes_back
}

# A quota, of btrfs because every kernel that has it has its quotas.
scene_quota() {
    store=$world/store
    truncate -s 300M "$world/image"
    quiet mkfs.btrfs -q "$world/image"
    mkdir "$store"
    mount -o loop "$world/image" "$store" 2>/dev/null || skip "no loop mounts of btrfs here"
    mounts+=("$store")
    quiet btrfs -q subvolume create "$store/v"
    quiet btrfs quota enable "$store"
    quiet btrfs quota rescan -w "$store"
    plant
    quiet "$stillpoint" init -r "$store/v/r" --sheet "$world/sheet"
    the_first
    quiet btrfs qgroup limit 10M "$store/v"
    head -c 20M /dev/urandom >"$tree/new"
    expect 2 'quota' "$stillpoint" backup "$tree"
    expect 2 'allow more' "$stillpoint" backup "$tree"
    expect 0 '' "$stillpoint" check --read-data
    old_comes_back
    quiet btrfs qgroup limit none "$store/v"
    quiet "$stillpoint" backup "$tree"
    comes_back
}

# What the client keeps has no room: without its cache a run is slower or fails, and nothing is lost; a set that was
# made is said to be, though it cannot be remembered.
scene_client() {
    local rc
    plant
    quiet "$stillpoint" init -r "$world/r" --sheet "$world/sheet"
    the_first
    small "$world/cache" 1
    cp -a "$STILLPOINT_CACHE_DIR/." "$world/cache/"
    fill "$world/cache"
    alter
    rc=0
    env STILLPOINT_CACHE_DIR="$world/cache" "$stillpoint" backup "$tree" >"$world/log" 2>&1 || rc=$?
    [[ $rc == 0 || $rc == 2 ]] || fail "a full cache: exit $rc: $(cat "$world/log")"
    ((rc == 0)) || grep -q "cache.*space" "$world/log" || fail "a full cache is not named: $(cat "$world/log")"
    rm "$world/cache/ballast"
    quiet env STILLPOINT_CACHE_DIR="$world/cache" "$stillpoint" backup "$tree"
    comes_back
    small "$world/state" 1
    cp -a "$STILLPOINT_STATE_DIR/." "$world/state/"
    fill "$world/state"
    alter
    expect 1 'cannot remember' env STILLPOINT_STATE_DIR="$world/state" "$stillpoint" backup "$tree"
    comes_back
    rm "$world/state/ballast"
    quiet env STILLPOINT_STATE_DIR="$world/state" "$stillpoint" backup "$tree"
    comes_back
    old_comes_back
    expect 0 '' "$stillpoint" check --read-data
}

# The server's own folder has no room for a line in its state: runs that ended say so, or fail and name it; the server
# lives, and goes on when there is room.
scene_server() {
    local rc
    small "$world/server" 4
    new_server
    new_host s1
    plant
    the_first
    fill "$world/server"
    alter
    rc=0
    "$stillpoint" backup "$tree" >"$world/log" 2>&1 || rc=$?
    if ((rc == 0)); then
        comes_back
    else
        [[ $rc == 2 || $rc == 6 ]] || fail "the server's folder is full: exit $rc: $(cat "$world/log")"
        grep -qi 'full\|space' "$world/log" || fail "not said that it is full: $(cat "$world/log")"
    fi
    kill -0 "$server" || fail "the server ended"
    old_comes_back
    rm "$world/server/ballast"
    alter
    quiet "$stillpoint" backup "$tree"
    comes_back
    kill "$server"
    wait "$server" || true
    start_server
    old_comes_back
    expect 0 '' "$stillpoint" check --read-data
    kill "$server"
    wait "$server" || true
}

# A server whose repository is full: its clients hear it, and the server goes on.
scene_served() {
    small "$world/repository" 12
    mkdir "$world/repository/r"
    port=$(free_port)
    quiet "$stillpointd" init -D "$world/server" -r "$world/repository/r" --listen "127.0.0.1:$port"
    start_server
    new_host s2
    plant
    the_first
    alter 20000
    expect 2 'space' "$stillpoint" backup "$tree"
    expect 2 'make room' "$stillpoint" backup "$tree"
    kill -0 "$server" || fail "the server ended"
    old_comes_back
    rm "$tree"/new*
    alter 500
    quiet "$stillpoint" backup "$tree"
    comes_back
    expect 0 '' "$stillpoint" check --read-data
    kill "$server"
    wait "$server" || true
}

scene_target() {
    plant 6000
    quiet "$stillpoint" init -r "$world/r" --sheet "$world/sheet"
    the_first
    small "$world/to" 4 ext4
    expect 2 'space' "$stillpoint" restore latest --target "$world/to"
    expect 2 'make room' "$stillpoint" restore latest --target "$world/to"
    [[ -z $(find "$world/to" -name big) ]] || fail "a file that is not whole has its name"
    small "$world/large" 16 ext4
    fill "$world/large"
    expect 2 'space' "$stillpoint" restore latest --target "$world/large"
    rm "$world/large/ballast"
    quiet "$stillpoint" restore latest --target "$world/large"
    same "$tree" "$world/large$tree"
}

scenes "$@"
