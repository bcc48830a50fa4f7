# SPDX-License-Identifier: GPL-2.0-only
"""Group 9: large messages, and many."""
from engine import FAILED, OK, Case

MIB = 1 << 20
TEXT_FILL = b"BAsd7&jh23"
BINARY_FILL = b"\x00\xfe\x23\xfa\xf0"


def filled(fill, size):
    """So many bytes of a pattern."""
    return (fill * (size // len(fill) + 1))[:size]


def expect(run, payload, binary):
    """The next message must be this one; then we close."""
    async def on_message(got, got_binary):
        if got_binary != binary or got != payload:
            run.detail += f"got {len(got)} bytes, binary {got_binary}; "
        else:
            run.verdict = OK
        await run.close(1000)
    run.verdict = FAILED
    run.on_message = on_message


def one(name, title, fill, size, limit, chop=0, fragment=0):
    """One large message there and back."""
    binary = fill in (BINARY_FILL, b"\xfe")

    async def script(run):
        payload = filled(fill, size)
        expect(run, payload, binary)
        if fragment:
            await run.message(payload, binary, fragment)
        else:
            await run.frame(2 if binary else 1, payload, chop=chop)
    return Case(name, title, script, {}, limit=limit, gentle=True)


def many(name, title, size, binary, limit, count):
    """One message after the other, each there and back."""
    payload = (b"\xfe" if binary else b"*") * size

    async def script(run):
        left = count

        async def on_message(got, got_binary):
            nonlocal left
            left -= 1
            if got_binary != binary or got != payload:
                run.detail += f"got {len(got)} bytes, binary {got_binary}; "
            elif left:
                await run.frame(2 if binary else 1, payload)
                return
            else:
                run.verdict = OK
            await run.close(1000)
        run.verdict = FAILED
        run.on_message = on_message
        await run.frame(2 if binary else 1, payload)
    return Case(name, title, script, {}, limit=limit, gentle=True,
                count=count)


def bulk():
    """Group 9."""
    sizes = (64 << 10, 256 << 10, MIB, 4 * MIB, 8 * MIB, 16 * MIB)
    for group, kind, fill in ((1, "text", TEXT_FILL),
                              (2, "binary", BINARY_FILL)):
        for i, size in enumerate(sizes, 1):
            yield one(f"9.{group}.{i}", f"{kind} of {size >> 10} KiB", fill,
                      size, 100 if i > 2 else 10)
    for group, kind, fill in ((3, "text", b"*"), (4, "binary", b"\xfe")):
        for i, exp in enumerate((6, 8, 10, 12, 14, 16, 18, 20, 22), 1):
            yield one(f"9.{group}.{i}",
                      f"{kind} of 4 MiB in fragments of {1 << exp}", fill,
                      4 * MIB, 100, fragment=1 << exp)
    for group, kind, fill in ((5, "text", TEXT_FILL),
                              (6, "binary", BINARY_FILL)):
        for i in range(1, 7):
            yield one(f"9.{group}.{i}",
                      f"{kind} of 1 MiB, {32 << i} bytes at a time", fill,
                      MIB, 1000, chop=32 << i)
    limits = ((0, 60), (16, 60), (64, 60), (256, 120), (1024, 240),
              (4096, 480))
    for group, kind in ((7, "text"), (8, "binary")):
        for i, (size, limit) in enumerate(limits, 1):
            yield many(f"9.{group}.{i}", f"{kind} of {size} bytes, 1000 times",
                       size, kind == "binary", limit, 1000)
