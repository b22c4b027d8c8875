#!/usr/bin/python3
"""A second reader of Stillpoint repositories, written from docs/format.md alone: if it reads what the programs
wrote, the page is enough.

usage: reader.py list    REPOSITORY KEY
       reader.py restore REPOSITORY SET TARGET KEY
       reader.py verify  REPOSITORY [KEY]

SET is "latest" or the first digits of a set's id; KEY is --sheet FILE or --passphrase-file FILE. restore puts
/a/b at TARGET/a/b. verify without a key checks what can be checked of closed blocks.
"""
import argparse
import os
import stat
import sys
import time

from format import LEVELS, Damage, need, sheet_key
from repository import AWAY, DATA, EFS, UNREADABLE, WINDOWS, Repository, Verify, chunk_of, shown

IMPLIED = 1
FILE, FOLDER, SYMLINK, CHARACTER, BLOCK, FIFO, SOCKET = range(1, 8)
SPECIAL = {CHARACTER: stat.S_IFCHR, BLOCK: stat.S_IFBLK, FIFO: stat.S_IFIFO, SOCKET: stat.S_IFSOCK}
STATES = {1: "checkpoint", 2: "complete", 3: "incomplete"}
problems = 0


def complain(words):
    global problems
    problems += 1
    print(f"reader: {words}", file=sys.stderr)


class Restore:
    def __init__(self, repository, target):
        self.r, self.target = repository, os.fsencode(target)
        self.links = {}     # (device, file id) -> the path that has the content
        self.folders = {}   # key -> path, of the folders that were made
        self.finish = []    # folders get their attributes last, so that they stay open until then

    def run(self, root):
        os.makedirs(self.target, exist_ok=True)
        need(not os.listdir(self.target), f"{os.fsdecode(self.target)} is not empty")
        for entry in self.r.entries(root):
            try:
                self.entry(entry)
            except (Damage, OSError) as e:
                complain(f"{shown(entry.key)}: {e}")
        for path, entry in reversed(self.finish):
            self.attributes(path, entry)

    def entry(self, entry):
        """Only in folders that this run has made itself: no link can lead elsewhere."""
        above, _, name = entry.key.rpartition(b"\0")
        if not entry.key:
            self.folders[b""] = self.target
            return
        need(above in self.folders, "there is no folder for it")
        need(name not in (b"", b".", b"..") and b"/" not in name, "its name cannot be one")
        path = os.path.join(self.folders[above], name)
        if entry.flags & UNREADABLE:
            complain(f"{shown(entry.key)}: could not be read when it was backed up")
        if entry.type == FOLDER:
            os.mkdir(path, 0o700)
            self.folders[entry.key] = path
            if not entry.flags & IMPLIED:
                self.finish.append((path, entry))
            return
        inode = entry.device, entry.file_id
        if entry.links > 1 and all(inode) and inode in self.links:
            os.link(self.links[inode], path, follow_symlinks=False)
            return
        self.make(path, entry)
        if entry.links > 1:
            self.links[inode] = path
        self.attributes(path, entry)

    def make(self, path, entry):
        if entry.type == FILE:
            self.file(path, entry)
        elif entry.type == SYMLINK:
            os.symlink(entry.target, path)
        elif entry.type in SPECIAL:
            os.mknod(path, SPECIAL[entry.type] | 0o600, os.makedev(entry.rdev >> 32, entry.rdev & 0xFFFFFFFF))
        else:
            raise Damage(f"type {entry.type} is unknown")

    def file(self, path, entry):
        parts = [(path, entry.size)] + [(path + (b":$EFS" if kind == EFS else b":" + name), size)
                                        for kind, name, size in self.r.parts(entry)]
        segments, at, begin = list(self.r.content(entry)), 0, 0
        got = sum(length for length, _ in segments)
        if got != entry.size + entry.extra:
            need(entry.flags & UNREADABLE, f"has {got} bytes instead of {entry.size + entry.extra}")
            parts = [(path, got)]
        for name, size in parts:
            with open(name, "xb") as f:
                while segments and (at < begin + size):
                    length, chunk = segments[0]
                    need(at + length <= begin + size or not chunk, "a chunk spans two parts")
                    if chunk:
                        f.seek(at - begin)
                        f.write(self.r.data(length, chunk))
                    if at + length > begin + size:  # a hole that goes on in the next part
                        segments[0] = at + length - begin - size, None
                        at = begin + size
                        break
                    at += length
                    del segments[0]
                f.truncate(size)
            begin += size
        if entry.flags & AWAY:  # zeros would be a lie
            os.unlink(path)
            raise Damage("its content was elsewhere when it was backed up" if len(parts) == 1
                         else "it is encrypted by EFS: its raw data is beside it")

    def attributes(self, path, entry):
        """Owner first, which takes set-id bits and capabilities away; times last."""
        what = shown(entry.key)
        if entry.flags & WINDOWS:  # POSIX has no place for the rest
            self.r.attempt(what, lambda: os.utime(path, ns=(entry.mtime_ns,) * 2, follow_symlinks=False))
            return
        if os.geteuid() == 0:
            self.r.attempt(what, lambda: os.lchown(path, entry.uid, entry.gid))
        for a in entry.attributes:
            self.r.attempt(f"{what}: {a.name.decode(errors='replace')}", self.attribute, path, entry, a)
        if entry.type != SYMLINK:
            self.r.attempt(what, os.chmod, path, entry.mode)
        self.r.attempt(what, lambda: os.utime(path, ns=(entry.mtime_ns,) * 2, follow_symlinks=False))

    def attribute(self, path, entry, attribute):
        value = attribute.value
        if attribute.ref:
            value = self.r.chunk(chunk_of(attribute.ref, entry.refs), DATA)[1]
        os.setxattr(path, attribute.name, value, follow_symlinks=False)


def sets_of(repository):
    records = repository.records(repository.hosts())
    removed = {r.set_id for r in records if r.type == "removal"}
    return [r for r in records if r.type == "set" and r.group == repository.keys.group and r.set_id not in removed]


def completions_of(repository, sets):
    """{set id: completion}: of each set the first that names its record."""
    records, out = {r.set_id: r for r in sets}, {}
    for r in repository.records(repository.hosts()):
        of = records.get(r.set_id)
        if r.type == "completion" and of and of.host == r.host and of.sha256 == r.record and r.trusted:
            out.setdefault(r.set_id, r)
    return out


def list_verdict(r, completion):
    inner = completion.inner if completion else r.inner
    verdict = inner.verdict if inner else None
    if not verdict:
        return
    level = LEVELS[(completion or r).applications]
    print(f"    applications: {level}{'' if completion or not verdict.vss else ', unconfirmed'}")
    for c in verdict.components:
        writer = verdict.writers[c.writer - 1].name if c.writer else "no writer"
        print(f"    {LEVELS[c.level]}: {c.unit} ({writer}), reason {c.why}")
    for document in getattr(inner, "documents", []):
        print(f"    document {document.name}, {document.size} bytes")


def list_sets(repository):
    sets = sets_of(repository)
    completions = completions_of(repository, sets)
    for r in sets:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(r.started_ns // 10**9))
        host = r.inner.host_name if r.inner else r.host.hex()
        print(f"{r.set_id.hex()}  {started}  {host}  {r.job}  {STATES.get(r.state, r.state)}  {r.entries} entries  "
              f"{r.bytes} bytes{'' if r.trusted else '  SIGNATURE NOT CHECKED: no host record'}")
        for fault in r.inner.faults if r.inner else []:
            print(f"    {shown(fault.key)}: {fault.text}")
        list_verdict(r, completions.get(r.set_id))


def restore(repository, wanted, target):
    found = sets_of(repository)
    found = found[-1:] if wanted == "latest" else [r for r in found if r.set_id.hex().startswith(wanted)]
    need(len(found) == 1, f"{len(found)} sets are {wanted}")
    if not found[0].trusted:
        complain(f"{found[0].name}: no host record to check it with; restored all the same")
    Restore(repository, target).run(found[0].root)


def verify(repository):
    check = Verify(repository)
    check.run()
    print(", ".join(f"{n} {what}" for what, n in check.counts.items()) +
          ("" if repository.keys else "; without a key no block was opened"))


def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1].replace("%", "%%"))
    commands = parser.add_subparsers(dest="command", required=True)
    for name, words in (("list", []), ("restore", ["set", "target"]), ("verify", [])):
        command = commands.add_parser(name)
        for word in ["repository", *words]:
            command.add_argument(word)
        key = command.add_mutually_exclusive_group(required=name != "verify")
        key.add_argument("--sheet")
        key.add_argument("--passphrase-file")
    args = parser.parse_args()
    try:
        repository = Repository(args.repository, complain)
        if args.sheet:
            with open(args.sheet, encoding="utf-8") as f:
                repository.unlock(sheet_key(f.read()), None)
        elif args.passphrase_file:
            with open(args.passphrase_file, "rb") as f:
                repository.unlock(None, f.readline().rstrip(b"\r\n"))
        if args.command == "list":
            list_sets(repository)
        elif args.command == "restore":
            restore(repository, args.set, args.target)
        else:
            verify(repository)
    except (Damage, OSError) as e:
        complain(e)
    if problems:
        print(f"reader: {problems} problem{'s'[:problems > 1]}", file=sys.stderr)
    return 1 if problems else 0


sys.exit(main())
