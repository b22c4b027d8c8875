#!/usr/bin/env bash
# stillpoint.exe under Wine to a server on Linux over TLS, with the connection cut and the client killed in mid-run; and
# stillpointd.exe serving a client on Linux.
. "$(dirname "$0")/wine.bash"

rounds=${STILLPOINT_LONG:+20}
rounds=${rounds:-4}
tree=$world/tree
mkdir "$tree"
fill() { # fill N: other content in a part of the tree
    "$python" - "$tree" "$1" <<'END'
import os, random, sys
top, seed = sys.argv[1], int(sys.argv[2])
r = random.Random(seed)
for i in range(300):
    if seed and r.random() < 0.5:
        continue
    with open(os.path.join(top, f"file{i}"), "wb") as f:
        f.write(r.randbytes(r.choice((10, 3000, 70000, 400000))))
END
}
fill 0
new_server --proxied
token=$("$stillpointd" host add -D "$world/server" desk | tail -n 1)
as_win desk
expect 0 '' win stillpoint enroll "$token" --name desk --sheet "$(at "$world/desk.sheet")"
expect 0 '' win stillpoint backup "$(at "$tree")"

whole() { # whole N: the newest set is the tree as it is now
    rm -rf "$world/back"
    expect 0 '' win stillpoint restore latest --target "$(at "$world/back")"
    diff -r "$tree" "$world/back/Z$tree" >"$world/diff" || fail "round $1: $(head "$world/diff")"
}
whole 0

again=0
# cut: the run goes on where it was
for ((i = 1; i <= rounds; i++)); do
    fill "$i"
    before=$(grep -c 'desk .*: connected' "$world/server.log")
    win stillpoint backup "$(at "$tree")" --bandwidth 6M >"$world/run.log" 2>&1 &
    run=$!
    for ((k = 0; k < 100; k++)); do # until it is there: a cut before the hello is a server that cannot be reached
        (($(grep -c 'desk .*: connected' "$world/server.log") == before)) || break
        sleep 0.1
    done
    for ((k = 0; k < 3; k++)); do
        sleep "0.$((RANDOM % 5 + 4))"
        cut_connections
    done
    rc=0
    wait "$run" || rc=$?
    ((rc == 0)) || fail "cut in round $i: exit $rc: $(cat "$world/run.log")"
    again=$((again + $(grep -c 'desk .*: connected' "$world/server.log") - before - 1))
    whole "$i"
done
((again >= rounds)) || fail "of $rounds runs, only $again connections were made again: nothing was cut"

# killed: the next run makes the set; what was reported done before stays
for ((i = 1; i <= rounds; i++)); do
    fill "$((100 + i))"
    win stillpoint backup "$(at "$tree")" >"$world/run.log" 2>&1 &
    run=$!
    sleep "0.$((RANDOM % 9 + 1))"
    pkill -9 -f "backup Z:$tree\$" || true # the program; that it was too late counts too
    wait "$run" 2>/dev/null || true
    expect 0 '' win stillpoint backup "$(at "$tree")"
    whole "kill $i"
done
as stranger
expect 0 '' "$stillpoint" check --read-data -r "$world/repository" --recovery-key-file "$world/desk.sheet"

# --- the other way round: the server on Windows
kill "$server"
wait "$server" 2>/dev/null || true
port=$(free_port)
unset STILLPOINT_CONFIG_DIR STILLPOINT_STATE_DIR STILLPOINT_CACHE_DIR
expect 0 '' win stillpointd init -D "$(at "$world/winserver")" -r "$(at "$world/winrepository")" --listen "127.0.0.1:$port"
win stillpointd run -D "$(at "$world/winserver")" >"$world/server.log" 2>&1 &
servers+=("$!")
for ((i = 0; i < 100; i++)); do
    ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    sleep 0.1
done
token=$(win stillpointd host add -D "$(at "$world/winserver")" lap | tr -d '\r' | tail -n 1)
as lap
expect 0 '' "$stillpoint" enroll "$token" --name lap --sheet "$world/lap.sheet"
expect 0 '' "$stillpoint" backup "$tree"
fill 999
expect 0 '' "$stillpoint" backup "$tree"
rm -rf "$world/back"
expect 0 '' "$stillpoint" restore latest --target "$world/back"
same "$tree" "$world/back$tree"
expect 0 '' win stillpointd sets -D "$(at "$world/winserver")"
# and its repository opens from its folder
as stranger
expect 0 '' "$stillpoint" list -r "$world/winrepository" --recovery-key-file "$world/lap.sheet"
