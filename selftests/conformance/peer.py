#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Python's websockets, under test.

peer.py server                  an echo server; prints its address
peer.py client URL NAME JOBS    an echo client: all cases of a fuzzing server
peer.py version
"""
import asyncio
import sys

import websockets

# Its defaults, compression included, but for the size of the largest message
# and for pings of its own, which no case expects.
OPTIONS = {"max_size": None, "ping_interval": None}


async def echo(ws, *_):
    async for message in ws:
        await ws.send(message)


async def server():
    async with websockets.serve(echo, "127.0.0.1", 0, **OPTIONS) as listening:
        port = listening.sockets[0].getsockname()[1]
        print(f"ws://127.0.0.1:{port}/", flush=True)
        await asyncio.get_running_loop().create_future()


async def one_case(url):
    """What goes wrong here is what the fuzzing server is there to judge."""
    try:
        async with websockets.connect(url, **OPTIONS) as ws:
            await echo(ws)
    except (websockets.WebSocketException, OSError, UnicodeError):
        pass


async def client(url, name, jobs):
    async with websockets.connect(f"{url}/getCaseCount") as ws:
        cases = iter(range(1, int(await ws.recv()) + 1))

    async def worker():
        for case in cases:
            await one_case(f"{url}/runCase?case={case}&agent={name}")

    await asyncio.gather(*(worker() for _ in range(jobs)))
    await one_case(f"{url}/updateReports?agent={name}")


def main():
    role = sys.argv[1:2]
    if role == ["server"]:
        asyncio.run(server())
    elif role == ["client"] and len(sys.argv) == 5:
        asyncio.run(client(sys.argv[2].rstrip("/"), sys.argv[3],
                           int(sys.argv[4])))
    elif role == ["version"]:
        print(websockets.__version__)
    else:
        sys.exit(__doc__)


main()
