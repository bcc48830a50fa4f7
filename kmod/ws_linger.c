// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a connection after close(). TCP answers bytes that come to a
 * closed socket with RST, which can make the peer lose the Close frame that it
 * was about to read; and the peer owes us a Close of its own (RFC 6455
 * sections 5.5.1 and 7.1.1). So the TCP socket stays with us, as one that
 * nobody has accepted yet would stay with its listener: what comes is thrown
 * away, until the handshake is complete or its time is over.
 */
#include "ws.h"

/* Sockets that may linger in a network namespace, and in all of them. */
#define WS_LINGER_NET	4096
#define WS_LINGER_ALL	16384
/* Milliseconds, whatever ws_config::close_timeout is. */
#define WS_LINGER_TIME	60000

static atomic_t lingering = ATOMIC_INIT(0);

static const struct proto_ops nobodys_ops = {
	.sendmsg_locked = tcp_sendmsg_locked,
	.read_sock = tcp_read_sock,
};

/*
 * The socket of all that have none any more: TCP looks at it when it has no
 * memory for what is to be sent, until 6.5 calls itself through it where the
 * device takes no page fragments, and kTLS gets at TCP's bytes by it. Nobody
 * ever sleeps on it.
 */
static struct socket_alloc nobody = {
	.socket.ops = &nobodys_ops,
	.socket.wq.wait =
		__WAIT_QUEUE_HEAD_INITIALIZER(nobody.socket.wq.wait),
};

/**
 * ws_linger_detached() - is the socket the work's alone?
 * @ctx: the socket
 *
 * Any context that has the socket lock.
 */
bool ws_linger_detached(const struct ws_ctx *ctx)
{
	return ctx->sk->sk_socket == &nobody.socket;
}

static bool take_place(const struct sock *sk)
{
	atomic_t *here = ws_stats_lingering(sk);

	if (!atomic_add_unless(&lingering, 1, WS_LINGER_ALL))
		return false;
	if (atomic_add_unless(here, 1, WS_LINGER_NET))
		return true;
	atomic_dec(&lingering);
	return false;
}

/**
 * ws_linger_over() - has the closing handshake come to its end?
 * @ctx: the socket, which has a Close to send, or has sent it
 *
 * The server ends TCP once both have sent a Close; the client waits for that.
 * What there was no memory for goes out first. Any context that has the socket
 * lock.
 */
bool ws_linger_over(const struct ws_ctx *ctx)
{
	const struct sock *sk = ctx->sk;

	if (sk->sk_err ||
	    !((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT |
				     TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2)))
		return true;
	if (ws_tx_owes(ctx))
		return false;
	if (ws_lower_done(ctx) || sk->sk_state == TCP_CLOSE_WAIT)
		return true;
	return ctx->cfg.role == WS_ROLE_SERVER &&
	       (ctx->info.state & WS_STATE_CLOSE_RECEIVED);
}

static void throw_away(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;

	ws_rx_scan(ctx);
	if (rx->stop == WS_STOP_CLOSE)
		ws_rx_closed(ctx);
	if (rx->stop != WS_STOP_NONE) {
		if (rx->stop == WS_STOP_FAULT)
			ws_ctrl_fin(ctx);
		WRITE_ONCE(rx->stop, WS_STOP_OVER);
		ws_rx_scan(ctx);
		return;
	}
	ws_lower_consume(ctx, rx->scan.seq);
	rx->head = rx->scan;
	WRITE_ONCE(rx->complete, 0);
	WRITE_ONCE(rx->payload, 0);
}

/**
 * ws_linger_arrived() - something may have come that nobody will read
 * @ctx: the socket, which lingers
 *
 * Any context that has the socket lock.
 */
void ws_linger_arrived(struct ws_ctx *ctx)
{
	throw_away(ctx);
	if (ws_linger_over(ctx))
		ws_sched_now(ctx);
	else
		ws_ctrl_kick(ctx);
	/* Somebody may still be in close(), see ws_linger_wait(). */
	ctx->slot->lower.data_ready(ctx->sk);
}

/* Softirq context with the socket lock, or the owner's. */
static void linger_data_ready(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (!ctx->rx.growing)
		ws_linger_arrived(ctx);
}

static void linger_state_change(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (ws_linger_over(ctx))
		ws_sched_now(ctx);
	ctx->slot->lower.state_change(sk);
}

/**
 * ws_linger_start() - from now on nobody reads but us
 * @ctx: the socket; its Close is in TCP's hands, or waits for memory
 *
 * Process context, socket lock; before the socket is detached.
 *
 * Return: false when there is nothing to wait for, or no place to do it.
 */
bool ws_linger_start(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	throw_away(ctx);
	ws_tx_flush(ctx);
	if (ws_linger_over(ctx))
		return false;
	if (!take_place(sk)) {
		ws_stats_inc(ctx, WS_MIB_LINGER_DROPPED);
		return false;
	}
	ws_stats_inc(ctx, WS_MIB_LINGER);
	ctx->time.lingers = true;
	ctx->time.asked = tcp_jiffies32;

	if (ctx->tls) {
		lock_sock(sk);
	} else {
		write_lock_bh(&sk->sk_callback_lock);
		sk->sk_data_ready = linger_data_ready;
		sk->sk_state_change = linger_state_change;
		write_unlock_bh(&sk->sk_callback_lock);
	}
	/* After SHUT_RDWR, too, TCP must not answer the peer's Close by RST. */
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown & ~RCV_SHUTDOWN);
	if (ctx->tls)
		release_sock(sk);
	ws_ctrl_kick(ctx);
	return true;
}

/**
 * ws_linger_wait() - SO_LINGER: have close() wait for the handshake
 * @ctx: the socket, after ws_linger_start()
 * @timeout: for so many jiffies, and no longer than a signal allows
 *
 * Process context, socket lock, which is given up meanwhile.
 *
 * Return: jiffies of @timeout that are left.
 */
long ws_linger_wait(struct ws_ctx *ctx, long timeout)
{
	long ours = min_t(long, timeout, ws_linger_left(ctx));
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct sock *sk = ctx->sk;
	long left = ours;

	add_wait_queue(sk_sleep(sk), &wait);
	while (left && !ws_linger_over(ctx) && !signal_pending(current))
		ws_wait_event(ctx, &left, ws_linger_over(ctx), &wait);
	remove_wait_queue(sk_sleep(sk), &wait);
	return timeout - (ours - left);
}

/**
 * ws_linger_detach() - let go of the file
 * @ctx: the socket, after ws_linger_start()
 *
 * The context and TCP's socket are the work's after this; the caller has no
 * right to either once it releases the socket lock.
 */
void ws_linger_detach(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	/* Softirq context may be about to look at the socket that goes. */
	if (ctx->tls)
		lock_sock(sk);
	write_lock_bh(&sk->sk_callback_lock);
	sk_set_socket(sk, &nobody.socket);
	RCU_INIT_POINTER(sk->sk_wq, &nobody.socket.wq);
	write_unlock_bh(&sk->sk_callback_lock);
	if (ctx->tls)
		release_sock(sk);
	ws_sched_now(ctx);
}

/**
 * ws_linger_stop() - give the place back
 * @ctx: the socket
 *
 * Process context, socket lock.
 */
void ws_linger_stop(struct ws_ctx *ctx)
{
	if (!ctx->time.lingers)
		return;
	ws_stats_add(ctx, WS_MIB_LINGER, -1);
	atomic_dec(ws_stats_lingering(ctx->sk));
	atomic_dec(&lingering);
}

/**
 * ws_linger_left() - how long a socket may still linger
 * @ctx: the socket
 *
 * Process context, socket lock.
 *
 * Return: jiffies, or 0 when it is to be closed now.
 */
u32 ws_linger_left(struct ws_ctx *ctx)
{
	u32 limit = min_t(u32, ctx->cfg.close_timeout, WS_LINGER_TIME);
	u32 left;

	if (ws_linger_over(ctx))
		return 0;
	left = ws_timer_left(ctx->time.asked, limit);
	if (!left)
		ws_stats_inc(ctx, WS_MIB_ERR + WS_RULE_CLOSE_TIMEOUT - 1);
	return left;
}
