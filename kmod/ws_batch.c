// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many messages in one recvmsg(): WS_F_RECORDS and WS_F_BATCH. One lock, one
 * walk through the queue and one return of its bytes to TCP for all of them.
 *
 * A Close and a fault come in a call of their own, so that what was complete
 * before them can still be answered.
 */
#include <linux/uaccess.h>

#include "ws.h"
#include "ws_vector.h"

/* Longer payloads are for routines that are made for them, ws_copy.c. */
#define PLAIN_MAX	4096
/* Vectors are for messages that are so long on the average. */
#define VECTOR_MEAN	512

/**
 * struct batch - one call
 * @ctx: the socket
 * @taken: what it gives so far
 * @used: bytes of the reader's buffer
 * @desc: WS_F_BATCH: one for each message; NULL for records
 * @max: room in @desc
 * @n: messages and pieces so far
 * @left: whole messages that are still there
 * @limit: where the bytes end that take_plain() may look at
 * @last: the last record of take_plain()
 * @end: the last one of @n ends its message
 * @unsure: it says WS_MSG_MORE before anybody has looked
 * @fresh: nobody has looked at what take_plain() gets
 * @plain: take_plain() may be tried
 * @vector: unmask with vector registers
 */
struct batch {
	struct ws_ctx *ctx;
	struct ws_taken taken;
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
	bool plain;
	bool vector;
};

/* What comes behind a message when @left whole ones do. */
static __always_inline u8 more_flag(const struct ws_ctx *ctx, u32 left)
{
	return left || ctx->rx.stop != WS_STOP_NONE ? WS_MSG_MORE : 0;
}

/**
 * ws_record_room() - how much of a message fits in a record
 * @to: the reader's buffer
 * @len: payload bytes that there are
 *
 * Return: payload bytes, or -EINVAL when not a byte of them would fit.
 */
ssize_t ws_record_room(const struct iov_iter *to, u64 len)
{
	size_t room = round_down(iov_iter_count(to), 8);

	if (room < sizeof(struct ws_msg) + (len ? 8 : 0))
		return -EINVAL;
	return min_t(u64, room - sizeof(struct ws_msg), len);
}

/**
 * ws_record_begin() - write what goes before the payload
 * @to: the reader's buffer; advanced to where the payload goes, and cut to its
 *	length
 * @msg: describes it; it fits
 * @rest: set to what was cut off
 *
 * In this order, as a pipe takes bytes only one behind the other. May sleep on
 * user memory.
 *
 * Return: 0 or -EFAULT.
 */
int ws_record_begin(struct iov_iter *to, const struct ws_msg *msg,
		    size_t *rest)
{
	size_t n = copy_to_iter(msg, sizeof(*msg), to);

	*rest = iov_iter_count(to) - msg->len;
	iov_iter_truncate(to, msg->len);
	return n == sizeof(*msg) ? 0 : -EFAULT;
}

/**
 * ws_record_end() - write what goes behind the payload
 * @to: behind the payload; advanced to where the next record goes
 * @msg: as for ws_record_begin()
 * @rest: from ws_record_begin()
 *
 * May sleep on user memory.
 *
 * Return: 0 or -EFAULT.
 */
int ws_record_end(struct iov_iter *to, const struct ws_msg *msg, size_t rest)
{
	size_t pad = -msg->len & 7;

	iov_iter_reexpand(to, iov_iter_count(to) + rest);
	return iov_iter_zero(pad, to) == pad ? 0 : -EFAULT;
}

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
static __always_inline u32 take_plain(struct batch *b, const u8 *q,
				      const u8 *end, u8 __user *u,
				      u8 __user *uend, bool records,
				      bool masked, bool vector)
{
	const u32 max = min(b->left, b->max - b->n);
	const bool unsure = b->ctx->rx.lazy;
	/* What @left is at the message that nothing is behind of. */
	const u32 final = unsure || more_flag(b->ctx, b->left - max) ? 0 : 1;
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
static noinline u32 take_masked_records(struct batch *b, const u8 *q, u32 n,
					u8 __user *u, u32 room)
{
	return take_plain(b, q, q + n, u, u + room, true, true, false);
}

static noinline u32 take_bare_records(struct batch *b, const u8 *q, u32 n,
				      u8 __user *u, u32 room)
{
	return take_plain(b, q, q + n, u, u + room, true, false, false);
}

static noinline u32 take_masked_array(struct batch *b, const u8 *q, u32 n,
				      u8 __user *u, u32 room)
{
	return take_plain(b, q, q + n, u, u + room, false, true, false);
}

static noinline u32 take_bare_array(struct batch *b, const u8 *q, u32 n,
				    u8 __user *u, u32 room)
{
	return take_plain(b, q, q + n, u, u + room, false, false, false);
}

/*
 * A page that is absent ends this for the whole call: take_any() brings it in
 * and the words of the other loops bring in those behind it.
 */
static noinline u32 take_vector_records(struct batch *b, const u8 *q, u32 n,
					u8 __user *u, u32 room)
{
	u32 used;

	ws_vector_begin();
	used = take_plain(b, q, q + min_t(u32, n, WS_VECTOR_SECTION), u,
			  u + room, true, true, true);
	ws_vector_end();
	return used;
}

static void take_plain_runs(struct batch *b, struct ws_run *run,
			    struct iov_iter *to)
{
	const struct ws_ctx *ctx = b->ctx;
	bool masked = ctx->cfg.role == WS_ROLE_SERVER;
	struct ws_cursor *cur = &b->taken.cur;
	bool records = !b->desc;
	u32 used = 1;

	if (!b->plain || cur->frame || cur->opcode)
		return;
	while (used && b->left && cur->seq != b->limit) {
		size_t room = INT_MAX;
		u8 __user *user = ws_compat_iter_user(to, &room);
		const u8 *p;
		u32 n;

		p = user ? ws_lower_run(ctx, run, cur->seq, &n) : NULL;
		if (!p)
			return;
		n = min(n, b->limit - cur->seq);
		if (records)
			room = round_down(room, 8);
		if (b->vector)
			used = take_vector_records(b, p, n, user, room);
		else if (records && masked)
			used = take_masked_records(b, p, n, user, room);
		else if (records)
			used = take_bare_records(b, p, n, user, room);
		else if (masked)
			used = take_masked_array(b, p, n, user, room);
		else
			used = take_bare_array(b, p, n, user, room);
		iov_iter_advance(to, used);
		b->used += used;
	}
}

/* As far as the messages that nobody has looked at are alike. */
static void take_fresh(struct batch *b, struct ws_run *run, struct iov_iter *to)
{
	u64 len = b->taken.len;
	u32 n = b->n;

	if (b->left || b->ctx->cfg.max_message < 125)
		return;
	b->left = U32_MAX;
	b->limit = ws_lower_end(b->ctx);
	b->fresh = true;
	take_plain_runs(b, run, to);
	b->fresh = false;
	b->left = 0;
	if (b->n != n)
		ws_rx_taken(b->ctx, b->taken.cur.seq, b->n - n,
			    b->taken.len - len);
}

/* And whatever is behind them, for the scanner. */
static void take_rest(struct batch *b, struct ws_run *run, struct iov_iter *to)
{
	struct ws_rx *rx = &b->ctx->rx;
	u32 complete;

	take_fresh(b, run, to);
	complete = rx->complete;
	ws_rx_scan(b->ctx);
	b->left += rx->complete - complete;
	b->limit = rx->scan.seq;
}

/* Return: 0, or -EFAULT when user memory has changed meanwhile. */
static int nothing_behind(struct batch *b)
{
	u8 __user *flags = b->last + offsetof(struct ws_msg, flags);
	u8 now;

	if (b->desc) {
		b->desc[b->n - 1].flags &= ~WS_MSG_MORE;
		return 0;
	}
	if (get_user(now, flags))
		return -EFAULT;
	return put_user(now & ~WS_MSG_MORE, flags);
}

/* The payload of a message, or of a piece of it, with what goes around it. */
static int copy_piece(struct batch *b, struct iov_iter *to,
		      const struct ws_msg *m, struct ws_piece *pc)
{
	size_t rest = 0;
	int err = 0;

	if (!b->desc)
		err = ws_record_begin(to, m, &rest);
	if (!err)
		err = ws_piece_walk(b->ctx, to, false, pc);
	if (!err && (pc->len != m->len || pc->end != !!(m->flags & WS_MSG_END)))
		err = -EIO;
	if (b->desc)
		return err;
	if (!err)
		return ws_record_end(to, m, rest);
	iov_iter_reexpand(to, iov_iter_count(to) + rest);
	return err;
}

/*
 * The next message, whatever it is like, or as much of it as fits when it is
 * the first of this call. Return: 0 to go on, 1 when the call is over, or
 * -EINVAL, -EFAULT, -EIO with nothing taken by this step.
 */
static int take_any(struct batch *b, struct iov_iter *to)
{
	struct ws_piece all = { .cur = b->taken.cur }, pc = all;
	const struct ws_ctx *ctx = b->ctx;
	ssize_t room = iov_iter_count(to);
	size_t count = room;
	bool end, records = !b->desc;
	struct ws_msg m;
	int err;

	err = ws_piece_walk(ctx, NULL, true, &all);
	if (!err && (b->left ? !all.end : all.end || !all.len))
		err = -EIO;
	if (err)
		return err;
	if (b->n && (!all.end || b->n == b->max ||
		     (records ? WS_RECORD_SIZE(all.len) : all.len) > count))
		return 1;
	if (records)
		room = ws_record_room(to, all.len);
	else if (all.len && !room)
		return 1;
	if (room < 0)
		return room;

	end = all.end && all.len <= room;
	m = (struct ws_msg){
		.len = min_t(u64, all.len, room),
		.opcode = all.opcode,
		.flags = (end ? WS_MSG_END : 0) |
			 (all.rsv ? WS_MSG_RSV1 : 0) |
			 more_flag(ctx, b->left - end),
	};
	err = copy_piece(b, to, &m, &pc);
	if (err) {
		/* A pipe would show what is not told of. */
		iov_iter_revert(to, count - iov_iter_count(to));
		return err;
	}
	if (!records)
		b->desc[b->n] = m;
	b->n++;
	b->left -= end;
	b->end = end;
	b->unsure = false;
	b->used += records ? WS_RECORD_SIZE(m.len) : m.len;
	ws_piece_take(&b->taken, &pc);
	return !end;
}

/* Bytes that are there to be read, headers among them. */
static u32 ahead(const struct ws_ctx *ctx)
{
	return ctx->rx.lazy ? ws_lower_end(ctx) - ctx->rx.head.seq :
			      ctx->rx.payload;
}

/* As many as the caller can be told of and as there are; at least one. */
static void get_desc(struct batch *b, const struct msghdr *msg,
		     struct ws_msg *one)
{
	const struct ws_rx *rx = &b->ctx->rx;
	u32 n = b->left;

	/* Those that follow are like the first, or half as long. */
	if (rx->lazy)
		n += ahead(b->ctx) / (rx->payload / 2 + 6);
	b->max = min_t(size_t, msg->msg_controllen / sizeof(*one),
		       min_t(u32, n, WS_BATCH_MAX));
	while (b->max > 1 &&
	       CMSG_LEN(b->max * sizeof(*one)) > msg->msg_controllen)
		b->max--;
	if (b->max > 1)
		b->desc = kmalloc_array(b->max, sizeof(*one), GFP_KERNEL);
	if (!b->desc) {
		b->desc = one;
		b->max = 1;
	}
}

static int finish(struct batch *b, struct msghdr *msg, int flags, int err,
		  struct ws_got *got)
{
	if (!b->n && err < 0)
		return err == -EIO ? ws_piece_broken(b->ctx) : err;
	if (!ws_piece_sound(b->ctx, &b->taken))
		return ws_piece_broken(b->ctx);
	if (b->unsure && !more_flag(b->ctx, b->left) && nothing_behind(b))
		return -EFAULT;
	if (b->n && !(flags & MSG_PEEK))
		ws_piece_commit(b->ctx, &b->taken);
	if (b->desc && b->n)
		put_cmsg(msg, SOL_WS, WS_MSG, b->n * sizeof(*b->desc), b->desc);
	got->len = b->used;
	got->copied = b->used;
	got->msg.flags = b->end ? WS_MSG_END : 0;
	got->told = true;
	return 1;
}

/**
 * ws_batch_recv() - as many messages as there are and as fit
 * @ctx: the socket, where a message or a piece of one can be read
 * @msg: the reader's
 * @flags: MSG_PEEK
 * @got: filled; with WS_F_BATCH the control message has been written
 *
 * Process context, socket lock; may sleep on user memory.
 *
 * Return: 1, -EINVAL when not even a piece would fit, -EFAULT, or -EAGAIN when
 * the stream turned out to be broken and the caller must look again.
 */
int ws_batch_recv(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		  struct ws_got *got)
{
	struct batch b = {
		.ctx = ctx,
		.taken.cur = ctx->rx.head,
		.left = ctx->rx.complete,
		.max = U32_MAX,
		.limit = ctx->rx.scan.seq,
		.plain = WS_PLAIN,
	};
	struct ws_run run = {};
	struct ws_msg one;
	int ret = 0;

	if (!(ctx->cfg.flags & WS_F_RECORDS))
		get_desc(&b, msg, &one);
	else if (ctx->cfg.role == WS_ROLE_SERVER &&
		 ctx->rx.payload >= (u64)b.left * VECTOR_MEAN)
		b.vector = ws_vector_pays(min_t(u64, ahead(ctx),
						msg_data_left(msg)));
	do {
		take_plain_runs(&b, &run, &msg->msg_iter);
		if (ctx->rx.lazy)
			take_rest(&b, &run, &msg->msg_iter);
		else if (b.left || !b.n)
			ret = take_any(&b, &msg->msg_iter);
	} while (b.left && !ret);
	ws_lower_run_end(&run);

	ret = finish(&b, msg, flags, ret, got);
	if (b.desc != &one)
		kfree(b.desc);
	return ret;
}
