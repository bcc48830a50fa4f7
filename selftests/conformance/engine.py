# SPDX-License-Identifier: GPL-2.0-only
"""One case on one connection: what is sent, what came, and the verdict.

A verdict is reached as the public suite does it: the list of events (messages,
PONGs, waits that passed) is compared with the lists that the case accepts, and
the end of the connection is judged apart from it.
"""
import asyncio
import dataclasses
import socket
import time

from wire import (BINARY, CLOSE, CONT, PING, PONG, TEXT, Parser, Violation,
                  frame, parse_close)

OK = "OK"
NON_STRICT = "NON-STRICT"
INFORMATIONAL = "INFORMATIONAL"
UNIMPLEMENTED = "UNIMPLEMENTED"
FAILED = "FAILED"

CLEAN = "CLEAN"
UNCLEAN = "UNCLEAN"
WRONG_CODE = "WRONG CODE"
FAILED_BY_CLIENT = "FAILED BY CLIENT"

ANSWER_S = 1.0      # for the peer's Close, and for the server's end of TCP
PATIENCE = 1.0      # limits are longer by this factor, for slow machines


@dataclasses.dataclass
class Case:
    """What a case does and accepts.

    script: coroutine function, called with the Run
    accept: verdict -> list of events
    by_us: who starts the closing handshake
    codes: what the peer's Close may say, if it says anything
    clean: the closing handshake must be complete
    fatal: it is also a failure when the other side closed
    auto_close: we close as soon as the events are as expected
    code_fatal: a wrong code is a failure of the case
    limit: seconds after the script; then we fail the connection ...
    gentle: ... or close it
    offers, accepts: permessage-deflate, see deflate.py
    """
    name: str
    title: str
    script: object
    accept: dict
    by_us: bool = True
    codes: tuple = (1000,)
    clean: bool = True
    fatal: bool = False
    auto_close: bool = True
    code_fatal: bool = False
    informational: bool = False
    limit: float = 1
    gentle: bool = False
    offers: tuple = ()
    accepts: object = None
    count: int = 0


class Run:
    """A case under way."""

    def __init__(self, case, reader, writer, server, deflate=None, rest=b""):
        self.case, self.reader, self.writer = case, reader, writer
        self.server = server            # we are the server
        self.deflate = deflate
        self.parser = Parser(server, deflate is not None)
        self.parser.feed(rest)
        self.events = []
        self.on_message = None          # instead of the list of events
        self.verdict = None             # set by the script
        self.detail = ""
        self.state = "open"
        self.by_us = self.we_failed = self.we_dropped = self.clean = False
        self.code = None
        self.reset = False
        self.timers = []
        self.over = asyncio.Event()
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    # What scripts use.

    async def raw(self, data, chop=0):
        """Bytes, in one write or in many small ones."""
        if self.state == "closed":
            return
        try:
            if not chop:
                self.writer.write(data)
                await self.writer.drain()
                return
            for at in range(0, len(data), chop):
                self.writer.write(data[at:at + chop])
                await self.writer.drain()
                await asyncio.sleep(0)
        except ConnectionError:
            self.reset = True

    async def frame(self, opcode, payload=b"", fin=True, rsv=0, chop=0,
                    alone=False):
        """One frame; alone: in a segment of its own, as far as TCP obeys."""
        await self.raw(frame(opcode, payload, fin, rsv, not self.server), chop)
        if alone:
            await asyncio.sleep(0)

    async def message(self, payload, binary=False, size=0):
        """A message in fragments of so many bytes; a last one of the same
        size is followed by an empty one."""
        rsv = 0
        if self.deflate:
            payload, rsv = self.deflate.pack(payload), 4
        opcode = BINARY if binary else TEXT
        if not size:
            await self.frame(opcode, payload, rsv=rsv)
            return
        out = bytearray()
        at = 0
        while True:
            last = at + size > len(payload)
            out += frame(opcode, payload[at:at + size], last, rsv,
                         not self.server)
            opcode, rsv = CONT, 0
            at += size
            if last:
                break
        await self.raw(bytes(out))

    async def close(self, code=None, reason=b""):
        """Start the closing handshake."""
        body = b"" if code is None else code.to_bytes(2, "big") + reason
        await self.close_raw(body)

    async def close_raw(self, body):
        """... with any body."""
        if self.state != "open":
            return
        self.by_us, self.state = True, "closing"
        await self.raw(frame(CLOSE, body, masked=not self.server))
        self.later(ANSWER_S * PATIENCE, self._no_answer)

    async def wait(self, seconds, tag):
        """Let time pass; False when the connection did not last."""
        await asyncio.sleep(seconds)
        if self.state != "open":
            return False
        self.events.append(("timeout", tag))
        return True

    async def wait_for_end(self, seconds, tag):
        """... for the peer to end the connection, which may come sooner and
        on a slow machine later."""
        for _ in range(int(100 * seconds * min(PATIENCE, 5))):
            if self.state != "open":
                return False
            await asyncio.sleep(0.01)
        return await self.wait(0, tag)

    async def pause(self, seconds):
        """... and nothing is noted of it."""
        await asyncio.sleep(seconds)

    def later(self, seconds, what):
        """A coroutine function, in so many seconds."""
        async def wait():
            await asyncio.sleep(seconds)
            await what()
        self.timers.append(asyncio.create_task(wait()))

    # The rest is ours.

    async def _no_answer(self):
        if self.state == "closing" and not self.clean:
            self._drop()

    async def _server_stays(self):
        if self.state != "closed":
            self._drop()

    def _drop(self):
        self.we_dropped = True
        self._end()

    def _end(self):
        self.state = "closed"
        self.over.set()

    async def fail(self, code=1000):
        """We give up on the peer."""
        if self.state == "closed":
            return
        self.we_failed = True
        if self.state == "open":
            await self.close(code)
        else:
            self._drop()

    async def _limit(self):
        if self.state == "closed":
            return
        if self.case.gentle:
            await self.close()
        else:
            await self.fail()

    async def _on_close(self, payload):
        self.code, _ = parse_close(payload)
        self.clean = True
        if self.state == "open":
            self.state = "closing"
            await self.raw(frame(CLOSE, b"\x03\xe8", masked=not self.server))
        if self.server:
            self._drop()
        else:
            self.later(ANSWER_S * PATIENCE, self._server_stays)

    async def _on_frame(self, opcode, payload, packed):
        if opcode == CLOSE:
            await self._on_close(payload)
            return
        if opcode == PING:
            self.events.append(("ping", payload))
            await self.frame(PONG, payload)
            return
        if self.we_failed:
            return
        if opcode == PONG:
            self.events.append(("pong", payload))
        else:
            if packed:
                payload = self.deflate.unpack(payload)
            if opcode == TEXT:
                try:
                    payload.decode()
                except UnicodeDecodeError as err:
                    raise Violation(1007, "not UTF-8") from err
            if self.on_message:
                await self.on_message(payload, opcode == BINARY)
                return
            self.events.append(("message", payload, opcode == BINARY))
        if self.case.auto_close and self.case.by_us and \
           all(self.events == want for want in self.case.accept.values()):
            await self.close(self.case.codes[0])

    async def _read(self):
        try:
            while self.state != "closed":
                while (got := self.parser.next()) is not None:
                    await self._on_frame(*got)
                    if self.state == "closed":
                        return
                data = await self.reader.read(1 << 18)
                if not data:
                    break
                self.parser.feed(data)
        except Violation as err:
            self.detail += f"peer: {err}; "
            await self.fail(err.code)
            return
        except ConnectionError as err:
            self.detail += f"{err}; "
            self.reset = True
        self._end()

    async def _script(self):
        try:
            await self.case.script(self)
        except (OSError, ValueError, TypeError, LookupError) as err:
            self.detail += f"script: {err!r}; "
            self._end()
            return
        self.later(self.case.limit * PATIENCE, self._limit)

    async def _hang_up(self):
        """End TCP so that the peer reads what we said."""
        try:
            if self.writer.can_write_eof() and not self.reset:
                self.writer.write_eof()
                async with asyncio.timeout(max(0.5, PATIENCE / 40)):
                    while await self.reader.read(1 << 18):
                        pass
        except (ConnectionError, OSError, TimeoutError):
            pass
        self.writer.close()

    async def run(self):
        """All of it. Returns what goes into the report."""
        begin = time.monotonic()
        tasks = [asyncio.create_task(self._read()),
                 asyncio.create_task(self._script())]
        await self.over.wait()
        self.state = "closed"
        for task in self.timers + tasks:
            task.cancel()
        for task in tasks:
            try:
                await task
            except asyncio.CancelledError:
                pass
        await self._hang_up()
        verdict, end = self._judge()
        return {"case": self.case.name, "verdict": verdict, "close": end,
                "seconds": round(time.monotonic() - begin, 3),
                "detail": self.detail + self._how_it_ended(),
                "expected": {verdict: show(events) for verdict, events
                             in self.case.accept.items()},
                "got": show(self.events)}

    def _how_it_ended(self):
        return (f"closed by {'us' if self.by_us else 'the peer'}, "
                f"handshake {'complete' if self.clean else 'incomplete'}, "
                f"peer's code {self.code}, "
                f"TCP ended by {'us' if self.we_dropped else 'the peer'}"
                f"{', by a reset' if self.reset else ''}")

    def _judge(self):
        case = self.case
        verdict = self.verdict or FAILED
        if not self.verdict:
            for name, events in case.accept.items():
                if events == self.events:
                    verdict = name
                    break
        if case.by_us != self.by_us:
            end = FAILED
            if case.fatal:
                verdict = FAILED
        elif case.clean and not self.clean:
            end = UNCLEAN
        elif self.code is not None and self.code not in case.codes:
            end = WRONG_CODE
            if case.code_fatal:
                verdict = FAILED
        elif not self.server and self.we_dropped:
            end = FAILED_BY_CLIENT
        else:
            end = CLEAN
        if case.informational:
            verdict = end = INFORMATIONAL
        return verdict, end


def show(events):
    """Events for a report: short, and as text."""
    out = []
    for event in events:
        item = [event[0]]
        for part in event[1:]:
            if isinstance(part, bytes):
                text = part[:64].decode("latin-1")
                part = text if len(part) <= 64 else \
                    f"{text}... ({len(part)} bytes)"
            item.append(part)
        out.append(item)
    return out
