"""Fills a folder of an ntfs-3g mount with everything that NTFS can hold and ntfs-3g can make.

usage: ntfs_make.py FOLDER [--long-streams]
"""

import os
import struct
import sys

HIDDEN, SYSTEM, READONLY, ARCHIVE, NOT_INDEXED, COMPRESSED = 2, 4, 1, 0x20, 0x2000, 0x800


def units(s):
    return s.encode("utf-16-le", "surrogatepass")


def symlink(substitute, shown, relative):
    names = struct.pack("<HHHHI", len(units(shown)), len(units(substitute)), 0, len(units(shown)), relative)
    data = names + units(shown) + units(substitute)
    return struct.pack("<IHH", 0xA000000C, len(data), 0) + data


def junction(substitute, shown):
    a, b = units(substitute), units(shown)
    data = struct.pack("<HHHH", 0, len(a), len(a) + 2, len(b)) + a + b"\0\0" + b + b"\0\0"
    return struct.pack("<IHH", 0xA0000003, len(data), 0) + data


def point(tag, data):
    return struct.pack("<IHH", tag, len(data), 0) + data


def sid(*numbers):
    return bytes([1, len(numbers)]) + b"\0\0\0\0\0\5" + b"".join(struct.pack("<I", n) for n in numbers)


def ace(kind, flags, mask, who):
    return struct.pack("<BBHI", kind, flags, 8 + len(who), mask) + who


def acl(*aces):
    return struct.pack("<BBHHH", 2, 0, 8 + sum(map(len, aces)), len(aces), 0) + b"".join(aces)


def descriptor(control, owner, group, dacl, sacl=b""):
    parts, at, offsets = b"", 20, []
    for part in (owner, group, sacl, dacl):
        offsets.append(at + len(parts) if part else 0)
        parts += part
    return struct.pack("<BBHIIII", 1, 0, 0x8004 | control | (0x10 if sacl else 0), *offsets) + parts


def ea(*pairs):
    out = b""
    for name, value in pairs:
        one = struct.pack("<BBH", 0, len(name), len(value)) + name + b"\0" + value
        size = (4 + len(one) + 3) // 4 * 4
        out += (struct.pack("<I", size) + one).ljust(size, b"\0")
    return out


ADMINISTRATORS, USERS, SOMEBODY = sid(32, 544), sid(32, 545), sid(21, 1111, 2222, 3333, 1001)
PROTECTED = descriptor(0x1400, SOMEBODY, ADMINISTRATORS,
                       acl(ace(1, 0, 0x10000, USERS), ace(0, 3, 0x1F01FF, SOMEBODY), ace(0, 0x13, 0x1200A9, USERS)),
                       acl(ace(2, 0xC0, 0x10000000, USERS)))
INHERITED = descriptor(0x0400, ADMINISTRATORS, USERS,
                       acl(ace(0, 0x10, 0x1F01FF, ADMINISTRATORS), ace(0, 0x10, 0x1200A9, USERS)))
NULL_DACL = descriptor(0, ADMINISTRATORS, ADMINISTRATORS, b"")


def put(path, name, value):
    os.setxattr(path, name, value, follow_symlinks=False)


def attributes(path, value):
    put(path, "system.ntfs_attrib_be", struct.pack(">I", value))


def times(path, *ticks):
    put(path, "system.ntfs_times_be", struct.pack(">QQQ", *ticks))


def new(path, content=b""):
    with open(path, "xb") as f:
        f.write(content)
    return path


def stream(path, name, content, by_name):
    if by_name:
        with open(path + ":" + name, "wb") as f:
            f.write(content)
    else:
        put(path, "user." + name, content)


def main():
    os.chdir(sys.argv[1])
    by_name = "--long-streams" in sys.argv
    for name, value in (("hidden", HIDDEN), ("readonly", READONLY | ARCHIVE), ("not-indexed", NOT_INDEXED),
                        ("both", HIDDEN | SYSTEM | ARCHIVE), ("nothing", 0x80)):
        attributes(new(name, name.encode()), value)
    new("times", b"x")
    times("times", 133000000012345678, 133100000087654321, 133200000011111111)
    new("old", b"x")  # before 1970, with a fraction of a second
    times("old", 116000000012345678, 116100000087654321, 116200000011111111)
    put(new("protected", b"p"), "system.ntfs_acl", PROTECTED)
    put(new("null-dacl", b"p"), "system.ntfs_acl", NULL_DACL)
    os.mkdir("folder")
    new("folder/inside", b"i")
    put("folder/inside", "system.ntfs_acl", INHERITED)
    put("folder", "system.ntfs_acl", PROTECTED)
    put("folder", "system.ntfs_dos_name", b"FOLDER~9")
    stream("folder", "of a folder", b"in a folder", by_name)
    new("streams", b"own")
    stream("streams", "Zone.Identifier", b"[ZoneTransfer]\r\nZoneId=3\r\n", by_name)
    stream("streams", "empty", b"", by_name)
    stream("streams", "bar \u00e4\u20ac", bytes(range(256)) * 200, by_name)
    stream("streams", "whole", b"w" * 65536, by_name)
    if by_name:
        new("long", b"own content")
        stream("long", "first", b"12345678" * 40000, True)
        stream("long", "second", os.urandom(3000001), True)
        stream("long", "short", b"s", True)
    put(new("eas", b"e"), "system.ntfs_ea", ea((b"FIRST", b"one"), (b"SECOND", b""), (b"THIRD", b"x" * 301)))
    put(new("identified", b"o"), "system.ntfs_object_id", bytes(range(1, 17)))
    put(new("A long name with a short one.txt", b"s"), "system.ntfs_dos_name", b"ALONGN~7.TXT")
    put(new("Capital.txt", b"s"), "system.ntfs_dos_name", b"CAPITAL.TXT")
    put(new("link-file"), "system.ntfs_reparse_data", symlink("folder\\inside", "folder\\inside", 1))
    put(new("link-absolute"), "system.ntfs_reparse_data", symlink("\\??\\C:\\Windows\\a b", "C:\\Windows\\a b", 0))
    os.mkdir("link-folder")
    put("link-folder", "system.ntfs_reparse_data", symlink("folder", "folder", 1))
    os.mkdir("junction")
    put("junction", "system.ntfs_reparse_data", junction("\\??\\C:\\Users\\All", "C:\\Users\\All"))
    os.mkdir("volume")
    put("volume", "system.ntfs_reparse_data",
        junction("\\??\\Volume{4d36e967-e325-11ce-bfc1-08002be10318}\\", ""))
    put(new("link-wsl"), "system.ntfs_reparse_data", point(0xA000001D, struct.pack("<I", 2) + b"/etc/passwd"))
    put(new("alias.exe"), "system.ntfs_reparse_data", point(0x8000001B, struct.pack("<I", 3) + units("a\0b\0c\0")))
    put(new("cloud", b"not to be read"), "system.ntfs_reparse_data", point(0x9000101A, b"opaque" * 20))
    with open("sparse", "xb") as f:
        f.seek(20 << 20)
        f.write(b"end")
    os.mkdir("packed")
    attributes("packed", COMPRESSED | 0x10)
    new("packed/text", b"all the same " * 50000)
    new("name-1", b"three names")
    os.link("name-1", "name-2")
    os.link("name-1", "folder/name-3")
    attributes("name-1", HIDDEN)
    new("Case", b"upper")
    new("case", b"lower")
    new("\u00fcml\u00e4ut \U0001f600", b"u")
    attributes("folder", 0x10)  # a stream has made it one to be archived
    for path in ("folder", "junction", "link-file"):
        times(path, 131000000012345678, 131100000087654321, 131200000011111111)


main()
