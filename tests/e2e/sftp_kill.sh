#!/usr/bin/env bash
# Clients killed and suspended, sshd and ProFTPD killed and suspended in mid-backup, connections cut: hosts a and b in
# one account of OpenSSH, c in one of ProFTPD. What was reported done restores equal, no run fails because its connection
# did, and what dead runs left goes when their leases are dead. SP_SEED: the history of that seed.
. "$(dirname "$0")/../sftp/client.bash"

start_sshd
start_line plain
as a
printf '%s\n' 'of a and b' >"$world/phrase"
quiet "$stillpoint" init -r "$(by_line plain)" --name a --sheet "$world/a.sheet" --passphrase-file "$world/phrase" "${by_key[@]}"
as b
quiet "$stillpoint" key join -r "$(by_line plain)" --name b --passphrase-file "$world/phrase" "${by_key[@]}"
other=plain
if sftp_has proftpd; then
    start_proftpd
    other=proftpd
fi
as c
quiet "$stillpoint" init -r "$(url "$other" "$(inside "$other" r-c)")" --name c --sheet "$world/c.sheet" "${by_key[@]}"

# freeze_tree SIGNAL: every process of the servers.
signal_servers() {
    local p i all=("$sshd")
    [[ -z $proftpd ]] || all+=("$proftpd")
    for ((i = 0; i < ${#all[@]}; i++)); do
        mapfile -t -O "${#all[@]}" all < <(ps -o pid= --ppid "${all[i]}" | tr -d ' ')
    done
    for p in "${all[@]}"; do kill "-$1" "$p" 2>/dev/null || true; done
}

mkfifo "$world/asked" "$world/answer"
"$python" "$(dirname "$0")/sftp_kill.py" "$world" "$stillpoint" "$(there plain)" "$(there "$other" r-c)" \
    >"$world/asked" <"$world/answer" &
history=$!
servers+=("$history")
exec {asked}<"$world/asked" {answer}>"$world/answer"
while read -r -u "$asked" word pause; do
    case $word in
    restart)
        kill_sshd
        [[ -z $proftpd ]] || kill_proftpd
        sleep "$pause"
        start_sshd
        [[ -z $proftpd ]] || start_proftpd
        ;;
    freeze)
        signal_servers STOP
        sleep "$pause"
        signal_servers CONT
        ;;
    cut)
        cut_line
        ;;
    *) fail "the history asks for '$word'" ;;
    esac
    echo done >&"$answer"
done
wait "$history" || fail "see above"
