/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Short messages of one frame, which are most: one decoder of their headers,
 * and the loops that give them to the reader.
 */
#ifndef _WS_SHORT_RX_H
#define _WS_SHORT_RX_H

#include <linux/swab.h>

#include "core/core.h"
#include "ws_ctx.h"

/* Are there loops? They need 64-bit little-endian words at any address. */
#define WS_SHORT	(IS_ENABLED(CONFIG_64BIT) && \
			 !IS_ENABLED(CONFIG_CPU_BIG_ENDIAN) && \
			 IS_ENABLED(CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS))

/* The mask of a frame is in the four bytes before its payload. */
static __always_inline u32 ws_short_key(const u8 *p, bool masked)
{
	return masked ? ws_load32(p - 4) : 0;
}

/**
 * struct ws_short - a short message of one frame
 * @size: bytes of the frame
 * @len: bytes of its payload
 * @opcode: WS_OP_TEXT or WS_OP_BINARY
 */
struct ws_short {
	u32 size;
	u32 len;
	u32 opcode;
};

/*
 * Is @head, the first eight bytes of a frame, the header of such a message,
 * with at most @limit bytes of payload, 125 or more? @rsv is WS_RSV1 if that
 * may be set, or 0. Return: false for anything else, and for what
 * ws_hdr_parse() would not accept.
 */
static __always_inline bool ws_short_head(u64 head, bool masked, u32 rsv,
					  u64 limit, struct ws_short *one)
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

/* Is there such a message at @q, whole, in @size bytes of the stream? */
static __always_inline bool ws_short_parse(const u8 *q, size_t size, bool masked,
					   u64 limit, struct ws_short *one)
{
	return size >= 8 &&
	       ws_short_head(ws_load64(q), masked, 0, limit, one) &&
	       one->size <= size;
}

/* Is it binary, or UTF-8? */
static __always_inline bool ws_short_is_valid(const u8 *q, bool masked,
					      const struct ws_short *one)
{
	const u8 *p = q + one->size - one->len;

	return one->opcode != WS_OP_TEXT ||
	       ws_utf8(WS_UTF8_OK, p, one->len, ws_short_key(p, masked)) ==
	       WS_UTF8_OK;
}

/**
 * struct ws_given - what one call gives the reader
 * @cur: where it leaves the reader
 * @len: payload bytes
 * @messages: how many messages it ends
 * @pieces: how many pieces of messages it gives that do not end them
 */
struct ws_given {
	struct ws_cursor cur;
	u64 len;
	u32 messages;
	u32 pieces;
};

/**
 * struct ws_batch - one call
 * @ctx: the socket
 * @given: what it gives so far
 * @used: bytes of the reader's buffer
 * @desc: WS_F_BATCH: one for each message; NULL for records
 * @max: room in @desc
 * @n: messages and pieces so far
 * @left: whole messages that are still there
 * @limit: where the bytes end that ws_short_copy() may parse
 * @last: the last record of ws_short_copy()
 * @end: the last one of @n ends its message
 * @unsure: WS_MSG_MORE set provisionally in the last record
 * @fresh: ws_short_copy() gets bytes that were not scanned, but for the first
 *	message
 * @try_short: ws_short_copy() may be tried
 * @vector: unmask with vector registers
 */
struct ws_batch {
	struct ws_ctx *ctx;
	struct ws_given given;
	size_t used;
	struct ws_msg *desc;
	u32 max;
	u32 n;
	u32 left;
	u32 limit;
	u8 __user *last;
	bool end;
	bool unsure;
	bool fresh;
	bool try_short;
	bool vector;
};

u32 ws_short_copy(struct ws_batch *b, const u8 *q, u32 n, u8 __user *u,
		  u32 room);
bool ws_short_copy_one(const struct ws_ctx *ctx, const u8 *q, u32 size,
		       u8 __user *to, size_t room, bool record,
		       struct ws_short *one);

#endif /* _WS_SHORT_RX_H */
