# Sourced by tests/e2e/sftp*.sh: the words of lib.bash, the servers of sftp.bash, and a client that logs in there.
[[ -n ${world-} ]] || . "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.bash"
. "$(dirname "${BASH_SOURCE[0]}")/sftp.bash"

sftp_world
# Nothing of the caller's own ssh takes part.
mkdir "$world/home"
export HOME=$world/home
unset SSH_AUTH_SOCK
by_key=(--sftp-login key --sftp-key "$sftp_key" --sftp-known-hosts "$sftp/etc/known_hosts")

# new_repository KIND [PATH [OPTION…]]: this client's, in that account.
new_repository() {
    quiet "$stillpoint" init -r "$(url "$1" "${2-}")" --sheet "$world/$(basename "${STILLPOINT_CONFIG_DIR%/*}").sheet" \
        "${by_key[@]}" "${@:3}"
}

# A line between: connections to 127.0.0.1:$front go on to an account, cut_line cuts them all.
# start_line KIND [ROUND-TRIP-MS [MBIT]]
start_line() {
    local i kind=$1
    shift
    front=$(free_port)
    "$SP_BUILD/tests/sftp/slowlink" "$front" "$(sftp_port "$kind")" "$@" &
    line=$!
    servers+=("$line")
    grep "^\[127.0.0.1\]:$(sftp_port "$kind") " "$sftp/etc/known_hosts" | sed "s/:$(sftp_port "$kind") /:$front /" \
        >"$sftp/etc/line"
    cat "$sftp/etc/line" >>"$sftp/etc/known_hosts"
    for ((i = 0; i < 100; i++)); do
        ! sftp_listens "$front" || return 0
        sleep 0.02
    done
    fail "slowlink does not listen"
}
cut_line() { kill -USR1 "$line"; }
# by_line KIND [PATH]: the same place by way of the line.
by_line() {
    local place
    place=$(url "$@")
    printf '%s' "${place/:$(sftp_port "$1")\//:$front\/}"
}
