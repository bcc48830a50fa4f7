// SPDX-License-Identifier: GPL-2.0-only
/*
 * What callbacks, timer and work do: bytes come, room comes, time passes,
 * the lock owner releases the lock. Then the stream is scanned, readers are
 * woken, and what is owed is sent.
 *
 * On TCP in the places where TCP itself acts: in softirq context if the socket
 * is not owned, else in proto.release_cb when the owner releases the lock.
 * There is no queue of sockets, and the lock is never waited for. kTLS sleeps
 * when it sends or receives: there each socket has a work, on a queue of its
 * user.
 *
 * Where nothing else is said, any context that has the lock of the context.
 */
#include "ws_ctrl.h"
#include "ws_event.h"
#include "ws_limits.h"
#include "ws_linger.h"
#include "ws_scan.h"
#include "ws_short_rx.h"
#include "ws_stream.h"
#include "ws_timer.h"
#include "ws_tx.h"

/* Wake the reader: there is something new. */
void ws_event_wake(struct ws_ctx *ctx)
{
	const struct ws_saved *saved = ws_saved_of(ctx);

	ctx->info.wakeups++;
	saved->data_ready(ctx->sk);
	/* That wakes pollers of EPOLLIN; a Close or fault is EPOLLRDHUP, too. */
	if (unlikely(ctx->rx.stop != WS_STOP_NONE))
		saved->state_change(ctx->sk);
}

static bool may_be_lazy(const struct ws_ctx *ctx)
{
	const struct ws_rx *rx = &ctx->rx;

	return WS_SHORT && ctx->cfg.flags & (WS_F_RECORDS | WS_F_BATCH) &&
	       !rx->complete && !rx->lingers && !ws_below_over(ctx) &&
	       !ws_limits_apply(ctx) &&
	       /* On kTLS scanning the rest later costs a run of the work. */
	       !ctx->tls;
}

/* Bytes may have come. The reader is woken only for something new to read. */
static void handle_arrival(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;
	bool news = ws_tls_has_news(ctx);
	u32 complete = rx->complete;
	u8 stop = rx->stop;

	ws_owned_by_me(ctx);
	if (unlikely(ctx->rx.lingers)) {
		ws_linger_arrived(ctx);
		return;
	}
	if (ws_scan_one(ctx)) {
		ws_event_wake(ctx);
		return;
	}
	ws_scan(ctx, may_be_lazy(ctx));
	/* What the scan has read is judged here. */
	ws_tls_clear_news(ctx);
	if (rx->complete != complete || rx->stop != stop || news ||
	    ws_below_over(ctx) ||
	    (!complete && stop == WS_STOP_NONE && ws_rx_readable(ctx)))
		ws_event_wake(ctx);
}

/* sk_data_ready of an attached socket. Softirq context, or the owner's. */
void ws_event_data_ready(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (unlikely(!ctx))
		return;
	if (unlikely(!ctx->rx.started)) {
		ws_saved_of(ctx)->data_ready(sk);
		return;
	}
	/* ws_tcp_grow() calls set_rcvlowat(), which calls this. */
	if (unlikely(ctx->rx.growing))
		return;
	handle_arrival(ctx);
	if (!ws_ctrl_quiet(ctx))
		ws_event_send(ctx);
}

/*
 * Start the parser. That is deferred from the attach to the first I/O, so that
 * WS_CONFIG can choose the role and WS_RX_PREFIX add bytes before any of them
 * is parsed. The caller has ws_event_run() arm the timer.
 */
static void begin_parser(struct ws_ctx *ctx)
{
	ws_owned_by_me(ctx);
	WRITE_ONCE(ctx->rx.wanted, false);
	if (ctx->rx.started)
		return;
	WRITE_ONCE(ctx->rx.started, true);
	ws_limits_start(ctx);
	ws_scan_arrived(ctx);
	/* On kTLS only if records were read. */
	if (ctx->tls)
		ws_event_wake_others(ctx);
	else if (ws_rx_readable(ctx))
		ws_event_wake(ctx);
}

/* Start the parser, if that has not been done. Process context. */
void ws_event_start_parser(struct ws_ctx *ctx)
{
	if (likely(ctx->rx.started))
		return;
	begin_parser(ctx);
	ws_event_request(ctx);
}

/*
 * For poll(): start the parser, at once if the socket is not owned. Else its
 * owner, or on kTLS the work, starts it and wakes the poller if there is
 * anything to read. Process context; never waits for the lock owner.
 */
void ws_event_want(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	spin_lock_bh(&sk->sk_lock.slock);
	WRITE_ONCE(ctx->rx.wanted, true);
	/* If the work cannot get the lock, ws_tls_late() wakes the poller. */
	if (ctx->tls)
		ws_tls_look(ctx);
	else
		ws_event_request(ctx);
	spin_unlock_bh(&sk->sk_lock.slock);
}

/* Look at what kTLS has reported. The caller sends what that leads to. */
static void pull_records(struct ws_ctx *ctx)
{
	if (!ctx->rx.started || !ws_tls_worth_reading(ctx))
		return;
	handle_arrival(ctx);
	if (ws_below_more(ctx) && !ctx->rx.complete)
		ws_tls_queue(ctx);
}

/* This call has read records ahead: wake others for what it has left. */
void ws_event_wake_others(struct ws_ctx *ctx)
{
	if (!ws_tls_has_news(ctx))
		return;
	ws_tls_clear_news(ctx);
	if (ws_rx_readable(ctx) || ws_below_over(ctx))
		ws_event_wake(ctx);
}

/*
 * A recvmsg() on kTLS is over. A record is reported once: those that are left
 * get no other report.
 */
void ws_event_recv_done_tls(struct ws_ctx *ctx)
{
	if (!ctx->rx.complete && ws_below_more(ctx))
		pull_records(ctx);
	ws_event_wake_others(ctx);
}

/* Send what waits; arm the timer if that failed for lack of memory. */
static void send_waiting(struct ws_ctx *ctx)
{
	struct ws_tx *tx = &ctx->tx;

	if (ctx->rx.starved)
		ws_stream_relieve(ctx);
	/* No ACK will call us if memory was the reason, not room. */
	if ((ws_tx_flush(ctx) == -EAGAIN && sk_stream_memory_free(ctx->sk)) ||
	    ctx->rx.starved)
		ws_timer_by(ctx, HZ / 10);
	if (tx->polled && !tx->nseg && !tx->busy) {
		tx->polled = false;
		ws_tx_wake(ctx);
	}
	if (ctx->rx.lingers)
		ws_linger_check(ctx);
}

/*
 * The deferred work: scan, send, check the time limits. On TCP in softirq
 * context with bh_lock_sock() and no owner, or in ws_event_release_cb(); on
 * kTLS in process context with the lock. Never waits for a lock on TCP.
 */
static void ws_event_run(struct ws_ctx *ctx)
{
	u32 next = WS_TIME_NEVER;
	enum ws_rule rule;

	if (ctx->rx.wanted)
		begin_parser(ctx);
	/* On TCP each arrival was handled; kTLS's records wait to be read. */
	pull_records(ctx);
	if (ctx->rx.lazy && !ctx->rx.complete)
		handle_arrival(ctx);
	else if (ctx->rx.lazy)
		ws_scan_arrived(ctx);
	if (ws_rx_parked(ctx) && !ctx->rx.lingers &&
	    tcp_under_memory_pressure(ctx->sk))
		ws_event_wake(ctx);
	rule = ws_limits_run(ctx, &next);
	if (rule == WS_RULE_ASSEMBLY_TIMEOUT) {
		ws_scan_fault(ctx, rule);
		ws_event_wake(ctx);
	} else if (rule) {
		ws_tx_abort(ctx);
		ws_below_abort(ctx, ETIMEDOUT);
	}
	if (next != WS_TIME_NEVER)
		ws_timer_by(ctx, next);
	send_waiting(ctx);
}

/*
 * For the time of @act TCP allocates without sleeping, and not from the task
 * that was interrupted. With bh_lock_sock(), as an owner that is about to
 * release the lock or while there is none.
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

/*
 * If the socket is not owned @act is done here. Else the owner, or on kTLS the
 * work, does all of ws_event_run(), which includes it.
 */
static void request(struct ws_ctx *ctx, void (*act)(struct ws_ctx *ctx))
{
	/* ws_event_run() sleeps on kTLS. */
	if (ctx->tls)
		ws_tls_queue(ctx);
	else if (sock_owned_by_user_nocheck(ctx->sk))
		WRITE_ONCE(ctx->rx.run_due, true);
	else
		do_atomic(ctx, act);
}

/*
 * Have ws_event_run() called: on TCP before this returns if the socket is not
 * owned, else when the owner releases it, so the caller is the owner or has
 * bh_lock_sock(); on kTLS by the socket's work, from any context that keeps
 * @ctx.
 */
void ws_event_request(struct ws_ctx *ctx)
{
	request(ctx, ws_event_run);
}

/* Send what waits, if anything does. Context as for ws_event_request(). */
void ws_event_send(struct ws_ctx *ctx)
{
	if (unlikely(ws_ctrl_pending(ctx)))
		request(ctx, send_waiting);
}

static noinline void run_due(struct ws_ctx *ctx)
{
	if (!ctx->tx.sending) {
		WRITE_ONCE(ctx->rx.run_due, false);
		do_atomic(ctx, ws_event_run);
	}
}

/*
 * proto.release_cb of a socket attached on top of TCP. With bh_lock_sock(), BH
 * disabled. Newer kernels call it from within tcp_sendmsg_locked(), too, when
 * the backlog is processed there: a frame may then be half written.
 */
void ws_event_release_cb(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (likely(ctx) && unlikely(READ_ONCE(ctx->rx.run_due)))
		run_due(ctx);
	ws_slot_get(sk)->saved.prot->release_cb(sk);
}

/*
 * sk_write_space of an attached socket. With the socket lock, as its owner or
 * in softirq context. TCP also calls it from within its sendmsg().
 */
void ws_event_write_space(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (unlikely(!ctx))
		return;
	if (!ctx->tx.sending)
		ws_event_send(ctx);
	ws_saved_of(ctx)->write_space(sk);
}

/*
 * Softirq context. The timer has a reference on the socket, but the context can
 * have left it; its memory is still there then, as end_ctx() waits for us.
 */
void ws_event_timer(struct timer_list *timer)
{
	struct ws_ctx *ctx = container_of(timer, struct ws_ctx, timer);
	struct sock *sk = ctx->sk;

	bh_lock_sock(sk);
	if (ws_ctx_get(sk) == ctx) {
		ws_tls_late(ctx);
		ws_event_request(ctx);
	}
	bh_unlock_sock(sk);
	sock_put(sk);
}

/*
 * The work of a socket on kTLS, which takes the socket lock once more and may
 * sleep for it, and for memory of the socket's cgroup: that delays works of the
 * same account only.
 */
void ws_event_work(struct work_struct *work)
{
	struct ws_ctx *ctx = container_of(work, struct ws_tls, work)->ctx;

	if (!ws_tls_try_lock(ctx))
		return;
	/* end_ctx() may have given the socket back, and wait for us. */
	if (ws_ctx_get(ctx->sk) == ctx)
		ws_event_run(ctx);
	ws_unlock(ctx);
}
