# SPDX-License-Identifier: MIT
"""WebSocket on sockets, blocking and not."""
import select
import socket
import struct
import time
import unittest

import kws

from .common import FRAMING, LIMIT, frame, in_thread, tcp_pair, ws_pair


class Messages(unittest.TestCase):
    """Both ends are ours."""

    def setUp(self):
        self.client, self.server = ws_pair()
        self.addCleanup(self.client.sock.close)
        self.addCleanup(self.server.sock.close)

    def test_framing_is_told(self):
        self.assertEqual(self.server.framing, FRAMING)
        self.assertEqual(bool(self.server.info()), FRAMING == "kernel")

    def test_text_and_binary(self):
        self.client.send("häl" + "lo")
        self.client.send(b"\0\1")
        self.client.send("")
        got = [self.server.recv() for _ in range(3)]
        self.assertEqual([one.value for one in got], ["hällo", b"\0\1", ""])
        self.assertTrue(got[0].flags & kws.WS_MSG_END)
        self.assertEqual([one.opcode for one in got],
                         [kws.WS_OP_TEXT, kws.WS_OP_BINARY, kws.WS_OP_TEXT])
        for one in got:
            self.server.send(one)
        self.assertEqual(self.client.recv().text, "hällo")

    def test_many_in_one_write(self):
        messages = [f"message {i}" for i in range(500)]
        self.client.send_many(messages)
        got = []
        while len(got) < 500:
            got += self.server.recv_many()
        self.assertEqual([one.text for one in got], messages)
        if FRAMING == "kernel":
            info = self.server.info()
            self.assertEqual(info["rx_messages"], 500)
            self.assertLess(info["rx_calls"], 100)

    def test_large_messages(self):
        for size in (65535, 65536, 300000, 3 << 20):
            data = bytes(i & 255 for i in range(256)) * (size // 256 + 1)
            thread = in_thread(self.client.send, data[:size])
            got = self.server.recv()
            thread.join()
            self.assertEqual(got.data, data[:size])

    def test_ping_is_answered_and_not_seen(self):
        self.client.ping(b"are you there?")
        self.client.send("behind")
        self.assertEqual(self.server.recv().text, "behind")
        if FRAMING == "kernel":
            self.assertEqual(self.server.info()["tx_pongs"], 1)

    def test_close_of_the_peer_is_answered_behind_replies(self):
        self.client.send_many(["one", "two"])
        self.client.send_close(4000, "bye")
        got = []
        for message in self.server:
            got.append(message.text)
        # All has been read, the Close too: replies must still go out.
        self.assertEqual(got, ["one", "two"])
        self.assertEqual((self.server.close_code, self.server.close_reason),
                         (4000, "bye"))
        self.server.send_many(got)
        self.server.close()
        self.assertEqual([one.text for one in self.client], ["one", "two"])
        self.assertEqual(self.client.close_code, 4000)
        self.client.close()

    def test_close_codes(self):
        for code, reason, wanted in ((1000, "", 1000), (1005, "", 1005),
                                     (4999, "ö" * 61, 4999), (None, "", 1000)):
            client, server = ws_pair()
            thread = in_thread(server.close, code, reason)
            self.assertIsNone(client.recv())
            self.assertEqual((client.close_code, client.close_reason),
                             (wanted, reason))
            client.close()
            thread.join()

    def test_nothing_is_sent_behind_a_close(self):
        self.client.send_close()
        with self.assertRaises(kws.ConnectionClosed):
            self.client.send("too late")
        self.assertIsNone(self.server.recv())

    def test_breaking_out_of_iteration_loses_nothing(self):
        self.client.send_many(["a", "b", "c"])
        for message in self.server:
            self.assertEqual(message.text, "a")
            break
        self.assertEqual(self.server.recv().text, "b")
        self.assertEqual([one.text for one in self.server.recv_many()], ["c"])


class NonBlocking(unittest.TestCase):
    """setblocking(False)."""

    def test_receiving(self):
        client, server = ws_pair()
        server.sock.setblocking(False)
        with self.assertRaises(BlockingIOError):
            server.recv()
        client.send("here")
        select.select([server], [], [], LIMIT)
        self.assertEqual(server.recv().text, "here")
        with self.assertRaises(BlockingIOError):
            server.recv_many()
        self.assertIsNone(server.close_code)
        server.close()
        client.close()

    def test_what_is_not_taken_is_kept(self):
        client, server = ws_pair()
        server.sock.setblocking(False)
        sent = 0
        while not server.pending:
            server.send(f"{sent:5}".encode() * 2000)
            sent += 1
        server.send(b"end")
        sent += 1
        self.assertFalse(server.flush())
        got = []
        while len(got) < sent:
            got += client.recv_many()
            server.flush()
        self.assertEqual(got[-1].data, b"end")
        self.assertEqual([one.data for one in got[:-1]],
                         [f"{i:5}".encode() * 2000 for i in range(sent - 1)])
        self.assertEqual(server.pending, 0)
        server.close()
        client.close()


class Raw(unittest.TestCase):
    """The peer writes frames by hand."""

    def setUp(self):
        self.peer, sock = tcp_pair()
        self.server = kws.WebSocket(sock, framing=FRAMING, max_message=1000)
        self.addCleanup(self.peer.close)
        self.addCleanup(self.server.sock.close)

    def answer(self):
        """What comes until the end of TCP."""
        data = b""
        while chunk := self.peer.recv(4096):
            data += chunk
        return data

    def test_faults_come_behind_messages_and_replies_before_the_close(self):
        for bad, code in ((frame(1, b"\xff"), 1007), (frame(3), 1002),
                          (frame(2, b"x" * 1001), 1009), (frame(0, b"x"), 1002),
                          (frame(2, b"x", rsv=4), 1002),
                          (frame(2, b"x", mask=False), 1002),
                          (frame(9, b"x", fin=False), 1002)):
            with self.subTest(bad=bad[:8]):
                self.setUp()
                self.peer.sendall(frame(1, b"good") + bad)
                self.assertEqual(self.server.recv().text, "good")
                try:
                    self.server.send("reply")
                except kws.ConnectionClosed:
                    self.fail("no reply behind a fault")
                with self.assertRaises(kws.ProtocolError) as caught:
                    self.server.recv()
                self.assertEqual(caught.exception.code, code)
                self.assertIsNone(self.server.recv())
                self.assertEqual(self.server.close_code, 1006)
                thread = in_thread(self.server.close)
                self.peer.shutdown(socket.SHUT_WR)
                got = self.answer()
                thread.join()
                self.assertEqual(got[:11], frame(1, b"reply", mask=False)
                                 + b"\x88" + got[8:9] + code.to_bytes(2, "big"))

    def test_fragments(self):
        self.peer.sendall(frame(1, b"a\xc3", fin=False) + frame(9, b"ping") +
                          frame(0, b"\xa4") + frame(2, b""))
        self.assertEqual(self.server.recv().text, "aä")
        self.assertEqual(self.server.recv().value, b"")
        self.assertEqual(self.peer.recv(100), frame(10, b"ping", mask=False))

    def test_reset(self):
        self.peer.sendall(frame(1, b"good"))
        self.assertEqual(self.server.recv().text, "good")
        self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                             struct.pack("ii", 1, 0))
        self.peer.close()
        with self.assertRaises(ConnectionResetError):
            self.server.recv()
        self.server.close()

    def test_end_without_a_close(self):
        self.peer.sendall(frame(2, b"last"))
        self.peer.shutdown(socket.SHUT_WR)
        self.assertEqual(self.server.recv().data, b"last")
        self.assertIsNone(self.server.recv())
        self.assertEqual(self.server.close_code, 1006)

    def test_end_inside_a_message(self):
        self.peer.sendall(frame(2, b"good") + frame(2, b"four")[:-1])
        self.peer.shutdown(socket.SHUT_WR)
        self.assertEqual(self.server.recv().data, b"good")
        if FRAMING == "kernel":
            with self.assertRaises(kws.ProtocolError) as caught:
                self.server.recv()
            self.assertEqual(caught.exception.code, 1006)
        self.assertIsNone(self.server.recv())
        self.assertEqual(self.server.close_code, 1006)

    def test_ping_and_timeout_by_the_kernel(self):
        if FRAMING != "kernel":
            self.skipTest("there are none with framing in user space")
        kws.configure(self.server.sock, ping_interval=100, ping_timeout=100)
        begin = time.monotonic()
        with self.assertRaises(kws.ProtocolError) as caught:
            self.server.recv()
        self.assertIn("PING", str(caught.exception))
        self.assertGreater(time.monotonic() - begin, 0.15)
        self.assertEqual(self.peer.recv(100), frame(9, mask=False))


class Handshakes(unittest.TestCase):
    """accept() and connect()."""

    def run_server(self, serve, **options):
        """One connection; the URL, and the thread with what serve() returned."""
        listener = socket.create_server(("127.0.0.1", 0))

        def run():
            with listener:
                sock, _ = listener.accept()
            with sock, kws.WebSocket.accept(sock, framing=FRAMING, timeout=LIMIT,
                                            **options) as ws:
                return serve(ws)
        return f"ws://127.0.0.1:{listener.getsockname()[1]}/a?b", in_thread(run)

    def test_echo(self):
        def echo(ws):
            for message in ws:
                ws.send(message)
            return ws.request.target, ws.subprotocol, ws.close_code
        url, thread = self.run_server(echo, protocols=["b", "a"],
                                      headers=[("X-Server", "yes")])
        with kws.WebSocket.connect(url, protocols=["a", "b"],
                                   framing=FRAMING) as ws:
            self.assertEqual(ws.subprotocol, "b")
            self.assertEqual(ws.response.headers["X-Server"], "yes")
            ws.send_many(["x", b"y"])
            self.assertEqual([ws.recv().value, ws.recv().value], ["x", b"y"])
        self.assertEqual(thread.join(), ("/a?b", "b", 1000))

    def test_bytes_behind_the_head(self):
        """Those of a server in one segment with its answer, and of a client."""
        url, thread = self.run_server(lambda ws: [one.text for one in ws])
        port = int(url.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port), LIMIT) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                         b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                         b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
                         frame(1, b"early") + frame(8))
            self.assertEqual(thread.join(), ["early"])
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
            thread = in_thread(lambda: kws.WebSocket.connect(url, framing=FRAMING))
            peer, _ = listener.accept()
            with peer:
                request = kws.handshake.parse_request(peer.recv(4096))
                peer.sendall(kws.handshake.accept_head(request) +
                             frame(1, b"early", mask=False))
                client = thread.join()
                self.assertEqual(client.recv().text, "early")
                client.sock.close()

    def test_refused(self):
        def gate(request):
            return None if request.path == "/good" else (404, [("X", "y")], b"no")
        url, thread = self.run_server(lambda ws: None, gate=gate)
        with self.assertRaises(kws.HandshakeError) as caught:
            kws.WebSocket.connect(url)
        self.assertEqual(caught.exception.status, 404)
        self.assertIn(("X", "y"), caught.exception.headers)
        with self.assertRaises(kws.HandshakeError):
            thread.join()

    def test_origin(self):
        url, thread = self.run_server(lambda ws: None, origins=["https://good"])
        with self.assertRaises(kws.HandshakeError) as caught:
            kws.WebSocket.connect(url, origin="https://evil")
        self.assertEqual(caught.exception.status, 403)
        with self.assertRaises(kws.HandshakeError):
            thread.join()

    def test_silent_client(self):
        peer, sock = tcp_pair()
        with peer, sock, self.assertRaises(TimeoutError):
            kws.WebSocket.accept(sock, timeout=0.1)
