# SPDX-License-Identifier: MIT
"""A WebSocket on a socket, blocking or not."""
from __future__ import annotations

import collections
import socket
import ssl
import threading
import time
from typing import Any, Iterable, Iterator, Sequence

from . import _uapi, handshake, kernel
from .errors import ConnectionClosed, Error, HandshakeError, protocol_error
from .framing import AUTO, shared_buffer, start
from .records import Message, Sendable

HANDSHAKE_TIMEOUT = 10.0


class WebSocket:
    """A connection after its opening handshake.

    ``sock`` is connected; it is ours from here on, and close() closes it.
    ``role`` is our side, ``prefix`` what was read beyond the HTTP head.
    ``framing`` is "auto" (the kernel, or user space where that is not possible),
    "kernel" or "userspace"; the attribute of this name says what it came to.
    ``config`` are the words of struct ws_config: max_message in bytes,
    ping_interval, ping_timeout, assembly_timeout, close_timeout in milliseconds.

    With a blocking socket calls block; with settimeout() they raise TimeoutError,
    and after one of a send the connection is good only to be closed. On a
    non-blocking socket receiving raises BlockingIOError, and sending keeps what
    the socket does not take: see ``pending`` and flush().

    The peer's Close ends iteration and makes recv() return None. It is answered
    by close(), and so behind all replies; until then the peer waits.

    One thread at a time may receive, any number may send.
    """

    def __init__(self, sock: socket.socket, role: int = _uapi.WS_ROLE_SERVER,
                 prefix: bytes = b"", *, framing: str = AUTO,
                 subprotocol: str | None = None, **config: int) -> None:
        self.sock = sock
        self.role = role
        self.subprotocol = subprotocol
        # Server: the request. Client: the answer.
        self.request: handshake.Request | None = None
        self.response: handshake.Response | None = None
        self._framing = start(sock, role, prefix, framing=framing, **config)
        self.framing = self._framing.framing
        self._close_timeout = (config.get("close_timeout", 0) or
                               _uapi.WS_CLOSE_TIMEOUT_DEFAULT) / 1000
        self._ready: collections.deque[Message] = collections.deque()
        self._pending = b""
        self._lock = threading.Lock()
        self._ended = self._failed = self._close_sent = self._closed = False
        if prefix and self.framing == "userspace":
            self._ready.extend(self._take(memoryview(prefix), len(prefix)))

    @classmethod
    def accept(cls, sock: socket.socket, *, protocols: Sequence[str] = (),
               origins: Sequence[str | None] | None = None,
               gate: handshake.Gate | None = None,
               headers: handshake.Headers = (),
               timeout: float = HANDSHAKE_TIMEOUT, **options: Any) -> WebSocket:
        """Read a client's request, answer it, and attach.

        ``protocols`` are our subprotocols, best first. ``origins`` are those
        allowed, with None in it also clients without one. ``gate`` is called
        with the request and returns None, or (status, headers, body) to refuse.
        ``headers`` are further ones of the answer, ``timeout`` is for all of it,
        in seconds; ``options`` as for the class.

        Raises HandshakeError after the refusal was sent, TimeoutError, OSError.
        """
        with _Timeout(sock, timeout) as clock:
            head, surplus = _read_head(sock, clock)
            try:
                request, chosen = handshake.judge(head, protocols, origins, gate)
            except HandshakeError as error:
                body = getattr(error, "body", error.text.encode())
                sock.sendall(handshake.refusal(error.status, error.headers, body))
                raise
            sock.sendall(handshake.accept_head(request, chosen, headers))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self = cls(sock, _uapi.WS_ROLE_SERVER, surplus, subprotocol=chosen, **options)
        self.request = request
        return self

    @classmethod
    def connect(cls, url: str, *, protocols: Sequence[str] = (),
                origin: str | None = None, headers: handshake.Headers = (),
                timeout: float = HANDSHAKE_TIMEOUT,
                tls: ssl.SSLContext | None = None, **options: Any) -> WebSocket:
        """Connect to a ws:// or wss:// address and shake hands.

        wss:// is framed in user space. ``tls`` is its context, by default one
        that trusts what the system trusts. Other words as for accept(). Raises
        HandshakeError when the server refuses, ValueError for a bad address,
        TimeoutError, OSError.
        """
        where = handshake.parse_url(url)
        request, key = handshake.request_head(where, protocols, headers, origin)
        sock = socket.create_connection((where.host, where.port), timeout)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if where.secure:
                context = tls or ssl.create_default_context()
                sock = context.wrap_socket(sock, server_hostname=where.host)
            with _Timeout(sock, timeout) as clock:
                sock.sendall(request)
                head, surplus = _read_head(sock, clock)
            response = handshake.parse_response(head, key, protocols)
            sock.settimeout(None)
            self = cls(sock, _uapi.WS_ROLE_CLIENT, surplus,
                       subprotocol=response.protocol, **options)
        except BaseException:
            sock.close()
            raise
        self.response = response
        return self

    def __enter__(self) -> WebSocket:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Message]:
        ready = self._ready
        while ready or self._fill():
            yield ready.popleft()

    def fileno(self) -> int:
        """For select and epoll. See also has_messages()."""
        return self.sock.fileno()

    def has_messages(self) -> bool:
        """Whether recv() would not read: select does not tell of these."""
        return bool(self._ready)

    @property
    def close_code(self) -> int | None:
        """Of the peer's Close: 1005 for one without, 1006 when the connection
        ended without a Close, None before the end."""
        code = self._framing.close_code
        return 1006 if code is None and self._ended else code

    @property
    def close_reason(self) -> str:
        """Of the peer's Close."""
        return self._framing.close_reason

    @property
    def pending(self) -> int:
        """Bytes that a non-blocking socket has not taken yet."""
        return len(self._pending)

    def info(self) -> dict[str, int]:
        """WS_INFO, see kernel.info(); empty with framing in user space."""
        return kernel.info(self.sock) if self.framing == "kernel" else {}

    def recv(self) -> Message | None:
        """The next message, None at the end of the connection.

        Raises ProtocolError when the peer broke a rule, OSError.
        """
        if self._ready or self._fill():
            return self._ready.popleft()
        return None

    def recv_many(self) -> list[Message]:
        """The messages of one read, at least one; none at the end."""
        if self._ready:
            messages = list(self._ready)
            self._ready.clear()
            return messages
        messages = []
        while not messages and not self._ended:
            messages = self._read()
        return messages

    def _fill(self) -> bool:
        while not self._ready and not self._ended:
            self._ready.extend(self._read())
        return bool(self._ready)

    def _read(self) -> list[Message]:
        buffer = shared_buffer()
        if self._framing.error is not None:
            # What came before the fault has been delivered.
            return self._take(buffer, 0)
        try:
            count = self.sock.recv_into(buffer)
        except OSError as error:
            self._fault(error)
            raise
        if not count:
            self._ended = True
            return []
        return self._take(buffer, count)

    def _take(self, buffer: memoryview, count: int) -> list[Message]:
        framing = self._framing
        messages = framing.feed(buffer, count)
        if framing.close_code is not None:
            self._ended = True
        replies = framing.replies()
        if replies and not self._close_sent:
            self._write(replies)
        if framing.error is not None and not messages:
            self._fail(framing.error.code)
            raise framing.error
        return messages

    def _fail(self, code: int) -> None:
        """Framing in user space: our Close for a broken rule."""
        self._ended = self._failed = True
        if not self._close_sent:
            self._close_sent = True
            self._write(self._framing.close(code))

    def _fault(self, error: OSError) -> None:
        """Raise ProtocolError instead, if it is one."""
        if isinstance(error, (BlockingIOError, InterruptedError)) or \
                error.errno is None:
            return
        self._ended = self._failed = True
        if self.framing == "kernel":
            rule = kernel.info(self.sock).get("rule", 0)
            explained = protocol_error(error, rule)
            if explained is not None:
                raise explained

    def send(self, message: Sendable) -> None:
        """Send str as text, bytes as binary, a Message as what it is.

        Raises ConnectionClosed when a Close was sent or TCP has ended.
        """
        if self._close_sent:
            raise self._closed_error()
        self._write(self._framing.encode(message))

    def send_many(self, messages: Iterable[Sendable]) -> None:
        """Send many messages, with the kernel in one write."""
        if self._close_sent:
            raise self._closed_error()
        self._write(self._framing.encode_many(messages))

    def ping(self, data: bytes = b"") -> None:
        """Send a PING of up to 125 bytes. The PONG is not told of."""
        if self._close_sent:
            raise self._closed_error()
        self._write(self._framing.ping(data))

    def flush(self) -> bool:
        """Offer the socket again what it has not taken; True when all is out."""
        with self._lock:
            self._flush()
            return not self._pending

    def _write(self, data: bytes) -> None:
        with self._lock:
            if self._pending:
                self._pending += data
            else:
                self._pending = data
            self._flush()

    def _flush(self) -> None:
        data = self._pending
        if not data:
            return
        self._pending = b""
        try:
            sent = self.sock.send(data)
            if sent == len(data):
                return
            if self.sock.gettimeout() != 0:
                self.sock.sendall(memoryview(data)[sent:])
            else:
                self._pending = data[sent:]
        except BlockingIOError:
            self._pending = data
        except (BrokenPipeError, ConnectionResetError) as error:
            raise self._closed_error() from error

    def _closed_error(self) -> ConnectionClosed:
        return ConnectionClosed(self.close_code or 1006, self.close_reason)

    def send_close(self, code: int = 1000, reason: str = "") -> None:
        """Send our Close, and go on receiving until the peer's.

        Nothing can be sent any more. 1005 is a Close without a code.
        """
        if not self._close_sent:
            data = self._framing.close(code, reason)
            self._close_sent = True
            self._write(data)

    def close(self, code: int | None = None, reason: str = "") -> None:
        """Send a Close unless one was sent, and close the socket.

        By default with the peer's code if it closed first, else with 1000. With
        framing in the kernel this does not wait: the kernel throws away what
        still comes until the peer has answered, for close_timeout at most. With
        framing in user space it waits here, with a non-blocking socket not at all.
        """
        if self._closed:
            return
        self._closed = True
        try:
            peers = self._framing.close_code
            if not self._failed and (peers is not None or not self._ended):
                if code is None:
                    code = 1000 if peers is None else peers
                self.send_close(code, reason)
            if self.framing == "userspace":
                self._end_userspace()
        except (OSError, Error):
            pass  # the connection is gone, or is what close() ends
        finally:
            self.sock.close()

    def _end_userspace(self) -> None:
        if self.sock.gettimeout() == 0:
            return
        until = time.monotonic() + self._close_timeout
        if self.role == _uapi.WS_ROLE_SERVER:
            if self._framing.close_code is not None:
                return
            if self._failed:
                self.sock.shutdown(socket.SHUT_WR)
        # Bytes that nobody reads would make TCP reset the connection, and our
        # Close might not arrive.
        while (left := until - time.monotonic()) > 0:
            self.sock.settimeout(left)
            count = self.sock.recv_into(shared_buffer())
            if not count:
                break
            self._framing.feed(shared_buffer(), count)
            if self.role == _uapi.WS_ROLE_SERVER and \
                    self._framing.close_code is not None:
                break


class _Timeout:
    """The time that is left, as the socket's timeout; restores the old one."""

    def __init__(self, sock: socket.socket, seconds: float) -> None:
        self._sock = sock
        self._until = time.monotonic() + seconds

    def __enter__(self) -> _Timeout:
        self._old = self._sock.gettimeout()
        self.start()
        return self

    def start(self) -> None:
        """Before each call that blocks."""
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the opening handshake took too long")
        self._sock.settimeout(left)

    def __exit__(self, *exception: object) -> None:
        self._sock.settimeout(self._old)


def _read_head(sock: socket.socket, clock: _Timeout) -> tuple[bytes, bytes]:
    """An HTTP head, and what was read beyond it."""
    data = bytearray()
    while not (end := handshake.head_end(data)):
        clock.start()
        try:
            chunk = sock.recv(4096)
        except socket.timeout as error:  # TimeoutError since Python 3.10
            raise TimeoutError("the opening handshake took too long") from error
        if not chunk:
            raise HandshakeError(0, "the connection ended in the handshake")
        data += chunk
    return bytes(data[:end]), bytes(data[end:])
