#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Python's websockets as the peer of an echo, in either role.

peer.py client URL   against kws echo
peer.py server       for one connection of kws cat --echo; prints its port
Prints "ok NAME" and "not ok NAME # why".
"""
import asyncio
import sys

import websockets

LIMIT = 60
OPTIONS = {"compression": None, "max_size": None, "ping_interval": None}
failures = []


def say(line):
    print(line, flush=True)


async def check(name, coroutine):
    try:
        await asyncio.wait_for(coroutine, LIMIT)
        say(f"ok {name}")
    except Exception as error:  # whatever it is, it is the result
        failures.append(name)
        say(f"not ok {name} # {type(error).__name__}: {error}")


async def expect(ws, wanted):
    got = await ws.recv()
    if got != wanted:
        raise ValueError(f"{type(got).__name__} of {len(got)} came")


async def echo(ws, *messages):
    for message in messages:
        await ws.send(message)
        await expect(ws, message)


async def fragments(ws):
    await ws.send(["Hal", "lo, ", "Welt"])
    await expect(ws, "Hallo, Welt")
    await ws.send([b"a" * 70000, b"", b"b" * 5])
    await expect(ws, b"a" * 70000 + b"b" * 5)


async def ping(ws):
    await (await ws.ping(b"are you there?"))


async def ping_between(ws):
    async def parts():
        yield "one "
        await (await ws.ping(b"between"))
        yield "message"

    await ws.send(parts())
    await expect(ws, "one message")


async def many(ws):
    for i in range(500):
        await ws.send(f"message {i}")
    for i in range(500):
        await expect(ws, f"message {i}")


def pattern(n):
    return bytes((i * 31 + (i >> 8)) & 255 for i in range(n))


async def close(ws, code, reason, wanted):
    await ws.close(code, reason)
    if ws.close_code != wanted:
        raise ValueError(f"code {ws.close_code} instead of {wanted}")


async def checks(ws):
    edges = [pattern(n) for n in (1, 125, 126, 127, 65535, 65536)]
    await check("text", echo(ws, "hello"))
    await check("text beyond ASCII", echo(ws, "κόσμε 🌍 ñ"))
    await check("binary", echo(ws, bytes(range(256))))
    await check("empty text", echo(ws, ""))
    await check("empty binary", echo(ws, b""))
    await check("lengths at the edges", echo(ws, *edges))
    await check("1 MiB binary", echo(ws, pattern(1 << 20)))
    await check("1 MiB text", echo(ws, "grün" * 209715))
    await check("fragments", fragments(ws))
    await check("ping", ping(ws))
    await check("ping between fragments", ping_between(ws))
    await check("500 messages at once", many(ws))


async def crowd(url):
    everyone = [await websockets.connect(url, **OPTIONS) for _ in range(20)]
    await asyncio.gather(*(echo(ws, f"I am {i}")
                           for i, ws in enumerate(everyone)))
    await asyncio.gather(*(close(ws, 1000, "", 1000) for ws in everyone))


async def client(url):
    ws = await websockets.connect(url, **OPTIONS)
    await checks(ws)
    await check("close with code and reason",
                close(ws, 4321, "good bye", 4321))
    ws = await websockets.connect(url, **OPTIONS)
    await check("close with going away", close(ws, 1001, "", 1001))
    await check("20 connections", crowd(url))


async def server():
    done = asyncio.get_running_loop().create_future()

    async def serve(ws):
        await checks(ws)
        await check("close with code and reason",
                    close(ws, 4321, "good bye", 4321))
        done.set_result(None)

    async with websockets.serve(serve, "127.0.0.1", 0, **OPTIONS) as listening:
        say(f"port {listening.sockets[0].getsockname()[1]}")
        await done


def main():
    if sys.argv[1:2] == ["client"] and len(sys.argv) == 3:
        asyncio.run(client(sys.argv[2]))
    elif sys.argv[1:] == ["server"]:
        asyncio.run(server())
    else:
        sys.exit("usage: peer.py client URL | server")
    sys.exit(1 if failures else 0)


main()
