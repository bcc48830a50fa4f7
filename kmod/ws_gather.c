// SPDX-License-Identifier: GPL-2.0-only
/*
 * The frames of many short messages, built in one loop: one user-access
 * section for all of them, in which no call may be made. Most messages are
 * like the first, so this is what is looked for: one comparison covers the
 * whole of struct ws_msg.
 *
 * The server's frames only: a mask is a call to the random number generator.
 */
#include <linux/instrumented.h>
#include <linux/uaccess.h>

#include "ws.h"
#include "ws_gather.h"

/* From here on it pays to leave the section and call the kernel's copy. */
#define COPY_MIN	256

/* Within a user-access section; false for a fault. */
static __always_inline bool get_one(u8 *q, const u8 __user *p)
{
	u64 w;

	unsafe_get_user(w, (const u64 __user *)p, fault);
	ws_store64(q, w);
	return true;
fault:
	return false;
}

static __always_inline bool get_four(u8 *q, const u8 __user *p)
{
	return get_one(q, p) && get_one(q + 8, p + 8) &&
	       get_one(q + 16, p + 16) && get_one(q + 24, p + 24);
}

/* As many times 32 bytes as there are: mostly none, or one. */
static __always_inline bool get_fours(u8 *q, const u8 __user *p, u64 n)
{
	if (unlikely(n >= 64)) {
		for (; n >= 32; n -= 32, p += 32, q += 32)
			if (!get_four(q, p))
				return false;
	} else if (n & 32) {
		if (!get_four(q, p))
			return false;
	}
	return true;
}

/* All of it, and what it takes to fill a word behind it, up to @end. */
static __always_inline bool get_padded(u8 *q, const u8 __user *p, u64 n,
				       const u8 __user *end)
{
	u64 done = n & ~31ULL;

	if (!get_fours(q, p, n))
		return false;
	if (!(n & 31))
		return true;
	for (p += done, q += done; p < end; p += 8, q += 8)
		if (!get_one(q, p))
			return false;
	return true;
}

/* Less than 32 bytes, behind others if @before. */
static __always_inline bool get_rest(u8 *q, const u8 __user *p, u64 n,
				     bool before)
{
	for (; n >= 8; n -= 8, p += 8, q += 8, before = true)
		if (!get_one(q, p))
			return false;
	if (!n)
		return true;
	if (before)
		return get_one(q + n - 8, p + n - 8);
	for (; n; n--, p++, q++)
		unsafe_get_user(*q, p, fault);
	return true;
fault:
	return false;
}

/* All of it and no more. */
static __always_inline bool get_exactly(u8 *q, const u8 __user *p, u64 n)
{
	u64 done = n & ~31ULL;

	return get_fours(q, p, n) &&
	       (!(n & 31) || get_rest(q + done, p + done, n & 31, done));
}

/*
 * As many as are worth it, outside of the section, which is open again when
 * this returns true.
 */
static __always_inline bool get_long(u8 *q, const u8 __user *p, u64 n)
{
	unsigned long left;

	user_read_access_end();
	instrument_copy_from_user_before(q, p, n);
	left = raw_copy_from_user(q, p, n);
	instrument_copy_from_user_after(q, p, n, left);
	return !left && user_read_access_begin(p, n);
}

/* What a struct ws_msg is but for its length, of little endian. */
static __always_inline u64 kind_of(u64 msg)
{
	return msg & ~((u64)WS_MSG_MORE << 40) & ~(u64)U32_MAX;
}

/* Opcode of a whole data message; else larger than any. */
static __always_inline u32 opcode_of(u64 msg)
{
	return (kind_of(msg) >> 32) - (WS_MSG_END << 8);
}

/*
 * The header of a frame that is longer or of a message unlike the first;
 * return: where the payload goes, or NULL if it is not for us.
 */
static __always_inline u8 *put_other_header(u8 *to, u64 msg, u8 opcode)
{
	u32 what = opcode_of(msg), n = msg;

	if (what > WS_OP_BINARY || n > WS_GATHER_MAX)
		return NULL;
	to[0] = 0x80 | (what ?: opcode);
	if (n < 126) {
		to[1] = n;
		return to + 2;
	}
	to[1] = 126;
	to[2] = n >> 8;
	to[3] = n;
	return to + 4;
}

/* For less than 126 bytes; it starts as the first frame does. */
static __always_inline void put_header(u8 *to, u32 start, u32 n)
{
	ws_store16(to, start + (n << 8));
}

/**
 * ws_gather_records() - build the frames of records of whole messages
 * @opcode: for messages that name none
 * @from: the writer's memory
 * @end: its end; a multiple of 8 bytes, and 8 at least
 * @to: where the frames go; there is as much room, as none is longer than its
 *	record
 * @g: filled; up to where memory cannot be read
 *
 * As long as they are short and lie in one piece; it stops at whatever is
 * anything else.
 */
void ws_gather_records(u8 opcode, const u8 __user *from, const u8 __user *end,
		       u8 *to, struct ws_gathered *g)
{
	const u8 __user *begin = from;
	u32 start, messages = 0;
	u64 msg, kind, len = 0;
	u8 *tobegin = to;

	if (!WS_PLAIN || !user_read_access_begin(from, end - from))
		return;
	unsafe_get_user(msg, (const u64 __user *)from, out);
	kind = kind_of(msg);
	start = 0x80 + (opcode_of(msg) ?: opcode);
	if (opcode_of(msg) > WS_OP_BINARY)
		goto out;
	do {
		const u8 __user *p = from + sizeof(msg), *next;
		u8 *q = to + 2;
		u64 n;

		unsafe_get_user(msg, (const u64 __user *)from, out);
		n = (msg & ~((u64)WS_MSG_MORE << 40)) - kind;
		if (likely(n < 126)) {
			put_header(to, start, n);
		} else {
			n = (u32)msg;
			q = put_other_header(to, msg, opcode);
			if (!q)
				break;
		}
		next = p + ALIGN(n, 8);
		if (next > end)
			break;
		/* The next frame overwrites the padding. */
		if (unlikely(n >= COPY_MIN)) {
			if (!get_long(q, p, n))
				goto closed;
		} else if (!get_padded(q, p, n, next)) {
			break;
		}
		to = q + n;
		from = next;
		len += n;
		messages++;
	} while (from < end);
out:
	user_read_access_end();
closed:
	g->len = len;
	g->messages = messages;
	g->in = from - begin;
	g->out = to - tobegin;
}

/**
 * ws_gather_array() - build the frames of an array of whole messages
 * @opcode: for messages that name none
 * @msgs: the messages
 * @count: how many, 1 or more
 * @from: the writer's memory
 * @in: bytes that are left of it
 * @to: where the frames go
 * @room: how much there is
 * @g: filled
 *
 * As ws_gather_records().
 */
void ws_gather_array(u8 opcode, const struct ws_msg *msgs, u32 count,
		     const u8 __user *from, size_t in, u8 *to, size_t room,
		     struct ws_gathered *g)
{
	const u8 __user *begin = from, *end = from + in;
	const u64 *at = (const u64 *)msgs, *atend = at + count;
	u32 start = 0x80 + (opcode_of(*at) ?: opcode);
	/* So a header can be written before its room is asked for. */
	u8 *tobegin = to, *toend = to + room - WS_HDR_MAX;
	u64 kind = kind_of(*at);

	if (!WS_PLAIN || room < WS_HDR_MAX || opcode_of(*at) > WS_OP_BINARY ||
	    !user_read_access_begin(from, in))
		return;
	do {
		const u8 __user *p = from, *next;
		u8 *q = to + 2;
		u64 n;

		n = (*at & ~((u64)WS_MSG_MORE << 40)) - kind;
		if (likely(n < 126)) {
			put_header(to, start, n);
		} else {
			n = (u32)*at;
			q = put_other_header(to, *at, opcode);
			if (!q)
				break;
		}
		next = p + n;
		if (next > end || q + n > toend)
			break;
		if (unlikely(n >= COPY_MIN)) {
			if (!get_long(q, p, n))
				goto closed;
		} else if (!get_exactly(q, p, n)) {
			break;
		}
		to = q + n;
		from = next;
	} while (++at < atend);
	user_read_access_end();
closed:
	g->len = from - begin;
	g->messages = at - (const u64 *)msgs;
	g->in = from - begin;
	g->out = to - tobegin;
}
