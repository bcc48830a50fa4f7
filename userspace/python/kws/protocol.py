# SPDX-License-Identifier: MIT
"""WebSockets as a protocol of asyncio or uvloop: callbacks, no coroutines.

asyncio reads and writes bytes and has no control messages, so the connection is
in WS_F_RECORDS mode, which needs none. As asyncio reads ahead of the program,
it is also in WS_F_CLOSE mode: the peer's Close is not answered before our last
reply.
"""
from __future__ import annotations

import asyncio
import os
import socket
from typing import Any, Iterable, Sequence

from . import _uapi, handshake, kernel
from .connection import HANDSHAKE_TIMEOUT
from .errors import ConnectionClosed, Error, HandshakeError, protocol_error
from .framing import AUTO, Framing, shared_buffer, start
from .records import Message, Sendable


class ServerHandshake:
    """Our side of the opening handshake as a server.

    ``protocols``, ``origins``, ``gate`` and ``headers`` as for
    WebSocket.accept(). One object may serve many connections.
    """

    role = _uapi.WS_ROLE_SERVER

    def __init__(self, *, protocols: Sequence[str] = (),
                 origins: Sequence[str | None] | None = None,
                 gate: handshake.Gate | None = None,
                 headers: handshake.Headers = ()) -> None:
        self._judge = (tuple(protocols), origins, gate)
        self._headers = tuple(handshake.header_items(headers))

    def first(self) -> bytes:
        """What we send before the peer's head comes."""
        return b""

    def received(self, protocol: Protocol, head: bytes) -> None:
        """The peer's head is complete."""
        try:
            protocol.request, chosen = handshake.judge(head, *self._judge)
        except HandshakeError as error:
            body = getattr(error, "body", error.text.encode())
            protocol.refuse(error.status, error.headers, body)
        else:
            protocol.accept(chosen, self._headers)


class ClientHandshake:
    """Our side as a client, for one connection; words as for
    WebSocket.connect()."""

    role = _uapi.WS_ROLE_CLIENT

    def __init__(self, url: str, *, protocols: Sequence[str] = (),
                 origin: str | None = None, headers: handshake.Headers = ()) -> None:
        self.url = handshake.parse_url(url)
        self._protocols = tuple(protocols)
        self._request, self._key = handshake.request_head(
            self.url, protocols, headers, origin)

    def first(self) -> bytes:
        """What we send before the peer's head comes."""
        return self._request

    def received(self, protocol: Protocol, head: bytes) -> None:
        """The peer's head is complete. Raises HandshakeError."""
        response = handshake.parse_response(head, self._key, self._protocols)
        protocol.response = response
        protocol.subprotocol = response.protocol
        protocol.start_framing()


class Protocol(asyncio.BufferedProtocol):
    """A connection, its opening handshake included.

    Override opened(), messages_received() and closed(). ``shake`` is a
    ServerHandshake or a ClientHandshake; ``framing`` and ``config`` are as for
    WebSocket. ``paused`` says that the peer is slow: what is sent meanwhile
    takes memory here.
    """

    transport: Any = None
    request: handshake.Request | None = None
    response: handshake.Response | None = None
    subprotocol: str | None = None
    # Why the connection has ended, when not by a Close.
    exception: Exception | None = None
    framing: str | None = None
    paused = False
    ended = False  # nothing more comes
    lost = False
    _close_sent = False
    _framing: Framing | None = None
    _timer: asyncio.TimerHandle | None = None
    _when_drained = False

    def __init__(self, shake: ServerHandshake | ClientHandshake, *,
                 framing: str = AUTO,
                 handshake_timeout: float = HANDSHAKE_TIMEOUT,
                 **config: int) -> None:
        self._shake = shake
        self._wanted = framing
        self._config = config
        self._handshake_timeout = handshake_timeout
        self._head: bytearray | None = bytearray()
        self._close_timeout = (config.get("close_timeout", 0) or
                               _uapi.WS_CLOSE_TIMEOUT_DEFAULT) / 1000

    # To be overridden.

    def opened(self) -> None:
        """The handshake is complete: send() may be called."""

    def messages_received(self, messages: list[Message]) -> None:
        """What one read gave; at least one message."""

    def close_received(self) -> None:
        """The peer's Close came: send what is left to be sent, then close().

        The default closes at once.
        """
        self.close()

    def closed(self, exception: Exception | None) -> None:
        """The connection is gone; None when a Close ended it.

        Before opened() the exception is a HandshakeError or OSError.
        """

    # For the program.

    @property
    def close_code(self) -> int | None:
        """Of the peer's Close, see WebSocket.close_code."""
        code = self._framing.close_code if self._framing is not None else None
        return 1006 if code is None and self.ended else code

    @property
    def close_reason(self) -> str:
        """Of the peer's Close."""
        return self._framing.close_reason if self._framing is not None else ""

    def send_message(self, message: Sendable) -> None:
        """Send str as text, bytes as binary, a Message as what it is. Does not
        block. Raises ConnectionClosed behind our Close or the end of TCP."""
        self.write(self.encode(message))

    def send_messages(self, messages: Iterable[Sendable]) -> None:
        """Send many messages in one write."""
        if self._close_sent or self.lost or self._framing is None:
            raise self.closed_error()
        self.write(self._framing.encode_many(messages))

    def encode(self, message: Sendable) -> bytes:
        """What write() takes. Raises ConnectionClosed as send_message()."""
        if self._close_sent or self.lost or self._framing is None:
            raise self.closed_error()
        return self._framing.encode(message)

    def write(self, data: bytes) -> None:
        """Send what encode() made."""
        self.transport.write(data)

    def send_ping(self, data: bytes = b"") -> None:
        """Send a PING of up to 125 bytes. The PONG is not told of."""
        if self._close_sent or self.lost or self._framing is None:
            raise self.closed_error()
        self.write(self._framing.ping(data))

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Send a Close unless one was sent; does not wait.

        By default with the peer's code if it closed first, else with 1000. The
        connection is given up when the peer does not answer in close_timeout.
        """
        if self.lost or self.transport is None:
            return
        if self._framing is None:
            self.transport.close()
            return
        if not self._close_sent:
            peers, error = self._framing.close_code, self._framing.error
            if error is not None:  # of framing in user space
                code, reason = error.code, ""
            elif code is None:
                code = 1000 if peers is None else peers
            # Nobody is left to read it when TCP has ended without a Close.
            if peers is not None or error is not None or not self.ended:
                self.write(self._framing.close(code, reason))
            self._close_sent = True
            self._set_timer(self._close_timeout, self._overdue,
                            self.transport.get_write_buffer_size())
        if self.ended:
            self.transport.close()
        else:
            self.transport.resume_reading()

    def _overdue(self, waited: int) -> None:
        """close_timeout is over. It does not run while the peer still takes what
        was sent before the Close; what the kernel has is timed by the kernel."""
        waits = self.transport.get_write_buffer_size()
        if 0 < waits < waited:
            self._set_timer(self._close_timeout, self._overdue, waits)
        elif waits or self.framing != "kernel":
            self.transport.abort()

    def closed_error(self) -> ConnectionClosed:
        """What sending and receiving raise at the end."""
        if isinstance(self.exception, ConnectionClosed):
            return self.exception
        return ConnectionClosed(self.close_code or 1006, self.close_reason)

    def info(self) -> dict[str, int]:
        """WS_INFO, see kernel.info(); empty with framing in user space."""
        return kernel.info(self._socket()) if self.framing == "kernel" else {}

    # For handshakes.

    def accept(self, protocol: str | None = None,
               headers: handshake.Headers = ()) -> None:
        """Server: answer the request and start."""
        assert self.request is not None
        self.subprotocol = protocol
        answer = handshake.accept_head(self.request, protocol, headers)
        self.transport.pause_reading()
        if not self._secure() and not self.transport.get_write_buffer_size():
            # What uvloop takes is written later, and must not be a record.
            try:
                answer = answer[os.write(self._socket().fileno(), answer):]
            except BlockingIOError:
                pass
            except OSError as error:
                self._give_up(error)
                return
        if answer:
            self._when_drained = True
            self.transport.set_write_buffer_limits(0)
            self.transport.write(answer)
        if not self.paused:
            self._drained()

    def refuse(self, status: int, headers: handshake.Headers = (),
               body: bytes = b"") -> None:
        """Server: refuse the request."""
        self.exception = HandshakeError(status, "refused")
        self.transport.write(handshake.refusal(status, headers, body))
        self.transport.close()

    def start_framing(self) -> None:
        """The handshake is complete."""
        assert self._head is not None
        surplus, self._head = bytes(self._head), None
        try:
            self._framing = start(
                self._socket(), self._shake.role, surplus, framing=self._wanted,
                secure=self._secure(), **self._config)
        except (Error, OSError, ValueError) as error:
            self._give_up(error)
            return
        self.framing = self._framing.framing
        self._stop_timer()
        self.opened()
        if surplus and self.framing == "userspace":
            self._take(memoryview(surplus), len(surplus))
        self.transport.resume_reading()

    def _drained(self) -> None:
        if self._when_drained:
            self._when_drained = False
            self.transport.set_write_buffer_limits()
        self.start_framing()

    def _give_up(self, error: Exception) -> None:
        if self.exception is None:
            self.exception = error
        self.transport.abort()

    def _secure(self) -> bool:
        return self.transport.get_extra_info("sslcontext") is not None

    def _socket(self) -> Any:
        return self.transport.get_extra_info("socket")

    def _set_timer(self, seconds: float, what: Any, *args: Any) -> None:
        self._stop_timer()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(seconds, what, *args)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # For asyncio.

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        sock = self._socket()
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._set_timer(self._handshake_timeout, self._give_up,
                        HandshakeError(0, "the opening handshake took too long"))
        first = self._shake.first()
        if first:
            transport.write(first)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Of one thread all connections read to the same memory."""
        buffer = shared_buffer()
        # What is read beyond the head must fit into WS_RX_PREFIX.
        return buffer if self._head is None else buffer[:handshake.HEAD_MAX]

    def buffer_updated(self, nbytes: int) -> None:
        if self._head is None:
            self._take(shared_buffer(), nbytes)
        else:
            self.head_received(shared_buffer()[:nbytes])

    def head_received(self, data: bytes | memoryview) -> None:
        """Bytes of the opening handshake came."""
        assert self._head is not None
        self._head += data
        try:
            end = handshake.head_end(self._head)
            if end:
                head = bytes(self._head[:end])
                del self._head[:end]
                self._shake.received(self, head)
        except HandshakeError as error:
            if self._shake.role == _uapi.WS_ROLE_SERVER:
                self.refuse(error.status, error.headers, error.text.encode())
            else:
                self._give_up(error)

    def _take(self, buffer: memoryview, count: int) -> None:
        framing = self._framing
        if framing is None or self.ended:
            return
        messages = framing.feed(buffer, count)
        if messages:
            self.messages_received(messages)
        if framing.framing == "userspace":
            self._after_feed()
        if framing.close_code is not None:
            self.ended = True
            if self._close_sent:
                self.transport.close()
            else:
                self._set_timer(self._close_timeout, self.close)
                self.close_received()

    def _after_feed(self) -> None:
        """What the kernel does by itself."""
        assert self._framing is not None
        replies, error = self._framing.replies(), self._framing.error
        if replies and not self._close_sent:
            self.write(replies)
        if error is not None:
            self.exception = error
            self.ended = True
            # Replies to what came before are written in this turn of the loop.
            asyncio.get_running_loop().call_soon(self.close)

    def eof_received(self) -> bool:
        # Behind the Close the socket stays, to send what is left.
        if self.ended and not self._close_sent and not self._secure():
            return True
        self.ended = True
        return False

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        if self._when_drained:
            self._drained()

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, OSError) and self._framing is not None:
            rule = 0
            try:
                rule = self.info().get("rule", 0)
            except (OSError, AttributeError):
                pass  # with uvloop the socket is closed by now
            exc = protocol_error(exc, rule) or exc
        if self.exception is None:
            self.exception = exc
        if self.exception is None and self._framing is None:
            self.exception = HandshakeError(
                0, "the connection ended in the handshake")
        self.ended = self.lost = True
        self._stop_timer()
        self.closed(self.exception)
