#!/usr/bin/env bash
# usage: libssh2.sh CACHE COMPILER: builds libssh2 of `versions` for this machine, static, with the machine's OpenSSL, once
# for each version, recipe, compiler and OpenSSL. Prints the folder that holds include/ and lib/: CACHE/libssh2-HASH.
# Nothing is done, and nothing else said, when it is there.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
mkdir -p "$1"
cache=$(cd "$1" && pwd -P)
cc=$2

hash=$({
    awk '/^[^ #]/ { on = $1 == "libssh2" } on' "$here/versions"
    cat "$here/libssh2.sh" "$here"/patches/libssh2/*
    "$cc" --version
    pkg-config --modversion libcrypto
} | sha256sum | cut -c 1-16)
prefix=$cache/libssh2-$hash

build() {
    local work=$1
    "$here/fetch.sh" "$cache/sources" "$work" libssh2
    # One program, one thread for each session: no hidden globals are wanted, no compression (sealed blocks do not
    # compress), no trace. Position independent, because programs are.
    cmake -S "$work/libssh2" -B "$work/build" -G Ninja -DCMAKE_C_COMPILER="$cc" -DCMAKE_BUILD_TYPE=None \
        -DCMAKE_C_FLAGS="-O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2 -ffile-prefix-map=$work/libssh2=libssh2" \
        -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_INSTALL_LIBDIR=lib \
        -DCRYPTO_BACKEND=OpenSSL -DENABLE_ZLIB_COMPRESSION=OFF -DENABLE_DEBUG_LOGGING=OFF \
        -DBUILD_SHARED_LIBS=OFF -DBUILD_STATIC_LIBS=ON -DBUILD_EXAMPLES=OFF -DBUILD_TESTING=OFF
    ninja -C "$work/build"
    mkdir -p "$work/out/lib" "$work/out/include"
    cp "$work/build/src/libssh2.a" "$work/out/lib"
    cp "$work"/libssh2/include/libssh2*.h "$work/out/include"
    cp "$work/libssh2/COPYING" "$work/out/licence.txt"
    mv "$work/out" "$prefix" # it has its name only when it is whole
}

if [[ ! -d $prefix ]]; then
    exec 8>"$cache/lock" # several builds may begin at once
    flock 8
fi
if [[ ! -d $prefix ]]; then
    work=$(mktemp -d "$cache/work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    # In a process of its own: set -e does not hold inside a condition.
    set +e
    (
        set -e
        build "$work"
    ) >"$cache/libssh2.log" 2>&1 </dev/null
    code=$?
    set -e
    if ((code != 0)); then
        tail -n 30 "$cache/libssh2.log" >&2
        exit 1
    fi
fi
printf '%s\n' "$prefix"
