// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many short messages on their way to the reader: one loop from the queue to
 * user memory.
 */
#include <linux/uaccess.h>

#include "ws.h"
#include "ws_batch.h"
#include "ws_vector.h"

/* Longer payloads are for routines that are made for them, ws_copy.c. */
#define PLAIN_MAX	4096

/* 32 bytes, within a user-access section; false for a fault. */
static __always_inline bool put_four(u8 __user *to, const u8 *p, u64 key)
{
	u64 __user *w = (u64 __user *)to;

	unsafe_put_user(ws_word(p) ^ key, w, fault);
	unsafe_put_user(ws_word(p + 8) ^ key, w + 1, fault);
	unsafe_put_user(ws_word(p + 16) ^ key, w + 2, fault);
	unsafe_put_user(ws_word(p + 24) ^ key, w + 3, fault);
	return true;
fault:
	return false;
}

/*
 * Whole messages of one frame each, as long as header and payload lie in one
 * piece: one user-access section for all, in which no call may be made. It
 * stops at whatever is anything else, and leaves that to take_any(), which
 * judges. The bytes are from @q to @end, the reader's memory from @u to @uend.
 *
 * With @b->fresh it judges itself, and text is something else, too.
 *
 * Return: how much of the reader's memory was used.
 */
static __always_inline u32 take_plain(struct ws_batch *b, const u8 *q,
				      const u8 *end, u8 __user *u,
				      u8 __user *uend, bool records,
				      bool masked, bool vector)
{
	const u32 max = min(b->left, b->max - b->n);
	const bool unsure = b->ctx->rx.lazy;
	/* What @left is at the message that nothing is behind of. */
	const u32 final = unsure || ws_batch_more(b->ctx, b->left - max) ? 0 : 1;
	const u32 rsv = b->fresh ? 0 : WS_RSV1, kinds = b->fresh ? 0 : 1;
	const u32 least = b->fresh ? WS_OP_BINARY : WS_OP_TEXT;
	const u64 what = (u64)least << 32 |
			 (u64)(WS_MSG_END | WS_MSG_MORE) << 40;
	const u32 longest = b->fresh ? min_t(u64, b->ctx->cfg.max_message,
					     PLAIN_MAX) : PLAIN_MAX;
	struct ws_msg *desc = b->desc + b->n;
	u8 __user *ubegin = u, *last = u;
	const u8 *begin = q;
	u32 left = max;
	u64 len = 0;

	if (!user_write_access_begin(u, uend - u))
		return 0;
	for (; left && q <= end - 8; left--) {
		u64 head = ws_word(q), msg, key;
		u32 kind = ws_plain_kind(head, masked, rsv, least);
		u32 n = head >> 8 & 0x7f;
		const u8 *p = q + (masked ? 6 : 2);
		u8 __user *to = u, *next;

		if (kind > kinds)
			break;
		if (unlikely(n > 125)) {
			n = ws_plain_len(head);
			p += 2;
			if (!n || n > longest)
				break;
		}
		next = u + (records ? WS_RECORD_SIZE(n) : n);
		if (p + n > end || next > uend)
			break;
		msg = n + ((u64)kind << 32) + what;
		if (unlikely(head & WS_RSV1))
			msg += (u64)WS_MSG_RSV1 << 40;
		if (unlikely(left == final))
			msg -= (u64)WS_MSG_MORE << 40;
		if (records) {
			unsafe_put_user(msg, (u64 __user *)to, fault);
			to += 8;
		} else {
			*(u64 *)desc++ = msg;
		}
		len += n;
		q = p + n;
		key = ws_plain_key(p, masked);
		if (vector && n >= 128) {
			u32 rest = ws_avx2_unmask((__force void *)to, p, n,
						  key);

			if (rest >= 32)
				goto fault;
			p += n - rest;
			to += n - rest;
			n = rest;
		}
		key |= key << 32;
		for (; n >= 64; n -= 32, p += 32, to += 32)
			if (!put_four(to, p, key))
				goto fault;
		if (n & 32 && !put_four(to, p, key))
			goto fault;
		if (n & 31) {
			p += n & 32;
			to += n & 32;
			n &= 31;
			for (; n >= 8; n -= 8, p += 8, to += 8)
				unsafe_put_user(ws_word(p) ^ key,
						(u64 __user *)to, fault);
		}
		if (n & 31) {
			/* Where eight bytes can be read that have them. */
			const u8 *at = max(q - 8, begin);
			u64 w = ws_word(at) >> 8 * (p - at) ^ key;

			w &= ~0ULL >> (64 - 8 * n);
			if (records)
				unsafe_put_user(w, (u64 __user *)to, fault);
			for (; !records && n; n--, w >>= 8, to++)
				unsafe_put_user((u8)w, to, fault);
		}
		last = u;
		u = next;
	}
	user_write_access_end();
	if (q == begin)
		return 0;
	b->last = last;
	b->unsure = unsure;
	b->end = true;
	b->n += max - left;
	b->taken.messages += max - left;
	b->taken.len += len;
	b->taken.cur.seq += q - begin;
	b->left -= max - left;
	return u - ubegin;
fault:
	/* What was written is not told of; take_any() does it again. */
	user_write_access_end();
	if (vector)
		b->vector = false;
	else
		b->plain = false;
	return 0;
}

/* One for each case, so that the loop has only what it needs. */
static noinline u32 take_masked_records(struct ws_batch *b, const u8 *q, u32 n,
					u8 __user *u, u32 room)
{
	return take_plain(b, q, q + n, u, u + room, true, true, false);
}

static noinline u32 take_bare_records(struct ws_batch *b, const u8 *q, u32 n,
				      u8 __user *u, u32 room)
{
	return take_plain(b, q, q + n, u, u + room, true, false, false);
}

static noinline u32 take_masked_array(struct ws_batch *b, const u8 *q, u32 n,
				      u8 __user *u, u32 room)
{
	return take_plain(b, q, q + n, u, u + room, false, true, false);
}

static noinline u32 take_bare_array(struct ws_batch *b, const u8 *q, u32 n,
				    u8 __user *u, u32 room)
{
	return take_plain(b, q, q + n, u, u + room, false, false, false);
}

/*
 * A page that is absent ends this for the whole call: take_any() brings it in
 * and the words of the other loops bring in those behind it.
 */
static noinline u32 take_vector_records(struct ws_batch *b, const u8 *q, u32 n,
					u8 __user *u, u32 room)
{
	u32 used;

	ws_vector_begin();
	used = take_plain(b, q, q + min_t(u32, n, WS_VECTOR_SECTION), u,
			  u + room, true, true, true);
	ws_vector_end();
	return used;
}

/**
 * ws_plain_take() - give the reader messages that are like most
 * @b: the call; updated
 * @q: bytes of the stream, from a frame's beginning on
 * @n: how many
 * @u: the reader's memory
 * @room: bytes of it, a multiple of 8 for records
 *
 * Return: how much of the reader's memory was used; 0 when take_any() must
 * look.
 */
u32 ws_plain_take(struct ws_batch *b, const u8 *q, u32 n, u8 __user *u,
		  u32 room)
{
	bool masked = b->ctx->cfg.role == WS_ROLE_SERVER;

	if (b->vector)
		return take_vector_records(b, q, n, u, room);
	if (b->desc)
		return masked ? take_masked_array(b, q, n, u, room) :
				take_bare_array(b, q, n, u, room);
	return masked ? take_masked_records(b, q, n, u, room) :
			take_bare_records(b, q, n, u, room);
}
