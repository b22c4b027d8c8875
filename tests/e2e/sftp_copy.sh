#!/usr/bin/env bash
# `copy` of 20 sets to an SFTP account, the line cut ten times, killed once: it goes on; check --read-data is clean there,
# every set is there and restores, a second copy moves nothing; and back from the account into a folder.
. "$(dirname "$0")/../sftp/client.bash"

start_sshd
start_line plain 0 200
as one
mkdir "$world/tree"
for i in {1..40}; do head -c $((i * 1000)) /dev/urandom >"$world/tree/$i"; done
quiet "$stillpoint" init -r "$world/repository" --sheet "$world/sheet"
for n in {1..20}; do
    head -c 1000000 /dev/urandom >"$world/tree/large$((n % 4))"
    echo "$n" >"$world/tree/1"
    quiet "$stillpoint" backup "$world/tree"
    ((n != 7)) || cp -a "$world/tree" "$world/seventh"
done
to=$(by_line plain)
quiet "$stillpoint" init --like "$world/repository" -r "$to" "${by_key[@]}"

copy() { "$stillpoint" copy "$world/repository" "$to" "${by_key[@]}" "$@"; }
# Cut ten times while it runs, and killed once: what is there counts.
cuts=0
runs=0
while ((cuts < 10)); do
    runs=$((runs + 1))
    "$stillpoint" copy "$world/repository" "$to" "${by_key[@]}" >"$world/copy.log" 2>&1 & # itself, to be killed
    run=$!
    servers+=("$run")
    while kill -0 "$run" 2>/dev/null && ((cuts < 10)); do
        sleep 0.25
        ((runs == 1 && cuts == 5)) && kill -9 "$run" 2>/dev/null
        cut_line
        cuts=$((cuts + 1))
    done
    rc=0
    wait "$run" || rc=$?
    # The first connection is not made again: who begins while the line is cut is told so.
    ((rc != 6)) || grep -q 'could not be made again' "$world/copy.log" || continue
    ((rc == 0 || rc == 137)) || fail "copy, cut $cuts times: exit $rc: $(cat "$world/copy.log")"
    ((rc == 137 || cuts >= 8)) || fail "copy was over after $cuts cuts: this shows nothing"
    ((rc == 137)) || break
done
copy >"$world/copy.log" 2>&1 || fail "copy: exit $?: $(cat "$world/copy.log")"
copy --json >"$world/again.json" || fail "second copy: exit $?"
[[ $(json "$world/again.json" 'x["bytes_sent"]') == 0 && $(json "$world/again.json" 'x["sets_there"]') == 20 ]] ||
    fail "a second copy moves something: $(cat "$world/again.json")"

as there
sheet=(--recovery-key-file "$world/sheet")
expect 0 '20 sets' "$stillpoint" list -r "$(there plain)" "${sheet[@]}"
expect 0 '' "$stillpoint" check --read-data -r "$(url plain)" "${by_key[@]}" "${sheet[@]}"
quiet "$stillpoint" restore latest -r "$(url plain)" "${by_key[@]}" "${sheet[@]}" --target "$world/back"
same "$world/tree" "$world/back$world/tree"
quiet "$stillpoint" restore latest~13 -r "$(there plain)" "${sheet[@]}" --target "$world/older"
same "$world/seventh" "$world/older$world/tree"

# and back
quiet "$stillpoint" init --like "$(url plain)" -r "$world/home-again" "${by_key[@]}"
quiet "$stillpoint" copy "$(url plain)" "$world/home-again" "${by_key[@]}"
expect 0 '20 sets' "$stillpoint" list -r "$world/home-again" "${sheet[@]}"
expect 0 '' "$stillpoint" check --read-data -r "$world/home-again" "${sheet[@]}"
echo "sftp_copy: 20 sets, cut $cuts times in $runs runs, $SECONDS s: ok"
