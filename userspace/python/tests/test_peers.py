# SPDX-License-Identifier: MIT
"""Against the websockets library, in both roles."""
import asyncio
import http

import kws
import websockets

from .common import FRAMING, LIMIT, AsyncTest, port_of
from .test_aio import echo

OPTIONS = {"max_size": None, "ping_interval": None, "close_timeout": LIMIT}


def pattern(size):
    """Bytes that are not all the same."""
    return bytes(i * 31 + (i >> 8) & 255 for i in range(size))


class Websockets(AsyncTest):
    """websockets is the client of one half, the server of the other."""

    async def serve_kws(self, handler=echo, **options):
        """The URL."""
        server = await kws.serve(handler, "127.0.0.1", 0, framing=FRAMING, **options)
        self.addAsyncCleanup(server.close)
        return f"ws://127.0.0.1:{port_of(server)}/"

    async def serve_websockets(self, handler, **options):
        """The URL."""
        server = await websockets.serve(handler, "127.0.0.1", 0, **OPTIONS, **options)
        self.addCleanup(server.close)
        return f"ws://127.0.0.1:{port_of(server)}/"

    async def test_client(self):
        url = await self.serve_kws(protocols=["b"])
        # It offers compression, which must be declined.
        async with websockets.connect(url, subprotocols=["a", "b"],
                                      open_timeout=LIMIT, **OPTIONS) as ws:
            self.assertEqual((ws.subprotocol, ws.extensions), ("b", []))
            for message in ("hällo", "", b"", pattern(125), pattern(126),
                            pattern(65536), pattern(1 << 20), "grün" * 30000):
                await ws.send(message)
                self.assertEqual(await self.limit(ws.recv()), message)
            await ws.send(["Hal", "lo, ", "Welt"])
            self.assertEqual(await self.limit(ws.recv()), "Hallo, Welt")
            await self.limit(await ws.ping(b"are you there?"))
            for i in range(300):
                await ws.send(f"{i}")
            for i in range(300):
                self.assertEqual(await ws.recv(), f"{i}")
            await self.limit(ws.close(4000, "bye"))
            self.assertEqual(ws.close_code, 4000)

    async def test_client_is_told_why(self):
        async def handler(ws):
            await ws.recv()
            await ws.end(4001, "wörd")
        url = await self.serve_kws(handler, max_message=1000)
        for message, code, reason in (("x", 4001, "wörd"), ("x" * 1001, 1009, "")):
            async with websockets.connect(url, open_timeout=LIMIT, **OPTIONS) as ws:
                await ws.send(message)
                with self.assertRaises(websockets.ConnectionClosed) as caught:
                    await self.limit(ws.recv())
                self.assertEqual((caught.exception.rcvd.code,
                                  caught.exception.rcvd.reason), (code, reason))

    async def test_server(self):
        async def handler(ws, _path=None):
            async for message in ws:
                if message == "ping":
                    await (await ws.ping(b"are you there?"))
                elif message == "close":
                    await ws.close(4001, "wörd")
                await ws.send(message)
        url = await self.serve_websockets(handler, subprotocols=["b"])
        async with kws.connect(url, protocols=["a", "b"], framing=FRAMING) as ws:
            self.assertEqual((ws.framing, ws.subprotocol), (FRAMING, "b"))
            for message in ("hällo", b"", "ping", pattern(70000), pattern(1 << 20)):
                await ws.send(message)
                self.assertEqual(await self.limit(ws.recv()), message)
            await ws.ping(b"p")
            await ws.send("close")
            with self.assertRaises(kws.ConnectionClosed) as caught:
                await self.limit(ws.recv())
        self.assertEqual((caught.exception.code, caught.exception.reason),
                         (4001, "wörd"))

    async def test_server_refuses(self):
        async def refuse(*_):
            return http.HTTPStatus.UNAUTHORIZED, [("X", "y")], b"no"
        url = await self.serve_websockets(echo, process_request=refuse)
        with self.assertRaises(kws.HandshakeError) as caught:
            await kws.connect(url, framing=FRAMING)
        self.assertEqual(caught.exception.status, 401)

    async def test_crowd(self):
        url = await self.serve_kws()

        async def one(number):
            async with websockets.connect(url, open_timeout=LIMIT, **OPTIONS) as ws:
                await ws.send(f"I am {number}")
                self.assertEqual(await ws.recv(), f"I am {number}")
        await self.limit(asyncio.gather(*(one(i) for i in range(20))))
