# SPDX-License-Identifier: MIT
"""WebSockets for coroutines: serve(), connect() and their connections."""
from __future__ import annotations

import asyncio
import logging
import ssl as tls
from typing import Any, AsyncIterator, Awaitable, Callable, Generator, Union

from . import kernel, user
from ._uapi import WS_OP_TEXT
from .errors import ConnectionClosed, NoFraming, ProtocolError, Unavailable
from .framing import AUTO, USERSPACE
from .protocol import ClientHandshake, ServerHandshake
from .queued import QueuedProtocol
from .records import Message

logger = logging.getLogger("kws")

Value = Union[str, bytes]


class Connection(QueuedProtocol):
    """A connection for coroutines, made by serve() and connect().

    ``async for message in ws`` gives str for text and bytes for binary, until
    the peer's Close or the end of TCP.
    """

    def __init__(self, *args: Any, started: Callable[[Connection], Any] | None = None,
                 **options: Any) -> None:
        super().__init__(*args, **options)
        self._started = started
        # Done when the handshake is; with its exception if it failed.
        self.ready: asyncio.Future[None] | None = \
            asyncio.get_running_loop().create_future()

    def convert(self, messages: list[Message]) -> list[Value]:
        return [str(data, "utf-8") if opcode == WS_OP_TEXT else data
                for data, opcode, _ in messages]

    async def recv(self) -> Value:
        """The next message. Raises ConnectionClosed at the end, of which
        ProtocolError is a kind."""
        if self._queue or await self.fill():
            return self._queue.popleft()
        raise self.closed_error()

    async def __aiter__(self) -> AsyncIterator[Value]:
        queue = self._queue
        while queue or await self.fill():
            yield queue.popleft()
        if isinstance(self.exception, ProtocolError):
            raise self.exception

    async def ping(self, data: bytes = b"") -> None:
        """Send a PING of up to 125 bytes. The PONG is not told of."""
        self.send_ping(data)

    def opened(self) -> None:
        if self.ready is not None and not self.ready.done():
            self.ready.set_result(None)
        self.ready = None
        if self._started is not None:
            self._started(self)

    def closed(self, exception: Exception | None) -> None:
        if self.ready is not None and not self.ready.done():
            self.ready.set_exception(exception or ConnectionClosed(1006))
            self.ready.exception()  # nobody need ask
        super().closed(exception)

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.end()


Handler = Callable[[Connection], Awaitable[None]]


class Server:
    """What serve() returns. ``async with`` closes it at the end."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: Any = None
        self.connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def sockets(self) -> Any:
        """The listening sockets."""
        return self._server.sockets

    def start(self, connection: Connection) -> None:
        """A connection is open."""
        task = asyncio.get_running_loop().create_task(self._run(connection))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, connection: Connection) -> None:
        self.connections.add(connection)
        code = None
        try:
            await self._handler(connection)
        except ConnectionClosed:
            pass
        except asyncio.CancelledError:
            connection.close(1001)  # which does not wait
            self.connections.discard(connection)
            raise
        except Exception:  # pylint: disable=broad-except
            logger.exception("the handler of a connection failed")
            code = 1011
        try:
            await connection.end(code)
        finally:
            self.connections.discard(connection)

    async def serve_forever(self) -> None:
        """Until cancelled."""
        await self._server.serve_forever()

    async def close(self) -> None:
        """Stop listening, close all connections with 1001, wait for handlers."""
        self._server.close()
        for connection in list(self.connections):
            connection.close(1001)
        while self._tasks:
            await asyncio.wait(list(self._tasks))
        await self._server.wait_closed()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()


async def serve(handler: Handler, host: str | None = None, port: int | None = None,
                *, protocols: Any = (), origins: Any = None, gate: Any = None,
                headers: Any = (), framing: str = AUTO,
                ssl: tls.SSLContext | None = None, sock: Any = None,
                backlog: int = 1024, **options: Any) -> Server:
    """Call ``handler(connection)`` for each client; the connection is closed
    when it returns.

    ``protocols``, ``origins``, ``gate`` and ``headers`` as for
    WebSocket.accept(), ``host``, ``port``, ``sock``, ``backlog`` and ``ssl`` as
    for loop.create_server(), ``options`` as for Protocol. Raises NoFraming at
    once when nobody could do the framing.
    """
    if framing != USERSPACE and not user.installed():
        try:
            if ssl is not None:
                raise Unavailable("TLS in user space")
            kernel.check()
        except Unavailable as error:
            raise NoFraming(f"{error}; and the websockets library is not "
                            "installed") from error
    server = Server(handler)
    shake = ServerHandshake(protocols=protocols, origins=origins, gate=gate,
                            headers=headers)

    def connection() -> Connection:
        return Connection(shake, framing=framing, started=server.start, **options)

    where = {"sock": sock} if sock is not None else {"host": host, "port": port}
    server._server = await asyncio.get_running_loop().create_server(
        connection, ssl=ssl, backlog=backlog, **where)
    return server


class connect:  # pylint: disable=invalid-name
    """``await connect(url)`` or ``async with connect(url) as ws``.

    ``protocols``, ``origin`` and ``headers`` as for WebSocket.connect(), ``ssl``
    is the context for wss://, ``sock`` a connected socket to be used,
    ``options`` as for Protocol. Raises HandshakeError when the server refuses,
    ValueError for a bad address, OSError.
    """

    def __init__(self, url: str, *, protocols: Any = (), origin: str | None = None,
                 headers: Any = (), ssl: tls.SSLContext | None = None,
                 sock: Any = None, **options: Any) -> None:
        self._shake = ClientHandshake(url, protocols=protocols, origin=origin,
                                      headers=headers)
        self._ssl = ssl
        self._sock = sock
        self._options = options
        self._connection: Connection | None = None

    async def _connect(self) -> Connection:
        url, options = self._shake.url, {}
        if url.secure:
            options = {"ssl": self._ssl or tls.create_default_context(),
                       "server_hostname": url.host}
        where = {"sock": self._sock} if self._sock is not None else \
            {"host": url.host, "port": url.port}
        _, connection = await asyncio.get_running_loop().create_connection(
            lambda: Connection(self._shake, **self._options), **where, **options)
        ready = connection.ready
        if ready is not None:
            try:
                await ready
            except BaseException:
                connection.transport.abort()
                raise
        return connection

    def __await__(self) -> Generator[Any, None, Connection]:
        return self._connect().__await__()

    async def __aenter__(self) -> Connection:
        self._connection = await self._connect()
        return self._connection

    async def __aexit__(self, *exception: object) -> None:
        assert self._connection is not None
        await self._connection.end()
