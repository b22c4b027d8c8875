#!/usr/bin/env bash
# The service file: systemd takes every line of it, its exposure stays low, and the system calls it allows are enough.
. "$(dirname "$0")/lib.bash"

command -v systemd-analyze >/dev/null || skip "systemd-analyze is not installed"
unit=$world/stillpointd.service
sed "s|/usr/bin/stillpointd|$stillpointd|" "$SP_SOURCE/packaging/systemd/stillpointd.service" >"$unit"
grep -q "^ExecStart=$stillpointd run " "$unit" || fail "the service file starts something else"
out=$(systemd-analyze verify "$unit" 2>&1) || fail "systemd-analyze verify: $out"
[[ -z $out ]] || fail "systemd-analyze verify warns: $out"
# The scale goes to 100 (10.0): what remains is that a server must reach the network.
out=$(systemd-analyze security --offline=true --threshold=15 --no-pager "$unit" 2>&1) ||
    fail "the service is exposed more than it was:"$'\n'"$(grep -E '^✗|Overall' <<<"$out")"
out=$(tail -n 1 <<<"$out")

# Every system call of a server at work is one that the filter lets through.
command -v strace >/dev/null || skip "strace is not installed"
mkdir "$world/tree"
head -c 3000000 /dev/urandom >"$world/tree/file"
port=$(free_port)
quiet "$stillpointd" init -D "$world/server" -r "$world/repository" --listen "127.0.0.1:$port"
strace -f -qq -c -o "$world/calls" "$stillpointd" run -D "$world/server" >"$world/server.log" 2>&1 &
tracer=$!
servers+=("$tracer")
for ((i = 0; i < 200; i++)); do
    ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    sleep 0.1
done
new_host one
quiet "$stillpoint" backup "$world/tree"
quiet "$stillpoint" check --read-data
quiet "$stillpoint" restore latest --target "$world/back"
pkill -TERM -P "$tracer"
wait "$tracer" || true
[[ -s $world/calls ]] || fail "nothing was traced"
allowed() {
    local set
    for set in "$@"; do
        systemd-analyze syscall-filter "$set" | awk '/^ +[@a-z]/ { print $1 }' | while read -r word; do
            if [[ $word == @* ]]; then allowed "$word"; else echo "$word"; fi
        done
    done
}
{
    allowed @system-service
    sed -n 's/^SystemCallFilter=@system-service //p' "$unit" | tr ' ' '\n'
} | sort -u >"$world/allowed"
allowed @privileged @resources | sort -u >"$world/denied"
comm -23 "$world/allowed" "$world/denied" >"$world/let"
# SQLite keeps the owner of its files when it runs as root, which the service does not.
awk 'NR > 2 && $NF != "fchown" && $NF != "total" && $NF !~ /^-/ { print $NF }' "$world/calls" | sort -u >"$world/used"
[[ $(wc -l <"$world/used") -gt 20 ]] || fail "the trace cannot be read: $(cat "$world/calls")"
stopped=$(comm -23 "$world/used" "$world/let")
[[ -z $stopped ]] || fail "the service file forbids what the server does: $stopped"
echo "service: ok; $out; $(wc -l <"$world/used") system calls, all of them let through"
