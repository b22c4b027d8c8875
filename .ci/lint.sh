#!/usr/bin/env bash
# usage: lint: cppcheck and clang-tidy over our code; .clang-tidy and .ci/cppcheck.txt say what counts
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need "${packages_build[@]}" "${packages_clang[@]}" "${packages_lint[@]}"
build dev
cd "$top"
mapfile -t files < <(find base storage proto vss client server -name '*.c' ! -path base/err.c | sort)
((${#files[@]})) || die 2 "there is nothing to check."
rc=0

# tidy [EXTRA] reads file names, NUL between them
tidy() {
    xargs -0 -r -n 4 -P "$cores" clang-tidy --quiet -p build/dev --extra-arg=-Wno-unknown-warning-option "$@" 2> >(grep -v ' warnings\? ' >&2)
}

say "== cppcheck"
cppcheck --project=build/dev/compile_commands.json -i"$top/build" -j "$cores" --quiet \
    --error-exitcode=1 --inline-suppr --enable=warning,portability,performance --std=c11 \
    --library=posix --suppressions-list=.ci/cppcheck.txt || rc=1
say "== clang-tidy"
printf '%s\0' "${files[@]}" | tidy --extra-arg=-include --extra-arg="$top/.ci/analyzer.h" || rc=1
printf '%s\0' base/err.c | tidy || rc=1
say "lint: $((${#files[@]} + 1)) files, $( ((rc)) && echo findings || echo clean)"
exit $rc
