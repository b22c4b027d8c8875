#!/usr/bin/env bash
# Copies from and to a server: the server copies its own repository while it runs, all hosts of it and without a
# key; a host copies its own sets out of the server, and back into it; each copy restores by itself.
. "$(dirname "$0")/lib.bash"

new_server
new_host one
mkdir "$world/tree"
"$maketree" --small --seed 12 --without deep "$world/tree/made"
quiet "$stillpoint" backup "$world/tree"
echo more >"$world/tree/more"
quiet "$stillpoint" backup "$world/tree"
new_host two
mkdir "$world/other"
echo other >"$world/other/file"
quiet "$stillpoint" backup "$world/other"

# the server, on a schedule
expect 6 'make' "$stillpointd" copy -D "$world/server" "$world/offsite"
expect 0 '3 sets copied' "$stillpointd" copy -D "$world/server" "$world/offsite" --make
"$stillpointd" copy -D "$world/server" "$world/offsite" --json >"$world/again.json"
[[ $(json "$world/again.json" 'x["sets_there"], x["sets_copied"], x["bytes_sent"]') == "(3, 0, 0)" ]] ||
    fail "the second copy: $(cat "$world/again.json")"
new_host three
quiet "$stillpoint" backup "$world/other"
expect 0 '1 sets would be copied' "$stillpointd" copy -D "$world/server" "$world/offsite" --dry-run
expect 0 '1 sets copied, 3 were there' "$stillpointd" copy -D "$world/server" "$world/offsite"
expect 5 'is no folder' "$stillpointd" copy -D "$world/server" sftp://nowhere.invalid/x
as stranger
expect 0 '' "$stillpoint" check --read-data -r "$world/offsite"
quiet "$stillpoint" restore one:latest -r "$world/offsite" --recovery-key-file "$world/one.sheet" --target "$world/offline"
same "$world/tree" "$world/offline$world/tree"

# a host: its own sets, every block opened
as one
expect 0 'next: stillpoint copy' "$stillpoint" init --like "stillpoint://127.0.0.1:$port" -r "$world/mine"
expect 0 '2 sets copied' "$stillpoint" copy "stillpoint://127.0.0.1:$port" "$world/mine"
expect 0 'nothing sent' "$stillpoint" copy "stillpoint://127.0.0.1:$port" "$world/mine"
expect 0 '' "$stillpoint" check --read-data -r "$world/mine"
quiet "$stillpoint" restore latest -r "$world/mine" --target "$world/from mine"
same "$world/tree" "$world/from mine$world/tree"

# and back: what the server has is there; what it does not have comes
expect 0 'nothing sent' "$stillpoint" copy "$world/mine" "stillpoint://127.0.0.1:$port"
kill "$server"
wait "$server" || true
id=$("$stillpoint" list -r "$world/mine" --json | "$python" -c 'import json,sys; print(json.load(sys.stdin)["sets"][-1]["set"])')
rm "$(find "$world/repository/sets" -name "*$id.set")"
find "$world/repository/packs" -type f -newer "$world/two.sheet" -delete
start_server
expect 0 '1 set copied' "$stillpoint" copy "$world/mine" "stillpoint://127.0.0.1:$port"
quiet "$stillpoint" restore latest --target "$world/again"
same "$world/tree" "$world/again$world/tree"

# a server takes a host's own sets and no other's
as one
expect 4 'own' "$stillpoint" copy "$world/offsite" "stillpoint://127.0.0.1:$port" two:latest

# what a host names is for a terminal only as far as it can do nothing there
"$stillpoint" backup --job $'evil\e]0;owned\a' "$world/other" -r "$world/mine" >/dev/null 2>&1
expect 0 '1 set copied' "$stillpoint" copy "$world/mine" "stillpoint://127.0.0.1:$port" $'evil\e]0;owned\a'
find "$world/repository/packs" -type f -delete # so that the copy has something to say of it
for command in sets status "copy $world/offsite"; do
    # shellcheck disable=SC2086
    "$stillpointd" ${command%% *} -D "$world/server" ${command#"${command%% *}"} >"$world/shown" 2>&1 || true
    grep -q 'evil\\x1b]0;owned' "$world/shown" || fail "$command does not name the job: $(cat -v "$world/shown")"
    ! grep -q $'\e' "$world/shown" || fail "$command passes on what moves a terminal: $(cat -v "$world/shown")"
done
echo "copy_server: ok"
