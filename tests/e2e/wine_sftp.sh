#!/usr/bin/env bash
# stillpoint.exe under Wine to an account of OpenSSH's sshd: backup, restore, checks; the line cut again and again in a
# backup and in a restore, none of which fails; then the folder itself, by the program for Linux.
. "$(dirname "$0")/wine.bash"
. "$(dirname "$0")/../sftp/client.bash"
trap wine_finish EXIT

start_sshd
start_line plain 0 60
tree=$world/tree
mkdir -p "$tree/few"
for i in {1..200}; do head -c $((i * 97)) /dev/urandom >"$tree/few/Grüße $i"; done
head -c 4000000 /dev/urandom >"$tree/large"
by_key=(--sftp-login key --sftp-key "$(at "$sftp_key")" --sftp-known-hosts "$(at "$sftp/etc/known_hosts")")
sleep 3 # what is younger than two seconds at the start is read again next time

as_win one
: >"$world/none"
expect 4 "$sftp_fingerprint" win stillpoint init -r "$(by_line plain)" --sftp-login key --sftp-key "$(at "$sftp_key")" \
    --sftp-known-hosts "$(at "$world/none")"
quiet win stillpoint init -r "$(by_line plain)" --sheet "$(at "$world/sheet")" "${by_key[@]}"
quiet win stillpoint backup "$(at "$tree")"
win stillpoint backup "$(at "$tree")" --json >"$world/second.json" 2>"$world/second.err" ||
    fail "second backup: $(cat "$world/second.err")"
[[ $(json "$world/second.json" 'x[0]["files_new"] + x[0]["files_changed"]') == 0 ]] ||
    fail "nothing changed, and yet: $(cat "$world/second.json")"

# cut_while WHAT COMMAND…: the line is cut every half second until it ends; it must not fail.
cut_while() {
    local what=$1 run cuts=0
    shift
    "$@" >"$world/$what.log" 2>&1 </dev/null &
    run=$!
    sleep 1.5 # Wine starts
    while kill -0 "$run" 2>/dev/null && ((cuts < 8)); do
        cut_line
        cuts=$((cuts + 1))
        sleep 0.4
    done
    wait "$run" || fail "$what, cut $cuts times: exit $?: $(cat "$world/$what.log")"
    ((cuts >= 2)) || fail "$what was over after $cuts cuts: this shows nothing"
    echo "$what: cut $cuts times"
}
head -c 24000000 /dev/urandom >"$tree/larger"
cut_while backup win stillpoint backup "$(at "$tree")" --bandwidth 8M
cut_while restore win stillpoint restore latest --target "$(at "$world/back")"
diff -r --no-dereference "$tree" "$world/back/Z$tree" >"$world/diff" || fail "the restored tree differs: $(head "$world/diff")"
expect 0 '' win stillpoint check --read-data
expect 0 '3 sets' win stillpoint list

# the other program, in the folder itself
as other
expect 0 '' "$stillpoint" restore latest -r "$(there plain)" --recovery-key-file "$world/sheet" --target "$world/linux"
diff -r --no-dereference "$tree" "$world/linux/Z:$tree" >"$world/diff" ||
    fail "what Linux restored differs: $(head "$world/diff")"
expect 0 '' "$stillpoint" check --read-data -r "$(there plain)" --recovery-key-file "$world/sheet"
echo "wine_sftp: $SECONDS s: ok"
