#!/usr/bin/env python3
"""Describes a tree in lines that can be compared: type, mode, size, mtime, SHA-256 or target, names of attributes,
link group, path. describe.py [--content] FOLDER; with --content only what a file system without rights has: type,
size, mtime, SHA-256 or target"""
import hashlib
import os
import stat
import sys

KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo"}
content_only = sys.argv[1] == "--content"
root = os.fsencode(sys.argv[-1])
first = {}
lines = []
for folder, folders, files in os.walk(root):
    for name in sorted(folders + files):
        path = os.path.join(folder, name)
        st = os.lstat(path)
        kind = KINDS.get(stat.S_IFMT(st.st_mode), "other")
        what = "-"
        if kind == "file":
            what = hashlib.sha256(open(path, "rb").read()).hexdigest()
        elif kind == "link":
            what = repr(os.readlink(path))
        shown = repr(os.path.relpath(path, root))
        group = "-"
        if st.st_nlink > 1 and kind != "folder":
            group = first.setdefault(st.st_ino, shown)
        attributes = "-"
        if kind in ("file", "folder"):
            attributes = ",".join(f"{a}={os.getxattr(path, a).hex()}" for a in sorted(os.listxattr(path))
                                  if a.startswith("user.")) or "-"
        size = st.st_size if kind == "file" else 0
        if content_only:
            lines.append(f"{shown} {kind} {size} {st.st_mtime_ns} {what}")
            continue
        lines.append(f"{shown} {kind} {st.st_mode & 0o7777:04o} {size} {st.st_mtime_ns} {what} {attributes} {group}")
print("\n".join(sorted(lines)))
