// SPDX-License-Identifier: GPL-2.0-only
/*
 * kTLS below: what of its stream is here. Records are decrypted into buffers of
 * ours (ws_tls_rx.c), which hold the stream as TCP's queue does without TLS,
 * addressed by a sequence number that begins with 0.
 *
 * kTLS gives and takes bytes only in calls that take the socket lock
 * themselves. So all that the socket lock guards elsewhere a mutex guards
 * here; softirq context only wakes a sleeping reader, which then
 * reads the record itself, or queues the work.
 *
 * How much is read ahead is bounded as TCP's receive buffer would be, and the
 * peer's window closes when kTLS is not read from.
 */
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <net/tls.h>

#include "ws_account.h"
#include "ws_timer.h"
#include "ws_tls.h"

/* Never wait for the lock owner; retry after this delay, in jiffies. */
#define LOCKED_AGAIN	max(HZ / 50, 1)
/* A record that the work has not read for this long wakes the reader. */
#define UNSEEN_TIME	(HZ / 4)

/*
 * Has this account read ahead a 32nd of the memory? At about that much of its
 * own TCP is under memory pressure.
 */
static bool account_is_full(const struct ws_tls *tls)
{
	return atomic_long_read(&tls->account->pages) > totalram_pages() / 32;
}

/*
 * The lock of the context, and a socket lock that is free. An owner can hold
 * that for long, over a fault of its memory, and so can a caller that has been
 * in kTLS since before the attach.
 */
static bool try_both_locks(struct ws_ctx *ctx)
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
 * For the work: never wait for an owner of the lock. Return: true with the
 * lock; false when the work is to run again, and will.
 */
bool ws_tls_try_lock(struct ws_ctx *ctx)
{
	if (try_both_locks(ctx))
		return true;
	/* The owner of the context's lock queues the work when it unlocks. */
	WRITE_ONCE(ctx->rx.run_due, true);
	ws_timer_by(ctx, LOCKED_AGAIN);
	return false;
}

/* Queue the work, which calls ws_event_run(). Any context that keeps @ctx. */
void ws_tls_queue(struct ws_ctx *ctx)
{
	queue_work(ctx->tls->account->wq, &ctx->tls->work);
}

/*
 * What a context needs for kTLS; @work does what is deferred. Process context
 * of the task that attaches the socket. Return: with one reference, or NULL.
 */
struct ws_tls *ws_tls_create(struct ws_ctx *ctx, struct sock *sk,
			     const struct ws_saved *saved, work_func_t work)
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
	tls->data_ready = saved->data_ready;
	mutex_init(&tls->lock);
	INIT_WORK(&tls->work, work);
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
	u32 limit = account_is_full(tls) ? PAGE_SIZE : tls->limit;

	return READ_ONCE(tls->end) - READ_ONCE(ctx->rx.base) >= limit;
}

/* See ws_below_more(). */
bool ws_tls_more(const struct ws_ctx *ctx)
{
	const struct ws_tls *tls = ctx->tls;

	return READ_ONCE(tls->over) == WS_TLS_OPEN && !data_race((bool)ctx->rx.starved) &&
	       !READ_ONCE(tls->foreign) && !ws_tls_full(ctx) &&
	       ws_tls_ready(ctx);
}

/* Is as much read ahead as this socket alone may? With the lock. */
bool ws_tls_stalls_peer(const struct ws_ctx *ctx)
{
	return ctx->tls->end - ctx->rx.base >= ctx->tls->limit;
}

/*
 * A record has come: the work finds out whether there is anything for the
 * reader. If it cannot run soon, ws_tls_late() wakes the reader. With
 * bh_lock_sock().
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

/*
 * kTLS's callback for a record, maybe not the first for this one. Socket lock.
 */
static void record_ready(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (unlikely(!ctx))
		return;
	/* Pairs with the one in ws_tls_sleep(). */
	smp_mb();
	if (READ_ONCE(ctx->tls->sleepers) ||
	    !(READ_ONCE(ctx->rx.started) || READ_ONCE(ctx->rx.wanted)))
		ws_saved_of(ctx)->data_ready(sk);
	else
		ws_tls_look(ctx);
}

/*
 * Wake the reader if the work has not read a record in time. From the timer,
 * with bh_lock_sock().
 */
void ws_tls_late(struct ws_ctx *ctx)
{
	struct ws_tls *tls = ctx->tls;
	s32 left;

	if (!tls || !READ_ONCE(tls->unseen) || !ws_tls_ready(ctx))
		return;
	left = tls->unseen_at + UNSEEN_TIME - tcp_jiffies32;
	if (left > 0) {
		ws_timer_by(ctx, left);
		return;
	}
	WRITE_ONCE(tls->late, true);
	tls->data_ready(ctx->sk);
}

/*
 * Does a frame or a sender keep others from sending? For poll(): process
 * context, does not wait. If the lock is taken the work checks again and
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
static void tls_state_change(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (unlikely(!ctx))
		return;
	ws_tls_queue(ctx);
	ws_saved_of(ctx)->state_change(sk);
}

/* What kTLS calls when it has a record, before ws_tls_hook(). Socket lock. */
void ws_tls_get_saved(const struct sock *sk, struct ws_saved *saved)
{
	saved->data_ready = tls_sw_ctx_rx(tls_get_ctx(sk))->saved_data_ready;
}

/* Replace the callback for records. Socket lock, sk_callback_lock. */
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
	ctx->sk->sk_state_change = tls_state_change;
}

/* The version of the protocol, as the setsockopt() said. */
u16 ws_tls_version(const struct ws_ctx *ctx)
{
	return tls_get_ctx(ctx->sk)->prot_info.version;
}

/* Undo that; but the caller restores sk_state_change. */
void ws_tls_unhook(struct ws_ctx *ctx)
{
	ws_tls_records(ctx)->saved_data_ready = ws_saved_of(ctx)->data_ready;
}

/*
 * A reader is about to sleep, or has slept: while it does, record_ready() wakes
 * it instead of queueing the work.
 */
void ws_tls_sleep(struct ws_ctx *ctx, bool begin)
{
	if (!ctx->tls)
		return;
	WRITE_ONCE(ctx->tls->sleepers, ctx->tls->sleepers + (begin ? 1 : -1));
	/* Pairs with the one in record_ready(). */
	smp_mb();
}
