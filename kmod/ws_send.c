// SPDX-License-Identifier: GPL-2.0-only
/*
 * sendmsg(): one call, one message; many of them are ws_batch_send.c's.
 *
 * Process context, socket lock. Whoever has a @timeo gives the lock up while it
 * waits, for so long at most; on return @timeo is what is left of that. @mine is
 * whether the caller has set @ctx->tx.busy, because it slept for room: then it is
 * the next to send.
 */
#include "ws.h"

/* Return: how many entries the control message has, @msgs being the first. */
static int parse_cmsg(struct msghdr *msg, const struct ws_msg **msgs)
{
	struct cmsghdr *cmsg;
	int n = 0;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return -EINVAL;
		if (cmsg->cmsg_level != SOL_WS)
			continue;
		n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(**msgs);
		if (*msgs || cmsg->cmsg_type != WS_MSG ||
		    n < 1 || n > WS_BATCH_MAX ||
		    cmsg->cmsg_len != CMSG_LEN(n * sizeof(**msgs)))
			return -EINVAL;
		*msgs = CMSG_DATA(cmsg);
	}
	return n;
}

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

static int tx_state(const struct ws_ctx *ctx)
{
	const struct sock *sk = ctx->sk;

	if (ctx->tx.close != WS_CLOSE_NONE || sk->sk_err ||
	    (sk->sk_shutdown & SEND_SHUTDOWN))
		return -EPIPE;
	return 0;
}

/*
 * Sleep until @ctx->tx.busy ends or, if the caller set it, until TCP has room.
 * Also ends when nothing can be sent any more, and after a while when it is
 * memory that lacks. Return: 0 to look again, -EAGAIN or a signal's errno.
 */
static int tx_sleep(struct ws_ctx *ctx, bool mine, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct sock *sk = ctx->sk;
	bool lack = mine && sk_stream_memory_free(sk);
	long slice = lack ? min(*timeo, (long)HZ / 10) : *timeo;
	long rest = slice;

	set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
	if (!*timeo)
		return -EAGAIN;
	if (signal_pending(current))
		return sock_intr_errno(*timeo);

	add_wait_queue(sk_sleep(sk), &wait);
	ws_wait_event(ctx, &rest, tx_state(ctx) ||
		      (mine ? !lack && sk_stream_memory_free(sk) :
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
	if (ws_ctrl_quiet(ctx) && likely(!tx->busy && !tx->gather) &&
	    !tx_state(ctx) && sk_stream_memory_free(ctx->sk))
		return 0;
	for (;;) {
		int err = tx_state(ctx);

		if (err)
			return err;
		if (!tx->busy || *mine) {
			err = ws_ctrl_pending(ctx) || tx->gather ?
				ws_tx_flush(ctx) : 0;
			if (!err && sk_stream_memory_free(ctx->sk))
				return tx_state(ctx);
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

/* Only for who has set it. */
static void not_busy(struct ws_ctx *ctx)
{
	WRITE_ONCE(ctx->tx.busy, false);
	wake_up_interruptible_poll(sk_sleep(ctx->sk), EPOLLOUT | EPOLLWRNORM);
	ws_tx_wake(ctx);
}

/**
 * ws_send_frame() - one frame of a data message: all of it, or a fragment
 * @ctx: the socket, after ws_send_wait()
 * @msg: where the payload comes from
 * @left: payload bytes that the message has left in this call
 * @req: what it is; ws_send_opcode() said yes
 * @timeo: 0 when the caller does not wait
 *
 * The opcode of the first frame names the message, the others continue it
 * (RFC 6455 section 5.4).
 *
 * Return: payload bytes that are now ours to send, or a negated errno.
 */
ssize_t ws_send_frame(struct ws_ctx *ctx, struct msghdr *msg, size_t left,
		      const struct ws_request *req, long timeo)
{
	struct ws_tx *tx = &ctx->tx;
	bool small, more;
	struct ws_hdr hdr = {
		.len = ws_send_room(ctx, left, timeo),
		.opcode = tx->open ? WS_OP_CONT : req->opcode,
		.rsv = tx->open ? 0 : req->rsv,
	};
	int err;

	hdr.fin = !req->more && hdr.len == left;
	more = !hdr.fin && req->more;
	small = !req->zc && hdr.len <= WS_TX_SMALL;
	if (likely(small))
		err = ws_tx_send_small(ctx, &hdr, &msg->msg_iter, more);
	else if (unlikely(req->zc))
		err = ws_zc_build(ctx, &hdr, &msg->msg_iter, req->zc);
	else
		err = ws_tx_build(ctx, &hdr, &msg->msg_iter);
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
	if (small || unlikely(tx->gather))
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
	while (*timeo && ctx->tx.nseg && !tx_state(ctx) &&
	       !tx_sleep(ctx, true, timeo))
		ws_tx_flush(ctx);
}

/* The end of a call that sends, with @err; may wait for TCP to take the rest. */
void ws_send_done(struct ws_ctx *ctx, bool mine, int err, long *timeo)
{
	if (mine)
		not_busy(ctx);
	if (ws_ctrl_quiet(ctx))
		return;
	if (!err)
		wait_sent(ctx, timeo);
	ws_ctrl_kick(ctx);
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

static ssize_t send_data(struct ws_ctx *ctx, struct msghdr *msg,
			 struct ws_request *req, long *timeo)
{
	struct ws_tx *tx = &ctx->tx;
	bool mine = false;
	size_t done = 0;
	ssize_t n;

	do {
		n = ws_send_wait(ctx, &mine, timeo);
		if (!n && !done)
			n = ws_send_opcode(ctx, tx->open, req);
		if (n)
			break;
		n = ws_send_frame(ctx, msg, req->len - done, req, *timeo);
		if (n < 0)
			break;
		done += n;
		if (done < req->len && *timeo) {
			WRITE_ONCE(tx->busy, true);
			mine = true;
		}
	} while (done < req->len);

	ws_send_done(ctx, mine, min_t(ssize_t, n, 0), timeo);
	return done || n >= 0 ? done : n;
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

/* The frame under way is the Close that @req asked for, or ends with it. */
void ws_send_closing(struct ws_ctx *ctx, const struct ws_request *req)
{
	ws_timer_closing(ctx);
	ws_ctrl_close(ctx, req->code ?: 1005);
	ctx->tx.close = WS_CLOSE_SENT;
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
		ws_send_closing(ctx, req);
	ws_tx_flush(ctx);
	return req->len;
}

static ssize_t send_one(struct ws_ctx *ctx, struct msghdr *msg,
			struct ws_request *req, long *timeo)
{
	bool mine = false;
	int ret;

	if (!ws_op_is_control(req->opcode))
		return send_data(ctx, msg, req, timeo);
	ret = ws_send_control(ctx, msg, req, &mine, timeo);
	ws_send_done(ctx, mine, min(ret, 0), timeo);
	return ret;
}

/**
 * ws_sendmsg() - proto.sendmsg of an attached socket
 * @sk: the socket
 * @msg: one message, or with MSG_MORE a part of one; or many
 * @len: its length
 *
 * See ws(7). Takes the socket lock. Frames never interleave, and
 * messages that are each sent by one call do not either.
 *
 * Return: payload bytes taken, fewer than @len when a non-blocking, timed out
 * or interrupted call left the message open; or a negated errno.
 */
int ws_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);
	const struct ws_msg *msgs = NULL;
	int flags = msg->msg_flags;
	struct ws_request req = {
		.len = len,
		.more = flags & (MSG_MORE | WS_COMPAT_MSG_NOTLAST),
	};
	ssize_t ret = 0;
	struct ws_zc zc;
	int n = 0;
	long timeo;

	if (unlikely(!ctx))
		return -EBADFD;
	if (flags & (MSG_OOB | MSG_FASTOPEN))
		return -EOPNOTSUPP;
	if (ctx->tls && msg->msg_controllen) {
		ret = ws_tls_alert(ctx, msg, len);
		if (ret != -ENOMSG)
			return ret;
		ret = 0;
	}
	if (msg->msg_controllen)
		n = parse_cmsg(msg, &msgs);
	if (n < 0)
		return n;
	if (n == 1)
		ret = ws_request_set(&req, msgs);
	if (ret)
		return ret;
	/* data_race(): settings that change meanwhile count as old or new. */
	if ((flags & MSG_ZEROCOPY) &&
	    (n > 1 || ws_op_is_control(req.opcode) ||
	     data_race(ctx->cfg.flags & WS_F_RECORDS)))
		return -EOPNOTSUPP;

	ws_lock(ctx);
	if (unlikely(!ctx->rx.started))
		ws_rx_start(ctx);
	timeo = sock_sndtimeo(sk, flags & MSG_DONTWAIT);
	if (unlikely(flags & WS_MSG_ZC)) {
		ws_zc_begin(ctx, msg, len, &zc);
		req.zc = &zc;
	}
	if (n && ctx->cfg.flags & WS_F_RECORDS)
		ret = -EINVAL;
	else if (ctx->cfg.flags & WS_F_RECORDS)
		ret = ws_batch_send_records(ctx, msg, &timeo);
	else if (n < 2)
		ret = send_one(ctx, msg, &req, &timeo);
	else if (ctx->cfg.flags & WS_F_BATCH)
		ret = ws_batch_send_array(ctx, msg, msgs, n, &timeo);
	else
		ret = -EINVAL;
	if (unlikely(req.zc))
		ws_zc_end(&zc);
	if (ret >= 0)
		ctx->info.tx_calls++;
	if (ret == -EPIPE)
		ret = sk_stream_error(sk, flags, ret);
	ws_unlock(ctx);
	return ret;
}

/*
 * The file that sendfile() was sending has ended early. The last piece promised
 * more; an empty fragment ends the message.
 */
void ws_splice_eof(struct socket *sock)
{
	bool nonblock = sock->file && (sock->file->f_flags & O_NONBLOCK);
	struct msghdr msg = {
		.msg_flags = MSG_NOSIGNAL | (nonblock ? MSG_DONTWAIT : 0),
	};
	struct ws_ctx *ctx = ws_ctx_get(sock->sk);
	struct kvec none = {};

	if (!ctx || !READ_ONCE(ctx->tx.open))
		return;
	iov_iter_kvec(&msg.msg_iter, WRITE, &none, 1, 0);
	ws_sendmsg(sock->sk, &msg, 0);
}
