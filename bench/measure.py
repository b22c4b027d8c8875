"""One program with its own repository and state; runs its commands and says what they took."""
import dataclasses
import os
import pathlib
import shutil
import subprocess
import time

from programs import COMMANDS, ENVIRONMENT, Server, family

# GNU time starts the program from a small process: a child of this one would inherit Python's own peak.
TIME = ["/usr/bin/time", "-q", "-f", "%U %S %M"]


@dataclasses.dataclass
class Figure:
    wall: float  # seconds
    cpu: float  # seconds, client and server
    client_mb: float  # peak resident
    server_mb: float
    stored: int  # bytes in the repository afterwards

    def __str__(self):
        return (f"{self.wall:.2f} s, CPU {self.cpu:.2f} s, {self.client_mb:.0f} MB"
            + (f" + {self.server_mb:.0f} MB" if self.server_mb else "")
            + (f", stored {self.stored / 1e6:.1f} MB" if self.stored else ""))


def bytes_below(folder):
    return sum(os.lstat(os.path.join(d, name)).st_size for d, _, names in os.walk(folder) for name in names)


class Session:
    def __init__(self, name, program, folder, source, one, server=None, more=None):
        """server: what runs already and is not ended with the session; more: values for the commands."""
        self.name, self.program, self.server, self.own_server = name, program, server, False
        self.target = folder / "target"
        self.log = folder / "log"
        for part in ("state", "target"):
            (folder / part).mkdir(parents=True)
        self.values = {"repo": str(folder / "repo"), "state": str(folder / "state"),
            "source": str(source), "target": str(self.target), "one": one, "one_relative": one.lstrip("/"),
            **(more or {})}
        self.env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8", **program["env"]}
        for key, value in ENVIRONMENT.get(family(name), {}).items():
            self.env[key] = value.format(**self.values)
        try:
            if name.endswith("TLS"):
                self.server = Server(program["server"], str(folder / "server"), self.values["repo"],
                    folder / "server.log")
                self.own_server = True
                self.values["token"] = self.server.token()
            if "init" in COMMANDS[name]:
                self.run(self.command("init", ""))
        except BaseException:
            self.close()
            raise

    def command(self, what, backup_name):
        values = dict(self.values, name=backup_name)
        return [*self.program["start"], *(word.format(**values) for word in COMMANDS[self.name][what].split())]

    def run(self, command):
        with open(self.log, "ab") as log:
            done = subprocess.run(command, cwd=self.target, env=self.env, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log)
        if done.returncode != 0:
            tail = self.log.read_text(errors="replace").splitlines()[-15:]
            raise SystemExit(f"bench: exit {done.returncode} of: {' '.join(command)}\n" + "\n".join(tail))

    def measure(self, what, row):
        # A restore comes from the newest backup.
        if what == "backup":
            self.newest = row
        command = self.command(what, getattr(self, "newest", ""))
        out = self.log.with_suffix(".time")
        os.sync()  # nobody pays for another's dirty pages
        server_before = 0
        if self.server:
            self.server.forget_peak()
            server_before = self.server.cpu()
        start = time.perf_counter()
        self.run([*TIME, "-o", str(out), "--", *command])
        wall = time.perf_counter() - start
        user, system, peak = out.read_text().split()[-3:]
        cpu = float(user) + float(system)
        server_mb = 0
        if self.server:
            cpu += self.server.cpu() - server_before
            server_mb = self.server.peak_mb()
        stored = bytes_below(self.values.get("stored", self.values["repo"])) if what == "backup" else 0
        return Figure(wall, cpu, int(peak) * 1024 / 1e6, server_mb, stored)

    def verify(self, compare, say):
        """What was restored must be there; Stillpoint's must be equal in everything."""
        source = pathlib.Path(self.values["source"])
        for back in (self.target / str(source).lstrip("/"), self.target / source.name, self.target):
            if back.is_dir() and any(back.iterdir()):
                break
        wanted, got = (sum(len(names) for _, _, names in os.walk(top)) for top in (source, back))
        if wanted != got:
            raise SystemExit(f"bench: {self.name} restored {got} files of {wanted}")
        if family(self.name) == "stillpoint":
            done = subprocess.run([compare, source, back], capture_output=True, text=True, errors="replace")
            say("  " + done.stdout.splitlines()[-1])
            if done.returncode != 0:
                raise SystemExit("bench: the restore differs:\n" + done.stdout[:2000])

    def empty_target(self):
        shutil.rmtree(self.target)
        self.target.mkdir()

    def close(self):
        if self.own_server:
            self.server.stop()
            self.own_server, self.server = False, None
