#!/usr/bin/env bash
# usage: format [--check]: format all C files with clang-format 14, or say which differ
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

mode=(-i)
case ${1-} in
'') ;;
--check) mode=(--dry-run -Werror) ;;
*) die 5 "format takes --check or nothing." ;;
esac
need "${packages_format[@]}"
cd "$top"
git ls-files -z --cached --others --exclude-standard -- '*.c' '*.h' |
    xargs -0 -r clang-format-14 "${mode[@]}"
