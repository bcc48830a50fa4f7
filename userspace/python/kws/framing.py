# SPDX-License-Identifier: MIT
"""Who frames a connection: the kernel, or user space where that is not possible."""
from __future__ import annotations

import socket
import ssl
import threading
from typing import Any, Union

from . import _uapi, kernel, user
from .errors import ModuleTooOld, NoFraming, Unavailable
from .records import Records

Framing = Union[Records, user.UserFrames]

AUTO = "auto"
KERNEL = "kernel"
USERSPACE = "userspace"

# One read gives as many messages as fit.
BUFFER_SIZE = 256 << 10


class _Buffers(threading.local):
    """A buffer for each thread: what is read is parsed before the next read."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(BUFFER_SIZE))


_buffers = _Buffers()


def shared_buffer() -> memoryview:
    """The buffer of this thread, so that idle connections need none."""
    return _buffers.view


def _tcp(sock: Any, secure: bool) -> None:
    """Raise Unavailable for a socket that must not be attached.

    The kernel would frame the bytes below TLS.
    """
    if secure or isinstance(sock, ssl.SSLSocket):
        raise Unavailable("TLS in user space: the kernel sees no frames")
    if sock.family not in (socket.AF_INET, socket.AF_INET6):
        raise Unavailable("not a TCP socket")


def start(sock: Any, role: int, prefix: bytes, *, framing: str = AUTO,
          secure: bool = False, **config: int) -> Framing:
    """Attach the socket, or make framing in user space.

    ``framing`` is "auto", "kernel" (or an exception) or "userspace"; ``config``
    as for kernel.attach(). ``prefix`` is the kernel's afterwards; framing in
    user space has to be fed with it. Raises Unavailable for "kernel", NoFraming
    for "auto" without the module and without the websockets library, OSError.
    """
    if framing not in (AUTO, KERNEL, USERSPACE):
        raise ValueError(f"framing is auto, kernel or userspace, not {framing!r}")
    why = None
    if framing != USERSPACE:
        try:
            _tcp(sock, secure)
            kernel.attach(sock, role, prefix, **config)
            return Records()
        except ModuleTooOld:
            raise  # the socket is attached: nobody else can use it
        except Unavailable as error:
            if framing == KERNEL:
                raise
            why = error
    if not user.installed():
        text = "" if why is None else f"{why}; "
        raise NoFraming(f"{text}framing in user space needs the websockets "
                        "library (Debian: python3-websockets)") from why
    return user.UserFrames(role, config.get("max_message", 0))


def milliseconds(seconds: float | None) -> int:
    """A time of Python's as one of struct ws_config: 0 for None.

    Raises ValueError for what the kernel does not take.
    """
    if not seconds:
        return 0
    value = round(seconds * 1000)
    if not _uapi.WS_TIME_MIN <= value <= _uapi.WS_TIME_MAX:
        raise ValueError(f"{seconds} s: times are 0, or 0.1 s to a day")
    return value
