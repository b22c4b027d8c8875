"""needles.py STATE OUTPUT: the keys of a client's profile, and what follows from them, masked for residue.c.

Prints one name a line, in the order of the patterns.
"""
import hashlib
import hmac
import pathlib
import struct
import sys

MASK = 0x55


def hkdf(ikm, info):
    prk = hmac.new(bytes(32), ikm, hashlib.sha256).digest()
    return hmac.new(prk, info + b"\x01", hashlib.sha256).digest()


def derive(x, label):
    return hkdf(x, b"stillpoint 1 " + label.encode())


def of_profile(path):
    lines = dict(l.split(" = ", 1) for l in path.read_text().splitlines() if " = " in l)
    secrets = bytes.fromhex(lines["secrets"])
    root = secrets[1:33]
    (epochs,) = struct.unpack_from("<H", secrets, 33)
    found = {"root": root, "signing secret": bytes.fromhex(lines["signing-secret"])}
    for label in ("id", "split", "mac"):
        found[label] = derive(root, label)
    for i in range(epochs):
        found[f"seal {i}"] = secrets[35 + i * 36 + 4 : 35 + i * 36 + 36]
    found["text of the secrets"] = lines["secrets"][4:36].encode()
    found["text of the signing secret"] = lines["signing-secret"][:32].encode()
    key = path.parent / "tls.key"
    if key.exists():
        found["TLS key"] = key.read_bytes().splitlines()[1][20:52]
    return found


def main():
    names, out = [], b""
    for profile in sorted(pathlib.Path(sys.argv[1]).glob("**/profile")):
        for name, key in of_profile(profile).items():
            assert len(key) == 32, (name, len(key))
            names.append(name)
            out += bytes(b ^ MASK for b in key)
    pathlib.Path(sys.argv[2]).write_bytes(out)
    print("\n".join(names))


main()
