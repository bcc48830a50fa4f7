# SPDX-License-Identifier: MIT
"""Framing in user space, by the frames of the websockets library (10 or newer).

Only for where the module is missing, and for TLS. The interface is that of
records.Records; what the kernel does there is done here: PINGs are answered,
text is checked, and rules between frames are kept.
"""
from __future__ import annotations

from typing import Generator, Iterable

from . import _uapi
from .errors import NoFraming, ProtocolError
from .records import Message, Sendable, split

try:
    from websockets import exceptions, frames, streams
except ImportError:  # it is not a dependency
    frames = None  # type: ignore[assignment]


def installed() -> bool:
    """Whether the websockets library is there."""
    return frames is not None


class UserFrames:
    """Framing by the websockets library; see records.Records."""

    framing = "userspace"

    __slots__ = ("close_code", "close_reason", "error", "_client", "_limit",
                 "_reader", "_replies", "_messages", "_parser")

    def __init__(self, role: int, max_message: int = 0) -> None:
        if frames is None:
            raise NoFraming("framing in user space needs the websockets library "
                            "(Debian: python3-websockets)")
        self.close_code: int | None = None
        self.close_reason = ""
        # Why nothing is parsed any more.
        self.error: ProtocolError | None = None
        self._client = role == _uapi.WS_ROLE_CLIENT
        limit = max_message or _uapi.WS_MAX_MESSAGE_DEFAULT
        self._limit = None if limit == _uapi.WS_MAX_MESSAGE_NONE else limit
        self._reader = streams.StreamReader()
        self._replies: list[bytes] = []
        self._messages: list[Message] = []
        self._parser = self._parse()
        next(self._parser)

    def feed(self, buffer: memoryview, count: int) -> list[Message]:
        """The messages that these bytes of the stream complete."""
        if self.error is None and self.close_code is None:
            self._reader.feed_data(buffer[:count].tobytes())
            next(self._parser)
        messages, self._messages = self._messages, []
        return messages

    def _fail(self, code: int, why: object) -> None:
        self.error = ProtocolError(code, str(why))

    def _parse(self) -> Generator[None, None, None]:
        try:
            yield from self._parse_frames()
        except exceptions.PayloadTooBig as error:
            self._fail(1009, error)
        except exceptions.ProtocolError as error:
            self._fail(1002, error)
        except UnicodeDecodeError as error:
            self._fail(1007, error)
        # Whatever still comes is of no interest.
        while True:
            yield

    def _parse_frames(self) -> Generator[None, None, None]:
        opcode, pieces, size = 0, [], 0
        while self.close_code is None:
            room = None if self._limit is None else self._limit - size
            frame = yield from frames.Frame.parse(
                self._reader.read_exact, mask=not self._client, max_size=room)
            data = bytes(frame.data)
            if frame.opcode is frames.OP_CLOSE:
                close = frames.Close.parse(data)
                self.close_code, self.close_reason = close.code, close.reason
            elif frame.opcode is frames.OP_PING:
                self._replies.append(self._frame(frames.OP_PONG, data))
            elif frame.opcode is not frames.OP_PONG:
                if (frame.opcode is frames.OP_CONT) is not bool(opcode):
                    raise exceptions.ProtocolError("frames out of order")
                opcode = opcode or int(frame.opcode)
                pieces.append(data)
                size += len(data)
                if frame.fin:
                    self._complete(b"".join(pieces), opcode)
                    opcode, pieces, size = 0, [], 0

    def _complete(self, data: bytes, opcode: int) -> None:
        if opcode == _uapi.WS_OP_TEXT:
            data.decode()
        self._messages.append(Message(data, opcode))

    def _frame(self, opcode: int, data: bytes) -> bytes:
        frame = frames.Frame(frames.Opcode(opcode), data)
        return frame.serialize(mask=self._client)

    def encode(self, message: Sendable) -> bytes:
        """The frame of one message."""
        data, opcode = split(message)
        return self._frame(opcode, data)

    def encode_many(self, messages: Iterable[Sendable]) -> bytes:
        """The frames of many messages."""
        return b"".join(map(self.encode, messages))

    def close(self, code: int = 1000, reason: str = "") -> bytes:
        """The frame of a Close; code 1005 sends none."""
        if code == 1005:
            if reason:
                raise ValueError("a reason needs a status code")
            return self._frame(frames.OP_CLOSE, b"")
        body = code.to_bytes(2, "big") + reason.encode()
        if len(body) > 125:
            raise ValueError("payload of more than 123 bytes")
        return self._frame(frames.OP_CLOSE, body)

    def ping(self, data: bytes = b"") -> bytes:
        """The frame of a PING."""
        if len(data) > 125:
            raise ValueError("payload of more than 125 bytes")
        return self._frame(frames.OP_PING, data)

    def replies(self) -> bytes:
        """PONGs that must be sent because of what was fed."""
        replies, self._replies = self._replies, []
        return b"".join(replies)
