// SPDX-License-Identifier: GPL-2.0-only
/* sendmsg(): one call, one message. */
#include "ws.h"

/* What the caller asked for, from flags and control message. */
struct request {
	size_t len;
	u16 code;
	u8 opcode;
	u8 rsv;
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
		if (m.flags & ~(WS_MSG_END | WS_MSG_RSV1))
			return -EINVAL;
		req->opcode = m.opcode;
		req->code = m.code;
		req->rsv = m.flags & WS_MSG_RSV1 ? WS_RSV1 : 0;
		seen = true;
	}
	return 0;
}

static int check_control(const struct request *req)
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
	ctx->tx.waiters++;
	sk_wait_event(sk, &rest, tx_state(ctx) ||
		      (mine ? !lack && sk_stream_memory_free(sk) :
			      !READ_ONCE(ctx->tx.busy)), &wait);
	ctx->tx.waiters--;
	remove_wait_queue(sk_sleep(sk), &wait);
	if (*timeo != MAX_SCHEDULE_TIMEOUT)
		*timeo -= slice - rest;
	return 0;
}

/*
 * Wait until it is our turn, nothing is under way, and the send buffer has
 * room. Whoever sleeps for room here is next: it sets busy, and *@mine.
 */
static int wait_room(struct ws_ctx *ctx, bool *mine, long *timeo)
{
	struct ws_tx *tx = &ctx->tx;

	for (;;) {
		int err = tx_state(ctx);

		if (err)
			return err;
		if (!tx->busy || *mine) {
			err = ws_ctrl_pending(ctx) ? ws_tx_flush(ctx) : 0;
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
	if (ctx->tx.waiters)
		wake_up_interruptible_all(sk_sleep(ctx->sk));
	ws_tx_wake(ctx);
}

/* Payload of the next frame of a message that has @left bytes to go. */
static size_t frame_size(const struct ws_ctx *ctx, size_t left, long timeo)
{
	int room = clamp(sk_stream_wspace(ctx->sk),
			 timeo ? WS_FRAME_MIN : WS_FRAME_MIN_NB, WS_FRAME_MAX);

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
		.rsv = tx->opcode ? 0 : req->rsv,
	};
	int err;

	hdr.fin = !req->more && hdr.len == left;
	err = ws_tx_build(ctx, &hdr, &msg->msg_iter);
	if (err)
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
	err = ws_tx_push(ctx, !hdr.fin && req->more);
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
	ws_ctrl_kick(ctx);
}

/*
 * A message that MSG_MORE left open is continued, not replaced; only its first
 * frame says that it is compressed.
 */
static int choose_opcode(const struct ws_ctx *ctx, struct request *req)
{
	u8 open = ctx->tx.opcode;

	if (req->rsv & ~(open ? ctx->tx.rsv : ctx->cfg.rsv))
		return -EINVAL;
	if (req->opcode == WS_OP_CONT)
		req->opcode = open ? open : ctx->cfg.send_opcode;
	else if (open && req->opcode != open)
		return -EINVAL;
	return 0;
}

static ssize_t send_data(struct ws_ctx *ctx, struct msghdr *msg,
			 struct request *req, long *timeo)
{
	struct ws_tx *tx = &ctx->tx;
	bool mine = false;
	size_t done = 0;
	ssize_t n;

	do {
		n = wait_room(ctx, &mine, timeo);
		if (!n && !done)
			n = choose_opcode(ctx, req);
		if (n)
			break;
		n = send_frame(ctx, msg, req->len - done, req, *timeo);
		if (n < 0)
			break;
		done += n;
		if (done < req->len && *timeo) {
			WRITE_ONCE(tx->busy, true);
			mine = true;
		}
	} while (done < req->len);

	if (mine)
		not_busy(ctx);
	if (n >= 0)
		wait_sent(ctx, timeo);
	else
		ws_ctrl_kick(ctx);
	return done || n >= 0 ? done : n;
}

static int send_control(struct ws_ctx *ctx, struct msghdr *msg,
			const struct request *req, long *timeo)
{
	struct ws_hdr hdr = { .fin = true, .opcode = req->opcode };
	u8 body[WS_CTRL_MAX];
	struct kvec kv = { .iov_base = body };
	struct iov_iter from;
	bool mine = false;
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

	hdr.len = req->len + code;
	kv.iov_len = hdr.len;
	iov_iter_kvec(&from, WRITE, &kv, 1, kv.iov_len);
	err = wait_room(ctx, &mine, timeo);
	if (!err && req->opcode == WS_OP_CLOSE)
		ws_timer_closing(ctx);
	if (!err)
		err = ws_tx_build(ctx, &hdr, &from);
	if (mine)
		not_busy(ctx);
	if (err)
		return err;

	if (req->opcode == WS_OP_CLOSE) {
		ws_ctrl_close(ctx, code ? req->code : 1005);
		/* This frame is it. */
		ctx->tx.close = WS_CLOSE_SENT;
		ctx->time.end = ws_tx_end(ctx);
		ws_stats_inc(ctx, WS_MIB_TX_CLOSE);
	}
	ws_tx_flush(ctx);
	wait_sent(ctx, timeo);
	return req->len;
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
	if (ws_op_is_control(req.opcode))
		ret = send_control(ctx, msg, &req, &timeo);
	else
		ret = send_data(ctx, msg, &req, &timeo);
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
	bool nonblock = sock->file && (sock->file->f_flags & O_NONBLOCK);
	struct msghdr msg = {
		.msg_flags = MSG_NOSIGNAL | (nonblock ? MSG_DONTWAIT : 0),
	};
	struct ws_ctx *ctx = ws_ctx_get(sock->sk);
	struct kvec none = {};

	if (!READ_ONCE(ctx->tx.opcode))
		return;
	iov_iter_kvec(&msg.msg_iter, WRITE, &none, 1, 0);
	ws_sendmsg(sock->sk, &msg, 0);
}
