// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a connection after close(). TCP answers bytes that come to a
 * closed socket with RST, which can make the peer lose the Close frame that it
 * was about to read; and the peer owes us a Close of its own (RFC 6455
 * sections 5.5.1 and 7.1.1). So the TCP socket stays with us, as one that
 * has not been accepted yet would stay with its listener: what comes is thrown
 * away, until the handshake is complete or its time is over. Then a work of the
 * socket's own closes it.
 *
 * Where nothing else is said, any context that has the lock of the context.
 */
#include <linux/slab.h>

#include "ws_account.h"
#include "ws_ctrl.h"
#include "ws_limits.h"
#include "ws_linger.h"
#include "ws_scan.h"
#include "ws_stats.h"
#include "ws_tx.h"

/* Sockets that may linger for one account. */
#define LINGER_MAX	4096

static const struct proto_ops linger_ops = {
	.read_sock = tcp_read_sock,
};

/*
 * Has the closing handshake come to its end? The server ends TCP once both have
 * sent a Close; the client waits for that. What there was no memory for goes
 * out first.
 */
bool ws_linger_over(const struct ws_ctx *ctx)
{
	const struct sock *sk = ctx->sk;

	if (sk->sk_err ||
	    !((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT |
				     TCPF_FIN_WAIT1 | TCPF_FIN_WAIT2)))
		return true;
	if (ws_ctrl_owes(ctx))
		return false;
	if (ws_below_over(ctx) || sk->sk_state == TCP_CLOSE_WAIT)
		return true;
	return ctx->cfg.role == WS_ROLE_SERVER &&
	       (ctx->rx.state & WS_STATE_CLOSE_RECEIVED);
}

/* Drop what has come. A Close or fault counts as read, and may ask for FIN. */
static void throw_away(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;

	ws_scan_arrived(ctx);
	if (rx->stop == WS_STOP_CLOSE)
		ws_ctrl_closed(ctx);
	if (rx->stop != WS_STOP_NONE) {
		if (rx->stop == WS_STOP_FAULT)
			ws_ctrl_fin(ctx);
		WRITE_ONCE(rx->stop, WS_STOP_OVER);
		ws_scan_arrived(ctx);
		return;
	}
	ws_scan_discard(ctx);
}

/* End a socket whose handshake is complete or whose time is over. */
void ws_linger_check(struct ws_ctx *ctx)
{
	struct ws_linger *linger = ctx->info.linger;
	bool over = ws_linger_over(ctx);

	if (linger->ended || (!over && ws_limits_linger_left(ctx)))
		return;
	if (!linger->detached) {
		/* close() waits, see ws_linger_wait(). */
		ws_saved_of(ctx)->state_change(ctx->sk);
		return;
	}
	linger->ended = true;
	if (!over)
		ws_stats_inc(ctx, WS_MIB_ERR + WS_RULE_CLOSE_TIMEOUT - 1);
	/*
	 * TCP allocates FIN here without sleeping for the cgroup; the works of
	 * kTLS may sleep for their own user. A cut frame ends by RST.
	 */
	if (!ctx->tls && !ctx->tx.cut)
		ws_below_fin(ctx);
	ws_account_run(linger->account, &linger->work);
}

/* Bytes may have come; they are discarded. */
void ws_linger_arrived(struct ws_ctx *ctx)
{
	throw_away(ctx);
	ws_linger_check(ctx);
	/* close() may still wait, see ws_linger_wait(). */
	ws_saved_of(ctx)->data_ready(ctx->sk);
}

static void linger_state_change(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (unlikely(!ctx))
		return;
	ws_linger_check(ctx);
	ws_saved_of(ctx)->state_change(sk);
}

/* Return: NULL without memory, or when the account has LINGER_MAX. */
static struct ws_linger *create_linger(struct ws_ctx *ctx, work_func_t end)
{
	struct ws_linger *linger = kzalloc(sizeof(*linger), GFP_KERNEL_ACCOUNT);

	if (!linger)
		return NULL;
	linger->ctx = ctx;
	INIT_WORK(&linger->work, end);
	linger->account = ws_account_get(ctx->sk, ctx->tls);
	if (!linger->account)
		goto err_free;
	if (!atomic_add_unless(&linger->account->lingering, 1, LINGER_MAX))
		goto err_put_account;
	linger->sock = sock_alloc();
	if (!linger->sock)
		goto err_give_place;
	linger->sock->ops = &linger_ops;
	/* Packet filters still see its user; no file has this inode. */
	SOCK_INODE(linger->sock)->i_uid = ctx->sk->sk_uid;
	SOCK_INODE(linger->sock)->i_ino = 0;
	return linger;

err_give_place:
	atomic_dec(&linger->account->lingering);
err_put_account:
	ws_account_put(linger->account);
err_free:
	kfree(linger);
	return NULL;
}

/*
 * From now on only ws_linger.c reads. @ctx has a Close to send, or has sent it;
 * @end is the function of &ws_linger.work, which ends a socket without a file.
 * The caller has ws_event_request() arm the timer. Process context, lock of the
 * context; sleeps for memory. Return: false when there is nothing to wait for,
 * no memory, or LINGER_MAX sockets linger already.
 */
bool ws_linger_start(struct ws_ctx *ctx, work_func_t end)
{
	struct ws_linger *linger;
	struct sock *sk = ctx->sk;

	throw_away(ctx);
	/* FIN, if that met the peer's Close. */
	ws_tx_flush(ctx);
	if (ws_linger_over(ctx))
		return false;
	linger = create_linger(ctx, end);
	if (!linger) {
		ws_stats_inc(ctx, WS_MIB_LINGER_DROPPED);
		return false;
	}
	ctx->info.linger = linger;
	ctx->rx.lingers = true;
	ws_stats_inc(ctx, WS_MIB_LINGER);
	ctx->time.asked = tcp_jiffies32;

	/*
	 * On kTLS the callback of ws_tls_hook() stays, which queues the work.
	 */
	if (!ctx->tls) {
		write_lock_bh(&sk->sk_callback_lock);
		sk->sk_state_change = linger_state_change;
		write_unlock_bh(&sk->sk_callback_lock);
	}
	ws_lock_inner(ctx);
	/* After SHUT_RDWR, too, TCP must not answer the peer's Close by RST. */
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown & ~RCV_SHUTDOWN);
	ws_unlock_inner(ctx);
	return true;
}

/*
 * SO_LINGER: wait for the handshake, at most @timeout jiffies or until a signal
 * comes. Process context, lock of the context, which is released meanwhile.
 * Return: jiffies of @timeout that are left.
 */
long ws_linger_wait(struct ws_ctx *ctx, long timeout)
{
	long ours = min_t(long, timeout, ws_limits_linger_left(ctx));
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	struct sock *sk = ctx->sk;
	long left = ours;

	add_wait_queue(sk_sleep(sk), &wait);
	while (left && !ws_linger_over(ctx) && !signal_pending(current))
		ws_wait_event(ctx, &left, ws_linger_over(ctx), &wait);
	remove_wait_queue(sk_sleep(sk), &wait);
	return timeout - (ours - left);
}

/*
 * Leave the file. The work owns the context and the socket after this: the
 * caller may use neither once it releases the lock.
 */
void ws_linger_detach(struct ws_ctx *ctx)
{
	struct ws_linger *linger = ctx->info.linger;
	struct sock *sk = ctx->sk;

	/* Softirq context may be using the struct socket that goes. */
	ws_lock_inner(ctx);
	write_lock_bh(&sk->sk_callback_lock);
	sk_set_socket(sk, linger->sock);
	rcu_assign_pointer(sk->sk_wq, &linger->sock->wq);
	write_unlock_bh(&sk->sk_callback_lock);
	ws_unlock_inner(ctx);
	linger->detached = true;
}

/* Undo ws_linger_start(), if it was called. Process context. */
void ws_linger_stop(struct ws_ctx *ctx)
{
	struct ws_linger *linger = ctx->info.linger;

	if (!ctx->rx.lingers)
		return;
	ctx->rx.lingers = false;
	ws_stats_add(ctx, WS_MIB_LINGER, -1);
	atomic_dec(&linger->account->lingering);
	ws_account_put(linger->account);
	if (!linger->detached) {
		linger->sock->ops = NULL;
		sock_release(linger->sock);
	}
	kfree(linger);
}
