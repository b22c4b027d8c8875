#!/usr/bin/env bash
# usage: fuzz [SECONDS] [NAME…]: search with every fuzz target (or those named), SECONDS in all (default 600), two at a time
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

seconds=600
if [[ ${1-} =~ ^[1-9][0-9]*$ ]]; then
    seconds=$1
    shift
fi
need "${packages_build[@]}" "${packages_clang[@]}"
build fuzz fuzzers
export UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=detect_stack_use_after_return=1
programs=$top/build/fuzz/tests/fuzz learned=$top/build/fuzz-corpus findings=$top/build/fuzz-findings
mkdir -p "$learned" "$findings"
names=("$@")
if ((${#names[@]} == 0)); then
    mapfile -t names < <(cd "$programs" && find . -maxdepth 1 -name 'fuzz_*' -type f -executable -printf '%f\n' |
        sed 's/^fuzz_//' | sort)
fi
for name in "${names[@]}"; do
    [[ -x $programs/fuzz_$name ]] || die 5 "there is no fuzz target $name."
done
((${#names[@]})) || die 2 "there is no fuzz target."
each=$((2 * seconds / ${#names[@]}))
((each)) || each=1

# one NAME: goes on from what earlier runs learned; its row of the table into NAME.row.
one() {
    local name=$1 state='' dictionary=() before kept=$top/tests/fuzz/corpus/$1
    mkdir -p "$learned/$name"
    before=$(find "$learned/$name" -type f | wc -l)
    [[ ! -f $top/tests/fuzz/$name.dict ]] || dictionary=(-dict="$top/tests/fuzz/$name.dict")
    nice -n 10 "$programs/fuzz_$name" -max_total_time="$each" -timeout=10 -rss_limit_mb=1024 \
        -malloc_limit_mb=512 -print_final_stats=1 -artifact_prefix="$findings/$name-" "${dictionary[@]}" \
        "$learned/$name" "$kept" >"$learned/$name.log" 2>&1 || state='FOUND SOMETHING'
    printf '%-12s %12s %7s %9s %7s  %s\n' "$name" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$learned/$name.log")" \
        "$(grep -oE 'cov: [0-9]+' "$learned/$name.log" | tail -n 1 | cut -d' ' -f2)" \
        "$(($(find "$learned/$name" -type f | wc -l) - before))" \
        "$(sed -n 's/^stat::peak_rss_mb: *//p' "$learned/$name.log")" "${state:-nothing}" >"$learned/$name.row"
    cat "$learned/$name.row"
}

rm -f "$learned"/*.row
say "${#names[@]} targets, $each s each, two at a time"
printf '%-12s %12s %7s %9s %7s  %s\n' target executions edges 'new paths' 'MiB' findings
for name in "${names[@]}"; do
    while (($(jobs -rp | wc -l) >= 2)); do
        wait -n || true # what it found is in its row
    done
    one "$name" &
done
wait
failed=0
for name in "${names[@]}"; do
    grep -q ' nothing$' "$learned/$name.row" && continue
    failed=$((failed + 1))
    say "== $name"
    grep -vE '^#[0-9]+\s|NEW_FUNC|NEW_PC' "$learned/$name.log" | tail -n 40
done
((!failed)) ||
    die 3 "inputs that break $failed targets lie in build/fuzz-findings. Mend, and keep each in tests/fuzz/corpus."
say "fuzz: ${#names[@]} targets, $each s each, no findings"
