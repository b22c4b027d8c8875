#!/usr/bin/env bash
# usage: run.sh DLL… TEST.exe: the test under Wine, in a prefix of its own with those DLLs in the system folder, and
# with \\?\GLOBALROOT\Device as a folder: Wine opens what dosdevices/globalroot points to.
set -euo pipefail

wine=$SP_SOURCE/cmake/windows/wine.sh
"$wine" wineboot >/dev/null 2>&1 || true # the prefix that is copied
world=$(mktemp -d)
trap 'wineserver -k 2>/dev/null || true; wineserver -w 2>/dev/null || true; rm -rf "$world"' EXIT
cp -a "${WINEPREFIX:-$SP_SOURCE/build/wine}" "$world/wine"
export WINEPREFIX=$world/wine WINEDLLOVERRIDES="mscoree,mshtml="
while (($# > 1)); do
    cp "$1" "$WINEPREFIX/drive_c/windows/system32/"
    WINEDLLOVERRIDES+=";$(basename "$1" .dll)=n"
    shift
done
mkdir -p "$world/globalroot/Device"
ln -s "$world/globalroot" "$WINEPREFIX/dosdevices/globalroot"
export STILLPOINT_TEST_WORLD=Z:${world//\//\\}
"$wine" "$1"
