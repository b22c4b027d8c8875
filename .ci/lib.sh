# Sourced by every command of ./dev: where things are, and what has to be installed for which purpose.
# A command leaves the caller's working directory alone, so that PATH arguments mean what they say.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
# Debian's own interpreter: python3-cryptography belongs to it, not to what else is first on PATH.
python=/usr/bin/python3
cores=$(nproc)

packages_build=(pkg-config cmake ninja-build gcc libc6-dev libssl-dev libzstd-dev libuv1-dev
    libprotobuf-c-dev protobuf-c-compiler protobuf-compiler libcmocka-dev libsqlite3-dev
    libcurl4-openssl-dev libbtrfsutil-dev)
# libssh2 is built from Debian's source package (cmake/libraries).
packages_build+=(dpkg-dev patch xz-utils)
packages_test=(acl attr rsync btrfs-progs e2fsprogs fuse3 libcap2-bin libfuse3-dev ntfs-3g openssh-client
    openssh-server openssl procps proftpd-core proftpd-mod-crypto python3 python3-cryptography rclone
    sshfs strace systemd util-linux zstd)
packages_nas=(busybox-static cifs-utils cpio kmod nfs-common nfs-kernel-server qemu-system-x86 samba)
# Compiler and what the libraries' own builds need; their sources come from Debian's mirror (cmake/libraries).
packages_windows=(binutils-mingw-w64-x86-64 dpkg-dev gcc-mingw-w64-x86-64-win32 make mingw-w64-x86-64-dev patch perl
    tcl xz-utils)
packages_wine=(wine wine64)
packages_msi=(msitools wixl)
packages_clang=(clang libclang-rt-14-dev)
packages_lint=(clang-tidy cppcheck)
packages_format=(clang-format-14 git)
# apt fetches newer restic and borg for the measurement; these are for a machine without network.
packages_bench=(time restic borgbackup xz-utils)

say() { printf '%s\n' "$*"; }

# die CODE SENTENCE
die() {
    printf 'dev: %s\n' "$2" >&2
    exit "$1"
}

# missing PACKAGE…: those that are not installed, one a line.
missing() {
    comm -13 <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null |
        sed -n 's/^installed //p' | sort -u) <(printf '%s\n' "$@" | sort -u)
}

# need PACKAGE…: installs what is missing; silent and quick when nothing is.
need() {
    command -v dpkg-query >/dev/null ||
        die 2 "this is not a Debian system: install by hand what these packages hold: $*"
    local absent
    mapfile -t absent < <(missing "$@")
    ((${#absent[@]})) || return 0
    local as_root=()
    if ((EUID != 0)); then
        command -v sudo >/dev/null || die 2 "packages are missing and neither root nor sudo is at \
hand; as root: apt-get install --no-install-recommends ${absent[*]}"
        as_root=(sudo)
        [[ -t 0 ]] || as_root+=(-n)
    fi
    local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300)
    say "dev: installing ${absent[*]}" >&2
    # Old package lists lead to files that the mirror no longer has: then they are fetched anew, once.
    if ! "${apt[@]}" install --no-install-recommends -y "${absent[@]}" </dev/null >&2; then
        "${apt[@]}" update </dev/null >&2 || die 2 "apt-get update failed; see above."
        "${apt[@]}" install --no-install-recommends -y "${absent[@]}" </dev/null >&2 ||
            die 2 "apt-get could not install: ${absent[*]}"
    fi
}

# build PRESET [TARGET…]: configures and builds; the packages must be there.
build() {
    local preset=$1 launcher='' target=()
    shift
    (($# == 0)) || target=(--target "$@")
    # Always said, because CMake keeps the last word and ccache may be gone by now.
    launcher=$(command -v ccache || true)
    (cd "$top" && cmake --preset "$preset" -DCMAKE_C_COMPILER_LAUNCHER="$launcher" --log-level=WARNING \
        >/dev/null && cmake --build --preset "$preset" -j "$cores" "${target[@]}")
}
