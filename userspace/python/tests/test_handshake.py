# SPDX-License-Identifier: MIT
"""RFC 6455 section 4, both sides, without I/O."""
import unittest

from kws import HandshakeError, handshake

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
GOOD = {"Host": "example.com", "Upgrade": "websocket", "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Version": "13"}


def request(line="GET /chat?a=1 HTTP/1.1", drop=(), **change):
    """A request with some headers changed, "_" for "-"."""
    headers = {**GOOD, **{name.replace("_", "-"): value
                          for name, value in change.items()}}
    lines = [line] + [f"{name}: {value}" for name, value in headers.items()
                      if name not in drop]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def response(drop=(), line="HTTP/1.1 101 Switching Protocols", **change):
    """An answer with some headers changed."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade",
               "Sec-WebSocket-Accept": ACCEPT,
               **{name.replace("_", "-"): value for name, value in change.items()}}
    return ("\r\n".join([line] + [f"{name}: {value}" for name, value
                                  in headers.items() if name not in drop])
            + "\r\n\r\n").encode()


class Requests(unittest.TestCase):
    """As a server."""

    def test_good(self):
        got = handshake.parse_request(request(
            Sec_WebSocket_Protocol="chat, other", Origin="https://a.example"))
        self.assertEqual((got.target, got.path), ("/chat?a=1", "/chat"))
        self.assertEqual(got.offered, ("chat", "other"))
        self.assertEqual(got.origin, "https://a.example")
        self.assertEqual(got.headers["host"], "example.com")
        self.assertEqual(handshake.accept_key(got.key), ACCEPT)

    def test_lists_and_case(self):
        handshake.parse_request(request(Connection="keep-alive, UPGRADE",
                                        Upgrade="WebSocket"))

    def test_bad(self):
        cases = [
            (400, request(drop=("Host",))), (426, request(drop=("Upgrade",))),
            (426, request(Connection="close")),
            (426, request(Sec_WebSocket_Version="8")),
            (400, request(drop=("Sec-WebSocket-Version",))),
            (400, request(drop=("Sec-WebSocket-Key",))),
            (400, request(Sec_WebSocket_Key="c2hvcnQ=")),
            (400, request(Sec_WebSocket_Key="*" * 24)),
            (400, request(Sec_WebSocket_Key=KEY + "\r\nSec-WebSocket-Key: " + KEY)),
            (400, request(Host="a\r\nHost: b")),
            (405, request("POST / HTTP/1.1")),
            (505, request("GET / HTTP/1.0")), (505, request("GET / HTTP/2.0")),
            (400, request("GET / / HTTP/1.1")), (400, request("nonsense")),
            (400, request(Content_Length="5")),
            (400, request(Transfer_Encoding="chunked")),
            (400, request(Sec_WebSocket_Protocol="a b")),
            (400, request(X="a\nSec-WebSocket-Version: 13")),
            (400, request(X="a\rb")), (400, request(X="a\0b")),
            (400, request(X="a\r\n folded")), (400, request(X="a\r\nno colon")),
            (400, request(X="a\r\nbad name: b")),
            (431, request(X="\r\n".join(["a"] + [f"x{i}: b" for i in range(200)]))),
        ]
        for status, head in cases:
            with self.subTest(head=head):
                with self.assertRaises(HandshakeError) as caught:
                    handshake.parse_request(head)
                self.assertEqual(caught.exception.status, status)

    def test_version_is_told(self):
        with self.assertRaises(HandshakeError) as caught:
            handshake.parse_request(request(Sec_WebSocket_Version="8"))
        self.assertIn(("Sec-WebSocket-Version", "13"), caught.exception.headers)

    def test_origins(self):
        got = handshake.parse_request(request(Origin="https://a.example"))
        handshake.check_origin(got, None)
        handshake.check_origin(got, ["https://a.example"])
        with self.assertRaises(HandshakeError):
            handshake.check_origin(got, ["https://b.example", None])
        handshake.check_origin(handshake.parse_request(request()), [None])

    def test_answer(self):
        got = handshake.parse_request(request(Sec_WebSocket_Protocol="chat, b"))
        chosen = handshake.choose_protocol(got, ["z", "b", "chat"])
        self.assertEqual(chosen, "b")
        head = handshake.accept_head(got, chosen, [("X-Y", "z")])
        answer = handshake.parse_response(head, KEY, ["chat", "b"])
        self.assertEqual((answer.protocol, answer.headers["x-y"]), ("b", "z"))
        with self.assertRaises(ValueError):
            handshake.accept_head(got, "not offered")
        for bad in (("X", "a\r\nY: b"), ("X Y", "a")):
            with self.assertRaises(ValueError):
                handshake.accept_head(got, None, [bad])

    def test_head_end(self):
        head = request()
        self.assertEqual(handshake.head_end(head + b"more"), len(head))
        for cut in range(len(head)):
            self.assertEqual(handshake.head_end(head[:cut]), 0)
        with self.assertRaises(HandshakeError):
            handshake.head_end(b"x" * handshake.HEAD_MAX)


class Responses(unittest.TestCase):
    """As a client."""

    def test_good(self):
        self.assertIsNone(handshake.parse_response(response(), KEY, []).protocol)

    def test_bad(self):
        for status, head in [
                (101, response(drop=("Upgrade",))),
                (101, response(drop=("Connection",))),
                (101, response(Sec_WebSocket_Accept="nonsense")),
                (101, response(drop=("Sec-WebSocket-Accept",))),
                (101, response(Sec_WebSocket_Protocol="not offered")),
                (101, response(Sec_WebSocket_Extensions="permessage-deflate")),
                (101, response(X="a\r\n folded")),
                (200, response(line="HTTP/1.1 200 OK")),
                (404, response(line="HTTP/1.1 404 Not Found")),
                (302, response(line="HTTP/1.1 302 Found", Location="/x")),
                (0, b"SSH-2.0-OpenSSH\r\n\r\n"), (0, b"\r\n\r\n")]:
            with self.subTest(head=head):
                with self.assertRaises(HandshakeError) as caught:
                    handshake.parse_response(head, KEY, ["chat"])
                self.assertEqual(caught.exception.status, status)

    def test_request_is_valid(self):
        url = handshake.parse_url("ws://example.com:81/a?b")
        head, key = handshake.request_head(url, ["chat"], [("X", "y")], "https://o")
        got = handshake.parse_request(head)
        self.assertEqual((got.target, got.key, got.offered, got.origin),
                         ("/a?b", key, ("chat",), "https://o"))
        self.assertEqual(got.headers["host"], "example.com:81")

    def test_urls(self):
        self.assertEqual(handshake.parse_url("wss://[::1]")[:4],
                         (True, "::1", 443, "/"))
        for bad in ("http://a/", "ws:///a", "ws://a/#b", "ws://u:p@a/", "ws://a/ b",
                    "ws://a/\r\nX: y", "ws://a:99999/", "a", "ws://a/é"):
            with self.assertRaises(ValueError, msg=bad):
                handshake.parse_url(bad)
