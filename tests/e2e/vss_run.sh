#!/usr/bin/env bash
# A run with applications: what it demands, what the writers hear and when, what is frozen, and what a killed one leaves.
# vss_run.sh [CASE…]
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/vss.bash"

lost='failure 0x800423F4 alone' # for good, also in a shadow set of its own
app() { printf 'sum(c["level"] == "application" for c in v["components"])'; }

# --- eight VMs -------------------------------------------------------------------------------------

all_well() {
    eight_vms
    run 0 'application-consistent' --require application
    is "$(app)" 8
    is 'v["confirmed"]' True
    [[ $(completions) == 1 && $(calls complete) == 1 && $(calls succeeded) == 8 && $(calls abort) == 0 ]] ||
        fail "not told as it went: $(cat "$world/trace")"
    restored "$world/out"
    same "$world/d" "$world/out$world/d"
    same "$world/c" "$world/out$world/c"
}

# Seven are application-consistent, one is named; the exit code is as configured.
eight_one_failing() {
    eight_vms 5 "$lost"
    run 1 'VM web05 is crash-consistent'
    is "$(app)" 7
    is 'u["web05"]["level"], u["web05"]["why"]' "('crash', 'component-failed')"
    [[ $(calls succeeded) == 7 ]] || fail "success is reported of what failed"
    [[ $said != *web04* ]] || fail "what is well is named: $said"
    restored "$world/out"
    same "$world/d" "$world/out$world/d"

    run 1 'VM web05 is crash-consistent' --require application --if-below keep
    is "$(app)" 7
    run 1 '' --require 'application for vm:web01' --if-below discard # a writer failed, and is not of that demand
    is "$(app)" 7
    [[ $said != *'is demanded of'* ]] || fail "below what it is not: $said"
    # What can be had in a shadow set of its own is as good.
    eight_vms 5 'failure 0x800423F4'
    run 0 'application-consistent' --require application
    is "$(app)" 8
    is 'len(v["shadows"]), u["web05"]["shadow"] != u["web04"]["shadow"]' '(2, True)'
    run 2 'is demanded of' --require application --set second-shadow=no
}

discarded() {
    local before demand
    before=$(sets)
    for demand in '--require=application' '--require=application for vm:web0* else discard' \
        '--require=application for writer:*Hyper-V* else discard' "--require=application for $world/d/vms/web05" \
        '--require=application else discard --if-below=keep' '--require=live for vm:web09'; do
        eight_vms 5 "$lost"
        # shellcheck disable=SC2086
        if [[ $demand == *if-below=keep ]]; then
            run 2 'no set was made' "${demand% *}" "${demand##* }"
        else
            run 2 'no set was made' "$demand"
        fi
        [[ $said == *'is demanded of'* ]] || fail "not said what is demanded: $said"
        [[ $demand == *web09 || $said == *'VM web05 is crash-consistent'* ]] || fail "not said why: $said"
        (($(calls abort) > 0 && $(calls succeeded) == 0 && $(calls complete) == 0)) || fail "the writers were told of a set"
    done
    [[ $(sets) == "$before" ]] || fail "a set was made"
}

left_out() {
    eight_vms 5 "$lost"
    run 1 'It is left out of the set' --require 'application else leave-out'
    is "$(app)" 7
    is 'u["web05"]["level"], u["web05"]["why"]' "('none', 'left-out')"
    restored "$world/out"
    [[ ! -e $world/out$world/d/vms/web05/disk.vhdx ]] || fail "its files are in the set"
    [[ -e $world/out$world/d/vms/web04/disk.vhdx ]] || fail "another's files are not"
    cmp "$world/d/vms/web04/disk.vhdx" "$world/out$world/d/vms/web04/disk.vhdx"
    # The next set has it again.
    eight_vms
    run 0 'application-consistent' --require 'application else leave-out'
    restored "$world/out"
    same "$world/d" "$world/out$world/d"
}

# What cannot be better is named; only a demand makes it a fault.
cannot_be_better() {
    methods[8]=Offline
    eight_vms
    run 0 'VM web08 is crash-consistent'
    is 'u["web08"]["why"]' method
    run 2 'VM web08 is crash-consistent' --require application
    run 0 'VM web08 is crash-consistent' --require 'application for vm:web01' --require crash
    methods=()
}

# Below only when the set is committed: it stays, and the run says so.
fails_at_the_end() {
    local before
    before=$(sets)
    eight_vms
    echo '  status complete 12 0x800423F4' >>"$world/script" # FAILED_AT_BACKUP_COMPLETE
    run 1 'is demanded of' --require application
    [[ $said == *'The set is made'* ]] || fail "$said"
    [[ $(sets) == $((before + 1)) ]] || fail "no set"
    is "$(app)" 0
    is 'u["web01"]["why"]' complete-failed
    run 1 'crash-consistent' # though nothing is demanded: a writer failed
}

# --- by name ---------------------------------------------------------------------------------------

by_name() {
    eight_vms
    cat >"$world/conf" <<END
[named]
application = vm:web03
application = vm:web07
application-exclude = vm:web07
exclude = *.xml
END
    rm -f "$world/trace"
    expect 0 'application' "$stillpoint" --config "$world/conf" backup named
    well_ended
    restored "$world/out" named
    [[ $(ls "$world/out$world/d/vms") == web03 ]] || fail "$(ls "$world/out$world/d/vms")"
    [[ $(calls add_component) == 1 ]] || fail "what is excluded takes part"
    # VSS's documents are in the set, whatever the job leaves out.
    ls "$world/out$STILLPOINT_STATE_DIR/vss/job-named/"writer-*.xml "$world/out$STILLPOINT_STATE_DIR/vss/job-named/"backup-*.xml \
        >/dev/null || fail "VSS's documents are not in the set"
    sed -i 's/vm:web03/vm:web33/' "$world/conf"
    expect 2 "matches 'vm:web33'" "$stillpoint" --config "$world/conf" backup named
}

# The state folder lies in what is backed up, too: documents are newer than the shadow that the rest is read from.
documents_within() {
    export STILLPOINT_STATE_DIR=$world/c/state
    cp -a "$world/machine/state" "$world/c/state"
    eight_vms
    run 0 'application-consistent'
    restored "$world/out"
    ls "$world/out$world/c/state/vss/job-all/"backup-*.xml >/dev/null || fail "the session's document is not in the set"
    run 0 'which the job leaves out' --exclude "/${world#/}/c/state/vss/"
    export STILLPOINT_STATE_DIR=$world/machine/state
    rm -rf "$world/c/state"
}

excludes() {
    eight_vms
    echo "  exclude $world/c/data *.tmp" >>"$world/script"
    run 0 ''
    restored "$world/out"
    [[ ! -e $world/out$world/c/data/scratch.tmp && -e $world/out$world/c/data/file ]] || fail "a writer's exclude is not kept to"
    run 0 '' --set system-excludes=no
    restored "$world/out"
    [[ -e $world/out$world/c/data/scratch.tmp ]] || fail "left out though the job does without"
}

# --- shadows that cannot be had --------------------------------------------------------------------

no_shadow() {
    eight_vms
    sed -i '1i fail do_snapshot 0x80042306 times=0' "$world/script"
    run 1 'NO SHADOW'
    is 'x["files_consistency"]' live
    run 2 '' --shadow require
    eight_vms
    sed -i '1i no-start "Run it as an administrator" denied' "$world/script"
    run 0 'files are live'
    [[ $said != *'NO SHADOW'* ]] || fail "$said"
    run 2 'administrator' --shadow require
    run 2 'is demanded of' --require crash
    run 0 'files are live' --shadow none
}

# --- what is frozen --------------------------------------------------------------------------------

# While the flag is there: blocks of an image and of files are written one after the other, each with a number of its own
# that rises. At any one instant the numbers are without a gap.
writer() {
    "$python" - "$world" <<'PY' &
import os, sys, time
world = sys.argv[1]
block, blocks = 4096, 2048
image = os.open(world + "/d/vms/web01/disk.vhdx", os.O_RDWR)
files = [os.open(f"{world}/c/data/part{i}", os.O_RDWR) for i in range(64)]
n = blocks + len(files)
at = n
while os.path.exists(world + "/live"):
    if not os.path.exists(world + "/write"):
        time.sleep(0.001)
        continue
    for i in range(n):
        stamp = at.to_bytes(8, "little") * (block // 8)
        if i < blocks:
            os.pwrite(image, stamp, i * block)
        else:
            os.pwrite(files[i - blocks], stamp, 0)
        at += 1
PY
    writer=$!
    servers+=("$writer")
}

# instant TREE: whether it is what there was at one instant.
instant() {
    "$python" - "$1" <<'PY'
import sys
tree = sys.argv[1]
block = 4096
image = open(tree + "/d/vms/web01/disk.vhdx", "rb").read()
numbers = []
for i in range(0, len(image), block):
    part = image[i:i + block]
    assert part == part[:8] * (block // 8), "a torn block"
    numbers.append(int.from_bytes(part[:8], "little"))
for i in range(64):
    numbers.append(int.from_bytes(open(f"{tree}/c/data/part{i}", "rb").read()[:8], "little"))
numbers.sort()
assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), "not one instant"
PY
}

fill() {
    "$python" - "$world" <<'PY'
import sys
world = sys.argv[1]
number = 0
with open(world + "/d/vms/web01/disk.vhdx", "wb") as f:
    for i in range(2048):
        f.write(number.to_bytes(8, "little") * 512)
        number += 1
for i in range(64):
    with open(f"{world}/c/data/part{i}", "wb") as f:
        f.write(number.to_bytes(8, "little") * 512)
        number += 1
PY
    rm -rf "$world/then"
    mkdir "$world/then"
    cp -a "$world/c" "$world/d" "$world/then/"
}

# The writers begin to write when the shadow is there, and write until the set is made. What comes out is what there was
# before, bit for bit. Read live, the same tree is of no instant at all.
frozen() {
    eight_vms
    unset STILLPOINT_TEST_VSS_HASTE # a command is waited for
    fill
    touch "$world/live"
    writer
    sleep 0.2
    run 0 'application-consistent' --after "touch $world/write; sleep 0.2" --require application
    rm "$world/write"
    restored "$world/out"
    same "$world/then/c" "$world/out$world/c"
    same "$world/then/d" "$world/out$world/d"
    instant "$world/out$world" || fail "the shadow is of no instant"
    ! cmp -s "$world/then/d/vms/web01/disk.vhdx" "$world/d/vms/web01/disk.vhdx" || fail "nobody wrote meanwhile"

    fill
    got=0
    "$stillpoint" backup "$world/c" "$world/d" --job all --shadow none --before "touch $world/write; sleep 0.1" \
        >"$world/said" 2>&1 || got=$?
    rm "$world/write" "$world/live"
    [[ $got == 0 || $got == 1 ]] || fail "exit $got: $(cat "$world/said")"
    restored "$world/out"
    ! instant "$world/out$world" 2>/dev/null || fail "reading live gives one instant: this test cannot tell"
    ! "$compare" "$world/then/d" "$world/out$world/d" >/dev/null || fail "reading live gives what there was before"
    export STILLPOINT_TEST_VSS_HASTE=1
}

# What is taken in a shadow set of its own is read from that one, everything else from the first.
second_instant() {
    local first second
    eight_vms 1 'failure 0x800423F4'
    unset STILLPOINT_TEST_VSS_HASTE
    fill
    touch "$world/live" "$world/write"
    writer
    sleep 0.2
    rm -rf "$world/kept"
    run 0 'application-consistent' --after "cp -a $world/shadows $world/kept"
    rm "$world/write" "$world/live"
    mapfile -t copies < <(for i in "$world/kept"/*Copy*; do [[ ! -e $i/vms ]] || echo "$i"; done | sort -V)
    ((${#copies[@]} == 2)) || fail "not two shadows: ${copies[*]}"
    first=${copies[0]} second=${copies[1]}
    ! cmp -s "$first/vms/web01/disk.vhdx" "$second/vms/web01/disk.vhdx" || fail "nobody wrote between the two"
    restored "$world/out"
    cmp "$second/vms/web01/disk.vhdx" "$world/out$world/d/vms/web01/disk.vhdx" || fail "the VM is not of its own shadow set"
    same "$first/vms/web02" "$world/out$world/d/vms/web02"
    is 'u["web01"]["shadow"] != u["web02"]["shadow"]' True
    export STILLPOINT_TEST_VSS_HASTE=1
}

# A volume without a shadow in the middle of a VM: what of it is read live is counted, and it is no more than that.
partly_live() {
    mkdir "$world/d/vms/web02/iso"
    echo cd >"$world/d/vms/web02/iso/cd.iso"
    eight_vms
    sed -i "1i volume \"\\\\\\\\?\\\\Volume{e0000000-0000-4000-8000-000000000003}\\\\\" $world/d/vms/web02/iso unsupported" \
        "$world/script"
    run 0 'VM web02 was read live: one of its files'
    is 'u["web02"]["level"], u["web02"]["files_live"], u["web03"]["files_live"]' "('live', 1, 0)"
    is "$(app)" 7
    run 2 'is demanded of' --require 'application for vm:web02'
    rm -r "$world/d/vms/web02/iso"
}

# What the job leaves out of an application is not in the set: its writer hears of no success, or it would throw away
# what it believes to be kept. What the writers leave out themselves is not missed.
lacking() {
    local pattern
    for pattern in disk.vhdx '**/web02/*.vhdx' "/${world#/}/d/vms/web02/"; do
        eight_vms
        run 0 'the set is without some of its files' --exclude "$pattern"
        is 'u["web02"]["level"], u["web02"]["why"]' "('crash', 'partly-outside')"
        grep -q 'succeeded "" "VM-2" no' "$world/trace" || fail "success is reported: $(grep succeeded "$world/trace")"
        [[ $pattern == disk.vhdx ]] || is "$(app)" 7
        run 2 'no set was made' --exclude "$pattern" --require 'application for vm:web02'
    done
    eight_vms
    echo "  exclude $world/d/vms/web02 *.vmcx" >>"$world/script"
    run 0 'application-consistent' --exclude 'scratch.*'
    is "$(app)" 8
    grep -q 'succeeded "" "VM-2" yes' "$world/trace" || fail "no success is reported"
    # A folder with a CACHEDIR.TAG is left out with all that is in it.
    echo 'Signature: 8a477f597d28d172789f06886806bc55' >"$world/d/vms/web03/CACHEDIR.TAG"
    eight_vms
    run 0 'VM web03 is crash-consistent' --set cachedir-tag=yes
    rm "$world/d/vms/web03/CACHEDIR.TAG"
}

# What is left out, or read from a shadow set of its own, takes nothing of others with it.
shared() {
    mkdir -p "$world/d/all/sub" "$world/d/all/cache"
    echo 1 >"$world/d/all/one.dat"
    echo 2 >"$world/d/all/sub/plain"
    echo 3 >"$world/d/all/cache/unwanted"
    eight_vms
    printf '  component filegroup "" ONE caption="Online\\one"\n    file %s *\n    %s\n' "$world/d/all" "$lost" >>"$world/script"
    run 1 ' be well. It is left out of the set' --require 'application else leave-out' --exclude "/${world#/}/d/all/cache/"
    restored "$world/out"
    [[ ! -e $world/out$world/d/all/one.dat && ! -e $world/out$world/d/all/cache ]] || fail "what is left out is in the set"
    [[ -e $world/out$world/d/all/sub/plain ]] || fail "a folder beside the files is left out, too"

    eight_vms
    {
        printf '  component filegroup "" ALL caption="Online\\all"\n    file %s * recursive\n' "$world/d/all"
        printf '  component filegroup "" ONE caption="Online\\one"\n    file %s one.dat\n    failure 0x800423F4\n' "$world/d/all"
    } >>"$world/script"
    run 1 'one shares files or folders with others'
    is 'len(v["shadows"]), u["all"]["level"], u["one"]["level"]' "(1, 'application', 'crash')"
    rm -r "$world/d/all"
}

# What no writer speaks for: a VM of VMware, taken as one unit, and a database that is open.
unspoken() {
    mkdir "$world/c/vmware"
    printf 'displayName = "accounts"\nscsi0:0.fileName = "disk.vmdk"\n' >"$world/c/vmware/accounts.vmx"
    printf '# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 2048 FLAT "disk-flat.vmdk" 0\n' \
        >"$world/c/vmware/disk.vmdk"
    head -c 1048576 /dev/urandom >"$world/c/vmware/disk-flat.vmdk"
    touch "$world/c/data/orders.accdb" "$world/c/data/orders.laccdb" "$world/c/data/closed.accdb"
    eight_vms
    run 0 'know nothing of VSS'
    is 'u["accounts"]["level"], u["accounts"]["kind"], u["accounts"]["why"]' "('crash', 'vm', 'no-writer')"
    is '[c["unit"].endswith("orders.accdb") for c in v["components"] if c["kind"] == "document"]' '[True]'
    is 'v["confirmed"]' True # what the walk found is in the completion, too
    [[ $said == *'VM accounts is crash-consistent'* ]] || fail "$said"
    # It is found while the files are read: the last moment at which no set can be made.
    run 2 'VM accounts is crash-consistent' --require 'application for vm:accounts'
    (($(calls abort) == 1 && $(calls succeeded) == 0)) || fail "the writers were told of a set"
    run 0 '' --require 'application for vm:web*' --require 'crash for vm:accounts'
    run 1 'all the same' --require 'application for vm:accounts else keep'
    run 0 'files are live' --shadow none
    is 'u["accounts"]["level"]' live
    rm -r "$world/c/vmware" "$world/c/data"/*.{accdb,laccdb}
}

# --- ends before the end ---------------------------------------------------------------------------

# The store goes away while the files are read: the applications hear that there is no set.
store_fails() {
    eight_vms
    unset STILLPOINT_TEST_VSS_HASTE # a command is waited for
    rm -f "$world/trace"
    got=0
    "$stillpoint" backup "$world/c" "$world/d" --job all --after "mv $world/repository $world/away" >"$world/said" 2>&1 || got=$?
    rm -rf "$world/repository"
    mv "$world/away" "$world/repository"
    [[ $got != 0 && $got != 1 ]] || fail "exit $got: $(cat "$world/said")"
    well_ended
    (($(calls abort) == 1 && $(calls succeeded) == 0 && $(calls complete) == 0)) || fail "the writers were told of a set"
    export STILLPOINT_TEST_VSS_HASTE=1
    run 0 'application-consistent'
}

interrupted() {
    eight_vms
    unset STILLPOINT_TEST_VSS_HASTE # a command is waited for
    rm -f "$world/trace"
    head -c 150000000 /dev/urandom >"$world/c/data/big"
    "$stillpoint" backup "$world/c" "$world/d" --job all --after "touch $world/there" >"$world/said" 2>&1 &
    pid=$!
    until [[ -e $world/there ]]; do sleep 0.02; done
    kill -INT "$pid"
    got=0
    wait "$pid" || got=$?
    rm "$world/there" "$world/c/data/big"
    [[ $got == 130 ]] || fail "exit $got: $(cat "$world/said")"
    well_ended
    (($(calls abort) == 1 && $(calls succeeded) == 0)) || fail "the writers were told of a set"
    export STILLPOINT_TEST_VSS_HASTE=1
}

# Between the commit and BackupComplete: the set is whole, what its applications would have said is not known, and the
# next start cleans what is left.
killed() {
    local before i
    before=$(completions)
    eight_vms
    echo 'pend complete.async forever' >>"$world/script"
    rm -f "$world/trace"
    unset STILLPOINT_TEST_VSS_HASTE
    "$stillpoint" backup "$world/c" "$world/d" --job all >"$world/said" 2>&1 &
    pid=$!
    for ((i = 0; i < 200; i++)); do
        [[ ! -e $world/trace || $(calls complete) == 0 ]] || break
        sleep 0.05
    done
    [[ $(calls complete) == 1 ]] || fail "it does not come to BackupComplete: $(cat "$world/said")"
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
    export STILLPOINT_TEST_VSS_HASTE=1
    [[ $(completions) == "$before" ]] || fail "a completion is there"
    expect 0 'unconfirmed' "$stillpoint" show all
    is 'v["confirmed"], u["web01"]["level"]' "(False, 'application')"
    expect 0 'no damage found' "$stillpoint" check --read-data
    restored "$world/out"
    same "$world/d" "$world/out$world/d"
    same "$world/c" "$world/out$world/c"
    [[ -n $(ls -d "$world/shadows"/*Copy* 2>/dev/null) ]] || fail "the killed run left no shadows: nothing is shown"
    eight_vms
    run 0 'removed '
    [[ $said == *'that an earlier run had left'* ]] || fail "$said"
    [[ -z $(ls -d "$world/shadows"/*Copy* 2>/dev/null) ]] || fail "shadows are left: $(ls "$world/shadows")"
    [[ $(completions) == $((before + 1)) ]] || fail "no completion of the next set"
}

machine
cases=("$@")
((${#cases[@]})) || cases=(all_well eight_one_failing discarded left_out cannot_be_better fails_at_the_end by_name
    documents_within excludes no_shadow frozen second_instant
    partly_live lacking shared unspoken store_fails interrupted killed)
for one in "${cases[@]}"; do
    "$one"
    echo "$one"
done
echo "vss_run: ok"
