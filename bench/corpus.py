"""What is backed up, made from what a Debian machine has: the same on the same machine.

tree    half of it Linux's source, half of it from /usr; every day's edits are drawn from a seed
image   an ext4 file system of the tree in one file, with raw writes into it
random  bytes that nothing can compress or find twice
"""
import os
import pathlib
import random
import re
import shutil
import subprocess

from debian import Apt, AptError

USR = ["/usr/share", "/usr/include", "/usr/lib", "/usr/bin", "/usr/sbin"]
LARGEST = 64 << 20  # of the files taken from /usr
MIB = 1 << 20


def files_below(top):
    """Regular files in a fixed order, as paths."""
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            if os.path.isfile(path) and not os.path.islink(path):
                yield path


def linux_source(cache, say):
    """The unpacked source of Debian's kernel, or None without network."""
    top = cache / "linux-source"
    if not (top / "complete").exists():
        shutil.rmtree(top, ignore_errors=True)
        say("fetching and unpacking linux-source-6.1")
        try:
            Apt(cache / "apt", "bookworm").unpack(top, ["linux-source-6.1"], with_dependencies=False)
        except AptError as error:
            say(f"without Linux's source: {error}")
            return None
        archive = next((top / "usr/src").glob("linux-source-*.tar.xz"))
        subprocess.run(["tar", "-C", str(top), "-xf", str(archive)], check=True)
        shutil.rmtree(top / "usr")
        (top / "complete").touch()
    return next(top.glob("linux-source-*"))


def copy_files(paths, base, to, limit):
    n = 0
    for path in paths:
        if n == limit:
            break
        try:
            if os.path.getsize(path) > LARGEST:
                continue
            target = to / os.path.relpath(path, base)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        except PermissionError:
            continue
        n += 1
    return n


class Tree:
    name = "tree"

    def __init__(self, work, cache, files, with_linux, say):
        self.path = work / "tree"
        self.seed = 0
        shutil.rmtree(self.path, ignore_errors=True)
        n = 0
        linux = linux_source(cache, say) if with_linux else None
        say(f"copying {files} files")
        if linux:
            n = copy_files(files_below(linux), linux, self.path / "linux", files // 2)
        for folder in USR:
            n += copy_files(files_below(folder), "/", self.path, files - n)

    def describe(self):
        sizes = [os.path.getsize(p) for p in files_below(self.path)]
        return f"{len(sizes)} files, {sum(sizes) / 1e6:.0f} MB"

    def one(self):
        """A file in the middle whose name is no pattern to anybody."""
        paths = [p for p in files_below(self.path) if re.fullmatch(r"[\w./-]+", p, re.ASCII)]
        return paths[len(paths) // 2]

    def day(self):
        """2 % edited, 0.5 % removed, 0.5 % added, one folder renamed."""
        self.seed += 1
        r = random.Random(self.seed)
        paths = list(files_below(self.path))
        picked = r.sample(paths, len(paths) * 3 // 100)
        edited, removed, copied = (picked[: len(paths) * 2 // 100],
            picked[len(paths) * 2 // 100: len(paths) * 25 // 1000], picked[len(paths) * 25 // 1000:])
        for path in edited:
            self.edit(path, r)
        for path in removed:
            os.unlink(path)
        for path in copied:
            with open(path, "rb") as file, open(f"{path}.new-{self.seed}", "wb") as new:
                new.write(b"a new day %d\n" % self.seed + file.read())
        folders = [d for d, below, names in sorted(os.walk(self.path))
            if len(names) >= 20 and not below and d != str(self.path)]
        if folders:
            folder = r.choice(folders)
            os.rename(folder, f"{folder}-{self.seed}")

    @staticmethod
    def edit(path, r):
        size = os.path.getsize(path)
        with open(path, "r+b") as file:
            how = r.random()
            if how < 0.4:
                file.seek(0, os.SEEK_END)
                file.write(b"a line at the end %d\n" % r.getrandbits(32))
            elif how < 0.8:
                file.seek(r.randrange(size + 1))
                file.write(b"%x" % r.getrandbits(4 * min(4000, size + 1)))
            else:
                at = r.randrange(min(size, MIB) + 1)
                file.seek(at)
                rest = file.read()
                file.seek(at)
                file.write(b"a line in the middle %d\n" % r.getrandbits(32) + rest)


class Image:
    name = "image"

    def __init__(self, work, tree, say):
        folder = work / "image"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        self.path, self.file, self.seed = folder, folder / "disk.raw", 0
        used = int(subprocess.run(["du", "-s", "--block-size=1", str(tree)], check=True,
            capture_output=True, text=True).stdout.split()[0])
        say(f"an ext4 image of {used / 1e6:.0f} MB of files")
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-m", "0", "-N", str(400000 + used // 16384),
            "-U", "5711901a-0000-4000-8000-000000000000", "-E",
            "hash_seed=5711901a-0000-4000-8000-000000000001,lazy_itable_init=1,nodiscard",
            "-d", str(tree), str(self.file), f"{used * 5 // 4 // MIB + 512}M"], check=True)

    def describe(self):
        st = self.file.stat()
        return f"ext4, {st.st_size / 1e6:.0f} MB, {st.st_blocks * 512 / 1e6:.0f} MB allocated"

    def day(self):
        """2000 writes of 8 KiB, 400 of 64 KiB text, and one run of random bytes (1 %), anywhere."""
        self.seed += 1
        r = random.Random(self.seed)
        size = self.file.stat().st_size
        text = "".join(f"line {i} of a file that was rewritten\n" for i in range(2000)).encode()[:65536]
        with open(self.file, "r+b") as file:
            writes = [(8192, None)] * 2000 + [(65536, text)] * 400 + [(min(100 * MIB, size // 100), None)]
            for n, what in writes:
                file.seek(r.randrange(MIB, size - n) // 4096 * 4096)
                file.write(what or r.randbytes(n))


class Random:
    name = "random"

    def __init__(self, work, mib, say):
        self.path = work / "random"
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir()
        say(f"{mib} MiB of random data")
        r = random.Random(1)
        with open(self.path / "data", "wb") as file:
            for _ in range(mib):
                file.write(r.randbytes(MIB))
        self.mib = mib

    def describe(self):
        return f"one file, {self.mib} MiB"

    def day(self):
        pass
