#!/usr/bin/env python3
"""A random history over SFTP: sftp_kill.py WORLD STILLPOINT ADDRESS=FOLDER… (see sftp_kill.sh, which makes the world and
does to the servers what it is asked on its own standard input). Hosts a and b keep their sets in one account through a
line that is cut, c in one of another server.

The invariant is that of kill.py: what a run reported as done restores equal, whatever was killed, suspended or cut
meanwhile; and no run that had begun fails because its connection did.
"""
import os
import pathlib
import random
import sys
import time

import kill
from kill import Host, Surprise

DEAD = 3 * 3600  # seconds after which a lease is dead for sure (docs/format.md §13)


class Servers:
    """What only the shell can do: it answers a line when it is done."""

    def ask(self, what):
        print(what, file=sys.__stdout__, flush=True)
        if sys.stdin.readline().strip() != "done":
            raise Surprise(f"the servers do not '{what}'")


class History(kill.History):
    def __init__(self, world, stillpoint, folders, seed):
        self.world, self.folders = world, folders
        self.rng = random.Random(seed)
        self.hosts = [Host(world, n, stillpoint) for n in "abc"]
        self.servers = Servers()
        self.steps = self.reported = self.verified = self.found = self.swept = 0
        self.counts = {}

    @staticmethod
    def met_nobody(err):
        """The first connection is not made again: who begins while the line is cut is told so. Later ones are."""
        return "could not be made again" not in err and any(
            words in err for words in ("cannot reach", "connection refused", "during the", "the connection broke",
                                       "the server closed"))

    def kill_server(self, pause=0.0):
        self.servers.ask(f"restart {pause}")

    def stop_server(self, pause):
        self.servers.ask(f"freeze {pause}")

    def cut(self):
        self.servers.ask("cut")

    def temporary(self):
        for folder in self.folders:
            for part in ("tmp", "leases"):
                if (folder / part).is_dir():
                    yield from (p for p in (folder / part).rglob("*") if p.is_file())

    def sweep(self):
        """What killed runs left goes once their leases are dead, and not before."""
        young = list(self.temporary())
        for host in self.hosts:
            self.quiet_run(host)
        gone = [str(p) for p in young if not p.exists()]
        if gone and young:
            raise Surprise(f"went while their leases were alive: {gone}")
        for p in young:
            os.utime(p, (time.time() - DEAD,) * 2)
        # It is done beside an upload, and a short one may be over before it.
        for _ in range(3):
            for host in self.hosts:
                self.random_file(host.tree / "last", 2 << 20)
                self.quiet_run(host)
            rest = [p for p in self.temporary() if p in young]
            if not rest:
                break
        else:
            raise Surprise(f"temporary files of dead runs stay: {rest}")
        left = [str(p.relative_to(self.world)) for p in self.temporary()]
        if left:
            raise Surprise(f"runs that nothing disturbed left files behind: {left}")
        self.swept = len(young)


def main():
    world, stillpoint = sys.argv[1:3]
    long = bool(int(os.environ.get("STILLPOINT_LONG") or 0))
    seed = int(os.environ.get("SP_SEED") or random.SystemRandom().randrange(1 << 31))
    begun = time.monotonic()
    print(f"sftp_kill: seed {seed}", file=sys.stderr)
    h = History(pathlib.Path(world), stillpoint, [pathlib.Path(f) for f in sys.argv[3:]], seed)
    rounds = 0
    try:
        for host in h.hosts:
            h.grow(host)
        until = time.monotonic() + int(os.environ.get("SP_SECONDS") or (900 if long else 15))
        while rounds < (150 if long else 8) and time.monotonic() < until:
            h.round()
            rounds += 1
        h.conclude(long)
    except Surprise as why:
        print(f"FAILED: round {rounds}, seed {seed}: {why}", file=sys.stderr)
        return 1
    counts = ", ".join(f"{n} {what}" for what, n in sorted(h.counts.items()))
    print(f"sftp_kill: {rounds} rounds, {h.steps} steps ({counts}), {h.reported} sets reported, {h.found} found after a "
          f"kill, {h.verified} verified, {h.swept} leftovers swept, seed {seed}, {time.monotonic() - begun:.0f} s: ok",
          file=sys.stderr)
    return 0


sys.exit(main())
