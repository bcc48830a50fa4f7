# SPDX-License-Identifier: MIT
"""An echo server for asyncio.

    PYTHONPATH=userspace/python python3 examples/echo_asyncio.py [PORT]
"""
import asyncio
import sys

import kws


async def echo(ws):
    """Until the peer closes."""
    async for message in ws:
        await ws.send(message)


async def main():
    """Listen until interrupted."""
    port = int(sys.argv[1]) if sys.argv[1:] else 9001
    async with await kws.serve(echo, "", port) as server:
        await server.serve_forever()

asyncio.run(main())
