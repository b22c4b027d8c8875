"""valgrind.py BUILD [REGEX]: runs every cmocka program of tests/unit under memcheck, two at a time.

Red: an error that memcheck names, or a test that fails. Leaks are LeakSanitizer's, in the preset dev: a forked child
that ends in the middle of a test has many, and does no harm. A test that cannot run here has its reason in NOT_HERE.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import time

NOT_HERE = {
    "test_backup_nomem": "replaces malloc itself",
    "test_nomem": "replaces malloc itself",
    "test_walk_views": "mounts things below itself, which memcheck has no part in",
    "test_describe": "takes /proc away, which memcheck needs",
    "test_server_wall": "memcheck opens files of its own, which the wall forbids",
}
SECONDS = 900


def programs(build):
    listing = subprocess.run(
        ["ctest", "--test-dir", build, "--show-only=json-v1", "-LE", "e2e|switches"],
        capture_output=True, text=True, check=True)
    for test in json.loads(listing.stdout)["tests"]:
        command = test.get("command", [])
        if command and command[0].startswith(build + "/tests/unit/") and re.match(r"test_", test["name"]):
            folder = next((p["value"] for p in test["properties"] if p["name"] == "WORKING_DIRECTORY"), build)
            yield test["name"], command, folder


def run(item):
    name, command, folder = item
    start = time.monotonic()
    try:
        done = subprocess.run(
            ["valgrind", "-q", "--error-exitcode=99", "--leak-check=no", "--max-stackframe=16777216",
             "--child-silent-after-fork=yes", "--fair-sched=yes", *command],
            cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS,
            env={**os.environ, "SP_UNDER_VALGRIND": "1"})
        code, out = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        code, out = -1, (late.stdout or b"") + b"\nit did not end"
    return name, code, out.decode(errors="replace"), time.monotonic() - start


def main():
    build = str(pathlib.Path(sys.argv[1]).resolve())
    pattern = re.compile(sys.argv[2] if len(sys.argv) > 2 else "")
    items = [x for x in programs(build) if x[0] not in NOT_HERE and pattern.search(x[0])]
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, code, out, seconds in pool.map(run, items):
            print(f"{'ok ' if code == 0 else 'BAD'} {seconds:6.1f} s  {name}", flush=True)
            if code != 0:
                bad += 1
                print("\n".join(out.splitlines()[-60:]))
    for name, why in NOT_HERE.items():
        print(f"left out: {name}: {why}")
    print(f"valgrind: {len(items) - bad} clean, {bad} with findings")
    sys.exit(1 if bad or not items else 0)


main()
