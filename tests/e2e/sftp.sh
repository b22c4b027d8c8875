#!/usr/bin/env bash
# A repository in an SFTP account: everything goes out and comes back, on OpenSSH (internal-sftp; chroot; without
# extensions; append-only; by password and keyboard-interactive) and ProFTPD. Then the folder is opened
# where it lies: the same sets, which restore the same. Who may not write reads; who is not who he was is refused.
. "$(dirname "$0")/../sftp/client.bash"

start_sshd
"$maketree" --small --seed 7 "$world/tree"
mkdir "$world/few"
for i in {1..20}; do head -c $((i * 2000)) /dev/urandom >"$world/few/$i"; done
head -c 3000000 /dev/urandom >"$world/few/large"
sleep 2.2 # what is younger at the start is read again next time

# sets_of ADDRESS [OPTION…]: what list says of them.
sets_of() {
    "$stillpoint" list -r "$1" --json "${@:2}" >"$world/list.json" || fail "list: exit $?"
    json "$world/list.json" 'sorted((s["set"], s["sequence"], s["files"] if "files" in s else 0) for s in x["sets"])'
}

# --- the whole way, on a plain account -------------------------------------------------------------------------

as one
new_repository plain
quiet "$stillpoint" backup "$world/tree"
"$stillpoint" backup "$world/tree" --set audit=0 --json >"$world/second.json" || fail "second backup: exit $?"
future=$(find "$world/tree" -type f -newermt now | wc -l) # can never be told from changing ones
[[ $(json "$world/second.json" 'x[0]["files_changed"] + x[0]["files_new"]') == "$future" ]] ||
    fail "an unchanged tree was read again: $(cat "$world/second.json")"
quiet "$stillpoint" restore latest --target "$world/back"
same "$world/tree" "$world/back$world/tree"
expect 0 '2 sets' "$stillpoint" list
expect 0 '' "$stillpoint" show latest
expect 0 'is good' "$stillpoint" verify latest
expect 0 '' "$stillpoint" check
expect 0 '' "$stillpoint" check --read-data
expect 0 '' "$stillpoint" doctor
echo new >"$world/tree/new file"
quiet "$stillpoint" backup "$world/tree"
expect 0 'new file' "$stillpoint" diff latest~1 latest
quiet "$stillpoint" restore latest --target "$world/single" --include 'new file'
[[ $(find "$world/single" -type f | wc -l) == 1 ]] || fail "--include took more than one file"
[[ -z $(find "$(there plain)/tmp" -type f) ]] || fail "temporary files stay: $(ls "$(there plain)/tmp")"

# A machine that knows nothing but the sheet, by the same account and by the folder itself.
as empty
sheet=(--recovery-key-file "$world/one.sheet")
sets_of "$(url plain)" "${by_key[@]}" "${sheet[@]}" >"$world/far"
sets_of "$(there plain)" "${sheet[@]}" >"$world/near"
cmp "$world/far" "$world/near" || fail "other sets in the folder: $(diff "$world/far" "$world/near")"
expect 0 '' "$stillpoint" check --read-data -r "$(there plain)" "${sheet[@]}"
quiet "$stillpoint" restore latest -r "$(there plain)" "${sheet[@]}" --target "$world/near-back"
same "$world/tree" "$world/near-back$world/tree"
quiet "$stillpoint" restore latest -r "$(url plain)" "${by_key[@]}" "${sheet[@]}" --target "$world/far-back"
same "$world/tree" "$world/far-back$world/tree"

# --- who may only read -------------------------------------------------------------------------------------------

readonly_url=$(url readonly "$(inside plain r-plain)")
sets_of "$readonly_url" "${by_key[@]}" "${sheet[@]}" >"$world/read"
cmp "$world/far" "$world/read" || fail "other sets in the account that may only read"
quiet "$stillpoint" restore latest -r "$readonly_url" "${by_key[@]}" "${sheet[@]}" --target "$world/read-back"
same "$world/tree" "$world/read-back$world/tree"
expect 2 'denied' "$stillpoint" init -r "$(url readonly)" "${by_key[@]}"

# --- the other accounts ------------------------------------------------------------------------------------------

# round KIND [PATH [THERE]]: made, written, read, checked; then the folder itself.
round() {
    local kind=$1 there=${3:-$(there "$1")}
    quiet "$stillpoint" backup "$world/few"
    echo "$kind" >"$world/few/kind"
    quiet "$stillpoint" backup "$world/few"
    quiet "$stillpoint" restore latest --target "$world/back-$kind"
    same "$world/few" "$world/back-$kind$world/few"
    expect 0 '' "$stillpoint" check --read-data
    as "local-$kind"
    quiet "$stillpoint" restore latest -r "$there" --recovery-key-file "$world/$kind.sheet" --target "$world/local-$kind"
    same "$world/few" "$world/local-$kind$world/few"
    rounds=$((rounds + 1))
}
rounds=0
for kind in chroot noext append; do
    sftp_has "$kind" || continue
    as "$kind"
    new_repository "$kind"
    round "$kind"
done
# A path below the home folder, said as such.
if [[ -n $sftp_namespace ]]; then # else it is the caller's own home, which is left alone
    as home
    quiet "$stillpoint" init -r "sftp://$sftp_user@127.0.0.1:$sftp_port_plain/~/by-home" "${by_key[@]}" \
        --sheet "$world/home.sheet"
    round home '' "$sftp/home/by-home"
fi
if sftp_has proftpd; then
    start_proftpd
    as proftpd
    new_repository proftpd
    round proftpd
fi
printf '%s' "$sftp_password" >"$world/secret"
printf '%s\n' 'not this one' >"$world/wrong"
chmod 600 "$world/secret" "$world/wrong"
for kind in password kbd; do
    sftp_has "$kind" || continue
    as "$kind"
    by_password=(--sftp-known-hosts "$sftp/etc/known_hosts" --sftp-password-file)
    expect 6 'login' "$stillpoint" init -r "$(url "$kind")" "${by_password[@]}" "$world/wrong"
    quiet "$stillpoint" init -r "$(url "$kind")" "${by_password[@]}" "$world/secret" --sheet "$world/$kind.sheet"
    round "$kind"
done

# --- keys: the client's and the server's -------------------------------------------------------------------------

as keys
printf '%s' 'of the key' >"$world/passphrase"
chmod 600 "$world/passphrase"
known=(--sftp-known-hosts "$sftp/etc/known_hosts")
expect 6 'login' "$stillpoint" list -r "$(url plain)" "${known[@]}" --sftp-login key --sftp-key "$sftp/etc/stranger" "${sheet[@]}"
for with in "--sftp-key=$sftp/etc/key_rsa" "--sftp-key=$sftp/etc/key_locked --sftp-passphrase-file=$world/passphrase"; do
    # shellcheck disable=SC2086 # words
    expect 0 '3 sets' "$stillpoint" list -r "$(url plain)" "${known[@]}" --sftp-login key $with "${sheet[@]}"
done
login=(--sftp-login key --sftp-key "$sftp_key")
: >"$world/none"
# nobody is there to be asked
expect 4 "$sftp_fingerprint" "$stillpoint" list -r "$(url plain)" "${login[@]}" --sftp-known-hosts "$world/none" "${sheet[@]}"
expect 0 '3 sets' "$stillpoint" list -r "$(url plain)" "${login[@]}" --sftp-known-hosts "$world/none" \
    --sftp-host-key "$sftp_fingerprint" "${sheet[@]}"
# a server that has another key than the one it had, in known_hosts and pinned
sed "s| AAAA[^ ]*| $(cut -d" " -f2 "$sftp/etc/stranger.pub")|" "$sftp/etc/known_hosts" >"$world/changed"
expect 4 'changed' "$stillpoint" list -r "$(url plain)" "${login[@]}" --sftp-known-hosts "$world/changed" "${sheet[@]}"
as one
kill_sshd
for file in hostkey hostkey.pub; do mv "$sftp/etc/$file" "$world/$file"; done
cp "$sftp/etc/stranger" "$sftp/etc/hostkey"
cp "$sftp/etc/stranger.pub" "$sftp/etc/hostkey.pub"
start_sshd
expect 4 'key' "$stillpoint" backup "$world/few"
kill_sshd
for file in hostkey hostkey.pub; do mv "$world/$file" "$sftp/etc/$file"; done
start_sshd old
as keys
expect 6 'old' "$stillpoint" list -r "$(url old)" "${login[@]}" --sftp-known-hosts "$world/none" "${sheet[@]}"
# nobody is there
as one
expect 6 "127.0.0.1:$sftp_port_plain" "$stillpoint" backup "$world/few" --sftp-patience 1s
echo "sftp: $rounds accounts, $SECONDS s: ok"
