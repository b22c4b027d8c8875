"""OpenSSH's sshd on loopback with an account of its own keys, and a line to it with a round trip and a rate."""
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(port, process, what):
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except ConnectionRefusedError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    raise SystemExit(f"bench: {what} does not listen")


class Sshd:
    """For the caller's own user, by key. `through`: the port that clients use, that of a Line to it."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        for name in ("hostkey", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name)], check=True)
        self.port = free_port()
        conf = self.folder / "sshd.conf"
        conf.write_text(f"""Port {self.port}
ListenAddress 127.0.0.1
HostKey {self.folder}/hostkey
AuthorizedKeysFile {self.folder}/key.pub
PidFile none
StrictModes no
UsePAM no
MaxStartups 100
Subsystem sftp internal-sftp
""")
        if os.geteuid() == 0:
            pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        self.process = subprocess.Popen(["/usr/sbin/sshd", "-D", "-f", str(conf), "-E", str(self.folder / "sshd.log")])
        wait_for(self.port, self.process, "sshd")
        self.user = subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()

    def values(self, port):
        """What the commands of programs.SFTP want to know, for clients that connect to this port."""
        known = self.folder / f"known_hosts-{port}"
        known.write_text(f"[127.0.0.1]:{port} {(self.folder / 'hostkey.pub').read_text()}")
        options = ["-F", "none", "-i", str(self.folder / "key"), "-o", f"UserKnownHostsFile={known}",
            "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
        login = f"{self.user}@127.0.0.1"
        script = self.folder / f"ssh-{port}"
        script.write_text(f"#!/bin/sh\nexec {shlex.join(['ssh', *options, '-p', str(port), login, '-s', 'sftp'])}\n")
        script.chmod(0o700)
        return {"login": login, "ssh": str(script), "key": str(self.folder / "key"), "known_hosts": str(known),
            "sftp_start": ["sftp", "-q", *options, "-P", str(port)], "place": f"sftp://{login}:{port}"}

    # What it used: its own and that of all sessions that ended.
    def cpu(self):
        time.sleep(0.05)  # the last session may just be ending
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")

    def forget_peak(self):
        pass

    def peak_mb(self):
        return 0  # sshd is not ours to be small

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


class Line:
    """tests/sftp/slowlink between clients and a port."""

    def __init__(self, program, to, round_trip_ms, mbit):
        self.port = free_port()
        self.process = subprocess.Popen([str(program), str(self.port), str(to), str(round_trip_ms), str(mbit)])
        wait_for(self.port, self.process, "slowlink")

    def stop(self):
        self.process.kill()
        self.process.wait()
