/* SPDX-License-Identifier: GPL-2.0-only */
/* Short messages. Included by ws.h only. */
#ifndef _WS_PLAIN_H
#define _WS_PLAIN_H

/* Short messages, for those who look at many of them in a loop. */

/* The loops below store and compare words as these machines have them. */
#define WS_PLAIN	(IS_ENABLED(CONFIG_64BIT) && \
			 !IS_ENABLED(CONFIG_CPU_BIG_ENDIAN) && \
			 IS_ENABLED(CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS))

/**
 * ws_plain_kind() - is this the header of a whole message of one frame?
 * @head: the first eight bytes of a frame
 * @masked: whether a mask is expected
 * @rsv: WS_RSV1 if it may be set, or 0
 * @least: WS_OP_TEXT, or WS_OP_BINARY if only that will do
 *
 * Return: its opcode less @least; beyond WS_OP_BINARY's for anything else.
 */
static __always_inline u32 ws_plain_kind(u64 head, bool masked, u32 rsv,
					 u32 least)
{
	/* FIN, and the mask bit as it must be. */
	return ((u32)head & (0x80ff - rsv)) - (masked ? 0x8080 : 0x80) - least;
}

/**
 * ws_plain_len() - the length that follows such a header's first two bytes
 * @head: the first eight bytes of a frame whose length is not in the first two
 *
 * Return: payload bytes; 0 when it is too long for us or ws_hdr_parse() would
 * not accept it.
 */
static __always_inline u32 ws_plain_len(u64 head)
{
	u32 n = swab16(head >> 16);

	return (head >> 8 & 0x7f) == 126 && n > 125 ? n : 0;
}

/* The mask of a frame is in the four bytes before its payload. */
static __always_inline u32 ws_plain_key(const u8 *p, bool masked)
{
	return masked ? ws_load32(p - 4) : 0;
}

/* One that is longer and alone has ws_copy_unmask(), which knows vectors. */
#define WS_PLAIN_ONE_MAX	1024

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
 * ws_plain_parse() - look for such a message
 * @q: where it begins
 * @size: how many bytes of the stream lie there in one piece
 * @masked: whether a mask is expected
 * @one: filled
 *
 * Return: false for anything else.
 */
static __always_inline bool ws_plain_parse(const u8 *q, u32 size, bool masked,
					   struct ws_plain *one)
{
	u32 before = masked ? 6 : 2, kind;
	u64 head;

	if (size < 8)
		return false;
	head = ws_load64(q);
	kind = ws_plain_kind(head, masked, 0, WS_OP_TEXT);
	if (kind > 1)
		return false;
	one->opcode = WS_OP_TEXT + kind;
	one->len = head >> 8 & 0x7f;
	if (unlikely(one->len > 125)) {
		one->len = ws_plain_len(head);
		before += 2;
		if (!one->len || one->len > WS_PLAIN_ONE_MAX)
			return false;
	}
	one->size = before + one->len;
	return one->size <= size;
}

#endif /* _WS_PLAIN_H */
