# SPDX-License-Identifier: GPL-2.0-only
"""The opening handshake, as little of it as the cases need."""
import base64
import hashlib
import os

from wire import Deflate

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
HEAD_MAX = 65536


class HandshakeError(Exception):
    """The peer's head is not what it should be."""


def accept_of(key):
    """Sec-WebSocket-Accept for a Sec-WebSocket-Key, RFC 6455 4.2.2."""
    return base64.b64encode(hashlib.sha1(key.encode() + GUID).digest()).decode()


async def read_head(reader):
    """(first line, {name: value}) of a head; equal names are joined."""
    head = await reader.readuntil(b"\r\n\r\n")
    if len(head) > HEAD_MAX:
        raise HandshakeError("head too long")
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return first, fields


def parse_extensions(text):
    """[(name, {parameter: value})]"""
    found = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        name, *params = (part.strip() for part in item.split(";"))
        values = {}
        for param in params:
            key, _, value = param.partition("=")
            if key.strip() in values:
                raise HandshakeError(f"{key} twice")
            values[key.strip()] = value.strip().strip('"')
        found.append((name, values))
    return found


def bits_of(values, name, empty=15):
    """A window size."""
    value = values.get(name)
    if value is None or value == "":
        return empty
    if not value.isdigit() or not 8 <= int(value) <= 15:
        raise HandshakeError(f"{name}={value}")
    return int(value)


async def connect(reader, writer, host, path, offers):
    """As a client. Returns what was agreed: a Deflate, or None."""
    key = base64.b64encode(os.urandom(16)).decode()
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Upgrade: websocket",
             "Connection: Upgrade", f"Sec-WebSocket-Key: {key}",
             "Sec-WebSocket-Version: 13"]
    if offers:
        lines.append("Sec-WebSocket-Extensions: " + ", ".join(offers))
    writer.write("\r\n".join(lines + ["", ""]).encode())
    first, fields = await read_head(reader)
    if first.split(" ")[1:2] != ["101"]:
        raise HandshakeError(first)
    if fields.get("sec-websocket-accept") != accept_of(key):
        raise HandshakeError("wrong Sec-WebSocket-Accept")
    if fields.get("upgrade", "").lower() != "websocket" or \
       "upgrade" not in fields.get("connection", "").lower():
        raise HandshakeError("no Upgrade")
    extensions = parse_extensions(fields.get("sec-websocket-extensions", ""))
    if not extensions:
        return None
    if not offers or len(extensions) > 1 or \
       extensions[0][0] != "permessage-deflate":
        raise HandshakeError(f"extensions {extensions}")
    values = extensions[0][1]
    unknown = set(values) - {
        "server_no_context_takeover", "client_no_context_takeover",
        "server_max_window_bits", "client_max_window_bits"}
    if unknown or values.get("server_max_window_bits") == "" or \
       values.get("client_max_window_bits") == "" or \
       not any(grants(text, values) for text in offers):
        raise HandshakeError(f"parameters {values}")
    return Deflate(bits_of(values, "client_max_window_bits"),
                   "client_no_context_takeover" in values,
                   bits_of(values, "server_max_window_bits"),
                   "server_no_context_takeover" in values)


def grants(text, values):
    """Does the response give what the offer asks for?"""
    asked = parse_extensions(text)[0][1]
    if "server_no_context_takeover" in asked and \
       "server_no_context_takeover" not in values:
        return False
    return "server_max_window_bits" not in asked or \
        bits_of(values, "server_max_window_bits") <= \
        bits_of(asked, "server_max_window_bits")


def choose(fields, wishes):
    """As a server: (Deflate or None, text of the response)."""
    extensions = fields.get("sec-websocket-extensions", "")
    offers = [values for name, values in parse_extensions(extensions)
              if name == "permessage-deflate"]
    for no_takeover, bits in wishes:
        for values in offers:
            # Not to keep the context can be asked of any client, section
            # 7.1.1.2; a smaller window only of one that said it could.
            if bits and "client_max_window_bits" not in values:
                continue
            return agree(values, no_takeover, bits)
    return None, ""


def agree(values, no_takeover, bits):
    """The answer to one offer."""
    text = "permessage-deflate"
    ours = bits_of(values, "server_max_window_bits")
    if "server_no_context_takeover" in values:
        text += "; server_no_context_takeover"
    if "server_max_window_bits" in values:
        text += f"; server_max_window_bits={ours}"
    if no_takeover:
        text += "; client_no_context_takeover"
    if bits:
        text += f"; client_max_window_bits={bits}"
    return Deflate(ours, "server_no_context_takeover" in values,
                   bits or 15, no_takeover), text


async def answer(writer, fields, extension):
    """As a server."""
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket",
             "Connection: Upgrade", "Sec-WebSocket-Accept: " +
             accept_of(fields.get("sec-websocket-key", ""))]
    if extension:
        lines.append("Sec-WebSocket-Extensions: " + extension)
    writer.write("\r\n".join(lines + ["", ""]).encode())
    await writer.drain()
