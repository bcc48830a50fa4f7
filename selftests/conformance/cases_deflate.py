# SPDX-License-Identifier: GPL-2.0-only
"""Groups 12 and 13: permessage-deflate, RFC 7692.

The public suite's files are not ours to keep; what is sent here is made up, of
the same sizes and of like kinds.
"""
import functools
import json
import random

from engine import FAILED, UNIMPLEMENTED, Case

# Size, seconds, size of fragments; 1000 messages each.
SIZES = (
    (16, 60, 0), (64, 60, 0), (256, 120, 0), (1024, 240, 0), (4096, 480, 0),
    (8192, 480, 0), (16384, 480, 0), (32768, 480, 0), (65536, 480, 0),
    (131072, 480, 0), (8192, 480, 256), (16384, 480, 256), (32768, 480, 256),
    (65536, 480, 256), (131072, 480, 256), (131072, 480, 1024),
    (131072, 480, 4096), (131072, 480, 32768))
COUNT = 1000
WORDS = ("und der die das Faust nicht über größer Mühe schön Mephistopheles "
         "Geist mich dich Wälder Straße süß ist war wird kein ein").split()


def words(rng, count):
    """Something like German."""
    return " ".join(rng.choice(WORDS) for _ in range(count))


def make_json(rng):
    """Records with names, numbers and text."""
    return json.dumps([{"id": i, "name": words(rng, 2), "text": words(rng, 8),
                        "at": [rng.random(), rng.random()],
                        "ok": rng.random() < .5} for i in range(1200)],
                      ensure_ascii=False)


def make_image(rng):
    """Grey values that change slowly, with noise."""
    return bytes((x * y // 512 + rng.randrange(6)) & 255
                 for y in range(512) for x in range(514))


def make_book(rng):
    """Lines."""
    return "\n".join(words(rng, 8) for _ in range(4800)).encode()


def make_html(rng):
    """Much markup."""
    return "<html>" + "".join(
        f'<div class="row"><a href="/{rng.randrange(9999)}">{words(rng, 3)}'
        f"</a><p>{words(rng, 6)}</p></div>\n" for _ in range(2400)) + "</html>"


def make_pdf(rng):
    """Streams that are compressed already, and a little text."""
    return b"".join(words(rng, 20).encode() + rng.randbytes(3900)
                    for _ in range(256))


KINDS = (("JSON", make_json), ("image", make_image), ("book", make_book),
         ("HTML", make_html), ("PDF", make_pdf))


@functools.cache
def sample(kind):
    """The data of one kind, the same in every run."""
    return KINDS[kind][1](random.Random(kind))


def slices(data, size):
    """Pieces of the data, round and round."""
    at = 0
    while True:
        end = (at + size) % len(data)
        yield data[at:end] if end > at else data[at:] + data[:end]
        at = end


def packed(name, title, kind, size, limit, fragment, offers, accepts):
    """Compressed messages, one after the other, each there and back."""
    async def script(run):
        if not run.deflate:
            run.verdict = UNIMPLEMENTED
            await run.close(1000)
            return
        data = sample(kind)
        binary = isinstance(data, bytes)
        left = run.count or COUNT
        pieces = slices(data, size)
        sent = b""

        async def send():
            nonlocal sent
            sent = next(pieces)
            if not binary:
                sent = sent.encode()
            await run.message(sent, binary, fragment)

        async def on_message(got, got_binary):
            nonlocal left
            left -= 1
            if got_binary != binary or got != sent:
                run.detail += f"got {len(got)} bytes, binary {got_binary}; "
            elif left:
                await send()
                return
            else:
                run.verdict = "OK"
            await run.close(1000)
        run.verdict = FAILED
        run.on_message = on_message
        await send()
    return Case(name, title, script, {}, limit=limit, gentle=True,
                offers=offers, accepts=accepts, count=COUNT)


def offer(no_takeover=False, bits=0):
    """What a client asks for; it grants all that it can be asked for."""
    text = "permessage-deflate; client_no_context_takeover" \
        "; client_max_window_bits"
    if no_takeover:
        text += "; server_no_context_takeover"
    if bits:
        text += f"; server_max_window_bits={bits}"
    return text


# What a server wants of the client: (no_takeover, bits), in order of choice.
# An offer that does not grant it is declined.
PARAMETERS = (
    ((offer(),), ((False, 0),)),
    ((offer(True),), ((True, 0),)),
    ((offer(False, 9),), ((False, 9),)),
    ((offer(False, 15),), ((False, 15),)),
    ((offer(True, 9),), ((True, 9),)),
    ((offer(True, 15),), ((True, 15),)),
    ((offer(True, 9), offer(True), offer()),
     ((True, 9), (True, 0), (False, 0))),
)


def deflate():
    """Groups 12 and 13."""
    for group, kinds, parameters in ((12, range(len(KINDS)), PARAMETERS[:1]),
                                     (13, (0,), PARAMETERS)):
        for sub, (kind, params) in enumerate(
                ((k, p) for k in kinds for p in parameters), 1):
            for i, (size, limit, fragment) in enumerate(SIZES, 1):
                cut = f", fragments of {fragment}" if fragment else ""
                yield packed(f"{group}.{sub}.{i}",
                             f"{KINDS[kind][0]}, {size} a message{cut}, "
                             f"{params[0][0][19:]}", kind, size, limit,
                             fragment, *params)
