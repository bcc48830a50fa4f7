// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * The frame header and the rules on the order of frames,
 * RFC 6455 sections 5.1 to 5.5.
 */
#include "core.h"

/**
 * ws_hdr_parse() - read one frame header
 * @p: bytes of the stream, starting at a frame boundary
 * @n: how many there are; more than WS_HDR_MAX are not read
 * @hdr: filled when the header is whole
 *
 * Checks what the header alone can break: a length of 2^63 or more or not in
 * its shortest form, and the two rules on control frames. A fault is reported
 * as soon as the bytes that show it are there.
 *
 * Return: the size of the header (2 to WS_HDR_MAX), 0 when more bytes are
 * needed, or the negated &enum ws_rule that it breaks.
 */
int ws_hdr_parse(const u8 *p, size_t n, struct ws_hdr *hdr)
{
	size_t size = 2;
	u64 len;

	if (n < 2)
		return 0;

	hdr->fin = p[0] & 0x80;
	hdr->rsv = p[0] & WS_RSV_MASK;
	hdr->opcode = p[0] & 0x0f;
	hdr->masked = p[1] & 0x80;
	hdr->key = 0;
	len = p[1] & 0x7f;

	if (ws_op_is_control(hdr->opcode)) {
		if (len > WS_CTRL_MAX)
			return -WS_RULE_CONTROL_LENGTH;
		if (!hdr->fin)
			return -WS_RULE_CONTROL_FRAGMENT;
	}

	if (len == 126) {
		size += 2;
		if (n < size)
			return 0;
		len = (u64)p[2] << 8 | p[3];
		if (len < 126)
			return -WS_RULE_LENGTH;
	} else if (len == 127) {
		size += 8;
		if (n < size)
			return 0;
		len = (u64)p[2] << 56 | (u64)p[3] << 48 |
		      (u64)p[4] << 40 | (u64)p[5] << 32 |
		      (u64)p[6] << 24 | (u64)p[7] << 16 |
		      (u64)p[8] << 8 | p[9];
		if (len < 65536 || len >> 63)
			return -WS_RULE_LENGTH;
	}
	hdr->len = len;

	if (hdr->masked) {
		if (n < size + 4)
			return 0;
		hdr->key = ws_load32(p + size);
		size += 4;
	}
	return size;
}

/**
 * ws_hdr_build() - write one frame header
 * @p: room for WS_HDR_MAX bytes, or for ws_hdr_size() of them
 * @hdr: what to write; @hdr->len below 2^63
 *
 * Return: bytes written, as ws_hdr_size() says.
 */
size_t ws_hdr_build(u8 *p, const struct ws_hdr *hdr)
{
	u8 mask = hdr->masked ? 0x80 : 0;
	u64 len = hdr->len;
	size_t size = 2;

	p[0] = (hdr->fin ? 0x80 : 0) | hdr->rsv | hdr->opcode;
	if (len <= 125) {
		p[1] = mask | len;
	} else if (len <= 65535) {
		p[1] = mask | 126;
		p[2] = len >> 8;
		p[3] = len;
		size = 4;
	} else {
		int i;

		p[1] = mask | 127;
		for (i = 0; i < 8; i++)
			p[2 + i] = len >> (56 - 8 * i);
		size = 10;
	}
	if (hdr->masked) {
		ws_store32(p + size, hdr->key);
		size += 4;
	}
	return size;
}

/**
 * ws_seq_check() - may this frame come now?
 * @seq: where the direction stands
 * @hdr: a header that ws_hdr_parse() accepted
 * @role: WS_ROLE_*, of the side that receives the frame
 * @rsv: reserved bits that the first frame of a data message may have, as
 *	ws_config::rsv (RFC 7692 section 6.1 forbids them on all others)
 * @max_message: the largest message that is accepted, in bytes
 *
 * Return: WS_RULE_NONE, or the rule that the frame breaks.
 */
enum ws_rule ws_seq_check(const struct ws_seq *seq, const struct ws_hdr *hdr,
			  u32 role, u8 rsv, u64 max_message)
{
	if (hdr->opcode != WS_OP_TEXT && hdr->opcode != WS_OP_BINARY)
		rsv = 0;
	if (hdr->rsv & ~rsv)
		return WS_RULE_RSV;
	if (hdr->masked && role != WS_ROLE_SERVER)
		return WS_RULE_MASKED;
	if (!hdr->masked && role == WS_ROLE_SERVER)
		return WS_RULE_UNMASKED;

	switch (hdr->opcode) {
	case WS_OP_CLOSE:
	case WS_OP_PING:
	case WS_OP_PONG:
		return WS_RULE_NONE;
	case WS_OP_CONT:
		if (!seq->opcode)
			return WS_RULE_CONTINUATION;
		/* Both are below 2^63 or the limit has been met before. */
		if (hdr->len > max_message || seq->len > max_message - hdr->len)
			return WS_RULE_TOO_BIG;
		return WS_RULE_NONE;
	case WS_OP_TEXT:
	case WS_OP_BINARY:
		if (seq->opcode)
			return WS_RULE_INTERLEAVED;
		if (hdr->len > max_message)
			return WS_RULE_TOO_BIG;
		return WS_RULE_NONE;
	default:
		return WS_RULE_OPCODE;
	}
}

/**
 * ws_seq_frame() - take a frame into account
 * @seq: where the direction stands; changed
 * @hdr: a frame that ws_seq_check() allowed, or one about to be sent
 *
 * A frame with FIN leaves no message open. Control frames change nothing.
 */
void ws_seq_frame(struct ws_seq *seq, const struct ws_hdr *hdr)
{
	if (ws_op_is_control(hdr->opcode))
		return;
	if (hdr->opcode != WS_OP_CONT) {
		seq->opcode = hdr->opcode;
		seq->len = 0;
	}
	seq->len += hdr->len;
	if (hdr->fin) {
		seq->opcode = 0;
		seq->len = 0;
	}
}
