// SPDX-License-Identifier: GPL-2.0-only
/*
 * The begin and the end of a context: shutdown(), close(), and giving the
 * socket back to TCP. Process context, but for drop_data_ready().
 */
#include <linux/module.h>

#include "ws_account.h"
#include "ws_ctrl.h"
#include "ws_event.h"
#include "ws_limits.h"
#include "ws_linger.h"
#include "ws_scan.h"
#include "ws_stats.h"
#include "ws_stream.h"
#include "ws_sys.h"
#include "ws_tx.h"

/* Of its own, because kmalloc() would round up to twice the size. */
static struct kmem_cache *ctx_cache;

/*
 * The context of a socket with @saved below. Process context of the task that
 * attaches it. Return: NULL if there is no memory.
 */
struct ws_ctx *ws_ctx_create(struct sock *sk, const struct ws_saved *saved)
{
	struct ws_ctx *ctx = kmem_cache_zalloc(ctx_cache, GFP_KERNEL_ACCOUNT);

	if (!ctx)
		return NULL;
	if (saved->tls) {
		ctx->tls = ws_tls_create(ctx, sk, saved, ws_event_work);
		if (!ctx->tls) {
			kmem_cache_free(ctx_cache, ctx);
			return NULL;
		}
	}
	ctx->sk = sk;
	ctx->mibs = ws_stats_of(sk);
	timer_setup(&ctx->timer, ws_event_timer, 0);
	ctx->rx.base = ctx->tls ? 0 : tcp_sk(sk)->copied_seq;
	ctx->rx.scan.seq = ctx->rx.base;
	ctx->rx.head.seq = ctx->rx.base;
	return ctx;
}

void ws_ctx_free(struct ws_ctx *ctx)
{
	ws_tls_free(ctx);
	ws_stream_drop_prefix(ctx);
	kmem_cache_free(ctx_cache, ctx);
}

/*
 * proto_ops.shutdown of an attached socket. SHUT_WR sends Close 1000 and leaves
 * TCP open for the peer's answer; FIN follows that (RFC 6455 section 7.1.1).
 * SHUT_RDWR ends TCP as well.
 */
int ws_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	struct ws_ctx *ctx = ws_ctx_get(sk);
	int (*shutdown)(struct socket *sock, int how) =
		ws_slot_of(sock)->saved.ops->shutdown;

	if (unlikely(!ctx) || how == SHUT_RD)
		return shutdown(sock, how);
	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;

	ws_lock(ctx);
	if (sk->sk_state == TCP_CLOSE) {
		ws_unlock(ctx);
		return shutdown(sock, how);
	}
	ws_event_start_parser(ctx);
	ws_scan_rest(ctx);
	if (ctx->tx.close == WS_CLOSE_NONE) {
		ws_limits_closing(ctx, ctx->tx.nseg);
		ws_event_request(ctx);
	}
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

/*
 * What was accepted from the application must not be lost because the send
 * buffer is full: let TCP have it and go on in the background, as it does
 * with its own. At most a frame and PONG_MAX PONGs. What there is no memory
 * for the timer tries again, and still finds room for it then.
 */
static void flush_for_close(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;
	int sndbuf = sk->sk_sndbuf;

	ws_ctrl_answer(ctx);
	ws_ctrl_close(ctx, 1001);
	WRITE_ONCE(sk->sk_sndbuf, INT_MAX / 2);
	WRITE_ONCE(tcp_sk(sk)->notsent_lowat, UINT_MAX);
	/* kTLS may still hold the end of a record, for its own close(). */
	if (ws_tx_flush(ctx) != -EAGAIN && !ctx->tls)
		WRITE_ONCE(sk->sk_sndbuf, sndbuf);
}

static void ask_for_rst(const struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	/* Not an atomic operation; softirq context sets flags, too. */
	ws_lock_inner(ctx);
	sock_set_flag(sk, SOCK_LINGER);
	sk->sk_lingertime = 0;
	ws_unlock_inner(ctx);
}

static bool asks_for_rst(const struct sock *sk)
{
	return sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime;
}

/*
 * Throw away all that has come: the socket will not be read any more.
 * Process context; sleeps.
 */
static void discard_unread(struct ws_ctx *ctx)
{
	s64 most = READ_ONCE(ctx->sk->sk_rcvbuf);
	struct ws_rx *rx = &ctx->rx;

	WRITE_ONCE(rx->stop, WS_STOP_OVER);
	do {
		u64 at = rx->consumed;

		ws_scan_arrived(ctx);
		/* Records can be empty, and never end. */
		most -= rx->consumed - at + SZ_1K;
		cond_resched();
	} while (most > 0 && ws_below_more(ctx) && !signal_pending(current));
}

/*
 * sk_data_ready between end_ctx() and TCP's close(), which answers bytes that
 * it finds unread by RST: that would overtake the Close.
 */
static void drop_data_ready(struct sock *sk)
{
	tcp_read_done(sk, tcp_inq(sk));
}

/* As TCP's own close(), but what comes until it has the lock is dropped. */
static void close_below(struct sock *sk, const struct ws_saved *saved,
			long timeout, bool drop)
{
	sock_hold(sk);
	saved->prot->close(sk, timeout);
	if (drop) {
		write_lock_bh(&sk->sk_callback_lock);
		sk->sk_data_ready = saved->data_ready;
		write_unlock_bh(&sk->sk_callback_lock);
	}
	sock_put(sk);
}

/*
 * Give the socket back to TCP and close it, for so long at most; @ctx is freed.
 * The socket has no file any more, or is about to lose it. Process context,
 * with the lock of the context, which is released.
 */
static void end_ctx(struct ws_ctx *ctx, long timeout)
{
	const struct ws_saved *saved = ws_saved_of(ctx);
	struct sock *sk = ctx->sk;
	struct ws_tls *tls = ctx->tls;
	bool drop;

	/* The peer must not take the end of a cut frame for an orderly one. */
	if (ctx->tx.cut)
		ask_for_rst(ctx);
	ws_tx_abort(ctx);
	drop = !tls && !asks_for_rst(sk);
	/* Unread bytes would make TCP send RST, which overtakes the Close. */
	if (!asks_for_rst(sk))
		discard_unread(ctx);
	ws_linger_stop(ctx);
	if (!asks_for_rst(sk))
		ws_below_close_notify(ctx);
	ws_lock_inner(ctx);
	write_lock_bh(&sk->sk_callback_lock);
	if (tls)
		ws_tls_unhook(ctx);
	else
		sk->sk_data_ready = drop ? drop_data_ready : saved->data_ready;
	sk->sk_write_space = saved->write_space;
	sk->sk_state_change = saved->state_change;
	WRITE_ONCE(sk->sk_prot, saved->prot);
	rcu_assign_sk_user_data(sk, NULL);
	write_unlock_bh(&sk->sk_callback_lock);
	ws_unlock_inner(ctx);
	ws_unlock(ctx);

	/* All that arms the timer or queues the work is gone, but these two. */
	sk_stop_timer_sync(sk, &ctx->timer);
	if (tls) {
		cancel_work_sync(&tls->work);
		sk_stop_timer_sync(sk, &ctx->timer);
	}
	ws_ctx_free(ctx);
	close_below(sk, saved, timeout, drop);
	/* The owner of our ops is put for us; this one was its predecessor. */
	module_put(saved->ops->owner);
	if (tls)
		module_put(THIS_MODULE);
}

/* The work of a socket that has lingered. */
static void end_linger(struct work_struct *work)
{
	struct ws_linger *linger = container_of(work, struct ws_linger, work);
	struct socket *sock = linger->sock;
	struct ws_ctx *ctx = linger->ctx;

	ws_lock(ctx);
	end_ctx(ctx, 0);
	/* TCP does not use it any more. */
	sock->ops = NULL;
	sock_release(sock);
}

/* The work may free the context as soon as the lock is released. */
static void detach_socket(struct ws_ctx *ctx)
{
	struct ws_tls *tls = ctx->tls;
	struct sock *sk = ctx->sk;

	if (tls) {
		refcount_inc(&tls->ref);
		ws_linger_detach(ctx);
		ws_event_request(ctx);
		mutex_unlock(&tls->lock);
		ws_tls_put(tls);
		return;
	}
	sock_hold(sk);
	ws_linger_detach(ctx);
	ws_event_request(ctx);
	release_sock(sk);
	sock_put(sk);
}

/*
 * Another user of the kernel has put its own sk_user_data in place of ours: the
 * context cannot be found any more. What it holds stays, and the module with
 * it.
 */
static void close_lost(struct sock *sk, long timeout)
{
	const struct ws_slot *slot = ws_slot_get(sk);

	__module_get(THIS_MODULE);
	lock_sock(sk);
	WRITE_ONCE(sk->sk_prot, slot->saved.prot);
	release_sock(sk);
	slot->saved.prot->close(sk, timeout);
}

/* proto.close of an attached socket. Process context; may sleep. */
void ws_close(struct sock *sk, long timeout)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (unlikely(!ctx)) {
		close_lost(sk, timeout);
		return;
	}
	ws_lock(ctx);
	ws_stats_add(ctx, WS_MIB_CURR, -1);
	if (!asks_for_rst(sk)) {
		ws_event_start_parser(ctx);
		ws_scan_rest(ctx);
		flush_for_close(ctx);
	}
	if (!asks_for_rst(sk) && ws_linger_start(ctx, end_linger)) {
		ws_event_request(ctx);
		if (timeout)
			timeout = ws_linger_wait(ctx, timeout);
		if (!ws_linger_over(ctx)) {
			detach_socket(ctx);
			return;
		}
	}
	end_ctx(ctx, timeout);
}

int __init ws_ctx_init(void)
{
	ctx_cache = KMEM_CACHE(ws_ctx, SLAB_ACCOUNT);
	return ctx_cache ? 0 : -ENOMEM;
}

/* Not __exit: also run when loading fails half-way. */
void ws_ctx_exit(void)
{
	kmem_cache_destroy(ctx_cache);
}
