// SPDX-License-Identifier: GPL-2.0-only
/* sendmsg(): one call, one message. */
#include "ws.h"

/* What the caller asked for, from flags and control message. */
struct request {
	size_t len;
	u16 code;
	u8 opcode;
	bool more;
};

static int parse_cmsg(struct msghdr *msg, struct request *req)
{
	struct cmsghdr *cmsg;
	bool seen = false;
	struct ws_msg m;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return -EINVAL;
		if (cmsg->cmsg_level != SOL_WS)
			continue;
		if (seen || cmsg->cmsg_type != WS_MSG ||
		    cmsg->cmsg_len != CMSG_LEN(sizeof(m)))
			return -EINVAL;
		memcpy(&m, CMSG_DATA(cmsg), sizeof(m));
		req->opcode = m.opcode;
		req->code = m.code;
		seen = true;
	}
	return 0;
}

static int check_control(const struct request *req)
{
	if (req->more)
		return -EINVAL;
	if (req->opcode != WS_OP_CLOSE)
		return req->len > WS_CTRL_MAX ? -EMSGSIZE : 0;

	if (req->len > WS_CTRL_MAX - 2)
		return -EMSGSIZE;
	if (req->code == 0 || req->code == 1005)
		return req->len ? -EINVAL : 0;
	return ws_close_code_ok(req->code) ? 0 : -EINVAL;
}

static int parse_request(struct msghdr *msg, size_t len, struct request *req)
{
	int err;

	req->len = len;
	req->more = msg->msg_flags & (MSG_MORE | WS_COMPAT_MSG_NOTLAST);
	err = msg->msg_controllen ? parse_cmsg(msg, req) : 0;
	if (err)
		return err;

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

static int tx_state(const struct ws_ctx *ctx)
{
	const struct sock *sk = ctx->sk;

	if (ctx->tx.close != WS_CLOSE_NONE || sk->sk_err ||
	    (sk->sk_shutdown & SEND_SHUTDOWN))
		return -EPIPE;
	return 0;
}

static int wait_not_busy(struct ws_ctx *ctx, long *timeo)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct sock *sk = ctx->sk;
	int err = 0;

	add_wait_queue(sk_sleep(sk), &wait);
	ctx->tx.waiters++;
	while (ctx->tx.busy && !err) {
		if (!*timeo) {
			set_bit(SOCK_NOSPACE, &sk->sk_socket->flags);
			err = -EAGAIN;
		} else if (signal_pending(current)) {
			err = sock_intr_errno(*timeo);
		} else {
			sk_wait_event(sk, timeo, !READ_ONCE(ctx->tx.busy),
				      &wait);
		}
	}
	ctx->tx.waiters--;
	remove_wait_queue(sk_sleep(sk), &wait);
	return err;
}

/* Another sender may follow; wake it only if there is one. */
static void not_busy(struct ws_ctx *ctx)
{
	WRITE_ONCE(ctx->tx.busy, false);
	if (ctx->tx.waiters)
		wake_up_interruptible_all(sk_sleep(ctx->sk));
	ws_tx_wake(ctx);
}

/*
 * Wait until nothing is under way and the send buffer has room. Drops the
 * lock while it sleeps.
 */
static int wait_room(struct ws_ctx *ctx, long *timeo)
{
	for (;;) {
		int err = ws_tx_flush(ctx);

		if (!err && sk_stream_memory_free(ctx->sk))
			return tx_state(ctx);
		if (err && err != -EAGAIN)
			return err;
		err = sk_stream_wait_memory(ctx->sk, timeo);
		if (err)
			return err;
	}
}

/* Payload of the next frame of a message that has @left bytes to go. */
static size_t frame_size(const struct ws_ctx *ctx, size_t left, long timeo)
{
	int room = WS_FRAME_MAX;

	if (!timeo)
		room = clamp(sk_stream_wspace(ctx->sk), WS_FRAME_MIN,
			     WS_FRAME_MAX);
	return min_t(size_t, left, room);
}

/*
 * One frame of a data message: all of it, or a fragment. The opcode of the
 * first frame names the message, the others continue it (section 5.4).
 * Return: payload bytes that are now ours to send, or a negated errno.
 */
static ssize_t send_frame(struct ws_ctx *ctx, struct msghdr *msg, size_t left,
			  const struct request *req, long timeo)
{
	struct ws_tx *tx = &ctx->tx;
	struct ws_hdr hdr = {
		.len = frame_size(ctx, left, timeo),
		.opcode = tx->opcode ? WS_OP_CONT : req->opcode,
	};
	int err;

	hdr.fin = !req->more && hdr.len == left;
	err = ws_tx_build(ctx, &hdr, &msg->msg_iter);
	if (err)
		return err;

	if (!tx->opcode)
		tx->opcode = req->opcode;
	if (hdr.fin) {
		tx->opcode = 0;
		ctx->info.tx_messages++;
		ws_stats_inc(ctx->sk, WS_MIB_TX_MESSAGES);
	}
	ctx->info.tx_bytes += hdr.len;
	ws_stats_add(ctx->sk, WS_MIB_TX_BYTES, hdr.len);
	/* What TCP does not take now it takes later, before anything else. */
	err = ws_tx_push(ctx, !hdr.fin && req->more);
	return err && err != -EAGAIN ? err : hdr.len;
}

/* A blocking call returns when TCP has its last byte. */
static int wait_sent(struct ws_ctx *ctx, long *timeo)
{
	int err = 0;

	while (*timeo && !err && ctx->tx.nseg) {
		err = sk_stream_wait_memory(ctx->sk, timeo);
		if (!err)
			err = ws_tx_flush(ctx);
		if (err == -EAGAIN && *timeo)
			err = 0;
	}
	if (ctx->tx.nseg)
		ws_ctrl_kick(ctx);
	return err;
}

static ssize_t send_data(struct ws_ctx *ctx, struct msghdr *msg,
			 const struct request *req, long *timeo)
{
	struct ws_tx *tx = &ctx->tx;
	size_t done = 0;
	ssize_t n;

	do {
		n = wait_room(ctx, timeo);
		if (n)
			break;
		n = send_frame(ctx, msg, req->len - done, req, *timeo);
		if (n < 0)
			break;
		done += n;
		if (done < req->len)
			WRITE_ONCE(tx->busy, true);
	} while (done < req->len);

	if (n >= 0)
		wait_sent(ctx, timeo);
	else if (tx->nseg)
		ws_ctrl_kick(ctx);
	if (tx->busy)
		not_busy(ctx);
	return done || n >= 0 ? done : n;
}

static int send_control(struct ws_ctx *ctx, struct msghdr *msg,
			const struct request *req, long *timeo)
{
	struct ws_hdr hdr = { .fin = true, .opcode = req->opcode };
	u8 body[WS_CTRL_MAX];
	struct kvec kv = { .iov_base = body };
	struct iov_iter from;
	int err, code = 0;

	if (req->opcode == WS_OP_CLOSE && req->code && req->code != 1005) {
		body[0] = req->code >> 8;
		body[1] = req->code;
		code = 2;
	}
	if (copy_from_iter(body + code, req->len, &msg->msg_iter) != req->len)
		return -EFAULT;
	if (code && ws_utf8(WS_UTF8_OK, body + 2, req->len, 0) != WS_UTF8_OK)
		return -EILSEQ;

	err = wait_room(ctx, timeo);
	if (err)
		return err;
	hdr.len = req->len + code;
	kv.iov_len = hdr.len;
	iov_iter_kvec(&from, WRITE, &kv, 1, kv.iov_len);
	err = ws_tx_build(ctx, &hdr, &from);
	if (err)
		return err;

	if (req->opcode == WS_OP_CLOSE) {
		ws_ctrl_close(ctx, code ? req->code : 1005);
		/* This frame is it. */
		ctx->tx.close = WS_CLOSE_SENT;
		ws_stats_inc(ctx->sk, WS_MIB_TX_CLOSE);
	}
	ws_tx_flush(ctx);
	wait_sent(ctx, timeo);
	return req->len;
}

/* A message that MSG_MORE left open is continued, not replaced. */
static int choose_opcode(const struct ws_ctx *ctx, struct request *req)
{
	u8 open = ctx->tx.opcode;

	if (req->opcode == WS_OP_CONT)
		req->opcode = open ? open : ctx->cfg.send_opcode;
	else if (open && req->opcode != open)
		return -EINVAL;
	return 0;
}

/**
 * ws_sendmsg() - proto.sendmsg of an attached socket
 * @sk: the socket
 * @msg: one message, or with MSG_MORE a part of one
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
	struct request req = {};
	int flags = msg->msg_flags;
	long timeo;
	ssize_t ret;

	if (flags & (MSG_OOB | MSG_FASTOPEN | MSG_ZEROCOPY))
		return -EOPNOTSUPP;
	ret = parse_request(msg, len, &req);
	if (ret)
		return ret;

	lock_sock(sk);
	ws_rx_start(ctx);
	timeo = sock_sndtimeo(sk, flags & MSG_DONTWAIT);
	ret = ctx->tx.busy ? wait_not_busy(ctx, &timeo) : 0;
	if (!ret)
		ret = tx_state(ctx);
	if (!ret && ws_op_is_control(req.opcode)) {
		ret = send_control(ctx, msg, &req, &timeo);
	} else if (!ret) {
		ret = choose_opcode(ctx, &req);
		if (!ret)
			ret = send_data(ctx, msg, &req, &timeo);
	}
	if (ret == -EPIPE)
		ret = sk_stream_error(sk, flags, ret);
	release_sock(sk);
	return ret;
}

/**
 * ws_splice_eof() - the file that sendfile() was sending has ended early
 * @sock: the socket
 *
 * The last piece promised more; an empty fragment ends the message.
 */
void ws_splice_eof(struct socket *sock)
{
	struct msghdr msg = { .msg_flags = MSG_NOSIGNAL };
	struct ws_ctx *ctx = ws_ctx_get(sock->sk);
	struct kvec none = {};

	if (!READ_ONCE(ctx->tx.opcode))
		return;
	iov_iter_kvec(&msg.msg_iter, WRITE, &none, 1, 0);
	ws_sendmsg(sock->sk, &msg, 0);
}
