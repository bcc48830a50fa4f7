# SPDX-License-Identifier: MIT
"""WebSockets whose framing is done by the kernel module ws.

Sockets: WebSocket.accept() and WebSocket.connect(). asyncio: serve(), connect()
and Protocol. ASGI: kws.uvicorn. Where the module is missing the websockets
library takes its place, and the attribute ``framing`` of a connection says so.
"""
from ._uapi import (WS_F_BATCH, WS_F_CLOSE, WS_F_RECORDS, WS_MAX_MESSAGE_DEFAULT,
                    WS_MAX_MESSAGE_NONE, WS_MSG_END, WS_MSG_MORE, WS_OP_BINARY,
                    WS_OP_CLOSE, WS_OP_PING, WS_OP_PONG, WS_OP_TEXT,
                    WS_ROLE_CLIENT, WS_ROLE_SERVER, WS_RX_PREFIX_MAX)
from .aio import Connection, Server, connect, serve
from .connection import WebSocket
from .errors import (ConnectionClosed, Error, HandshakeError, ModuleMissing,
                     ModuleTooOld, NoFraming, NotPermitted, ProtocolError,
                     Unavailable)
from .handshake import Request, Response
from .kernel import attach, available, check, configure, info
from .protocol import Protocol
from .records import Message

__version__ = "0.1.0"

__all__ = [
    "Connection", "ConnectionClosed", "Error", "HandshakeError", "Message",
    "ModuleMissing", "ModuleTooOld", "NoFraming", "NotPermitted", "Protocol",
    "ProtocolError", "Request", "Response", "Server", "Unavailable", "WebSocket",
    "WS_F_BATCH", "WS_F_CLOSE", "WS_F_RECORDS", "WS_MAX_MESSAGE_DEFAULT",
    "WS_MAX_MESSAGE_NONE", "WS_MSG_END", "WS_MSG_MORE", "WS_OP_BINARY",
    "WS_OP_CLOSE", "WS_OP_PING", "WS_OP_PONG", "WS_OP_TEXT", "WS_ROLE_CLIENT",
    "WS_ROLE_SERVER", "WS_RX_PREFIX_MAX", "attach", "available", "check",
    "configure", "connect", "info", "serve",
]
