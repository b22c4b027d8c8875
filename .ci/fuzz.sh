#!/usr/bin/env bash
# usage: fuzz [SECONDS]: run every fuzz target that long (default 60), on from what earlier runs learned
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=${1-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die 5 "fuzz takes a number of seconds."
need "${packages_build[@]}" "${packages_clang[@]}"
build fuzz fuzzers
export UBSAN_OPTIONS=print_stacktrace=1
failed=() count=0
for program in "$top"/build/fuzz/tests/fuzz/fuzz_*; do
    [[ -f $program && -x $program ]] || continue
    name=${program##*/fuzz_}
    learned=$top/build/fuzz-corpus/$name findings=$top/build/fuzz-findings/$name-
    mkdir -p "$learned" "${findings%/*}"
    say "== $name"
    count=$((count + 1))
    if "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
        -artifact_prefix="$findings" "$learned" "$top/tests/fuzz/corpus/$name" >"$learned.log" 2>&1; then
        grep -E '^Done' "$learned.log"
    else
        tail -n 60 "$learned.log"
        failed+=("$name")
    fi
done
((count)) || die 2 "there is no fuzz target."
if ((${#failed[@]})); then
    die 3 "findings in: ${failed[*]}; they lie in build/fuzz-findings. Mend, and keep each in tests/fuzz/corpus."
fi
say "fuzz: $count targets, $seconds s each, no findings"
