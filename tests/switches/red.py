"""red.py [--hangs] -- SUITE [ARGS…]: succeeds when the suite fails.

Red is an exit code other than 0 within two minutes. A suite that could not be started (126, 127), that was
skipped (77), or that does not end (unless --hangs) proves nothing and fails here.
"""
import os
import signal
import subprocess
import sys


def main():
    hangs = sys.argv[1] == "--hangs"
    command = sys.argv[sys.argv.index("--") + 1 :]
    suite = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        out = suite.communicate(timeout=120)[0].decode(errors="replace")
    except subprocess.TimeoutExpired:
        os.killpg(suite.pid, signal.SIGKILL)
        out = suite.communicate()[0].decode(errors="replace")
        print(out[-2000:])
        sys.exit(0 if hangs else "the suite did not end.")
    print(out[-2000:])
    if suite.returncode == 77:
        sys.exit(77)
    if suite.returncode in (126, 127):
        sys.exit("the suite could not be started.")
    if suite.returncode == 0:
        sys.exit("the suite stays green: it does not test what the switch takes away.")
    print(f"red, as it must be (exit {suite.returncode})")


main()
