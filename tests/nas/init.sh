#!/bin/busybox sh
# The guest's first process: the machine's files below, a tmpfs above them, the script, and off.
export PATH=/bin
/bin/busybox --install -s /bin
mount -t proc none /proc
mount -t sysfs none /sys
mount -t devtmpfs none /dev
while read -r module; do
    insmod "/modules/$module"
done </modules/order
word() { tr ' ' '\n' </proc/cmdline | sed -n "s/^$1=//p"; }
mount -t 9p -o trans=virtio,version=9p2000.L,ro,cache=loose,msize=512000 below /below || poweroff -f
mount -t tmpfs -o size=1g none /above
mkdir /above/upper /above/work
mount -t overlay -o lowerdir=/below,upperdir=/above/upper,workdir=/above/work none /new || poweroff -f
script=$(word sp.script) modules=$(word sp.modules) build=$(word sp.build) source=$(word sp.source)
for folder in proc sys dev; do mount --move /$folder /new/$folder; done
mount -t tmpfs none /new/run
ip link set lo up
cat >/new/run/start <<END
export PATH=/usr/sbin:/usr/bin:/sbin:/bin SP_BUILD=$build SP_SOURCE=$source
hostname guest
mkdir -p /lib/modules
ln -sfn "$modules/lib/modules/\$(uname -r)" /lib/modules/
bash $script </dev/null
echo "guest ended with \$?"
sync
exec /bin/busybox poweroff -f
END
exec switch_root /new /bin/sh /run/start
