#!/usr/bin/env bash
# usage: wine.sh PROGRAM.exe [ARGUMENT…]: runs a program for Windows under Wine, with its exit code.
# The prefix is $WINEPREFIX, else build/wine; it is made at the first use, as Windows 10. Nothing of Mono
# and Gecko is wanted (mscoree, mshtml), nor a display.
set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
export WINEPREFIX=${WINEPREFIX:-$top/build/wine}
export WINEDEBUG=${WINEDEBUG:--all}
export WINEDLLOVERRIDES=${WINEDLLOVERRIDES:-mscoree,mshtml=}
unset DISPLAY WAYLAND_DISPLAY

# One maker; the others wait until the prefix is whole.
mkdir -p "$(dirname "$WINEPREFIX")"
if [[ ! -e $WINEPREFIX/.stillpoint ]]; then
    (
        flock 9
        [[ ! -e $WINEPREFIX/.stillpoint ]] || exit 0
        { wineboot --init && wine winecfg -v win10 && wineserver -w; } >&2
        touch "$WINEPREFIX/.stillpoint"
    ) 9>"$WINEPREFIX.lock" 2>"$WINEPREFIX.log" || {
        cat "$WINEPREFIX.log" >&2
        echo "wine.sh: no Wine prefix could be made in $WINEPREFIX; see above." >&2
        exit 99
    }
fi
exec wine "$@"
