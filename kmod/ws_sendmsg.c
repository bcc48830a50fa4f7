// SPDX-License-Identifier: GPL-2.0-only
/* sendmsg(): the entry, and one message per call. */
#include "ws_event.h"
#include "ws_send.h"
#include "ws_tls_alert.h"

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
	} while (done < req->len);

	ws_send_done(ctx, mine, min_t(ssize_t, n, 0), timeo);
	return done || n >= 0 ? done : n;
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

/*
 * proto.sendmsg of an attached socket: one message, with MSG_MORE a part of
 * one, or many, see ws(7). May sleep; takes the lock of the context. Frames
 * never interleave, nor do messages that are each sent by one call. Return:
 * payload bytes taken, fewer than @len when a non-blocking, timed out or
 * interrupted call left the message open; or a negated errno.
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
	if (msg->msg_controllen) {
		ret = ws_tls_take_alert(ctx, msg, len);
		if (ret != -ENOMSG)
			return ret;
		ret = 0;
		n = parse_cmsg(msg, &msgs);
	}
	if (n < 0)
		return n;
	if (n == 1)
		ret = ws_request_set(&req, msgs);
	if (ret)
		return ret;
	if ((flags & MSG_ZEROCOPY) &&
	    (n > 1 || ws_op_is_control(req.opcode) ||
	     /* data_race(): changed settings count as old or new. */
	     data_race(ctx->cfg.flags & WS_F_RECORDS)))
		return -EOPNOTSUPP;

	ws_lock(ctx);
	if (unlikely(!ctx->rx.started))
		ws_event_start_parser(ctx);
	timeo = sock_sndtimeo(sk, flags & MSG_DONTWAIT);
	if (unlikely(flags & WS_MSG_ZC)) {
		ws_zc_begin(ctx, msg, len, &zc);
		req.zc = &zc;
	}
	if (n && ctx->cfg.flags & WS_F_RECORDS)
		ret = -EINVAL;
	else if (ctx->cfg.flags & WS_F_RECORDS)
		ret = ws_send_records(ctx, msg, &timeo);
	else if (n < 2)
		ret = send_one(ctx, msg, &req, &timeo);
	else if (ctx->cfg.flags & WS_F_BATCH)
		ret = ws_send_array(ctx, msg, msgs, n, &timeo);
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
