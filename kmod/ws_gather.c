// SPDX-License-Identifier: GPL-2.0-only
/*
 * The frames of many short messages, built in one loop: one user-access
 * section for all of them, in which no call may be made.
 */
#include <linux/uaccess.h>

#include "ws.h"
#include "ws_gather.h"

/* Within a user-access section; false for a fault. */
static __always_inline bool get_one(u8 *q, const u8 __user *p)
{
	u64 w;

	unsafe_get_user(w, (const u64 __user *)p, fault);
	ws_word_put(q, w);
	return true;
fault:
	return false;
}

static __always_inline bool get_four(u8 *q, const u8 __user *p)
{
	return get_one(q, p) && get_one(q + 8, p + 8) &&
	       get_one(q + 16, p + 16) && get_one(q + 24, p + 24);
}

/* The header of a short message's frame; return: where the payload goes. */
static __always_inline u8 *put_header(u8 *to, u32 opcode, u32 n)
{
	if (likely(n < 126)) {
		((struct ws_u16 *)to)->v = 0x80 | opcode | n << 8;
		return to + 2;
	}
	to[0] = 0x80 | opcode;
	to[1] = 126;
	to[2] = n >> 8;
	to[3] = n;
	return to + 4;
}

/* Opcode of a whole data message, whatever MORE says; else larger than any. */
static __always_inline u32 plain_opcode(u64 msg)
{
	return (msg >> 32 & (0xffff & ~(WS_MSG_MORE << 8))) -
		(WS_MSG_END << 8);
}

/**
 * ws_gather_records() - build the frames of records of whole messages
 * @opcode: for messages that name none
 * @from: the writer's memory
 * @end: its end
 * @to: where the frames go; there is as much room
 * @g: filled
 *
 * As long as they are short and lie in one piece; it stops at whatever is
 * anything else. The server's frames only: a mask is a call to the random
 * number generator. A frame is never longer than its record.
 */
void ws_gather_records(u8 opcode, const u8 __user *from, const u8 __user *end,
		       u8 *to, struct ws_gathered *g)
{
	const u8 __user *begin = from;
	u32 messages = 0;
	u8 *start = to;
	u64 len = 0;

	if (!user_read_access_begin(from, end - from))
		return;
	while (from < end) {
		const u8 __user *p = from + sizeof(struct ws_msg), *next;
		u64 head;
		u8 *q, *behind;
		u32 n, what;

		unsafe_get_user(head, (const u64 __user *)from, out);
		n = head;
		what = plain_opcode(head);
		next = p + ALIGN((u64)n, 8);
		if (what > WS_OP_BINARY || next > end)
			break;
		if (unlikely(!what))
			what = opcode;
		if (unlikely(n > WS_GATHER_MAX))
			break;
		q = put_header(to, what, n);
		behind = q + n;
		/* The padding comes along; the next frame overwrites it. */
		for (; n >= 64; n -= 32, p += 32, q += 32)
			if (!get_four(q, p))
				goto out;
		if (n & 32 && !get_four(q, p))
			goto out;
		if (n & 31) {
			p += n & 32;
			q += n & 32;
			for (; p != next; p += 8, q += 8)
				if (!get_one(q, p))
					goto out;
		}
		from = next;
		to = behind;
		len += (u32)head;
		messages++;
	}
out:
	user_read_access_end();
	g->len = len;
	g->messages = messages;
	g->in = from - begin;
	g->out = to - start;
}

/**
 * ws_gather_array() - build the frames of an array of whole messages
 * @opcode: for messages that name none
 * @msgs: the messages
 * @count: how many, 1 or more
 * @from: the writer's memory
 * @in: bytes that are left of it
 * @to: where the frames go
 * @room: the end of the room there
 * @g: filled
 *
 * As for ws_gather_records().
 */
void ws_gather_array(u8 opcode, const struct ws_msg *msgs, u32 count,
		     const u8 __user *from, size_t in, u8 *to, const u8 *room,
		     struct ws_gathered *g)
{
	const u8 __user *begin = from, *end = from + in;
	const struct ws_msg *first = msgs;
	u8 *start = to;

	if (!user_read_access_begin(from, in))
		return;
	for (; count; count--, msgs++) {
		u64 msg = ws_word((const u8 *)msgs);
		const u8 __user *p = from, *next;
		u32 n = msg, what;
		u8 *q, *behind;

		what = plain_opcode(msg);
		if (what > WS_OP_BINARY || n > WS_GATHER_MAX)
			break;
		next = from + n;
		if (next > end || to + WS_GATHER_ROOM(n) > room)
			break;
		if (unlikely(!what))
			what = opcode;
		q = put_header(to, what, n);
		behind = q + n;
		for (; n >= 64; n -= 32, p += 32, q += 32)
			if (!get_four(q, p))
				goto out;
		if (n & 32 && !get_four(q, p))
			goto out;
		if (n & 31) {
			p += n & 32;
			q += n & 32;
			n &= 31;
			for (; n >= 8; n -= 8, p += 8, q += 8)
				if (!get_one(q, p))
					goto out;
		}
		/* The next frame overwrites what is too much. */
		if (n & 31 && end - p >= 8) {
			if (!get_one(q, p))
				goto out;
		} else if (n & 31) {
			for (; n; n--, p++, q++)
				unsafe_get_user(*q, p, out);
		}
		from = next;
		to = behind;
	}
out:
	user_read_access_end();
	g->len = from - begin;
	g->messages = msgs - first;
	g->in = from - begin;
	g->out = to - start;
}
