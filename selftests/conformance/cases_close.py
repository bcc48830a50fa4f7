# SPDX-License-Identifier: GPL-2.0-only
"""Group 7: the closing handshake, RFC 6455 sections 5.5.1 and 7."""
from engine import NON_STRICT, OK, Case
from wire import CLOSE, CONT, PING, TEXT

HELLO = b"Hello World!"
NOT_UTF8 = b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"
GOOD = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999,
        4000, 4999)
WRONG = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)


def closed(name, title, *after, before=(), code=1000, reason=b""):
    """A Close, and what comes after it must be ignored."""
    async def script(run):
        for opcode, payload, fin in before:
            await run.frame(opcode, payload, fin)
        await run.close(code, reason)
        for opcode, payload in after:
            await run.frame(opcode, payload)
    return Case(name, title, script, {OK: []}, auto_close=False,
                code_fatal=True)


def body(name, title, data, codes=(1002,), clean=False, **more):
    """A Close with this body."""
    async def script(run):
        await run.close_raw(data)
    return Case(name, title, script, {OK: []}, codes=codes, clean=clean,
                auto_close=False, **({"code_fatal": True} | more))


def much_then_close():
    """A large message, a small one, and a Close behind them."""
    async def script(run):
        await run.frame(TEXT, (b"BAsd7&jh23" * 26215)[:256 << 10])
        await run.frame(TEXT, HELLO)
        await run.close(1000)
        await run.frame(PING)
    return Case("7.1.6", "256 KiB, a message, Close, PING", script,
                {OK: [("message", HELLO, False)], NON_STRICT: []},
                auto_close=False, informational=True)


def code_bytes(code):
    """A Close body with just this."""
    return code.to_bytes(2, "big")


def closing():
    """Group 7."""
    async def hello(run):
        await run.frame(TEXT, HELLO)
    yield Case("7.1.1", "a message, then Close", hello,
               {OK: [("message", HELLO, False)]}, code_fatal=True)
    yield closed("7.1.2", "two Closes", (CLOSE, b""))
    yield closed("7.1.3", "PING after Close", (PING, b""))
    yield closed("7.1.4", "text after Close", (TEXT, HELLO))
    yield closed("7.1.5", "Close inside a message", (CONT, b"fragment2"),
                 before=[(TEXT, b"fragment1", False)])
    yield much_then_close()
    yield body("7.3.1", "empty Close", b"", (1000,), True)
    yield body("7.3.2", "Close of one byte", b"a")
    yield closed("7.3.3", "Close with a code")
    yield closed("7.3.4", "Close with a reason", reason=HELLO)
    yield closed("7.3.5", "Close with the longest reason", reason=b"*" * 123)
    yield body("7.3.6", "Close with a reason that is too long",
               code_bytes(1000) + b"*" * 124)
    yield body("7.5.1", "a reason that is not UTF-8",
               code_bytes(1000) + NOT_UTF8, (1002, 1007))
    for i, code in enumerate(GOOD, 1):
        yield body(f"7.7.{i}", f"code {code}", code_bytes(code), (1000, code),
                   True)
    for i, code in enumerate(WRONG, 1):
        yield body(f"7.9.{i}", f"code {code}", code_bytes(code))
    for i, code in enumerate((5000, 65535), 1):
        yield body(f"7.13.{i}", f"code {code}", code_bytes(code),
                   (1000, code, 1002), informational=True)
