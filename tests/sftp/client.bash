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
