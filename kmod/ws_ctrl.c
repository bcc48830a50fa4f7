// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens without the application: PONGs, the closing handshake, and when
 * they are sent.
 *
 * On TCP in the places where TCP itself acts: in softirq context if nobody owns
 * the socket, else in proto.release_cb when the owner lets it go. There is no
 * queue of sockets and nobody waits for a lock. kTLS sleeps when it sends or
 * receives: there each socket has a work, see ws_tls.c.
 *
 * Where nothing else is said, any context that has the socket lock.
 */
#include "ws.h"

/* Forget the oldest PONG that waits; there is one. */
void ws_ctrl_pong_done(struct ws_ctx *ctx)
{
	struct ws_tx *tx = &ctx->tx;
	struct ws_pong *pong = tx->pong->next;
	struct sock *sk = ctx->sk;

	if (pong == tx->pong)
		tx->pong = NULL;
	else
		tx->pong->next = pong->next;
	tx->npong--;
	sock_kfree_s(sk, pong, struct_size(pong, data, pong->len));
}

/*
 * Remember to answer a PING, RFC 6455 section 5.5.2; @p is its payload,
 * unmasked. At most WS_PONG_MAX answers wait, charged to the socket's option
 * memory; the oldest gives way, as section 5.5.3 allows.
 */
void ws_ctrl_ping(struct ws_ctx *ctx, const u8 *p, u8 len)
{
	struct ws_tx *tx = &ctx->tx;
	struct ws_pong *pong;

	if (tx->close != WS_CLOSE_NONE)
		return;
	pong = sock_kmalloc(ctx->sk, struct_size(pong, data, len),
			    GFP_ATOMIC | __GFP_NOWARN);
	if (!pong) {
		ws_stats_inc(ctx, WS_MIB_NO_MEMORY);
		ws_stats_inc(ctx, WS_MIB_PONG_DROPPED);
		return;
	}
	pong->len = len;
	memcpy(pong->data, p, len);
	pong->next = tx->pong ? tx->pong->next : pong;
	if (tx->pong)
		tx->pong->next = pong;
	tx->pong = pong;
	if (++tx->npong <= WS_PONG_MAX)
		return;
	ws_ctrl_pong_done(ctx);
	ws_stats_inc(ctx, WS_MIB_PONG_DROPPED);
}

/**
 * ws_ctrl_close() - start or answer the closing handshake, section 7.1.2
 * @ctx: the socket
 * @code: status code; 1005 for a Close without one, 1006 for none at all
 *
 * Only the first call has an effect. No data frame follows. The Close goes
 * out with the next ws_tx_flush().
 */
void ws_ctrl_close(struct ws_ctx *ctx, u16 code)
{
	struct ws_tx *tx = &ctx->tx;

	if (tx->close != WS_CLOSE_NONE)
		return;
	if (code == 1006) {
		tx->close = WS_CLOSE_SENT;
		return;
	}
	tx->close = WS_CLOSE_WANTED;
	tx->close_code = code;
	ctx->rx.state |= WS_STATE_CLOSE_SENT;
	ctx->time.ping = WS_PING_NONE;
}

/*
 * Answer the peer's Close or fault if it is next, or was read. Does nothing
 * after another Close of ours, as ws_ctrl_close().
 */
void ws_ctrl_answer(struct ws_ctx *ctx)
{
	const struct ws_rx *rx = &ctx->rx;

	if ((rx->stop == WS_STOP_CLOSE && !rx->complete) ||
	    rx->state & WS_STATE_CLOSE_RECEIVED)
		ws_ctrl_close(ctx, rx->close_code);
	else if (rx->state & WS_STATE_FAILED ||
		 (rx->stop == WS_STOP_FAULT && !rx->complete))
		ws_ctrl_close(ctx, ws_rule_code(rx->rule));
}

/*
 * End TCP's sending direction once the Close is out. The server ends TCP when
 * both have sent a Close, either side when the other broke a rule (section
 * 7.1.1).
 */
void ws_ctrl_fin(struct ws_ctx *ctx)
{
	if (ctx->tx.fin == WS_FIN_NONE)
		ctx->tx.fin = WS_FIN_WANTED;
}

/*
 * Is there anything to send, or memory to find? Without the lock the answer is
 * a hint.
 */
bool ws_ctrl_pending(const struct ws_ctx *ctx)
{
	const struct ws_tx *tx = &ctx->tx;

	return ctx->rx.cramped || READ_ONCE(tx->nseg) ||
	       READ_ONCE(tx->npong) ||
	       READ_ONCE(ctx->time.ping) == WS_PING_WANTED ||
	       READ_ONCE(tx->close) == WS_CLOSE_WANTED ||
	       (READ_ONCE(tx->fin) == WS_FIN_WANTED &&
		READ_ONCE(tx->close) == WS_CLOSE_SENT);
}

/* Send what waits, and say when to try again if memory is what lacks. */
static void send_waiting(struct ws_ctx *ctx)
{
	struct ws_tx *tx = &ctx->tx;

	if (ctx->rx.cramped)
		ws_rx_relieve(ctx);
	/* When it is memory that lacks, not room, no ACK will call us. */
	if ((ws_tx_flush(ctx) == -EAGAIN && sk_stream_memory_free(ctx->sk)) ||
	    ctx->rx.cramped)
		ws_timer_by(ctx, HZ / 10);
	if (tx->polled && !tx->nseg && !tx->busy) {
		tx->polled = false;
		ws_tx_wake(ctx);
	}
	if (ctx->rx.lingers)
		ws_linger_check(ctx);
}

/*
 * Do what no system call will: scan, send, look at the time. On TCP in softirq
 * context with bh_lock_sock() and no owner, or in ws_ctrl_release_cb(); on kTLS
 * in process context with the lock. Never waits for a lock on TCP.
 */
void ws_ctrl_run(struct ws_ctx *ctx)
{
	u32 next = WS_TIME_NEVER;

	if (ctx->rx.wanted)
		ws_rx_begin(ctx);
	if (ctx->tls)
		ws_tls_pull(ctx);
	if (ctx->rx.lazy && !ctx->rx.complete)
		ws_rx_arrived(ctx);
	else if (ctx->rx.lazy)
		ws_rx_scan(ctx);
	if (ws_timer_run(ctx, &next)) {
		ws_tx_abort(ctx);
		ws_lower_abort(ctx, ETIMEDOUT);
	}
	if (next != WS_TIME_NEVER)
		ws_timer_by(ctx, next);
	send_waiting(ctx);
}

/*
 * For the time of @act TCP allocates without sleeping, and not from the task that
 * was interrupted. With bh_lock_sock(), as an owner that is about to release the
 * lock or while there is none.
 */
static noinline void do_atomic(struct ws_ctx *ctx,
			       void (*act)(struct ws_ctx *ctx))
{
	struct sock *sk = ctx->sk;
	bool task_frag = sk->sk_use_task_frag;
	gfp_t gfp = sk->sk_allocation;

	sk->sk_allocation = GFP_ATOMIC | __GFP_NOWARN | (gfp & __GFP_MEMALLOC);
	sk->sk_use_task_frag = false;
	act(ctx);
	sk->sk_use_task_frag = task_frag;
	sk->sk_allocation = gfp;
}

static void act_now(struct ws_ctx *ctx, void (*act)(struct ws_ctx *ctx))
{
	if (ctx->tls)
		ws_tls_queue(ctx);
	else if (sock_owned_by_user_nocheck(ctx->sk))
		WRITE_ONCE(ctx->rx.due, true);
	else
		do_atomic(ctx, act);
}

/*
 * Have ws_ctrl_run() look at a socket. On TCP it runs before this returns when
 * nobody owns the socket, else when the owner releases it; so the caller is the
 * owner or has bh_lock_sock(). On kTLS a work of the socket's own does it; any
 * context that keeps the context.
 */
void ws_ctrl_now(struct ws_ctx *ctx)
{
	act_now(ctx, ws_ctrl_run);
}

/* Send what waits, if anything does. Context as for ws_ctrl_now(). */
void ws_ctrl_kick(struct ws_ctx *ctx)
{
	if (unlikely(ws_ctrl_pending(ctx)))
		act_now(ctx, send_waiting);
}

static noinline void run_due(struct ws_ctx *ctx)
{
	if (!ctx->tx.sending) {
		WRITE_ONCE(ctx->rx.due, false);
		do_atomic(ctx, ws_ctrl_run);
	}
}

/*
 * proto.release_cb of a socket attached on top of TCP. With bh_lock_sock(), BH
 * disabled. Newer kernels call it from within tcp_sendmsg_locked(), too, when
 * the backlog is processed there: a frame may then be half written.
 */
void ws_ctrl_release_cb(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (likely(ctx) && unlikely(READ_ONCE(ctx->rx.due)))
		run_due(ctx);
	ws_slot_get(sk)->lower.prot->release_cb(sk);
}

/*
 * sk_write_space of an attached socket. With the socket lock, as its owner or
 * in softirq context. TCP also calls it from within its sendmsg().
 */
void ws_ctrl_write_space(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (unlikely(!ctx))
		return;
	if (!ctx->tx.sending)
		ws_ctrl_kick(ctx);
	ws_below(ctx)->write_space(sk);
}

/*
 * proto_ops.shutdown of an attached socket. SHUT_WR sends Close 1000 and leaves
 * TCP open for the peer's answer; FIN follows that (RFC 6455 section 7.1.1).
 * SHUT_RDWR ends TCP as well.
 */
int ws_ctrl_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	struct ws_ctx *ctx = ws_ctx_get(sk);
	int (*shutdown)(struct socket *sock, int how) =
		ws_slot_of(sock)->lower.ops->shutdown;

	if (unlikely(!ctx) || how == SHUT_RD)
		return shutdown(sock, how);
	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;

	ws_lock(ctx);
	if (sk->sk_state == TCP_CLOSE) {
		ws_unlock(ctx);
		return shutdown(sock, how);
	}
	ws_rx_start(ctx);
	ws_rx_scan_all(ctx);
	if (ctx->tx.close == WS_CLOSE_NONE)
		ws_timer_closing(ctx);
	ws_ctrl_answer(ctx);
	ws_ctrl_close(ctx, 1000);
	if (how == SHUT_RDWR)
		ws_ctrl_fin(ctx);
	ws_tx_flush(ctx);
	/* Sleepers in sendmsg() and poll() look again. */
	sk->sk_state_change(sk);
	ws_unlock(ctx);
	return how == SHUT_WR ? 0 : shutdown(sock, SHUT_RD);
}
