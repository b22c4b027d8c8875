"""How each program is run: the one table to change when a command line does.

{repo} where it stores, {source} what it backs up, {one} a file in it, {name} a name for this backup,
{address} where the server listens. Every command runs in an empty folder {target}.
"""
import os
import pathlib
import signal
import socket
import subprocess
import time

TABLE = {
    "restic": {
        "init": "init -q",
        "backup": "backup -q {source}",
        "restore": "restore -q latest --target {target}",
        "one": "restore -q latest --target {target} --include {one}",
        "check": "check -q --read-data",
    },
    "borg": {
        "init": "init -e repokey-blake2 {repo}",
        "backup": "create --compression zstd,3 {repo}::{name} {source}",
        "restore": "extract {repo}::{name}",
        "one": "extract {repo}::{name} {one_relative}",
        "check": "check --verify-data {repo}",
    },
    "stillpoint, path": {
        "init": "init -r {repo}",
        "backup": "backup -r {repo} {source}",
        "restore": "restore -r {repo} latest --target {target}",
        "one": "restore -r {repo} latest --target {target} --include {one}",
        "check": "check -r {repo} --read-data",
    },
    "stillpoint, TLS": {
        "init": "enroll {token}",
        "backup": "backup {source}",
        "restore": "restore latest --target {target}",
        "one": "restore latest --target {target} --include {one}",
        "check": "check --read-data",
    },
    # The limit of restoring: the same files once more, nothing unpacked.
    "cp -a": {"restore": "-a {source} {target}/"},
}
# What bench/sftp measures: {login} is user@127.0.0.1, {ssh} OpenSSH's client with the options for that account.
SFTP = {
    "restic, sftp": {
        "init": "init -q -o sftp.command={ssh}",
        "backup": "backup -q -o sftp.command={ssh} {source}",
        "restore": "restore -q -o sftp.command={ssh} latest --target {target}",
        "list": "snapshots -o sftp.command={ssh}",
        "check": "check -q -o sftp.command={ssh}",
        "check data": "check -q -o sftp.command={ssh} --read-data",
    },
    "stillpoint, sftp": {
        "init": "init -r {repo} --sftp-login key --sftp-key {key} --sftp-known-hosts {known_hosts}",
        "backup": "backup -r {repo} {source}",
        "restore": "restore -r {repo} latest --target {target}",
        "list": "list -r {repo}",
        "check": "check -r {repo}",
        "check data": "check -r {repo} --read-data",
    },
    "sftp": {"backup": "-b {put} {login}", "restore": "-b {get} {login}"},
}
COMMANDS = {**TABLE, **SFTP}
SERVER = {
    "init": "init -D {state} -r {repo} --listen {address}",
    "run": "run -D {state}",
    "host": "host add -D {state} bench",
}
ENVIRONMENT = {
    "restic": {"RESTIC_REPOSITORY": "{repo}", "RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": "{state}"},
    "borg": {"BORG_PASSPHRASE": "bench", "BORG_BASE_DIR": "{state}", "BORG_EXIT_CODES": "modern"},
    "stillpoint": {"STILLPOINT_CONFIG_DIR": "{state}/config", "STILLPOINT_STATE_DIR": "{state}/state",
        "STILLPOINT_CACHE_DIR": "{state}/cache", "STILLPOINT_PASSPHRASE": "bench"},
}


def family(name):
    return name.split(",")[0]


class Server:
    """stillpointd on loopback; what it used is read from /proc around each command."""

    def __init__(self, program, state, repo, log):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.address = "127.0.0.1:%d" % s.getsockname()[1]
        self.values = {"state": state, "repo": repo, "address": self.address}
        self.program, self.log = program, open(log, "ab")
        self.call("init")
        self.process = subprocess.Popen([program, *self.words("run")], stdin=subprocess.DEVNULL,
            stdout=self.log, stderr=self.log)
        self.wait_until_it_listens()

    def words(self, what):
        return [word.format(**self.values) for word in SERVER[what].split()]

    def call(self, what):
        done = subprocess.run([self.program, *self.words(what)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=self.log, check=True, text=True)
        return done.stdout

    def wait_until_it_listens(self):
        host, port = self.address.split(":")
        for _ in range(100):
            if self.process.poll() is not None:
                raise RuntimeError("stillpointd ended at once")
            try:
                socket.create_connection((host, int(port))).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.1)
        raise RuntimeError("stillpointd does not listen")

    def token(self):
        return self.call("host").strip().splitlines()[-1]

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_mb(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
        return 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        finally:
            self.process.kill()
            self.log.close()


def families():
    return list(dict.fromkeys(family(name) for name in TABLE))
