#!/usr/bin/env bash
# A run is suspended with SIGSTOP at many moments while a removal takes what it relies on (tests/removal), and
# goes on: it heals, or it stops with a word and the next run works. No set is ever without its content.
. "$(dirname "$0")/lib.bash"
remove=$SP_BUILD/tests/removal/remove
repository=$world/repository

whole() {
    "$remove" "$repository" broken >"$world/broken" || fail "$1: $(cat "$world/broken")"
}

as one
mkdir "$world/first"
head -c 300000 /dev/urandom >"$world/first/a"
quiet "$stillpoint" init -r "$repository" --sheet "$world/sheet"
quiet "$stillpoint" backup "$world/first"

healed=0 stopped=0 taken=0
# More where the machine's pace has too many stopped before or behind what a removal can take.
for ((i = 0; i < ${SP_ROUNDS:-6} || (taken < 3 && i < 40); i++)); do
    # What no set needs any more: a job's only set, whose record goes; and a job with the same content.
    mkdir "$world/old$i" "$world/new$i"
    for ((n = 0; n < 6; n++)); do head -c 1500000 /dev/urandom >"$world/old$i/f$n"; done
    quiet "$stillpoint" backup "$world/old$i" --job "old$i"
    rm "$(find "$repository/sets" -name '*.set' -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2-)"
    cp "$world/old$i"/f* "$world/new$i"
    for ((n = 0; n < 4; n++)); do head -c 1000000 /dev/urandom >"$world/new$i/own$n"; done

    "$stillpoint" backup "$world/new$i" --job new --bandwidth 12M >"$world/run.log" 2>&1 &
    run=$!
    servers+=("$run")
    sleep "0.$((i * 11 % 97 + 5))"
    if kill -STOP "$run" 2>/dev/null; then
        out=$("$remove" "$repository" all 1) || fail "the removal, round $i: exit $?"
        [[ $out != *"taken 0,"* ]] || echo "round $i: nothing was taken: $out"
        [[ $out == *"taken 0,"* ]] || taken=$((taken + 1))
        kill -CONT "$run"
    fi
    rc=0
    wait "$run" || rc=$?
    whole "round $i, exit $rc"
    if ((rc == 0)); then
        healed=$((healed + 1))
    else
        [[ $rc == 2 || $rc == 4 ]] && grep -q . "$world/run.log" || fail "round $i: exit $rc: $(cat "$world/run.log")"
        stopped=$((stopped + 1))
        quiet "$stillpoint" backup "$world/new$i" --job new
        whole "round $i, the next run"
    fi
    quiet "$stillpoint" restore latest --target "$world/back"
    same "$world/new$i" "$world/back$world/new$i"
    rm -rf "$world/back"
done
((taken > 2)) || fail "only $taken removals took something: this shows nothing"
# Only that records went is found.
"$stillpoint" check --read-data >"$world/check.log" 2>&1 || true
[[ $(grep -c '^FAULT' "$world/check.log") == $(grep -c 'and no set of the job is there any more' "$world/check.log") ]] ||
    fail "check: $(cat "$world/check.log")"
[[ -z $(find "$repository/marks" "$repository/leases" "$repository/tmp" -type f 2>/dev/null) ]] ||
    fail "something stays: $(find "$repository/marks" "$repository/leases" "$repository/tmp" -type f)"
echo "$healed runs healed or were not touched, $stopped stopped; $taken of $i removals took something"
