#!/usr/bin/env bash
# Several runs of one host, each with new seal objects: no key seals two contents (R27). ./dev test asks the same
# over all of its tests at the end.
. "$(dirname "$0")/lib.bash"

export LD_PRELOAD=$SP_BUILD/tests/secrets/libsp_witness.so SP_WITNESS=$world/seals
"$maketree" --small --seed 5 "$world/tree"
new_server
(umask 077 && echo 'a long passphrase' >"$world/passphrase")
new_host one --passphrase-file "$world/passphrase"
for i in 1 2 3; do
    head -c 3000000 /dev/urandom >"$world/tree/new $i"
    quiet "$stillpoint" backup "$world/tree"
done
"$python" "$SP_SOURCE/tests/secrets/unique.py" "$world/seals" 20 || fail "a key sealed two contents"
echo "unique: ok"
