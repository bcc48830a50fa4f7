# SPDX-License-Identifier: GPL-2.0-only
"""The fuzzing client: tests a server that echoes."""
import asyncio
import urllib.parse

import engine
import handshake
from engine import FAILED, Run


async def one(case, url, count):
    """One case on a connection of its own."""
    place = urllib.parse.urlsplit(url)
    secure = place.scheme == "wss"
    host, port = place.hostname, place.port or (443 if secure else 80)
    try:
        async with asyncio.timeout(max(20, 3 * engine.PATIENCE)):
            reader, writer = await asyncio.open_connection(
                host, port, limit=1 << 22, ssl=secure or None)
            deflate = await handshake.connect(
                reader, writer, place.netloc,
                (place.path or "/") + ("?" + place.query if place.query
                                       else ""), case.offers)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, IndexError,
            asyncio.LimitOverrunError, handshake.HandshakeError) as err:
        return {"case": case.name, "verdict": FAILED, "close": FAILED,
                "seconds": 0, "detail": f"handshake: {err!r}", "expected": {},
                "got": []}
    run = Run(case, reader, writer, server=False, deflate=deflate)
    run.count = min(count or case.count, case.count)
    return await run.run()


async def test(url, peer, cases, jobs, count, tell):
    """All cases, a few at a time. Returns them in order."""
    room = asyncio.Semaphore(jobs)

    async def guarded(case):
        async with room:
            result = await one(case, url, count)
        tell(result)
        return result | {"peer": peer, "role": "server"}
    return await asyncio.gather(*(guarded(case) for case in cases))
