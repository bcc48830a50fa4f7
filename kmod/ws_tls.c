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

/* Read ahead at least, before a frame is known to be longer. */
#define TLS_AHEAD	(64 * 1024)
/* Room that a buffer must have; an alert is never cut. */
#define TLS_ROOM	64

/* A lock that is not waited for is tried again after so many jiffies. */
#define LOCKED_AGAIN	max(HZ / 50, 1)
/* A record that no work has looked at for so long wakes the reader itself. */
#define UNSEEN_TIME	(HZ / 4)

static void count_pages(const struct ws_ctx *ctx, long n)
{
	atomic_long_add(n, &ctx->tls->account->pages);
	ws_stats_add(ctx, WS_MIB_CURR_TLS_PAGES, n);
}

/*
 * Has this account read ahead a 32nd of the memory? TCP begins to save at about
 * that much of its own.
 */
static bool too_much(const struct ws_tls *tls)
{
	return atomic_long_read(&tls->account->pages) > totalram_pages() / 32;
}

/**
 * ws_tls_buf_free() - give a buffer back
 * @ctx: the socket
 * @buf: in its list
 */
void ws_tls_buf_free(const struct ws_ctx *ctx, struct ws_tls_buf *buf)
{
	list_del(&buf->node);
	count_pages(ctx, -(1L << buf->order));
	__free_pages(buf->page, buf->order);
	kfree(buf);
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
	/* data_race(): a hint, as kTLS takes the lock itself afterwards. */
	if (!data_race(sock_owned_by_user_nocheck(ctx->sk)) &&
	    !ws_tls_sending(ctx))
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
	tls->limit = TLS_AHEAD;
	tls->memcg = get_mem_cgroup_from_mm(current->mm);
	return tls;
}

/**
 * ws_tls_purge() - forget what was read ahead
 * @ctx: the socket, which nobody reads from any more
 */
void ws_tls_purge(struct ws_ctx *ctx)
{
	struct ws_tls_buf *buf, *next;

	list_for_each_entry_safe(buf, next, &ctx->tls->bufs, node)
		ws_tls_buf_free(ctx, buf);
}

/**
 * ws_tls_put() - give a reference back
 * @tls: may be freed
 */
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

/*
 * Does kTLS have a whole record? Without the socket lock the answer is a hint.
 */
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
 * Is somebody in kTLS's sendmsg()? With the lock of the context: somebody who
 * began before the attach.
 */
bool ws_tls_sending(const struct ws_ctx *ctx)
{
	return mutex_is_locked(&tls_get_ctx(ctx->sk)->tx_lock);
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

/**
 * ws_tls_lower() - what kTLS calls when it has a record
 * @sk: a socket with kTLS, before ws_tls_hook()
 * @lower: gets it
 *
 * Process context, socket lock.
 */
void ws_tls_lower(const struct sock *sk, struct ws_lower *lower)
{
	lower->data_ready = tls_sw_ctx_rx(tls_get_ctx(sk))->saved_data_ready;
}

/*
 * Have kTLS tell us of its records. Process context, socket lock,
 * sk_callback_lock.
 */
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

/*
 * Undo ws_tls_hook(). The caller restores sk_state_change. Process context,
 * socket lock, sk_callback_lock.
 */
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

/**
 * ws_tls_run() - ws_lower_run() for bytes that kTLS gave
 * @ctx: the socket
 * @run: as for ws_lower_run()
 * @seq: which byte
 *
 * Return: false if it is not there.
 */
bool ws_tls_run(const struct ws_ctx *ctx, struct ws_run *run, u32 seq)
{
	struct list_head *bufs = &ctx->tls->bufs;
	const struct ws_tls_buf *buf = run->buf;

	if (buf) {
		list_for_each_entry_from(buf, bufs, node)
			if (seq - buf->seq < buf->len)
				goto found;
		return false;
	}
	/* The reader asks for what came first, the scanner for the last. */
	buf = list_first_entry_or_null(bufs, struct ws_tls_buf, node);
	if (buf && seq - buf->seq < buf->len)
		goto found;
	list_for_each_entry_reverse(buf, bufs, node)
		if (seq - buf->seq < buf->len)
			goto found;
	return false;
found:
	run->buf = buf;
	run->p = ws_tls_buf_data(buf);
	run->seq = buf->seq;
	run->len = buf->len;
	return true;
}

/**
 * ws_tls_consume() - free what has been read
 * @ctx: the socket
 * @seq: all before this
 */
void ws_tls_consume(struct ws_ctx *ctx, u32 seq)
{
	struct ws_tls_buf *buf, *next;

	list_for_each_entry_safe(buf, next, &ctx->tls->bufs, node) {
		if (after(buf->seq + buf->len, seq))
			break;
		ws_tls_buf_free(ctx, buf);
	}
}

/**
 * ws_tls_grow() - read ahead as much as a frame needs
 * @ctx: the socket
 * @len: the whole frame
 *
 * As far as TCP's receive buffer would hold it, see ws_lower_grow().
 */
void ws_tls_grow(struct ws_ctx *ctx, u64 len)
{
	const struct sock *sk = ctx->sk;
	u32 most = READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_rmem[2]) / 2;

	if (sk->sk_userlocks & SOCK_RCVBUF_LOCK)
		most = READ_ONCE(sk->sk_rcvbuf) / 2;
	if (tcp_under_memory_pressure(sk))
		most = 0;
	len = clamp_t(u64, len + TLS_AHEAD / 4, TLS_AHEAD,
		      max_t(u32, most, TLS_AHEAD));
	ctx->tls->limit = max_t(u32, ctx->tls->limit, len);
}

/*
 * The group is that of who attached, also when the work reads, and its limit
 * is met by waiting, not by the OOM killer.
 */
static struct ws_tls_buf *alloc_buf(const struct ws_tls *tls, bool large)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_COMP;
	struct mem_cgroup *old = set_active_memcg(tls->memcg);
	struct ws_tls_buf *buf;

	buf = kzalloc(sizeof(*buf), GFP_KERNEL_ACCOUNT | __GFP_RETRY_MAYFAIL);
	if (buf && large) {
		buf->order = get_order(TLS_MAX_PAYLOAD_SIZE);
		buf->page = alloc_pages(gfp | __GFP_NORETRY, buf->order);
	}
	if (buf && !buf->page) {
		buf->order = 0;
		buf->page = alloc_page(gfp | __GFP_RETRY_MAYFAIL);
	}
	set_active_memcg(old);
	if (buf && !buf->page) {
		kfree(buf);
		buf = NULL;
	}
	return buf;
}

/*
 * A place for what comes next. Process context, its lock; may sleep for memory.
 * Return: the last buffer, with room for at least an alert, or NULL.
 */
struct ws_tls_buf *ws_tls_buf_get(struct ws_ctx *ctx)
{
	struct ws_tls *tls = ctx->tls;
	struct ws_tls_buf *buf;

	if (!list_empty(&tls->bufs)) {
		buf = list_last_entry(&tls->bufs, struct ws_tls_buf, node);
		if (ws_tls_buf_room(buf) >= TLS_ROOM)
			return buf;
	}
	buf = alloc_buf(tls, READ_ONCE(ws_tls_records(ctx)->strp.stm.full_len) >
			     PAGE_SIZE);
	if (!buf) {
		ws_stats_inc(ctx, WS_MIB_NO_MEMORY);
		return NULL;
	}
	count_pages(ctx, 1L << buf->order);
	buf->seq = tls->end;
	list_add_tail(&buf->node, &tls->bufs);
	return buf;
}
