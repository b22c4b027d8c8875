"""unique.py RECORDS [LEAST]: over all tests, no key of AES-256-GCM sealed two contents.

The records come from witness.c: 32 bytes of key, 8 of digest, 16 of the program's
name. A key that comes again with the same digest is the
same seal made again (a run with fixed randomness); with another digest it breaks R27. --self-test shows that this
is noticed.
"""
import pathlib
import sys
import tempfile

SIZE = 56


def look(path):
    data = path.read_bytes()
    seen, broken = {}, {}
    for at in range(0, len(data) - SIZE + 1, SIZE):
        key, digest = data[at : at + 32], data[at + 32 : at + 40]
        before = seen.setdefault(key, digest)
        if before != digest:
            broken[key] = data[at + 40 : at + SIZE].rstrip(b"\0").decode(errors="replace")
    seals = len(data) // SIZE
    return seals, len(seen), broken


def record(key, digest):
    return key * 32 + digest * 8 + b"program".ljust(16, b"\0")


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "records"
        path.write_bytes(record(b"k", b"1") + record(b"l", b"2") + record(b"k", b"1"))
        assert look(path) == (3, 2, {})
        path.write_bytes(path.read_bytes() + record(b"l", b"3"))
        assert look(path) == (4, 2, {b"l" * 32: "program"})
    print("a key that seals two contents is noticed")


def main():
    if sys.argv[1] == "--self-test":
        return self_test()
    seals, keys, broken = look(pathlib.Path(sys.argv[1]))
    for key, program in sorted(broken.items(), key=lambda x: x[1]):
        print(f"the key {key[:8].hex()}… sealed two contents, the second in {program}")
    print(f"{seals} seals with {keys} keys, {len(broken)} of them used for two contents")
    least = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    if seals < least:
        print(f"that is fewer than {least}: the witness was not there")
    if broken or seals < least:
        sys.exit(1)


main()
