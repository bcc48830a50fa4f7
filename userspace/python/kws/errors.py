# SPDX-License-Identifier: MIT
"""Exceptions of the package. Errors of the socket itself stay OSError."""
from __future__ import annotations

import errno

from . import _uapi

# Why the peer's stream was refused: text, and the status code of our Close.
_RULES = {
    _uapi.WS_RULE_RSV: ("a reserved bit is set", 1002),
    _uapi.WS_RULE_OPCODE: ("reserved opcode", 1002),
    _uapi.WS_RULE_LENGTH: ("length of a frame is not in its shortest form", 1002),
    _uapi.WS_RULE_UNMASKED: ("frame of a client without a mask", 1002),
    _uapi.WS_RULE_MASKED: ("frame of a server with a mask", 1002),
    _uapi.WS_RULE_CONTROL_LENGTH: ("control frame of more than 125 bytes", 1002),
    _uapi.WS_RULE_CONTROL_FRAGMENT: ("control frame in fragments", 1002),
    _uapi.WS_RULE_CONTINUATION: ("continuation without a message", 1002),
    _uapi.WS_RULE_INTERLEAVED: ("new message inside another", 1002),
    _uapi.WS_RULE_CLOSE_LENGTH: ("Close with a body of one byte", 1002),
    _uapi.WS_RULE_CLOSE_CODE: ("Close with a reserved status code", 1002),
    _uapi.WS_RULE_CLOSE_UTF8: ("reason of a Close is not UTF-8", 1007),
    _uapi.WS_RULE_UTF8: ("text is not UTF-8", 1007),
    _uapi.WS_RULE_TOO_BIG: ("message is larger than max_message", 1009),
    _uapi.WS_RULE_TRUNCATED: ("TCP ended inside a message", 1006),
    _uapi.WS_RULE_STREAM: ("bytes of the stream were taken by others", 1011),
    _uapi.WS_RULE_PING_TIMEOUT: ("no answer to a PING in time", 1006),
    _uapi.WS_RULE_ASSEMBLY_TIMEOUT: ("message took too long", 1008),
    _uapi.WS_RULE_CLOSE_TIMEOUT: ("no answer to the Close in time", 1006),
}

# What the kernel's errno says when the rule cannot be asked for any more.
_ERRNO_CODES = {errno.EILSEQ: 1007, errno.EMSGSIZE: 1009, errno.EPROTO: 1002}


class Error(Exception):
    """Base of every exception that is defined here."""


class Unavailable(Error):
    """Framing in the kernel is not possible on this machine."""


class ModuleMissing(Unavailable):
    """The kernel module ws is not loaded, or the kernel has no such thing."""


class ModuleTooOld(Unavailable):
    """The module lacks something that this package needs."""


class NotPermitted(Unavailable):
    """A security policy, such as a seccomp filter, forbids to attach."""


class NoFraming(Error):
    """Neither the module nor the websockets library is there."""


class HandshakeError(Error):
    """The opening handshake failed.

    ``status`` is the HTTP status that was received (client) or that answers
    the request (server), 0 when there was none. ``headers`` are further
    headers of the answer.
    """

    def __init__(self, status: int, text: str,
                 headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(f"{text} (HTTP {status})" if status else text)
        self.status = status
        self.text = text
        self.headers = headers


class ConnectionClosed(Error):
    """The connection has ended: ``code`` and ``reason`` of the peer's Close.

    The code is 1005 for a Close without one, 1006 when none came.
    """

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(f"connection closed: {code} {reason}".rstrip())
        self.code = code
        self.reason = reason


class ProtocolError(ConnectionClosed):
    """The peer broke a rule. ``code`` is that of our Close, 1006 for none."""


def protocol_error(error: OSError, rule: int = 0) -> ProtocolError | None:
    """The exception for a broken rule, None when it is an ordinary OSError.

    ``rule`` is ws_info::rule, 0 when it is not known.
    """
    if rule in _RULES:
        text, code = _RULES[rule]
    elif error.errno in _ERRNO_CODES:
        text, code = str(error), _ERRNO_CODES[error.errno]
    else:
        return None
    exception = ProtocolError(code, text)
    exception.__cause__ = error
    return exception
