# SPDX-License-Identifier: MIT
"""serve(), connect() and Protocol, on asyncio's loop or uvloop."""
import asyncio
import socket
import struct

import kws
from kws.protocol import ClientHandshake, ServerHandshake

from .common import FRAMING, AsyncTest, frame, port_of


async def echo(ws):
    """The handler of most tests."""
    async for message in ws:
        await ws.send(message)


class Streams(AsyncTest):
    """Coroutines."""

    async def serve(self, handler=echo, **options):
        """Until the end of the test; the URL."""
        server = await kws.serve(handler, "127.0.0.1", 0, framing=FRAMING, **options)
        self.addAsyncCleanup(server.close)
        self.server = server
        return f"ws://127.0.0.1:{port_of(server)}/"

    def connect(self, url, **options):
        """With the framing of this run."""
        return kws.connect(url, framing=FRAMING, **options)

    async def test_echo(self):
        url = await self.serve(protocols=["chat"], headers=[("X", "y")])
        async with self.connect(url, protocols=["chat"]) as ws:
            self.assertEqual((ws.framing, ws.subprotocol), (FRAMING, "chat"))
            self.assertEqual(ws.response.headers["X"], "y")
            for message in ("hällo", b"\0", "", b"", "x" * 70000, b"y" * (3 << 20)):
                await ws.send(message)
                self.assertEqual(await self.limit(ws.recv()), message)
        self.assertEqual(ws.close_code, 1000)
        with self.assertRaises(kws.ConnectionClosed):
            await ws.send("late")
        with self.assertRaises(kws.ConnectionClosed):
            await ws.recv()

    async def test_many_and_who_framed_them(self):
        url = await self.serve()
        async with self.connect(url) as ws:
            ws.send_messages([f"{i}" for i in range(1000)])
            got = [await ws.recv() for _ in range(1000)]
            self.assertEqual(got, [f"{i}" for i in range(1000)])
            if FRAMING == "kernel":
                one, = self.server.connections
                info = one.info()
                self.assertEqual(info["tx_messages"], 1000)
                self.assertLess(info["tx_calls"], 300)

    async def test_close_codes_both_ways(self):
        seen = asyncio.Queue()

        async def handler(ws):
            async for message in ws:
                if message == "close":
                    await ws.end(4001, "wörd")
            await seen.put((ws.close_code, ws.close_reason))
        url = await self.serve(handler)
        ws = await self.connect(url)
        await ws.end(4002, "bye")
        self.assertEqual(await self.limit(seen.get()), (4002, "bye"))
        self.assertEqual(ws.close_code, 4002)
        ws = await self.connect(url)
        await ws.send("close")
        with self.assertRaises(kws.ConnectionClosed) as caught:
            await self.limit(ws.recv())
        self.assertEqual((caught.exception.code, caught.exception.reason),
                         (4001, "wörd"))
        await ws.end()
        self.assertEqual(await self.limit(seen.get()), (4001, ""))

    async def test_replies_go_before_the_answer_to_close(self):
        async def late(ws):
            messages = [message async for message in ws]
            await asyncio.sleep(0.05)
            for message in messages:
                await ws.send(message)
        url = await self.serve(late)
        ws = await self.connect(url)
        ws.send_messages(["one", "two"])
        ws.close(4000)
        got = [await self.limit(ws.recv()) for _ in range(2)]
        self.assertEqual(got, ["one", "two"])
        with self.assertRaises(kws.ConnectionClosed) as caught:
            await self.limit(ws.recv())
        self.assertEqual(caught.exception.code, 4000)

    async def test_handler_that_fails(self):
        async def bad(_ws):
            raise ValueError("on purpose")
        with self.assertLogs("kws", "ERROR"):
            ws = await self.connect(await self.serve(bad))
            with self.assertRaises(kws.ConnectionClosed) as caught:
                await self.limit(ws.recv())
        self.assertEqual(caught.exception.code, 1011)
        await ws.end()

    async def test_refused(self):
        url = await self.serve(origins=["https://good"], gate=lambda request: (
            404, [], b"no") if request.path == "/no" else None)
        for options, path, status in (({"origin": "https://evil"}, "", 403),
                                      ({"origin": "https://good"}, "no", 404)):
            with self.assertRaises(kws.HandshakeError) as caught:
                await self.connect(url + path, **options)
            self.assertEqual(caught.exception.status, status)
        ws = await self.connect(url, origin="https://good")
        await ws.end()

    async def test_handshake_cut_anywhere(self):
        url = await self.serve()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port_of(self.server))
        head, _ = kws.handshake.request_head(kws.handshake.parse_url(url))
        for byte in head:
            writer.write(bytes([byte]))
            await asyncio.sleep(0)
        await self.limit(reader.readuntil(b"\r\n\r\n"))
        writer.write(frame(1, b"hi") + frame(8, struct.pack(">H", 1000)))
        self.assertEqual(await self.limit(reader.read()),
                         frame(1, b"hi", mask=False) + b"\x88\x02\x03\xe8")
        writer.close()

    async def test_bytes_behind_the_head_and_a_fault(self):
        url = await self.serve()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port_of(self.server))
        head, _ = kws.handshake.request_head(kws.handshake.parse_url(url))
        writer.write(head + frame(1, b"early") + frame(1, b"\xff"))
        await self.limit(reader.readuntil(b"\r\n\r\n"))
        writer.write_eof()
        got = await self.limit(reader.read())
        self.assertEqual(got[:7], frame(1, b"early", mask=False))
        self.assertEqual(got[7:8] + got[9:11], b"\x88\x03\xef")
        writer.close()

    async def test_slow_reader_makes_send_wait(self):
        stop = asyncio.Event()
        sent = 0

        async def flood(ws):
            nonlocal sent
            while not stop.is_set():
                await ws.send(b"x" * 65536)
                sent += 1
        url = await self.serve(flood)
        ws = await self.connect(url)
        await self.limit(self.until_still(lambda: sent))
        self.assertGreater(sent, 2)
        self.assertLess(sent, 2000)
        stop.set()
        got = [message async for message in ws]
        self.assertEqual(len(got), sent)
        await ws.end()

    async def test_slow_program_makes_the_peer_wait(self):
        go = asyncio.Event()
        got = 0

        async def late(ws):
            nonlocal got
            await go.wait()
            async for _ in ws:
                got += 1
        url = await self.serve(late)
        ws = await self.connect(url)
        sent = 0

        async def flood():
            nonlocal sent
            while sent < 1000:
                await ws.send(b"x" * 65536)
                sent += 1
        task = asyncio.ensure_future(flood())
        await self.limit(self.until_still(lambda: sent))
        self.assertLess(sent, 1000)
        go.set()
        await self.limit(task)
        await self.limit(ws.end())
        self.assertEqual(got, 1000)

    async def until_still(self, value):
        """Until a number has not changed for a while."""
        last, still = value(), 0
        while still < 10:
            await asyncio.sleep(0.02)
            still = still + 1 if value() == last else 0
            last = value()

    async def test_reset(self):
        seen = asyncio.Queue()

        async def handler(ws):
            async for _ in ws:
                pass
            await seen.put((ws.close_code, type(ws.exception)))
        url = await self.serve(handler)
        ws = await self.connect(url)
        ws.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ws.transport.abort()
        self.assertEqual((await self.limit(seen.get()))[0], 1006)

    async def test_server_ends(self):
        url = await self.serve()
        ws = await self.connect(url)
        closing = asyncio.ensure_future(self.server.close())
        with self.assertRaises(kws.ConnectionClosed) as caught:
            await self.limit(ws.recv())
        self.assertEqual(caught.exception.code, 1001)
        await ws.end()
        await self.limit(closing)

    async def test_silent_client(self):
        await self.serve(handshake_timeout=0.1)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port_of(self.server))
        with self.assertRaises((ConnectionResetError, asyncio.IncompleteReadError)):
            await self.limit(reader.readexactly(1))
        writer.close()


class Callbacks(AsyncTest):
    """Protocol without coroutines."""

    async def test_echo(self):
        loop = asyncio.get_running_loop()
        got, ends = [], asyncio.Queue()

        class Echo(kws.Protocol):
            """A server in three lines."""

            def messages_received(self, messages):
                self.send_messages(messages)

            def closed(self, exception):
                ends.put_nowait(("server", self.close_code, exception))

        class Client(kws.Protocol):
            """Counts."""

            def opened(self):
                self.send_messages(["a", b"b"])
                self.send_ping(b"p")

            def messages_received(self, messages):
                got.extend(one.value for one in messages)
                if len(got) == 2:
                    self.close(4000, "done")

            def closed(self, exception):
                ends.put_nowait(("client", self.close_code, exception))

        shake = ServerHandshake(protocols=["x"])
        server = await loop.create_server(
            lambda: Echo(shake, framing=FRAMING), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        hello = ClientHandshake(f"ws://127.0.0.1:{port}/", protocols=["x"])
        await loop.create_connection(lambda: Client(hello, framing=FRAMING),
                                     "127.0.0.1", port)
        both = sorted([await self.limit(ends.get()), await self.limit(ends.get())])
        self.assertEqual(both, [("client", 4000, None), ("server", 4000, None)])
        self.assertEqual(got, ["a", b"b"])
        server.close()
