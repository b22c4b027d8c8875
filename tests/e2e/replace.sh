#!/usr/bin/env bash
# A machine is lost. A new one with the sheet alone takes its place: it gets the host's sets, goes on with them, and the
# old machine is refused. Certificates of another authority, that were never issued, or of a host that is not known. (Expired
# ones, whose clock cannot be turned here: tests/unit/server/test_access.c.)
. "$(dirname "$0")/lib.bash"

new_server
new_host old
mkdir "$world/tree"
echo precious >"$world/tree/file"
quiet "$stillpoint" backup "$world/tree"

token=$("$stillpointd" host replace -D "$world/server" old | tail -n 1)
as new
expect 5 'recovery key' "$stillpoint" enroll "$token" --recovery-key-file /dev/null
token=$("$stillpointd" host replace -D "$world/server" old | tail -n 1)
quiet "$stillpoint" enroll "$token" --recovery-key-file "$world/old.sheet"
quiet "$stillpoint" restore latest --target "$world/back"
same "$world/tree" "$world/back$world/tree"
echo more >"$world/tree/more"
"$stillpoint" backup "$world/tree" --json >"$world/out.json"
[[ $(json "$world/out.json" 'x[0]["sequence"]') == 2 ]] || fail "the chain does not go on: $(cat "$world/out.json")"
as old
expect 6 '' "$stillpoint" backup "$world/tree"

# certificates made by hand with the authority's key, or with a false one
forge() { # forge DAYS-FROM DAYS-TO [false]: a certificate for the new machine's key
    "$python" - "$world/server" "$world"/new/state/stores/* "$@" <<'PY'
import datetime, sys
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
server, store, begin, end = sys.argv[1:5]
authority = x509.load_pem_x509_certificate(open(server + "/authority.crt", "rb").read())
key = serialization.load_pem_private_key(open(server + "/authority.key", "rb").read(), None)
if len(sys.argv) > 5:
    key = type(key).generate() if hasattr(type(key), "generate") else Ed25519PrivateKey.generate()
chain = open(store + "/tls.crt", "rb").read()
old = x509.load_pem_x509_certificate(chain)
now = datetime.datetime.utcnow()
day = datetime.timedelta(days=1)
new = x509.CertificateBuilder().subject_name(old.subject).issuer_name(authority.subject)
new = new.public_key(old.public_key()).serial_number(old.serial_number)
new = new.not_valid_before(now + int(begin) * day).not_valid_after(now + int(end) * day)
for extension in old.extensions:
    new = new.add_extension(extension.value, extension.critical)
made = new.sign(key, old.signature_hash_algorithm)
tail = chain[chain.index(b"-----END CERTIFICATE-----") + 25:].lstrip(b"\n")
open(store + "/tls.crt", "wb").write(made.public_bytes(serialization.Encoding.PEM) + tail)
PY
}

as new
crt=$(echo "$world"/new/state/stores/*/tls.crt)
cp "$crt" "$world/good.crt"
forge -1 30 false
expect 6 'certificate' "$stillpoint" list
cp "$world/good.crt" "$crt"
quiet "$stillpoint" list

# signed by the authority's key, but not issued by this server
forge -1 30
expect 6 'does not know the certificate' "$stillpoint" list
forge -100 -1
expect 6 'certificate' "$stillpoint" list
cp "$world/good.crt" "$crt"
quiet "$stillpoint" list

# a host that the server does not know
kill "$server"
wait "$server" || true
"$python" - "$world/server/state.db" <<'PY'
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=10)
db.execute("DELETE FROM certificates")
db.execute("DELETE FROM hosts")
db.commit()
PY
start_server
expect 6 'certificate' "$stillpoint" list
echo "replace: ok"
