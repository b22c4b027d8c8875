#!/usr/bin/env bash
# A server and its hosts: backups over TLS, restores through it, from its folder without it, by a sheet alone; a
# host sees and adds only its own.
. "$(dirname "$0")/lib.bash"

new_server
new_host one
"$maketree" --small --seed 11 --without deep "$world/tree"
quiet "$stillpoint" backup "$world/tree"
echo more >"$world/tree/more"
quiet "$stillpoint" backup "$world/tree"
quiet "$stillpoint" restore latest --target "$world/back"
same "$world/tree" "$world/back$world/tree"
expect 0 '' "$stillpoint" check --read-data
expect 0 '' "$stillpoint" verify latest
set_of_one=$("$stillpoint" list --json | "$python" -c 'import json,sys; x=json.load(sys.stdin); print(x["sets"][-1]["set"])')

# a second and a third host, without a passphrase; they see nothing of the first
new_host two
mkdir "$world/other"
echo other >"$world/other/file"
quiet "$stillpoint" backup "$world/other"
new_host three
quiet "$stillpoint" backup "$world/other"
expect 5 'there is no set' "$stillpoint" restore "$set_of_one" --target "$world/stolen"
expect 0 '' "$stillpoint" list --all
[[ $("$stillpoint" list --all --json | grep -c "$set_of_one") == 0 ]] || fail "a host sees another's set"
[[ $("$stillpointd" sets -D "$world/server" --json | "$python" -c 'import json,sys; x=json.load(sys.stdin); print(len(x))') == 4 ]] ||
    fail "the server does not list four sets"

# revoked: refused from then on, its sets stay
quiet "$stillpointd" host revoke -D "$world/server" three
expect 6 'revoked' "$stillpoint" backup "$world/other"
quiet "$stillpointd" sets -D "$world/server" three

# without the server
kill "$server"
wait "$server" || fail "the server did not end cleanly on SIGTERM: $?"
as empty
quiet "$stillpoint" restore "$set_of_one" -r "$world/repository" --recovery-key-file "$world/one.sheet" --target "$world/offline"
same "$world/tree" "$world/offline$world/tree"
expect 4 'server' "$stillpoint" key join -r "$world/repository" --recovery-key-file "$world/one.sheet"
as one
expect 6 'cannot reach' "$stillpoint" list
echo "server: ok"
