// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many short messages on their way to the reader: one loop from the queue to
 * user memory.
 */
#include <linux/uaccess.h>

#include "ws_short_rx.h"
#include "ws_vector.h"

/* Longer payloads are for ws_unmask_copy(). */
#define SHORT_MAX	4096
/* One that is alone has ws_unmask_copy(), which knows vectors. */
#define ONE_MAX		1024

/* A struct ws_msg as the loop writes it, less its length. */
#define SHORT_MSG(opcode)	((u64)(opcode) << 32 | \
				 (u64)(WS_MSG_END | WS_MSG_MORE) << 40)
#define SHORT_FLAG(flag)	((u64)(flag) << 40)

/* A message of the loop: bytes of its payload, and its struct ws_msg. */
struct ws_short_frame {
	u64 n;
	u64 msg;
};

/* 32 bytes, within a user-access section; false for a fault. */
static __always_inline bool put_four(u8 __user *to, const u8 *p, u64 key)
{
	u64 __user *w = (u64 __user *)to;

	unsafe_put_user(ws_load64(p) ^ key, w, fault);
	unsafe_put_user(ws_load64(p + 8) ^ key, w + 1, fault);
	unsafe_put_user(ws_load64(p + 16) ^ key, w + 2, fault);
	unsafe_put_user(ws_load64(p + 24) ^ key, w + 3, fault);
	return true;
fault:
	return false;
}

/* What may be read: eight bytes from @end8 are the last, not before @begin. */
struct ws_bounds {
	const u8 *begin;
	const u8 *end8;
};

/* Less than eight bytes at @p, in a word with anything behind them. */
static __always_inline u64 load_some(const u8 *p, u32 n, const struct ws_bounds *s)
{
	const u8 *at;

	if (likely(p <= s->end8))
		return ws_load64(p);
	at = max(p + n - 8, s->begin);
	return ws_load64(at) >> 8 * (p - at);
}

/* The last bytes of a payload; false for a fault. */
static __always_inline bool put_end(u8 __user *to, const u8 *p, u32 n, u64 key,
				    const struct ws_bounds *s, bool records)
{
	u64 w = load_some(p, n, s) ^ key;

	if (records) {
		/* With the zeros behind them. */
		w &= ~0ULL >> (64 - 8 * n);
		unsafe_put_user(w, (u64 __user *)to, fault);
		return true;
	}
	for (; n; n--, w >>= 8, to++)
		unsafe_put_user((u8)w, to, fault);
	return true;
fault:
	return false;
}

/* Less than 32 bytes, with 32 or more before them if @before. */
static __always_inline bool put_rest(u8 __user *to, const u8 *p, u32 n,
				     u64 key, const struct ws_bounds *s,
				     bool records, bool before)
{
	if (n & 16) {
		unsafe_put_user(ws_load64(p) ^ key, (u64 __user *)to, fault);
		unsafe_put_user(ws_load64(p + 8) ^ key, (u64 __user *)(to + 8),
				fault);
		p += 16;
		to += 16;
	}
	if (n & 8) {
		unsafe_put_user(ws_load64(p) ^ key, (u64 __user *)to, fault);
		p += 8;
		to += 8;
	}
	before |= n & 24;
	n &= 7;
	if (!n)
		return true;
	if (records || !before)
		return put_end(to, p, n, key, s, records);
	/* Once more those that are before them. */
	unsafe_put_user(ws_load64(p + n - 8) ^ ror64(key, 8 * (n & 3)),
			(u64 __user *)(to + n - 8), fault);
	return true;
fault:
	return false;
}

/* A payload; false for a fault. */
static __always_inline bool put_payload(u8 __user *to, const u8 *p, u64 n,
					const struct ws_bounds *s, bool records,
					bool masked, bool vector)
{
	u64 key = ws_short_key(p, masked);

	if (vector && n >= 128) {
		u32 rest = ws_compat_unmask_user(to, p, n, key);

		if (rest >= 32)
			return false;
		key |= key << 32;
		return !rest || put_rest(to + n - rest, p + n - rest, rest, key,
					 s, records, true);
	}
	key |= key << 32;
	/* What remains is 32 bytes or more. */
	for (; unlikely(n >= 64); n -= 32, p += 32, to += 32)
		if (!put_four(to, p, key))
			return false;
	if (n & 32 && !put_four(to, p, key))
		return false;
	return !(n & 31) || put_rest(to + (n & 32), p + (n & 32), n & 31, key,
				     s, records, n & 32);
}

/*
 * A frame that is not like the first: of the other opcode, compressed or
 * longer. False for what the loop does not take.
 */
static __always_inline bool other_frame(const struct ws_batch *b, u64 head,
					bool masked, struct ws_short_frame *f)
{
	u64 limit = b->fresh ? b->ctx->cfg.max_message : SHORT_MAX;
	struct ws_short one;

	if (!ws_short_head(head, masked, b->fresh ? 0 : WS_RSV1,
			   min_t(u64, limit, SHORT_MAX), &one) ||
	    (b->fresh && one.opcode == WS_OP_TEXT))
		return false;
	f->n = one.len;
	f->msg = SHORT_MSG(one.opcode) + one.len;
	if (head & WS_RSV1)
		f->msg |= SHORT_FLAG(WS_MSG_RSV1);
	return true;
}

/*
 * Whole messages of one frame each, as long as header and payload lie in one
 * piece: one user-access section for all, in which no call may be made. It
 * stops at whatever is anything else, and leaves that to copy_any(), which
 * judges. With @b->fresh it judges itself, and text is something else, too.
 *
 * That something follows is said of each, and taken back at the end. Most
 * frames have the first's opcode and a short length, so this is what is looked
 * for: one comparison covers the first byte, the mask bit and the length.
 *
 * Return: how much of the reader's memory was used.
 */
static __always_inline u32 copy_short(struct ws_batch *b, const u8 *q,
				      u32 size, u8 __user *u, u32 room,
				      bool records, bool masked, bool vector)
{
	const u32 max = b->fresh ? b->max - b->n :
				   min(b->left, b->max - b->n);
	const u8 *begin = q, *end = q + size;
	const struct ws_bounds bounds = { begin, end - 8 };
	u8 __user *ubegin = u, *uend = u + room, *last = u;
	const u32 header = masked ? 6 : 2;
	struct ws_msg *desc = b->desc + b->n;
	u32 opcode, first, left = max, spare = 0, longer = 0;
	u64 len;

	if (size < 8 || !max || !user_write_access_begin(u, room))
		return 0;
	opcode = b->fresh || (*q & 0xf) != WS_OP_TEXT ? WS_OP_BINARY :
							WS_OP_TEXT;
	first = (masked ? 0x8080 : 0x80) + opcode;
	do {
		u64 head = ws_load64(q);
		struct ws_short_frame f = { .n = ror32((u32)(head & 0xffff) - first, 8) };
		const u8 *p = q + header, *behind;
		u8 __user *next;

		f.msg = SHORT_MSG(opcode) + f.n;
		if (unlikely(f.n > 125) && !other_frame(b, head, masked, &f))
			break;
		next = u + (records ? WS_RECORD_SIZE(f.n) : f.n);
		if (next > uend)
			break;
		if (unlikely(f.n > 125)) {
			p += 2;
			if (f.n > end - p)
				break;
			longer++;
		}
		behind = p + f.n;
		if (unlikely(behind > bounds.end8)) {
			/* If it is the last one and not a part of one. */
			if (behind > end)
				break;
			spare = left - 1;
			left = 1;
		}
		if (records)
			unsafe_put_user(f.msg, (u64 __user *)u, fault);
		else
			*(u64 *)desc++ = f.msg;
		if (!put_payload(records ? u + 8 : u, p, f.n, &bounds, records,
				 masked, vector))
			goto fault;
		last = u;
		u = next;
		q = behind;
	} while (--left);
	left += spare;
	len = q - begin - header * (u64)(max - left) - 2 * longer;

	if (q == begin) {
		user_write_access_end();
		return 0;
	}
	b->unsure = true;
	if (q == end && b->fresh && b->given.cur.seq + size == b->limit) {
		b->unsure = false;
		if (records)
			unsafe_put_user((u8)WS_MSG_END,
					last + offsetof(struct ws_msg, flags),
					fault);
		else
			desc[-1].flags = WS_MSG_END;
	}
	user_write_access_end();
	b->last = last;
	b->end = true;
	b->n += max - left;
	b->left -= b->fresh ? 0 : max - left;
	b->given.messages += max - left;
	b->given.len += len;
	b->given.cur.seq += q - begin;
	return u - ubegin;
fault:
	/* What was written is not reported; copy_any() does it again. */
	user_write_access_end();
	if (vector)
		b->vector = false;
	else
		b->try_short = false;
	return 0;
}

/*
 * Give the reader short messages of the @n bytes at @q, where a frame begins.
 * @u has @room bytes, a multiple of 8 for records. One loop for each case, so
 * that it has only what it needs. Return: bytes used of the reader's memory; 0
 * when copy_any() must take the next message.
 */
u32 ws_short_copy(struct ws_batch *b, const u8 *q, u32 n, u8 __user *u,
		  u32 room)
{
	bool masked = b->ctx->cfg.role == WS_ROLE_SERVER;

	/*
	 * A page that is absent ends this for the whole call: copy_any() brings
	 * it in and the words of the other loops bring in those behind it.
	 */
	if (b->vector) {
		ws_vector_begin();
		n = min_t(u32, n, WS_VECTOR_SECTION);
		n = copy_short(b, q, n, u, room, true, true, true);
		ws_vector_end();
		return n;
	}
	if (b->desc)
		return masked ? copy_short(b, q, n, u, room, false, true, false) :
				copy_short(b, q, n, u, room, false, false, false);
	return masked ? copy_short(b, q, n, u, room, true, true, false) :
			copy_short(b, q, n, u, room, true, false, false);
}

/*
 * Give the reader the message at @q, which was scanned, if it is short and lies
 * in @size bytes; @record if as a record, with nothing behind it. Process
 * context, lock of the context; may sleep on user memory. Return: false for
 * anything else, and for memory that cannot be written.
 */
bool ws_short_copy_one(const struct ws_ctx *ctx, const u8 *q, u32 size,
		       u8 __user *to, size_t room, bool record, struct ws_short *one)
{
	bool good, masked = ctx->cfg.role == WS_ROLE_SERVER;
	const struct ws_bounds s = { q, q + size - 8 };
	const u8 *p;
	u32 used;

	if (!ws_short_parse(q, size, masked, ONE_MAX, one))
		return false;
	p = q + one->size - one->len;
	used = record ? WS_RECORD_SIZE(one->len) : one->len;
	if (used > room || !user_write_access_begin(to, used))
		return false;
	if (record) {
		unsafe_put_user(SHORT_MSG(one->opcode) -
				SHORT_FLAG(WS_MSG_MORE) + one->len,
				(u64 __user *)to, fault);
		to += sizeof(struct ws_msg);
		good = masked ?
		       put_payload(to, p, one->len, &s, true, true, false) :
		       put_payload(to, p, one->len, &s, true, false, false);
	} else {
		good = masked ?
		       put_payload(to, p, one->len, &s, false, true, false) :
		       put_payload(to, p, one->len, &s, false, false, false);
	}
	user_write_access_end();
	return good;
fault:
	user_write_access_end();
	return false;
}
