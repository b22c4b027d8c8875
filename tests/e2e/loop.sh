#!/usr/bin/env bash
# Server killed, client killed, connection cut, each at random moments: every set reported as done restores
# equal, nothing else is visible, the next run goes on. STILLPOINT_LONG=1: 60 of each; else a seeded slice.
. "$(dirname "$0")/lib.bash"

seed=${SP_SEED:-$RANDOM}
RANDOM=$seed
echo "seed $seed"
rounds=$((${STILLPOINT_LONG:-0} ? 180 : 15))

new_server --proxied
new_host one
mkdir "$world/tree"
for i in {1..400}; do head -c $((RANDOM * 8)) /dev/urandom >"$world/tree/$i"; done
head -c 40000000 /dev/urandom >"$world/tree/big"
done_sets=0

for ((round = 0; round < rounds; round++)); do
    # something changes each round, so that there is something to send
    head -c $((RANDOM * 40)) /dev/urandom >"$world/tree/big$((RANDOM % 12))"
    for i in {1..20}; do head -c $((RANDOM * 4)) /dev/urandom >"$world/tree/$((RANDOM % 400 + 1))"; done
    rm -rf "$world/expected"
    cp -a "$world/tree" "$world/expected"
    rc=0
    "$stillpoint" backup "$world/tree" >"$world/log" 2>&1 &
    client=$!
    sleep "$(printf '0.%03d' $((RANDOM % 700)))"
    case $((round % 3)) in
    0)
        kill -9 "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
        sleep 0.2
        start_server
        ;;
    1) kill -9 "$client" 2>/dev/null || true ;;
    2) cut_connections ;;
    esac
    wait "$client" || rc=$?
    if ((rc == 0)); then
        done_sets=$((done_sets + 1))
        rm -rf "$world/back"
        quiet "$stillpoint" restore latest --target "$world/back"
        same "$world/expected" "$world/back$world/tree"
    elif ((rc != 137)); then
        fail "round $round: exit $rc: $(cat "$world/log")"
    fi
    listed=$("$stillpoint" list --json | "$python" -c 'import json,sys; x=json.load(sys.stdin); print(len(x["sets"]))')
    # a client that was killed may have died after the commit and before it could say so
    ((listed == done_sets)) || { ((round % 3 == 1 && listed == done_sets + 1)) && done_sets=$listed; } ||
        fail "round $round: $listed sets listed, $done_sets reported as done"
done
quiet "$stillpoint" backup "$world/tree"
quiet "$stillpoint" restore latest --target "$world/last"
same "$world/tree" "$world/last$world/tree"
expect 0 '' "$stillpoint" check --read-data
echo "loop: $rounds rounds, $done_sets sets: ok"
