#!/usr/bin/env bash
# What a set says of its applications, what a restore may demand of it, and what VSS says of itself: list, show, restore
# --require, vss writers|plan|test; on a machine with VSS (the model of tests/vss) and on one without.
. "$(dirname "$0")/lib.bash"
plain=$stillpoint
stillpoint=$(printenv SP_PROGRAM_stillpoint-vss || echo "$SP_BUILD/tests/vss/stillpoint-vss")
[[ -x $stillpoint ]] || skip "there is no stillpoint-vss"
hyper_v=66841cd4-6ded-4f4b-8f17-fd23f8ddc3de
sql=a65faa63-5ea8-4ebc-9dbd-a0c4db26912a

# script LINE…: a machine with two volumes, and writers as the lines say.
script() {
    {
        echo "volume \"\\\\?\\Volume{c0000000-0000-4000-8000-000000000001}\\\" $world/c"
        echo "volume \"\\\\?\\Volume{d0000000-0000-4000-8000-000000000002}\\\" $world/d"
        echo "shadows $world/shadows"
        printf '%s\n' "$@"
    } >"$world/script"
}
vms=("writer $hyper_v 11111111-2222-4333-8444-000000000001 \"Microsoft Hyper-V VSS Writer\"")
for i in 1 2; do
    vms+=("  component filegroup \"\" VM-$i caption=\"Online\\web0$i\"" "    file $world/d/web0$i * recursive")
done
db=("writer $sql 11111111-2222-4333-8444-00000000000a SqlServerWriter" '  component filegroup "SRV\A" DB1'
    "    database $world/d/sql DB1.mdf" "  exclude $world/d/sql tempdb.*")

as machine
mkdir -p "$world/c/data" "$world/d/web01" "$world/d/web02" "$world/d/sql" "$world/shadows"
echo letter >"$world/c/data/letter"
for i in 1 2; do echo "disk $i" >"$world/d/web0$i/disk.vhdx"; done
echo rows >"$world/d/sql/DB1.mdf"
export STILLPOINT_TEST_VSS=$world/script STILLPOINT_TEST_VSS_TRACE=$world/trace STILLPOINT_TEST_VSS_HASTE=1
script "${vms[@]}" "${db[@]}"
quiet "$stillpoint" init -r "$world/direct" --sheet "$world/sheet"

well_ended() {
    [[ $(tail -n 1 "$world/trace") == *'illegal=0 sessions=0 asyncs=0 shadows=0 unended=0' ]] ||
        fail "left behind: $(tail -n 1 "$world/trace")"
}
# backup JOB CODE PATH…
backup() {
    local job=$1 code=$2
    shift 2
    expect "$code" "$job: set" "$stillpoint" backup "$@" --job "$job"
    well_ended
}
completion_of() { # JOB: the object of its newest set's completion
    local id
    id=$("$stillpoint" show "$1" --json 2>/dev/null >"$world/j"; json "$world/j" 'x["set"]')
    find "$world/direct/sets" -name "*$id.completion"
}
# refused WORDS DEMAND JOB: exit 4, and nothing is written.
refused() {
    expect 4 "$1" "$stillpoint" restore "$3" --target "$world/refused" --require "$2"
    [[ ! -e $world/refused ]] || fail "a refused restore wrote something: --require '$2'"
}
# granted DEMAND JOB
granted() {
    rm -rf "$world/granted"
    expect 0 'restored set' "$stillpoint" restore "$2" --target "$world/granted" --require "$1"
}

# --- all took part ---------------------------------------------------------------------------------
backup good 0 "$world/c" "$world/d"
expect 0 'crash/application  ' "$stillpoint" list
"$stillpoint" list --json >"$world/list"
[[ $(json "$world/list" '[(s["applications_consistency"], s["applications_unconfirmed"], s["completion"]) for s in x["sets"]]') == \
    "[('application', False, 'good')]" ]] || fail "the list: $(cat "$world/list")"
expect 0 'VM web01: application' "$stillpoint" show good
expect 0 'Database SRV\A/DB1: application' "$stillpoint" show good
expect 0 'application-consistent: all 3 applications took part' "$stillpoint" show good --consistency
expect 0 "$world/d (NTFS): read from a shadow of" "$stillpoint" show good --consistency
expect 0 'after DoSnapshotSet: state 5 (waiting for backup complete)' "$stillpoint" show good --consistency --verbose
expect 0 'BackupComplete ended well' "$stillpoint" show good --consistency --verbose
expect 0 'backup-' "$stillpoint" show good --consistency --verbose
expect 0 'Documents of VSS' "$stillpoint" show good --consistency --verbose
for i in --consistency ''; do
    "$stillpoint" show good $i --json >"$world/show"
    [[ $(json "$world/show" '[(c["unit"], c["kind"], c["level"], c["why"]) for c in x["consistency"]["components"]]') == \
        "[('web01', 'vm', 'application', 'took-part'), ('web02', 'vm', 'application', 'took-part'), ('SRV\\\\A/DB1', 'database', 'application', 'took-part')]" ]] ||
        fail "units of show $i --json: $(cat "$world/show")"
    [[ $(json "$world/show" 'x["consistency"]["confirmed"], x["consistency"]["writers"][0]["stages"]["complete"]["state"], x["consistency"]["shadows"][0]["completed"], len(x["volumes"]), x["completion"]') == \
        "(True, 1, True, $(json "$world/show" 'len(x["volumes"])'), 'good')" ]] || fail "evidence of show --json: $(cat "$world/show")"
done
granted application good
same "$world/d" "$world/granted$world/d"
granted 'application for vm:web0*' good
granted "application for $world/d/sql" good
granted "application for $world/c/data" good
refused 'no application in the set is called so' 'application for vm:web03' good
expect 4 'application is demanded of vm:nope' "$stillpoint" restore good --target "$world/refused" --dry-run \
    --require application --require 'application for vm:nope'
[[ ! -e $world/refused ]] || fail "a dry run wrote something"

# --- the end is not known: the client died after the commit ------------------------------------------
own=$(completion_of good)
[[ -f $own ]] || fail "the set has no completion in $(find "$world/direct/sets" -type f)"
mv "$own" "$world/completion"
expect 0 'crash/application, unconfirmed' "$stillpoint" list
"$stillpoint" list --json >"$world/list"
[[ $(json "$world/list" '[(s["applications_consistency"], s["applications_unconfirmed"], s["completion"]) for s in x["sets"]]') == \
    "[('application', True, 'none')]" ]] || fail "unconfirmed in the list: $(cat "$world/list")"
expect 0 'applications: application, unconfirmed' "$stillpoint" show good
expect 0 'VM web01: application, unconfirmed' "$stillpoint" show good
expect 0 'application, unconfirmed: the run ended before' "$stillpoint" show good --consistency
"$stillpoint" show good --json >"$world/show"
[[ $(json "$world/show" 'x["applications_unconfirmed"], x["consistency"]["confirmed"]') == '(True, False)' ]] ||
    fail "unconfirmed in show --json"
refused 'VM web01 is crash-consistent' application good
refused 'could not be learned' 'application for vm:web01' good
granted crash good
granted 'application for '"$world/c/data" good

# --- what is no completion of this set is as none ---------------------------------------------------
backup other 0 "$world/d/web01"
cp "$(completion_of other)" "$own"
expect 0 'crash/application, unconfirmed' "$stillpoint" list
refused 'VM web01 is crash-consistent' application good
"$python" - "$world/completion" "$own" <<'PY'
import sys
b = bytearray(open(sys.argv[1], "rb").read())
b[-1] ^= 1
open(sys.argv[2], "wb").write(b)
PY
expect 0 'crash/application, unconfirmed' "$stillpoint" list --job good
refused 'VM web01 is crash-consistent' application good
cp "$world/completion" "$own"
expect 0 'crash/application  ' "$stillpoint" list --job good
granted application good

# --- one VM failed ----------------------------------------------------------------------------------
script "${vms[@]}" '  status snapshot 9 0x800423f4 app=0x80070020 text="the guest said no" with=VM-2' "${db[@]}"
expect 1 'VM web02' "$stillpoint" backup "$world/c" "$world/d" --job bad --set second-shadow=no
well_ended
expect 0 'crash/crash' "$stillpoint" list --job bad
expect 0 'VM web02: crash (0x800423f4 VSS_E_WRITERERROR_NONRETRYABLE)' "$stillpoint" show bad
expect 0 'the guest said no' "$stillpoint" show bad --consistency
"$stillpoint" show bad --json >"$world/show"
[[ $(json "$world/show" '[c["hresult"]["name"] for c in x["consistency"]["components"] if c["unit"] == "web02"]') == \
    "['VSS_E_WRITERERROR_NONRETRYABLE']" ]] || fail "the HRESULT in show --json"
refused 'VM web02 is crash-consistent' application bad
refused 'the guest said no' 'application for vm:web02' bad
refused "VM web02 is crash-consistent" "application for $world/d/web02" bad
granted 'application for database:*' bad
code=0
"$stillpoint" restore bad --target "$world/refused" --require application --json >"$world/json" 2>/dev/null || code=$?
[[ $code == 4 && $(json "$world/json" 'x["exit"], sorted(f["unit"] for f in x["below"] if "unit" in f)[-1], x["code"]') == "(4, 'web02', 'refused')" ]] ||
    fail "restore --require --json: exit $code: $(cat "$world/json")"

# --- a plain file tree is not refused for having no applications ------------------------------------
script
backup tree 0 "$world/c"
expect 0 'no applications in the set' "$stillpoint" show tree --consistency
granted application tree
granted crash tree
script "${vms[@]}"
expect 0 'files are live' "$stillpoint" backup "$world/c" --job live --shadow none
refused 'are live' application live
granted live live

# --- the same by way of a server -------------------------------------------------------------------
script "${vms[@]}" "${db[@]}"
new_server
new_host hv1
backup far 0 "$world/c" "$world/d"
expect 0 'crash/application  ' "$stillpoint" list
expect 0 'VM web01: application' "$stillpoint" show far
expect 0 'BackupComplete ended well' "$stillpoint" show far --consistency --verbose
granted application far
script "${vms[@]}" '  status snapshot 9 0x800423f4 with=VM-2'
expect 1 'VM web02' "$stillpoint" backup "$world/d" --job far --set second-shadow=no
refused 'VM web02 is crash-consistent' application far
as machine

# --- writers, plan, test ----------------------------------------------------------------------------
script "${vms[@]}" "${db[@]}" '  status idle 9 0x800423f2'
expect 0 'FAILED' "$stillpoint" vss writers
expect 0 'SqlServerWriter is in state 9 (failed at freeze), 0x800423f2' "$stillpoint" vss writers
expect 0 'vm:web01, Online' "$stillpoint" vss writers --verbose
"$stillpoint" vss writers --json >"$world/json" 2>/dev/null
[[ $(json "$world/json" '[(w["name"], w["failed"], [c["unit"] for c in w["components"]]) for w in x["writers"]]') == \
    "[('Microsoft Hyper-V VSS Writer', False, ['web01', 'web02']), ('SqlServerWriter', True, ['SRV\\\\A/DB1'])]" ]] ||
    fail "vss writers --json: $(cat "$world/json")"
expect 1 'SqlServerWriter' "$stillpoint" doctor
expect 1 'vssadmin' "$stillpoint" doctor
script "${vms[@]}" "${db[@]}"
expect 0 '3 of 3 components would take part' "$stillpoint" vss plan
expect 0 '1 of 1 component would take part' "$stillpoint" vss plan "$world/d/web01"
expect 0 'tempdb.*' "$stillpoint" vss plan "$world/d"
cat >"$STILLPOINT_CONFIG_DIR/stillpoint.conf" <<CONF
[vms]
path = $world/d
application-exclude = vm:web02
[files]
path = $world/c
[bare]
path = $world/d
shadow = none
[asking]
application = vm:nope
application = vm:web01
[truncating]
path = $world/d
backup-type = full
CONF
expect 0 'vm:web02 (Online), Microsoft Hyper-V VSS Writer: the job leaves it out (application-exclude)' "$stillpoint" vss plan vms
expect 0 '[files]: 0 of 0 components' "$stillpoint" vss plan files vms
expect 0 'does without shadows' "$stillpoint" vss plan bare
"$stillpoint" vss plan vms --json >"$world/json"
[[ $(json "$world/json" '[([c["unit"] for c in p["takes_part"]], [(c["unit"], c["why"]) for c in p["does_not"]]) for p in x["plans"]]') == \
    "[(['web01', 'SRV\\\\A/DB1'], [('web02', 'not-chosen')])]" ]] || fail "vss plan --json: $(cat "$world/json")"
expect 1 'backup-type' "$stillpoint" doctor
expect 0 "nothing on this machine is 'vm:nope'" "$stillpoint" vss plan asking
expect 1 "nothing on this machine is 'vm:nope'" "$stillpoint" vss test asking
mkdir "$world/c/elsewhere"
script "${vms[@]}" "${db[@]}" '  component database "" Wide' "    file $world/d/sql wide.ini" "    log $world/c/elsewhere *.log"
expect 0 "/c/elsewhere/*.log ('application = database:Wide' in the job takes all of it)" "$stillpoint" vss plan "$world/d"
script "${vms[@]}" "${db[@]}"
rm "$world/trace"
expect 0 'application-consistent: all 3 applications took part' "$stillpoint" vss test
well_ended
grep -q '^[0-9]* abort ' "$world/trace" || fail "the test did not end by AbortBackup"
! grep -qE '^[0-9]+ (succeeded|complete)' "$world/trace" || fail "the test told applications of a backup"
grep -q '^[0-9]* do_snapshot.async' "$world/trace" || fail "the test made no shadow set"
[[ -z $(find "$world/shadows" -name 'HarddiskVolume*') ]] || fail "the test left a shadow"
expect 1 'VM web02 is crash-consistent' "$stillpoint" vss test vms
expect 0 'ended by AbortBackup' "$stillpoint" vss test files
script "${vms[@]}" '  status snapshot 9 0x800423f4 with=VM-2'
expect 1 'VM web02 is crash-consistent' "$stillpoint" vss test "$world/d"
well_ended
code=0
"$stillpoint" vss test "$world/d" --json >"$world/json" 2>/dev/null || code=$?
[[ $code == 1 && $(json "$world/json" 'x["exit"], x["tests"][0]["consistency"]["applications"]') == "(1, 'crash')" ]] ||
    fail "vss test --json: exit $code: $(cat "$world/json")"
script "${vms[@]}" 'fail do_snapshot 0x80042306 times=0'
expect 2 '0x80042306 VSS_E_PROVIDER_VETO' "$stillpoint" vss test
well_ended
script 'no-start "run it as administrator" denied'
for i in writers plan test; do expect 2 'run it as administrator' "$stillpoint" vss $i; done

# --- wrong input, and a machine without VSS ----------------------------------------------------------
script "${vms[@]}"
expect 5 'say what: writers, plan or test' "$stillpoint" vss
expect 5 "there is no 'vss what'" "$stillpoint" vss what
expect 5 "writers: 'more' is too much" "$stillpoint" vss writers more
expect 5 'nojob' "$stillpoint" vss test nojob
expect 5 'jobs and paths cannot be mixed' "$stillpoint" vss plan vms "$world/d"
expect 5 'it goes with no PATH' "$stillpoint" show good --consistency "$world/d"
expect 5 'it goes with no PATH' "$stillpoint" show good --consistency -R
expect 5 "'great' makes no sense" "$stillpoint" restore good --target "$world/refused" --require great
expect 5 'begins with no word that is known' "$stillpoint" restore good --target "$world/refused" --require 'application for nothing:x'
expect 5 "'else' is for a backup" "$stillpoint" restore good --target "$world/refused" --require 'crash else keep'
unset STILLPOINT_TEST_VSS
for i in writers plan test; do
    expect 2 'there is no Volume Shadow Copy Service (VSS) on this machine' "$plain" vss $i
done
expect 2 "'before' and 'after'" "$plain" vss test "$world/c"
echo "vss_show: ok"
