# SPDX-License-Identifier: MIT
"""What connections of coroutines have in common: a queue, and flow control."""
from __future__ import annotations

import asyncio
import collections
from typing import Any

from .protocol import Protocol
from .records import Message, Sendable

# Bytes that wait for the program before the peer is made to wait.
_READ_AHEAD = 256 << 10
# Replies that are gathered before they are written.
_GATHER = 64 << 10


class QueuedProtocol(Protocol):
    """A Protocol whose messages are taken by one coroutine.

    Replies to messages that were received together are written together.
    """

    _queued = 0
    _out_size = 0
    _reading_paused = False
    _discard = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._queue: collections.deque[Any] = collections.deque()
        self._out: list[bytes] = []
        self._reader: asyncio.Future[None] | None = None
        self._waiters: list[asyncio.Future[None]] = []

    def convert(self, messages: list[Message]) -> list[Any]:
        """What the queue holds of these messages. To be overridden."""
        raise NotImplementedError

    async def fill(self) -> bool:
        """Wait for an item in the queue; False at the end."""
        while not self._queue:
            if self._reading_paused:
                self._reading_paused = False
                self.transport.resume_reading()
            if self.ended:
                return False
            if self._out:
                self._flush()
            await self._arrival()
        return True

    async def _arrival(self) -> None:
        if self._reader is not None:
            raise RuntimeError("another coroutine is receiving already")
        self._reader = asyncio.get_running_loop().create_future()
        try:
            await self._reader
        finally:
            self._reader = None

    def messages_received(self, messages: list[Message]) -> None:
        if self._discard:
            return
        size = 0
        for message in messages:
            size += len(message[0])
        # A reader waits only for an empty queue.
        self._queued = size + (self._queued if self._queue else 0)
        self._queue.extend(self.convert(messages))
        self._wake_reader()
        if self._queued > _READ_AHEAD and not self._reading_paused:
            self._reading_paused = True
            self.transport.pause_reading()

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def send(self, message: Sendable) -> None:
        """Send str as text, bytes as binary. Waits while the peer is slow.

        Raises ConnectionClosed behind our Close or the end of TCP.
        """
        data = self.encode(message)
        if self._queue:
            # The program takes more messages before it waits: one write for
            # all replies. The loop's next turn is the limit.
            out = self._out
            if not out:
                asyncio.get_running_loop().call_soon(self._flush)
            out.append(data)
            self._out_size += len(data)
            if self._out_size > _GATHER:
                self._flush()
        else:
            self.write(data)
        if self.paused:
            await self._drain()

    def write(self, data: bytes) -> None:
        if self._out:
            self._out.append(data)
            self._flush()
        else:
            self.transport.write(data)

    def _flush(self) -> None:
        if self._out:
            data = b"".join(self._out)
            self._out.clear()
            self._out_size = 0
            if not self.lost:
                self.transport.write(data)

    async def _drain(self) -> None:
        while self.paused and not self.lost:
            await self._wait()

    async def _wait(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        await waiter

    def resume_writing(self) -> None:
        super().resume_writing()
        self._wake()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def close_received(self) -> None:
        # Answered by the program's close(), behind its replies.
        self._wake_reader()

    def eof_received(self) -> bool:
        keep = super().eof_received()
        self._wake_reader()
        return keep

    def closed(self, exception: Exception | None) -> None:
        self._wake_reader()
        self._wake()

    async def end(self, code: int | None = None, reason: str = "") -> None:
        """close(), and wait until the connection is gone.

        Messages that still come are thrown away. Takes close_timeout at most
        with a peer that does not answer.
        """
        self._discard = True
        self._queue.clear()
        self._reading_paused = False
        self.close(code, reason)
        while not self.lost:
            await self._wait()
