// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many messages in one sendmsg() with WS_F_RECORDS. Frames are built one behind
 * the other in a page fragment and go to TCP in one piece, as if they
 * were one frame (ws_writer.c). Contexts, @mine and @timeo are as in ws_send.c.
 */
#include "ws_send.h"
#include "ws_short_rx.h"
#include "ws_short_tx.h"
#include "ws_stats.h"

/*
 * As many records as ws_short_build_records() takes. Return: 0 and what was
 * taken in @g, maybe nothing, or with @from as it was the error of a dead
 * connection.
 */
static int send_short(struct ws_ctx *ctx, struct iov_iter *from, long timeo,
		      bool more, struct ws_built *g)
{
	struct page_frag *pfrag = ws_below_frag(ctx);
	size_t in = round_down(iov_iter_count(from), 8);
	struct ws_tx *tx = &ctx->tx;
	const u8 __user *user;
	size_t room;
	int err;
	u8 *to;

	if (!WS_SHORT || ctx->cfg.role != WS_ROLE_SERVER || tx->open)
		return 0;
	user = ws_compat_iter_user(from, &in);
	if (!user || in < sizeof(struct ws_msg))
		return 0;
	room = ws_send_room(ctx, in, timeo);
	/* A page is enough to begin with; more often than not there is more. */
	if (!skb_page_frag_refill(min_t(size_t, room, PAGE_SIZE), pfrag,
				  ws_below_gfp(ctx)))
		return 0;
	room = min_t(size_t, room, pfrag->size - pfrag->offset);
	to = page_address(pfrag->page) + pfrag->offset;
	ws_short_build_records(ctx->cfg.send_opcode, user,
			       user + min_t(size_t, in, round_down(room, 8)), to, g);
	if (!g->messages)
		return 0;

	ws_built_count(ctx, g);
	/* Not because there are more of them: the rest may find no room. */
	err = ws_tx_send_frag(ctx, pfrag, g->out, more);
	if (err && err != -EAGAIN)
		return err;
	iov_iter_advance(from, g->in);
	return 0;
}

static void skip_pad(struct ws_tx *tx, struct iov_iter *from)
{
	size_t n = min_t(size_t, tx->rec_pad, iov_iter_count(from));

	iov_iter_advance(from, n);
	tx->rec_pad -= n;
}

/* The next frame of the record at hand. */
static int send_part(struct ws_ctx *ctx, struct msghdr *msg, long timeo,
		     struct ws_request *req)
{
	size_t have = iov_iter_count(&msg->msg_iter);
	struct ws_tx *tx = &ctx->tx;
	ssize_t n;

	req->more = !tx->rec_end || have < tx->rec_left;
	n = ws_send_frame(ctx, msg, min_t(size_t, have, tx->rec_left), req,
			  timeo);
	if (n < 0)
		return n;
	tx->rec_left -= n;
	if (!tx->rec_left)
		skip_pad(tx, &msg->msg_iter);
	return 0;
}

static int send_control_record(struct ws_ctx *ctx, struct msghdr *msg,
			       const struct ws_request *req, bool *mine,
			       long *timeo)
{
	size_t pad = -req->len & 7;
	int ret;

	if (iov_iter_count(&msg->msg_iter) < req->len + pad)
		return -EINVAL;
	ret = ws_send_control(ctx, msg, req, mine, timeo);
	if (ret < 0)
		return ret;
	iov_iter_advance(&msg->msg_iter, pad);
	return 0;
}

/* A record from its beginning, whatever it is like. */
static int send_record(struct ws_ctx *ctx, struct msghdr *msg, bool *mine,
		       long *timeo)
{
	struct iov_iter *from = &msg->msg_iter;
	struct ws_tx *tx = &ctx->tx;
	struct ws_request req = {};
	struct ws_msg m;
	int err;

	if (iov_iter_count(from) < sizeof(m))
		return -EINVAL;
	if (copy_from_iter(&m, sizeof(m), from) != sizeof(m))
		return -EFAULT;
	req.len = m.len;
	req.more = !(m.flags & WS_MSG_END);
	err = ws_request_set(&req, &m);
	if (err)
		return err;
	if (ws_op_is_control(m.opcode))
		return send_control_record(ctx, msg, &req, mine, timeo);

	err = ws_send_opcode(ctx, tx->open, &req);
	if (err)
		return err;
	tx->rec_left = m.len;
	tx->rec_pad = -m.len & 7;
	tx->rec_end = m.flags & WS_MSG_END;
	err = send_part(ctx, msg, *timeo, &req);
	if (err) {
		tx->rec_left = 0;
		tx->rec_pad = 0;
	}
	return err;
}

/* The rest of a record or the next one; nothing of @msg is used on an error. */
static int send_slowly(struct ws_ctx *ctx, struct msghdr *msg, bool *mine,
		       long *timeo)
{
	struct iov_iter start = msg->msg_iter;
	struct ws_request rest = {};
	int err;

	if (ctx->tx.rec_left)
		err = send_part(ctx, msg, *timeo, &rest);
	else
		err = send_record(ctx, msg, mine, timeo);
	if (err)
		msg->msg_iter = start;
	return err;
}

/*
 * sendmsg() of a stretch of the stream of records. Return: bytes taken, or if
 * there are none a negated errno.
 */
ssize_t ws_send_records(struct ws_ctx *ctx, struct msghdr *msg, long *timeo)
{
	struct iov_iter *from = &msg->msg_iter;
	bool more = msg->msg_flags & MSG_MORE;
	size_t len = iov_iter_count(from);
	struct ws_tx *tx = &ctx->tx;
	bool mine = false;
	int err = 0;

	if (tx->rec_pad && !tx->rec_left)
		skip_pad(tx, from);
	while (iov_iter_count(from)) {
		struct ws_built g = {};

		err = ws_send_wait(ctx, &mine, timeo);
		if (err)
			break;
		if (!tx->rec_left)
			err = send_short(ctx, from, *timeo, more, &g);
		if (!err && !g.messages)
			err = send_slowly(ctx, msg, &mine, timeo);
		if (err)
			break;
	}
	ws_send_done(ctx, mine, err, timeo);
	len -= iov_iter_count(from);
	return len ?: err;
}
