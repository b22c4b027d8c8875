# Sourced after tests/e2e/lib.bash (or by tests/sftp/with.sh): SFTP servers of the suite's own on loopback, with their
# own host keys, ports and accounts, gone with the suite. Nothing of the machine is changed: as root, sshd runs in a
# mount namespace of its own where /etc/passwd holds one user more ("keeper", who has a password); without root the
# account is the caller's and logs in with a key alone.
#
#   sftp_world              keys, accounts, ports; skips the suite when there is no sshd
#   start_sshd, kill_sshd   one daemon for all accounts of OpenSSH; kill ends its sessions too
#   start_proftpd, kill_proftpd
#   sftp_has KIND           whether this machine can have that account
#   url KIND [PATH]         sftp://… of PATH there;  there KIND [PATH]: where that lies on this machine
#
# KIND (each is a port; an account differs from the next by where one logs in):
#   plain      internal-sftp; paths are the machine's
#   chroot     internal-sftp in a folder whose root is root's own; one writes to /data (needs root)
#   readonly   internal-sftp -R
#   append     internal-sftp that refuses to remove and to replace; renaming to a new name is allowed
#   noext      sftp-server without fsync, statvfs, limits, posix-rename, hard links and all other extensions
#   noflush    … without fsync alone
#   small      plain, in a file system of $SP_SFTP_SMALL MB (needs root)
#   password   takes a password alone;  kbd: keyboard-interactive alone (both need root, for the user of our own)
#   old        offers SHA-1 alone: must not be talked to
#   proftpd    ProFTPD's mod_sftp, in its home
sftp_kinds=(plain chroot readonly append noext noflush small password kbd old)
sftp_password='correct horse & battery'
sftp_server=/usr/lib/openssh/sftp-server
sshd='' proftpd=''

sftp_has() {
    case $1 in
    chroot | small | password | kbd) [[ $EUID == 0 && -n $sftp_namespace ]] ;;
    proftpd) [[ -x /usr/sbin/proftpd && -e /usr/lib/proftpd/mod_sftp.so ]] ;;
    *) true ;;
    esac
}

sftp_port() {
    local name=sftp_port_$1
    printf '%s' "${!name}"
}

# url KIND [PATH]: an absolute path of the account; ~/… lies in its home; without one, a folder "r" of its own.
url() {
    local path=${2-}
    [[ -n $path ]] || path=$(inside "$1" "r-$1")
    printf 'sftp://%s@127.0.0.1:%s/%s' "$sftp_user" "$(sftp_port "$1")" "${path#/}"
}

# inside KIND NAME: the absolute path, as that account sees it, of something that it may write.
inside() {
    case $1 in
    chroot) printf '/data/%s' "$2" ;;
    proftpd) if ((EUID == 0)); then printf '/%s' "$2"; else printf '%s/home/%s' "$sftp" "$2"; fi ;;
    small) printf '%s/small/%s' "$sftp" "$2" ;;
    *) printf '%s/home/%s' "$sftp" "$2" ;;
    esac
}

there() {
    local name=${2-r-$1}
    case $1 in
    chroot) printf '%s/jail/data/%s' "$sftp" "$name" ;;
    small) printf '%s/small/%s' "$sftp" "$name" ;;
    *) printf '%s/home/%s' "$sftp" "$name" ;;
    esac
}

sftp_world() {
    local kind ports i
    [[ -x /usr/sbin/sshd && -x $sftp_server ]] || skip "needs openssh-server"
    sftp=$world/sftp
    chmod 711 "$world"
    mkdir -p "$sftp"/{home,small,jail/data,etc,proftpd}
    chmod 755 "$sftp" "$sftp/home" "$sftp/jail"
    for kind in hostkey key stranger; do ssh-keygen -q -t ed25519 -N '' -C "$kind" -f "$sftp/etc/$kind"; done
    ssh-keygen -q -t rsa -b 2048 -N '' -C rsa -f "$sftp/etc/key_rsa"
    ssh-keygen -q -t ed25519 -N 'of the key' -C locked -f "$sftp/etc/key_locked"
    ssh-keygen -q -t rsa -b 2048 -N '' -C hostkey -f "$sftp/etc/hostkey_rsa"
    cat "$sftp"/etc/key{,_rsa,_locked}.pub >"$sftp/etc/authorized"
    sftp_key=$sftp/etc/key
    sftp_fingerprint=$(ssh-keygen -l -E sha256 -f "$sftp/etc/hostkey.pub" | cut -d' ' -f2)
    read -ra ports < <("$python" -c 'import socket, sys
s = [socket.socket() for _ in range(int(sys.argv[1]))]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])' $((${#sftp_kinds[@]} + 1)))
    for i in "${!sftp_kinds[@]}"; do declare -g "sftp_port_${sftp_kinds[i]}=${ports[i]}"; done
    sftp_port_proftpd=${ports[-1]}
    sftp_namespace=''
    if ((EUID == 0)) && unshare -m true 2>/dev/null; then
        sftp_namespace=yes sftp_user=keeper sftp_uid=54321
        sftp_accounts
        chown "$sftp_uid:$sftp_uid" "$sftp/home" "$sftp/jail/data" "$sftp/small"
    else
        sftp_user=$(id -un) sftp_uid=$EUID
    fi
    for kind in "${sftp_kinds[@]}"; do
        printf '[127.0.0.1]:%s %s\n' "$(sftp_port "$kind")" "$(cut -d' ' -f1,2 "$sftp/etc/hostkey.pub")"
    done >"$sftp/etc/known_hosts"
    printf '[127.0.0.1]:%s %s\n' "$sftp_port_proftpd" "$(cut -d' ' -f1,2 "$sftp/etc/hostkey_rsa.pub")" \
        >>"$sftp/etc/known_hosts"
    sshd_configuration
}

# What sshd sees in /etc, in its own namespace.
sftp_accounts() {
    local file
    for file in passwd group shadow; do cp "/etc/$file" "$sftp/etc/$file"; done
    chmod 600 "$sftp/etc/shadow"
    echo "keeper:x:$sftp_uid:$sftp_uid::$sftp/home:/bin/sh" >>"$sftp/etc/passwd"
    echo "keeper:x:$sftp_uid:" >>"$sftp/etc/group"
    echo "keeper:$(openssl passwd -6 "$sftp_password"):19000:0:99999:7:::" >>"$sftp/etc/shadow"
    cat >"$sftp/etc/pam" <<'CONF'
auth required pam_unix.so
account required pam_permit.so
session required pam_permit.so
CONF
}

sshd_configuration() {
    local kind all
    # every request of the protocol's extensions
    all=$("$sftp_server" -Q requests | grep -vxE \
        'open|close|read|write|lstat|fstat|setstat|fsetstat|opendir|readdir|remove|mkdir|rmdir|realpath|stat|rename|readlink|symlink' |
        paste -sd,)
    {
        for kind in "${sftp_kinds[@]}"; do echo "Port $(sftp_port "$kind")"; done
        cat <<CONF
ListenAddress 127.0.0.1
HostKey $sftp/etc/hostkey
HostKey $sftp/etc/hostkey_rsa
AuthorizedKeysFile $sftp/etc/authorized
PidFile none
StrictModes no
UsePAM ${sftp_namespace:-no}
AuthenticationMethods publickey
MaxStartups 200
MaxAuthTries 20
MaxSessions 20
UseDNS no
LogLevel VERBOSE
Subsystem sftp internal-sftp -u 0077
Match LocalPort $sftp_port_readonly
    ForceCommand internal-sftp -R
Match LocalPort $sftp_port_append
    ForceCommand internal-sftp -u 0077 -P remove,rmdir,posix-rename,setstat,fsetstat,symlink,hardlink
Match LocalPort $sftp_port_noext
    ForceCommand internal-sftp -u 0077 -P $all
Match LocalPort $sftp_port_noflush
    ForceCommand internal-sftp -u 0077 -P fsync
CONF
        [[ -z $sftp_namespace ]] || cat <<CONF
Match LocalPort $sftp_port_chroot
    ChrootDirectory /mnt
    ForceCommand internal-sftp -u 0077
Match LocalPort $sftp_port_password
    PasswordAuthentication yes
    AuthenticationMethods password
Match LocalPort $sftp_port_kbd
    KbdInteractiveAuthentication yes
    AuthenticationMethods keyboard-interactive
CONF
    } >"$sftp/etc/sshd.conf"
    # Algorithms are no business of a Match: another daemon.
    cat >"$sftp/etc/sshd_old.conf" <<CONF
Port $sftp_port_old
ListenAddress 127.0.0.1
HostKey $sftp/etc/hostkey_rsa
AuthorizedKeysFile $sftp/etc/authorized
PidFile none
StrictModes no
UsePAM no
KexAlgorithms diffie-hellman-group14-sha1
HostKeyAlgorithms ssh-rsa
Ciphers aes128-cbc
MACs hmac-sha1
Subsystem sftp internal-sftp
CONF
    sed -i "/^Port $sftp_port_old$/d" "$sftp/etc/sshd.conf"
}

sftp_listens() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# small_account MB: what the account `small` has; before start_sshd.
small_account() {
    mount -t tmpfs -o "size=$1M,uid=$sftp_uid,gid=$sftp_uid,mode=755" none "$sftp/small" 2>/dev/null || skip "cannot mount here"
    mounts+=("$sftp/small")
}

# start_sshd [old]: sshd in the foreground of its own namespace; $sshd (or $sshd_old) is its process.
start_sshd() {
    local i which=${1-} port=$sftp_port_plain
    local daemon=(/usr/sbin/sshd -D -f "$sftp/etc/sshd${which:+_$which}.conf" -E "$sftp/sshd$which.log")
    [[ -z $which ]] || port=$(sftp_port "$which")
    if [[ -n $sftp_namespace ]]; then
        # shellcheck disable=SC2016 # said to the inner shell
        unshare -m --propagation private /bin/sh -c '
            etc=$1; jail=$2; shift 2
            for f in passwd group shadow; do mount --bind "$etc/$f" "/etc/$f" || exit 1; done
            mkdir -p /run && mount -t tmpfs none /run && mkdir /run/sshd || exit 1
            mount --bind "$jail" /mnt || exit 1
            mount --bind "$etc/pam" /etc/pam.d/sshd || exit 1
            exec "$@"' sh "$sftp/etc" "$sftp/jail" "${daemon[@]}" &
    else
        ((EUID != 0)) || mkdir -p /run/sshd
        "${daemon[@]}" &
    fi
    if [[ $which == old ]]; then sshd_old=$!; else sshd=$!; fi
    servers+=("$!")
    for ((i = 0; i < 200; i++)); do
        ! sftp_listens "$port" || return 0
        kill -0 "${servers[-1]}" 2>/dev/null || break
        sleep 0.05
    done
    fail "sshd does not listen: $(cat "$sftp/sshd$which.log")"
}

# end_tree PROCESS: kills it with all that it started.
end_tree() {
    local all=("$1") i p
    kill -STOP "$1" 2>/dev/null || true # no new sessions while we look
    for ((i = 0; i < ${#all[@]}; i++)); do
        mapfile -t -O "${#all[@]}" all < <(ps -o pid= --ppid "${all[i]}" | tr -d ' ')
    done
    for p in "${all[@]}"; do kill -9 "$p" 2>/dev/null || true; done
    wait "$1" 2>/dev/null || true
}

kill_sshd() { end_tree "$sshd"; }

# drop_sessions: the connections of now, not the daemon.
drop_sessions() {
    local p
    for p in $(ps -o pid= --ppid "$sshd"); do end_tree "$p"; done
}

start_proftpd() {
    local i home=$sftp/home
    cat >"$sftp/proftpd/conf" <<CONF
ServerName "Stillpoint's tests"
ServerType standalone
DefaultAddress 127.0.0.1
Port $sftp_port_proftpd
ModulePath /usr/lib/proftpd
LoadModule mod_sftp.c
User $sftp_user
Group $([[ -n $sftp_namespace ]] && echo keeper || id -gn)
$( ((EUID != 0)) || echo 'DefaultRoot ~')
ControlsEngine off
PidFile $sftp/proftpd/pid
ScoreboardFile $sftp/proftpd/scoreboard
DelayTable $sftp/proftpd/delay
DelayEngine off
SystemLog $sftp/proftpd/log
TransferLog none
WtmpLog off
UseReverseDNS off
RequireValidShell off
AuthPAM off
AuthOrder mod_auth_file.c
AuthUserFile $sftp/proftpd/passwd
AuthGroupFile $sftp/proftpd/group
MaxInstances 40
MaxLoginAttempts 10
TimeoutIdle 600
Umask 077 077
AllowOverwrite on
AllowStoreRestart on
SFTPEngine on
SFTPLog $sftp/proftpd/sftp.log
SFTPHostKey $sftp/proftpd/hostkey
SFTPAuthMethods publickey password
SFTPAuthorizedUserKeys file:$sftp/proftpd/authorized
SFTPMaxChannels 10
CONF
    if [[ ! -e $sftp/proftpd/hostkey ]]; then
        cp "$sftp/etc/hostkey_rsa" "$sftp/proftpd/hostkey"
        ssh-keygen -q -p -m PEM -N '' -f "$sftp/proftpd/hostkey" >/dev/null
        echo "$sftp_user:$(openssl passwd -6 "$sftp_password"):$sftp_uid:$sftp_uid::$home:/bin/sh" >"$sftp/proftpd/passwd"
        echo "$sftp_user:x:$sftp_uid:" >"$sftp/proftpd/group"
        chmod 600 "$sftp/proftpd"/{passwd,group}
        for i in key key_rsa; do ssh-keygen -e -f "$sftp/etc/$i.pub"; done >"$sftp/proftpd/authorized"
    fi
    if [[ -n $sftp_namespace ]]; then
        # shellcheck disable=SC2016
        unshare -m --propagation private /bin/sh -c '
            for f in passwd group; do mount --bind "$1/$f" "/etc/$f" || exit 1; done
            shift; exec "$@"' sh "$sftp/etc" /usr/sbin/proftpd -n -q -c "$sftp/proftpd/conf" >"$sftp/proftpd/out" 2>&1 &
    else
        /usr/sbin/proftpd -n -q -c "$sftp/proftpd/conf" >"$sftp/proftpd/out" 2>&1 &
    fi
    proftpd=$!
    servers+=("$proftpd")
    for ((i = 0; i < 200; i++)); do
        ! sftp_listens "$sftp_port_proftpd" || return 0
        kill -0 "$proftpd" 2>/dev/null || break
        sleep 0.05
    done
    fail "proftpd does not listen: $(cat "$sftp/proftpd/out" "$sftp/proftpd/log" 2>/dev/null)"
}

kill_proftpd() { end_tree "$proftpd"; }

# A line between (one at a time is $line): connections to 127.0.0.1:$front go on to an account, cut_line cuts them all.
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
