#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Python's websockets as the peer of an echo, in either role.

peer.py client URL   against kws echo --deflate
peer.py server       for one connection of kws cat --echo; prints its port
peer.py deflate      the same for kws cat --echo --deflate
A server speaks TLS when KWS_TEST_TLS is the folder of the certificates.
Prints "ok NAME" and "not ok NAME # why".
"""
import asyncio
import json
import os
import ssl
import sys

import websockets
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory)

LIMIT = 60 * int(os.environ.get("KWS_SLOWNESS", "1"))
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


OFFERS = {
    "deflate": ({}, "permessage-deflate"),
    "deflate, no takeover": (
        {"server_no_context_takeover": True,
         "client_no_context_takeover": True},
        "permessage-deflate; server_no_context_takeover; "
        "client_no_context_takeover"),
    "deflate, windows 12 and 9": (
        {"server_max_window_bits": 12, "client_max_window_bits": 9},
        "permessage-deflate; server_max_window_bits=12; "
        "client_max_window_bits=9"),
    "deflate, window 15": (
        {"server_max_window_bits": 15, "client_max_window_bits": True,
         "client_no_context_takeover": True},
        "permessage-deflate; client_no_context_takeover; "
        "server_max_window_bits=15"),
}


def rows(n):
    return json.dumps([{"id": i, "name": f"row {i * 7919 % 1000}"}
                       for i in range(n)])


async def at_once(ws):
    for i in range(300):
        await ws.send(rows(i % 40))
    for i in range(300):
        await expect(ws, rows(i % 40))


async def long_fragments(ws):
    await ws.send([rows(300), "", rows(5000)])
    await expect(ws, rows(300) + rows(5000))


async def deflate_checks(ws, name):
    edges = [pattern(n) for n in (63, 64, 65, 500, 32768, 65536, 1 << 20)]
    noise = [part for i in range(20)
             for part in (os.urandom(40 + 997 * i), rows(i))]
    await check(f"{name}: small, empty, small",
                echo(ws, "Hello", "", "", "Hello", rows(2), rows(2)))
    await check(f"{name}: sizes up to 1 MiB", echo(ws, *edges))
    await check(f"{name}: noise and text in turn", echo(ws, *noise))
    await check(f"{name}: fragments", long_fragments(ws))
    await check(f"{name}: 300 messages at once", at_once(ws))


async def same(got, wanted):
    if got != wanted:
        raise ValueError(f"{got} instead of {wanted}")


async def offer(url, name, parameters, answer):
    options = dict(OPTIONS,
                   extensions=[ClientPerMessageDeflateFactory(**parameters)])
    ws = await websockets.connect(url, **options)
    got = ws.response_headers.get("Sec-WebSocket-Extensions")
    await check(f"{name}: the answer", same(got, answer))
    await deflate_checks(ws, name)
    await check(f"{name}: close", close(ws, 1000, "", 1000))


async def client(url):
    ws = await websockets.connect(url, **OPTIONS)
    await checks(ws)
    await check("close with code and reason",
                close(ws, 4321, "good bye", 4321))
    ws = await websockets.connect(url, **OPTIONS)
    await check("close with going away", close(ws, 1001, "", 1001))
    await check("20 connections", crowd(url))
    for name, (parameters, answer) in OFFERS.items():
        await offer(url, name, parameters, answer)


async def server(deflate):
    done = asyncio.get_running_loop().create_future()

    async def serve(ws):
        if deflate:
            await check("deflate: agreed on", same(len(ws.extensions), 1))
            await deflate_checks(ws, "deflate")
        else:
            await checks(ws)
        await check("close with code and reason",
                    close(ws, 4321, "good bye", 4321))
        done.set_result(None)

    factory = ServerPerMessageDeflateFactory(
        server_no_context_takeover=True, client_max_window_bits=10)
    options = dict(OPTIONS, extensions=[factory]) if deflate else OPTIONS
    folder = os.environ.get("KWS_TEST_TLS")
    if folder:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(f"{folder}/good.pem", f"{folder}/good.key")
        tls.set_alpn_protocols(["http/1.1"])
        options = dict(options, ssl=tls)
    async with websockets.serve(serve, "127.0.0.1", 0, **options) as listening:
        say(f"port {listening.sockets[0].getsockname()[1]}")
        await done


def main():
    if sys.argv[1:2] == ["client"] and len(sys.argv) == 3:
        asyncio.run(client(sys.argv[2]))
    elif sys.argv[1:] in (["server"], ["deflate"]):
        asyncio.run(server(sys.argv[1] == "deflate"))
    else:
        sys.exit("usage: peer.py client URL | server | deflate")
    sys.exit(1 if failures else 0)


main()
