#!/usr/bin/env bash
# The servers of sftp.bash are what they are said to be, asked by OpenSSH's own client: who may write, remove, replace,
# which extensions are offered, which login is taken.
here=$(dirname "${BASH_SOURCE[0]}")
if [[ -z ${SP_SFTP_WORLD-} ]]; then
    exec "$here/with.sh" "${BASH_SOURCE[0]}"
fi
set -euo pipefail
cd "$SP_SFTP_WORLD"

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# ask KIND [OPTION…]: the lines of stdin as a batch of sftp; all that is said goes to the file `said`.
ask() {
    local port=SP_SFTP_PORT_${1^^}
    sftp "${@:2}" -b - -P "${!port}" -o "UserKnownHostsFile=$SP_SFTP_KNOWN_HOSTS" -o StrictHostKeyChecking=yes \
        -o IdentitiesOnly=yes -o IdentityAgent=none -i "${key:-$SP_SFTP_KEY}" -F none \
        "$SP_SFTP_USER@127.0.0.1" >said 2>&1
}
takes() { ask "$@" || fail "$1 does not take it: $(cat said)"; }
refuses() { ! ask "$@" || fail "$1 takes it: $(cat said)"; }

head -c 100000 /dev/urandom >file
kinds=0
for kind in plain chroot append noext noflush small proftpd; do
    place=SP_SFTP_${kind^^} there=SP_SFTP_${kind^^}_THERE
    [[ -n ${!place-} ]] || continue
    path=${!place#sftp://*/}
    takes "$kind" <<<"put file \"/$path\""
    cmp file "${!there}" || fail "$kind: not there, or not what was put"
    if [[ $kind == append ]]; then
        refuses "$kind" <<<"rm \"/$path\""
    else
        takes "$kind" <<<"rm \"/$path\""
    fi
    kinds=$((kinds + 1))
done
refuses readonly <<<"put file new"
takes readonly <<<"ls"
takes plain -vv <<<"ls"
for extension in fsync statvfs limits hardlink posix-rename; do
    grep -q "$extension@openssh.com" said || fail "plain: without $extension"
done
takes noext -vv <<<"ls"
! grep -E '(fsync|statvfs|limits|hardlink|posix-rename)@openssh' said || fail "noext: offers extensions"
takes noflush -vv <<<"ls"
grep -q statvfs@openssh.com said || fail "noflush: without statvfs"
! grep -q fsync@openssh.com said || fail "noflush: offers fsync"
key=$SP_SFTP_KEY_STRANGER refuses plain <<<"ls"
key=$SP_SFTP_KEY_RSA takes plain <<<"ls"
refuses old <<<"ls"
if [[ -n ${SP_SFTP_SMALL_THERE-} ]]; then
    head -c 64M /dev/zero >large
    refuses small <<<"put large \"/${SP_SFTP_SMALL#sftp://*/}\""
    grep -q Failure said || fail "a full disk says: $(cat said)"
    rm "$SP_SFTP_SMALL_THERE"
fi

# Passwords come by a program that ssh asks.
cat >asked <<CONF
#!/bin/sh
echo '$SP_SFTP_PASSWORD'
CONF
chmod 700 asked
export SSH_ASKPASS=$PWD/asked SSH_ASKPASS_REQUIRE=force
for kind in password kbd proftpd; do
    port=SP_SFTP_PORT_${kind^^}
    [[ -n ${!port-} ]] || continue
    [[ $kind == proftpd ]] || refuses "$kind" <<<"ls"
    takes "$kind" -o BatchMode=no -o PubkeyAuthentication=no <<<"ls"
done
echo "fixture: $kinds accounts to write to: ok"
