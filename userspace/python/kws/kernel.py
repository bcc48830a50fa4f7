# SPDX-License-Identifier: MIT
"""The socket options of ws(7): attach, configure and ask a socket.

All functions take anything with setsockopt() and getsockopt(): a socket, or
the socket of an asyncio transport. None of them blocks.
"""
from __future__ import annotations

import errno
import socket
import struct
from typing import Any

from . import _uapi
from .errors import ModuleMissing, ModuleTooOld, NotPermitted, Unavailable

_TCP_ULP = 31  # not in the socket module
_CONFIG = struct.Struct(_uapi.WS_CONFIG_FORMAT)
_INFO = struct.Struct(_uapi.WS_INFO_FORMAT)

# What the package cannot do without: records, and replies behind a Close.
FLAGS = _uapi.WS_F_RECORDS | _uapi.WS_F_CLOSE


def _explain(error: OSError) -> Exception:
    """The exception of this package for an errno of TCP_ULP, or itself."""
    if error.errno == errno.ENOENT:
        return ModuleMissing("the kernel module ws is not loaded: modprobe ws")
    if error.errno == errno.ENOPROTOOPT:
        return ModuleMissing("this kernel, or this kind of socket, "
                             "has no upper-layer protocols")
    if error.errno == errno.EOPNOTSUPP:
        return Unavailable("not a TCP socket of its own, as with SMC")
    if error.errno == errno.EEXIST:
        return Unavailable("the socket has an upper-layer protocol already")
    if error.errno in (errno.EPERM, errno.EACCES):
        return NotPermitted("a security policy forbids TCP_ULP")
    return error


def configure(sock: Any, *, role: int = _uapi.WS_ROLE_SERVER, flags: int = FLAGS,
              max_message: int = 0, send_opcode: int = 0, rsv: int = 0,
              ping_interval: int = 0, ping_timeout: int = 0,
              assembly_timeout: int = 0, close_timeout: int = 0) -> None:
    """Set WS_CONFIG: all of it, 0 is the default of each.

    The names are those of struct ws_config: ``max_message`` in bytes, times in
    milliseconds, 0 or 100 to a day. Raises ModuleTooOld when the module does
    not know one of them, OSError with EINVAL for a value out of range and with
    EBUSY for a change that comes too late.
    """
    config = _CONFIG.pack(role, flags, max_message, send_opcode, rsv, ping_interval,
                          ping_timeout, assembly_timeout, close_timeout)
    try:
        sock.setsockopt(_uapi.SOL_WS, _uapi.WS_CONFIG, config)
    except OSError as error:
        if error.errno == errno.E2BIG:
            raise ModuleTooOld("the module ws does not know a member of "
                               "struct ws_config: update it") from error
        raise


def attach(sock: Any, role: int = _uapi.WS_ROLE_SERVER, prefix: bytes = b"",
           **config: int) -> None:
    """Let the kernel frame this connection from here on.

    ``role`` is our side. ``prefix`` is what was read beyond the HTTP head, at
    most WS_RX_PREFIX_MAX bytes. ``config`` is as for configure(); ``flags`` are
    WS_F_RECORDS | WS_F_CLOSE unless said otherwise.

    Nothing may be left to be sent of the HTTP head. Raises Unavailable (of which
    ModuleMissing, ModuleTooOld and NotPermitted are kinds) with the socket as it
    was, but for ModuleTooOld; OSError when the connection is being closed.
    """
    if len(prefix) > _uapi.WS_RX_PREFIX_MAX:
        raise ValueError(f"prefix of more than {_uapi.WS_RX_PREFIX_MAX} bytes")
    try:
        sock.setsockopt(socket.IPPROTO_TCP, _TCP_ULP, b"ws")
    except OSError as error:
        explained = _explain(error)
        if explained is error:
            raise
        raise explained from error
    if prefix:
        sock.setsockopt(_uapi.SOL_WS, _uapi.WS_RX_PREFIX, prefix)
    configure(sock, role=role, **config)


def info(sock: Any) -> dict[str, int]:
    """WS_INFO: the members of struct ws_info by name.

    Members that the module does not know are missing.
    """
    data = sock.getsockopt(_uapi.SOL_WS, _uapi.WS_INFO, _INFO.size)
    values = _INFO.unpack(data.ljust(_INFO.size, b"\0"))
    known, at = {}, 0
    for name, letter, value in zip(_uapi.WS_INFO_MEMBERS,
                                   _uapi.WS_INFO_FORMAT[1:], values):
        at += struct.calcsize("=" + letter)
        if at <= len(data):
            known[name] = value
    return known


def check() -> None:
    """Try it on a connection of our own over 127.0.0.1.

    Raises Unavailable with the reason when the kernel does not do the framing
    or does not know all that the package needs; OSError when there is no
    loopback network.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as sock:
            peer, _ = listener.accept()
            with peer:
                try:
                    attach(sock, _uapi.WS_ROLE_CLIENT)
                except OSError as error:
                    if error.errno != errno.EINVAL:
                        raise
                    raise ModuleTooOld("the module ws does not know the flags of "
                                       "this package: update it") from error
                if len(info(sock)) < len(_uapi.WS_INFO_MEMBERS):
                    raise ModuleTooOld("the module ws does not know all of "
                                       "struct ws_info: update it")
                # No peer is there to take part in a closing handshake.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))


def available() -> bool:
    """Whether the kernel can do the framing. Takes about a millisecond.

    Not remembered: the module may be loaded or removed at any time.
    """
    try:
        check()
    except (Unavailable, OSError):
        return False
    return True
