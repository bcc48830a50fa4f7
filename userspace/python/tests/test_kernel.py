# SPDX-License-Identifier: MIT
"""Errors of the socket options, from a socket that only pretends."""
import errno
import socket
import struct
import unittest

import kws
from kws import _uapi, framing, kernel


class Pretender:
    """A socket whose options fail as told."""

    family = socket.AF_INET

    def __init__(self, errors=(), info_size=96):
        self.errors = dict(errors)
        self.info_size = info_size
        self.calls = []

    def setsockopt(self, level, name, value):
        """Remember it, and fail as told."""
        self.calls.append((level, name, value))
        number = self.errors.get((level, name))
        if number:
            raise OSError(number, "as told")

    def getsockopt(self, _level, _name, size):
        """WS_INFO of an older module is shorter."""
        return bytes(range(1, size + 1))[:self.info_size]


ULP = (socket.IPPROTO_TCP, 31)
CONFIG = (_uapi.SOL_WS, _uapi.WS_CONFIG)


class Attaching(unittest.TestCase):
    """attach() and configure()."""

    def test_order_and_values(self):
        sock = Pretender()
        kws.attach(sock, kws.WS_ROLE_CLIENT, b"early", max_message=5,
                   ping_interval=1000, close_timeout=200)
        self.assertEqual(sock.calls, [
            (*ULP, b"ws"), (_uapi.SOL_WS, _uapi.WS_RX_PREFIX, b"early"),
            (*CONFIG, struct.pack("=IIQIIIIII", 1, 5, 5, 0, 0, 1000, 0, 0, 200))])

    def test_reasons(self):
        for number, kind in ((errno.ENOENT, kws.ModuleMissing),
                             (errno.ENOPROTOOPT, kws.ModuleMissing),
                             (errno.EPERM, kws.NotPermitted),
                             (errno.EACCES, kws.NotPermitted),
                             (errno.EEXIST, kws.Unavailable),
                             (errno.EOPNOTSUPP, kws.Unavailable),
                             (errno.ENOTCONN, OSError)):
            with self.assertRaises(kind, msg=number):
                kws.attach(Pretender({ULP: number}))
            self.assertTrue(issubclass(kind, (kws.Unavailable, OSError)))

    def test_module_older_than_the_package(self):
        with self.assertRaises(kws.ModuleTooOld):
            kws.attach(Pretender({CONFIG: errno.E2BIG}))

    def test_info_of_an_older_module(self):
        known = kws.info(Pretender(info_size=56))
        self.assertIn("tx_bytes", known)
        self.assertNotIn("rx_pings", known)
        self.assertEqual(len(kws.info(Pretender())), len(_uapi.WS_INFO_MEMBERS))

    def test_prefix_is_limited(self):
        sock = Pretender()
        with self.assertRaises(ValueError):
            kws.attach(sock, prefix=bytes(kws.WS_RX_PREFIX_MAX + 1))
        self.assertEqual(sock.calls, [])


class Choosing(unittest.TestCase):
    """Who does the framing."""

    def start(self, number, wanted, **options):
        """With a socket that gives this error."""
        return framing.start(Pretender({ULP: number} if number else {}),
                             kws.WS_ROLE_SERVER, b"", framing=wanted, **options)

    def test_kernel(self):
        self.assertEqual(self.start(0, "auto").framing, "kernel")

    def test_fallback_is_told(self):
        self.assertEqual(self.start(errno.ENOENT, "auto").framing, "userspace")
        self.assertEqual(self.start(0, "userspace").framing, "userspace")
        self.assertEqual(self.start(0, "auto", secure=True).framing, "userspace")

    def test_kernel_or_nobody(self):
        with self.assertRaises(kws.ModuleMissing):
            self.start(errno.ENOENT, "kernel")
        with self.assertRaises(kws.Unavailable):
            self.start(0, "kernel", secure=True)

    def test_nobody(self):
        frames, kws.user.frames = kws.user.frames, None
        try:
            with self.assertRaisesRegex(kws.NoFraming, "not loaded.*websockets"):
                self.start(errno.ENOENT, "auto")
        finally:
            kws.user.frames = frames

    def test_bad_word(self):
        with self.assertRaises(ValueError):
            self.start(0, "maybe")

    def test_times(self):
        self.assertEqual(framing.milliseconds(20), 20000)
        self.assertEqual(framing.milliseconds(None), 0)
        for bad in (0.01, 1e6):
            with self.assertRaises(ValueError):
                framing.milliseconds(bad)

    def test_check_agrees_with_available(self):
        try:
            kernel.check()
            works = True
        except kws.Unavailable:
            works = False
        self.assertEqual(kws.available(), works)
