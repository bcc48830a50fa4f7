// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bytes have come: how far they are looked at, and whether the reader hears of
 * it. The looking is ws_rx.c's, but for the one message that comes alone.
 *
 * Softirq context from sk_data_ready, or process context; always with the
 * socket lock.
 */
#include "ws.h"

static bool may_be_lazy(const struct ws_ctx *ctx)
{
	const struct ws_rx *rx = &ctx->rx;

	return WS_PLAIN && ctx->cfg.flags & (WS_F_RECORDS | WS_F_BATCH) &&
	       !rx->complete && !ctx->rx.lingers && !ctx->tls &&
	       !sock_flag(ctx->sk, SOCK_DONE) && !ws_timer_watches(ctx);
}

/*
 * Begin to look at the stream. Put off from the attach to the first I/O so that
 * WS_CONFIG can choose the role and WS_RX_PREFIX add bytes before any of them
 * is judged. The caller has ws_ctrl_run() look.
 */
void ws_rx_begin(struct ws_ctx *ctx)
{
	ws_owned_by_me(ctx);
	ctx->rx.wanted = false;
	if (ctx->rx.started)
		return;
	WRITE_ONCE(ctx->rx.started, true);
	ws_timer_start(ctx);
	ws_rx_scan(ctx);
	ws_tls_tell(ctx);
	/* Whoever polls has seen nothing yet. */
	if (!ctx->tls && ws_rx_readable(ctx))
		ws_rx_wake(ctx);
}

/* Begin to look at the stream, if that has not been done. Process context. */
void ws_rx_start(struct ws_ctx *ctx)
{
	if (likely(ctx->rx.started))
		return;
	ws_rx_begin(ctx);
	ws_ctrl_now(ctx);
}

/*
 * For poll(): have the stream looked at. Done at once when nobody owns the
 * socket; else its owner, or on kTLS the work, does it and wakes the poller if
 * there is anything to read. Process context; does not wait for the socket
 * lock.
 */
void ws_rx_want(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	spin_lock_bh(&sk->sk_lock.slock);
	WRITE_ONCE(ctx->rx.wanted, true);
	if (ctx->tls)
		ws_tls_look(ctx);
	else
		ws_ctrl_now(ctx);
	spin_unlock_bh(&sk->sk_lock.slock);
}

/* Tell the reader that there is something new. */
void ws_rx_wake(struct ws_ctx *ctx)
{
	ctx->info.wakeups++;
	ws_below(ctx)->data_ready(ctx->sk);
}

/*
 * One whole message and nothing else, as it comes from a peer that waits for
 * an answer. Return: false when it must be scanned.
 */
static bool scan_one(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;
	bool masked = ctx->cfg.role == WS_ROLE_SERVER;
	struct ws_plain one;
	const u8 *q;
	u32 size;

	if (!WS_PLAIN || ctx->cfg.max_message < 125 || rx->complete ||
	    rx->stop != WS_STOP_NONE || rx->scan.frame || rx->scan.opcode ||
	    rx->scan.seq != rx->head.seq || ctx->tls ||
	    tcp_sk(ctx->sk)->copied_seq != ws_rx_copied(rx))
		return false;
	q = ws_lower_front(ctx, rx->scan.seq, &size);
	if (!q ||
	    !ws_plain_parse(q, size, masked, ctx->cfg.max_message, &one) ||
	    one.size != size || !ws_plain_good(q, masked, &one))
		return false;
	rx->open = false;
	rx->lazy = false;
	rx->cramped = false;
	rx->scan.seq += one.size;
	WRITE_ONCE(rx->payload, one.len);
	WRITE_ONCE(rx->complete, 1);
	return true;
}

/*
 * Something new may have come. The reader hears of it only when it can get
 * something it could not before.
 */
void ws_rx_arrived(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;
	bool news = ctx->tls && ctx->tls->news;
	u32 complete = rx->complete;
	u8 stop = rx->stop;

	ws_owned_by_me(ctx);
	if (unlikely(ctx->rx.lingers)) {
		ws_linger_arrived(ctx);
		return;
	}
	if (scan_one(ctx)) {
		ws_rx_wake(ctx);
		return;
	}
	ws_rx_look(ctx, may_be_lazy(ctx));
	if (ctx->tls)
		ctx->tls->news = false;
	if (rx->complete != complete || rx->stop != stop || news ||
	    ws_lower_done(ctx) ||
	    (!complete && stop == WS_STOP_NONE && ws_rx_readable(ctx)))
		ws_rx_wake(ctx);
}

/* sk_data_ready of an attached socket. Softirq context, or the owner's. */
void ws_rx_data_ready(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (unlikely(!ctx))
		return;
	if (unlikely(!ctx->rx.started)) {
		ws_below(ctx)->data_ready(sk);
		return;
	}
	if (unlikely(ctx->rx.growing))
		return;
	ws_rx_arrived(ctx);
	if (!ws_ctrl_quiet(ctx))
		ws_ctrl_kick(ctx);
}
