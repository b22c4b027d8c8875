"""Packages from Debian's archive without touching the machine's own package state.

A private source list (the machine's own mirror, another suite) and a private, empty dpkg status: apt then
fetches a package with all it depends on, down to libc, checked against the signed index. The packages
are unpacked into a folder, never installed; their programs run with their own loader and libraries.
"""
import pathlib
import re
import subprocess

SOURCES = [pathlib.Path("/etc/apt/sources.list.d/debian.sources"), pathlib.Path("/etc/apt/sources.list")]


class AptError(Exception):
    pass


def private_list(suite):
    """The machine's own mirror as a list for `suite`, in whichever form it is written."""
    for file in SOURCES:
        if not file.exists():
            continue
        text = file.read_text()
        if file.suffix == ".sources":
            stanza = text.strip().split("\n\n")[0]
            lines = [line for line in stanza.splitlines() if not line.startswith("#")]
            lines = [re.sub(r"^Suites:.*", f"Suites: {suite}", line) for line in lines]
            lines = [re.sub(r"^Types:.*", "Types: deb", line) for line in lines]
            return "private.sources", "\n".join(lines) + "\n"
        found = re.search(r"^deb\s+(\[[^]]*\]\s+)?(\S+)\s+\S+", text, re.M)
        if found:
            return "private.list", f"deb {found.group(1) or ''}{found.group(2)} {suite} main\n"
    raise AptError("the machine has no Debian source list to take the mirror from")


class Apt:
    def __init__(self, folder, suite):
        self.folder = pathlib.Path(folder).resolve()
        for part in ("lists/partial", "archives/partial"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        name, text = private_list(suite)
        (self.folder / name).write_text(text)
        values = {
            "Dir::Etc::sourcelist": self.folder / name, "Dir::Etc::sourceparts": "-",
            "Dir::State::lists": self.folder / "lists", "Dir::State::status": self.folder / "status",
            "Dir::Cache::pkgcache": "", "Dir::Cache::srcpkgcache": "",
            "Dir::Cache::archives": self.folder / "archives",
            "APT::Sandbox::User": "root", "Debug::NoLocking": "1"}
        self.options = [f"-o{key}={value}" for key, value in values.items()]

    def run(self, *arguments):
        done = subprocess.run(["apt-get", "-q", *self.options, *arguments], stdin=subprocess.DEVNULL,
            capture_output=True, text=True)
        if done.returncode != 0:
            raise AptError(f"apt-get {arguments[0]}: {done.stderr.strip().splitlines()[-1:]}")

    def unpack(self, root, packages, with_dependencies=True):
        """Fetches the packages and unpacks them below root."""
        self.run("update")
        if with_dependencies:
            self.run("install", "--no-install-recommends", "--download-only", "-y", *packages)
            files = sorted((self.folder / "archives").glob("*.deb"))
        else:
            done = subprocess.run(["apt-get", "-q", *self.options, "download", *packages],
                cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode != 0:
                raise AptError(f"apt-get download: {done.stderr.strip().splitlines()[-1:]}")
            files = sorted(self.folder.glob("*.deb"))
        root.mkdir(parents=True, exist_ok=True)
        for file in files:
            subprocess.run(["dpkg-deb", "-x", str(file), str(root)], check=True)
            file.unlink()
