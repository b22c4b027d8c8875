#!/usr/bin/env bash
# What goes wrong, and what the user is told: one hand-written table, exit code and words of each. Nothing here may
# harm the set that exists at the beginning.
. "$(dirname "$0")/lib.bash"

user() { # user COMMAND…: as somebody without rights, where we are root
    if [[ $EUID == 0 ]]; then setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; else "$@"; fi
}

as one
mkdir "$world/tree"
echo content >"$world/tree/file"
echo secret >"$world/passphrase"
echo wrong >"$world/wrong"
sp=$stillpoint
r=$world/own
quiet "$sp" init -r "$r" --sheet "$world/sheet" --passphrase-file "$world/passphrase"
quiet "$sp" backup "$world/tree"

# --- the command line and the configuration: 5
expect 5 "no command 'bakup'" "$sp" bakup
expect 5 'unknown option --fast' "$sp" backup --fast /tmp
expect 5 'needs a value' "$sp" backup /tmp --exclude
expect 5 'say what' "$sp" backup
expect 5 "no job 'nightly'" "$sp" backup nightly
printf '[a]\npath = /tmp\ncolour = red\n' >"$world/one/config/stillpoint.conf"
expect 5 'stillpoint.conf:3: ' "$sp" backup a
printf '[a]\npath = /tmp\nshadow = maybe\n' >"$world/one/config/stillpoint.conf"
expect 5 'auto, none or require' "$sp" backup a
printf '[a]\n' >"$world/one/config/stillpoint.conf"
expect 5 'has no path' "$sp" backup a
printf '[a\npath = /tmp\n' >"$world/one/config/stillpoint.conf"
expect 5 'stillpoint.conf:1: ' "$sp" backup a
rm "$world/one/config/stillpoint.conf"
expect 5 '/nowhere.conf' "$sp" backup a --config /nowhere.conf
expect 5 'bandwidth' "$sp" backup /tmp --bandwidth fast
expect 5 'is a folder' "$sp" backup /tmp --exclude-file /tmp
expect 5 'no address to listen on' "$stillpointd" init -D "$world/nowhere" -r "$world/nothing" --listen nonsense
[[ ! -e $world/nothing ]] || fail "a repository was made for a server that cannot be"
expect 5 'there is no set' "$sp" show nothing
expect 5 'control characters' "$sp" init -r "$world/control" --name $'a\nb' --sheet "$world/sheet2"
expect 5 'control characters' "$sp" init -r "$world/con"$'\n'trol --sheet "$world/sheet2"
expect 5 'UTF-8' "$sp" init -r "$world/con"$'\xff'trol --sheet "$world/sheet2"
expect 2 'not written over' "$sp" init -r "$world/control" --sheet "$world/sheet"
expect 5 'No such file' "$sp" init -r "$world/control" --sheet /nowhere/sheet
expect 2 'not written over' "$sp" key sheet --sheet "$world/sheet"
[[ ! -e $world/control && ! -e $world/sheet2 ]] || fail "a repository was made although its sheet had no place"
expect 5 '--target' "$sp" restore latest

# --- sources
expect 2 '/does/not/exist' "$sp" backup /does/not/exist
expect 2 'before' "$sp" backup "$world/tree" --before 'exit 3'
expect 2 'did not end within' "$sp" backup "$world/tree" --before 'sleep 60' --command-timeout 1s
expect 1 'after' "$sp" backup "$world/tree" --after 'exit 3'
"$sp" backup "$world/tree" --before 'sleep 30' >"$world/twice.log" 2>&1 & # the second signal waits for nothing
twice=$!
sleep 0.7
kill "$twice"
sleep 0.2
kill "$twice"
SECONDS=0 rc=0
wait "$twice" || rc=$?
((rc == 143 && SECONDS < 10)) || fail "stopped twice: exit $rc after $SECONDS s: $(cat "$world/twice.log")"

# --- the store
as stranger # a machine that does not know the repository
expect 6 'passphrase does not open' "$sp" list -r "$r" --passphrase-file "$world/wrong"
expect 0 '' "$sp" list -r "$r" --passphrase-file "$world/passphrase"
# asked for it, and interrupted: with and without a thread that takes signals
for command in list 'restore latest --target /nowhere'; do
    quiet "$python" "$(dirname "$0")/prompt.py" "$sp" $command -r "$r"
done
expect 4 'no identity' "$sp" backup -r "$r" "$world/tree"
expect 5 'no repository is set up' "$sp" list
expect 6 'may not be mounted' "$sp" list -r "$world/nowhere" --passphrase-file "$world/passphrase"
mkdir "$world/mountpoint"
expect 6 'mount' "$sp" list -r "$world/mountpoint" --passphrase-file "$world/passphrase"
expect 5 'sftp://' "$sp" list -r ftp://host/path # what goes wrong with SFTP accounts: sftp_errors.sh
as one
expect 2 'not empty' "$sp" init -r "$r" --sheet "$world/sheet2"
mkdir "$world/full"
echo x >"$world/full/x"
expect 2 '' "$sp" init -r "$world/full" --sheet "$world/sheet2"

cp -a "$r" "$world/newer"
"$python" - "$world/newer/repository.conf" <<'PY'
import hashlib, sys
body = open(sys.argv[1]).read().replace("version = 1", "version = 2").rsplit("sha256", 1)[0]
open(sys.argv[1], "w").write(body + "sha256 = " + hashlib.sha256(body.encode()).hexdigest() + "\n")
PY
expect 2 'version' "$sp" list -r "$world/newer" --passphrase-file "$world/passphrase"
cp -a "$r" "$world/scratched"
sed -i 's/^pack-size = ./pack-size = 9/' "$world/scratched/repository.conf"
expect 3 'repository.conf' "$sp" list -r "$world/scratched" --passphrase-file "$world/passphrase"
cp "$r/repository.conf" "$world/conf"
sed -i 's/^pack-size = ./pack-size = 9/' "$r/repository.conf"
expect 3 "/conf to $r/repository.conf" "$sp" list # what this machine keeps
cp "$world/conf" "$r/repository.conf"
expect 2 "the cache folder $world/passphrase/" env STILLPOINT_CACHE_DIR="$world/passphrase" "$sp" list
mv "$r" "$world/away"
expect 6 'mount' "$sp" backup "$world/tree"
cp -a "$world/away" "$r"
rm -rf "$r"
mv "$world/away" "$r"

# --- a full disk
if [[ $EUID == 0 ]] && mkdir "$world/small" && mount -t tmpfs -o size=3m none "$world/small" 2>/dev/null; then
    mounts+=("$world/small")
    quiet "$sp" init -r "$world/small/r" --sheet "$world/sheet3"
    quiet "$sp" backup -r "$world/small/r" "$world/tree"
    mkdir "$world/large"
    head -c 8000000 /dev/urandom >"$world/large/data"
    expect 2 'space' "$sp" backup -r "$world/small/r" "$world/large"
    expect 0 '' "$sp" check -r "$world/small/r"
    quiet "$sp" restore latest -r "$world/small/r" --target "$world/from-small"
    same "$world/tree" "$world/from-small$world/tree"
    as one
    quiet "$sp" backup -r "$r" "$world/large" --job large
    mkdir "$world/target"
    mount -t tmpfs -o size=3m none "$world/target"
    mounts+=("$world/target")
    expect 2 'space' "$sp" restore large -r "$r" --target "$world/target"
fi

# --- a full disk where this machine keeps what it knows: the set is made, and said to be
if [[ $EUID == 0 ]] && mkdir "$world/state" && mount -t tmpfs -o size=256k none "$world/state" 2>/dev/null; then
    mounts+=("$world/state")
    cp -a "$STILLPOINT_STATE_DIR/." "$world/state/"
    head -c 1000000 /dev/zero >"$world/state/fill" 2>/dev/null || true
    expect 1 'cannot remember' env STILLPOINT_STATE_DIR="$world/state" "$sp" backup "$world/tree" -r "$r" --job forgetful
    expect 0 'forgetful' "$sp" list -r "$r" --job forgetful
fi

# --- files that cannot be read as they are
if [[ $EUID == 0 ]]; then
    mkdir -m 777 "$world/user" "$world/ur" "$world/ut"
    echo a >"$world/ut/open"
    echo b >"$world/ut/closed"
    chmod 600 "$world/ut/closed"
    chmod 755 "$world" "$world/ut"
    export STILLPOINT_CONFIG_DIR=$world/user/c STILLPOINT_STATE_DIR=$world/user/s STILLPOINT_CACHE_DIR=$world/user/k
    quiet user "$sp" init -r "$world/ur/r" --sheet "$world/user/sheet"
    expect 1 'closed' user "$sp" backup "$world/ut"
    expect 0 'closed' user "$sp" show latest
    expect 1 'closed' user "$sp" restore latest --target "$world/user/back"
    [[ $(cat "$world/user/back$world/ut/open") == a ]] || fail "the readable file did not come back"
    as one
fi

# a file that changes, one that shrinks, one that vanishes while being read: the job's commands cannot do that,
# a slow reading can
mkdir "$world/moving"
head -c 30000000 /dev/urandom >"$world/moving/a"
head -c 30000000 /dev/urandom >"$world/moving/b"
for i in {1..50}; do echo $i >"$world/moving/z$i"; done
(for ((i = 0; i < 300; i++)); do
    echo "$i" >>"$world/moving/a"
    truncate -s $((29000000 - i * 1000)) "$world/moving/b"
    rm -f "$world/moving/z$((i % 50))"
    sleep 0.01
done) &
mover=$!
rc=0
"$sp" backup -r "$r" "$world/moving" --job moving --bandwidth 20M >"$world/moving.log" 2>&1 || rc=$?
[[ $rc == 1 || $rc == 0 ]] || fail "files that move: exit $rc: $(cat "$world/moving.log")"
kill $mover 2>/dev/null || true
wait $mover 2>/dev/null || true
quiet "$sp" backup -r "$r" "$world/moving" --job moving
quiet "$sp" restore moving -r "$r" --target "$world/moved"
same "$world/moving" "$world/moved$world/moving"

# --- servers, tokens, certificates
new_server
token=$("$stillpointd" host add -D "$world/server" s1 | tail -n 1)
as s1
expect 5 'token' "$sp" enroll "not-a-token"
expect 5 '' "$sp" enroll "${token%?????}"
quiet "$sp" enroll "$token" --sheet "$world/s1.sheet"
as s2
expect 6 'used' "$sp" enroll "$token"
old=$("$stillpointd" host add -D "$world/server" s2 --valid 1s | tail -n 1)
sleep 1.5
expect 6 'expired' "$sp" enroll "$old"
expect 5 'not enrolled' "$sp" list -r "stillpoint://127.0.0.1:$port"
as s1
quiet "$sp" backup "$world/tree"
expect 2 "not empty" "$sp" init -r "$world/repository" --sheet "$world/no"

# another authority behind the same address: not the server that was pinned
kill "$server"
wait "$server" || true
mv "$world/server" "$world/server1"
mv "$world/repository" "$world/repository1"
quiet "$stillpointd" init -D "$world/server" -r "$world/repository" --listen "127.0.0.1:$port"
start_server
expect 6 'fingerprint' "$sp" backup "$world/tree"
token=$("$stillpointd" host add -D "$world/server" s1 | tail -n 1)
kill "$server"
wait "$server" || true
rm -rf "$world/server" "$world/repository"
mv "$world/server1" "$world/server"
mv "$world/repository1" "$world/repository"
start_server
as s3
expect 6 '' "$sp" enroll "$token" # another server's token
as s1
quiet "$sp" backup "$world/tree"
quiet "$stillpointd" host revoke -D "$world/server" s1
expect 6 'revoked' "$sp" backup "$world/tree"
kill "$server"
wait "$server" || true
expect 6 'cannot reach' "$sp" list

# --- after all this, the set of the beginning is what it was
as one
quiet "$sp" restore paths~1 -r "$r" --target "$world/still"
expect 0 '' "$sp" check -r "$r" --read-data
echo "errors: ok"
