# SPDX-License-Identifier: MIT
"""The opening handshake, RFC 6455 section 4, of both sides. No I/O.

HTTP is parsed by the standard library, http.server and http.client; here are
the rules of WebSockets alone. No extension is ever offered or accepted.
"""
from __future__ import annotations

import base64
import binascii
import hashlib
import http
import http.client
import http.server
import io
import os
import re
from typing import (Any, Callable, Iterable, Mapping, NamedTuple, Sequence,
                    Union)
from urllib.parse import urlsplit

from .errors import HandshakeError

HEAD_MAX = 16384
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_LINE_ENDS = re.compile(rb"(?<!\r)\n|\r(?!\n)|\0")

Headers = Union[Mapping[str, str], Iterable["tuple[str, str]"]]


class Request(NamedTuple):
    """A client's request that is a valid opening handshake."""

    target: str
    headers: http.client.HTTPMessage
    key: str
    offered: tuple[str, ...]

    @property
    def path(self) -> str:
        """The target without the query."""
        return self.target.partition("?")[0]

    @property
    def origin(self) -> str | None:
        """The Origin header, None when there was none, as from no browser."""
        return self.headers.get("Origin")


class Response(NamedTuple):
    """A server's answer that is a valid opening handshake."""

    headers: http.client.HTTPMessage
    protocol: str | None


class Url(NamedTuple):
    """What a ws:// or wss:// address says."""

    secure: bool
    host: str
    port: int
    target: str
    authority: str


def head_end(data: bytes | bytearray) -> int:
    """Where the HTTP head ends, 0 when it is not complete.

    Raises HandshakeError when it is longer than HEAD_MAX.
    """
    end = data.find(b"\r\n\r\n", 0, HEAD_MAX) + 4
    if end < 4 and len(data) >= HEAD_MAX:
        raise HandshakeError(431, f"head of more than {HEAD_MAX} bytes")
    return end if end >= 4 else 0


class _RequestParser(http.server.BaseHTTPRequestHandler):
    """http.server's parser without a connection."""

    def __init__(self, head: bytes) -> None:  # pylint: disable=W0231
        self.rfile = io.BytesIO(head)
        self.raw_requestline = self.rfile.readline(HEAD_MAX)
        self.status, self.why = 400, "not an HTTP request"
        self.parsed = self.parse_request()

    def send_error(self, code: int, message: str | None = None,
                   explain: str | None = None) -> None:
        self.status, self.why = int(code), message or self.why

    def handle_expect_100(self) -> bool:
        return True


class _Answer:
    """What http.client.HTTPResponse takes for a socket."""

    def __init__(self, head: bytes) -> None:
        self._head = head

    def makefile(self, _mode: str) -> io.BytesIO:
        """The answer as a file."""
        return io.BytesIO(self._head)


def _clean(head: bytes, headers: http.client.HTTPMessage, status: int) -> None:
    """Refuse what parsers are known to read in different ways."""
    if _LINE_ENDS.search(head) or headers.defects or \
            any("\n" in value or "\r" in value for value in headers.values()) or \
            any(not _TOKEN.fullmatch(name) for name in headers):
        raise HandshakeError(status, "malformed HTTP header")


def _single(headers: http.client.HTTPMessage, name: str, status: int) -> str:
    values = headers.get_all(name, [])
    if len(values) != 1:
        found = "there twice" if values else "missing"
        raise HandshakeError(status, f"{name} is {found}")
    return values[0].strip()


def _tokens(headers: http.client.HTTPMessage, name: str) -> list[str]:
    """The elements of a header that is a list."""
    return [token.strip() for value in headers.get_all(name, [])
            for token in value.split(",") if token.strip()]


def _has(headers: http.client.HTTPMessage, name: str, token: str) -> bool:
    return token in (one.lower() for one in _tokens(headers, name))


def accept_key(key: str) -> str:
    """Sec-WebSocket-Accept for a Sec-WebSocket-Key."""
    return base64.b64encode(hashlib.sha1(key.encode() + _GUID).digest()).decode()


def parse_request(head: bytes) -> Request:
    """Section 4.2.1. Raises HandshakeError with the status of the answer."""
    parser = _RequestParser(head)
    if not parser.parsed:
        raise HandshakeError(parser.status, parser.why)
    headers = parser.headers
    _clean(head, headers, 400)
    if parser.command != "GET":
        raise HandshakeError(405, "not a GET", (("Allow", "GET"),))
    if parser.request_version != "HTTP/1.1":
        raise HandshakeError(505, "not HTTP/1.1")
    if headers.get("Transfer-Encoding") or headers.get("Content-Length", "0") != "0":
        raise HandshakeError(400, "request with a body")
    _single(headers, "Host", 400)
    if not _has(headers, "Upgrade", "websocket") or \
            not _has(headers, "Connection", "upgrade"):
        raise HandshakeError(426, "this is for WebSockets", (
            ("Upgrade", "websocket"), ("Connection", "Upgrade, close")))
    if _single(headers, "Sec-WebSocket-Version", 400) != "13":
        raise HandshakeError(426, "unknown version of WebSocket",
                             (("Sec-WebSocket-Version", "13"),))
    key = _single(headers, "Sec-WebSocket-Key", 400)
    try:
        valid = len(base64.b64decode(key, validate=True)) == 16
    except (binascii.Error, ValueError):
        valid = False
    if not valid:
        raise HandshakeError(400, "Sec-WebSocket-Key is not 16 bytes in base64")
    offered = tuple(_tokens(headers, "Sec-WebSocket-Protocol"))
    if any(not _TOKEN.fullmatch(name) for name in offered):
        raise HandshakeError(400, "malformed Sec-WebSocket-Protocol")
    return Request(parser.path, headers, key, offered)


def check_origin(request: Request, origins: Sequence[str | None] | None) -> None:
    """Refuse an Origin that is not one of these; None in them: no Origin at all.

    Raises HandshakeError 403.
    """
    if origins is not None and request.origin not in origins:
        raise HandshakeError(403, f"Origin {request.origin!r} is not allowed")


def choose_protocol(request: Request, protocols: Sequence[str]) -> str | None:
    """The first of ours that the client offers too."""
    return next((one for one in protocols if one in request.offered), None)


def _lines(headers: Headers) -> str:
    lines = []
    for name, value in header_items(headers):
        if not _TOKEN.fullmatch(name) or re.search(r"[\r\n\0]", value):
            raise ValueError(f"not a header: {name!r}: {value!r}")
        lines.append(f"{name}: {value}\r\n")
    return "".join(lines)


def accept_head(request: Request, protocol: str | None = None,
                headers: Headers = ()) -> bytes:
    """The 101 answer. Raises ValueError for a subprotocol not offered."""
    if protocol is not None and protocol not in request.offered:
        raise ValueError(f"subprotocol {protocol!r} was not offered")
    chosen = f"Sec-WebSocket-Protocol: {protocol}\r\n" if protocol else ""
    return ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_key(request.key)}\r\n"
            f"{chosen}{_lines(headers)}\r\n").encode("latin-1")


def refusal(status: int, headers: Headers = (), body: bytes = b"") -> bytes:
    """An answer that refuses, after which the connection is closed."""
    try:
        phrase = http.HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    headers = list(header_items(headers))
    names = {name.lower() for name, _ in headers}
    if body and "content-type" not in names:
        headers.append(("Content-Type", "text/plain; charset=utf-8"))
    if "content-length" not in names:
        headers.append(("Content-Length", str(len(body))))
    if "connection" not in names:
        headers.append(("Connection", "close"))
    return (f"HTTP/1.1 {status} {phrase}\r\n{_lines(headers)}\r\n"
            ).encode("latin-1") + body


def parse_url(url: str) -> Url:
    """Section 3. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss") or not parts.hostname:
        raise ValueError(f"not a ws:// or wss:// address: {url!r}")
    if parts.fragment or "#" in url or parts.username is not None:
        raise ValueError("no fragment and no user may be in a ws:// address")
    if re.search(r"[^\x21-\x7e]", url):
        raise ValueError("a ws:// address is printable ASCII; quote the rest")
    secure = parts.scheme == "wss"
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    return Url(secure, parts.hostname, parts.port or (443 if secure else 80),
               target, parts.netloc)


def request_head(url: Url, protocols: Sequence[str] = (), headers: Headers = (),
                 origin: str | None = None) -> tuple[bytes, str]:
    """The request, and its Sec-WebSocket-Key."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [("Host", url.authority), ("Upgrade", "websocket"),
             ("Connection", "Upgrade"), ("Sec-WebSocket-Key", key),
             ("Sec-WebSocket-Version", "13")]
    if protocols:
        lines.append(("Sec-WebSocket-Protocol", ", ".join(protocols)))
    if origin is not None:
        lines.append(("Origin", origin))
    return (f"GET {url.target} HTTP/1.1\r\n{_lines(lines)}{_lines(headers)}\r\n"
            ).encode("latin-1"), key


def parse_response(head: bytes, key: str, protocols: Sequence[str]) -> Response:
    """Section 4.1. Raises HandshakeError with the status that was received."""
    answer = http.client.HTTPResponse(_Answer(head))  # type: ignore[arg-type]
    try:
        answer.begin()
    except (http.client.HTTPException, ValueError) as error:
        raise HandshakeError(0, f"not an HTTP answer: {error}") from error
    status, headers = answer.status, answer.msg
    if status != 101:
        raise HandshakeError(status, answer.reason or "refused",
                             tuple(headers.items()))
    _clean(head, headers, status)
    if not _has(headers, "Upgrade", "websocket") or \
            not _has(headers, "Connection", "upgrade"):
        raise HandshakeError(status, "the answer is not an Upgrade to WebSocket")
    if _single(headers, "Sec-WebSocket-Accept", status) != accept_key(key):
        raise HandshakeError(status, "wrong Sec-WebSocket-Accept")
    if headers.get_all("Sec-WebSocket-Extensions"):
        raise HandshakeError(status, "an extension that was not offered")
    chosen = headers.get_all("Sec-WebSocket-Protocol", [])
    if len(chosen) > 1 or (chosen and chosen[0].strip() not in protocols):
        raise HandshakeError(status, "a subprotocol that was not offered")
    return Response(headers, chosen[0].strip() if chosen else None)


# A callback of servers: the request in; None to go on, or (status, headers,
# body) to refuse.
Gate = Callable[[Request], "tuple[int, Headers, bytes] | None"]


def header_items(headers: Headers) -> Iterable[tuple[str, str]]:
    """As pairs, from a mapping or from pairs."""
    return headers.items() if isinstance(headers, Mapping) else headers


def judge(head: bytes, protocols: Sequence[str], origins: Any,
          gate: Gate | None) -> tuple[Request, str | None]:
    """All that a server asks of a request: the request and the subprotocol.

    Raises HandshakeError.
    """
    request = parse_request(head)
    check_origin(request, origins)
    if gate is not None:
        refused = gate(request)
        if refused is not None:
            raise Refused(request, *refused)
    return request, choose_protocol(request, protocols)


class Refused(HandshakeError):
    """The program's own gate refused."""

    def __init__(self, request: Request, status: int, headers: Headers,
                 body: bytes = b"") -> None:
        super().__init__(status, "refused", tuple(header_items(headers)))
        self.request = request
        self.body = body
