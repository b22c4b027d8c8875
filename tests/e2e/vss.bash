# Sourced after lib.bash: the client on a machine with VSS, which is a script for the model of tests/vss.
stillpoint=$(printenv SP_PROGRAM_stillpoint-vss || echo "$SP_BUILD/tests/vss/stillpoint-vss")
[[ -x $stillpoint ]] || skip "there is no stillpoint-vss"
hyper_v=66841cd4-6ded-4f4b-8f17-fd23f8ddc3de

# machine: two volumes, plain files on one, eight VMs on the other, and a repository beside. The script begins anew.
machine() {
    as machine
    mkdir -p "$world/c/data" "$world/d/vms" "$world/shadows"
    local i
    for i in {1..8}; do
        mkdir -p "$world/d/vms/web0$i"
        head -c 150000 /dev/urandom >"$world/d/vms/web0$i/disk.vhdx"
        echo "web0$i" >"$world/d/vms/web0$i/web0$i.vmcx"
    done
    head -c 50000 /dev/urandom >"$world/c/data/file"
    echo old >"$world/c/data/scratch.tmp"
    export STILLPOINT_TEST_VSS=$world/script STILLPOINT_TEST_VSS_TRACE=$world/trace STILLPOINT_TEST_VSS_HASTE=1
    unset STILLPOINT_TEST_VSS_SETS
    quiet "$stillpoint" init -r "$world/repository" --sheet "$world/sheet"
    # A set that no application has a part in: its folder is where the model looks for those that follow.
    eight_vms
    quiet "$stillpoint" backup "$world/c" --job plain --shadow none
    STILLPOINT_TEST_VSS_SETS=$(dirname "$(find "$world/repository/sets" -name '*.set' | head -n 1)")
    export STILLPOINT_TEST_VSS_SETS
}

# eight_vms [N LINE…]: the machine's script; LINE follows the component of VM N.
eight_vms() {
    local failing=${1-0} i
    shift || true
    {
        echo "volume \"\\\\?\\Volume{c0000000-0000-4000-8000-000000000001}\\\" $world/c"
        echo "volume \"\\\\?\\Volume{d0000000-0000-4000-8000-000000000002}\\\" $world/d"
        echo "shadows $world/shadows"
        echo "writer $hyper_v 11111111-2222-4333-8444-000000000001 \"Microsoft Hyper-V VSS Writer\""
        for i in {1..8}; do
            echo "  component filegroup \"\" VM-$i caption=\"${methods[i]-Online}\\web0$i\""
            echo "    file $world/d/vms/web0$i * recursive"
            [[ $i != "$failing" ]] || printf '    %s\n' "$@"
        done
    } >"$world/script"
}
methods=()

# run CODE WORDS [OPTION…]: a backup of both volumes as the job `all`; its words stay in $said, its trace in $world/trace.
run() {
    local code=$1 words=$2 got=0
    shift 2
    rm -f "$world/trace"
    said=$("$stillpoint" backup "$world/c" "$world/d" --job all "$@" 2>&1 </dev/null) || got=$?
    [[ $got == "$code" ]] || fail "exit $got instead of $code: $*"$'\n'"$said"
    [[ $said == *"$words"* ]] || fail "no '$words': $*"$'\n'"$said"
    well_ended
}

# Whatever happened: no call out of order, nothing left open, every session ended in one way or the other.
well_ended() {
    [[ $(tail -n 1 "$world/trace") == 'end illegal=0 sessions=0 asyncs=0 shadows=0 unended=0' ]] ||
        fail "left behind: $(tail -n 1 "$world/trace")"$'\n'"$(grep -n illegal "$world/trace" || true)"
}

# calls CALL: how often it is in the trace.
calls() { grep -cE "^[0-9]+ $1 " "$world/trace" || true; }

sets() { find "$world/repository/sets" -name '*.set' | wc -l; }
completions() { find "$world/repository/sets" -name '*.completion' | wc -l; }

# verdict EXPRESSION: of the newest set's verdict, v; units by name, u.
verdict() {
    "$stillpoint" show all --consistency --json >"$world/show"
    "$python" - "$world/show" "$1" <<'PY'
import json, sys
x = json.load(open(sys.argv[1]))
v = x["consistency"]
u = {c["unit"]: c for c in v["components"]} if v else {}
print(eval(sys.argv[2]))
PY
}

# is EXPRESSION VALUE: the verdict's value.
is() {
    local got
    got=$(verdict "$1")
    [[ $got == "$2" ]] || fail "$1 is $got, not $2"
}

# restored TARGET [SET]: the newest set of the job, or SET, below TARGET.
restored() {
    rm -rf "$1"
    quiet "$stillpoint" restore "${2-all}" --target "$1"
}
