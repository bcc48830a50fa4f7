#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""HTTP that no browser sends, against a server: abuse.py HOST PORT. TAP."""
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


def ask(data, pause=0.0, limit=15.0):
    """What comes back, and after how long; with a pause, byte by byte."""
    begin = time.monotonic()
    answer = b""
    with socket.create_connection(ADDRESS) as sock:
        sock.settimeout(limit)

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
        check(name, answer.startswith(b"HTTP/1.1 %d " % status) and took < 5,
              answer, took)
    answer, took = ask(HEAD + b"\r\n" + HELLO)
    check("a frame right behind the request",
          answer.startswith(b"HTTP/1.1 101 ") and answer.endswith(b"hello"),
          answer, took)
    answer, took = ask(HEAD + b"\r\n" + HELLO, 0.001)
    check("the same byte by byte", answer.endswith(b"hello"), answer, took)
    for thread in threads:
        thread.join()
    for name, (answer, took) in sorted(slow.items()):
        check(f"{name}: 408 in time",
              answer.startswith(b"HTTP/1.1 408 ") and 5 < took < 14,
              answer, took)
    print(f"1..{len(results)}")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
