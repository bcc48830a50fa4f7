# SPDX-License-Identifier: MIT
"""ASGI applications under uvicorn, with websockets as the client."""
import asyncio
import socket
import struct

import uvicorn
import websockets
from kws import kernel
from kws.uvicorn import ClientDisconnected, WebSocketProtocol

from .common import FRAMING, LIMIT, AsyncTest, port_of

OPTIONS = {"max_size": None, "ping_interval": None, "open_timeout": LIMIT,
           "close_timeout": LIMIT}


class Wanted(WebSocketProtocol):
    """The framing of this run, or nobody."""

    wanted_framing = FRAMING
    last = None

    def opened(self):
        super().opened()
        Wanted.last = self


class Applications(AsyncTest):
    """Each test has an application of its own."""

    async def serve(self, app, **options):
        """uvicorn in this process; the URL."""
        config = uvicorn.Config(app, port=0, ws=Wanted, log_level="critical",
                                lifespan="off", loop="none", **options)
        self.server = server = uvicorn.Server(config)
        server.install_signal_handlers = lambda: None
        task = asyncio.ensure_future(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)

        async def end():
            server.should_exit = True
            await self.limit(task)
        self.addAsyncCleanup(end)
        return f"ws://127.0.0.1:{port_of(server.servers[0])}/"

    async def test_accept_and_echo(self):
        scopes = []

        async def app(scope, receive, send):
            scopes.append(scope)
            self.assertEqual(await receive(), {"type": "websocket.connect"})
            await send({"type": "websocket.accept", "subprotocol": "b",
                        "headers": [(b"x-a", b"y")]})
            while (event := await receive())["type"] == "websocket.receive":
                await send({**event, "type": "websocket.send"})
        url = await self.serve(app)
        async with websockets.connect(
                url + "a%20b?c=d", subprotocols=["a", "b"], **OPTIONS,
                extra_headers={"X-Client": "z"}) as ws:
            # Compression was offered, and is declined.
            self.assertEqual((ws.subprotocol, ws.extensions), ("b", []))
            self.assertEqual(ws.response_headers["x-a"], "y")
            self.assertEqual(ws.response_headers["server"], "uvicorn")
            self.assertEqual(Wanted.last.framing, FRAMING)
            for message in ("hällo", b"\0", "", b"", b"x" * (3 << 20)):
                await ws.send(message)
                self.assertEqual(await self.limit(ws.recv()), message)
            for i in range(200):
                await ws.send(f"{i}")
            for i in range(200):
                self.assertEqual(await ws.recv(), f"{i}")
        scope, = scopes
        self.assertEqual((scope["path"], scope["raw_path"], scope["query_string"]),
                         ("/a b", b"/a%20b", b"c=d"))
        self.assertEqual(scope["subprotocols"], ["a", "b"])
        self.assertIn((b"x-client", b"z"), scope["headers"])
        self.assertEqual((scope["type"], scope["scheme"]), ("websocket", "ws"))
        self.assertEqual(scope["client"][0], "127.0.0.1")

    async def test_disconnect_codes(self):
        seen = asyncio.Queue()

        async def app(_scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            while (event := await receive())["type"] == "websocket.receive":
                pass
            await seen.put((event["code"], event["reason"]))
            try:
                await send({"type": "websocket.send", "text": "too late"})
            except ClientDisconnected:
                await seen.put("disconnected")
        url = await self.serve(app)
        for code, reason in ((1000, ""), (1001, "away"), (4999, "bye")):
            ws = await websockets.connect(url, **OPTIONS)
            await self.limit(ws.close(code, reason))
            self.assertEqual(ws.close_code, code)
            self.assertEqual(await self.limit(seen.get()), (code, reason))
            self.assertEqual(await self.limit(seen.get()), "disconnected")
        ws = await websockets.connect(url, **OPTIONS)
        ws.transport.write(b"\x88\x80\0\0\0\0")
        self.assertEqual(await self.limit(seen.get()), (1005, ""))
        await ws.wait_closed()
        await seen.get()
        ws = await websockets.connect(url, **OPTIONS)
        ws.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ws.transport.abort()
        self.assertEqual(await self.limit(seen.get()), (1006, ""))

    async def test_application_closes(self):
        async def app(_scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": "last"})
            await send({"type": "websocket.close", "code": 4001, "reason": "wörd"})
        async with websockets.connect(await self.serve(app), **OPTIONS) as ws:
            self.assertEqual(await self.limit(ws.recv()), "last")
            with self.assertRaises(websockets.ConnectionClosed) as caught:
                await self.limit(ws.recv())
        self.assertEqual((caught.exception.rcvd.code, caught.exception.rcvd.reason),
                         (4001, "wörd"))

    async def refused(self, app, status):
        """The exception of the client."""
        with self.assertRaises(websockets.InvalidStatusCode) as caught:
            await self.limit(websockets.connect(await self.serve(app), **OPTIONS))
        self.assertEqual(caught.exception.status_code, status)
        return caught.exception

    async def test_refused_by_close(self):
        async def app(_scope, receive, send):
            await receive()
            await send({"type": "websocket.close"})
        await self.refused(app, 403)

    async def test_refused_by_a_response(self):
        async def app(scope, receive, send):
            await receive()
            self.assertIn("websocket.http.response", scope["extensions"])
            await send({"type": "websocket.http.response.start", "status": 451,
                        "headers": [(b"x-a", b"y")]})
            await send({"type": "websocket.http.response.body", "body": b"n",
                        "more_body": True})
            await send({"type": "websocket.http.response.body", "body": b"o"})
        got = await self.refused(app, 451)
        self.assertEqual((got.headers["x-a"], got.headers["content-length"]),
                         ("y", "2"))

    async def test_application_fails(self):
        async def early(_scope, _receive, _send):
            raise ValueError("on purpose")

        async def late(_scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            raise ValueError("on purpose")

        async def nothing(_scope, _receive, _send):
            pass
        await self.refused(early, 500)
        await self.refused(nothing, 500)
        async with websockets.connect(await self.serve(late), **OPTIONS) as ws:
            with self.assertRaises(websockets.ConnectionClosed) as caught:
                await self.limit(ws.recv())
        self.assertEqual(caught.exception.rcvd.code, 1011)

    async def test_limits_and_pings(self):
        async def app(_scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            while (await receive())["type"] == "websocket.receive":
                pass
        url = await self.serve(app, ws_max_size=1000, ws_ping_interval=0.1,
                               ws_ping_timeout=30)
        async with websockets.connect(url, **OPTIONS) as ws:
            await ws.send("x" * 1000)
            if FRAMING == "kernel":
                connection = Wanted.last
                while not connection.info()["tx_pings"]:
                    await asyncio.sleep(0.05)
                self.assertEqual(
                    kernel.info(connection.transport.get_extra_info("socket"))
                    ["rx_messages"], 1)
            await ws.send("x" * 1001)
            with self.assertRaises(websockets.ConnectionClosed) as caught:
                await self.limit(ws.recv())
        self.assertEqual(caught.exception.rcvd.code, 1009)

    async def test_slow_client_makes_send_wait(self):
        sent, stop = 0, asyncio.Event()

        async def app(_scope, receive, send):
            nonlocal sent
            await receive()
            await send({"type": "websocket.accept"})
            while not stop.is_set():
                await send({"type": "websocket.send", "bytes": b"x" * 65536})
                sent += 1
        ws = await websockets.connect(await self.serve(app), max_queue=1, **OPTIONS)
        last, still = -1, 0
        while still < 10:
            await asyncio.sleep(0.02)
            still, last = (still + 1 if sent == last else 0), sent
        self.assertLess(last, 2000)
        stop.set()
        got = 0
        try:
            while True:
                self.assertEqual(len(await self.limit(ws.recv())), 65536)
                got += 1
        except websockets.ConnectionClosedOK:
            pass
        self.assertEqual(got, sent)

    async def test_server_ends(self):
        seen = asyncio.Queue()

        async def app(_scope, receive, send):
            await receive()
            await send({"type": "websocket.accept"})
            await seen.put(await receive())
        async with websockets.connect(await self.serve(app), **OPTIONS) as ws:
            self.server.should_exit = True
            with self.assertRaises(websockets.ConnectionClosed) as caught:
                await self.limit(ws.recv())
        self.assertEqual(caught.exception.rcvd.code, 1012)
        self.assertEqual((await self.limit(seen.get()))["code"], 1012)

    async def test_not_a_handshake(self):
        async def app(scope, _receive, send):
            self.assertEqual(scope["type"], "http")
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"http"})
        url = await self.serve(app)
        port = int(url.split(":")[2].strip("/"))
        for head, wanted in ((b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                              b"HTTP/1.1 200 "),
                             (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                              b"Upgrade: websocket\r\n\r\n", b"HTTP/1.1 400 ")):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            self.assertTrue((await self.limit(reader.read())).startswith(wanted))
            writer.close()

    async def test_fastapi_unchanged(self):
        # Imported here: it takes seconds in an emulated machine.
        from fastapi import FastAPI, WebSocket, WebSocketDisconnect
        app, left = FastAPI(), asyncio.Queue()

        @app.websocket("/items/{item}")
        async def items(ws: WebSocket, item: int, q: str = ""):
            await ws.accept()
            try:
                while True:
                    await ws.send_json({"item": item, "q": q,
                                        "got": await ws.receive_json()})
            except WebSocketDisconnect as gone:
                await left.put(gone.code)
        url = await self.serve(app)
        async with websockets.connect(url + "items/5?q=x", **OPTIONS) as ws:
            await ws.send('{"a": [1, 2]}')
            self.assertEqual(await self.limit(ws.recv()),
                             '{"item": 5, "q": "x", "got": {"a": [1, 2]}}')
            await ws.close(3000)
        self.assertEqual(await self.limit(left.get()), 3000)
        with self.assertRaises(websockets.InvalidStatusCode):
            await websockets.connect(url + "items/word", **OPTIONS)
