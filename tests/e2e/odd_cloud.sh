#!/usr/bin/env bash
# Repositories on paths that are mounted from elsewhere: sshfs and rclone over an sshd of the suite's own. The connection
# dies in the middle of a run; mounted again, the next run is whole. What rclone had not written back yet is lost with
# its cache: the run after that sends it again.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/odd.bash"
slice=(sshfs rclone_writes)

[[ -w /dev/fuse ]] || skip "needs /dev/fuse"
for program in sshfs rclone fusermount3 ssh-keygen; do
    command -v "$program" >/dev/null || skip "needs $program"
done
[[ -x /usr/sbin/sshd ]] || skip "needs openssh-server"

ssh-keygen -q -t ed25519 -N '' -f "$world/hostkey"
ssh-keygen -q -t ed25519 -N '' -f "$world/key"
cp "$world/key.pub" "$world/authorized"
sshd_port=$(free_port)
cat >"$world/sshd.conf" <<CONF
Port $sshd_port
ListenAddress 127.0.0.1
HostKey $world/hostkey
AuthorizedKeysFile $world/authorized
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
PermitRootLogin prohibit-password
Subsystem sftp internal-sftp
CONF
chmod 755 "$world"
[[ $EUID != 0 ]] || mkdir -p /run/sshd
remote=$world/remote # what the account holds
mkdir "$remote"

start_sshd() {
    local i
    /usr/sbin/sshd -D -f "$world_sshd/sshd.conf" -E "$world_sshd/sshd.log" &
    sshd=$!
    servers+=("$sshd")
    for ((i = 0; i < 100; i++)); do
        ! (: <"/dev/tcp/127.0.0.1/$sshd_port") 2>/dev/null || return 0
        sleep 0.05
    done
    fail "sshd does not listen: $(cat "$world_sshd/sshd.log")"
}

# kill_sshd: with all its sessions.
kill_sshd() {
    local p all=("$sshd") i
    for ((i = 0; i < ${#all[@]}; i++)); do
        mapfile -t -O "${#all[@]}" all < <(ps -o pid= --ppid "${all[i]}" | tr -d ' ')
    done
    for p in "${all[@]}"; do kill -9 "$p" 2>/dev/null || true; done
    wait "$sshd" 2>/dev/null || true
}

world_sshd=$world
start_sshd

over_sshfs() {
    sshfs "$(id -un)@127.0.0.1:$1" "$store" -p "$sshd_port" -o IdentityFile="$world_sshd/key" \
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "${@:2}" ||
        fail "sshfs does not mount"
    mounts+=("$store")
}

# over_rclone FOLDER MODE [OPTION…]: in the background, in $rclone.
over_rclone() {
    local i
    RCLONE_CONFIG=/dev/null rclone mount \
        ":sftp,host=127.0.0.1,port=$sshd_port,user=$(id -un),key_file=$world_sshd/key,shell_type=none:$1" "$store" \
        --vfs-cache-mode "$2" --cache-dir "$world/rclone" --low-level-retries 2 --retries 1 --contimeout 3s \
        --timeout 5s "${@:3}" >>"$world/rclone.log" 2>&1 &
    rclone=$!
    for ((i = 0; i < 200; i++)); do
        ! mountpoint -q "$store" || break
        kill -0 "$rclone" 2>/dev/null || fail "rclone does not mount: $(cat "$world/rclone.log")"
        sleep 0.05
    done
    mounts+=("$store")
}

drop_mount() {
    umount "$store" 2>/dev/null || umount -l "$store" 2>/dev/null || true
    unset 'mounts[-1]'
}

drop_rclone() {
    drop_mount # waits until everything is out
    kill "$rclone" 2>/dev/null || true
    wait "$rclone" 2>/dev/null || true
}

prepare() {
    store=$world/store there=$remote/$(basename "$world")
    mkdir "$store" "$there"
}

# cut_under_way: a run has stored something when the connection dies, for good; it fails, and what was stored before is
# there when it is mounted again.
cut_under_way() {
    local i rc=0
    for i in 1 2; do head -c 16M /dev/urandom >"$tree/more$i"; done
    before=$(find "$there/r/packs" -type f -size +1M | wc -l)
    "$stillpoint" backup "$tree" --bandwidth 20M >"$world/log" 2>&1 &
    run=$!
    for ((i = 0; i < 400; i++)); do
        (($(find "$there/r/packs" -type f -size +1M | wc -l) == before)) || break
        kill -0 "$run" 2>/dev/null || break
        sleep 0.02
    done
    kill -0 "$run" 2>/dev/null || fail "the run ended too early: $(cat "$world/log")"
    kill_sshd
    wait "$run" || rc=$?
    [[ $rc == 2 || $rc == 6 ]] || fail "exit $rc: $(cat "$world/log")"
    grep -q "$store" "$world/log" || fail "the store is not named: $(cat "$world/log")"
    grep -q -e '->' "$world/log" || fail "no way out: $(cat "$world/log")"
}

# heals: the next run is whole.
heals() {
    [[ $(set_count) == "${1:-1}" ]] || fail "$(set_count) sets"
    expect 0 '' "$stillpoint" check --read-data
    quiet "$stillpoint" backup "$tree"
    comes_back
    old_comes_back
    expect 0 '' "$stillpoint" check --read-data
}

scene_sshfs() {
    prepare
    over_sshfs "$there"
    plant
    quiet "$stillpoint" init -r "$store/r" --sheet "$world/sheet"
    the_first
    cut_under_way
    drop_mount
    start_sshd
    over_sshfs "$there"
    heals
    drop_mount
}

# Every file goes out while it is written; nothing is kept here.
scene_rclone_off() {
    prepare
    over_rclone "$there" off
    plant
    quiet "$stillpoint" init -r "$store/r" --sheet "$world/sheet"
    the_first
    cut_under_way
    drop_rclone
    start_sshd
    over_rclone "$there" off
    heals
    drop_rclone
}

# Files are kept here and go out when they were not touched for a second: what was not yet out goes with the cache. The
# newest set is among it: the next run says that it is gone, and all that is there is whole.
scene_rclone_writes() {
    prepare
    over_rclone "$there" writes --vfs-write-back 1s
    plant
    quiet "$stillpoint" init -r "$store/r" --sheet "$world/sheet"
    the_first
    for ((i = 0; i < 100; i++)); do
        [[ -z $(find "$there/r/sets" -name '*.set' 2>/dev/null) ]] || break
        sleep 0.1
    done
    alter 3000
    quiet "$stillpoint" backup "$tree"
    kill -9 "$rclone" # and the machine it ran on
    wait "$rclone" 2>/dev/null || true
    drop_mount
    rm -rf "$world/rclone"
    over_rclone "$there" writes --vfs-write-back 1s
    [[ $(set_count) == 1 ]] || fail "nothing was lost: this shows nothing"
    "$stillpoint" check --read-data >"$world/log" 2>&1 || (($? == 3)) || fail "check: $(cat "$world/log")"
    expect 1 'does not hold the last set' "$stillpoint" backup "$tree"
    comes_back
    heals 2
    drop_rclone
}

scenes "$@"
