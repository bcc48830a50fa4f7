// SPDX-License-Identifier: GPL-2.0-only
/*
 * kTLS below: sending. Frames go to kTLS as pages, which it encrypts into
 * records of its own; so plain text is copied once on its way, as without TLS.
 */
#include <net/tls.h>

#include "ws.h"

/* Return: bytes taken, or a negated errno. */
static int lower_send(struct ws_ctx *ctx, struct msghdr *msg, size_t len)
{
	int n = ws_below(ctx)->prot->sendmsg(ctx->sk, msg, len);

	/* A signal kept it from a lock: the work will go on. */
	return n == -EINTR || n == -ERESTARTSYS ? -EAGAIN : n;
}

/*
 * Hand the rest of the frame under way to kTLS. Process context, its lock. Does
 * not wait for room in the send buffer. Return: bytes taken, or a negated
 * errno.
 */
int ws_tls_send(struct ws_ctx *ctx)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	struct ws_tx *tx = &ctx->tx;
	size_t len = ws_tx_left(tx);

	iov_iter_bvec(&msg.msg_iter, WRITE, ws_tx_runs(tx) + tx->cur,
		      tx->nseg - tx->cur, len);
	return lower_send(ctx, &msg, len);
}

/* A frame has gone to kTLS as a whole. */
void ws_tls_sent(struct ws_ctx *ctx)
{
	if (!ctx->tls->mark)
		return;
	ctx->tls->mark = false;
	ctx->time.end = tcp_sk(ctx->sk)->write_seq;
}

static int send_alert(struct ws_ctx *ctx, u8 *alert)
{
	struct {
		struct cmsghdr hdr;
		u8 data[CMSG_ALIGN(sizeof(u8))];
	} control = {
		.hdr = {
			.cmsg_level = SOL_TLS,
			.cmsg_type = TLS_SET_RECORD_TYPE,
			.cmsg_len = CMSG_LEN(sizeof(u8)),
		},
		.data[0] = WS_TLS_ALERT,
	};
	struct msghdr msg = {
		.msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct kvec kv = { .iov_base = alert, .iov_len = 2 };

	iov_iter_kvec(&msg.msg_iter, WRITE, &kv, 1, 2);
	return lower_send(ctx, &msg, 2);
}

/**
 * ws_tls_end() - tell the peer's TLS that nothing more comes
 * @ctx: the socket, whose Close is out
 *
 * The alert that belongs before TCP's FIN, once (RFC 8446 section 6.1). Process
 * context, its lock.
 *
 * Return: 0 when all of it is in TCP's hands, or nothing can be sent any more;
 * -EAGAIN when kTLS waits for room, or did not take the alert.
 */
int ws_tls_end(struct ws_ctx *ctx)
{
	u8 alert[2] = { 1, WS_TLS_CLOSE_NOTIFY };
	struct sock *sk = ctx->sk;
	bool held;
	int n;

	if (!ws_tx_takes_bytes(sk))
		return 0;
	if (!ctx->tls->notified) {
		n = send_alert(ctx, alert);
		if (n == -EAGAIN)
			return n;
		ctx->tls->notified = true;
	}
	lock_sock(sk);
	held = !list_empty(&tls_sw_ctx_tx(tls_get_ctx(sk))->tx_list);
	release_sock(sk);
	return held && ws_tx_takes_bytes(sk) ? -EAGAIN : 0;
}

static bool has_type(struct msghdr *msg, u8 *type)
{
	struct cmsghdr *cmsg;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return false;
		if (cmsg->cmsg_level == SOL_TLS &&
		    cmsg->cmsg_type == TLS_SET_RECORD_TYPE &&
		    cmsg->cmsg_len == CMSG_LEN(sizeof(*type))) {
			*type = *(u8 *)CMSG_DATA(cmsg);
			return true;
		}
	}
	return false;
}

/**
 * ws_tls_alert() - the application's TLS library sends an alert
 * @ctx: the socket
 * @msg: of sendmsg(), with control messages
 * @len: of sendmsg()
 *
 * Once our Close is out: until then an alert would cut the WebSocket's stream,
 * and it is EBUSY. A close_notify after ours has been sent already.
 *
 * Return: -ENOMSG when it is no TLS record, @len, or a negated errno.
 */
int ws_tls_alert(struct ws_ctx *ctx, struct msghdr *msg, size_t len)
{
	u8 alert[2], type;
	int ret = -EBUSY;

	if (!has_type(msg, &type))
		return -ENOMSG;
	if (type != WS_TLS_ALERT || len != sizeof(alert))
		return -EINVAL;
	if (copy_from_iter(alert, len, &msg->msg_iter) != len)
		return -EFAULT;
	ws_lock(ctx);
	ws_tx_flush(ctx);
	if (ctx->tx.close == WS_CLOSE_SENT && !ctx->tx.nseg) {
		ret = len;
		if (!ctx->tls->notified)
			ret = send_alert(ctx, alert);
		if (ret > 0 && alert[1] == WS_TLS_CLOSE_NOTIFY) {
			ctx->tls->notified = true;
			WRITE_ONCE(ctx->tls->handed, true);
		}
	}
	ws_unlock(ctx);
	return ret;
}

/**
 * ws_tls_recv_alert() - the application's TLS library looks for close_notify
 * @ctx: the socket, whose WebSocket is over
 * @msg: of recvmsg()
 * @flags: of recvmsg()
 * @got: filled
 *
 * Once, and only when the library has sent its own.
 *
 * Return: as recvmsg() does, but 1 for a record.
 */
int ws_tls_recv_alert(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		      struct ws_got *got)
{
	u8 alert[2] = { 1, WS_TLS_CLOSE_NOTIFY }, type = WS_TLS_ALERT;
	struct ws_tls *tls = ctx->tls;

	if (!tls || !tls->handed || !tls->heard || !msg->msg_control ||
	    msg_data_left(msg) < sizeof(alert))
		return 0;
	if (copy_to_iter(alert, sizeof(alert), &msg->msg_iter) !=
	    sizeof(alert))
		return -EFAULT;
	put_cmsg(msg, SOL_TLS, TLS_GET_RECORD_TYPE, sizeof(type), &type);
	if (!(flags & MSG_PEEK))
		WRITE_ONCE(tls->handed, false);
	got->len = sizeof(alert);
	got->copied = sizeof(alert);
	got->msg.opcode = WS_OP_CLOSE;
	got->told = true;
	return 1;
}
