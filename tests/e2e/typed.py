"""Runs a command on a terminal of its own and answers what it asks.

usage: typed.py PROMPT ANSWER [PROMPT ANSWER…] -- COMMAND…

Each answer is typed when its prompt (a part of what was said since the last answer) stands there. Prints what the
terminal showed and ends with the command's exit code; 99 when a prompt did not come.
"""

import os
import pty
import select
import sys
import time


def main():
    cut = sys.argv.index("--")
    words, command = sys.argv[1:cut], sys.argv[cut + 1:]
    answers = list(zip(words[::2], words[1::2]))
    shown, since, started = b"", 0, time.monotonic()
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    ended = 0
    while True:
        if not ended:
            ended, status = os.waitpid(pid, os.WNOHANG)
        if select.select([fd], [], [], 0.05)[0]:
            try:
                shown += os.read(fd, 4096)
            except OSError:  # nobody has the other end any more
                if ended:
                    break
        elif ended:
            break
        if answers and answers[0][0].encode() in shown[since:] and shown.rstrip().endswith(b":"):
            time.sleep(0.2)  # the terminal is read from now
            os.write(fd, answers[0][1].encode() + b"\n")
            since = len(shown)
            answers.pop(0)
        if time.monotonic() - started > 60:
            os.kill(pid, 9)
            sys.stdout.write(shown.decode(errors="replace"))
            sys.exit(f"it did not end; not asked: {answers}")
    sys.stdout.write(shown.decode(errors="replace"))
    if answers:
        print("not asked:", answers)
        sys.exit(99)
    sys.exit(os.waitstatus_to_exitcode(status))


main()
