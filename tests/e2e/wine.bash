# Sourced by the suites that run the programs for Windows under Wine: the words of lib.bash, and those of Windows.
# SP_WINDOWS is the build of ./dev windows. Wine shows this system's files as drive Z:, so both programs see the same
# trees.
. "$(dirname "${BASH_SOURCE[0]}")/lib.bash"

programs=${SP_WINDOWS:-$SP_SOURCE/build/windows}
command -v wine >/dev/null || skip "there is no Wine here"
[[ -e $programs/client/stillpoint.exe ]] || skip "stillpoint.exe is not built (./dev windows)"

# A prefix of this suite's own: what one suite registers or kills is nothing to the others.
WINEPREFIX=${SP_WINE:-$SP_SOURCE/build/wine} "$SP_SOURCE/cmake/windows/wine.sh" wineboot >/dev/null 2>&1 || true
export WINEPREFIX=$world/wine WINEDEBUG=-all WINEDLLOVERRIDES=mscoree,mshtml=
cp -a "${SP_WINE:-$SP_SOURCE/build/wine}" "$WINEPREFIX"
unset DISPLAY WAYLAND_DISPLAY

# finish of lib.bash looks at $? itself.
wine_finish() {
    local rc=$?
    set +e
    wineserver -k 2>/dev/null
    wineserver -w 2>/dev/null
    (exit "$rc")
    finish
}
trap wine_finish EXIT

# win PROGRAM ARGUMENT…: a program of ours. Paths of this system in arguments have to be said by `at`.
win() {
    local program=$1
    shift
    wine "$(exe "$program")" "$@"
}
exe() {
    case $1 in
    stillpoint) echo "$programs/client/stillpoint.exe" ;;
    stillpointd) echo "$programs/server/stillpointd.exe" ;;
    *) echo "$programs/tests/ntfs/$1.exe" ;;
    esac
}
at() { printf 'Z:%s' "$1"; } # at PATH: as Windows says it

# as_win NAME: the state of a client of that name, for both programs.
as_win() {
    as "$1"
    export STILLPOINT_CONFIG_DIR=Z:$STILLPOINT_CONFIG_DIR STILLPOINT_STATE_DIR=Z:$STILLPOINT_STATE_DIR \
        STILLPOINT_CACHE_DIR=Z:$STILLPOINT_CACHE_DIR
}
