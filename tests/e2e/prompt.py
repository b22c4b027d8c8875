"""Runs a command on a terminal of its own and, when it asks for a secret, types Ctrl-C once. Fails unless the
command ends by that, soon, and leaves a terminal that shows what is typed."""

import os
import pty
import select
import sys
import termios
import time


def shows(fd):
    return bool(termios.tcgetattr(fd)[3] & termios.ECHO)


def main():
    said, typed, started = b"", False, time.monotonic()
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(sys.argv[1], sys.argv[1:])
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() - started > 30:
            os.kill(pid, 9)
            sys.exit(f"it did not end; typed: {typed}; it said {said!r}")
        if select.select([fd], [], [], 0.05)[0]:
            try:
                said += os.read(fd, 4096)
            except OSError:  # nobody has the other end any more
                time.sleep(0.05)
        if not typed and said.rstrip().endswith(b":") and not shows(fd):
            os.write(fd, b"\x03")
            typed = True
    if not typed:
        sys.exit(f"nothing was asked: {said!r}")
    code = os.waitstatus_to_exitcode(status)
    if code not in (130, -2):
        sys.exit(f"exit code {code}: {said!r}")
    if not shows(fd):
        sys.exit("the terminal does not show what is typed any more")


main()
