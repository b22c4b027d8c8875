#!/usr/bin/env bash
# Four hosts, one server behind a proxy, one folder: programs killed and suspended, connections cut, several at once.
# What was reported as done restores equal. kill.sh [promise] [resume] [history]: all three unless some are named.
# SP_SEED: the history of that seed. SP_SECONDS: for about so long.
. "$(dirname "$0")/lib.bash"

new_server --proxied
new_host a
invitation=$("$stillpoint" key invite | grep -o 'spi\.[0-9A-Za-z-]*' | head -n 1)
new_host b --invitation "$invitation"
new_host c
as d
quiet "$stillpoint" init -r "$world/folder" --name d --sheet "$world/d.sheet"
kill "$server"
wait "$server" || true
"$python" "$(dirname "$0")/kill.py" "$world" "$stillpoint" "$stillpointd" "$port" "$proxy" "$@"
