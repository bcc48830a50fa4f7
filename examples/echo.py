# SPDX-License-Identifier: MIT
"""An echo server on sockets, a thread for each connection.

    PYTHONPATH=userspace/python python3 examples/echo.py [PORT]
"""
import contextlib
import socket
import sys
import threading

import kws


def echo(sock):
    """Until the peer closes; leaving the block answers its Close."""
    with sock, contextlib.suppress(kws.Error, OSError):
        with kws.WebSocket.accept(sock) as ws:
            while messages := ws.recv_many():
                ws.send_many(messages)


with socket.create_server(("", int(sys.argv[1]) if sys.argv[1:] else 9001)) as listener:
    while True:
        threading.Thread(target=echo, args=listener.accept()[:1], daemon=True).start()
