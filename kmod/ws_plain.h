/* SPDX-License-Identifier: GPL-2.0-only */
/* Short messages of one frame: their headers. Included by ws.h only. */
#ifndef _WS_PLAIN_H
#define _WS_PLAIN_H

/* Their loops store and compare words as these machines have them. */
#define WS_PLAIN	(IS_ENABLED(CONFIG_64BIT) && \
			 !IS_ENABLED(CONFIG_CPU_BIG_ENDIAN) && \
			 IS_ENABLED(CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS))

/* The mask of a frame is in the four bytes before its payload. */
static __always_inline u32 ws_plain_key(const u8 *p, bool masked)
{
	return masked ? ws_load32(p - 4) : 0;
}

/**
 * struct ws_plain - a short message of one frame
 * @size: bytes of the frame
 * @len: bytes of its payload
 * @opcode: WS_OP_TEXT or WS_OP_BINARY
 */
struct ws_plain {
	u32 size;
	u32 len;
	u32 opcode;
};

/**
 * ws_plain_head() - is this the header of such a message?
 * @head: the first eight bytes of a frame
 * @masked: whether a mask is expected
 * @rsv: WS_RSV1 if it may be set, or 0
 * @limit: the longest payload, 125 or more
 * @one: filled
 *
 * Return: false for anything else, and for what ws_hdr_parse() would not accept.
 */
static __always_inline bool ws_plain_head(u64 head, bool masked, u32 rsv,
					  u64 limit, struct ws_plain *one)
{
	/* FIN, and the mask bit as it must be. */
	u32 kind = ((u32)head & (0x80ff - rsv)) - (masked ? 0x8080 : 0x80) -
		   WS_OP_TEXT;
	u32 before = masked ? 6 : 2;

	if (kind > 1)
		return false;
	one->opcode = WS_OP_TEXT + kind;
	one->len = head >> 8 & 0x7f;
	if (unlikely(one->len > 125)) {
		if (one->len != 126)
			return false;
		one->len = swab16(head >> 16);
		before += 2;
		if (one->len < 126 || one->len > limit)
			return false;
	}
	one->size = before + one->len;
	return true;
}

/**
 * ws_plain_parse() - look for such a message
 * @q: where it begins
 * @size: how many bytes of the stream lie there in one piece
 * @masked: whether a mask is expected
 * @limit: the longest payload, 125 or more
 * @one: filled
 *
 * Return: false for anything else.
 */
static __always_inline bool ws_plain_parse(const u8 *q, size_t size, bool masked,
					   u64 limit, struct ws_plain *one)
{
	return size >= 8 &&
	       ws_plain_head(ws_load64(q), masked, 0, limit, one) &&
	       one->size <= size;
}

/* Is it binary, or UTF-8? */
static __always_inline bool ws_plain_good(const u8 *q, bool masked,
					  const struct ws_plain *one)
{
	const u8 *p = q + one->size - one->len;

	return one->opcode != WS_OP_TEXT ||
	       ws_utf8(WS_UTF8_OK, p, one->len, ws_plain_key(p, masked)) ==
	       WS_UTF8_OK;
}

#endif /* _WS_PLAIN_H */
