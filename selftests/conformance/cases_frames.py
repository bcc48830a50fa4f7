# SPDX-License-Identifier: GPL-2.0-only
"""Groups 1 to 5 and 10: framing, PING, reserved bits, opcodes, fragments."""
from engine import NON_STRICT, OK, Case
from wire import BINARY, CONT, PING, PONG, TEXT

HELLO = b"Hello, world!"
NOISE = bytes.fromhex("00fffefdfcfb00ff")
BAD = {"by_us": False, "codes": (1002,), "clean": False}


def frames(*specs):
    """A script that sends frames: (opcode, payload, options)."""
    async def script(run):
        for opcode, payload, *options in specs:
            await run.frame(opcode, payload, **(options[0] if options else {}))
    return script


def echo(name, title, opcode, payload, limit, **options):
    """One message that must come back."""
    return Case(name, title, frames((opcode, payload, options)),
                {OK: [("message", payload, opcode == BINARY)]}, limit=limit)


def framing():
    """Group 1."""
    sizes = (0, 125, 126, 127, 128, 65535, 65536)
    for group, opcode, fill in ((1, TEXT, b"*"), (2, BINARY, b"\xfe")):
        kind = "text" if opcode == TEXT else "binary"
        for i, size in enumerate(sizes, 1):
            yield echo(f"1.{group}.{i}", f"{kind} of {size} bytes", opcode,
                       fill * size, 10 if size > 65000 else 1)
        yield echo(f"1.{group}.8", f"{kind} of 65536 bytes, 997 at a time",
                   opcode, fill * 65536, 10, chop=997)


def pinged(name, title, payload, limit=1, **options):
    """One PING that must be answered."""
    return Case(name, title, frames((PING, payload, options)),
                {OK: [("pong", payload)]}, limit=limit, gentle=True)


def unasked(name, title, payload):
    """A PONG that nobody asked for, and a Close."""
    async def script(run):
        await run.frame(PONG, payload)
        await run.close(1000)
    return Case(name, title, script, {OK: []}, gentle=True, auto_close=False)


def ten(name, title, chop):
    """Ten PINGs in a row."""
    texts = [b"payload-%d" % i for i in range(10)]
    return Case(name, title, frames(*((PING, text, {"chop": chop})
                                      for text in texts)),
                {OK: [("pong", text) for text in texts]}, limit=3, gentle=True)


def pings():
    """Group 2."""
    full = b"\xfe" * 125
    yield pinged("2.1", "PING without payload", b"")
    yield pinged("2.2", "PING with text", HELLO)
    yield pinged("2.3", "PING with bytes that are not text", NOISE)
    yield pinged("2.4", "PING of 125 bytes", full)
    yield Case("2.5", "PING of 126 bytes", frames((PING, full + b"\xfe")),
               {OK: []}, **BAD)
    yield pinged("2.6", "PING of 125 bytes, one at a time", full, 2, chop=1)
    yield unasked("2.7", "PONG without payload, then Close", b"")
    yield unasked("2.8", "PONG with payload, then Close", b"unasked for")
    yield Case("2.9", "PONG, then PING",
               frames((PONG, b"unasked for"), (PING, b"ping payload")),
               {OK: [("pong", b"ping payload")]}, gentle=True)
    yield ten("2.10", "ten PINGs", 0)
    yield ten("2.11", "ten PINGs, byte by byte", 1)


def good_then_bad(name, title, bad, **options):
    """A message, a bad frame, and a PING that must not be answered. What was
    complete before the fault should still come back."""
    return Case(name, title,
                frames((TEXT, HELLO, options), (*bad[:2], bad[2] | options),
                       (PING, b"", options)),
                {OK: [("message", HELLO, False)], NON_STRICT: []}, **BAD)


def bad_only(name, title, *specs):
    """Frames that must end the connection with 1002."""
    return Case(name, title, frames(*specs), {OK: []}, **BAD)


def reserved_bits():
    """Group 3."""
    yield bad_only("3.1", "RSV 1", (TEXT, HELLO, {"rsv": 1}))
    yield good_then_bad("3.2", "RSV 2 after a message",
                        (TEXT, HELLO, {"rsv": 2}))
    yield good_then_bad("3.3", "RSV 3 after a message, apart",
                        (TEXT, HELLO, {"rsv": 3}), alone=True)
    yield good_then_bad("3.4", "RSV 4 after a message, byte by byte",
                        (TEXT, HELLO, {"rsv": 4}), chop=1)
    yield bad_only("3.5", "RSV 5, binary", (BINARY, NOISE, {"rsv": 5}))
    yield bad_only("3.6", "RSV 6, binary", (BINARY, HELLO, {"rsv": 6}))
    yield bad_only("3.7", "RSV 7, Close", (8, b"", {"rsv": 7}))


def opcodes():
    """Group 4."""
    for group, first in ((1, 3), (2, 11)):
        yield bad_only(f"4.{group}.1", f"opcode {first}", (first, b""))
        yield bad_only(f"4.{group}.2", f"opcode {first + 1} with payload",
                       (first + 1, b"reserved opcode payload"))
        yield good_then_bad(f"4.{group}.3",
                            f"opcode {first + 2} after a message",
                            (first + 2, b"", {}))
        yield good_then_bad(f"4.{group}.4",
                            f"opcode {first + 3} with payload after a message",
                            (first + 3, HELLO, {}))
        yield good_then_bad(f"4.{group}.5",
                            f"opcode {first + 4} after a message, byte by byte",
                            (first + 4, HELLO, {}), chop=1)


MORE = {"fin": False}
WAYS = (("", {}), (", apart", {"alone": True}), (", byte by byte", {"chop": 1}))


def five_fragments(name, title, **options):
    """Two PINGs and a second of waiting inside a message."""
    texts = [b"fragment%d" % i for i in range(1, 6)]
    questions = [b"pongme 1!", b"pongme 2!"]
    more = MORE | options

    async def script(run):
        await frames((TEXT, texts[0], more), (CONT, texts[1], more),
                     (PING, questions[0], options))(run)
        await run.pause(1)
        await frames((CONT, texts[2], more), (CONT, texts[3], more),
                     (PING, questions[1], options),
                     (CONT, texts[4], options))(run)
    return Case(name, title, script,
                {OK: [("pong", questions[0]), ("pong", questions[1]),
                      ("message", b"".join(texts), False)]}, gentle=True)


def fragments():
    """Group 5."""
    one, two = b"fragment1", b"fragment2"
    yield bad_only("5.1", "PING in fragments", (PING, one, MORE), (CONT, two))
    yield bad_only("5.2", "PONG in fragments", (PONG, one, MORE), (CONT, two))
    for i, (how, options) in enumerate(WAYS):
        yield Case(f"5.{3 + i}", "text in two fragments" + how,
                   frames((TEXT, one, MORE | options), (CONT, two, options)),
                   {OK: [("message", one + two, False)]}, gentle=True)
    for i, (how, options) in enumerate(WAYS):
        yield Case(f"5.{6 + i}", "PING between two fragments" + how,
                   frames((TEXT, one, MORE | options),
                          (PING, b"ping payload", options),
                          (CONT, two, options)),
                   {OK: [("pong", b"ping payload"),
                         ("message", one + two, False)]}, gentle=True)
    for first, fin in ((9, True), (12, False)):
        for i, (how, options) in enumerate(WAYS):
            yield bad_only(f"5.{first + i}",
                           f"continuation of nothing, FIN {fin:d}" + how,
                           (CONT, b"non-continuation payload",
                            {"fin": fin} | options), (TEXT, HELLO, options))
    yield Case("5.15", "continuation of nothing after a message",
               frames((TEXT, one, MORE), (CONT, two),
                      (CONT, b"fragment3", MORE), (TEXT, b"fragment4")),
               {OK: [("message", one + two, False)], NON_STRICT: []}, **BAD)
    for i, fin in ((16, False), (17, True)):
        yield bad_only(f"5.{i}", f"continuation first, FIN {fin:d}, twice",
                       *[(CONT, one, {"fin": fin}), (TEXT, two, MORE),
                         (CONT, b"fragment3")] * 2)
    yield bad_only("5.18", "a message inside a message", (TEXT, one, MORE),
                   (TEXT, two))
    yield five_fragments("5.19", "five fragments, PINGs, and a wait")
    yield five_fragments("5.20", "five fragments, PINGs, and a wait, apart",
                         alone=True)


def automatic():
    """Group 10."""
    payload = b"*" * 65536

    async def script(run):
        await run.message(payload, size=1300)
    yield Case("10.1.1", "65536 bytes in fragments of 1300", script,
               {OK: [("message", payload, False)]}, limit=10)
