#!/usr/bin/env bash
# Makes a golden repository of the version that is built: make.sh NAME [windows]. To be run once for each version of the
# format; with `windows`, of what a backup of NTFS has (windows.c; build golden_windows first). what it made is kept and never changed, so that every later version is held to opening it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
name=${1:?name}
kind=${2-posix}
: "${SP_BUILD:?}"
to=$here/$name
[[ ! -e $to ]] || { echo "$to is there already" >&2; exit 1; }
work=/tmp/golden # a fixed place: it is written into the set
mkdir "$work"
trap 'rm -rf "$work"' EXIT
export STILLPOINT_CONFIG_DIR=$work/c STILLPOINT_STATE_DIR=$work/s STILLPOINT_CACHE_DIR=$work/k
program=$SP_BUILD/client/stillpoint
[[ $kind == posix ]] || program=$SP_BUILD/tests/golden/golden_windows
mkdir -p "$to" "$work/tree/folder/deeper" "$work/tree/empty"
cd "$work/tree"
echo "a short text" >text
seq 1 20000 >numbers
printf 'x%.0s' {1..100} >$'not \xff utf-8\nand a line break'
truncate -s 3M sparse
echo end >>sparse
ln text folder/hard
ln -s ../text folder/soft
mkfifo fifo
setfattr -n user.note -v "kept" text 2>/dev/null || true
python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(7).randbytes(700000))' >folder/deeper/random
chmod 640 numbers
chmod 750 folder
find . -depth -print0 | xargs -0 touch -h -d "2001-02-03 04:05:06.123456789 UTC"
echo golden >"$work/passphrase"
"$program" init -r "$work/repository" --name golden --sheet "$to/sheet.txt" --passphrase-file "$work/passphrase"
"$program" backup "$work/tree" --job golden
echo "a second set" >second
touch -d "2002-02-03 04:05:06 UTC" second .
GOLDEN_SECOND=1 "$program" backup "$work/tree" --job golden
if [[ $kind == windows ]]; then # what is restored of it where there is no NTFS, looked at by hand before it is kept
    "$SP_BUILD/client/stillpoint" restore latest --target "$work/back" --numeric-owner || (($? == 1))
    /usr/bin/python3 "$here/describe.py" --content "$work/back$work/tree" >"$to/expected"
else
    /usr/bin/python3 "$here/describe.py" "$work/tree" >"$to/expected"
fi
echo "$work/tree" >"$to/source"
cp "$work/passphrase" "$to/passphrase"
cp -r "$work/repository" "$to/repository"
find "$to/repository" -depth -type d -empty -delete
