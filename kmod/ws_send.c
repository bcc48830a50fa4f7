// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sending: the steps that every form of sendmsg() shares (ws_sendmsg.c,
 * ws_send_records.c, ws_send_array.c).
 *
 * Process context, lock of the context. A function with @timeo releases the
 * lock while it waits, for so long at most; on return @timeo is what is left of
 * that. @mine is whether the caller has set @ctx->tx.busy, because it slept for
 * room: then it is the next to send.
 */
#include "ws_ctrl.h"
#include "ws_event.h"
#include "ws_limits.h"
#include "ws_send.h"
#include "ws_stats.h"

static int check_control(const struct ws_request *req)
{
	if (req->opcode > WS_OP_PONG || req->more || req->rsv)
		return -EINVAL;
	if (req->opcode != WS_OP_CLOSE)
		return req->len > WS_CTRL_MAX ? -EMSGSIZE : 0;

	if (req->len > WS_CTRL_MAX - 2)
		return -EMSGSIZE;
	if (req->code == 0 || req->code == 1005)
		return req->len ? -EINVAL : 0;
	return ws_close_code_ok(req->code) ? 0 : -EINVAL;
}

/*
 * May anybody ask for @m? @req has its len and more, the rest of it is filled.
 * Any context. Return: 0, -EINVAL or -EMSGSIZE.
 */
int ws_request_set(struct ws_request *req, const struct ws_msg *m)
{
	if (m->flags & ~WS_MSG_KNOWN)
		return -EINVAL;
	req->opcode = m->opcode;
	req->code = m->code;
	req->rsv = m->flags & WS_MSG_RSV1 ? WS_RSV1 : 0;
	if (ws_op_is_control(req->opcode))
		return check_control(req);
	return req->opcode > WS_OP_BINARY ? -EINVAL : 0;
}

static int check_tx_state(const struct ws_ctx *ctx)
{
	const struct sock *sk = ctx->sk;

	if (ctx->tx.close != WS_CLOSE_NONE || sk->sk_err ||
	    (sk->sk_shutdown & SEND_SHUTDOWN))
		return -EPIPE;
	return 0;
}

/*
 * Sleep until TCP has room, for a while if memory lacks; without @for_room
 * until @ctx->tx.busy ends. Woken by ws_event_write_space(), end_turn(),
 * ws_tx_flush(), and at the end of the connection. Return: 0 to test again,
 * -EAGAIN or a signal's errno.
 */
static int tx_sleep(struct ws_ctx *ctx, bool for_room, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct sock *sk = ctx->sk;
	bool lack = for_room && sk_stream_memory_free(sk);
	long slice = lack ? min(*timeo, (long)HZ / 10) : *timeo;
	long rest = slice;
	int err;

	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	err = ws_check_sleep(*timeo);
	if (err)
		return err;

	add_wait_queue(sk_sleep(sk), &wait);
	ws_wait_event(ctx, &rest, check_tx_state(ctx) ||
		      (for_room ? !lack && sk_stream_memory_free(sk) :
			      !READ_ONCE(ctx->tx.busy)), &wait);
	remove_wait_queue(sk_sleep(sk), &wait);
	if (*timeo != MAX_SCHEDULE_TIMEOUT)
		*timeo -= slice - rest;
	return 0;
}

/*
 * Wait for our turn, and for room in the send buffer. Return: 0 when nothing is
 * under way and there is room, or a negated errno.
 */
int ws_send_wait(struct ws_ctx *ctx, bool *mine, long *timeo)
{
	struct ws_tx *tx = &ctx->tx;

	/* As it is mostly: see below. */
	if (ws_ctrl_quiet(ctx) && likely(!tx->busy && !tx->held) &&
	    !check_tx_state(ctx) && sk_stream_memory_free(ctx->sk))
		return 0;
	for (;;) {
		int err = check_tx_state(ctx);

		if (err)
			return err;
		if (!tx->busy || *mine) {
			err = ws_ctrl_pending(ctx) || tx->held ?
				ws_tx_flush(ctx) : 0;
			if (!err && sk_stream_memory_free(ctx->sk))
				return check_tx_state(ctx);
			if (err && err != -EAGAIN)
				return err;
			if (*timeo) {
				WRITE_ONCE(tx->busy, true);
				*mine = true;
			}
		}
		err = tx_sleep(ctx, *mine, timeo);
		if (err)
			return err;
	}
}

/*
 * For the caller that set @ctx->tx.busy. Senders wait for that alone, room or
 * not; pollers are woken when there is room.
 */
static void end_turn(struct ws_ctx *ctx)
{
	WRITE_ONCE(ctx->tx.busy, false);
	wake_up_interruptible_poll(sk_sleep(ctx->sk), EPOLLOUT | EPOLLWRNORM);
	ws_tx_wake(ctx);
}

/*
 * Send a frame of a data message of which @left payload bytes are to go in this
 * call: all of them, or a fragment. After ws_send_wait() and ws_send_opcode();
 * @timeo is 0 when the caller does not wait. The opcode of the first frame
 * names the message, the others continue it (RFC 6455 section 5.4). Return:
 * payload bytes taken, which are ours to send, or a negated errno.
 */
ssize_t ws_send_frame(struct ws_ctx *ctx, struct msghdr *msg, size_t left,
		      const struct ws_request *req, long timeo)
{
	struct ws_tx *tx = &ctx->tx;
	bool more = req->more, small;
	struct ws_hdr hdr = {
		.len = ws_send_room(ctx, left, timeo),
		.opcode = tx->open ? WS_OP_CONT : req->opcode,
		.rsv = tx->open ? 0 : req->rsv,
	};
	int err;

	hdr.fin = !req->more && hdr.len == left;
	small = !req->zc && hdr.len <= WS_TX_SMALL;
	if (likely(small))
		err = ws_tx_send_small(ctx, &hdr, &msg->msg_iter, more);
	else if (unlikely(req->zc))
		err = ws_zc_build(ctx, &hdr, &msg->msg_iter, req->zc);
	else
		err = ws_tx_build(ctx, &hdr, &msg->msg_iter);
	/*
	 * A small one was pushed, too; -EAGAIN says that it waits in @tx. A
	 * large one may have become a shorter fragment for lack of memory.
	 */
	if (err && !(small && err == -EAGAIN))
		return err;

	if (!tx->open)
		tx->open = req->opcode | req->rsv;
	if (hdr.fin) {
		tx->open = 0;
		ctx->info.tx_messages++;
		ws_stats_inc(ctx, WS_MIB_TX_MESSAGES);
	}
	ctx->info.tx_bytes += hdr.len;
	ws_stats_add(ctx, WS_MIB_TX_BYTES, hdr.len);
	/* What TCP does not take now it takes later, before anything else. */
	if (small || unlikely(tx->held))
		return hdr.len;
	err = ws_tx_push(ctx, more);
	return err && err != -EAGAIN ? err : hdr.len;
}

/*
 * A blocking call returns when TCP has its last byte, so that a fast sender
 * is slowed; not when a Close follows, which goes out in the background.
 */
static void wait_sent(struct ws_ctx *ctx, long *timeo)
{
	while (*timeo && ctx->tx.nseg && !check_tx_state(ctx) &&
	       !tx_sleep(ctx, true, timeo))
		ws_tx_flush(ctx);
}

/*
 * The end of a call that sends, with @err; may wait for TCP to take the rest.
 */
void ws_send_done(struct ws_ctx *ctx, bool mine, int err, long *timeo)
{
	if (mine)
		end_turn(ctx);
	if (ws_ctrl_quiet(ctx))
		return;
	if (!err)
		wait_sent(ctx, timeo);
	ws_event_send(ctx);
}

/*
 * May this data message come now? @open is as ws_tx::open: an open message is
 * continued, not replaced; only its first frame says that it is compressed. On
 * return the opcode is never 0. Return: 0 or -EINVAL.
 */
int ws_send_opcode(const struct ws_ctx *ctx, u8 open, struct ws_request *req)
{
	u8 opcode = open & ~WS_RSV1;

	if (req->rsv && !(open ? open & WS_RSV1 : ctx->cfg.rsv1))
		return -EINVAL;
	if (req->opcode == WS_OP_CONT)
		req->opcode = opcode ?: ctx->cfg.send_opcode;
	else if (open && req->opcode != opcode)
		return -EINVAL;
	return 0;
}

/*
 * The body of a control frame, for which @body has WS_CTRL_MAX bytes. A Close
 * has its status code before the reason, RFC 6455 section 5.5.1. Return: bytes,
 * -EFAULT, or -EILSEQ for a reason that is not UTF-8.
 */
int ws_send_body(const struct ws_request *req, struct iov_iter *from, u8 *body)
{
	int code = 0;

	if (req->opcode == WS_OP_CLOSE && req->code && req->code != 1005) {
		body[0] = req->code >> 8;
		body[1] = req->code;
		code = 2;
	}
	if (copy_from_iter(body + code, req->len, from) != req->len)
		return -EFAULT;
	if (code && ws_utf8(WS_UTF8_OK, body + 2, req->len, 0) != WS_UTF8_OK)
		return -EILSEQ;
	return req->len + code;
}

/*
 * The frame under way is the Close of @req, or ends with it; @behind if data
 * precedes it there. ws_ctrl_close() notes code and state as for a Close that
 * is to be built.
 */
void ws_send_closing(struct ws_ctx *ctx, const struct ws_request *req,
		     bool behind)
{
	ws_limits_closing(ctx, behind);
	ws_event_request(ctx);
	ws_ctrl_close(ctx, req->code ?: 1005);
	ctx->tx.close = WS_CLOSE_DONE;
	ctx->time.end = ws_tx_end(ctx);
	ws_stats_inc(ctx, WS_MIB_TX_CLOSE);
}

/*
 * A control frame that the application asks for. Return: payload bytes, all of
 * them, or a negated errno.
 */
int ws_send_control(struct ws_ctx *ctx, struct msghdr *msg,
		    const struct ws_request *req, bool *mine, long *timeo)
{
	u8 body[WS_CTRL_MAX];
	int err, len;

	len = ws_send_body(req, &msg->msg_iter, body);
	if (len < 0)
		return len;
	err = ws_send_wait(ctx, mine, timeo);
	if (!err)
		err = ws_tx_control(ctx, req->opcode, body, len);
	if (err)
		return err;
	if (req->opcode == WS_OP_CLOSE)
		ws_send_closing(ctx, req, false);
	ws_tx_flush(ctx);
	return req->len;
}
