// SPDX-License-Identifier: GPL-2.0-only
/*
 * The frames of many short messages, built in one loop: one user-access
 * section for all of them, in which no call may be made. Most messages are as
 * long as one byte says and otherwise like the one before, so this is what is
 * looked for: one comparison covers the whole of struct ws_msg.
 *
 * Frames of the server only: a mask needs a call of the random number
 * generator.
 */
#include <linux/instrumented.h>
#include <linux/uaccess.h>

#include "ws_short_rx.h"
#include "ws_short_tx.h"

/* From here on it pays to leave the section and call the kernel's copy. */
#define COPY_MIN	256

/* Of a struct ws_msg of little endian; nothing to a sender. */
#define MORE		((u64)WS_MSG_MORE << 40)

/**
 * struct ws_builder - state of the loop
 * @opcode: for messages that name none
 * @from: the writer's memory
 * @end: of it
 * @at: the next struct ws_msg of an array; records have theirs in @from
 * @atend: where the array ends
 * @to: where the next frame goes
 * @toend: with an array: where a payload may end at most, less its header
 * @messages: how many are built
 * @headers: bytes of their headers
 */
struct ws_builder {
	u8 opcode;
	const u8 __user *from;
	const u8 __user *end;
	const u64 *at;
	const u64 *atend;
	u8 *to;
	u8 *toend;
	u32 messages;
	u32 headers;
};

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

/*
 * Less than eight bytes. Where eight can be read, before @end, eight are
 * written to @q.
 */
static __always_inline bool get_end(u8 *q, const u8 __user *p, u64 n,
				    const u8 __user *end, bool records)
{
	/* A record fills its words. */
	if (records || end - p >= 8)
		return get_one(q, p);
	for (; n; n--, p++, q++)
		unsafe_get_user(*q, p, fault);
	return true;
fault:
	return false;
}

/* Less than 32 bytes. */
static __always_inline bool get_rest(u8 *q, const u8 __user *p, u64 n,
				     const u8 __user *end, bool records)
{
	if (n & 16) {
		if (!get_one(q, p) || !get_one(q + 8, p + 8))
			return false;
		q += 16;
		p += 16;
	}
	if (n & 8) {
		if (!get_one(q, p))
			return false;
		q += 8;
		p += 8;
	}
	return !(n & 7) || get_end(q, p, n & 7, end, records);
}

/* 126 bytes or more. */
static __always_inline bool get_more(u8 *q, const u8 __user *p, u64 n,
				     const u8 __user *end, bool records)
{
	for (; n >= 32; n -= 32, q += 32, p += 32)
		if (!get_four(q, p))
			return false;
	return get_rest(q, p, n, end, records);
}

/* Less than 128 bytes. */
static __always_inline bool get_payload(u8 *q, const u8 __user *p, u64 n,
					const u8 __user *end, bool records)
{
	u64 done = n & ~31ULL;

	if (unlikely(n >= 64)) {
		if (!get_four(q, p) || !get_four(q + 32, p + 32) ||
		    (n & 32 && !get_four(q + 64, p + 64)))
			return false;
	} else if (n & 32) {
		if (!get_four(q, p))
			return false;
	}
	return !(n & 31) || get_rest(q + done, p + done, n & 31, end, records);
}

/* Opcode of a whole data message; else larger than any. */
static __always_inline u32 opcode_of(u64 msg)
{
	return (msg >> 32) - (WS_MSG_END << 8);
}

static __always_inline bool is_left(const struct ws_builder *g, bool records)
{
	return records ? g->from < g->end : g->at < g->atend;
}

/* The header of a frame with a length of two bytes. */
static __always_inline void put_longer(u8 *to, u8 start, u32 n)
{
	to[0] = start;
	to[1] = 126;
	to[2] = n >> 8;
	to[3] = n;
}

/* The next struct ws_msg, within a user-access section; false for a fault. */
static __always_inline bool get_msg(const struct ws_builder *g, bool records,
				    u64 *msg)
{
	if (records)
		unsafe_get_user(*msg, (const u64 __user *)g->from, fault);
	else
		*msg = *g->at;
	*msg &= ~MORE;
	return true;
fault:
	return false;
}

/*
 * As many as are less than COPY_MIN. There is no call in it, so that all that
 * the loop needs has registers.
 */
static __always_inline void build_short(struct ws_builder *s, bool records)
{
	struct ws_builder g = *s;
	/* A short message less its length, and how its frame begins. */
	u64 kind = (u64)WS_MSG_END << 40;
	u8 start = 0x80 | g.opcode;

	if (!user_read_access_begin(g.from, g.end - g.from))
		return;
	do {
		const u8 __user *p = records ? g.from + sizeof(u64) : g.from;
		const u8 __user *next;
		u64 n;

		if (!get_msg(&g, records, &n))
			break;
		n -= kind;
		if (unlikely(n > 125)) {
			n += kind;
			kind = n - (u32)n;
			start = 0x80 | (opcode_of(n) ?: g.opcode);
			if (opcode_of(n) > WS_OP_BINARY || (u32)n >= COPY_MIN)
				break;
			n = (u32)n;
		}
		next = p + (records ? ALIGN(n, 8) : n);
		if (next > g.end || (!records && (s64)n > g.toend - g.to))
			break;
		/* What is behind it the next frame overwrites. */
		if (unlikely(n > 125)) {
			put_longer(g.to, start, n);
			if (!get_more(g.to + 4, p, n, g.end, records))
				break;
			g.to += 2;
			g.headers += 2;
		} else {
			g.to[0] = start;
			g.to[1] = n;
			if (!get_payload(g.to + 2, p, n, g.end, records))
				break;
		}
		g.to += 2 + n;
		g.from = next;
		if (records)
			g.messages++;
		else
			g.at++;
	} while (is_left(&g, records));
	user_read_access_end();
	if (!records)
		g.messages += g.at - s->at;
	s->headers = g.headers + 2 * (g.messages - s->messages);
	s->messages = g.messages;
	s->from = g.from;
	s->at = g.at;
	s->to = g.to;
}

static noinline void short_records(struct ws_builder *g)
{
	build_short(g, true);
}

static noinline void short_array(struct ws_builder *g)
{
	build_short(g, false);
}

/* One of any length; false if it is not for us. */
static __always_inline bool build_one(struct ws_builder *g, u64 msg, bool records)
{
	const u8 __user *p = records ? g->from + sizeof(msg) : g->from;
	u32 opcode = opcode_of(msg), n = msg, header = n > 125 ? 4 : 2;
	unsigned long left;
	u8 *to = g->to;

	if (opcode > WS_OP_BINARY || n > WS_SHORT_BUILD_MAX ||
	    (records ? ALIGN(n, 8) : n) > g->end - p ||
	    (!records && to + n > g->toend))
		return false;
	to[0] = 0x80 | (opcode ?: g->opcode);
	to[1] = n;
	if (n > 125)
		put_longer(to, to[0], n);
	/* The caller's section has checked where it is from. */
	instrument_copy_from_user_before(to + header, p, n);
	left = raw_copy_from_user(to + header, p, n);
	instrument_copy_from_user_after(to + header, p, n, left);
	if (left)
		return false;
	g->to += header + n;
	g->from = p + (records ? ALIGN(n, 8) : n);
	g->at += !records;
	g->messages++;
	g->headers += header;
	return true;
}

/*
 * The one at hand, and those behind it that are not for build_short() either.
 * False when nothing more is for us.
 */
static __always_inline bool build_long(struct ws_builder *g, bool records)
{
	bool first = true;

	do {
		bool good;
		u64 msg;

		if (!user_read_access_begin(g->from, g->end - g->from))
			return false;
		good = get_msg(g, records, &msg);
		user_read_access_end();
		if (!good)
			return false;
		if (!first && (u32)msg < COPY_MIN)
			return true;
		if (!build_one(g, msg, records))
			return false;
		first = false;
	} while (is_left(g, records));
	return false;
}

static __always_inline void build(struct ws_builder *g, bool records,
				  struct ws_built *sum)
{
	const u8 __user *from = g->from;
	u8 *to = g->to;

	if (!WS_SHORT)
		return;
	do {
		if (records)
			short_records(g);
		else
			short_array(g);
	} while (is_left(g, records) && build_long(g, records));
	sum->messages = g->messages;
	sum->in = g->from - from;
	sum->out = g->to - to;
	sum->len = sum->out - g->headers;
}

/*
 * Build the frames of records of whole messages, from @from to @end, a multiple
 * of 8 bytes and 8 at least; @opcode is for messages that name none. @to has as
 * much room, as no frame is longer than its record. Stops at a message that is
 * too long or anything else, and where memory cannot be read; @sum says what
 * was built. May sleep on user memory.
 */
void ws_short_build_records(u8 opcode, const u8 __user *from, const u8 __user *end,
			    u8 *to, struct ws_built *sum)
{
	struct ws_builder g = {
		.opcode = opcode,
		.from = from,
		.end = end,
		.to = to,
	};

	build(&g, true, sum);
}

/*
 * The same for @count messages of @msgs, 1 or more, whose payloads are @from.
 */
void ws_short_build_array(u8 opcode, const struct ws_msg *msgs, u32 count,
			  const u8 __user *from, size_t in, u8 *to, size_t room,
			  struct ws_built *sum)
{
	struct ws_builder g = {
		.opcode = opcode,
		.from = from,
		.end = from + in,
		.at = (const u64 *)msgs,
		.atend = (const u64 *)msgs + count,
		.to = to,
		/* A header and the last word may be written unasked. */
		.toend = to + room - WS_HDR_MAX,
	};

	if (room >= WS_HDR_MAX)
		build(&g, false, sum);
}
