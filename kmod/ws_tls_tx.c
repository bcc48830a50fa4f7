// SPDX-License-Identifier: GPL-2.0-only
/*
 * kTLS below: sending. Frames go to kTLS as pages, which it encrypts into
 * records of its own; so plain text is copied once on its way, as without TLS.
 */
#include <net/tls.h>

#include "ws_tcp.h"
#include "ws_tls.h"

/* Return: bytes taken, or a negated errno. */
static int send_msg(struct ws_ctx *ctx, struct msghdr *msg, size_t len)
{
	int n = ws_saved_of(ctx)->prot->sendmsg(ctx->sk, msg, len);

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

	iov_iter_bvec(&msg.msg_iter, WRITE, ws_tx_segs(tx) + tx->cur,
		      tx->nseg - tx->cur, len);
	return send_msg(ctx, &msg, len);
}

/* A frame has gone to kTLS as a whole. */
void ws_tls_sent(struct ws_ctx *ctx)
{
	if (!ctx->tls->mark)
		return;
	ctx->tls->mark = false;
	ctx->time.end = tcp_sk(ctx->sk)->write_seq;
}

int ws_tls_send_alert(struct ws_ctx *ctx, u8 *alert)
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
	return send_msg(ctx, &msg, 2);
}

/*
 * Send close_notify, which belongs before TCP's FIN, once (RFC 8446 section
 * 6.1); our Close is out. Process context, lock of the context. Return: 0 when
 * all of it is in TCP's hands, or nothing can be sent any more; -EAGAIN when
 * kTLS waits for room, or did not take the alert.
 */
int ws_tls_close_notify(struct ws_ctx *ctx)
{
	u8 alert[2] = { 1, WS_TLS_CLOSE_NOTIFY };
	struct sock *sk = ctx->sk;
	bool held;
	int n;

	if (!ws_tcp_takes_bytes(sk))
		return 0;
	if (!ctx->tls->notified) {
		n = ws_tls_send_alert(ctx, alert);
		if (n == -EAGAIN)
			return n;
		ctx->tls->notified = true;
	}
	lock_sock(sk);
	held = !list_empty(&tls_sw_ctx_tx(tls_get_ctx(sk))->tx_list);
	release_sock(sk);
	return held && ws_tcp_takes_bytes(sk) ? -EAGAIN : 0;
}

/*
 * ws_time::end is to be set when the frame under way is out: only then is known
 * what TLS makes of it. Return: more bytes than that can be.
 */
u32 ws_tls_mark(struct ws_ctx *ctx)
{
	ctx->tls->mark = true;
	return WS_FRAME_MAX;
}
