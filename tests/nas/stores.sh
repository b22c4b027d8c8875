#!/usr/bin/env bash
# What the product is for, inside the guest: repositories on CIFS and NFS mounts, against Samba and the kernel's NFS
# server in the same guest. For each kind of mount: the contract of all backends; a round trip; the server killed and
# started again in mid-run; the share unmounted in mid-run; a share that is full. /dev/vda is the disk behind the
# shares, /dev/vdb a small one.
. "${SP_SOURCE:?}/tests/e2e/lib.bash" || exit 2

lines() { sed 's/^/    /'; }
conformance=$SP_BUILD/tests/unit/storage/conformance_folder
shares=/srv/shares
disk=$shares/disk small=$shares/small mnt=$world/mnt
for module in ext4 cifs nfs nfsv3 nfsv4 nfsd; do modprobe "$module"; done
mkfs.ext4 -q -F /dev/vda
mkfs.ext4 -q -F /dev/vdb
mkdir -p "$shares" "$mnt"
mount -t tmpfs none "$shares" # the root of NFS 4's own tree must be a file system that can be exported
mounts+=("$shares")
mkdir "$disk" "$small"
mount /dev/vda "$disk"
mount /dev/vdb "$small"
mounts+=("$disk" "$small")
mkdir -p "$world/samba/private" "$world/samba/lock" "$world/samba/state" "$world/samba/cache" "$world/samba/run"
cat >"$world/smb.conf" <<END
[global]
  server role = standalone server
  map to guest = Bad User
  guest account = root
  interfaces = lo
  bind interfaces only = yes
  smb ports = 445
  disable netbios = yes
  log file = $world/samba/log
  lock directory = $world/samba/lock
  state directory = $world/samba/state
  cache directory = $world/samba/cache
  private dir = $world/samba/private
  pid directory = $world/samba/run
  ncalrpc dir = $world/samba/run
[disk]
  path = $disk
  guest ok = yes
  writable = yes
  force user = root
[small]
  path = $small
  guest ok = yes
  writable = yes
  force user = root
END

smb_start() {
    smbd -D -s "$world/smb.conf"
    for _ in {1..100}; do ! (: </dev/tcp/127.0.0.1/445) 2>/dev/null || return 0; sleep 0.1; done
    fail "Samba does not listen: $(cat "$world/samba/log" 2>/dev/null)"
}
smb_kill() { pkill -9 smbd || true; }

nfs_start() {
    mountpoint -q /proc/fs/nfsd || mount -t nfsd none /proc/fs/nfsd
    mkdir -p /var/lib/nfs/v4recovery /run/rpcbind
    touch /var/lib/nfs/etab /var/lib/nfs/rmtab
    pgrep -x rpcbind >/dev/null || rpcbind -w
    pgrep -x rpc.mountd >/dev/null || rpc.mountd
    exportfs -i -o ro,no_subtree_check,insecure,fsid=0,crossmnt "127.0.0.1:$shares"
    exportfs -i -o rw,no_root_squash,no_subtree_check,insecure,fsid=1 "127.0.0.1:$disk"
    exportfs -i -o rw,no_root_squash,no_subtree_check,insecure,fsid=2 "127.0.0.1:$small"
    rpc.nfsd -G 10 -L 10 4
}
nfs_kill() { rpc.nfsd 0; }

# attach KIND SHARE
attach() {
    case $1 in
    cifs) mount -t cifs "//127.0.0.1/$2" "$mnt" -o guest,vers=3.1.1,nohandlecache,echo_interval=2 ;;
    nfs4) mount -t nfs -o vers=4.2,hard,timeo=20,retrans=2 "127.0.0.1:/$2" "$mnt" ;;
    nfs3) mount -t nfs -o vers=3,tcp,nolock,hard,timeo=20,retrans=2 "127.0.0.1:$shares/$2" "$mnt" ;;
    nfs4-soft) mount -t nfs -o vers=4.2,softerr,timeo=10,retrans=1 "127.0.0.1:/$2" "$mnt" ;;
    esac
}
detach() { umount "$mnt" || umount -f -l "$mnt"; }
server() { [[ $1 == cifs ]] && echo smb || echo nfs; } # server KIND

tree=$world/tree
mkdir "$tree"
for i in {1..60}; do head -c $((RANDOM * 2)) /dev/urandom >"$tree/$i"; done
smb_start
nfs_start

# whole SET: it restores equal to the tree kept beside it.
restores() {
    rm -rf "$world/back"
    quiet "$stillpoint" restore "$1" --target "$world/back"
    same "$2" "$world/back$tree"
}

for kind in cifs nfs4 nfs3 nfs4-soft; do
    began=$SECONDS
    as "$kind"
    attach "$kind" disk
    mkdir "$mnt/contract-$kind"
    out=$("$conformance" "$mnt/contract-$kind" 2>&1) || fail "$kind: the contract of backends: $out"
    echo "$kind: contract: $(grep -c '\[ *OK' <<<"$out") tests"

    quiet "$stillpoint" init -r "$mnt/$kind" --sheet "$world/$kind.sheet"
    quiet "$stillpoint" backup "$tree"
    cp -a "$tree" "$world/first"
    first=$("$stillpoint" list --json | "$python" -c 'import json,sys; print(json.load(sys.stdin)["sets"][-1]["set"])')
    restores "$first" "$world/first"
    quiet "$stillpoint" check --read-data
    echo "$kind: round trip, check: ok"

    # the server is killed in mid-run, and comes back after a while
    head -c 6000000 /dev/urandom >"$tree/large"
    "$stillpoint" backup "$tree" --set bandwidth=1M >"$world/run.log" 2>&1 &
    run=$!
    sleep 3
    "$(server "$kind")_kill"
    sleep 4
    "$(server "$kind")_start"
    code=0
    wait "$run" || code=$?
    echo "$kind: server killed for 4 s in mid-run: exit $code: $(tail -n 1 "$world/run.log")"
    if ((code == 0)); then
        restores latest "$tree"
    else
        [[ $code == 2 || $code == 6 ]] || fail "exit $code: $(cat "$world/run.log")"
        [[ -s $world/run.log ]] || fail "nothing was said"
        for _ in {1..30}; do ! ls "$mnt/$kind" >/dev/null 2>&1 || break; sleep 1; done
        quiet "$stillpoint" backup "$tree"
        restores latest "$tree"
    fi
    restores "$first" "$world/first"

    # the share is unmounted in mid-run: nothing is made up, nothing lands in the mount point
    head -c 6000000 /dev/urandom >"$tree/large"
    "$stillpoint" backup "$tree" --set bandwidth=1M >"$world/run.log" 2>&1 &
    run=$!
    sleep 3
    umount -l "$mnt"
    code=0
    wait "$run" || code=$?
    echo "$kind: unmounted in mid-run: exit $code: $(tail -n 1 "$world/run.log")"
    [[ $code == 0 || $code == 2 || $code == 6 ]] || fail "exit $code: $(cat "$world/run.log")"
    [[ -z $(ls -A "$mnt") ]] || fail "$kind: something was written into the bare mount point"
    expect 6 '' "$stillpoint" list
    expect 6 '' "$stillpoint" backup "$tree"
    [[ -z $(ls -A "$mnt") ]] || fail "$kind: something was written into the bare mount point"
    attach "$kind" disk
    ((code != 0)) || restores latest "$tree" # a lazily unmounted file system takes what is open
    quiet "$stillpoint" backup "$tree"
    restores latest "$tree"
    restores "$first" "$world/first"
    quiet "$stillpoint" check --read-data
    detach

    # a share that is full
    as "$kind-small"
    attach "$kind" small
    rm -f "$tree/large"
    quiet "$stillpoint" init -r "$mnt/$kind" --sheet "$world/$kind-small.sheet"
    quiet "$stillpoint" backup "$tree"
    rm -rf "$world/first"
    cp -a "$tree" "$world/first"
    head -c 60000000 /dev/urandom >"$tree/large"
    expect 2 'space' "$stillpoint" backup "$tree"
    restores latest "$world/first"
    head -c 1000000 /dev/urandom >"$tree/large"
    quiet "$stillpoint" backup "$tree"
    restores latest "$tree"
    quiet "$stillpoint" check --read-data
    rm -rf "${mnt:?}/$kind" "$tree/large" "$world/first"
    detach
    echo "$kind: full share: ok; $((SECONDS - began)) s"
done
smb_kill
nfs_kill
echo "stores: ok"
