#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""HTTP that no browser sends, against a server: abuse.py HOST PORT LIMIT. TAP.

KWS_SLOWNESS: how many times slower than an idle machine this one is.
"""
import os
import socket
import sys
import threading
import time

HEAD = (b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
MUCH = 3 << 20
HELLO = b"\x81\x85\0\0\0\0hello"
ADDRESS = sys.argv[1], int(sys.argv[2])
LIMIT = int(sys.argv[3])    # the server's, for the whole head, in seconds
SLOWNESS = int(os.environ.get("KWS_SLOWNESS", "1"))
HANG = LIMIT + 15 * SLOWNESS


def ask(data, pause=0.0):
    """What comes back, and after how long; with a pause, byte by byte."""
    begin = time.monotonic()
    answer = b""
    with socket.create_connection(ADDRESS) as sock:
        sock.settimeout(HANG)

        def send():
            try:
                if not pause:
                    sock.sendall(data)
                    return
                for byte in data:
                    sock.sendall(bytes([byte]))
                    time.sleep(pause)
            except OSError:
                pass    # the server has heard enough
        sender = threading.Thread(target=send)
        sender.start()
        try:
            while part := sock.recv(65536):
                answer += part
                if HELLO[6:] in answer:
                    break
        except OSError as err:
            answer += f"\n{err}".encode()
        took = time.monotonic() - begin
    sender.join()
    return answer, took


CASES = (
    ("200,000 header lines", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200000, 431),
    ("a header line of 3 MiB", b"GET / HTTP/1.1\r\nA: " + b"b" * MUCH, 431),
    ("a target of 3 MiB", b"GET /" + b"b" * MUCH, 431),
    ("a body of 3 MiB", HEAD + b"Content-Length: %d\r\n\r\n" % MUCH +
     b"x" * MUCH, 400),
    ("NUL in a value", HEAD + b"X: a\0b\r\n\r\n", 400),
    ("no WebSocket", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 426),
    ("HTTP/1.0", HEAD.replace(b"1.1", b"1.0") + b"\r\n", 505),
    ("POST", HEAD.replace(b"GET", b"POST") + b"\r\n", 405),
)


def upgraded():
    """A socket after its handshake."""
    sock = socket.create_connection(ADDRESS)
    sock.settimeout(HANG)
    sock.sendall(HEAD + b"\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    return sock


def ends_with(data, close):
    """Does the peer see the Close and no reset, though it goes on sending?"""
    answer = b""
    with upgraded() as sock:
        try:
            sock.sendall(data)
            for _ in range(16):
                sock.sendall(b"x" * 65536)
                time.sleep(0.01)
            while part := sock.recv(65536):
                answer += part
            # Ended for sending, not yet closed.
            sock.sendall(b"x")
        except OSError as err:
            answer += f"\n{err}".encode()
    return answer.endswith(close), answer


def is_not_waited_for():
    """A peer that never ends TCP is left after some seconds."""
    answer = b""
    with upgraded() as sock:
        sock.sendall(b"\x88\x80\0\0\0\0")
        while part := sock.recv(65536):
            answer += part
        time.sleep(5)
        # On a slow machine it may be left later.
        begin = time.monotonic()
        try:
            while time.monotonic() - begin < 5 * SLOWNESS:
                sock.sendall(b"x")
                time.sleep(0.1)
        except OSError:
            return answer == b"\x88\0", answer
    return False, answer


def crowd():
    """More idle connections than the server may have files."""
    idle = []
    try:
        for _ in range(200):
            idle.append(socket.create_connection(ADDRESS, timeout=HANG))
        return ask(HEAD + b"\r\n" + HELLO)
    finally:
        for sock in idle:
            sock.close()


def main():
    """Every case; the slow ones at the same time as the others."""
    results = []

    def check(name, good, answer, took):
        results.append(good)
        print(f"{'' if good else 'not '}ok {len(results)} {name}", flush=True)
        if not good:
            print(f"# {answer[:100]!r} after {took:.1f} s", flush=True)

    slow = {}
    threads = [threading.Thread(target=lambda n=name, d=data, p=pause:
                                slow.update({n: ask(d, p)}))
               for name, data, pause in (("no byte at all", b"", 0.0),
                                         ("half a head", HEAD, 0.0),
                                         ("a byte in 0.1 s", HEAD, 0.1))]
    for thread in threads:
        thread.start()
    for name, data, status in CASES:
        answer, took = ask(data)
        # Had the server waited for more, it would be 408.
        check(name, answer.startswith(b"HTTP/1.1 %d " % status), answer, took)
    answer, took = ask(HEAD + b"\r\n" + HELLO)
    check("a frame right behind the request",
          answer.startswith(b"HTTP/1.1 101 ") and answer.endswith(b"hello"),
          answer, took)
    answer, took = ask(HEAD + b"\r\n" + HELLO, 0.001)
    check("the same byte by byte", answer.endswith(b"hello"), answer, took)
    for name, data, close in (
            ("a bad frame", b"\xf1\x80\0\0\0\0", b"\x88\x02\x03\xea"),
            ("a Close", b"\x88\x82\0\0\0\0\x03\xe8", b"\x88\x02\x03\xe8")):
        good, answer = ends_with(data, close)
        check(f"1 MiB behind {name}: the answer is seen", good, answer, 0)
    check("a peer that does not end TCP is left", *is_not_waited_for(), 0)
    for thread in threads:
        thread.join()
    for name, (answer, took) in sorted(slow.items()):
        check(f"{name}: 408 in time",
              answer.startswith(b"HTTP/1.1 408 ") and LIMIT - 1 < took < LIMIT + 6 * SLOWNESS,
              answer, took)
    answer, took = crowd()
    check("200 idle connections keep nobody out", answer.endswith(b"hello"),
          answer, took)
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
