# SPDX-License-Identifier: GPL-2.0-only
"""Group 6: text is UTF-8, RFC 6455 section 8.1 and RFC 3629."""
from engine import NON_STRICT, OK, Case
from wire import CONT, TEXT, header, xor

KEY = b"\x5a\x01\xfe\x33"
GREEK = "κ\u1f79σμε".encode()
GERMAN = "Hello-\xb5@\xdf\xf6\xe4\xfc\xe0\xe1-UTF-8!!".encode()
CUT = 15                    # between two characters of GERMAN
SURROGATE = b"\xed\xa0\x80"
TOO_LARGE = b"\xf4\x90\x80\x80"
BAD = {"by_us": False, "codes": (1007,), "clean": False, "fatal": True}


def is_utf8(data):
    """What Python says of it."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def text(name, title, data, size=0, limit=1.0, gentle=True):
    """A text message: to come back, or to be refused."""
    async def script(run):
        await run.message(data, size=size)
    if is_utf8(data):
        return Case(name, title, script, {OK: [("message", data, False)]},
                    limit=limit, gentle=gentle)
    return Case(name, title, script, {OK: []}, limit=limit, **BAD)


def parts(name, title, *texts):
    """A text message in these fragments."""
    async def script(run):
        for i, part in enumerate(texts):
            await run.frame(CONT if i else TEXT, part, i == len(texts) - 1)
    return Case(name, title, script,
                {OK: [("message", b"".join(texts), False)]}, gentle=True)


def fast(name, title, texts, one_frame):
    """Invalid from the second part on, with a second between the parts. Who
    looks at bytes as they come does not wait for the third."""
    async def send(run, i):
        if not one_frame:
            await run.frame(CONT if i else TEXT, texts[i], i == 2)
            return
        key = None if run.server else KEY
        data = b"".join(texts)
        at = sum(map(len, texts[:i]))
        if key:
            data = xor(data, key)
        if not i:
            await run.raw(header(TEXT, len(data), key=key))
        await run.raw(data[at:at + len(texts[i])])

    async def script(run):
        await send(run, 0)
        if await run.wait(1, "A"):
            await send(run, 1)
            if await run.wait_for_end(1, "B"):
                await send(run, 2)
    return Case(name, title, script,
                {OK: [("timeout", "A")],
                 NON_STRICT: [("timeout", "A"), ("timeout", "B")]}, **BAD)


def joined(first, last):
    """Each of these bytes but the last, and a space after each."""
    return b"".join(bytes([i, 0x20]) for i in range(first, last))


SHORT = [bytes.fromhex(one) for one in (
    "c0 e080 f08080 f8808080 fc80808080 "
    "df efbf f7bfbf fbbfbfbf fdbfbfbfbf").split()]


def noncharacters():
    """U+FFFE, U+FFFF and the like in the other planes: valid."""
    yield b"\xef\xbf\xbe"
    yield b"\xef\xbf\xbf"
    for plane in range(1, 17):
        for low in (0xfffe, 0xffff):
            yield chr(plane << 16 | low).encode()


def hexes(line):
    """Bytes of each word."""
    return [bytes.fromhex(word) for word in line.split()]


# Subgroups 5 to 23, in order.
SEQUENCES = (
    ("one character and text around it, and Greek",
     [b"hello" + c.encode() + b"world" for c in "$¢€𤭢"] + [GREEK]),
    ("each beginning of a Greek word",
     [GREEK[:n] for n in range(1, len(GREEK) + 1)]),
    ("first of each length", hexes("00 c280 e0a080 f0908080")),
    ("first of 5 and 6 bytes", hexes("f888808080 fc8480808080")),
    ("last of each length", hexes("7f dfbf efbfbf f48fbfbf")),
    ("last of 4, 5 and 6 bytes", hexes("f7bfbfbf fbbfbfbfbf fdbfbfbfbfbf")),
    ("at other limits", hexes("ed9fbf ee8080 efbfbd f48fbfbf f4908080")),
    ("continuation bytes alone",
     hexes("80 bf 80bf 80bf80 80bf80bf 80bf80bf80 80bf80bf80bf") +
     [bytes(range(0x80, 0xbf))]),
    ("first bytes alone",
     [joined(*ends) for ends in ((0xc0, 0xdf), (0xe0, 0xef), (0xf0, 0xf7),
                                 (0xf8, 0xfb), (0xfc, 0xfd))]),
    ("the last byte missing", SHORT),
    ("one after the other, each with the last byte missing",
     [b"".join(SHORT)]),
    ("impossible bytes", hexes("fe ff fefeffff")),
    ("a slash in too many bytes",
     hexes("c0af e080af f08080af f8808080af fc80808080af")),
    ("the most that fits in too many bytes",
     hexes("c1bf e09fbf f08fbfbf f887bfbfbf fc83bfbfbfbf")),
    ("NUL in too many bytes",
     hexes("c080 e08080 f0808080 f880808080 fc8080808080")),
    ("one surrogate",
     hexes("eda080 edadbf edae80 edafbf edb080 edbe80 edbfbf")),
    ("two surrogates",
     hexes("eda080edb080 eda080edbfbf edadbfedb080 edadbfedbfbf "
           "edae80edb080 edae80edbfbf edafbfedb080 edafbfedbfbf")),
    ("noncharacters", list(noncharacters())),
    ("specials", [chr(c).encode() for c in range(0xfff9, 0x10000)]),
)


def utf8():
    """Group 6."""
    middle = b"middle frame payload"
    yield text("6.1.1", "empty text", b"")
    yield parts("6.1.2", "three empty fragments", b"", b"", b"")
    yield parts("6.1.3", "the first and last of three empty", b"", middle, b"")
    yield text("6.2.1", "German, whole", GERMAN)
    yield parts("6.2.2", "German, cut between characters", GERMAN[:CUT],
                GERMAN[CUT:])
    yield text("6.2.3", "German, cut between all bytes", GERMAN, size=1)
    yield text("6.2.4", "Greek, cut between all bytes", GREEK, size=1)
    bad = GREEK + SURROGATE + b"edited"
    yield text("6.3.1", "a surrogate inside", bad)
    yield text("6.3.2", "a surrogate inside, cut between all bytes", bad,
               size=1)
    bad = GREEK + TOO_LARGE + b"edited"
    by_part = (GREEK, TOO_LARGE, b"edited")
    by_byte = (bad[:12], bad[12:13], bad[13:])
    yield fast("6.4.1", "bad from the second fragment on", by_part, False)
    yield fast("6.4.2", "the second fragment is the bad byte", by_byte, False)
    yield fast("6.4.3", "bad from the second part of a frame on", by_part,
               True)
    yield fast("6.4.4", "the second part of a frame is the bad byte", by_byte,
               True)
    for i, (title, sequences) in enumerate(SEQUENCES, 5):
        for j, data in enumerate(sequences, 1):
            yield text(f"6.{i}.{j}", f"{title}: {data[:12].hex()}", data,
                       limit=0.5, gentle=False)
