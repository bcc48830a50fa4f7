// SPDX-License-Identifier: GPL-2.0-only
/* sendmsg(): one call, one message; many of them are ws_batch_send.c's. */
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
	if (req->more || req->rsv)
		return -EINVAL;
	if (req->opcode != WS_OP_CLOSE)
		return req->len > WS_CTRL_MAX ? -EMSGSIZE : 0;

	if (req->len > WS_CTRL_MAX - 2)
		return -EMSGSIZE;
	if (req->code == 0 || req->code == 1005)
		return req->len ? -EINVAL : 0;
	return ws_close_code_ok(req->code) ? 0 : -EINVAL;
}

/**
 * ws_request_check() - may anybody ask for this?
 * @req: what the caller asks for
 *
 * Any context. Return: 0, -EINVAL or -EMSGSIZE.
 */
int ws_request_check(const struct ws_request *req)
{
	switch (req->opcode) {
	case WS_OP_CONT:
	case WS_OP_TEXT:
	case WS_OP_BINARY:
		return 0;
	case WS_OP_CLOSE:
	case WS_OP_PING:
	case WS_OP_PONG:
		return check_control(req);
	default:
		return -EINVAL;
	}
}

/* One message: its length and end are those of the call. */
static int parse_request(const struct msghdr *msg, size_t len,
			 const struct ws_msg *m, struct ws_request *req)
{
	*req = (struct ws_request){
		.len = len,
		.more = msg->msg_flags & (MSG_MORE | WS_COMPAT_MSG_NOTLAST),
	};
	if (!m)
		return 0;
	if (m->flags & ~WS_MSG_KNOWN)
		return -EINVAL;
	req->opcode = m->opcode;
	req->code = m->code;
	req->rsv = m->flags & WS_MSG_RSV1 ? WS_RSV1 : 0;
	return ws_request_check(req);
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

/**
 * ws_send_wait() - for our turn, and for room in the send buffer
 * @ctx: the socket
 * @mine: whether the caller has set @ctx->tx.busy; set when this did so,
 *	because whoever sleeps for room is next
 * @timeo: how long it may take; what is left of that on return
 *
 * Process context, socket lock, which is given up while it waits.
 *
 * Return: 0 when nothing is under way and there is room, or a negated errno.
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
 * (RFC 6455 section 5.4). Process context, socket lock.
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
		.opcode = tx->opcode ? WS_OP_CONT : req->opcode,
		.rsv = tx->opcode ? 0 : req->rsv,
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

	if (!tx->opcode) {
		tx->opcode = req->opcode;
		tx->rsv = req->rsv;
	}
	if (hdr.fin) {
		tx->opcode = 0;
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

/**
 * ws_send_done() - the end of a call that sends
 * @ctx: the socket
 * @mine: as for ws_send_wait()
 * @err: how it ended
 * @timeo: how long the caller may still wait for what TCP has not taken
 */
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

/**
 * ws_send_opcode() - may this data message come now, and what is it?
 * @ctx: the socket
 * @open: as ws_tx::opcode
 * @rsv: as ws_tx::rsv
 * @req: what the caller asks for; on return its opcode is never 0
 *
 * An open message is continued, not replaced; only its first frame says that
 * it is compressed.
 *
 * Return: 0 or -EINVAL.
 */
int ws_send_opcode(const struct ws_ctx *ctx, u8 open, u8 rsv,
		   struct ws_request *req)
{
	if (req->rsv & ~(open ? rsv : ctx->cfg.rsv))
		return -EINVAL;
	if (req->opcode == WS_OP_CONT)
		req->opcode = open ? open : ctx->cfg.send_opcode;
	else if (open && req->opcode != open)
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
			n = ws_send_opcode(ctx, tx->opcode, tx->rsv, req);
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

/**
 * ws_send_body() - the body of a control frame
 * @req: what the caller asks for; ws_request_check() said yes
 * @from: its payload
 * @body: room for WS_CTRL_MAX bytes
 *
 * A Close has its status code before the reason, RFC 6455 section 5.5.1.
 *
 * Return: bytes, -EFAULT, or -EILSEQ for a reason that is not UTF-8.
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

/**
 * ws_send_closing() - the frame under way is our Close, or ends with it
 * @ctx: the socket
 * @req: what the caller asked for
 *
 * Process context, socket lock.
 */
void ws_send_closing(struct ws_ctx *ctx, const struct ws_request *req)
{
	ws_timer_closing(ctx);
	ws_ctrl_close(ctx, req->code ?: 1005);
	ctx->tx.close = WS_CLOSE_SENT;
	ctx->time.end = ws_tx_end(ctx);
	ws_stats_inc(ctx, WS_MIB_TX_CLOSE);
}

/**
 * ws_send_control() - a control frame that the application asks for
 * @ctx: the socket
 * @msg: where its payload comes from
 * @req: what it is; ws_request_check() said yes
 * @mine: as for ws_send_wait()
 * @timeo: how long it may take; what is left of that on return
 *
 * Process context, socket lock, which is given up while it waits.
 *
 * Return: payload bytes, all of them, or a negated errno.
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
 * See ws(7). May sleep; takes the socket lock. Frames never interleave, and
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
	struct ws_request req = {};
	struct ws_zc zc;
	int n = 0;
	long timeo;
	ssize_t ret;

	if (unlikely(!ctx))
		return -EBADFD;
	if (flags & (MSG_OOB | MSG_FASTOPEN))
		return -EOPNOTSUPP;
	if (ctx->tls && msg->msg_controllen) {
		ret = ws_tls_alert(ctx, msg, len);
		if (ret != -ENOMSG)
			return ret;
	}
	if (msg->msg_controllen)
		n = parse_cmsg(msg, &msgs);
	if (n < 0)
		return n;
	if (n < 2) {
		ret = parse_request(msg, len, msgs, &req);
		if (ret)
			return ret;
	}
	if ((flags & MSG_ZEROCOPY) &&
	    (n > 1 || ws_op_is_control(req.opcode) ||
	     READ_ONCE(ctx->cfg.flags) & WS_F_RECORDS))
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

	if (!ctx || !READ_ONCE(ctx->tx.opcode))
		return;
	iov_iter_kvec(&msg.msg_iter, WRITE, &none, 1, 0);
	ws_sendmsg(sock->sk, &msg, 0);
}
