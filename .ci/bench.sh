#!/usr/bin/env bash
# usage: bench [OPTION...]: the programs side by side; options as bench/run --help says
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need "${packages_build[@]}" "${packages_test[@]}" "${packages_bench[@]}"
build release e2e-programs
exec "$python" "$top/bench/run" "$@"
