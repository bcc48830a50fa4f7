#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Echo servers in Python for "kws-bench": servers.py NAME PORT

sockets, asyncio, uvicorn: the kernel does the framing; the others are the same
by the websockets library. All take each message out and send it back.
"""
import asyncio
import select
import socket
import sys


def sockets(port):
    """A loop on epoll, without asyncio."""
    import kws

    poll = select.epoll()
    listener = socket.create_server(("127.0.0.1", port), backlog=1024)
    poll.register(listener, select.EPOLLIN)
    open_now = {}
    while True:
        for fd, _ in poll.poll():
            if fd == listener.fileno():
                sock, _ = listener.accept()
                try:
                    ws = kws.WebSocket.accept(sock, framing="kernel")
                except kws.HandshakeError:  # the bench asks whether we are up
                    sock.close()
                    continue
                ws.sock.setblocking(False)
                open_now[ws.fileno()] = ws
                poll.register(ws, select.EPOLLIN)
                continue
            ws = open_now[fd]
            messages = ws.recv_many()
            if messages:
                ws.send_many(messages)
            else:
                del open_now[fd]
                ws.close()


async def echo(ws, _path=None):
    """For both libraries."""
    async for message in ws:
        await ws.send(message)


def on_asyncio(port):
    """kws.serve()."""
    import kws

    async def main():
        server = await kws.serve(echo, "127.0.0.1", port, framing="kernel")
        await server.serve_forever()
    asyncio.run(main())


def websockets(port):
    """As programs do, but for compression, which nobody here has."""
    from websockets import exceptions, serve

    async def handler(ws, path=None):
        try:
            await echo(ws, path)
        except exceptions.ConnectionClosed:
            pass

    async def main():
        async with serve(handler, "127.0.0.1", port, compression=None,
                         ping_interval=None, max_size=64 << 20):
            await asyncio.Future()
    asyncio.run(main())


async def application(scope, receive, send):
    """ASGI, without a framework."""
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        event["type"] = "websocket.send"
        await send(event)


def under_uvicorn(port, ws):
    """The same application and loop, one class or the other."""
    import uvicorn
    uvicorn.run(application, port=port, ws=ws, loop="asyncio", lifespan="off",
                log_level="warning", ws_ping_interval=None, ws_max_size=64 << 20,
                ws_per_message_deflate=False)


def main():
    """The command line."""
    name, port = sys.argv[1], int(sys.argv[2])
    if name == "sockets":
        sockets(port)
    elif name == "asyncio":
        on_asyncio(port)
    elif name == "websockets":
        websockets(port)
    elif name == "uvicorn":
        from kws.uvicorn import WebSocketProtocol
        under_uvicorn(port, WebSocketProtocol)
    elif name == "uvicorn-websockets":
        under_uvicorn(port, "websockets")
    else:
        sys.exit(__doc__)


main()
