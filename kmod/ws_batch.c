// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many messages in one recvmsg(): WS_F_RECORDS and WS_F_BATCH. One lock, one
 * walk through the queue and one return of its bytes to TCP for all of them.
 *
 * A Close and a fault come in a call of their own, so that what was complete
 * before them can still be answered.
 */
#include <linux/uaccess.h>

#include "ws_sink.h"
#include "ws_stream.h"
#include "ws_vector.h"

/* Vectors are for messages that are so long on the average. */
#define VECTOR_MEAN	512

/* What comes behind a message when @left whole ones do. */
static u8 more_flag(const struct ws_ctx *ctx, u32 left)
{
	return left || ctx->rx.stop != WS_STOP_NONE ? WS_MSG_MORE : 0;
}

/*
 * How much of @len payload bytes fits in a record. Return: payload bytes, or
 * -EINVAL when not a byte of them would fit.
 */
ssize_t ws_record_room(const struct iov_iter *to, u64 len)
{
	size_t room = round_down(iov_iter_count(to), 8);

	if (room < sizeof(struct ws_msg) + (len ? 8 : 0))
		return -EINVAL;
	return min_t(u64, room - sizeof(struct ws_msg), len);
}

/*
 * Write a record: @msg, then @msg->len payload bytes from @pc->cur. It fits in
 * @to. In the order of the bytes, as a pipe takes them only one behind the
 * other. May sleep on user memory. Return: 0, -EFAULT, or -EIO when the stream
 * has changed since the scan, with zeros for what is missing.
 */
int ws_record_put(const struct ws_ctx *ctx, struct iov_iter *to,
		  const struct ws_msg *msg, struct ws_piece *pc)
{
	size_t rest, pad = -msg->len & 7;
	int err;

	if (copy_to_iter(msg, sizeof(*msg), to) != sizeof(*msg))
		return -EFAULT;
	rest = iov_iter_count(to) - msg->len;
	iov_iter_truncate(to, msg->len);
	err = ws_sink_walk(ctx, to, false, pc);
	if (err == -EIO)
		pad += iov_iter_count(to);
	iov_iter_reexpand(to, iov_iter_count(to) + rest);
	if (err != -EFAULT && iov_iter_zero(pad, to) != pad)
		return -EFAULT;
	return err;
}

static void copy_short_spans(struct ws_batch *b, struct ws_span *span,
			     struct iov_iter *to)
{
	const struct ws_ctx *ctx = b->ctx;
	struct ws_cursor *cur = &b->given.cur;
	u32 used = 1;

	if (!b->try_short || cur->frame || cur->opcode)
		return;
	while (used && (b->left || b->fresh) && cur->seq != b->limit) {
		size_t room = INT_MAX;
		u8 __user *user = ws_compat_iter_user(to, &room);
		const u8 *p;
		u32 n;

		p = user ? ws_stream_span(ctx, span, cur->seq, &n) : NULL;
		if (!p)
			return;
		n = min(n, b->limit - cur->seq);
		if (!b->desc)
			room = round_down(room, 8);
		used = ws_short_copy(b, p, n, user, room);
		iov_iter_advance(to, used);
		b->used += used;
	}
}

/*
 * Only the first message was scanned (@rx.first_only). If those behind it are
 * short, too, one loop validates and copies all of them, the first once more.
 */
static void copy_fresh(struct ws_batch *b, struct ws_span *span, struct iov_iter *to)
{
	struct ws_rx *rx = &b->ctx->rx;

	if (b->ctx->cfg.max_message < 125)
		return;
	b->limit = ws_below_end(b->ctx);
	b->fresh = true;
	copy_short_spans(b, span, to);
	b->fresh = false;
	if (b->n) {
		b->left = 0;
		/* As the scanner would leave it. */
		rx->open = false;
		rx->scan.seq = b->given.cur.seq;
		WRITE_ONCE(rx->payload, b->given.len);
		WRITE_ONCE(rx->complete, b->given.messages);
		if (rx->scan.seq == b->limit) {
			rx->lazy = false;
			rx->first_only = false;
		}
	}
	b->limit = rx->scan.seq;
}

/* Scan what follows the short messages. */
static void scan_behind(struct ws_batch *b)
{
	struct ws_rx *rx = &b->ctx->rx;
	u32 complete = rx->complete;

	ws_scan_rest(b->ctx);
	b->left += rx->complete - complete;
	b->limit = rx->scan.seq;
}

/* Return: 0, or -EFAULT when user memory has changed meanwhile. */
static int clear_more_flag(struct ws_batch *b)
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

/*
 * The next message, whatever it is like, or as much of it as fits when it is
 * the first of this call. Return: 0 to go on, 1 when the call is over, or
 * -EINVAL, -EFAULT, -EIO with nothing taken by this step.
 */
static int copy_any(struct ws_batch *b, struct iov_iter *to)
{
	struct ws_piece all = { .cur = b->given.cur }, pc = all;
	const struct ws_ctx *ctx = b->ctx;
	ssize_t room = iov_iter_count(to);
	size_t count = room;
	bool end, records = !b->desc;
	struct ws_msg m;
	int err;

	err = ws_sink_walk(ctx, NULL, true, &all);
	if (!err && (b->left ? !all.end : all.end || !all.len))
		err = -EIO;
	if (err)
		return err;
	if (b->n && (!all.end || b->n == b->max ||
		     (records ? WS_RECORD_SIZE(all.len) : all.len) > count))
		return 1;
	if (records)
		room = ws_record_room(to, all.len);
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
	/* Without room nothing is taken, but the caller learns what waits. */
	if (!records && all.len && !room) {
		b->desc[b->n++] = m;
		return 1;
	}
	err = records ? ws_record_put(ctx, to, &m, &pc) :
			ws_sink_walk(ctx, to, false, &pc);
	if (!err && (pc.len != m.len || pc.end != end))
		err = -EIO;
	if (err) {
		/* A pipe would show bytes that no record describes. */
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
	ws_sink_add(&b->given, &pc);
	return !end;
}

/* Bytes that are there to be read, headers among them. */
static u32 bytes_ahead(const struct ws_ctx *ctx)
{
	return ctx->rx.lazy ? ws_below_end(ctx) - ctx->rx.head.seq :
			      ctx->rx.payload;
}

/*
 * Entries of the control message: as many as fit and are needed, at least one.
 */
static void alloc_desc(struct ws_batch *b, const struct msghdr *msg,
		       struct ws_msg *one)
{
	const struct ws_rx *rx = &b->ctx->rx;
	u32 n = b->left;

	/* Those that follow are like the first, or half as long. */
	if (rx->lazy)
		n += bytes_ahead(b->ctx) / (rx->payload / 2 + 6);
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

static int finish_call(struct ws_batch *b, struct msghdr *msg, int flags, int err,
		       struct ws_got *got)
{
	if (!b->n && err < 0)
		return err == -EIO ? ws_sink_broken(b->ctx) : err;
	if (!ws_sink_is_sound(b->ctx, &b->given))
		return ws_sink_broken(b->ctx);
	if (b->unsure && !more_flag(b->ctx, b->left) && clear_more_flag(b))
		return -EFAULT;
	if (b->n && !(flags & MSG_PEEK))
		ws_sink_commit(b->ctx, &b->given);
	if (b->desc && b->n)
		put_cmsg(msg, SOL_WS, WS_MSG, b->n * sizeof(*b->desc), b->desc);
	got->len = b->used;
	got->copied = b->used;
	got->msg.flags = b->end ? WS_MSG_END : 0;
	got->reported = true;
	return 1;
}

/*
 * Receive as many messages as there are and as fit; at least a piece of one can
 * be read. With WS_F_BATCH writes the control message. Process context, lock of
 * the context; may sleep on user memory. Return: 1, -EINVAL when not even a
 * piece would fit, -EFAULT, or -EAGAIN when the stream has changed since the
 * scan and the caller must start again.
 */
int ws_batch_recv(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		  struct ws_got *got)
{
	struct ws_batch b = {
		.ctx = ctx,
		.given.cur = ctx->rx.head,
		.left = ctx->rx.complete,
		.max = U32_MAX,
		.limit = ctx->rx.scan.seq,
		.try_short = WS_SHORT,
	};
	struct ws_span span = {};
	struct ws_msg one;
	int ret = 0;

	if (!(ctx->cfg.flags & WS_F_RECORDS))
		alloc_desc(&b, msg, &one);
	else if (ctx->cfg.role == WS_ROLE_SERVER &&
		 ctx->rx.payload >= (u64)b.left * VECTOR_MEAN)
		b.vector = ws_vector_pays(min_t(u64, bytes_ahead(ctx),
						msg_data_left(msg)));
	if (ctx->rx.first_only)
		copy_fresh(&b, &span, &msg->msg_iter);
	do {
		copy_short_spans(&b, &span, &msg->msg_iter);
		if (ctx->rx.lazy)
			scan_behind(&b);
		else if (b.left || !b.n)
			ret = copy_any(&b, &msg->msg_iter);
		cond_resched();
	} while (b.left && !ret);
	ws_span_end(&span);

	ret = finish_call(&b, msg, flags, ret, got);
	if (b.desc != &one)
		kfree(b.desc);
	return ret;
}
