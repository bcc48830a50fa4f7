// SPDX-License-Identifier: GPL-2.0-only
/* Many messages in one sendmsg() with WS_F_BATCH. */
#include "ws_send.h"
#include "ws_short_rx.h"
#include "ws_short_tx.h"
#include "ws_stats.h"

/* The messages of a call, which become frames that are sent together. */
struct ws_array {
	const struct ws_msg *msgs;
	u32 n;
	u8 open;	/* as ws_tx::open */
	struct ws_built sum;
};

static int append_control(struct ws_ctx *ctx, const struct ws_request *req,
			  struct iov_iter *from)
{
	u8 body[WS_CTRL_MAX];
	int len = ws_send_body(req, from, body);

	return len < 0 ? len : ws_tx_control(ctx, req->opcode, body, len);
}

static int append_data(struct ws_ctx *ctx, struct ws_array *a,
		       struct ws_request *req, struct iov_iter *from)
{
	struct ws_hdr hdr = { .len = req->len, .fin = !req->more };
	ssize_t left;
	int err;

	err = ws_send_opcode(ctx, a->open, req);
	if (err)
		return err;
	hdr.opcode = a->open ? WS_OP_CONT : req->opcode;
	hdr.rsv = a->open ? 0 : req->rsv;
	a->open = hdr.fin ? 0 : a->open ?: req->opcode | req->rsv;
	a->sum.len += req->len;
	a->sum.messages += hdr.fin;
	left = ws_tx_append(ctx, &hdr, from);
	return left > 0 ? -ENOMEM : left;
}

/* As many of the array from @i on as ws_short_build_array() takes. */
static int append_short(struct ws_ctx *ctx, struct ws_array *a, u32 i,
			struct iov_iter *from)
{
	struct page_frag *pfrag = ws_below_frag(ctx);
	size_t in = iov_iter_count(from);
	struct ws_built g = {};
	const u8 __user *user;
	u8 *to;

	if (!WS_SHORT || ctx->cfg.role != WS_ROLE_SERVER || a->open)
		return 0;
	user = ws_compat_iter_user(from, &in);
	if (!user || !skb_page_frag_refill(128 + 2 * WS_HDR_MAX, pfrag,
					   ws_below_gfp(ctx)))
		return 0;
	to = page_address(pfrag->page) + pfrag->offset;
	ws_short_build_array(ctx->cfg.send_opcode, a->msgs + i, a->n - i, user, in,
			     to, pfrag->size - pfrag->offset, &g);
	if (!g.messages)
		return 0;
	iov_iter_advance(from, g.in);
	a->sum.len += g.len;
	a->sum.messages += g.messages;
	return ws_tx_add_frag(ctx, pfrag, g.out) ?: g.messages;
}

static int build_array(struct ws_ctx *ctx, struct ws_array *a,
		       struct iov_iter *from, struct ws_request *last)
{
	int err = 0;
	u32 i;

	for (i = 0; !err && i < a->n; i++) {
		const struct ws_msg *m;

		err = append_short(ctx, a, i, from);
		if (err < 0)
			break;
		i += err;
		*last = (struct ws_request){};
		if (i == a->n) {
			err = 0;
			break;
		}
		m = &a->msgs[i];
		last->len = m->len;
		last->more = !(m->flags & WS_MSG_END);
		err = ws_request_set(last, m);
		if (err)
			break;
		if (last->opcode == WS_OP_CLOSE && i + 1 < a->n)
			err = -EINVAL;
		else if (ws_op_is_control(last->opcode))
			err = append_control(ctx, last, from);
		else
			err = append_data(ctx, a, last, from);
	}
	if (err)
		ws_tx_free(ctx);
	return err;
}

static int check_array(const struct ws_array *a, size_t len)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < a->n; i++)
		sum += a->msgs[i].len;
	if (sum != len)
		return -EINVAL;
	return len > WS_FRAME_MIN ? -EMSGSIZE : 0;
}

/*
 * sendmsg() of 2 to WS_BATCH_MAX messages, whose payloads @msg has one behind
 * the other; all or nothing. Context and @timeo are as in ws_send.c. Return:
 * all payload bytes, or a negated errno.
 */
ssize_t ws_send_array(struct ws_ctx *ctx, struct msghdr *msg,
		      const struct ws_msg *msgs, u32 n, long *timeo)
{
	size_t len = iov_iter_count(&msg->msg_iter);
	struct ws_array a = { .msgs = msgs, .n = n };
	struct ws_tx *tx = &ctx->tx;
	struct ws_request last;
	bool mine = false;
	int err;

	err = check_array(&a, len);
	if (err)
		return err;
	err = ws_send_wait(ctx, &mine, timeo);
	if (!err) {
		a.open = tx->open;
		err = build_array(ctx, &a, &msg->msg_iter, &last);
	}
	if (!err) {
		tx->open = a.open;
		ws_built_count(ctx, &a.sum);
		if (last.opcode == WS_OP_CLOSE)
			ws_send_closing(ctx, &last, a.sum.len);
		err = ws_tx_push(ctx, msg->msg_flags & MSG_MORE);
		if (err == -EAGAIN)
			err = 0;
	}
	ws_send_done(ctx, mine, err, timeo);
	return err ?: len;
}
