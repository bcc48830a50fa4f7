# SPDX-License-Identifier: MIT
"""Records of WS_F_RECORDS: what the kernel gives to reads and takes from writes.

A record is a struct ws_msg, its payload, and bytes up to a multiple of eight.
Nothing here does I/O.
"""
from __future__ import annotations

import struct
from typing import Iterable, NamedTuple, Union

from ._uapi import (WS_MSG_END, WS_MSG_FORMAT, WS_MSG_MORE, WS_OP_BINARY,
                    WS_OP_CLOSE, WS_OP_PING, WS_OP_TEXT)

HEADER = struct.Struct(WS_MSG_FORMAT)
# The same eight bytes as two numbers: a whole message is known by one
# comparison, and the rest is looked at when that fails.
_HALVES = struct.Struct("=II")
_unpack = _HALVES.unpack_from


def _half(opcode: int, flags: int) -> int:
    return _HALVES.unpack(HEADER.pack(0, opcode, flags, 0))[1]


class Message(NamedTuple):
    """A whole message: ``data`` is its payload, text as UTF-8.

    ``opcode`` is WS_OP_TEXT or WS_OP_BINARY, ``flags`` those of struct ws_msg:
    WS_MSG_END always, and WS_MSG_MORE when another call would not block.
    """

    data: bytes
    opcode: int = WS_OP_BINARY
    flags: int = WS_MSG_END

    @property
    def text(self) -> str:
        """The payload as text. The kernel has checked that it is UTF-8."""
        return str(self.data, "utf-8")

    @property
    def value(self) -> Union[str, bytes]:
        """str for text, bytes for binary."""
        return str(self.data, "utf-8") if self.opcode == WS_OP_TEXT else self.data


Sendable = Union[Message, str, bytes, bytearray, memoryview]

# Whole messages. tuple.__new__() is half the price of Message(), which is a
# function in Python.
_WHOLE = {_half(opcode, flags): (opcode, flags)
          for opcode in (WS_OP_TEXT, WS_OP_BINARY)
          for flags in (WS_MSG_END, WS_MSG_END | WS_MSG_MORE)}

# Reads of up to so many bytes are copied once more, to be cut up faster.
_COPIED = 16384

_PAD = [bytes(-size % 8) for size in range(8)]
_SMALL = 256
# Headers of small whole messages, by opcode and size.
_HEADERS = {opcode: [HEADER.pack(size, opcode, WS_MSG_END, 0)
                     for size in range(_SMALL)]
            for opcode in (WS_OP_TEXT, WS_OP_BINARY)}
_TEXT = _HEADERS[WS_OP_TEXT]
_BINARY = _HEADERS[WS_OP_BINARY]


def control(opcode: int, data: bytes = b"", code: int = 0) -> bytes:
    """The record of a PING, PONG or Close; ``code`` is for a Close, 0 for none.

    Raises ValueError for a payload that is too long.
    """
    limit = 123 if opcode == WS_OP_CLOSE else 125
    if len(data) > limit:
        raise ValueError(f"payload of more than {limit} bytes")
    return HEADER.pack(len(data), opcode, WS_MSG_END, code) + data + \
        _PAD[len(data) & 7]


def split(message: Sendable) -> tuple[bytes, int]:
    """Payload and opcode of what is to be sent. Raises TypeError."""
    if isinstance(message, Message):
        return message[0], message[1]
    if isinstance(message, str):
        return message.encode(), WS_OP_TEXT
    if isinstance(message, memoryview):
        return message.tobytes(), WS_OP_BINARY
    if isinstance(message, (bytes, bytearray)):
        return message, WS_OP_BINARY
    raise TypeError(f"cannot send {type(message).__name__}")


def encode(message: Sendable) -> bytes:
    """The record of one message."""
    kind = type(message)
    if kind is str:
        data, headers, opcode = message.encode(), _TEXT, WS_OP_TEXT
    elif kind is bytes:
        data, headers, opcode = message, _BINARY, WS_OP_BINARY
    else:
        data, opcode = split(message)
        headers = _HEADERS[opcode]
    size = len(data)
    if size < _SMALL:
        return headers[size] + data + _PAD[size & 7]
    return b"".join((HEADER.pack(size, opcode, WS_MSG_END, 0), data,
                     _PAD[size & 7]))


def encode_many(messages: Iterable[Sendable]) -> bytes:
    """The records of many messages, one behind the other."""
    parts: list[bytes] = []
    add = parts.append
    headers, pad = _HEADERS, _PAD
    for message in messages:
        if type(message) is Message:
            data, opcode, _ = message
        else:
            data, opcode = split(message)
        size = len(data)
        add(headers[opcode][size] if size < _SMALL
            else HEADER.pack(size, opcode, WS_MSG_END, 0))
        add(data)
        if size & 7:
            add(pad[size & 7])
    return b"".join(parts)


class Records:
    """Framing by the kernel: parses what was read, makes what is written.

    The attributes after a Close of the peer: ``close_code`` (1005 for none) and
    ``close_reason``; None before.
    """

    framing = "kernel"
    # Errors are the kernel's: a read reports them, in order.
    error = None

    __slots__ = ("close_code", "close_reason", "_pieces")

    def __init__(self) -> None:
        self.close_code: int | None = None
        self.close_reason = ""
        self._pieces: list[bytes] | None = None

    encode = staticmethod(encode)
    encode_many = staticmethod(encode_many)

    def feed(self, buffer: memoryview, count: int) -> list[Message]:
        """The messages that the first ``count`` bytes of the buffer complete.

        They must be what one read gave, which always ends with a record. Pieces
        of a message are kept, and put together with its last one; the kernel
        limits their sum to max_message.
        """
        messages: list[Message] = []
        at = 0
        if count <= _COPIED and self._pieces is None:
            # Small whole messages. Slices of bytes are one object, those of a
            # memoryview two; and what is used in the loop is local.
            data = buffer[:count].tobytes()
            add, whole, unpack = messages.append, _WHOLE, _unpack
            new, kind = tuple.__new__, Message
            while at < count:
                size, half = unpack(data, at)
                if half not in whole:
                    break
                end = at + 8 + size
                opcode, flags = whole[half]
                add(new(kind, (data[at + 8:end], opcode, flags)))
                at = end + 7 & ~7
        while at < count:
            size = _unpack(buffer, at)[0]
            message = self._any(buffer, at, bytes(buffer[at + 8:at + 8 + size]))
            if message is not None:
                messages.append(message)
            at += size + 15 & ~7
        return messages

    def _any(self, data: memoryview, at: int, payload: bytes) -> Message | None:
        """A message, None for a Close and for a piece that does not end one."""
        _, opcode, flags, code = HEADER.unpack_from(data, at)
        if opcode == WS_OP_CLOSE:
            self.close_code = code
            self.close_reason = str(payload, "utf-8")
            return None
        if self._pieces is not None or not flags & WS_MSG_END:
            if self._pieces is None:
                self._pieces = []
            self._pieces.append(payload)
            if not flags & WS_MSG_END:
                return None
            payload, self._pieces = b"".join(self._pieces), None
        return Message(payload, opcode, flags)

    def close(self, code: int = 1000, reason: str = "") -> bytes:
        """The record of a Close; code 1005 sends none."""
        if reason and code == 1005:
            raise ValueError("a reason needs a status code")
        return control(WS_OP_CLOSE, reason.encode(), 0 if code == 1005 else code)

    def ping(self, data: bytes = b"") -> bytes:
        """The record of a PING. The kernel drops the PONG that answers it."""
        return control(WS_OP_PING, data)

    def replies(self) -> bytes:
        """What must be sent because of what was fed: nothing, the kernel does."""
        return b""
