# SPDX-License-Identifier: GPL-2.0-only
"""The fuzzing server: tests clients that echo.

A client asks for /getCaseCount, then runs /runCase?case=I&agent=NAME for I from
1 on, then asks for /updateReports?agent=NAME. All of them are WebSockets.
"""
import asyncio
import json
import ssl
import urllib.parse

import engine
import handshake
from engine import Case, Run


class Server:
    """Cases, and what clients made of them."""

    def __init__(self, cases, count, tell):
        self.cases, self.count, self.tell = cases, count, tell
        self.results = {}       # (agent, case) -> result
        self.done = asyncio.Event()

    async def _say(self, reader, writer, text):
        async def script(run):
            await run.message(text.encode())
            await run.close(1000)
        await Run(Case("0", "", script, {}), reader, writer, True).run()

    async def _case(self, reader, writer, fields, index, agent):
        case = self.cases[index - 1]
        deflate, extension = None, ""
        if case.accepts:
            deflate, extension = handshake.choose(fields, case.accepts)
        await handshake.answer(writer, fields, extension)
        run = Run(case, reader, writer, True, deflate)
        run.count = min(self.count or case.count, case.count)
        result = await run.run()
        self.results[agent, case.name] = result | {"peer": agent,
                                                   "role": "client"}
        self.tell(result)

    async def serve(self, reader, writer):
        """One connection."""
        try:
            async with asyncio.timeout(max(20, 3 * engine.PATIENCE)):
                first, fields = await handshake.read_head(reader)
            place = urllib.parse.urlsplit(first.split(" ")[1])
            query = dict(urllib.parse.parse_qsl(place.query))
            index = int(query.get("case", 0))
            agent = query.get("agent", "client")
            if place.path == "/runCase" and 0 < index <= len(self.cases):
                await self._case(reader, writer, fields, index, agent)
                return
            text = self._answer(place.path, index, agent)
            await handshake.answer(writer, fields, "")
            await self._say(reader, writer, text)
            if place.path == "/updateReports":
                self.done.set()
        except (OSError, ValueError, IndexError, TimeoutError,
                asyncio.IncompleteReadError, asyncio.LimitOverrunError,
                handshake.HandshakeError) as err:
            print(f"# {err!r}", flush=True)
            writer.close()

    def _answer(self, path, index, agent):
        case = self.cases[index - 1] if 0 < index <= len(self.cases) else None
        if path == "/getCaseCount":
            return json.dumps(len(self.cases))
        if path == "/getCaseInfo" and case:
            return json.dumps({"id": case.name, "description": case.title})
        if path == "/getCaseStatus" and case:
            result = self.results.get((agent, case.name), {})
            return json.dumps({"behavior": result.get("verdict", "MISSING")})
        return "ok"


async def serve(port, tls, cases, count, once, save, tell):
    """Until it is stopped, or once a client has asked for reports."""
    server = Server(cases, count, tell)
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{tls}.pem", f"{tls}.key")
    listener = await asyncio.start_server(server.serve, None, port,
                                          limit=1 << 22, backlog=512,
                                          ssl=context)
    print(f"listening on {listener.sockets[0].getsockname()[1]}", flush=True)
    while True:
        await server.done.wait()
        server.done.clear()
        save(list(server.results.values()))
        if once:
            return
