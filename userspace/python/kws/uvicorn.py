# SPDX-License-Identifier: MIT
"""Framing in the kernel under uvicorn, so that ASGI applications run unchanged.

    uvicorn --ws kws.uvicorn:WebSocketProtocol app:app
    python3 -m kws.uvicorn app:app           (also with a uvicorn whose --ws
                                              takes no class, as Debian 12's)
    uvicorn.run(app, ws=kws.uvicorn.WebSocketProtocol)

uvicorn's --ws-max-size, --ws-ping-interval and --ws-ping-timeout are the
kernel's max_message, ping_interval and ping_timeout. There is no
permessage-deflate: --ws-per-message-deflate has no effect. Bytes that a client
sends before it has our answer are dropped by uvicorn; RFC 6455 forbids them.
"""
from __future__ import annotations

import asyncio
import importlib
import logging
import sys
from typing import Any
from urllib.parse import unquote

import uvicorn.config
from uvicorn.protocols.utils import (get_client_addr, get_local_addr,
                                     get_path_with_query_string,
                                     get_remote_addr, is_ssl)

from . import _uapi, handshake
from .errors import ConnectionClosed
from .framing import AUTO, milliseconds
from .protocol import Protocol
from .queued import QueuedProtocol
from .records import Message

NAME = "kws.uvicorn:WebSocketProtocol"

# For uvicorn's command line where it knows only names of its own.
uvicorn.config.WS_PROTOCOLS.setdefault(NAME, NAME)  # type: ignore[call-overload]

# From here on scope["path"] begins with root_path.
_PATH_WITH_ROOT = tuple(
    int(part) for part in uvicorn.__version__.split(".")[:2]) >= (0, 26)

try:
    from uvicorn.protocols.utils import ClientDisconnected
except ImportError:
    class ClientDisconnected(OSError):  # type: ignore[no-redef]
        """An application sends, and the client is gone."""


class _Handshake:
    """The application decides about the request."""

    role = _uapi.WS_ROLE_SERVER

    def first(self) -> bytes:
        """What we send before the peer's head comes."""
        return b""

    def received(self, protocol: Protocol, head: bytes) -> None:
        """The request is complete. Raises HandshakeError."""
        protocol.request = handshake.parse_request(head)
        protocol.request_received()  # type: ignore[attr-defined]


_HANDSHAKE = _Handshake()


class WebSocketProtocol(QueuedProtocol):
    """One connection of an ASGI application, in uvicorn's interface."""

    # A subclass can say "kernel", to fail where the module is missing.
    wanted_framing = AUTO

    def __init__(self, config: Any, server_state: Any, app_state: Any = None,
                 _loop: Any = None, **_: Any) -> None:
        if not config.loaded:
            config.load()
        super().__init__(
            _HANDSHAKE, framing=self.wanted_framing,  # type: ignore[arg-type]
            max_message=config.ws_max_size or _uapi.WS_MAX_MESSAGE_NONE,
            ping_interval=milliseconds(config.ws_ping_interval),
            ping_timeout=milliseconds(config.ws_ping_timeout))
        self.config = config
        self.server_state = server_state
        self.app_state = app_state
        self.logger = logging.getLogger("uvicorn.error")
        self.scope: dict[str, Any] = {}
        self._connect_sent = self._answered = False
        self._app_closed = self._shutdown = False
        # The status and headers of websocket.http.response.start, and the body.
        self._response: tuple[int, Any] | None = None
        self._body = b""

    # uvicorn's side.

    def connection_made(self, transport: Any) -> None:
        self.server_state.connections.add(self)
        super().connection_made(transport)

    def closed(self, exception: Exception | None) -> None:
        self.server_state.connections.discard(self)
        super().closed(exception)

    def data_received(self, data: bytes) -> None:
        """uvicorn's HTTP protocol hands the request over."""
        self.head_received(data)

    def shutdown(self) -> None:
        """The server ends."""
        self._shutdown = True
        if self._answered or not self.scope:
            self.close(1012)
        else:
            self._refuse(500, [], b"Internal Server Error")
        self._wake_reader()

    def request_received(self) -> None:
        """Start the application, which accepts or refuses."""
        # uvloop takes up the new way of reading when reading starts again.
        self.transport.pause_reading()
        self._stop_timer()
        request, transport = self.request, self.transport
        assert request is not None
        raw_path, _, query = request.target.partition("?")
        path = unquote(raw_path)
        root_path = self.config.root_path
        self.scope = {
            "type": "websocket",
            "asgi": {"version": self.config.asgi_version, "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "wss" if is_ssl(transport) else "ws",
            "server": get_local_addr(transport),
            "client": get_remote_addr(transport),
            "root_path": root_path,
            "path": root_path + path if _PATH_WITH_ROOT else path,
            "raw_path": raw_path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1"))
                        for name, value in request.headers.items()],
            "subprotocols": list(request.offered),
            "extensions": {"websocket.http.response": {}},
        }
        if self.app_state is not None:
            self.scope["state"] = self.app_state.copy()
        task = asyncio.get_running_loop().create_task(self._run())
        task.add_done_callback(self.server_state.tasks.discard)
        self.server_state.tasks.add(task)

    async def _run(self) -> None:
        try:
            result = await self.config.loaded_app(self.scope, self.receive, self.send)
        except ClientDisconnected:
            self.close()
        except Exception as error:  # pylint: disable=broad-except
            self.logger.error("Exception in ASGI application\n", exc_info=error)
            self._end(1011)
        else:
            if not self._answered and not self.lost:
                self.logger.error("ASGI callable returned without sending handshake.")
            elif result is not None:
                self.logger.error(
                    "ASGI callable should return None, but returned '%s'.", result)
            self._end(1000 if self.close_code is None else None)

    def _end(self, code: int | None) -> None:
        if not self._answered:
            self._refuse(500, [], b"Internal Server Error")
        else:
            self.close(code)
        self._discard = True

    def _refuse(self, status: int, headers: Any, body: bytes) -> None:
        self._answered = self._app_closed = True
        if not self.lost:
            self.logger.info('%s - "WebSocket %s" %d', get_client_addr(self.scope),
                             get_path_with_query_string(self.scope), status)
            self.refuse(status, headers, body)

    # The application's side.

    def convert(self, messages: list[Message]) -> list[dict[str, Any]]:
        return [{"type": "websocket.receive", "text": str(data, "utf-8")}
                if opcode == _uapi.WS_OP_TEXT
                else {"type": "websocket.receive", "bytes": data}
                for data, opcode, _ in messages]

    async def receive(self) -> dict[str, Any]:
        """ASGI's receive()."""
        if not self._connect_sent:
            self._connect_sent = True
            return {"type": "websocket.connect"}
        if not self._app_closed and (self._queue or await self.fill()):
            return self._queue.popleft()
        # All replies have been sent: the peer's Close can be answered.
        self.close()
        code = 1012 if self._shutdown else self.close_code or 1006
        return {"type": "websocket.disconnect", "code": code,
                "reason": self.close_reason}

    async def send(self, message: dict[str, Any]) -> None:  # type: ignore[override]
        """ASGI's send()."""
        kind = message["type"]
        if kind == "websocket.send" and self._answered and not self._app_closed:
            data = message.get("bytes")
            if data is None:
                data = message["text"]
            try:
                await super().send(data)
            except ConnectionClosed as error:
                raise ClientDisconnected from error
        elif not self._answered:
            self._answer(kind, message)
        elif kind == "websocket.close" and not self._app_closed:
            self._app_closed = True
            self.close(message.get("code", 1000) or 1000, message.get("reason") or "")
        else:
            raise RuntimeError(f"Unexpected ASGI message '{kind}'.")

    def _answer(self, kind: str, message: dict[str, Any]) -> None:
        """The application's first messages."""
        if self.lost:
            raise ClientDisconnected
        if kind == "websocket.accept" and self._response is None:
            self.logger.info('%s - "WebSocket %s" [accepted]',
                             get_client_addr(self.scope),
                             get_path_with_query_string(self.scope))
            headers = _decode(self.server_state.default_headers)
            headers += _decode(message.get("headers") or ())
            self.accept(message.get("subprotocol"), headers)
            self._answered = True
        elif kind == "websocket.close" and self._response is None:
            self._refuse(403, [], b"")
        elif kind == "websocket.http.response.start" and self._response is None:
            self._response = message["status"], message.get("headers") or ()
        elif kind == "websocket.http.response.body" and self._response is not None:
            self._body += message.get("body", b"")
            if not message.get("more_body", False):
                status, headers = self._response
                self._refuse(status, _decode(headers), self._body)
        else:
            raise RuntimeError(f"Unexpected ASGI message '{kind}'.")


def _decode(headers: Any) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1"))
            for name, value in headers]


def main() -> None:
    """uvicorn's command line with this class."""
    # uvicorn.main as an attribute is the function of this name.
    command = importlib.import_module("uvicorn.main")
    choices = getattr(command, "WS_CHOICES", None)
    if choices is not None and NAME not in choices.choices:
        choices.choices = [*choices.choices, NAME]
    if not any(word == "--ws" or word.startswith("--ws=") for word in sys.argv):
        sys.argv[1:1] = ["--ws", NAME]
    command.main()


if __name__ == "__main__":
    main()
