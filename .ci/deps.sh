#!/usr/bin/env bash
# usage: deps: install the Debian packages that building and testing need
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

need "${packages_build[@]}" "${packages_test[@]}"
