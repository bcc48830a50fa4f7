#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Valid messages and a bad frame behind them, in one segment, to echo servers.

    faults.py [--ca FILE] LABEL=HOST:PORT[,binary]...

With --ca all servers are asked by TLS.

The messages must come back, then the Close with the code of the fault, then
TCP's end. With ",binary" the server echoes all as binary. The frames are made
here, byte by byte. Prints "ok" or "not ok" lines.
"""
import argparse
import socket
import ssl
import struct
import sys

PATIENCE = 20
MANY = 200
KEY = bytes((0x37, 0xfa, 0x21, 0x3d))


def masked(first, data):
    """A client's frame, of at most 125 bytes."""
    body = bytes(byte ^ KEY[i & 3] for i, byte in enumerate(data))
    return bytes((first, 0x80 | len(data))) + KEY + body


def bare(first, data):
    """The same as the server sends it."""
    return bytes((first, len(data))) + data


MESSAGES = [b"message %d" % i for i in range(MANY)]
# Name, messages, what breaks the rule, the code.
CASES = (
    ("Hello and opcode 3", [b"Hello"], masked(0x83, b""), 1002),
    ("Hello and a reserved bit", [b"Hello"], masked(0xc1, b"x"), 1002),
    ("Hello and a bad text", [b"Hello"], masked(0x81, b"ab\xffyz"), 1007),
    ("Hello and a frame too big", [b"Hello"],
     b"\x82\xff" + struct.pack(">Q", 1 << 40) + KEY, 1009),
    (f"{MANY} messages and opcode 3", MESSAGES, masked(0x83, b""), 1002),
    (f"{MANY} messages and a bad text", MESSAGES, masked(0x81, b"\xff"), 1007),
)


def connect(address, context):
    """A socket behind the opening handshake."""
    host, port = address.rsplit(":", 1)
    sock = socket.create_connection((host, int(port)), PATIENCE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if context:
        sock = context.wrap_socket(sock, server_hostname="localhost")
    sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n"
                 b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Version: 13\r\n"
                 b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte:
            raise OSError(f"no answer to the handshake: {head!r}")
        head += byte
    if b" 101 " not in head:
        raise OSError(f"refused: {head!r}")
    return sock


def exchange(sock, data):
    """All that comes back until TCP's end."""
    sock.sendall(data)
    got = b""
    try:
        while True:
            more = sock.recv(65536)
            if not more:
                return got, "FIN"
            got += more
    except OSError as error:
        return got, str(error)


def run(target, context, case):
    """What is wrong, or None."""
    address, _, option = target.partition(",")
    _, messages, bad, code = case
    with connect(address, context) as sock:
        got, end = exchange(sock, b"".join(
            masked(0x81, m) for m in messages) + bad)
    first = 0x82 if option == "binary" else 0x81
    echo = b"".join(bare(first, m) for m in messages)
    close = bare(0x88, struct.pack(">H", code))
    if got == echo + close and end == "FIN":
        return None
    return (f"{len(got)} bytes, {len(echo + close)} expected, "
            f"ends with {got[-8:].hex(' ')} and {end}")


def main():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ca")
    parser.add_argument("server", nargs="+")
    args = parser.parse_args()
    context = ssl.create_default_context(cafile=args.ca) if args.ca else None
    failed = False
    for server in args.server:
        label, _, target = server.partition("=")
        for case in CASES:
            try:
                wrong = run(target, context, case)
            except OSError as error:
                wrong = str(error)
            failed |= bool(wrong)
            print(f"{'not ok' if wrong else 'ok'} {label}, {case[0]}"
                  f"{': ' if wrong else ''}{wrong or ''}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
