#!/usr/bin/env python3
"""A random history of several hosts: kill.py WORLD STILLPOINT STILLPOINTD SERVER-PORT PROXY-PID. See kill.sh, which makes
the world: hosts a and b in one key group, c alone, all three on a server behind a proxy; d with a folder.

Every run is told what its tree was (a manifest: names, types, modes, times, hashes). The one invariant: what a run
reported as done restores equal to the tree of that run, now and at the end, whatever was killed, suspended or cut
meanwhile. A run that was killed may have ended before it could say so: a set that is then listed has to be right too.
"""
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time

PATIENCE = 90  # seconds within which every command has to end once nothing disturbs it any more
CREDIT = 24 << 20  # what an uploader may have under way (docs/protocol.md)


class Surprise(Exception):
    pass


def manifest(root):
    """{path: (type, mode, mtime, what it holds)}; hard links are named by the first name of the file."""
    found, first = {}, {}
    for folder, names, files in os.walk(root):
        names.sort()
        for name in sorted([*names, *files]) if folder != root else ["", *sorted([*names, *files])]:
            path = os.path.join(folder, name) if name else root
            st = os.lstat(path)
            rel = os.path.relpath(path, root)
            if stat.S_ISREG(st.st_mode):
                with open(path, "rb") as f:
                    held = (st.st_size, hashlib.file_digest(f, "sha256").hexdigest())
                if st.st_nlink > 1:
                    held += (first.setdefault(st.st_ino, rel),)
            elif stat.S_ISLNK(st.st_mode):
                held = os.readlink(path)
            else:
                held = None
            found[rel] = (stat.S_IFMT(st.st_mode), stat.S_IMODE(st.st_mode), st.st_mtime_ns, held)
    return found


def differences(a, b):
    names = sorted(set(a) | set(b))
    return [f"{n}: {a.get(n)} != {b.get(n)}" for n in names if a.get(n) != b.get(n)]


class Host:
    def __init__(self, world, name, stillpoint):
        self.name, self.stillpoint, self.dir = name, stillpoint, world / name
        self.tree = world / "trees" / name
        self.env = dict(os.environ)
        for place in ("config", "state", "cache"):
            self.env[f"STILLPOINT_{place.upper()}_DIR"] = str(self.dir / place)
        self.sets = {}  # set id: manifest, of what was reported as done
        self.doubtful = []  # manifests of runs that were killed before they said anything, until a set is found
        self.content = {}  # hash: bytes, of all files that any run met

    def start(self, *arguments, **more):
        return subprocess.Popen([self.stillpoint, *arguments], env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)

    def run(self, *arguments):
        p = self.start(*arguments)
        out, err = p.communicate(timeout=PATIENCE)
        return p.returncode, out, err

    def done(self, *arguments):
        rc, out, err = self.run(*arguments)
        if rc != 0:
            raise Surprise(f"{self.name}: {' '.join(arguments)}: exit {rc}\n{out}{err}")
        return json.loads(out) if "--json" in arguments else out


class History:
    def __init__(self, world, stillpoint, stillpointd, port, proxy, seed):
        self.world, self.stillpointd, self.port, self.proxy = world, stillpointd, port, proxy
        self.rng = random.Random(seed)
        self.hosts = [Host(world, n, stillpoint) for n in "abcd"]
        self.server = None
        self.log = open(world / "server.log", "ab")
        self.steps = self.reported = self.verified = self.found = 0
        self.counts = {}

    # --- the server --------------------------------------------------------------------------

    def start_server(self):
        self.server = subprocess.Popen([self.stillpointd, "run", "-D", str(self.world / "server")],
                                       stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                if self.server.poll() is not None:
                    raise Surprise("the server ended at once")
                time.sleep(0.05)
        raise Surprise("the server did not listen within 10 s")

    def kill_server(self, pause=0.0):
        self.server.kill()
        self.server.wait()
        time.sleep(pause)
        self.start_server()

    def stop_server(self, pause):
        self.server.send_signal(signal.SIGSTOP)
        time.sleep(pause)
        self.server.send_signal(signal.SIGCONT)

    def cut(self):
        os.kill(self.proxy, signal.SIGUSR1)

    # --- trees -------------------------------------------------------------------------------

    def random_file(self, path, size):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.rng.randbytes(size))

    def grow(self, host):
        host.tree.mkdir(parents=True)
        for i in range(40):
            self.random_file(host.tree / f"{i % 5}" / f"f{i}", self.rng.randrange(20000))
        for i in range(3):
            self.random_file(host.tree / f"big{i}", self.rng.randrange(1 << 20, 3 << 20))
        (host.tree / "link").symlink_to("big0")
        os.link(host.tree / "0" / "f0", host.tree / "hard")

    def change(self, host):
        rng, tree = self.rng, host.tree
        files = sorted(p for p in tree.rglob("*") if p.is_file() and not p.is_symlink())
        for _ in range(rng.randrange(1, 8)):
            what, path = rng.randrange(9), rng.choice(files)
            if what < 3:
                self.random_file(tree / f"{rng.randrange(5)}" / f"f{rng.randrange(60)}", rng.randrange(40000))
            elif what == 3:
                self.random_file(tree / f"big{rng.randrange(4)}", rng.randrange(4 << 20))
            elif what == 4:
                with open(path, "ab") as f:
                    f.write(rng.randbytes(rng.randrange(100000)))
            elif what == 5 and path.stat().st_size > 0:
                with open(path, "r+b") as f:
                    f.seek(rng.randrange(path.stat().st_size))
                    f.write(rng.randbytes(500))
            elif what == 6:
                path.unlink()
                files.remove(path)
            elif what == 7:
                path.chmod(rng.choice([0o600, 0o644, 0o755]))
            elif what == 8:
                to = path.with_name(f"{path.name[:6]}.{rng.randrange(100)}")
                path.rename(to)
                files[files.index(path)] = to
        shared = self.world / "shared"  # the same new files come to a and b, members of one group
        if host.name in "ab" and rng.random() < 0.5:
            shutil.copytree(shared, tree / "shared", dirs_exist_ok=True)

    def note_content(self, host, m):
        for kind, _, _, held in m.values():
            if kind == stat.S_IFREG:
                host.content[held[1]] = held[0]

    # --- proving -----------------------------------------------------------------------------

    def prove(self, host, set_id, expected):
        target = self.world / f"back-{host.name}"
        shutil.rmtree(target, ignore_errors=True)
        host.done("restore", set_id, "--target", str(target), "-q")
        self.compare(host, set_id, target, expected)
        shutil.rmtree(target)
        self.verified += 1

    def compare(self, host, set_id, target, expected):
        wrong = differences(expected, manifest(str(target) + str(host.tree)))
        if wrong:
            raise Surprise(f"{host.name}: set {set_id} is not what was backed up:\n" + "\n".join(wrong[:10]))

    def look(self, host):
        """Every set that was reported is listed; another one only where a run was killed, and it has to be right."""
        listed = {s["set"]: s for s in host.done("list", "--json")["sets"] if s["host"] == host.name and s["job"] == "paths"}
        gone = set(host.sets) - set(listed)
        if gone:
            raise Surprise(f"{host.name}: sets that were reported are gone: {gone}")
        for set_id in set(listed) - set(host.sets):
            target = self.world / f"back-{host.name}"
            shutil.rmtree(target, ignore_errors=True)
            host.done("restore", set_id, "--target", str(target), "-q")
            got = manifest(str(target) + str(host.tree))
            match = [m for m in host.doubtful if m == got]
            if not match:
                near = min((differences(m, got) for m in host.doubtful), key=len, default=[])
                raise Surprise(f"{host.name}: set {set_id} is listed, was never reported, and is none of "
                               f"{len(host.doubtful)} trees of killed runs:\n" + "\n".join(near[:10]))
            host.sets[set_id] = match[0]
            # A later look may find it as well: a server may be at the commit when its client is long dead.
            host.doubtful.remove(match[0])
            self.found += 1
        sequences = sorted(s["sequence"] for s in listed.values())
        if sequences != list(range(1, len(sequences) + 1)):
            raise Surprise(f"{host.name}: the chain has gaps: {sequences}")

    # --- a round -----------------------------------------------------------------------------

    def count(self, what):
        self.steps += 1
        self.counts[what] = self.counts.get(what, 0) + 1

    def begin(self, host):
        self.change(host)
        m = manifest(str(host.tree))
        self.note_content(host, m)
        options = ["backup", str(host.tree), "--json", "--set", "checkpoint=1s"]
        rate = self.rng.choice([None, "4M", "8M", "20M"])
        if rate:
            options += ["--bandwidth", rate]
        self.count("backup")
        p = host.start(*options)
        p.host, p.tree, p.killed, p.begun = host, m, False, time.monotonic()
        return p

    def end(self, p, disturbed):
        host = p.host
        try:
            out, err = p.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            p.kill()
            raise Surprise(f"{host.name}: a backup did not end within {PATIENCE} s")
        if p.returncode == -signal.SIGKILL and p.killed:
            host.doubtful.append(p.tree)
        elif p.returncode in (0, 1):
            result = json.loads(out)[0]
            # A set whose reply was lost, or whose maker was killed before it could remember it, breaks no chain.
            if p.returncode == 1 or result["state"] != "complete" or result["faults"]:
                raise Surprise(f"{host.name}: exit {p.returncode} over a tree that nothing changed: {out}{err}")
            host.sets[result["set"]] = p.tree
            self.reported += 1
            if self.rng.random() < 0.3:
                self.prove(host, result["set"], p.tree)
        elif p.returncode in (143, -signal.SIGTERM) and p.killed:  # the latter: before it had a handler
            host.doubtful.append(p.tree)
        elif p.returncode == 6 and disturbed and self.met_nobody(err):
            host.doubtful.append(p.tree)
            self.count("met nobody")
        elif p.returncode == 4 and host.doubtful and "finished first" in err:
            self.count("overtaken")  # by the commit of a run whose client was dead already
        else:
            raise Surprise(f"{host.name}: exit {p.returncode}\n{out}{err}")

    @staticmethod
    def met_nobody(err):
        """It met a dead server at its very first word."""
        return "cannot reach" in err

    def disturb(self, running):
        rng = self.rng
        what = rng.choice(["kill", "kill", "stop", "interrupt", "server", "server", "freeze", "cut", "cut"])
        alive = [p for p in running if p.poll() is None]
        if what in ("kill", "stop", "interrupt"):
            if not alive:
                return
            p = rng.choice(alive)
            if what == "stop":
                p.send_signal(signal.SIGSTOP)
                time.sleep(rng.uniform(0.05, 0.6))
                p.send_signal(signal.SIGCONT)
            else:
                p.killed = True
                p.send_signal(signal.SIGKILL if what == "kill" else signal.SIGTERM)
        elif what == "server":
            self.kill_server(rng.choice([0, 0, 0.3]))
        elif what == "freeze":
            self.stop_server(rng.uniform(0.05, 0.6))
        else:
            self.cut()
        self.count(what)

    def begin_reading(self):
        """A restore of an older set, a check or a list, while everything else goes on."""
        host = self.rng.choice(self.hosts)
        if not host.sets or self.rng.random() < 0.3:
            what = self.rng.choice(["list", "check"])
            p = host.start(what, "--json")
            p.target = None
        else:
            what = "restore"
            set_id = self.rng.choice(sorted(host.sets))
            target = self.world / f"reading-{host.name}"
            shutil.rmtree(target, ignore_errors=True)
            p = host.start(what, set_id, "--target", str(target), "-q")
            p.target, p.set_id = target, set_id
            if self.rng.random() < 0.3:
                time.sleep(self.rng.uniform(0, 0.05))
                p.kill()
        p.host, p.what = host, what
        self.count(what)
        return p

    def end_reading(self, p, disturbed):
        out, err = p.communicate(timeout=PATIENCE)
        host = p.host
        if p.returncode != 0 and p.target is not None and (p.returncode == -signal.SIGKILL or disturbed):
            host.done("restore", p.set_id, "--target", str(p.target), "-q")  # goes on where it was
        elif p.returncode != 0 and not (disturbed and p.returncode == 6):
            raise Surprise(f"{host.name}: {p.what} beside runs: exit {p.returncode}\n{out}{err}")
        if p.target is not None:
            self.compare(host, p.set_id, p.target, host.sets[p.set_id])
            self.verified += 1
            shutil.rmtree(p.target)

    def round(self):
        rng = self.rng
        self.random_file(self.world / "shared" / f"s{rng.randrange(8)}", rng.randrange(300000))
        hosts = rng.sample(self.hosts, min(rng.choice([1, 2, 2, 3, 4]), len(self.hosts)))
        running = [self.begin(h) for h in hosts]
        reading = [self.begin_reading()] if rng.random() < 0.4 else []
        before = self.steps
        for _ in range(rng.randrange(4)):
            time.sleep(rng.uniform(0, 0.25))
            self.disturb(running)
        disturbed = self.steps > before
        for p in running:
            self.end(p, disturbed)
        for p in reading:
            self.end_reading(p, disturbed)
        for h in hosts:
            if rng.random() < 0.4:
                self.look(h)

    # --- at the end --------------------------------------------------------------------------

    def stored(self, *names):
        folder = self.world / ("folder" if names == ("d",) else "repository") / "packs"
        return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())

    def quiet_run(self, host):
        host_tree = manifest(str(host.tree))
        self.note_content(host, host_tree)
        result = host.done("backup", str(host.tree), "--json")[0]
        host.sets[result["set"]] = host_tree
        self.reported += 1

    def conclude(self, long):
        for host in self.hosts:
            self.quiet_run(host)
            self.look(host)
        for host in self.hosts:
            ids = sorted(host.sets)
            for set_id in ids if not long else self.rng.sample(ids, min(len(ids), 60)):
                self.prove(host, set_id, host.sets[set_id])
            report = host.done("check", "--read-data", "--json")
            if report["faults"]:
                raise Surprise(f"{host.name}: check found faults at the end: {report}")
        self.sweep()

    def temporary(self):
        """What is unfinished: in the repositories' tmp/, and wherever programs keep what they know."""
        for folder in [*(host.dir for host in self.hosts), self.world / "server"]:
            for p in folder.rglob("*"):
                parts = p.relative_to(folder).parts
                if p.is_file() and (p.suffix == ".new" or any("tmp" in part for part in parts)):
                    yield p
        for repository in ("repository", "folder"):
            yield from (self.world / repository / "tmp").iterdir()

    def sweep(self):
        """What killed programs left behind goes once it is old, and no lease says that its run lives."""
        old = list(self.temporary())
        leases = [p for r in ("repository", "folder") for p in (self.world / r).glob("leases/*")]
        for p in old + leases:
            os.utime(p, (time.time() - 8 * 24 * 3600,) * 2)
        self.kill_server()
        for host in self.hosts:
            self.quiet_run(host)
        rest = [str(p.relative_to(self.world)) for p in self.temporary() if p in old]
        if rest:
            raise Surprise(f"old temporary files stay: {rest}")
        self.swept = len(old)

    def weigh(self):
        """Nothing durable is sent again: what lies in packs is hardly more than what there ever was to store."""
        members = {}
        for host in self.hosts[:2]:
            members.update(host.content)
        server = sum(members.values()) + sum(self.hosts[2].content.values())
        folder = sum(self.hosts[3].content.values())
        for place, there, of in (("server", self.stored("a"), server), ("folder", self.stored("d"), folder)):
            # the rest: seals, and what two members sent at the same time
            if there > of + of // 20 + (2 << 20):
                raise Surprise(f"{there} bytes lie in the packs of the {place}, where {of} were ever to be stored")
            yield place, there, of


def unfinished(history):
    return set((history.world / "repository" / "tmp").iterdir())


def settle(history, before):
    """Until the server has put away what a dead client sent."""
    for _ in range(200):
        if unfinished(history) <= before:
            return
        time.sleep(0.05)
    raise Surprise("what a dead client sent was not put away within 10 s")


def resume(h):
    """Killed half way through 24 MB that cannot be compressed: the next run sends what is not there, and not more."""
    host, total = h.hosts[2], 24 << 20
    tree = h.world / "resume"
    for i in range(6):
        h.random_file(tree / f"r{i}", total // 6)
    expected = manifest(str(tree))
    before, files = h.stored(), unfinished(h)
    p = host.start("backup", str(tree), "--job", "resume", "--bandwidth", "16M", "--json")
    time.sleep(0.9)
    p.kill()
    p.communicate()
    settle(h, files)
    there = h.stored() - before
    result = host.done("backup", str(tree), "--job", "resume", "--json")[0]
    sent = result["bytes_stored"]
    if there < total // 10:
        raise Surprise(f"resume: only {there} bytes were there when the client was killed; this shows nothing")
    if sent > total - there + (1 << 20):
        raise Surprise(f"resume: {there} of {total} bytes were durable, and {sent} were sent again")
    target = h.world / "resumed"
    host.done("restore", result["set"], "--target", str(target), "-q")
    wrong = differences(expected, manifest(str(target) + str(tree)))
    if wrong:
        raise Surprise("resume: the set is not what was backed up:\n" + "\n".join(wrong))
    shutil.rmtree(target)
    h.note_content(host, expected)
    print(f"resume: {there >> 10} of {total >> 10} KiB were durable, {sent >> 10} KiB were sent by the next run")


def promise(h):
    """What was acknowledged stays when the server is killed, also when its source has gone: the client has let go
    of it. The file that goes was read long before; what follows it is larger than all that may be under way."""
    host = h.hosts[2]
    tree = h.world / "promise"
    h.random_file(tree / "a", 3 << 20)
    h.random_file(tree / "b", 36 << 20)
    expected = manifest(str(tree))
    p = host.start("backup", str(tree), "--job", "promise", "--bandwidth", "24M", "--json")
    time.sleep(1.1)
    if p.poll() is not None:
        raise Surprise(f"promise: the run ended too early: {p.communicate()}")
    h.server.kill()
    h.server.wait()
    (tree / "a").unlink()
    h.start_server()
    out, err = p.communicate(timeout=PATIENCE)
    if p.returncode != 0:
        raise Surprise(f"promise: exit {p.returncode}\n{out}{err}")
    target = h.world / "promised"
    host.done("restore", json.loads(out)[0]["set"], "--target", str(target), "-q")
    got = manifest(str(target) + str(tree))
    if got.get("a") != expected["a"] or got.get("b") != expected["b"]:
        raise Surprise("promise: what the server had acknowledged was lost with it")
    shutil.rmtree(target)
    h.note_content(host, expected)
    print("promise: kept")


def main():
    world, stillpoint, stillpointd, port, proxy = sys.argv[1:6]
    slices = sys.argv[6:] or ["promise", "resume", "history"]
    long = bool(int(os.environ.get("STILLPOINT_LONG") or 0))
    seed = int(os.environ.get("SP_SEED") or random.SystemRandom().randrange(1 << 31))
    begun = time.monotonic()
    print(f"kill: seed {seed}", flush=True)
    h = History(pathlib.Path(world), stillpoint, stillpointd, int(port), int(proxy), seed)
    rounds = 0
    try:
        h.start_server()
        if "promise" in slices:
            promise(h)
        if "resume" in slices:
            resume(h)
        if "history" in slices:
            for host in h.hosts:
                h.grow(host)
            # a busy machine does fewer rounds
            until = time.monotonic() + int(os.environ.get("SP_SECONDS") or (1800 if long else 14))
            while rounds < (250 if long else 14) and time.monotonic() < until:
                h.round()
                rounds += 1
            h.conclude(long)
            for place, there, of in h.weigh():
                print(f"kill: {there} bytes lie in the packs of the {place}, of {of}")
            print(f"kill: {h.swept} old temporary files were swept")
    except Surprise as why:
        print(f"FAILED: round {rounds}, seed {seed}: {why}", file=sys.stderr)
        return 1
    finally:
        if h.server is not None:
            h.server.send_signal(signal.SIGCONT)
            h.server.kill()
            h.server.wait()
    counts = ", ".join(f"{n} {what}" for what, n in sorted(h.counts.items()))
    print(f"kill: {rounds} rounds, {h.steps} steps ({counts}), {h.reported} sets reported, {h.found} found after a "
          f"kill, {h.verified} verified, seed {seed}, {time.monotonic() - begun:.0f} s: ok")
    return 0


if __name__ == "__main__":
    sys.exit(main())
