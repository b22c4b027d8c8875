#!/usr/bin/env bash
# The second reader, which knows of the format only what docs/format.md says, reads verdicts and completions: what it
# says is what the program says, a set without its completion is unconfirmed, and a completion that is not the host's
# word on that record does not count.
. "$(dirname "$0")/lib.bash"
. "$(dirname "$0")/vss.bash"

"$python" -c 'import cryptography' 2>/dev/null || skip "python3-cryptography is not installed"
command -v zstd >/dev/null || skip "the program zstd is not installed"

reader() { "$python" -B "${SP_SOURCE:?}/tests/reader/reader.py" "$@"; }
# listed WORDS: of the repository, by the reader.
listed() { expect 0 "$1" reader list "$world/repository" --sheet "$world/sheet"; }

machine
run 0 'application-consistent' --require application
listed 'application: web01 (Microsoft Hyper-V VSS Writer), reason 1'
listed '    applications: application'
listed 'document '
expect 0 '3 records' reader verify "$world/repository" --sheet "$world/sheet"
[[ $(reader list "$world/repository" --sheet "$world/sheet") != *unconfirmed* ]] || fail "what is confirmed is not"

methods[3]=Offline
eight_vms 5 'failure 0x800423F4 alone'
run 1 'VM web05 is crash-consistent'
listed 'crash: web05 (Microsoft Hyper-V VSS Writer), reason 12'
listed 'crash: web03 (Microsoft Hyper-V VSS Writer), reason 15'
listed '    applications: crash'

completion=$(find "$world/repository/sets" -name '*.completion' | sort | tail -n 1)
mv "$completion" "$world/kept"
listed 'unconfirmed'
expect 0 '' "$stillpoint" check -r "$world/repository"
# another set's, under the name of this one: neither believes it
cp "$(find "$world/repository/sets" -name '*.completion' | sort | head -n 1)" "$completion"
expect 3 'belongs to another name' "$stillpoint" check -r "$world/repository"
expect 1 'of another name' reader verify "$world/repository" --sheet "$world/sheet"
# one bit of it
cp "$world/kept" "$completion"
"$python" - "$completion" <<'END'
import sys
with open(sys.argv[1], "r+b") as f:
    data = bytearray(f.read())
    data[len(data) // 2] ^= 1
    f.seek(0)
    f.write(data)
END
expect 3 'not signed by its host' "$stillpoint" check -r "$world/repository"
expect 1 'the signature is wrong' reader verify "$world/repository" --sheet "$world/sheet"
cp "$world/kept" "$completion"
expect 0 '' "$stillpoint" check -r "$world/repository"
expect 0 '5 records' reader verify "$world/repository" --sheet "$world/sheet"
# its set is gone, which is the fault: it means nothing, and is named
set=$(find "$world/repository/sets" -name '*.set' | sort | tail -n 1)
mv "$set" "$world/set"
expect 3 'which is not in the repository' "$stillpoint" check -r "$world/repository"
mv "$world/set" "$set"
echo "vss_reader: ok"
