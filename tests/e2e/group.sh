#!/usr/bin/env bash
# Ten hosts in one key group: common content is stored once; all at once every set is whole. A host outside
# shares nothing.
. "$(dirname "$0")/lib.bash"

new_server
new_host h1
mkdir "$world/common"
head -c 8000000 /dev/urandom >"$world/common/data"
for i in {1..200}; do head -c 3000 /dev/urandom >"$world/common/$i"; done
quiet "$stillpoint" backup "$world/common"
first=$(du -sb "$world/repository" | cut -f1)
for i in {2..10}; do
    as h1
    invitation=$("$stillpoint" key invite | grep -o 'spi\.[0-9A-Za-z-]*' | head -n 1)
    new_host "h$i" --invitation "$invitation"
    quiet "$stillpoint" backup "$world/common"
done
all=$(du -sb "$world/repository" | cut -f1)
((all - first < first / 10)) || fail "ten members store $all bytes, one stored $first"
expect 5 'token' "$stillpoint" enroll sp1.AAAAA-AAAAA

# used invitation
as h1
token=$("$stillpointd" host add -D "$world/server" late | tail -n 1)
as late
expect 6 '' "$stillpoint" enroll "$token" --invitation "$invitation"

# at once: own files and common ones
pids=()
for i in {1..10}; do
    mkdir "$world/own$i"
    head -c 3000000 /dev/urandom >"$world/own$i/mine"
    cp "$world/common/data" "$world/own$i/"
    head -c 500000 <(yes "$i") >"$world/own$i/text"
    (
        as "h$i"
        "$stillpoint" backup "$world/own$i" --job own >"$world/log$i" 2>&1
    ) &
    pids+=($!)
done
for i in "${!pids[@]}"; do wait "${pids[i]}" || fail "host $((i + 1)): $(cat "$world/log$((i + 1))")"; done
for i in {1..10}; do
    as "h$i"
    quiet "$stillpoint" restore own --target "$world/r$i"
    same "$world/own$i" "$world/r$i$world/own$i"
    rm -rf "$world/r$i"
done
expect 0 '' "$stillpoint" check --read-data

# outside the group: the same content is stored again
before=$(du -sb "$world/repository" | cut -f1)
new_host outsider
quiet "$stillpoint" backup "$world/common"
after=$(du -sb "$world/repository" | cut -f1)
((after - before > first * 8 / 10)) || fail "a host outside the group was spared $((first - after + before)) bytes: it learnt what others have"
echo "group: ok"
