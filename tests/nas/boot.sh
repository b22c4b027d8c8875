#!/usr/bin/env bash
# boot.sh SCRIPT [DISK…]: runs SCRIPT as root in a small virtual machine with Debian's kernel, which has what the
# machine underneath may lack: CIFS, NFS and their servers' modules. The guest sees this machine's files read-only,
# with a tmpfs above them, and each DISK as /dev/vda, /dev/vdb, …; nothing that it writes elsewhere stays. Its output
# comes to standard output, its exit code is SCRIPT's. Everything ends by itself after SP_GUEST_SECONDS (2400).
#
# The kernel is unpacked from its package, not installed, below SP_GUEST_CACHE.
set -euo pipefail

cache=${SP_GUEST_CACHE:?}
script=$(readlink -f "$1")
shift
mkdir -p "$cache"
cache=$(readlink -f "$cache")

# Debian's kernel and an initramfs that mounts this machine's files.
kernel() {
    local package version module
    [[ ! -s $cache/ready ]] || return 0
    rm -rf "$cache"/*
    package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
    [[ -n $package ]] || { echo "boot: apt knows no linux-image-amd64" >&2; return 2; }
    (cd "$cache" && apt-get -qq -o APT::Sandbox::User=root download "$package")
    dpkg -x "$cache"/linux-image-*.deb "$cache/kernel"
    rm -f "$cache"/linux-image-*.deb
    version=$(ls "$cache/kernel/lib/modules")
    depmod -b "$cache/kernel" "$version"
    mkdir -p "$cache/initramfs"/{bin,dev,proc,sys,below,above,new,modules}
    cp /bin/busybox "$cache/initramfs/bin/busybox"
    for module in virtio_pci virtio_blk 9p 9pnet_virtio overlay; do
        modprobe -d "$cache/kernel" -S "$version" --show-depends "$module"
    done | awk '/^insmod/ && !seen[$2]++ { print $2 }' | while read -r module; do
        cp "$module" "$cache/initramfs/modules/"
        echo "${module##*/}" >>"$cache/initramfs/modules/order"
    done
    cp "$(dirname "$0")/init.sh" "$cache/initramfs/init"
    chmod +x "$cache/initramfs/init"
    (cd "$cache/initramfs" && find . | cpio --quiet -o -H newc | gzip -1) >"$cache/initramfs.gz"
    echo "$version" >"$cache/ready"
}

kernel
version=$(cat "$cache/ready")
accelerator=${SP_GUEST_ACCEL:-tcg}
drives=()
for disk; do
    drives+=(-drive "file=$disk,format=raw,if=virtio,cache=unsafe")
done
out=$(mktemp)
trap 'rm -f "$out"' EXIT
timeout --foreground "${SP_GUEST_SECONDS:-2400}" qemu-system-x86_64 -machine "q35,accel=$accelerator" -cpu max -m 1536 -smp 2 \
    -nographic -no-reboot -nodefaults -serial stdio -monitor none \
    -kernel "$cache/kernel/boot/vmlinuz-$version" -initrd "$cache/initramfs.gz" \
    -append "console=ttyS0 quiet panic=-1 sp.script=$script sp.modules=$cache/kernel sp.build=${SP_BUILD-} sp.source=${SP_SOURCE-}" \
    -virtfs local,path=/,mount_tag=below,security_model=none,readonly=on,multidevs=remap \
    "${drives[@]}" </dev/null 2>&1 | tr -d '\r' | tee "$out"
code=$(sed -n 's/^guest ended with \([0-9]*\)$/\1/p' "$out" | tail -n 1)
[[ -n $code ]] || { echo "boot: the guest did not end by itself" >&2; exit 1; }
exit "$code"
