#!/usr/bin/env bash
# Four machines of one key group upload to one account at once. One relies on packs that no set holds yet (of a run of
# its own that was killed); it is suspended, these packs are removed meanwhile, the others go on, it is continued: it
# stops or heals. Every set that any of them lists restores.
. "$(dirname "$0")/../sftp/client.bash"

start_sshd
printf '%s\n' 'of all four' >"$world/phrase"
repository=$(there plain)
mkdir "$world/common" "$world/kept"
head -c 6000000 /dev/urandom >"$world/common/data"
for name in a b c d; do
    as "$name"
    mkdir -p "$world/trees/$name"
    cp "$world/common/data" "$world/trees/$name/"
    head -c 3000000 /dev/urandom >"$world/trees/$name/mine"
    for i in {1..40}; do head -c $((i * 300)) /dev/urandom >"$world/trees/$name/$i"; done
    if [[ $name == a ]]; then
        quiet "$stillpoint" init -r "$(url plain)" --name a --sheet "$world/sheet" --passphrase-file "$world/phrase" "${by_key[@]}"
    else
        quiet "$stillpoint" key join -r "$(url plain)" --name "$name" --passphrase-file "$world/phrase" "${by_key[@]}"
    fi
done

# keep NAME: the tree as it is now, for the set that is made of it.
keep() {
    local n
    n=$(find "$world/kept" -maxdepth 1 -name "$1.*" | wc -l)
    cp -a "$world/trees/$1" "$world/kept/$1.$((n + 1))"
}

# together NAME…: they back up at the same time, and all succeed.
together() {
    local name pids=()
    for name in "$@"; do
        keep "$name"
        (as "$name" && exec "$stillpoint" backup "$world/trees/$name" >"$world/$name.log" 2>&1) &
        pids+=($!)
    done
    for name in "$@"; do
        wait "${pids[0]}" || fail "$name beside the others: exit $?: $(cat "$world/$name.log")"
        pids=("${pids[@]:1}")
    done
}

# all_restore: every set of every machine is what its tree was.
all_restore() {
    local name n count
    restored=0
    for name in a b c d; do
        as "$name"
        "$stillpoint" list --json >"$world/list.json" || fail "list: exit $?"
        count=$(json "$world/list.json" "len([s for s in x['sets'] if s['host'] == '$name'])")
        [[ $count == "$(find "$world/kept" -maxdepth 1 -name "$name.*" | wc -l)" ]] || fail "$name lists $count sets"
        for ((n = 1; n <= count; n++)); do
            set_id=$(json "$world/list.json" "[s['set'] for s in x['sets'] if s['host'] == '$name' and s['sequence'] == $n][0]")
            quiet "$stillpoint" restore "$set_id" --target "$world/back"
            same "$world/kept/$name.$n" "$world/back$world/trees/$name"
            rm -rf "$world/back"
            restored=$((restored + 1))
        done
    done
    as a
    expect 0 '' "$stillpoint" check --read-data
}

together a b c d
for name in a b c; do head -c 500000 /dev/urandom >"$world/trees/$name/new"; done

# A run of d that dies when a checkpoint holds what it has stored: the next run goes on from there.
as d
find "$repository/packs" "$repository/nodes" -type f | sort >"$world/before"
for i in 1 2 3; do head -c 16M /dev/urandom >"$world/trees/d/more$i"; done
"$stillpoint" backup "$world/trees/d" --bandwidth 16M --set checkpoint=1s >"$world/d.log" 2>&1 &
run=$!
for ((i = 0; i < 500; i++)); do
    [[ -z $(find "$repository/sets" -name '*.checkpoint') ]] || break
    sleep 0.02
done
kill -9 "$run" 2>/dev/null || fail "the run of d was over too early: $(cat "$world/d.log")"
wait "$run" 2>/dev/null || true
find "$repository/packs" "$repository/nodes" -type f | sort | comm -13 "$world/before" - >"$world/orphans"
[[ -s $world/orphans ]] || fail "d stored nothing: this shows nothing"

# The next run of d is suspended when it has begun to store what the dead one had not.
find "$repository/tmp" -type f | sort >"$world/temporary"
keep d
"$stillpoint" backup "$world/trees/d" --bandwidth 6M --json >"$world/d.json" 2>"$world/d.log" &
run=$!
servers+=("$run")
for ((i = 0; i < 500; i++)); do
    [[ -z $(find "$repository/tmp" -type f | sort | comm -13 "$world/temporary" -) ]] || break
    sleep 0.02
done
sleep 0.3
kill -STOP "$run" || fail "the run of d was over too early: $(cat "$world/d.log")"
sets=$(find "$repository/sets" -name '*.set' | wc -l)
((sets == 4)) || fail "the run of d was at its commit when it was suspended: this shows nothing"
together a b c
removed=$(wc -l <"$world/orphans")
xargs rm -f <"$world/orphans"
together a
kill -CONT "$run"
rc=0
wait "$run" || rc=$?
if ((rc == 0)); then
    how=healed
else
    how="stopped with exit $rc"
    [[ $rc == 2 || $rc == 4 ]] || fail "d, continued: exit $rc: $(cat "$world/d.log")"
    rm -rf "$world"/kept/d.2
    together d
fi
all_restore
echo "sftp_many: $removed packs removed under d, which $how; $restored sets restored, $SECONDS s: ok"
