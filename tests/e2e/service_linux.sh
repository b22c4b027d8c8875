#!/usr/bin/env bash
# Jobs by their schedule on Linux: the units say what the configuration says, systemd takes every line of them, what
# they start does a backup; and our own loop runs jobs, waits its turn and ends with a checkpoint.
. "$(dirname "$0")/lib.bash"

command -v systemd-analyze >/dev/null || skip "systemd-analyze is not installed"
as tester
mkdir "$world/tree"
echo one >"$world/tree/file"
quiet "$stillpoint" init -r "$world/r" --name tester --sheet "$world/sheet"
conf=$STILLPOINT_CONFIG_DIR/stillpoint.conf
root=$world/root
units=$root/etc/systemd/system
service() { "$stillpoint" service "$@"; }

cat >"$conf" <<END
[defaults]
path = $world/tree
[files]
schedule = daily at 02:00
random-delay = 20m
[mon & "tue" 100%]
schedule = mon,tue at 07:15, 19:00
catch-up = no
on-battery = no
on-metered = no
[\$leap-\\]
path = $world/tree
END
expect 5 'cannot be a job' "$stillpoint" service status
sed -i 's/^\[\$leap.*/[$leap]/; $a schedule = cron 0 0 13 * fri' "$conf"
echo '[by hand]' >>"$conf"

# --- refused, with a way out
expect 5 'say what' service
expect 5 "there is no 'service dance'" service dance
expect 5 "there is no job 'nobody'" service status nobody
expect 5 'is too much' service stop now
if [[ ! -d /run/systemd/system ]]; then
    expect 2 "0 2 * * * root '$stillpoint' backup -- 'files'" service install
    expect 2 "0 0 13 * fri '$stillpoint' backup -- '\$leap'" service install --user
    expect 2 'not started by systemd' service install
fi
if ((EUID == 0)); then
    chmod 755 "$world"
    if command -v setpriv >/dev/null; then
        expect 2 "say --user" setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$world" \
            STILLPOINT_CONFIG_DIR= XDG_CONFIG_HOME= "$stillpoint" service remove
    fi
fi
mkdir "$world/none"
expect 5 'no job of' env STILLPOINT_CONFIG_DIR="$world/none" "$stillpoint" service install --root "$root"

# --- timers for the machine
expect 0 'not installed' service status --root "$root"
expect 0 '6 units in' service install --root "$root"
expect 0 '0 of them new or changed' service install --root "$root"
names=(files 'mon\x20\x26\x20\x22tue\x22\x20100\x25' '\x24leap')
plain=(files 'mon & "tue" 100%' '$leap')
for i in 0 1 2; do
    [[ "${names[i]}" == "$(systemd-escape -- "${plain[i]}")" ]] || fail "systemd escapes '${plain[i]}' otherwise"
    for end in service timer; do
        unit="stillpoint-backup@${names[i]}.$end"
        [[ -f $units/$unit ]] || fail "no $unit"
        # systemd-analyze takes the name as it is only from where it stands.
        out=$(systemd-analyze verify "$units/$unit" 2>&1) || fail "systemd-analyze verify $unit: $out"
        [[ -z $out ]] || fail "systemd-analyze verify warns of $unit: $out"
    done
    [[ $(readlink "$units/timers.target.wants/stillpoint-backup@${names[i]}.timer") == ../* ]] ||
        fail "the timer of ${plain[i]} is not enabled"
done
[[ $(find "$units" -name '*.service' -o -name '*.timer' -type f | wc -l) == 6 ]] || fail "other units: $(ls "$units")"
has() { grep -qxF -- "$2" "$units/stillpoint-backup@$1" || fail "no '$2' in $1:"$'\n'"$(cat "$units/stillpoint-backup@$1")"; }
has files.timer 'OnCalendar=*-*-* 02:00:00'
has files.timer 'Persistent=true'
has files.timer 'RandomizedDelaySec=1200s'
has files.timer 'FixedRandomDelay=true'
has files.service 'Restart=on-failure'
has "${names[1]}.timer" 'OnCalendar=Mon,Tue *-*-* 07:15:00'
has "${names[1]}.timer" 'OnCalendar=Mon,Tue *-*-* 19:00:00'
has "${names[1]}.timer" 'Persistent=false'
has "${names[1]}.service" 'ConditionACPower=true'
has "${names[2]}.timer" 'OnCalendar=*-*-13 00:00:00'
has "${names[2]}.timer" 'OnCalendar=Fri *-*-* 00:00:00'
out=$(systemd-analyze security --offline=true --threshold=80 --no-pager "$units/stillpoint-backup@files.service" 2>&1) ||
    fail "the service is exposed more than it was: $(tail -n 1 <<<"$out")"

# What ExecStart and ExecCondition say, run as systemd would: words and environment taken apart by its rules.
as_unit() {
    "$python" - "$1" "$2" <<'END'
import os, re, subprocess, sys
env = {"PATH": os.environ["PATH"]}
def words(text):
    found = []
    for word in re.findall(r'"(?:\\.|[^"\\])*"|\S+', text):
        if word.startswith('"'):
            word = re.sub(r"\\(x[0-9a-f]{2}|.)", lambda m: chr(int(m[1][1:], 16)) if m[1][0] == "x" and len(m[1]) == 3 else m[1], word[1:-1])
        found.append(word)
    return found
lines = open(sys.argv[1]).read().split("\n")
for line in lines:
    if line.startswith("Environment="):
        key, value = words(line[12:])[0].replace("%%", "%").split("=", 1)
        env[key] = value
for line in lines:
    if line.startswith(sys.argv[2] + "="):
        command = [w.replace("%%", "%").replace("$$", "$") for w in words(line.split("=", 1)[1])]
        sys.exit(subprocess.run(command, env=env).returncode)
sys.exit("no " + sys.argv[2])
END
}
for i in 0 1 2; do
    quiet as_unit "$units/stillpoint-backup@${names[i]}.service" ExecStart
    "$stillpoint" service status --root "$root" --json "${plain[i]}" >"$world/status"
    [[ $(json "$world/status" "x['jobs'][0]['last_exit']") == 0 ]] || fail "no run of ${plain[i]}: $(cat "$world/status")"
done
quiet as_unit "$units/stillpoint-backup@${names[1]}.service" ExecCondition
[[ $("$stillpoint" list --json | "$python" -c 'import json,sys; print(len(json.load(sys.stdin)))') -ge 3 ]] || fail "fewer than three sets"

# --- status: what is next, and whether the units are the configuration's
TZ=UTC service status --root "$root" --json >"$world/status"
[[ $(json "$world/status" "x['service'], x['outdated'], len(x['jobs'])") == "('installed', False, 4)" ]] ||
    fail "status: $(cat "$world/status")"
[[ $(json "$world/status" "x['jobs'][3]['schedule'], x['jobs'][3]['next']") == "('none', None)" ]] || fail "by hand"
next=$(json "$world/status" "x['jobs'][2]['next']")
want=$(TZ=UTC systemd-analyze calendar --iterations=1 '*-*-13 00:00:00' 'Fri *-*-* 00:00:00' |
    sed -n 's/.*Next elapse: ... \(.*\) UTC/\1/p' | sort | head -n 1)
[[ $next == "${want/ /T}Z" ]] || fail "the next time is $next, and systemd says $want"
expect 0 'daily at 02:00' service status --root "$root"
sed -i 's/daily at 02:00/daily at 03:00/' "$conf"
expect 0 "older than the configuration" service status --root "$root"
expect 0 '1 of them new or changed' service install --root "$root"
has files.timer 'OnCalendar=*-*-* 03:00:00'
service status --root "$root" | grep -q older && fail "still older"
sed -i '/^\[\$leap\]/,$d' "$conf"
expect 0 '2 removed' service install --root "$root"

# --- a schedule that no timer can say; the loop as one service instead
echo $'[odd]\nschedule = every 5h' >>"$conf"
expect 5 '[odd]' service install --root "$root"
expect 5 '--scheduler' service install --root "$root"
expect 0 '1 units in' service install --scheduler --root "$root"
[[ ! -e $units/stillpoint-backup@files.timer ]] || fail "timers and the loop at once"
out=$(systemd-analyze verify "$units/stillpoint.service" 2>&1) || fail "verify: $out"
[[ -z $out ]] || fail "verify warns: $out"
expect 0 'stillpoint.service in' service status --root "$root"

# --- others' files stay, ours go
echo '# mine' >"$units/stillpoint-backup@mine.timer"
expect 0 '1 units removed' service remove --root "$root"
expect 0 '0 units removed' service remove --root "$root"
[[ $(cd "$root" && find . -type f -o -type l) == ./etc/systemd/system/stillpoint-backup@mine.timer ]] ||
    fail "left behind: $(cd "$root" && find .)"
sed -i '/^\[odd\]/,$d' "$conf"
mv "$units/stillpoint-backup@mine.timer" "$units/stillpoint-backup@files.timer"
expect 4 'was not made by stillpoint' service install --root "$root"
[[ $(cat "$units/stillpoint-backup@files.timer") == '# mine' ]] || fail "a stranger's unit was written over"
rm -r "$root"

# --- for a user
export HOME=$world/home
unset XDG_CONFIG_HOME
expect 0 "$root$world/home/.config/systemd/user" service install --user --root "$root"
for unit in "$root$world/home/.config/systemd/user/"*.service "$root$world/home/.config/systemd/user/"*.timer; do
    out=$(XDG_RUNTIME_DIR=$world systemd-analyze --user verify "$unit" 2>&1) || fail "verify --user: $out"
    [[ -z $out ]] || fail "verify --user warns of $unit: $out"
done
expect 0 'units removed' service remove --user --root "$root"

# --- the loop itself, in the foreground
cat >"$conf" <<END
[minutely]
path = $world/tree
schedule = every 1m
before = sleep 3; echo from the hook
END
: >"$world/run.log"
"$stillpoint" service run 2>"$world/run.log" &
loop=$!
servers+=("$loop")
for ((i = 0; i < 900; i++)); do
    ! grep -q 'minutely: the run of' "$world/run.log" || break
    sleep 0.1
done
grep -q 'minutely: the run of' "$world/run.log" || fail "no run began within 90 s: $(cat "$world/run.log")"
# by hand meanwhile: it waits for its turn
sleep 1
expect 0 'another run of this machine uses the same repository (job minutely' "$stillpoint" backup "$world/tree"
for ((i = 0; i < 300; i++)); do
    ! grep -q 'minutely: minutely: set' "$world/run.log" || break
    sleep 0.1
done
grep -q 'minutely: minutely: set' "$world/run.log" || fail "no success told: $(cat "$world/run.log")"
grep -q 'from the hook' "$STILLPOINT_STATE_DIR/runs/job-minutely.log" || fail "the run's words are not in its log"
# stopped in the middle of a run: the run ends first, and is due again
sed -i 's/^before.*/before = sleep 10/' "$conf"
for ((i = 0; i < 900; i++)); do
    (($(grep -c 'minutely: the run of' "$world/run.log") < 2)) || break
    sleep 0.1
done
sleep 1
kill "$loop"
code=0
wait "$loop" || code=$?
[[ $code == 0 ]] || fail "the loop ended with $code: $(cat "$world/run.log")"
tail -n 1 "$world/run.log" | grep -q 'stopped$' || fail "the last word: $(tail -n 1 "$world/run.log")"
grep -q 'exit 143, interrupted' "$world/run.log" || fail "the run was not interrupted: $(cat "$world/run.log")"
pgrep -f "backup -- minutely" >/dev/null && fail "a run outlived the service"

# --- held by a metered network, which takes a process to ask: it waits, and does not ask without end
mkdir "$world/bin"
cat >"$world/bin/busctl" <<END
#!/bin/sh
echo asked >>"$world/asked"
echo u 1
END
chmod +x "$world/bin/busctl"
printf '[held]\npath = %s\nschedule = every 1m\non-metered = no\n' "$world/tree" >"$conf"
printf '[held]\nschedule = every 1m\ndecided = 1\n' >"$STILLPOINT_STATE_DIR/schedule"
PATH=$world/bin:$PATH "$stillpoint" service run 2>"$world/held.log" &
loop=$!
servers+=("$loop")
for ((i = 0; i < 100; i++)); do
    ! grep -q 'held: it waits: the network is metered' "$world/held.log" || break
    sleep 0.1
done
grep -q 'held: it waits: the network is metered' "$world/held.log" || fail "it was not held: $(cat "$world/held.log")"
sleep 2
kill "$loop"
wait "$loop" || fail "the loop ended with $?: $(cat "$world/held.log")"
(($(wc -l <"$world/asked") < 4)) || fail "the network was asked about $(wc -l <"$world/asked") times in 2 s"
echo "service_linux: ok"
