#!/usr/bin/env python3
"""slowlink is as slow as it is told, alters nothing, and cuts."""
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

DATA = random.Random(1).randbytes(4 << 20)


def echo(listener):
    def serve(c):
        try:
            while data := c.recv(65536):
                c.sendall(data)
        except ConnectionError:
            pass
        c.close()

    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


def check(what, good):
    if not good:
        sys.exit(f"FAILED: {what}")


def there_and_back(port):
    c, back = socket.create_connection(("127.0.0.1", port)), bytearray()

    def send():
        c.sendall(DATA)
        c.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    while data := c.recv(65536):
        back += data
    sender.join()
    return bytes(back) == DATA


def main():
    far = socket.create_server(("127.0.0.1", 0), backlog=16)
    threading.Thread(target=echo, args=(far,), daemon=True).start()
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    program = os.environ["SP_BUILD"] + "/tests/sftp/slowlink"
    p = subprocess.Popen([program, str(port), str(far.getsockname()[1]), "50", "100"])
    try:
        for _ in range(100):
            try:
                c = socket.create_connection(("127.0.0.1", port))
                break
            except OSError:
                time.sleep(0.02)
        seconds = []
        for _ in range(3):
            start = time.monotonic()
            c.sendall(b"x")
            c.recv(1)
            seconds.append(time.monotonic() - start)
        check(f"a new connection answers after {seconds[0]} s", seconds[0] > 0.08)  # it was made a little before
        check(f"a round trip takes {seconds[1:]} s", min(seconds[1:]) >= 0.05)
        good = []
        start = time.monotonic()
        threads = [threading.Thread(target=lambda: good.append(there_and_back(port))) for _ in range(3)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        took = time.monotonic() - start
        check("the bytes arrive altered", good == [True] * 3)
        rate = 3 * len(DATA) * 8 / took / 1e6
        check(f"three connections together get {rate:.0f} Mbit/s", 20 < rate <= 100)
        c.settimeout(10)
        p.send_signal(signal.SIGUSR1)
        try:
            check(f"a cut gives {c.recv(1)}", False)
        except ConnectionResetError:
            pass
        check("after a cut it takes nobody", there_and_back(port))
    finally:
        p.kill()
    print(f"slowlink: {seconds[0] * 1000:.0f} ms, then {seconds[1] * 1000:.0f} ms, {rate:.0f} Mbit/s: ok")


main()
