#!/usr/bin/env bash
# Makes a golden repository of the version that is built: make.sh NAME [windows|vss]. To be run once for each version of the
# format; with `windows`, of what a backup of NTFS has (windows.c; build golden_windows first); with `vss`, of a machine with
# VSS (tests/vss; build stillpoint-vss first): the second set has a verdict and a completion. What it made is kept and never changed, so that every later version is held to opening it.
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
[[ $kind != windows ]] || program=$SP_BUILD/tests/golden/golden_windows
[[ $kind != vss ]] || program=$SP_BUILD/tests/vss/stillpoint-vss
mkdir -p "$to" "$work/tree/folder/deeper" "$work/tree/empty"
cd "$work/tree"
echo "a short text" >text
seq 1 20000 >numbers
printf 'x%.0s' {1..100} >$'not \xff utf-8\nand a line break'
truncate -s 3M sparse
echo end >>sparse
if [[ $kind != vss ]]; then # a shadow of the model is a plain copy
    ln text folder/hard
    ln -s ../text folder/soft
    mkfifo fifo
    setfattr -n user.note -v "kept" text 2>/dev/null || true
fi
python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(7).randbytes(700000))' >folder/deeper/random
chmod 640 numbers
chmod 750 folder
find . -depth -print0 | xargs -0 touch -h -d "2001-02-03 04:05:06.123456789 UTC"
echo golden >"$work/passphrase"
"$program" init -r "$work/repository" --name golden --sheet "$to/sheet.txt" --passphrase-file "$work/passphrase"
plain=()
if [[ $kind == vss ]]; then
    export STILLPOINT_TEST_VSS=$work/script STILLPOINT_TEST_VSS_HASTE=1
    mkdir "$work/shadows"
    cat >"$work/script" <<END
volume "\\\\?\\Volume{c0000000-0000-4000-8000-000000000001}\\" $work/tree
shadows $work/shadows
writer 66841cd4-6ded-4f4b-8f17-fd23f8ddc3de 11111111-2222-4333-8444-000000000001 "Microsoft Hyper-V VSS Writer"
  component filegroup "" VM-1 caption="Online\\web01"
    file $work/tree/folder * recursive
  component filegroup "" VM-2 caption="Offline\\web02"
    file $work/tree/empty * recursive
END
    plain=(--shadow none)
fi
"$program" backup "$work/tree" --job golden "${plain[@]}"
echo "a second set" >second
touch -d "2002-02-03 04:05:06 UTC" second .
[[ $kind != vss ]] || export STILLPOINT_TEST_VSS_SETS=$(dirname "$(find "$work/repository/sets" -name '*.set' | head -n 1)")
GOLDEN_SECOND=1 "$program" backup "$work/tree" --job golden
if [[ $kind == windows ]]; then # what is restored of it where there is no NTFS, looked at by hand before it is kept
    "$SP_BUILD/client/stillpoint" restore latest --target "$work/back" --numeric-owner || (($? == 1))
    /usr/bin/python3 "$here/describe.py" --content "$work/back$work/tree" >"$to/expected"
else
    [[ $kind != vss ]] || content=--content
    /usr/bin/python3 "$here/describe.py" ${content-} "$work/tree" >"$to/expected"
fi
echo "$work/tree" >"$to/source"
cp "$work/passphrase" "$to/passphrase"
cp -r "$work/repository" "$to/repository"
find "$to/repository" -depth -type d -empty -delete
