# SPDX-License-Identifier: GPL-2.0-only
"""Frames as bytes, RFC 6455 section 5.2, and permessage-deflate, RFC 7692."""
import os
import zlib

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

# Status codes that may be on the wire, section 7.4 and the IANA registry.
CODES = {1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013,
         1014}


class Violation(Exception):
    """The peer broke a rule; the code is what a Close should say."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def xor(data, key):
    """Mask or unmask, section 5.3."""
    size = len(data)
    if not size:
        return b""
    keys = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(data, "little") ^
            int.from_bytes(keys, "little")).to_bytes(size, "little")


def header(opcode, size, fin=True, rsv=0, key=None):
    """A frame header; rsv is 0 to 7, the first bit worth 4."""
    mask = 0x80 if key is not None else 0
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if size <= 125:
        head += bytes([mask | size])
    elif size <= 65535:
        head += bytes([mask | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([mask | 127]) + size.to_bytes(8, "big")
    return head + (key or b"")


def frame(opcode, payload=b"", fin=True, rsv=0, masked=False):
    """A frame as it is sent."""
    if not masked:
        return header(opcode, len(payload), fin, rsv) + payload
    key = os.urandom(4)
    return header(opcode, len(payload), fin, rsv, key) + xor(payload, key)


class Parser:
    """Takes frames out of a stream and is strict about each header."""

    def __init__(self, masked, rsv1):
        self.masked = masked    # the peer must mask
        self.rsv1 = rsv1        # permessage-deflate was negotiated
        self.buf = bytearray()
        self.open = None        # opcode of the message under way
        self.packed = False     # ... which is compressed
        self.parts = []

    def feed(self, data):
        """Bytes from the peer."""
        self.buf += data

    def _header(self):
        """(fin, rsv, opcode, size of header, size of payload, key)."""
        buf = self.buf
        if len(buf) < 2:
            return None
        fin, rsv, opcode = buf[0] >> 7, buf[0] >> 4 & 7, buf[0] & 15
        masked, size, at = buf[1] >> 7, buf[1] & 127, 2
        if size >= 126:
            width = 2 if size == 126 else 8
            if len(buf) < at + width:
                return None
            size = int.from_bytes(buf[at:at + width], "big")
            if size < (126 if width == 2 else 65536) or size >> 63:
                raise Violation(1002, "length not minimal")
            at += width
        key = None
        if masked:
            if len(buf) < at + 4:
                return None
            key = bytes(buf[at:at + 4])
            at += 4
        return fin, rsv, opcode, at, size, key

    def _check(self, fin, rsv, opcode, size, key):
        if (key is not None) != self.masked:
            raise Violation(1002, "masked" if key else "not masked")
        if opcode >= 8:
            if rsv or opcode > PONG or not fin or size > 125:
                raise Violation(1002, f"control frame {opcode} rsv {rsv}")
            return
        if opcode > BINARY:
            raise Violation(1002, f"opcode {opcode}")
        if rsv and not (rsv == 4 and self.rsv1 and opcode):
            raise Violation(1002, f"rsv {rsv}")
        if (opcode == CONT) != (self.open is not None):
            raise Violation(1002, "fragments out of order")

    def next(self):
        """The next (opcode, payload, compressed), or None."""
        while True:
            head = self._header()
            if head is None:
                return None
            fin, rsv, opcode, at, size, key = head
            self._check(fin, rsv, opcode, size, key)
            if len(self.buf) < at + size:
                return None
            payload = bytes(self.buf[at:at + size])
            del self.buf[:at + size]
            if key is not None:
                payload = xor(payload, key)
            if opcode >= 8:
                return opcode, payload, False
            if opcode:
                self.open, self.packed = opcode, bool(rsv)
            self.parts.append(payload)
            if fin:
                message = self.open, b"".join(self.parts), self.packed
                self.open, self.parts = None, []
                return message


def parse_close(payload):
    """(code or None, reason) of a Close, section 5.5.1."""
    if not payload:
        return None, ""
    if len(payload) == 1:
        raise Violation(1002, "Close body of one byte")
    code = int.from_bytes(payload[:2], "big")
    if code not in CODES and not 3000 <= code <= 4999:
        raise Violation(1002, f"close code {code}")
    try:
        return code, payload[2:].decode()
    except UnicodeDecodeError as err:
        raise Violation(1007, "reason is not UTF-8") from err


class Deflate:
    """One direction's compressor and the other's decompressor."""

    TAIL = b"\0\0\xff\xff"

    def __init__(self, out_bits, out_reset, in_bits, in_reset):
        self.out_bits, self.out_reset = out_bits, out_reset
        self.in_bits, self.in_reset = in_bits, in_reset
        self.packer = self.unpacker = None

    def pack(self, message):
        """A message as it is sent."""
        if self.packer is None or self.out_reset:
            self.packer = zlib.compressobj(wbits=-max(self.out_bits, 9))
        data = self.packer.compress(message)
        data += self.packer.flush(zlib.Z_SYNC_FLUSH)
        return data[:-4]

    def unpack(self, data):
        """A message as it was meant."""
        if self.unpacker is None or self.in_reset:
            self.unpacker = zlib.decompressobj(wbits=-max(self.in_bits, 9))
        try:
            return self.unpacker.decompress(data + self.TAIL)
        except zlib.error as err:
            raise Violation(1007, f"inflate: {err}") from err
