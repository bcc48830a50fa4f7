/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP as the transport: its receive queue, its window, its send. */
#ifndef _WS_TCP_H
#define _WS_TCP_H

#include <net/tcp.h>

#include "ws_ctx.h"

struct ws_tls_buf;

/**
 * struct ws_span - bytes of the received stream that lie in one piece
 * @skb: the buffer of TCP's queue that has them, or NULL
 * @buf: the same for kTLS
 * @p: the bytes
 * @seq: sequence number of the first
 * @len: how many
 * @mapped: they are in a page that was mapped for it
 */
struct ws_span {
	struct sk_buff *skb;
	const struct ws_tls_buf *buf;
	const u8 *p;
	u32 seq;
	u32 len;
	bool mapped;
};

u32 ws_tcp_end(const struct ws_ctx *ctx);
void ws_tcp_seek(const struct ws_ctx *ctx, struct ws_span *span, u32 seq);
bool ws_tcp_span(const struct ws_ctx *ctx, struct ws_span *span, u32 seq);
const u8 *ws_tcp_front(const struct ws_ctx *ctx, u32 seq, u32 *len);
bool ws_tcp_check(struct ws_ctx *ctx);
void ws_tcp_grow(struct ws_ctx *ctx, u64 len);
bool ws_tcp_window_small(const struct ws_ctx *ctx);
bool ws_tcp_pressed(const struct ws_ctx *ctx);
bool ws_tcp_tx_blocked(struct ws_ctx *ctx);
int ws_tcp_send(struct ws_ctx *ctx, bool more);
void ws_tcp_fin(struct ws_ctx *ctx);
void ws_tcp_abort(struct ws_ctx *ctx, int err);

/*
 * Limit for an incomplete message kept in the queue: half of what the program
 * has read so far, at least 64 KiB. Beyond it the message is delivered in
 * pieces. Without the lock a hint. Here because ws_tcp_grow() needs it.
 */
static inline u64 ws_rx_credit(const struct ws_ctx *ctx)
{
	return max_t(u64, READ_ONCE(ctx->info.rx_bytes) / 2, SZ_64K);
}

/* Expected tcp_sock::copied_seq; a mismatch means a foreign reader. */
static inline u32 ws_tcp_copied(const struct ws_rx *rx)
{
	return rx->base + rx->fin_read;
}

/* Has nothing but this module read from the queue? */
static inline bool ws_tcp_is_intact(const struct ws_ctx *ctx)
{
	return tcp_sk(ctx->sk)->copied_seq == ws_tcp_copied(&ctx->rx);
}

/*
 * Take the bytes from @from up to @seq out of TCP's queue. May send a window
 * update.
 */
static __always_inline void ws_tcp_consume(struct ws_ctx *ctx, u32 from, u32 seq)
{
	struct tcp_sock *tp = tcp_sk(ctx->sk);

	tcp_read_done(ctx->sk, seq - from);
	/* tcp_read_done() has gone over a FIN, too. */
	ctx->rx.fin_read = tp->copied_seq != seq;
	/* TCP itself does this in tcp_recvmsg(), which never runs here. */
	if (unlikely(tp->urg_data) && after(tp->copied_seq, tp->urg_seq)) {
		WRITE_ONCE(tp->urg_data, 0);
		tcp_fast_path_check(ctx->sk);
	}
}

/* Is TCP's sending direction open? */
static inline bool ws_tcp_is_open(const struct sock *sk)
{
	return !(sk->sk_shutdown & SEND_SHUTDOWN) &&
	       ((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT));
}

/*
 * Would TCP take bytes? With sk_err set its sendmsg() would return that and
 * clear it, though it is for the next call of the program.
 */
static inline bool ws_tcp_takes_bytes(const struct sock *sk)
{
	return likely(!sk->sk_err && ws_tcp_is_open(sk));
}

/*
 * Would tcp_poll() report EPOLLOUT and nothing else, apart from bytes to read?
 * For poll(), without the lock.
 */
static inline bool ws_tcp_only_writable(const struct sock *sk)
{
	if (inet_sk_state_load(sk) != TCP_ESTABLISHED ||
	    READ_ONCE(sk->sk_shutdown) || READ_ONCE(tcp_sk(sk)->urg_data) ||
	    !__sk_stream_is_writeable(sk, 1))
		return false;
	/* As in tcp_poll(): errors are set before the state. */
	smp_rmb();
	return !READ_ONCE(sk->sk_err) &&
	       skb_queue_empty_lockless(&sk->sk_error_queue);
}

#endif /* _WS_TCP_H */
