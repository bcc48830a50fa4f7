# SPDX-License-Identifier: MIT
"""Records in both directions, without a kernel."""
import struct
import unittest

from kws._uapi import (WS_MSG_END, WS_MSG_MORE, WS_OP_BINARY, WS_OP_CLOSE,
                       WS_OP_PING, WS_OP_TEXT)
from kws.records import Message, Records, encode, encode_many


def record(data, opcode=WS_OP_BINARY, flags=WS_MSG_END, code=0):
    """A record as the kernel gives it."""
    return struct.pack("=IBBH", len(data), opcode, flags, code) + data + \
        bytes(-len(data) % 8)


def feed(parser, data):
    """All of it in one read."""
    buffer = memoryview(bytearray(data) + b"rubbish")
    return parser.feed(buffer, len(data))


class Reading(unittest.TestCase):
    """What the kernel gives."""

    def test_many_messages(self):
        sizes = [*range(20), 125, 126, 255, 256, 4096, 16384, 65536]
        for upto in (len(sizes) - 3, len(sizes)):  # of both ways to copy
            payloads = [bytes([size & 255]) * size for size in sizes[:upto]]
            got = feed(Records(), b"".join(record(data) for data in payloads))
            self.assertEqual([one.data for one in got], payloads)
            self.assertEqual({type(one.data) for one in got}, {bytes})

    def test_opcode_and_flags(self):
        got = feed(Records(), record("é".encode(), WS_OP_TEXT) + record(
            b"x", flags=WS_MSG_END | WS_MSG_MORE))
        self.assertEqual(got[0], ("é".encode(), WS_OP_TEXT, WS_MSG_END))
        self.assertEqual(got[1], (b"x", WS_OP_BINARY, WS_MSG_END | WS_MSG_MORE))
        self.assertEqual((got[0].text, got[0].value, got[1].value),
                         ("é", "é", b"x"))

    def test_pieces_are_put_together(self):
        parser = Records()
        self.assertEqual(feed(parser, record(b"a" * 20000, flags=0)), [])
        self.assertEqual(feed(parser, record(b"", flags=WS_MSG_MORE)), [])
        got = feed(parser, record(b"b") + record(b"next", WS_OP_TEXT))
        self.assertEqual([one.data for one in got], [b"a" * 20000 + b"b", b"next"])

    def test_close(self):
        parser = Records()
        self.assertIsNone(parser.close_code)
        self.assertEqual(feed(parser, record(b"bye", WS_OP_CLOSE, code=4000)), [])
        self.assertEqual((parser.close_code, parser.close_reason), (4000, "bye"))

    def test_nothing(self):
        self.assertEqual(feed(Records(), b""), [])


class Writing(unittest.TestCase):
    """What the kernel takes."""

    def test_types(self):
        self.assertEqual(encode("é"), record("é".encode(), WS_OP_TEXT))
        for data in (b"abc", bytearray(b"abc"), memoryview(b"abc"),
                     Message(b"abc")):
            self.assertEqual(encode(data), record(b"abc"))
        self.assertEqual(encode(Message(b"abc", WS_OP_TEXT)),
                         record(b"abc", WS_OP_TEXT))
        for bad in (1, None, ["a"]):
            with self.assertRaises(TypeError):
                encode(bad)

    def test_sizes(self):
        for size in [*range(20), 254, 255, 256, 257, 70000]:
            self.assertEqual(encode(b"x" * size), record(b"x" * size))

    def test_many(self):
        messages = ["é", b"", b"x" * 300, Message(b"m", WS_OP_TEXT)]
        self.assertEqual(encode_many(messages),
                         b"".join(encode(one) for one in messages))

    def test_what_was_received_can_be_sent(self):
        messages = feed(Records(), record(b"a", WS_OP_TEXT) + record(b"b"))
        self.assertEqual(feed(Records(), encode_many(messages)), messages)

    def test_control(self):
        parser = Records()
        self.assertEqual(parser.ping(b"hi"), record(b"hi", WS_OP_PING))
        self.assertEqual(parser.close(1005), record(b"", WS_OP_CLOSE))
        self.assertEqual(parser.close(1000, "ö"),
                         record("ö".encode(), WS_OP_CLOSE, code=1000))
        with self.assertRaises(ValueError):
            parser.ping(bytes(126))
        with self.assertRaises(ValueError):
            parser.close(1000, "x" * 124)
        with self.assertRaises(ValueError):
            parser.close(1005, "why")
