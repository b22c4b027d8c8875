"""The programs to be measured against: the newest restic and borg of Debian's suites, or the installed ones."""
import pathlib
import shutil
import subprocess

from debian import Apt, AptError

SUITES = ["sid", "trixie"]


def unpacked(root):
    """How to start restic and borg from an unpacked tree, or None when it is not whole."""
    loader = next(iter(sorted(root.glob("usr/lib/*/ld-linux*.so.*"))), None)
    python = root / "usr/bin/python3"
    if not (root / "complete").exists() or loader is None:
        return None
    run = [str(loader), "--library-path", str(loader.parent)]
    return {
        "restic": {"start": [*run, str(root / "usr/bin/restic")], "env": {}},
        "borg": {
            "start": [*run, str(python.resolve()), "-s", str(root / "usr/bin/borg")],
            "env": {"PYTHONHOME": str(root / "usr"),
                "PYTHONPATH": str(root / "usr/lib/python3/dist-packages")}},
    }


def find(cache, say):
    """name -> {start, env}; fetches into `cache` when nothing is there yet."""
    for suite in SUITES:
        root = pathlib.Path(cache) / suite / "root"
        if not (root / "complete").exists():
            say(f"fetching restic and borg of Debian {suite}")
            shutil.rmtree(root.parent, ignore_errors=True)
            try:
                Apt(root.parent / "apt", suite).unpack(root, ["restic", "borgbackup"])
                (root / "complete").touch()
            except AptError as error:
                say(f"{suite}: {error}")
                continue
        peers = unpacked(root)
        if peers and all(version(peer) for peer in peers.values()):
            return peers
        say(f"the programs of {suite} do not run here")
    say("using the installed restic and borg, which may be old")
    return {name: {"start": [name], "env": {}} for name in ("restic", "borg") if shutil.which(name)}


def version(program):
    for argument in ("--version", "version"):
        done = subprocess.run([*program["start"], argument], env={"PATH": "/usr/bin:/bin", **program["env"]},
            capture_output=True, text=True)
        if done.returncode == 0 and done.stdout:
            return done.stdout.splitlines()[0]
    return None
