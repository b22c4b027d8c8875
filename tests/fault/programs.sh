#!/usr/bin/env bash
# The n-th call fails under the whole programs: see programs.py. Arguments: PART [SCENARIO [KIND]].
exec /usr/bin/python3 "$(dirname "$0")/programs.py" "$@"
