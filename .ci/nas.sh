#!/usr/bin/env bash
# usage: nas: repositories on CIFS and NFS mounts, against Samba and an NFS server, in a small virtual machine
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need "${packages_build[@]}" "${packages_test[@]}" "${packages_nas[@]}"
build release e2e-programs
disks=$(mktemp -d)
trap 'rm -rf "$disks"' EXIT
truncate -s 2G "$disks/disk"
truncate -s 40M "$disks/small"
SP_BUILD=$top/build/release SP_SOURCE=$top SP_GUEST_CACHE=$top/build/nas \
    "$top/tests/nas/boot.sh" "$top/tests/nas/stores.sh" "$disks/disk" "$disks/small"
