"""Compares two folders of ntfs-3g mounts in all that NTFS holds, and prints feature by feature how many
objects have it and how many have it again.

usage: ntfs_compare.py BEFORE AFTER [--lost FEATURE…] [--absent PATH…]
       ntfs_compare.py --describe FOLDER          as JSON, to be an expectation
       ntfs_compare.py --expect FILE AFTER […]    such JSON in the place of BEFORE

A FEATURE after --lost must differ somewhere, every other must be the same everywhere; a PATH after --absent must
be missing in AFTER. Exit 1 when it is otherwise. Times of change are not compared: no one can set them through
ntfs-3g. JSON made elsewhere has for every path the features below, each a string or missing.
"""

import argparse
import ctypes
import errno
import hashlib
import json
import os
import stat
import struct
import sys

SETTABLE = 0x31A7 & ~0x80 | 0x200 | 0x800 | 0x10 | 0x400
VALUES = {"security": "system.ntfs_acl", "reparse": "system.ntfs_reparse_data", "object id": "system.ntfs_object_id",
          "short name": "system.ntfs_dos_name", "extended attributes": "system.ntfs_ea"}
FEATURES = ["type", "content", "holes", "attributes", "created", "modified", "accessed", "links", *VALUES, "streams",
            "long streams"]


LIBC = ctypes.CDLL(None, use_errno=True)


def value(path, name):
    """With room for the longest from the start: asked with less, ntfs-3g gives EIO instead of ERANGE."""
    room = ctypes.create_string_buffer(65536)
    n = LIBC.lgetxattr(os.fsencode(path), os.fsencode(name), room, ctypes.c_size_t(65536))
    if n >= 0:
        return room.raw[:n]
    if ctypes.get_errno() in (errno.ENODATA, errno.EOPNOTSUPP, errno.EINVAL):
        return None
    raise OSError(ctypes.get_errno(), name, path)


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


def streams(path):
    """Name to content's hash and size."""
    out = {}
    names = value(path, "ntfs.streams.list")
    if names is not None:
        for name in filter(None, os.fsdecode(names).split("\0")):
            there = path + ":" + name
            out[name] = (os.stat(there).st_size, digest(there))
        return out
    for name in os.listxattr(path, follow_symlinks=False):
        if name.startswith("user."):
            content = value(path, name) or b""
            out[name[5:]] = (len(content), hashlib.sha256(content).hexdigest())
    return out


def describe_one(path, hard):
    st = os.lstat(path)
    out = {"type": stat.filemode(st.st_mode)[0]}
    attributes = struct.unpack(">I", value(path, "system.ntfs_attrib_be"))[0]
    out["attributes"] = f"{attributes & SETTABLE:08x}"
    created, modified, accessed, _ = struct.unpack(">4Q", value(path, "system.ntfs_times_be"))
    out.update(created=str(created), modified=str(modified), accessed=str(accessed))
    if stat.S_ISREG(st.st_mode):
        out["content"] = f"{st.st_size} {digest(path)}"
        if attributes & 0x200:
            out["holes"] = "some" if st.st_blocks * 512 < st.st_size else "none"
    for feature, name in VALUES.items():
        v = value(path, name)
        if v is not None:
            out[feature] = (v.ljust(64, b"\0") if feature == "object id" else v).hex()
    try:
        found = streams(path)
    except OSError:
        found = {}  # of a link
    for feature, chosen in (("streams", {k: v for k, v in found.items() if v[0] <= 65536}),
                            ("long streams", {k: v for k, v in found.items() if v[0] > 65536})):
        if chosen:
            out[feature] = json.dumps(chosen, sort_keys=True)
    if not stat.S_ISDIR(st.st_mode):
        hard.setdefault(st.st_ino, []).append(path)
    return out


def describe(top):
    top = os.path.abspath(top)
    found, hard = {}, {}
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(folder, name)
            found[os.path.relpath(path, top)] = describe_one(path, hard)
    for paths in hard.values():
        names = sorted(os.path.relpath(p, top) for p in paths)
        if len(names) > 1:
            for name in names:
                found[name]["links"] = ", ".join(names)
    return found


def main():
    p = argparse.ArgumentParser()
    p.add_argument("folders", nargs="+")
    p.add_argument("--describe", action="store_true")
    p.add_argument("--expect")
    p.add_argument("--lost", nargs="*", default=[])
    p.add_argument("--absent", nargs="*", default=[])
    a = p.parse_args()
    if a.describe:
        json.dump(describe(a.folders[0]), sys.stdout, indent=1, sort_keys=True)
        return 0
    if a.expect:
        with open(a.expect, encoding="utf-8") as f:
            before = json.load(f)
        after = describe(a.folders[0])
    else:
        before, after = map(describe, a.folders)
    wrong = []
    for path in sorted(before.keys() ^ after.keys()):
        if path not in a.absent or path in after:
            wrong.append(f"{path!r}: only {'before' if path in before else 'after'}")
    for path in a.absent:
        if path not in before:
            wrong.append(f"{path!r}: never was there")
    print(f"{'feature':20} {'objects':>8} {'the same':>9}")
    for feature in FEATURES:
        has = [x for x in before if x in after and (feature in before[x] or feature in after[x])]
        bad = [x for x in has if before[x].get(feature) != after[x].get(feature)]
        print(f"{feature:20} {len(has):8} {len(has) - len(bad):9}")
        if feature in a.lost and not bad:
            wrong.append(f"{feature}: not lost anywhere")
        if feature not in a.lost:
            wrong += [f"{x!r}: {feature}: {before[x].get(feature)} became {after[x].get(feature)}" for x in bad]
    for line in wrong:
        print(line[:500], file=sys.stderr)
    return 1 if wrong else 0


sys.exit(main())
