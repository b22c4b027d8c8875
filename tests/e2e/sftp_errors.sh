#!/usr/bin/env bash
# What goes wrong with an SFTP account, and what the user is told: exit code and words of each, against a real sshd.
# Who is asked, when, and what of it is kept.
. "$(dirname "$0")/../sftp/client.bash"

start_sshd
sp=$stillpoint
mkdir "$world/tree"
echo content >"$world/tree/file"
: >"$world/none"
printf '%s' "$sftp_password" >"$world/password"
printf '%s' 'of the key' >"$world/passphrase"
printf 'wrong' >"$world/wrong"
chmod 600 "$world"/{password,passphrase,wrong}
known=(--sftp-known-hosts "$sftp/etc/known_hosts")
stranger=(--sftp-known-hosts "$world/none" --sftp-login key --sftp-key "$sftp_key")
typed=("$python" "$(dirname "$0")/typed.py")

# typed_expect CODE WORDS PROMPT ANSWER… -- COMMAND…: as expect, with somebody at a terminal.
typed_expect() {
    local code=$1 words=$2 got=0 out
    shift 2
    out=$("${typed[@]}" "$@" 2>&1 </dev/null) || got=$?
    [[ $got == "$code" ]] || fail "exit $got instead of $code: $*"$'\n'"$out"
    [[ $out == *"$words"* ]] || fail "no '$words' in the words of: $*"$'\n'"$out"
    shown=$out
}

as one
new_repository plain
quiet "$sp" backup "$world/tree"
grep -q "$sftp_fingerprint" "$world/one.sheet" || fail "the sheet does not tell the server's key"

# --- addresses and options: 5
expect 5 'sftp://' "$sp" list -r sftp://
expect 5 'sftp://' "$sp" list -r sftp://host
expect 5 'password' "$sp" list -r sftp://me:secret@host/path
expect 5 'port' "$sp" list -r sftp://me@host:99999/path
expect 5 'hexadecimal' "$sp" list -r sftp://me@host/%zz
expect 5 'sftp://' "$sp" list -r ftp://me@host/path
expect 5 '--sftp-login: login = keys' "$sp" list -r "$(url plain)" --sftp-login keys
expect 5 'SHA256:' "$sp" list -r "$(url plain)" --sftp-host-key MD5:00
expect 5 'from 1 to 16' "$sp" list -r "$(url plain)" --sftp-connections 99
expect 5 'needs a value' "$sp" list --sftp-key
expect 5 'unknown option --sftp-nonsense' "$sp" list --sftp-nonsense
expect 5 'is not there' "$sp" list -r "$(url noext)" "${known[@]}" --sftp-key "$world/no-such-key"
expect 5 'for init, key join and login' "$sp" list --sftp-keep-password
printf '[sftp]\nlogin = agent\ncolour = red\n[a]\npath = /tmp\n' >"$world/one/config/stillpoint.conf"
expect 5 'stillpoint.conf:3: ' "$sp" backup a
rm "$world/one/config/stillpoint.conf"
expect 5 'in its address' "$sp" login --user me
as local
quiet "$sp" init -r "$world/own" --sheet "$world/local.sheet"
expect 5 'no share' "$sp" login
expect 5 'no share' "$sp" login --user me

# --- nobody there: 6
as stranger
expect 6 'no-such-host.invalid' "$sp" list -r sftp://me@no-such-host.invalid/path "${stranger[@]}" --sftp-patience 1s
port=$(free_port)
expect 6 "127.0.0.1:$port" "$sp" list -r "sftp://me@127.0.0.1:$port/path" "${stranger[@]}" --sftp-patience 1s

# --- whose key nobody knows: 4, and nothing is sent
expect 4 'ssh-keyscan' "$sp" list -r "$(url plain)" "${stranger[@]}"
expect 4 "$sftp_fingerprint" "$sp" list -r "$(url plain)" "${stranger[@]}"
expect 4 'not SHA256:' "$sp" list -r "$(url plain)" "${stranger[@]}" \
    --sftp-host-key "SHA256:$(printf 'A%.0s' {1..43})"
sed "s| AAAA[^ ]*| $(cut -d' ' -f2 "$sftp/etc/stranger.pub")|" "$sftp/etc/known_hosts" >"$world/changed"
expect 4 'has changed' "$sp" list -r "$(url plain)" --sftp-known-hosts "$world/changed" --sftp-key "$sftp_key"
expect 4 "$world/changed line 1" "$sp" list -r "$(url plain)" --sftp-known-hosts "$world/changed" --sftp-key "$sftp_key"
sed 's/^/@revoked /' "$sftp/etc/known_hosts" >"$world/revoked"
expect 4 'revoked' "$sp" list -r "$(url plain)" --sftp-known-hosts "$world/revoked" --sftp-key "$sftp_key" \
    --sftp-host-key "$sftp_fingerprint"

# --- asked at a terminal, before anything is sent; once
sheet=(--recovery-key-file "$world/one.sheet")
typed_expect 4 "no 'yes'" 'Trust it?' no -- "$sp" list -r "$(url plain)" "${stranger[@]}" "${sheet[@]}"
[[ $shown == *"$sftp_fingerprint"* ]] || fail "asked without the fingerprint: $shown"
typed_expect 4 'another fingerprint' 'Trust it?' "SHA256:$(printf 'A%.0s' {1..43})" -- \
    "$sp" list -r "$(url plain)" "${stranger[@]}" "${sheet[@]}"
typed_expect 0 '1 set' 'Trust it?' yes -- "$sp" list -r "$(url plain)" "${stranger[@]}" "${sheet[@]}"
typed_expect 0 '1 set' 'Trust it?' "$sftp_fingerprint" -- "$sp" list -r "$(url plain)" "${stranger[@]}" "${sheet[@]}"
cmp -s "$world/none" /dev/null || fail "known_hosts was written"

# --- logins that are refused: 6
expect 6 'login was refused' "$sp" list -r "$(url plain)" "${known[@]}" --sftp-login key --sftp-key "$sftp/etc/stranger"
expect 6 'login was refused' "$sp" list -r "sftp://nobody-at-all@127.0.0.1:$(sftp_port plain)/x" "${by_key[@]}"
locked=("${known[@]}" --sftp-login key --sftp-key "$sftp/etc/key_locked")
expect 6 'passphrase is needed, and there is no terminal' "$sp" list -r "$(url plain)" "${locked[@]}" "${sheet[@]}"
expect 6 'passphrase that a file gave, or that is kept, was wrong' "$sp" list -r "$(url plain)" "${locked[@]}" --sftp-passphrase-file "$world/wrong" "${sheet[@]}"
expect 5 'no-such-file' "$sp" list -r "$(url plain)" "${locked[@]}" --sftp-passphrase-file "$world/no-such-file" "${sheet[@]}"
expect 0 '1 set' "$sp" list -r "$(url plain)" "${locked[@]}" --sftp-passphrase-file "$world/passphrase" "${sheet[@]}"
typed_expect 0 '1 set' 'the passphrase of the key' 'of the key' -- "$sp" list -r "$(url plain)" "${locked[@]}" "${sheet[@]}"
typed_expect 0 'not right' 'the passphrase of the key' wrong 'not right' 'of the key' -- \
    "$sp" list -r "$(url plain)" "${locked[@]}" "${sheet[@]}"

# --- the agent, and the usual files, where nothing is said
expect 6 'login was refused' "$sp" list -r "$(url plain)" "${known[@]}" --sftp-login agent "${sheet[@]}"
ssh-agent -a "$world/agent" >"$world/agent.says"
agent=$(sed -n 's/.*SSH_AGENT_PID=\([0-9]*\).*/\1/p' "$world/agent.says")
servers+=("$agent")
SSH_AUTH_SOCK=$world/agent quiet ssh-add "$sftp_key"
SSH_AUTH_SOCK=$world/agent expect 0 '1 set' "$sp" list -r "$(url plain)" "${known[@]}" --sftp-login agent "${sheet[@]}"
SSH_AUTH_SOCK=$world/agent expect 0 '1 set' "$sp" list -r "$(url plain)" "${known[@]}" "${sheet[@]}"
expect 4 'not known here' "$sp" list -r "$(url plain)" "${sheet[@]}"
mkdir -m 700 "$HOME/.ssh"
cp "$sftp_key" "$HOME/.ssh/id_ed25519"
ssh-keyscan -p "$sftp_port_plain" 127.0.0.1 2>/dev/null >"$HOME/.ssh/known_hosts"
ssh-keygen -q -H -f "$HOME/.ssh/known_hosts" >"$world/hashed" 2>&1 # names hashed
expect 0 '1 set' "$sp" list -r "$(url plain)" "${sheet[@]}"
rm -r "$HOME/.ssh"

# --- what is kept, and what is not
profile() { cat "$STILLPOINT_STATE_DIR"/stores/*/profile; }
as typing
typed_expect 0 'passphrase is not kept' 'the passphrase of the key' 'of the key' -- \
    "$sp" init -r "$(url plain "$(inside plain typing)")" "${locked[@]}" --sheet "$world/typing.sheet"
[[ $(profile) == *"$sftp_fingerprint"* ]] || fail "init did not pin the server's key: $(profile)"
[[ $(profile) != *sftp-passphrase* && $(profile) != *"$(printf '%s' 'of the key' | od -An -tx1 | tr -d ' \n')"* ]] ||
    fail "a passphrase was kept that nobody said to keep"
expect 6 'passphrase is needed, and there is no terminal' "$sp" backup "$world/tree"
expect 5 'let this machine in without one' "$sp" login --sftp-keep-password --sftp-passphrase-file "$world/passphrase"
typed_expect 0 'is kept' 'the passphrase of the key' 'of the key' -- "$sp" login --sftp-keep-passphrase
[[ $(profile) == *sftp-passphrase* ]] || fail "the passphrase was not kept"
[[ $(stat -c %a "$STILLPOINT_STATE_DIR"/stores/*/profile) == 600 ]] || fail "others can read the profile"
quiet "$sp" backup "$world/tree"
expect 0 'no login is kept' "$sp" login --forget
[[ $(profile) != *sftp-passphrase* ]] || fail "the passphrase was not forgotten"
for kind in password kbd; do
    sftp_has "$kind" || continue
    as "by-$kind"
    there=$(url "$kind" "$(inside "$kind" "typed-$kind")")
    expect 6 'no terminal' "$sp" init -r "$there" "${known[@]}" --sheet "$world/no.sheet"
    [[ ! -e $world/no.sheet ]] || fail "a sheet was left of a repository that is not there"
    expect 6 'login was refused' "$sp" init -r "$there" "${known[@]}" --sftp-password-file "$world/wrong"
    typed_expect 0 'password is not kept' "$sftp_user@" "$sftp_password" -- \
        "$sp" init -r "$there" "${known[@]}" --sheet "$world/typed-$kind.sheet"
    [[ $(profile) != *sftp-password* ]] || fail "a password was kept that nobody said to keep: $(profile)"
    expect 6 'no terminal' "$sp" backup "$world/tree"
    expect 0 'is kept' "$sp" login --sftp-password-file "$world/password" --sftp-keep-password
    [[ $(profile) == *sftp-password\ =* && $(profile) != *sftp-password-file* ]] || fail "not kept: $(profile)"
    quiet "$sp" backup "$world/tree"
    expect 0 '' "$sp" login --forget
    expect 6 'no terminal' "$sp" backup "$world/tree"
    quiet "$sp" login --sftp-password-file "$world/password" # the file's name
    quiet "$sp" backup "$world/tree"
done

# What one account gets is not shown to another that holds the same repository.
as one
elsewhere=$(url noext "$(inside plain r-plain)")
expect 4 'not known here' "$sp" list -r "$elsewhere" --sftp-known-hosts "$world/none"
expect 6 'login was refused' "$sp" list -r "$elsewhere" "${known[@]}"
expect 0 '1 set' "$sp" list -r "$elsewhere" "${by_key[@]}" # known by its id

# --- the server has another key than the one that was pinned
kill_sshd
for file in hostkey hostkey.pub; do mv "$sftp/etc/$file" "$world/$file"; done
cp "$sftp/etc/stranger" "$sftp/etc/hostkey"
cp "$sftp/etc/stranger.pub" "$sftp/etc/hostkey.pub"
new=$(ssh-keygen -l -E sha256 -f "$sftp/etc/stranger.pub" | cut -d' ' -f2)
start_sshd
expect 4 'has changed' "$sp" backup "$world/tree"
expect 4 "$sftp_fingerprint" "$sp" list
expect 4 "--sftp-host-key $new" "$sp" list
cp "$sftp/etc/known_hosts" "$world/known.before"
: >"$sftp/etc/known_hosts" # where it is said to be known
expect 4 'no terminal' "$sp" login
typed_expect 4 'So far it had' 'Trust it?' no -- "$sp" login
expect 4 'has changed' "$sp" list
typed_expect 0 "$new" 'Trust it?' yes -- "$sp" login
expect 0 '1 set' "$sp" list
kill_sshd
for file in hostkey hostkey.pub; do mv "$world/$file" "$sftp/etc/$file"; done
start_sshd
expect 4 'has changed' "$sp" list
expect 0 "$sftp_fingerprint" "$sp" login --sftp-host-key "$sftp_fingerprint"
expect 0 '1 set' "$sp" list
cp "$world/known.before" "$sftp/etc/known_hosts"

# --- the folder
expect 6 'no-such-folder' "$sp" list -r "$(url plain "$(inside plain no-such-folder)")" "${by_key[@]}" "${sheet[@]}"
install -d ${sftp_namespace:+-o "$sftp_uid"} "$(there plain empty)" "$(there plain full)"
echo x >"$(there plain full)/x"
expect 6 'repository' "$sp" list -r "$(url plain "$(inside plain empty)")" "${by_key[@]}" "${sheet[@]}"
expect 6 'repository' "$sp" list -r "$(url plain "$(inside plain full)")" "${by_key[@]}" "${sheet[@]}"
expect 2 'not empty' "$sp" init -r "$(url plain "$(inside plain full)")" "${by_key[@]}" --sheet "$world/full.sheet"
expect 2 'not empty' "$sp" init -r "$(url plain)" "${by_key[@]}" --sheet "$world/full.sheet"
[[ ! -e $world/full.sheet ]] || fail "a sheet was left of a repository that is not there"
readonly_url=$(url readonly "$(inside plain r-plain)")
expect 2 'Permission denied' "$sp" init -r "$(url readonly "$(inside plain new)")" "${by_key[@]}" --sheet "$world/ro.sheet"
expect 0 '1 set' "$sp" list -r "$readonly_url" "${by_key[@]}"
expect 2 'writ' "$sp" backup -r "$readonly_url" "${by_key[@]}" "$world/tree"
expect 0 'can delete what it wrote' "$sp" doctor
expect 0 'can delete what it wrote' "$sp" init -r "$(url plain "$(inside plain warned)")" "${by_key[@]}" --sheet "$world/warned.sheet"

# --- what a server cannot do is said: at once, and by doctor
can() { # can KIND CODE WORDS WORDS-OF-DOCTOR
    as "can-$1"
    expect 0 "$3" "$sp" init -r "$(url "$1" "$(inside "$1" "can-$1")")" "${by_key[@]}" --sheet "$world/can-$1.sheet"
    expect "$2" "$4" "$sp" doctor
}
can noflush 1 'offers no flush' 'offers no flush'
can noext 1 'offers no flush' 'does not tell how much is free'
can append 0 'made the repository' 'cannot delete what it wrote'

# --- a server that is gone for seconds: said, and not with --quiet
as line
start_line plain 5 40
head -c 12000000 /dev/urandom >"$world/large"
quiet "$sp" init -r "$(by_line plain "$(inside plain by-line)")" "${by_key[@]}" --sheet "$world/line.sheet"
# interrupted LOG [OPTION…]: a backup in the middle of which the server is away for two seconds
interrupted() {
    local log=$1 run
    shift
    "$sp" backup "$world/large" "$@" >"$log" 2>&1 &
    run=$!
    sleep 1
    kill_sshd
    sleep 2
    start_sshd
    wait "$run" || fail "exit $?: $(cat "$log")"
}
interrupted "$world/told.log"
[[ $(<"$world/told.log") == *'trying to connect again'* && $(<"$world/told.log") == *' again'* ]] ||
    fail "nothing was said of the server that was away: $(cat "$world/told.log")"
head -c 12000000 /dev/urandom >"$world/large"
interrupted "$world/quiet.log" --quiet
[[ ! -s $world/quiet.log ]] || fail "--quiet, and it said: $(cat "$world/quiet.log")"
expect 0 '' "$sp" check --read-data

# --- whom a job tells how it went
as one
"$python" - "$world/pings" "$world/ping-port" <<'PY' &
import http.server, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        open(sys.argv[1], "a").write(self.path + "\n")
        self.send_response(200)
        self.end_headers()

    def log_message(self, *unused):
        pass

server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
open(sys.argv[2], "w").write(str(server.server_port))
server.serve_forever()
PY
servers+=("$!")
for ((i = 0; i < 100; i++)); do [[ ! -s $world/ping-port ]] || break; sleep 0.05; done
cat >"$world/one/config/stillpoint.conf" <<CONF
[sftp]
patience = 1s
[told]
repository = $(url plain)
path = $world/tree
on-success = echo "good \$STILLPOINT_STATUS \$STILLPOINT_REPOSITORY" >>$world/said
on-failure = echo "bad \$STILLPOINT_STATUS" >>$world/said
ping-url = http://127.0.0.1:$(<"$world/ping-port")/job
CONF
quiet "$sp" backup told
[[ $(<"$world/said") == "good done $(url plain)" ]] || fail "on-success was told: $(cat "$world/said")"
kill_sshd
expect 6 "127.0.0.1:$(sftp_port plain)" "$sp" backup told
[[ $(tail -n 1 "$world/said") == 'bad failed' ]] || fail "on-failure was told: $(cat "$world/said")"
[[ $(<"$world/pings") == $'/job\n/job/fail' ]] || fail "the ping URL heard: $(cat "$world/pings")"
start_sshd
"$sp" list -r "$(url plain)" --json >"$world/list.json"
[[ $(json "$world/list.json" '[(j["job"], 0 <= j["last_success_age_seconds"] < 600) for j in x["jobs"]]') == \
    "[('paths', True), ('told', True)]" ]] || fail "list --json: $(cat "$world/list.json")"
echo "sftp_errors: $SECONDS s: ok"
