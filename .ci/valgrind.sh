#!/usr/bin/env bash
# usage: valgrind [REGEX]: the unit tests (those whose name matches) under memcheck, without sanitizers
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need "${packages_build[@]}" "${packages_test[@]}" valgrind
build release
"$python" "$top/.ci/valgrind.py" "$top/build/release" "${1-}"
