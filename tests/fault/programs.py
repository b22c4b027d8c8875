"""The n-th call fails under the whole programs: stillpoint and stillpointd as they are, with preload.c before libc.

Each case: one program run with one call failing (once, or from then on), then judged: an exit code that is
documented and never a signal; words when it failed; 0 only when what was made restores equal; older sets as they
were; and a run without faults that succeeds and restores equal. STILLPOINT_LONG=1: many more cases; SP_SEED.
"""
import errno
import filecmp
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ["SP_BUILD"])
CLIENT = os.environ.get("SP_PROGRAM_stillpoint", str(BUILD / "client/stillpoint"))
SERVER = os.environ.get("SP_PROGRAM_stillpointd", str(BUILD / "server/stillpointd"))
COMPARE = str(BUILD / "tests/compare/compare")
PRELOAD = str(BUILD / "tests/fault/libfault_preload.so")
LONG = bool(os.environ.get("STILLPOINT_LONG"))
SEED = int(os.environ.get("SP_SEED", time.time_ns() % 1000000007))
ONLY, SCENARIO, KIND = (sys.argv[1:] + ["", "", ""])[:3]
DEADLINE = 30

NUMBERS = {
    "memory": [errno.ENOMEM], "open": [errno.EIO, errno.EMFILE, errno.EACCES, errno.ESTALE],
    "read": [errno.EIO, errno.ESTALE], "write": [errno.EIO, errno.ENOSPC, errno.EDQUOT],
    "fsync": [errno.EIO, errno.ENOSPC, errno.EDQUOT], "close": [errno.EIO, errno.ENOSPC, errno.EDQUOT],
    "rename": [errno.EIO, errno.ENOSPC], "mkdir": [errno.EIO, errno.ENOSPC, errno.EACCES],
    "unlink": [errno.EIO, errno.EACCES], "stat": [errno.EIO, errno.ESTALE], "list": [errno.EIO, errno.ESTALE],
    "attr": [errno.EIO, errno.EPERM], "socket": [errno.ECONNRESET, errno.EIO, errno.ENOBUFS],
    "random": [errno.EIO], "thread": [errno.EAGAIN],
}
FILES = ["open", "read", "write", "fsync", "close", "rename", "mkdir", "unlink", "stat", "list"]


class Wrong(Exception):
    pass


class World:
    def __init__(self):
        base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="stillpoint-programs-", dir=base))
        self.live = self.dir / "live"
        self.files = self.dir / "files"
        self.was = self.dir / "was"
        self.servers = []
        self.live.mkdir()

    def path(self, name):
        return str(self.dir / name)

    def environment(self, state="live"):
        e = {k: v for k, v in os.environ.items() if not k.startswith(("SP_", "STILLPOINT_"))}
        for place in ("config", "state", "cache"):
            e[f"STILLPOINT_{place.upper()}_DIR"] = str(self.dir / state / place)
            (self.dir / state / place).mkdir(parents=True, exist_ok=True)
        return e

    def run(self, *argv, fault=None, state="live", program=None, limit=None):
        e = self.environment(state)
        if fault:
            e.update(fault)
            e["LD_PRELOAD"] = PRELOAD
        try:
            done = subprocess.run([program or CLIENT, *argv], env=e, stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=limit or DEADLINE)
        except subprocess.TimeoutExpired as late:
            if limit:  # it waits for a server that may come back, as it should
                return None, "", (late.stderr or b"").decode(errors="replace")
            raise Wrong(f"it does not end: {late.stderr}")
        return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")

    def well(self, *argv, state="live", program=None):
        code, out, err = self.run(*argv, state=state, program=program)
        if code != 0:
            raise Wrong(f"without faults, {' '.join(argv[:2])}: exit {code}\n{out}{err}")
        return out

    def keep(self, name):
        shutil.rmtree(self.dir / name, ignore_errors=True)
        shutil.copytree(self.live, self.dir / name)

    def reset(self, name):
        shutil.rmtree(self.live, ignore_errors=True)
        shutil.copytree(self.dir / name, self.live)

    def same(self, a, b):
        done = subprocess.run([COMPARE, str(a), str(b)], capture_output=True)
        if done.returncode != 0:
            raise Wrong(f"{a} and {b} differ:\n{done.stdout.decode(errors='replace')[:600]}")

    def sets(self, repository):
        return sorted(p.name for p in pathlib.Path(repository).glob("sets/*/*/*.set"))

    def restored(self, spec, like, state="live"):
        shutil.rmtree(self.dir / "back", ignore_errors=True)
        self.well("restore", spec, "--target", self.path("back"), state=state)
        self.same(like, f"{self.path('back')}{self.files}")

    def close(self):
        for s in self.servers:
            if s.poll() is None:
                s.kill()
                s.wait()
        shutil.rmtree(self.dir, ignore_errors=True)


def make_files(w):
    rng = random.Random(1)
    for i in range(16):
        p = w.files / f"many/{i % 3}/file {i}"
        p.parent.mkdir(parents=True, exist_ok=True)
        p.write_bytes(rng.randbytes(30 + 90 * i))
    (w.files / "large").write_bytes(rng.randbytes(900000))
    (w.files / "empty").write_bytes(b"")
    os.symlink("large", w.files / "link")
    os.link(w.files / "empty", w.files / "many/0/empty too")


def change_files(w):
    subprocess.run(["cp", "-a", str(w.files), str(w.was)], check=True)
    rng = random.Random(2)
    (w.files / "many/1/file 1").write_bytes(rng.randbytes(700))
    (w.files / "large").write_bytes(rng.randbytes(900001))
    (w.files / "new").write_bytes(rng.randbytes(300000))


# --- judging -----------------------------------------------------------------------------------------------


def said(code, err, out=""):
    if code < 0:
        raise Wrong(f"it ended by signal {-code}")
    if code not in range(7):
        raise Wrong(f"exit {code}, which no command has")
    if code != 0 and "stillpoint" not in err and "FAULT " not in out:
        raise Wrong(f"exit {code} and no words")


def whole_or_named(a, b, err):
    """Every file below a has the content of its like in b, or is named in err."""
    for folder, _, names in os.walk(a):
        for name in names:
            p = pathlib.Path(folder) / name
            q = pathlib.Path(b) / p.relative_to(a)
            if p.is_symlink() or name.startswith(".stillpoint"):
                continue
            if not q.is_file() or (not filecmp.cmp(p, q, shallow=False) and name not in err):
                raise Wrong(f"{p} has its name and is not whole")


def heals(w, state="live"):
    w.well("backup", str(w.files), state=state)
    w.restored("paths", w.files, state=state)


def judge_backup(w, c, code, err, before):
    repository = w.path("live/repository")
    n = len(w.sets(repository)) - before
    if code <= 1 and n != 1:
        raise Wrong(f"exit {code}, and {n} new sets")
    if code > 1 and n != 0 and not c["on"]:
        raise Wrong(f"exit {code}, and a new set")
    if before > 0:
        w.restored("paths~1" if n else "paths", w.was)
    if n == 1 and not (code == 1 and c["where"] == "files"):
        w.restored("paths", w.files)
    elif n == 1:
        shutil.rmtree(w.dir / "back", ignore_errors=True)
        got, _, words = w.run("restore", "paths", "--target", w.path("back"))
        if got not in (0, 1):
            raise Wrong(f"an incomplete set does not restore: exit {got}\n{words}")
        if "live/files" not in err and "/files" not in err:
            raise Wrong(f"exit 1, and no file is named: {err}")
        whole_or_named(f"{w.path('back')}{w.files}", w.files, err)
    heals(w)


def judge_restore(w, c, code, err):
    out = f"{w.path('live/out')}{w.files}"
    whole_or_named(out, w.was, err if c["where"] != "live/out" else "")
    if code == 0 and c["fired"] and c["where"] == "live/out" and c["kind"] in ("write", "fsync", "close", "rename"):
        raise Wrong("exit 0, and not all was written (R16)")
    if code == 0 and c["kind"] == "attr" and "warning: " in err:
        return  # a target that cannot hold an attribute is told of, and no fault (R16)
    if code == 0:
        w.same(w.was, out)
    else:
        w.well("restore", "paths", "--target", w.path("live/out"))
        w.same(w.was, out)


def judge_init(w, c, code, err):
    if code != 0:
        shutil.rmtree(w.path("live/repository"), ignore_errors=True)
        if os.path.exists(w.path("live/sheet")):
            if not c["on"] and c["kind"] != "unlink":
                raise Wrong("it failed, and left a sheet that opens nothing")
            os.remove(w.path("live/sheet"))
        w.well("init", "-r", w.path("live/repository"), "--name", "here", "--sheet", w.path("live/sheet"))
    heals(w)
    shutil.rmtree(w.path("stranger"), ignore_errors=True)
    w.well("list", "--all", "-r", w.path("live/repository"), "--recovery-key-file", w.path("live/sheet"),
           state="stranger")


def ageless(listing):
    """A list of sets without what passes while it is made."""
    return re.sub(r'"last_success_age_seconds":\d+', "", listing)


# --- one folder --------------------------------------------------------------------------------------------


def folder_scenarios(w):
    make_files(w)
    w.keep("bare")
    w.well("init", "-r", w.path("live/repository"), "--name", "here", "--sheet", w.path("live/sheet"))
    w.keep("made")
    w.well("backup", str(w.files))
    w.keep("one")
    change_files(w)
    listed = w.well("list", "--json")
    files, repo, local, out = "files", "live/repository", "live/", "live/out"
    backup = ["backup", str(w.files)]
    return [
        ("first backup", "made", backup, [(k, repo) for k in FILES] + [(k, local) for k in ("memory", "thread", "random")]),
        ("backup", "one", backup,
         [(k, repo) for k in FILES] + [(k, files) for k in ("open", "read", "stat", "list", "close")] +
         [(k, local) for k in ("memory", "thread", "random", "open", "write", "rename", "fsync")]),
        ("restore", "one", ["restore", "latest", "--target", w.path(out)],
         [(k, out) for k in FILES + ["attr"]] + [(k, repo) for k in ("open", "read", "list")] +
         [(k, local) for k in ("memory", "thread")]),
        ("check", "one", ["check", "--read-data"], [(k, repo) for k in ("open", "read", "stat", "list")] +
         [("memory", local)]),
        ("list", "one", ["list", "--json"], [(k, repo) for k in ("open", "read", "list")] + [("memory", local)]),
        ("init", "bare", ["init", "-r", w.path("live/repository"), "--name", "here", "--sheet", w.path("live/sheet")],
         [(k, local) for k in ("open", "write", "fsync", "close", "rename", "mkdir", "memory", "random")]),
    ], listed


def fault(w, kind, nth, number, on, where):
    return {"SP_FAULT": f"{kind}:{nth}:{number}{':on' if on else ''}",
            "SP_FAULT_BELOW": w.path(where) if kind not in ("memory", "thread", "random", "socket") else "",
            "SP_FAULT_REPORT": w.path("report")}


def count(w, argv, kind, where, begin, state="live"):
    begin()
    report = pathlib.Path(w.path("report"))
    report.unlink(missing_ok=True)
    code, out, err = w.run(*argv, fault=fault(w, kind, 0, 0, False, where), state=state)
    if code != 0:
        raise Wrong(f"counting {kind}: exit {code}\n{out}{err}")
    return int(report.read_text().split()[1]) if report.exists() else 0


def choose(rng, total, most):
    """The first, the last, and others."""
    if total <= most:
        return list(range(1, total + 1))
    first = [1, total][:most]
    return first + rng.sample(range(2, total), most - len(first))


def folder(w, rng, tally):
    scenarios, listed = folder_scenarios(w)
    cases = []
    for name, begin, argv, kinds in scenarios:
        for kind, where in kinds:
            if SCENARIO not in ("", name) or KIND not in ("", kind):
                continue
            total = count(w, argv, kind, where, lambda: w.reset(begin))
            most = (60 if kind == "memory" else 24) if LONG else (8 if kind == "memory" else 3)
            for nth in choose(rng, total, most):
                number = rng.choice(NUMBERS[kind])
                cases.append(dict(name=name, begin=begin, argv=argv, kind=kind, where=where, nth=nth, number=number,
                                  on=rng.random() < 0.3, total=total))
    for c in cases:
        w.reset(c["begin"])
        before = len(w.sets(w.path("live/repository")))
        code, out, err = -1, "", ""
        try:
            code, out, err = w.run(*c["argv"], fault=fault(w, c["kind"], c["nth"], c["number"], c["on"], c["where"]))
            c["fired"] = int(pathlib.Path(w.path("report")).read_text().split()[2])
            said(code, err, out)
            if "backup" in c["name"]:
                judge_backup(w, c, code, err, before)
            elif c["name"] == "restore":
                judge_restore(w, c, code, err)
            elif c["name"] == "init":
                judge_init(w, c, code, err)
            elif c["name"] == "list" and code == 0 and ageless(out) != ageless(listed) and "cannot" not in err:
                raise Wrong("exit 0, and it lists something else")
            elif c["name"] == "check" and code == 3 and c["kind"] == "memory":
                raise Wrong("it calls damage what it had no memory for")
        except Wrong as why:
            tally.wrong(c, why, code, out, err)
        tally.case(code)


# --- a server and two hosts --------------------------------------------------------------------------------


class Served:
    """A server in its folder, started anew for each case that is to break it; hosts a and b keep their state."""

    def __init__(self, w):
        self.w = w
        self.now = None
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        w.well("init", "-D", w.path("server"), "-r", w.path("repository"), "--listen", f"127.0.0.1:{self.port}",
               program=SERVER)

    def start(self, fault=None):
        e = dict(os.environ)
        if fault:
            e.update(fault, LD_PRELOAD=PRELOAD)
        with open(self.w.path("server.log"), "wb") as log:
            self.now = subprocess.Popen([SERVER, "run", "-D", self.w.path("server")], env=e, stdin=subprocess.DEVNULL,
                                        stdout=log, stderr=log)
        self.w.servers.append(self.now)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            except OSError:
                if self.now.poll() is not None:
                    return False
                time.sleep(0.01)
        raise Wrong("the server does not listen")

    def stop(self):
        """In order: by SIGTERM with an exit code that it has, or before by itself with one."""
        if self.now is None:
            return
        self.now.send_signal(signal.SIGTERM)
        try:
            code = self.now.wait(DEADLINE)
        except subprocess.TimeoutExpired:
            self.now.kill()
            self.now.wait()
            raise Wrong("the server does not end")
        words = pathlib.Path(self.w.path("server.log")).read_text(errors="replace")
        self.now = None
        if code not in range(7):
            raise Wrong(f"the server ended with {code}:\n{words[-2500:]}")
        if code != 0 and not words.strip():
            raise Wrong(f"the server ended with {code} and no words")

    def enroll(self, name):
        token = self.w.well("host", "add", "-D", self.w.path("server"), name, program=SERVER).split()[-1]
        self.w.well("enroll", token, "--name", name, "--sheet", self.w.path(name + ".sheet"), state=name)


def touched(w, tag):
    (w.files / "changing").write_text(f"{tag}\n" * 50)
    with open(w.files / "large", "r+b") as f:
        f.seek(4096)
        f.write(os.urandom(70000))


def server(w, rng, tally):
    make_files(w)
    s = Served(w)
    s.start()
    for name in "ab":
        s.enroll(name)
        w.well("backup", str(w.files), state=name)
    backup, restore = ["backup", str(w.files)], ["restore", "latest", "--target", w.path("taken")]
    cases = []
    for kind in ("socket", "memory", "thread", "random"):
        for name, argv in (("backup", backup), ("restore", restore), ("list", ["list"])):
            total = count(w, argv, kind, "a/", lambda: (touched(w, kind), shutil.rmtree(w.path("taken"), True)), "a")
            for nth in choose(rng, total, 30 if LONG else 4):
                cases.append(dict(name=name + " through a server", argv=argv, kind=kind, where="a/", nth=nth,
                                  number=rng.choice(NUMBERS[kind]), on=rng.random() < 0.2, total=total))
    for c in cases:
        touched(w, "client")
        shutil.rmtree(w.path("taken"), True)
        code, out, err = -1, "", ""
        try:
            before = len(w.sets(w.path("repository")))
            code, out, err = w.run(*c["argv"], state="a", limit=4 if c["kind"] == "socket" and c["on"] else None,
                                   fault=fault(w, c["kind"], c["nth"], c["number"], c["on"], c["where"]))
            if code is None:
                code = 6
            else:
                said(code, err)
            n = len(w.sets(w.path("repository"))) - before
            if c["argv"] is backup and (n != 1 if code <= 1 else n != 0):
                # The set may be made and the answer lost: the client cannot know, and says that it failed.
                if not (code > 1 and n == 1 and c["kind"] == "socket"):
                    raise Wrong(f"exit {code}, and {n} new sets")
            if c["argv"] is backup and n == 1:
                w.restored("paths", w.files, state="a")
            heals(w, "a")
        except Wrong as why:
            tally.wrong(c, why, code, out, err)
        tally.case(code)
    s.stop()

    kinds = [("memory", ""), ("socket", ""), ("thread", ""), ("random", "")] + \
        [(k, "repository") for k in ("open", "write", "fsync", "close", "rename", "mkdir", "read", "list")] + \
        [(k, "server/") for k in ("open", "write", "fsync", "read")]
    cases = []
    for kind, where in kinds:
        report = pathlib.Path(w.path("report"))
        report.unlink(missing_ok=True)
        touched(w, "count")
        s.start(fault(w, kind, 0, 0, False, where))
        for name in "ab":
            w.well("backup", str(w.files), state=name)
        s.stop()
        total = int(report.read_text().split()[1]) if report.exists() else 0
        for nth in choose(rng, total, 30 if LONG else 6 if kind == "memory" else 3):
            cases.append(dict(name="the server", kind=kind, where=where, nth=nth, number=rng.choice(NUMBERS[kind]),
                              on=kind != "socket" and rng.random() < 0.2, total=total))
    # libuv 1.44 asks accept() again and again when it always fails: never `on` for sockets.
    for c in cases:
        touched(w, "server")
        codes, err = [], ""
        try:
            if s.start(fault(w, c["kind"], c["nth"], c["number"], c["on"], c["where"])):
                for name in "ab":
                    if s.now.poll() is not None:
                        break
                    before = w.sets(w.path("repository"))
                    code, _, words = w.run(*backup, state=name, limit=4)
                    codes.append(code)
                    err += words
                    if code is not None:
                        said(code, words)
                    if code in (0, 1) and len(w.sets(w.path("repository"))) != len(before) + 1:
                        raise Wrong(f"host {name}: exit {code}, and no new set")
                # What failed once for one harms nobody else.
                # A folder's failed flush is final until the repository is opened anew (R3), and says so.
                if len(codes) == 2 and not c["on"] and s.now.poll() is None and codes[0] != 0 and codes[1] != 0 \
                        and "could not be flushed before" not in err:
                    raise Wrong(f"one fault, and both hosts failed: {codes}")
            s.stop()
            if not s.start():
                raise Wrong("after it the server does not start again")
            for name in "ab":
                if len(codes) == 2 and 0 in codes and codes[0 if name == "a" else 1] == 0:
                    w.restored("paths", w.files, state=name)
                heals(w, name)
            s.stop()
        except Wrong as why:
            tally.wrong(c, why, codes, pathlib.Path(w.path("server.log")).read_text(errors="replace")[-1500:], err)
            if s.now is not None:
                s.now.kill()
                s.now.wait()
                s.now = None
        tally.case(max([x or 0 for x in codes], default=2))


class Tally:
    def __init__(self):
        self.cases = self.failures = self.told = 0
        self.last = time.monotonic()

    def case(self, code):
        self.cases += 1
        if os.environ.get("SP_TELL"):
            print(f"case {self.cases}: {code}, {time.monotonic() - self.last:.2f} s", flush=True)
        self.last = time.monotonic()
        self.told += code != 0

    def wrong(self, c, why, code, out, err):
        self.failures += 1
        print(f"WRONG: {c['name']}: {c['kind']} {c['nth']} of {c.get('total')} below {c['where']}, "
              f"{errno.errorcode[c['number']]}{' from then on' if c['on'] else ''}: {why}\n"
              f"  exit {code}\n  {out[:300]}\n  {err[:1500]}", flush=True)


def main():
    start = time.monotonic()
    rng = random.Random(SEED)
    tally = Tally()
    print(f"SP_SEED={SEED}", flush=True)
    for name, part in (("folder", folder), ("server", server)):
        if ONLY not in ("", name):
            continue
        w = World()
        try:
            part(w, rng, tally)
        finally:
            w.close()
    print(f"programs: {tally.cases} cases ({tally.told} failed as told), {tally.failures} wrong, seed {SEED}, "
          f"{time.monotonic() - start:.0f} s")
    sys.exit(1 if tally.failures or not tally.cases else 0)


main()
