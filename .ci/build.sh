#!/usr/bin/env bash
# usage: build [PRESET]: build a preset of CMakePresets.json (default: release) into build/PRESET
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

preset=${1-release}
(($# <= 1)) || die 5 "build takes one preset at most."
need "${packages_build[@]}"
[[ $preset != fuzz ]] || need "${packages_clang[@]}"
build "$preset"
