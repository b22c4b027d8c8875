#!/usr/bin/env bash
# usage: bench [sftp] [OPTION...]: the programs side by side; options as bench/run --help says; sftp: over SFTP, as
# bench/run_sftp --help says
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need "${packages_build[@]}" "${packages_test[@]}" "${packages_bench[@]}"
build release e2e-programs
script=run
if [[ ${1-} == sftp ]]; then
    script=run_sftp
    shift
fi
exec "$python" "$top/bench/$script" "$@"
