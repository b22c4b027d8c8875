"""The machines of scripts/ as a whole: every kind of writer at once, nested components, a dependency across writers,
excludes, one that is slow and one that is broken; Hyper-V in both caption styles. What each unit must be is below.

usage: machines.py; finds the program in SP_BUILD. Exit 1 when anything differs."""
import json
import os
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
import matrix

PARTS = ["sql", "exchange", "system", "third", "slow", "broken"]
FILES = {
    "d": [f"vms/web0{i}/disk.vhdx" for i in range(1, 9)] + ["hyper-v/host/h", "hyper-v/store/s", "sql/alpha/db1/DB1.mdf",
        "sql/alpha/db10/DB10.mdf", "sql/alpha/db10/DB10.ldf", "sql/beta/DB1.mdf", "sql/beta/DB1.ldf",
        "sql/alpha/tempdb.mdf", "exchange/mailboxes1/mailboxes1.edb", "exchange/mailboxes1/x.tmp",
        "exchange/mailboxes1/logs/E0000001.log"],
    "c": ["sql-logs/alpha/DB1.ldf", "windows/system32/config", "windows/asr/a", "ledger/config.ini", "ledger/a.lock",
        "ledger/books/2026.ldg", "ledger/index/i", "ledger-archive/2025", "ledger-archive.tmp/2025", "slow/s", "broken/b"],
}
TOOK = ("application", "took-part")
VMS = {f"web0{i}": TOOK for i in range(1, 8)} | {"web08": ("crash", "method")}
COMMON = {r"SRV\ALPHA/DB1": TOOK, r"SRV\ALPHA/DB10": TOOK, r"SRV\BETA/DB1": TOOK, "Mailboxes 1": TOOK,
    "Mailboxes 1/File": TOOK, "Mailboxes 1/Logs": TOOK, "System Files": TOOK, "ASR": TOOK, "Ledger 9": TOOK,
    "Ledger books": TOOK, "Index": TOOK, "Archive": TOOK, "Slow": TOOK, "Broken": ("crash", "writer-failed")}
MACHINES = {"hyper-v": COMMON | VMS | {"Host Component": TOOK}, "hyper-v-2008": COMMON | VMS | {"Initial Store": TOOK}}
# Added by themselves, not with a parent: nonselectable ones below a selectable one never are (AddComponent's page).
WITH_PARENT = {"Mailboxes 1/File", "Mailboxes 1/Logs", "Ledger books", "Index"}
EXCLUDED = ["sql/alpha/tempdb.mdf", "exchange/mailboxes1/x.tmp", "ledger/a.lock"]


def script(world, hyper_v):
    put = {"C": str(world.at / "c"), "D": str(world.at / "d"), "SHADOWS": str(world.at / "shadows")}
    text = "".join((matrix.HERE / f"scripts/{p}.vss").read_text() for p in ["machine", hyper_v] + PARTS)
    text = "".join(l for l in text.splitlines(True) if not l.startswith("#"))
    (world.at / "script").write_text(re.sub(r"@(\w+)@", lambda m: put[m.group(1)], text))


def check(world, hyper_v, want):
    script(world, hyper_v)
    (world.at / "trace").unlink(missing_ok=True)
    done = subprocess.run([world.program, "backup", world.at / "c", world.at / "d", "--json"], env=world.env,
        capture_output=True, text=True, timeout=60)
    trace = (world.at / "trace").read_text().splitlines()
    wrong = matrix.ended_well(trace)
    if done.returncode != 1:
        wrong.append(f"exit {done.returncode} instead of 1: one writer is broken")
    x = json.loads(done.stdout)[0]
    got = {c["unit"]: c for c in x["consistency"]["components"]}
    for unit in sorted(set(want) | set(got)):
        is_, be = got.get(unit), want.get(unit)
        if not is_ or not be or (is_["level"], is_["why"]) != be:
            wrong.append(f"{unit}: {is_ and (is_['level'], is_['why'])} instead of {be}")
        elif is_["added"] == (unit in WITH_PARENT):
            wrong.append(f"{unit}: added is {is_['added']}")
    broken = got.get("Broken", {}).get("text", "")
    if "The Broken service met an error that it does not know." not in broken:
        wrong.append(f"the words of the broken writer are not told: {broken}")
    if len(x["consistency"]["shadows"]) != 1 or len({l.split()[2] for l in trace if " add_volume " in l}) != 2:
        wrong.append("not one shadow set of both volumes")
    found = subprocess.run([world.program, "find", "latest", "*"], env=world.env, capture_output=True, text=True).stdout
    for name in (n for names in FILES.values() for n in names):
        if (f"/{name}\n" in found) == (name in EXCLUDED):
            wrong.append(f"{name}: {'is' if name in EXCLUDED else 'is not'} in the set")
    return wrong


def main():
    program = os.environ.get("SP_PROGRAM_stillpoint-vss") or os.path.join(os.environ["SP_BUILD"], "tests/vss/stillpoint-vss")
    world, red = matrix.World(program, FILES), 0
    try:
        for hyper_v, want in MACHINES.items():
            wrong = check(world, hyper_v, want)
            print(f"{'FAILED' if wrong else 'ok    '} {hyper_v}: {len(want)} units")
            for line in wrong:
                print(f"         {line}")
            red += bool(wrong)
    finally:
        shutil.rmtree(world.at, ignore_errors=True)
    return 1 if red else 0


if __name__ == "__main__":
    sys.exit(main())
