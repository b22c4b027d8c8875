#!/usr/bin/env bash
# with.sh COMMAND [ARGUMENT…]: runs it beside the servers of sftp.bash, all of them, and ends these with it. It finds
# in its environment, KIND in capitals for each account that this machine can have:
#   SP_SFTP_<KIND>         sftp://user@127.0.0.1:port/path, a path that is not there yet and may be made
#   SP_SFTP_<KIND>_THERE   where that lies on this machine
#   SP_SFTP_<KIND>_LINE    of plain and proftpd: the same by a line of its own (slowlink), which ..._LINE_PID cuts at
#                          SIGUSR1
#   SP_SFTP_HOST, SP_SFTP_USER, SP_SFTP_PORT_<KIND>, SP_SFTP_PASSWORD, SP_SFTP_KNOWN_HOSTS, SP_SFTP_FINGERPRINT
#   (of the ed25519 key of OpenSSH), SP_SFTP_KEY (ed25519), SP_SFTP_KEY_RSA, SP_SFTP_KEY_LOCKED (its passphrase:
#   "of the key"), SP_SFTP_KEY_STRANGER (no account takes it), SP_SFTP_SSHD (its process), SP_SFTP_WORLD
: "${SP_BUILD:=.}"
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/lib.bash"
. "$(dirname "${BASH_SOURCE[0]}")/sftp.bash"

(($#)) || fail "usage: with.sh COMMAND [ARGUMENT…]"
sftp_world
! sftp_has small || small_account "${SP_SFTP_SMALL:-12}"
start_sshd
start_sshd old
kinds=("${sftp_kinds[@]}")
if sftp_has proftpd; then
    start_proftpd
    kinds+=(proftpd)
fi
for kind in "${kinds[@]}"; do
    sftp_has "$kind" || continue
    name=SP_SFTP_${kind^^}
    export "$name=$(url "$kind")" "${name}_THERE=$(there "$kind")" "SP_SFTP_PORT_${kind^^}=$(sftp_port "$kind")"
done
for kind in plain proftpd; do
    sftp_has "$kind" && [[ -x $SP_BUILD/tests/sftp/slowlink ]] || continue
    start_line "$kind"
    name=SP_SFTP_${kind^^}_LINE
    export "$name=$(by_line "$kind")" "${name}_PID=$line"
done
export SP_SFTP_HOST=127.0.0.1 SP_SFTP_USER=$sftp_user SP_SFTP_PASSWORD=$sftp_password SP_SFTP_WORLD=$world \
    SP_SFTP_KNOWN_HOSTS=$sftp/etc/known_hosts SP_SFTP_FINGERPRINT=$sftp_fingerprint SP_SFTP_KEY=$sftp/etc/key \
    SP_SFTP_KEY_RSA=$sftp/etc/key_rsa SP_SFTP_KEY_LOCKED=$sftp/etc/key_locked SP_SFTP_KEY_STRANGER=$sftp/etc/stranger \
    SP_SFTP_SSHD=$sshd
"$@"
