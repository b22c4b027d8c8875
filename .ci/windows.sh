#!/usr/bin/env bash
# usage: windows [--clean] [--test]: build stillpoint.exe and stillpointd.exe into build/windows; --test: their tests, under Wine
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

clean='' tests='' failed=''
for option in "$@"; do
    case $option in
    --clean) clean=yes ;;
    --test) tests=yes ;;
    *) die 5 "windows takes --clean, --test or nothing." ;;
    esac
done
need "${packages_build[@]}" "${packages_windows[@]}" "${packages_msi[@]}"
[[ ! $tests ]] || need "${packages_wine[@]}"

recipes=$top/cmake/windows
libs=$top/build/windows-libs # by versions and recipes
sources=$top/build/libraries/sources # what was fetched, for Linux too
out=$top/build/windows
[[ ! $clean ]] || rm -rf "$libs" "$out"
mkdir -p "$libs"

# One at a time; and a prefix has its name only when it is whole.
exec 9>"$libs/lock"
flock 9
hash=$(cat "$top"/cmake/libraries/{versions,fetch.sh,patches/*/*} "$recipes"/{libraries.sh,toolchain.cmake} <(x86_64-w64-mingw32-gcc-win32 --version) |
    sha256sum | cut -c 1-16)
if [[ ! -d $libs/$hash ]]; then
    say "dev: building the libraries for Windows, once for these versions and recipes"
    find "$libs" -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} + # what is there belongs to other versions
    "$top/cmake/libraries/fetch.sh" "$sources" "$libs/unpacked"
    "$recipes/libraries.sh" "$libs/$hash.new" "$libs/unpacked" "$libs/work"
    mv "$libs/$hash.new" "$libs/$hash"
    rm -rf "$libs/work" "$libs/unpacked"
fi
exec 9>&- # not for what is started below
# CMake remembers where it found them.
[[ ! -e $out/CMakeCache.txt ]] || grep -qF "$libs/$hash/" "$out/CMakeCache.txt" || rm -rf "$out"
mkdir -p "$out"
export SP_WINDOWS_PREFIX=$libs/$hash

if [[ $tests ]]; then
    build windows
else
    build windows stillpoint stillpointd
fi
programs=("$out/client/stillpoint.exe" "$out/server/stillpointd.exe")

# Whose code is in the programs, beside them.
rm -rf "$out/licences"
cp -r "$SP_WINDOWS_PREFIX/licences" "$out/licences"
cp "$top/LICENSE" "$out/licences/stillpoint.txt"

"$python" "$top/tests/windows/imports.py" "${programs[@]}"

# What goes to a machine with Windows, in one folder: programs, licences, installer; with --test also what
# tests/windows/features.ps1 and vss.ps1 need.
dist=$out/dist
rm -rf "$dist"
mkdir -p "$dist"
cp "${programs[@]}" "$dist"
cp -r "$out/licences" "$dist/licences"
version=$(sed -n 's/^project(stillpoint VERSION \([0-9.]*\).*/\1/p' "$top/CMakeLists.txt")
"$top/packaging/msi/build.sh" "$dist" "$version" "$dist/stillpoint.msi"
"$python" "$top/tests/windows/msi.py" "$dist/stillpoint.msi" "$dist"
if [[ $tests ]]; then
    cp "$out/tests/ntfs/ntfstree.exe" "$top"/tests/windows/{features,vss}.ps1 "$dist"
    # Wine's own services end with the last program and come with the next one, whose output they hold: a test that
    # started them does not seem to end as long as others run beside it. So one program waits until all is done.
    coproc waits { exec "$recipes/wine.sh" cmd.exe /c "echo ready& pause" 2>/dev/null; }
    waiting=$waits_PID waits_for=${waits[1]} says=${waits[0]} # bash forgets them when it ends
    read -r -t 300 _ <&"$says" || die 2 "Wine does not start; see $top/build/wine.log"
    (cd "$out" && ctest --output-on-failure --no-tests=error -j $((2 * cores)) ${SP_JUNIT:+--output-junit "$SP_JUNIT"}) || failed=yes
    exec {waits_for}>&-
    wait "$waiting" || true
    [[ ! $failed ]] || exit 1
fi
say "dev: ${programs[*]#"$top/"} in $SECONDS s"
