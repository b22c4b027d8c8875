"""Prints every switch by rule; fails when one is not built, when a key is missing, or when a rule has none.

With --self-test it shows that mutate.py and red.py refuse what proves nothing.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

# Rules that no switch can take away yet, and why.
WITHOUT = {}


def keys_of(path):
    head = re.split(r"^from:$", path.read_text(), maxsplit=1, flags=re.M)[0]
    return dict(re.findall(r"^([a-z]+): *(.*)$", head, flags=re.M))


def listed(switches):
    known = set()
    for cmake in (ROOT / "tests").rglob("CMakeLists.txt"):
        for call in re.findall(r"sp_switch\(([^)]*)\)", cmake.read_text()):
            known.update(call.split())
    missing = [s for s in switches if s not in known]
    for s in missing:
        print(f"{s}: no sp_switch() names it")
    return not missing


def listing():
    tests = ROOT / "tests"
    files = sorted(tests.glob("**/switches/*.switch"))
    good = listed({f"{f.parent.parent.relative_to(tests)}/{f.stem}" for f in files})
    rules = {}
    for f in files:
        keys = keys_of(f)
        for key in ("rule", "why", "suite", "file"):
            if not keys.get(key):
                print(f"{f}: no {key}")
                good = False
        for rule in re.findall(r"\bR\d+\b", keys.get("rule", "")) or ["other"]:
            rules.setdefault(rule, []).append((f.stem, keys))
    numbers = re.findall(r"^\| (R\d+) \|", (ROOT / "docs/rules.md").read_text(), flags=re.M)
    for rule in numbers + ["other"]:
        for name, keys in rules.get(rule, []):
            print(f"{rule:5} {name:36} {keys['suite']:28} {keys['why']}")
        if rule in numbers and rule not in rules:
            print(f"{rule:5} no switch: {WITHOUT.get(rule, 'AND NO REASON')}")
            good &= rule in WITHOUT
    print(f"{len(files)} switches")
    sys.exit(0 if good else 1)


def run(script, *arguments):
    done = subprocess.run([sys.executable, HERE / script, *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        (work / "a.c").write_text("one;\n  two;\nthree;\ntwo;\n")
        out = work / "out" / "a.c"

        def mutate(changes):
            switch = work / "x.switch"
            switch.write_text("rule: R1\nsuite: s\nfile: a.c\n" + changes)
            return run("mutate.py", switch, work, out)

        code, words = mutate("from:\none;\ntwo;\nto:\nzero;\nfrom:\nthree;\nto:\n")
        assert code == 0 and out.read_text() == '#line 1 "a.c"\nzero;\ntwo;\n', (words, out.read_text())
        code, words = mutate("from:\ntwo;\nto:\n")
        assert code != 0 and "2 times" in words, words
        code, words = mutate("from:\nfour;\nto:\n")
        assert code != 0 and "0 times" in words, words
        code, words = mutate("")
        assert code != 0 and "changes nothing" in words, words
    assert run("red.py", "--", "false")[0] == 0
    assert run("red.py", "--", "true")[0] == 1
    assert run("red.py", "--", "sh", "-c", "exit 77")[0] == 77
    assert run("red.py", "--", "sh", "-c", "exit 127")[0] == 1
    print("mutate.py and red.py refuse what they must")


self_test() if "--self-test" in sys.argv else listing()
