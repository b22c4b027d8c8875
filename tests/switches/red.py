"""red.py [--hangs] -- SUITE [ARGS…]: succeeds when the suite fails.

Red is an exit code other than 0 within two minutes, or the first test that cmocka calls failed: what the others say then
is not waited for. A suite that could not be started (126, 127), that was skipped (77), or that does not end (unless
--hangs) proves nothing and fails here.
"""
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time

DEADLINE_S = 120
FAILED = re.compile(rb"^\[  FAILED  \] ", re.MULTILINE)


def watch(suite):
    """What the suite says until it ends, a test of it has failed, or the time is over; and which of these it was."""
    out, end = b"", time.monotonic() + DEADLINE_S
    with selectors.DefaultSelector() as wait:
        wait.register(suite.stdout, selectors.EVENT_READ)
        while (left := end - time.monotonic()) > 0:
            if not wait.select(left):
                continue
            part = os.read(suite.stdout.fileno(), 65536)
            out += part
            if part == b"":
                return out, "ended"
            if FAILED.search(out):
                return out, "failed"
    return out, "hangs"


def run(command, hangs):
    # What a suite that is killed leaves behind goes with its folder.
    folder = tempfile.mkdtemp(prefix="sp-red.")
    os.chmod(folder, 0o755)  # servers of the suites run as other users
    environment = {**os.environ, "TMPDIR": folder}
    suite = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        env=environment)
    try:
        out, how = watch(suite)
        if how != "ended":
            os.killpg(suite.pid, signal.SIGKILL)
        code = suite.wait()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(out.decode(errors="replace")[-2000:])
    if how == "failed":
        print("red, as it must be (a test failed)")
        return
    if how == "hangs":
        sys.exit(0 if hangs else "the suite did not end.")
    if code == 77:
        sys.exit(77)
    if code in (126, 127):
        sys.exit("the suite could not be started.")
    if code == 0:
        sys.exit("the suite stays green: it does not test what the switch takes away.")
    print(f"red, as it must be (exit {code})")


run(sys.argv[sys.argv.index("--") + 1 :], sys.argv[1] == "--hangs")
