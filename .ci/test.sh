#!/usr/bin/env bash
# usage: test [--long]: all tests; --long: everything instead of a seeded slice
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1-} in
'') ;;
--long) export STILLPOINT_LONG=1 ;;
*) die 5 "test takes --long or nothing." ;;
esac
need "${packages_build[@]}" "${packages_test[@]}" "${packages_windows[@]}" "${packages_wine[@]}" "${packages_msi[@]}"

# The slices are the same in every run, so that a red one speaks of the change; --long looks at other places
# each time.
[[ -n ${STILLPOINT_LONG-} ]] || export SP_SEED=${SP_SEED-1}
export UBSAN_OPTIONS=print_stacktrace=1 TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
results=$top/build/results
rm -rf "$results"
mkdir -p "$results"

timed() { # timed WHAT COMMAND…: runs it and says how long it took
    local what=$1 start=$SECONDS rc=0
    shift
    "$@" || rc=$?
    say "== $what: $((SECONDS - start)) s"
    return $rc
}

# phase NAME PRESET TARGETS CTEST-OPTIONS…: a build and a run of its tests. A phase that fails leaves a
# note that the sum below counts; the other phases still run.
phase() {
    local name=$1 preset=$2 targets=$3
    shift 3
    say "== $name"
    # shellcheck disable=SC2086 # targets is a list of words
    if ! timed "$name, build" build "$preset" $targets; then
        echo "the build of preset $preset" >"$results/$name.broken"
        return
    fi
    timed "$name, tests" "${wrap[@]}" ctest --test-dir "$top/build/$preset" --output-on-failure --no-tests=error -j"$jobs" \
        --output-junit "$results/$name.xml" "$@" || echo "ctest of $name" >"$results/$name.failed"
}

start=$SECONDS
jobs=$((2 * $(nproc))) # many tests wait for a clock
# Every key that seals something is written down, and looked at when all is done (tests/secrets).
witness() { # witness PRESET: the wrapping for tests of that preset
    wrap=(env "LD_PRELOAD=$top/build/$1/tests/secrets/libsp_witness.so" "SP_WITNESS=$results/seals"
        ASAN_OPTIONS=verify_asan_link_order=0)
}
witness dev
phase unit dev '' -LE e2e
wrap=()
# Newer kernels spread addresses wider than gcc 12's TSan can follow.
if setarch -R true 2>/dev/null; then
    wrap=(setarch -R)
fi
phase threads tsan thread-tests -L threads
# The programs for Windows, and what of the tests runs under Wine; the suites wine_* of e2e use the programs.
say "== windows"
SP_JUNIT=$results/windows.xml timed windows bash "$top/.ci/windows.sh" --test || echo "windows: see above" >"$results/windows.failed"
witness release
phase e2e release e2e-programs -L e2e
"$python" "$top/tests/secrets/unique.py" "$results/seals" 1000 || echo "keys of AES-256-GCM: see above" >"$results/keys.broken"
# extra NAME: the command of that name; when it fails that counts as one failure
extra() {
    timed "$1" bash "$top/.ci/$1.sh" || echo "$1: see above" >"$results/$1.broken"
}
if [[ -n ${STILLPOINT_LONG-} ]]; then
    extra valgrind
    extra nas
fi
say "== all: $((SECONDS - start)) s"
"$python" "$top/.ci/count.py" "$results"
