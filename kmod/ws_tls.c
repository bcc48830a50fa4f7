// SPDX-License-Identifier: GPL-2.0-only
/*
 * kTLS below: what of its stream is here. Records are decrypted into buffers of
 * ours (ws_tls_rx.c), in which the stream lies that TCP's queue holds without
 * TLS, addressed by a sequence number that begins with 0.
 *
 * kTLS gives and takes bytes only in calls that take the socket lock
 * themselves. So all that the socket lock guards elsewhere a mutex guards
 * here; nothing is done in softirq context but to wake a reader, who then
 * looks for himself, or to queue the work.
 *
 * How much is read ahead is bounded as TCP's receive buffer would be, and the
 * peer's window closes when kTLS is not read from.
 */
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <net/tls.h>

#include "ws.h"

/* A lock that is not waited for is tried again after so many jiffies. */
#define LOCKED_AGAIN	max(HZ / 50, 1)
/* A record that no work has looked at for so long wakes the reader itself. */
#define UNSEEN_TIME	(HZ / 4)

/*
 * Has this account read ahead a 32nd of the memory? TCP begins to save at about
 * that much of its own.
 */
static bool too_much(const struct ws_tls *tls)
{
	return atomic_long_read(&tls->account->pages) > totalram_pages() / 32;
}

/*
 * The lock of the context, and a socket lock that is free. An owner can hold
 * that for long, over a fault of its memory, and so can a caller that has been
 * in kTLS since before the attach.
 */
static bool try_lock(struct ws_ctx *ctx)
{
	if (!mutex_trylock(&ctx->tls->lock))
		return false;
	/*
	 * data_race(): a hint, as kTLS takes the lock itself afterwards. A call
	 * of kTLS's sendmsg() that began before the attach may still hold its
	 * tx_lock.
	 */
	if (!data_race(sock_owned_by_user_nocheck(ctx->sk)) &&
	    !mutex_is_locked(&tls_get_ctx(ctx->sk)->tx_lock))
		return true;
	mutex_unlock(&ctx->tls->lock);
	return false;
}

/*
 * kTLS takes the socket lock once more and may sleep for it, and for memory of
 * the socket's cgroup: that keeps up works of the same account only.
 */
static void run_work(struct work_struct *work)
{
	struct ws_ctx *ctx = container_of(work, struct ws_tls, work)->ctx;

	if (!try_lock(ctx)) {
		/* Whoever has the context's lock queues us again. */
		WRITE_ONCE(ctx->rx.due, true);
		ws_timer_by(ctx, LOCKED_AGAIN);
		return;
	}
	/* ws_ulp_end() may have given the socket back, and wait for us. */
	if (ws_ctx_get(ctx->sk) == ctx)
		ws_ctrl_run(ctx);
	ws_unlock(ctx);
}

/* Have ws_ctrl_run() look at a socket. Any context that keeps the context. */
void ws_tls_queue(struct ws_ctx *ctx)
{
	queue_work(ctx->tls->account->wq, &ctx->tls->work);
}

/**
 * ws_tls_create() - what an attached socket needs for kTLS
 * @ctx: the context, which is being made
 * @sk: the socket
 * @lower: what is below
 *
 * Process context of the task that attaches it.
 *
 * Return: with one reference, or NULL.
 */
struct ws_tls *ws_tls_create(struct ws_ctx *ctx, struct sock *sk,
			     const struct ws_lower *lower)
{
	struct ws_tls *tls = kzalloc(sizeof(*tls), GFP_KERNEL_ACCOUNT);

	if (!tls)
		return NULL;
	tls->account = ws_account_get(sk, true);
	if (!tls->account) {
		kfree(tls);
		return NULL;
	}
	tls->ctx = ctx;
	tls->data_ready = lower->data_ready;
	mutex_init(&tls->lock);
	INIT_WORK(&tls->work, run_work);
	refcount_set(&tls->ref, 1);
	INIT_LIST_HEAD(&tls->bufs);
	tls->limit = WS_TLS_AHEAD;
	tls->memcg = get_mem_cgroup_from_mm(current->mm);
	return tls;
}

/* Give a reference back. */
void ws_tls_put(struct ws_tls *tls)
{
	if (!refcount_dec_and_test(&tls->ref))
		return;
	ws_account_put(tls->account);
	mem_cgroup_put(tls->memcg);
	mutex_destroy(&tls->lock);
	kfree(tls);
}

/* kTLS's receiving side. */
struct tls_sw_context_rx *ws_tls_records(const struct ws_ctx *ctx)
{
	return tls_sw_ctx_rx(tls_get_ctx(ctx->sk));
}

/* Does kTLS have a whole record? A hint without the socket lock. */
bool ws_tls_ready(const struct ws_ctx *ctx)
{
	const struct tls_sw_context_rx *rx = ws_tls_records(ctx);

	/* data_race(): a bit of its own in some kernels. */
	return data_race(rx->strp.msg_ready) ||
	       !skb_queue_empty_lockless(&rx->rx_list);
}

/* Is as much read ahead as may be? Without the lock the answer is a hint. */
bool ws_tls_full(const struct ws_ctx *ctx)
{
	const struct ws_tls *tls = ctx->tls;
	u32 limit = too_much(tls) ? PAGE_SIZE : tls->limit;

	return READ_ONCE(tls->end) - READ_ONCE(ctx->rx.base) >= limit;
}

/* Is as much read ahead as this socket alone may? With the lock. */
bool ws_tls_unread(const struct ws_ctx *ctx)
{
	return ctx->tls->end - ctx->rx.base >= ctx->tls->limit;
}

/*
 * Have the work look whether a reader gets anything from what has come. If it
 * cannot run, ws_tls_late() wakes the reader all the same. With bh_lock_sock().
 */
void ws_tls_look(struct ws_ctx *ctx)
{
	struct ws_tls *tls = ctx->tls;

	if (!READ_ONCE(tls->unseen)) {
		tls->unseen_at = tcp_jiffies32;
		WRITE_ONCE(tls->unseen, true);
	}
	ws_tls_queue(ctx);
	ws_timer_by(ctx, UNSEEN_TIME);
}

/* The socket lock; for the first time or not, kTLS tells of a record. */
static void record_ready(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (unlikely(!ctx))
		return;
	/* Pairs with the one in ws_tls_sleep(). */
	smp_mb();
	if (READ_ONCE(ctx->tls->sleepers) ||
	    !(READ_ONCE(ctx->rx.started) || READ_ONCE(ctx->rx.wanted)))
		ws_below(ctx)->data_ready(sk);
	else
		ws_tls_look(ctx);
}

/*
 * Wake the reader when no work has looked at a record. From the timer, with
 * bh_lock_sock().
 */
void ws_tls_late(struct ws_ctx *ctx)
{
	struct ws_tls *tls = ctx->tls;
	s32 left = tls->unseen_at + UNSEEN_TIME - tcp_jiffies32;

	if (!READ_ONCE(tls->unseen) || !ws_tls_ready(ctx))
		return;
	if (left > 0) {
		ws_timer_by(ctx, left);
		return;
	}
	WRITE_ONCE(tls->late, true);
	tls->data_ready(ctx->sk);
}

/*
 * Is there a record that no work has looked at? poll() then says that there is
 * something to read, as kTLS's own would. Any context.
 */
bool ws_tls_is_late(const struct ws_ctx *ctx)
{
	return READ_ONCE(ctx->tls->late) && ws_tls_ready(ctx);
}

/*
 * Does a frame or a sender keep others from sending? For poll(): process
 * context, does not wait. If that cannot be told now, the work looks again and
 * wakes the poller.
 */
bool ws_tls_tx_blocked(struct ws_ctx *ctx)
{
	struct ws_tx *tx = &ctx->tx;
	bool blocked;

	if (!mutex_trylock(&ctx->tls->lock)) {
		WRITE_ONCE(tx->polled, true);
		ws_tls_queue(ctx);
		return true;
	}
	blocked = tx->nseg || tx->busy;
	mutex_unlock(&ctx->tls->lock);
	return blocked;
}

/* Any context; the callbacks' lock or the socket's keeps the context. */
static void state_change(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (unlikely(!ctx))
		return;
	ws_tls_queue(ctx);
	ws_below(ctx)->state_change(sk);
}

/* What kTLS calls when it has a record, before ws_tls_hook(). Socket lock. */
void ws_tls_lower(const struct sock *sk, struct ws_lower *lower)
{
	lower->data_ready = tls_sw_ctx_rx(tls_get_ctx(sk))->saved_data_ready;
}

/* Have kTLS tell us of its records. Socket lock, sk_callback_lock. */
void ws_tls_hook(struct ws_ctx *ctx)
{
	struct tls_context *tls = tls_get_ctx(ctx->sk);

	ws_tls_records(ctx)->saved_data_ready = record_ready;
	/*
	 * A setsockopt() that waits for the lock now would put new keys into
	 * TLS 1.3, and kTLS's own tables back; it refuses other versions.
	 * Nothing else looks here but getsockopt(), see ws_getsockopt().
	 */
	tls->crypto_send.info.version = TLS_1_2_VERSION;
	tls->crypto_recv.info.version = TLS_1_2_VERSION;
	ctx->sk->sk_state_change = state_change;
}

/* The version of the protocol, as the setsockopt() said. */
u16 ws_tls_version(const struct ws_ctx *ctx)
{
	return tls_get_ctx(ctx->sk)->prot_info.version;
}

/* Undo that; but the caller restores sk_state_change. */
void ws_tls_unhook(struct ws_ctx *ctx)
{
	ws_tls_records(ctx)->saved_data_ready = ws_below(ctx)->data_ready;
}

/*
 * A reader is about to sleep, or has slept. Whoever leaves looks whether there
 * is a record that nobody was told of.
 */
void ws_tls_sleep(struct ws_ctx *ctx, bool begin)
{
	if (!ctx->tls)
		return;
	WRITE_ONCE(ctx->tls->sleepers, ctx->tls->sleepers + (begin ? 1 : -1));
	/* Pairs with the one in record_ready(). */
	smp_mb();
}
