#!/usr/bin/env bash
# The matrix as a suite for switches (cmake/switch.cmake): matrix.py with the rows named.
exec /usr/bin/python3 "$(dirname "$0")/matrix.py" "$@"
