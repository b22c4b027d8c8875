#!/usr/bin/env bash
# usage: lint: cppcheck and clang-tidy over our code; .clang-tidy and .ci/cppcheck.txt say what counts
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need "${packages_build[@]}" "${packages_clang[@]}" "${packages_lint[@]}"
build dev
cd "$top"
database=build/dev/compile_commands.json
mapfile -t files < <(find base storage proto vss client server -name '*.c' | sort)
((${#files[@]})) || die 2 "there is nothing to check."
rc=0
say "== cppcheck"
cppcheck --project="$database" -i"$top/build" -j "$cores" --quiet --error-exitcode=1 --inline-suppr \
    --enable=warning,portability,performance --std=c11 --library=posix \
    --suppressions-list=.ci/cppcheck.txt || rc=1
say "== clang-tidy"
printf '%s\0' "${files[@]}" |
    xargs -0 -n 4 -P "$cores" clang-tidy --quiet -p build/dev 2> >(grep -v ' warnings\? ' >&2) || rc=1
say "lint: ${#files[@]} files, $( ((rc)) && echo findings || echo clean)"
exit $rc
