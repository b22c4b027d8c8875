"""The verdict matrix: runs stillpoint-vss for each cell of matrix.txt and holds what came of it against what is
written there by hand. For every run also: no call out of order, every session that began a shadow set ended by
BackupComplete or AbortBackup, nothing left over, success told only of what is application-consistent, and only after
the set was there.

usage: matrix.py [-v] [BLOCK...]; finds the program in SP_BUILD. Prints a line a cell; exit 1 when any differs."""
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
WRITERS = ["hyper-v", "sql", "exchange", "system", "third"]
# The first unit of each writer, and the second, by the name of its component.
UNITS = {
    "hyper-v": ("00000001-B5A4-4D2E-9C51-000000000001", "00000002-B5A4-4D2E-9C51-000000000002"),
    "sql": ("DB1", "DB10"),
    "exchange": ("MB1", "MB2"),
    "system": ("System Files", "Win32 Services Files"),
    "third": ("Ledger", "Archive"),
}
FILES = {
    "d": ["vms/web01/disk.vhdx", "vms/web02/disk.vhdx", "sql/DB1.mdf", "sql/DB1.ldf", "sql/DB10.mdf", "sql/DB10.ldf",
        "exchange/mb1/mb1.edb", "exchange/mb1/logs/E0000001.log", "exchange/mb2/mb2.edb", "plain/file"],
    "c": ["windows/system32/config", "windows/services/one", "ledger/books/2026.ldg", "ledger/index/i",
        "ledger-archive/2025", "plain/file"],
}
END = "end illegal=0 sessions=0 asyncs=0 shadows=0 unended=0"


class Block:
    def __init__(self, name):
        self.name = name
        self.lines = {"writer": [], "component": [], "machine": []}
        self.at, self.set, self.says, self.because = [], [], [], None
        self.flags = {"c": "", "d": ""}
        self.method, self.files, self.tries, self.told = "Online", "crash", 1, False
        self.cells = {}

    def each(self):
        return bool(self.lines["writer"] or self.lines["component"])


def cell(words, each_component):
    others = None
    if words[-1].startswith("others="):
        others = tuple(words.pop()[len("others="):].split("/"))
    level, *rest = words
    why, code = rest
    if others is None:
        others = ("application", "took-part") if each_component else (level, why)
    return {"level": level, "why": why, "exit": int(code), "others": others}


def read(path):
    blocks = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("== "):
            blocks.append(Block(line[3:]))
            continue
        b, (key, _, rest) = blocks[-1], line.partition(" ")
        rest = rest.strip()
        if key in b.lines:
            if not rest.startswith("#"):
                b.lines[key].append(rest)
        elif key == "at":
            b.at.append(rest.split(" ", 1))
        elif key == "set":
            b.set.append(rest)
        elif key == "says":
            b.says.append(rest)
        elif key == "because":
            b.because = rest
        elif key == "flags":
            volume, flags = rest.split(" ", 1)
            b.flags[volume] = flags
        elif key == "method":
            b.method = rest.strip('"')
        elif key == "files":
            b.files = rest
        elif key == "tries":
            b.tries = None if rest == "any" else int(rest)
        elif key == "told":
            b.told = True
        elif key in WRITERS:
            b.cells[key] = cell(rest.split(), bool(b.lines["component"]))
        else:
            sys.exit(f"{path.name}:{number}: {key}?")
    for b in blocks:
        if set(b.cells) != set(WRITERS) or not b.because:
            sys.exit(f"{b.name}: five cells and a reason are wanted")
    return blocks


class World:
    def __init__(self, program, files):
        self.at = pathlib.Path(tempfile.mkdtemp(prefix="sp-matrix.",
            dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
        self.program = program
        self.env = dict(os.environ, STILLPOINT_TEST_VSS=str(self.at / "script"),
            STILLPOINT_TEST_VSS_TRACE=str(self.at / "trace"), STILLPOINT_TEST_VSS_HASTE="1", LC_ALL="C.UTF-8")
        for place in ("config", "state", "cache"):
            self.env[f"STILLPOINT_{place.upper()}_DIR"] = str(self.at / place)
            (self.at / place).mkdir()
        for volume, names in files.items():
            for name in names:
                path = self.at / volume / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(f"{volume} {name}\n" * 20)
        (self.at / "script").write_text("")
        subprocess.run([program, "init", "-r", self.at / "repository", "--sheet", self.at / "sheet"], env=self.env,
            check=True, capture_output=True)
        self.sets = self.at / "repository/sets"
        self.env["STILLPOINT_TEST_VSS_SETS"] = str(self.sets)

    def count(self):
        return len(list(self.sets.rglob("*.set")))

    def script(self, b, target):
        put = {f"{w}.{where}": [] for w in WRITERS for where in ("component", "writer")}
        for where, line in b.at:
            put[where].append(line)
        if target:
            for where in ("component", "writer"):
                put[f"{target}.{where}"] += b.lines[where]
        put = {k: "\n".join(v) for k, v in put.items()}
        put |= {"machine": "\n".join(b.lines["machine"]), "C": str(self.at / "c"), "D": str(self.at / "d"),
            "SHADOWS": str(self.at / "shadows"), "flags-c": b.flags["c"], "flags-d": b.flags["d"], "method": b.method}
        text = "".join(l for l in (HERE / "matrix.vss").read_text().splitlines(True) if not l.startswith("#"))
        (self.at / "script").write_text(re.sub(r"@([\w.-]+)@", lambda m: put[m.group(1)], text))

    def run(self, b, target):
        """One backup: exit code, its JSON or None, all that was said, the trace's lines, sets made."""
        self.script(b, target)
        (self.at / "trace").unlink(missing_ok=True)
        before = self.count()
        args = [self.program, "backup", self.at / "c", self.at / "d", "--json"]
        for pair in ["writer-pause=1s"] + b.set:
            args += ["--set", pair]
        done = subprocess.run(args, env=self.env, capture_output=True, text=True, timeout=60)
        try:
            x = json.loads(done.stdout)[0]
        except (ValueError, IndexError):
            x = None
        trace = (self.at / "trace").read_text().splitlines() if (self.at / "trace").exists() else []
        said = done.stdout + done.stderr
        if done.returncode != 2 and b.files == "live": # the volumes of the record say why
            said += subprocess.run([self.program, "show", "latest", "--json"], env=self.env, capture_output=True,
                text=True, timeout=60).stdout
        return done.returncode, x, said, trace, self.count() - before


def ended_well(trace):
    """What the trace says of a run, whatever was injected."""
    wrong = [l for l in trace if l.startswith("illegal")]
    if not trace or trace[-1] != END:
        wrong.append(f"the end is: {trace[-1] if trace else 'no trace'}")
    begun = {l.split()[0] for l in trace if re.match(r"\d+ start_set .* 0x00000000$", l)}
    over = {l.split()[0] for l in trace if re.match(r"\d+ (complete|abort) ", l)}
    wrong += [f"session {s} saw neither BackupComplete nor AbortBackup" for s in sorted(begun - over)]
    return wrong


def told(trace):
    """name -> the last word of SetBackupSucceeded."""
    ret = {}
    for line in trace:
        if re.match(r"\d+ succeeded ", line) and line.endswith("0x00000000"):
            words = shlex.split(line, posix=True) if "\\" not in line else shlex.split(line.replace("\\", "/"))
            ret[words[3]] = words[4]
    return ret


def find(x, name):
    found = [c for c in ((x or {}).get("consistency") or {}).get("components", []) if c["name"] == name]
    return found[0] if len(found) == 1 else None


def check_unit(wrong, x, said, name, level, why, late):
    c = find(x, name)
    got = (c["level"], c["why"]) if c else ("-", "-")
    if got != (level, why):
        wrong.append(f"{name}: {'/'.join(got)} instead of {level}/{why}")
    if not c:
        return
    if level == "application" and c["added"] and said.get(name) != "yes":
        wrong.append(f"{name}: the writer was not told that it was backed up")
    if level != "application" and said.get(name) == "yes" and not late:
        wrong.append(f"{name}: the writer was told that it was backed up")
    if not c["text"].rstrip().endswith((".", "!")) or len(c["text"]) < 60:
        wrong.append(f"{name}: no sentence: {c['text']}")


def check(b, w, target, result):
    code, x, output, trace, sets = result
    want, said, wrong = b.cells[w], told(trace), ended_well(trace)
    if code != want["exit"]:
        wrong.append(f"exit {code} instead of {want['exit']}")
    if sets != (0 if want["exit"] == 2 else 1):
        wrong.append(f"{sets} sets were made")
    if want["exit"] == 2 and any(re.match(r"\d+ (succeeded|complete) ", l) for l in trace):
        wrong.append("the writers heard of a set that is not there")
    if want["exit"] != 2 and (x or {}).get("files_consistency") != b.files:
        wrong.append(f"files are {(x or {}).get('files_consistency')} instead of {b.files}")
    tries = sum(1 for l in trace if re.match(r"\d+ prepare 0x", l))
    if tries != b.tries and (b.tries is not None or tries > 3):
        wrong.append(f"PrepareForBackup {tries} times instead of {b.tries or 'at most 3'}")
    if want["exit"] != 2:
        late = b.told
        check_unit(wrong, x, said, UNITS[w][0], want["level"], want["why"], late)
        check_unit(wrong, x, said, UNITS[w][1], *want["others"], late)
        for other in WRITERS if target else []:
            for name in UNITS[other] if other != target else ():
                check_unit(wrong, x, said, name, "application", "took-part", late)
    text = output
    if target and want["exit"] != 2:
        text = (find(x, UNITS[w][0]) or {}).get("text", "")
    wrong += [f"nothing says '{s}': {text[:600]}" for s in b.says if s not in text]
    return wrong


def main():
    verbose = "-v" in sys.argv
    names = [a for a in sys.argv[1:] if a != "-v"]
    program = os.environ.get("SP_PROGRAM_stillpoint-vss") or os.path.join(os.environ["SP_BUILD"], "tests/vss/stillpoint-vss")
    blocks = [b for b in read(HERE / "matrix.txt") if not names or b.name in names]
    world, red, cells, runs = World(program, FILES), 0, 0, 0
    try:
        for b in blocks:
            result = None
            for w in WRITERS:
                target = w if b.each() else None
                if target or result is None:
                    result = world.run(b, target)
                    runs += 1
                wrong = check(b, w, target, result)
                cells += 1
                red += bool(wrong)
                want = b.cells[w]
                print(f"{'FAILED' if wrong else 'ok    '} {b.name:34} {w:9} {want['level']:12} {want['why']:17} exit {want['exit']}")
                for line in wrong:
                    print(f"         {line}")
                if wrong and verbose:
                    print("\n".join("         | " + l for l in result[3]), result[2][:4000], sep="\n")
    finally:
        if not os.environ.get("SP_KEEP"):
            shutil.rmtree(world.at, ignore_errors=True)
    print(f"{cells} cells of {len(blocks)} rows, {runs} runs: {red} differ")
    if not names and cells < 150:
        sys.exit("at least 150 cells are promised")
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
