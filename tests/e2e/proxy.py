#!/usr/bin/env python3
"""A TCP proxy between client and server: proxy.py LISTEN-PORT TARGET-PORT [DELAY-MS]. SIGUSR1 cuts every
connection with a reset; a delay holds each direction's bytes back by so much."""
import asyncio
import signal
import socket
import struct
import sys

listen, target = int(sys.argv[1]), int(sys.argv[2])
delay = float(sys.argv[3]) / 1000 if len(sys.argv) > 3 else 0.0
open_writers = set()


async def pump(reader, writer):
    queue = asyncio.Queue(maxsize=256)
    loop = asyncio.get_running_loop()

    async def send():
        while True:
            due, data = await queue.get()
            if data is None:
                break
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()

    sender = asyncio.create_task(send())
    try:
        while data := await reader.read(65536):
            await queue.put((loop.time() + delay, data))
        await queue.put((0, None))
        await sender
    except (ConnectionError, OSError):
        sender.cancel()
        writer.close()


async def serve(reader, writer):
    try:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
    except OSError:
        writer.close()
        return
    pair = {writer, far_writer}
    open_writers.update(pair)
    await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer), return_exceptions=True)
    for w in pair:
        open_writers.discard(w)
        w.close()


def cut():
    for w in list(open_writers):
        s = w.get_extra_info("socket")
        if s is not None:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        w.transport.abort()


async def main():
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, cut)
    async with await asyncio.start_server(serve, "127.0.0.1", listen) as server:
        await server.serve_forever()


asyncio.run(main())
