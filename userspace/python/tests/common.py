# SPDX-License-Identifier: MIT
"""What tests share.

The same tests run with framing in user space (natively) and in the kernel (in
the virtual machine), as KWS_TEST_FRAMING says, and on asyncio's loop and uvloop,
as KWS_TEST_LOOP says. What is asked for and missing is a failure.
"""
import asyncio
import os
import socket
import threading
import unittest

import kws

FRAMING = os.environ.get("KWS_TEST_FRAMING", "userspace")
LIMIT = 60 * int(os.environ.get("KWS_SLOWNESS", "1"))

if os.environ.get("KWS_TEST_LOOP", "asyncio") == "uvloop":
    import uvloop
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def tcp_pair():
    """Two ends of a TCP connection over loopback: client, server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname(), LIMIT)
        server, _ = listener.accept()
    client.settimeout(LIMIT)
    server.settimeout(LIMIT)
    return client, server


def ws_pair(server_options=None, client_options=None):
    """Two ends of a WebSocket without a handshake: client, server."""
    client, server = tcp_pair()
    return (kws.WebSocket(client, kws.WS_ROLE_CLIENT, framing=FRAMING,
                          **(client_options or {})),
            kws.WebSocket(server, kws.WS_ROLE_SERVER, framing=FRAMING,
                          **(server_options or {})))


def frame(opcode, data=b"", fin=True, mask=True, rsv=0):
    """A frame as the peer sends it; the mask is 0."""
    size = len(data)
    assert size < 65536
    head = bytes([fin << 7 | rsv << 4 | opcode])
    bit = 128 if mask else 0
    head += bytes([bit | size]) if size < 126 \
        else bytes([bit | 126]) + size.to_bytes(2, "big")
    return head + (bytes(4) if mask else b"") + data


def in_thread(function, *args):
    """Run it beside the test; join() raises what it raised."""
    thread = _Thread(function, args)
    thread.start()
    return thread


class _Thread(threading.Thread):
    def __init__(self, function, args):
        super().__init__(daemon=True)
        self._function, self._args = function, args
        self.result = self.error = None

    def run(self):
        try:
            self.result = self._function(*self._args)
        except BaseException as error:  # pylint: disable=broad-except
            self.error = error

    def join(self, timeout=LIMIT):
        super().join(timeout)
        if self.is_alive():
            raise TimeoutError("the thread does not end")
        if self.error is not None:
            raise self.error
        return self.result


class AsyncTest(unittest.IsolatedAsyncioTestCase):
    """With a time limit."""

    async def asyncSetUp(self):
        # The base class turns debugging on, which remembers where each
        # coroutine was made: that takes most of the time.
        asyncio.get_running_loop().set_debug(False)

    async def limit(self, awaitable):
        """Within the time limit."""
        return await asyncio.wait_for(awaitable, LIMIT)


def port_of(server):
    """Of what kws.serve() returned."""
    return server.sockets[0].getsockname()[1]
