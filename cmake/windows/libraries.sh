#!/usr/bin/env bash
# usage: libraries.sh PREFIX SOURCES WORK: builds the static libraries for Windows into PREFIX, from the folders that
# fetch.sh made in SOURCES. A recipe a library, each with the options and nothing else; what it says goes to
# WORK/NAME.log. PREFIX/licences gets the terms of each.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
mkdir -p "$1"/{include,lib/pkgconfig,licences} "$3"
prefix=$(cd "$1" && pwd -P)
sources=$(cd "$2" && pwd -P)
work=$(cd "$3" && pwd -P)
cores=$(nproc)
triplet=x86_64-w64-mingw32
cc=$triplet-gcc-win32
# Each function in a section of its own, so that the programs take only those that are called; and no word in them of
# where this machine keeps its sources.
flags=(-O2 -g -ffunction-sections -fdata-sections -fstack-protector-strong "-ffile-prefix-map=$sources/=")

archive() { "$triplet-ar" rcs "$prefix/lib/$1" "${@:2}"; }

# pc NAME VERSION LIBS [CFLAGS]: how pkg-config finds it, wherever the prefix is.
pc() {
    cat >"$prefix/lib/pkgconfig/$1.pc" <<EOF
prefix=\${pcfiledir}/../..
Name: $1
Description: $1 for Windows, static
Version: $2
Libs: -L\${prefix}/lib $3
Cflags: -I\${prefix}/include${4:+ $4}
EOF
}

# by_cmake SOURCE OPTION…
by_cmake() {
    local source=$1
    shift
    cmake -S "$source" -B "$source/build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$here/toolchain.cmake" \
        -DSP_WINDOWS_PREFIX="$prefix" -DCMAKE_INSTALL_PREFIX="$prefix" -DCMAKE_BUILD_TYPE=None \
        -DCMAKE_C_FLAGS="${flags[*]}" -DBUILD_SHARED_LIBS=OFF -DBUILD_TESTING=OFF "$@"
    ninja -C "$source/build" -j "$cores"
}

libzstd() { # version source
    make -C "$2/lib" -j "$cores" libzstd.a-mt CC="$cc" AR="$triplet-ar" TARGET_SYSTEM=Windows OS=Windows_NT \
        CFLAGS="${flags[*]}" ZSTD_LEGACY_SUPPORT=0
    cp "$2/lib/libzstd.a" "$prefix/lib"
    cp "$2"/lib/{zstd,zstd_errors,zdict}.h "$prefix/include"
    cp "$2/LICENSE" "$prefix/licences/zstd.txt"
    pc libzstd "$1" -lzstd
}

libuv1() {
    by_cmake "$2" -DLIBUV_BUILD_SHARED=OFF
    cp "$2/build/libuv.a" "$prefix/lib"
    cp -r "$2/include/." "$prefix/include"
    cat "$2"/LICENSE "$2"/LICENSE-extra >"$prefix/licences/libuv.txt"
    pc libuv "$1" "-luv -lpsapi -luser32 -ladvapi32 -liphlpapi -luserenv -lws2_32 -ldbghelp -lole32 -lshell32"
}

protobuf-c() { # the runtime is one file; the generator is this machine's
    "$cc" "${flags[@]}" -I"$2" -c "$2/protobuf-c/protobuf-c.c" -o "$work/protobuf-c.o"
    archive libprotobuf-c.a "$work/protobuf-c.o"
    mkdir -p "$prefix/include/protobuf-c"
    cp "$2/protobuf-c/protobuf-c.h" "$prefix/include/protobuf-c"
    cp "$2/LICENSE" "$prefix/licences/protobuf-c.txt"
    pc libprotobuf-c "$1" -lprotobuf-c
}

sqlite3() { # all of it in one file, made by this machine's tclsh; https://sqlite.org/compile.html
    (cd "$2" && ./configure --disable-tcl --disable-readline && make sqlite3.c)
    "$cc" "${flags[@]}" -DSQLITE_THREADSAFE=1 -DSQLITE_DQS=0 -DSQLITE_DEFAULT_MEMSTATUS=0 \
        -DSQLITE_OMIT_LOAD_EXTENSION -DSQLITE_OMIT_DEPRECATED -DSQLITE_OMIT_SHARED_CACHE \
        -c "$2/sqlite3.c" -o "$work/sqlite3.o"
    archive libsqlite3.a "$work/sqlite3.o"
    cp "$2/sqlite3.h" "$prefix/include"
    cp "$2/LICENSE.md" "$prefix/licences/sqlite3.txt"
    pc sqlite3 "$1" -lsqlite3
}

cmocka() { # for the tests only. Built and declared with the standard's printf, so that %zu means in them what it does elsewhere
    by_cmake "$2" -DWITH_EXAMPLES=OFF -DUNIT_TESTING=OFF -DCMAKE_C_FLAGS="${flags[*]} -D__USE_MINGW_ANSI_STDIO=1"
    cp "$2/build/src/libcmocka.a" "$prefix/lib"
    sed 's/(__format__ (__printf__,/(__format__ (__gnu_printf__,/' "$2/include/cmocka.h" >"$prefix/include/cmocka.h"
    grep -q __gnu_printf__ "$prefix/include/cmocka.h"
    pc cmocka "$1" -lcmocka
}

# What is left out is neither used by Stillpoint (TLS 1.3, X25519, P-256, Ed25519, AES-GCM, ChaCha20-Poly1305, SHA-2,
# HMAC, HKDF, scrypt) nor wanted for SSH (RSA, DH, ECDSA; CBC, DES and MD5 open old key files). TLS 1.2 stays because
# the tests show that it is refused. No configuration file, engine or module is ever loaded, so that what stands at
# the compiled-in folders means nothing.
openssl() {
    (
        cd "$2"
        SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -STimestamp) # told by OpenSSL_version(OPENSSL_BUILT_ON)
        export SOURCE_DATE_EPOCH
        CC=$cc ./Configure mingw64 --prefix=/stillpoint --openssldir=/stillpoint/ssl --libdir=lib \
            no-shared no-tests no-apps no-docs no-autoload-config no-dso no-engine no-module no-legacy no-capieng \
            no-uplink no-ui-console no-ssl-trace no-comp no-http \
            no-ssl3 no-tls1 no-tls1_1 no-dtls no-quic no-srp no-psk no-srtp no-ct no-nextprotoneg no-weak-ssl-ciphers \
            no-ocsp no-cmp no-cms no-ts no-rfc3779 \
            no-aria no-bf no-blake2 no-camellia no-cast no-dsa no-ec2m no-gost no-idea no-md4 no-mdc2 no-ml-dsa \
            no-ml-kem no-rc2 no-rc4 no-rc5 no-rmd160 no-seed no-siphash no-siv no-slh-dsa no-sm2 no-sm3 no-sm4 \
            no-whirlpool \
            -g "${flags[@]:2:3}"
        make -j "$cores" build_libs AR="$triplet-ar" RANLIB="$triplet-ranlib" RC="$triplet-windres"
        make install_dev DESTDIR="$work/openssl" AR="$triplet-ar" RANLIB="$triplet-ranlib"
    )
    cp "$work"/openssl/stillpoint/lib/lib{ssl,crypto}.a "$prefix/lib"
    cp -r "$work/openssl/stillpoint/include/openssl" "$prefix/include"
    cp "$2/LICENSE.txt" "$prefix/licences/openssl.txt"
    pc libcrypto "$1" "-lcrypto -lws2_32 -lgdi32 -lcrypt32 -ladvapi32 -luser32"
    pc libssl "$1" "-lssl -lcrypto -lws2_32 -lgdi32 -lcrypt32 -ladvapi32 -luser32"
}

libssh2() { # behind OpenSSL in `versions`
    by_cmake "$2" -DCRYPTO_BACKEND=OpenSSL -DOPENSSL_USE_STATIC_LIBS=ON -DOPENSSL_ROOT_DIR="$prefix" \
        -DBUILD_EXAMPLES=OFF -DBUILD_STATIC_LIBS=ON
    cp "$2/build/src/libssh2.a" "$prefix/lib"
    cp "$2"/include/libssh2*.h "$prefix/include"
    cp "$2/COPYING" "$prefix/licences/libssh2.txt"
    pc libssh2 "$1" "-lssh2 -lcrypto -lws2_32 -lgdi32 -lcrypt32 -lbcrypt -ladvapi32 -luser32" \
        -DSP_LIBSSH2_PATCHED
}

while read -r name version; do
    began=$SECONDS
    # Not in a condition: set -e has to hold inside the recipe.
    set +e
    (
        set -e
        "$name" "${version%%[-+]*}" "$sources/$name"
    ) >"$work/$name.log" 2>&1 </dev/null
    code=$?
    set -e
    if ((code != 0)); then
        tail -n 30 "$work/$name.log" >&2
        echo "windows: $name $version could not be built; all it said is in $work/$name.log" >&2
        exit 1
    fi
    echo "$name $version: $((SECONDS - began)) s"
done < <(grep '^[^ #]' "$here/../libraries/versions")

# What the compiler itself puts into every program.
cp /usr/share/doc/mingw-w64-x86-64-dev/copyright "$prefix/licences/mingw-w64.txt"
cp /usr/share/doc/gcc-mingw-w64-x86-64-win32-runtime/copyright "$prefix/licences/gcc.txt"
