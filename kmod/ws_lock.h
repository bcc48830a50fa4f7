/* SPDX-License-Identifier: GPL-2.0-only */
/* The lock of a socket. Included by ws.h only. */
#ifndef _WS_LOCK_H
#define _WS_LOCK_H

/* The socket lock, or what stands in for it. Process context; may sleep. */
static inline void ws_lock(struct ws_ctx *ctx)
{
	if (unlikely(ctx->tls))
		mutex_lock(&ctx->tls->lock);
	else
		lock_sock(ctx->sk);
}

static inline void ws_unlock(struct ws_ctx *ctx)
{
	if (likely(!ctx->tls)) {
		release_sock(ctx->sk);
		return;
	}
	if (READ_ONCE(ctx->rx.due)) {
		WRITE_ONCE(ctx->rx.due, false);
		ws_tls_queue(ctx);
	}
	mutex_unlock(&ctx->tls->lock);
}

/*
 * Is nothing under way to TCP, nor due? Mostly; else ws_ctrl_pending() knows
 * whether there is something to do. For callers that have the lock.
 */
static inline bool ws_ctrl_quiet(const struct ws_ctx *ctx)
{
	return likely(!(ctx->tx.due | ctx->time.ping | ctx->rx.cramped));
}

static inline void ws_owned_by_me(const struct ws_ctx *ctx)
{
	if (ctx->tls)
		lockdep_assert_held(&ctx->tls->lock);
	else
		sock_owned_by_me(ctx->sk);
}

/* sk_wait_event() for whoever called ws_lock(). */
#define ws_wait_event(ctx, timeo, condition, wait)			\
do {									\
	struct wait_queue_entry *__wait = (wait);			\
	struct ws_ctx *__ctx = (ctx);					\
	long *__timeo = (timeo);					\
									\
	ws_unlock(__ctx);						\
	if (!(condition))						\
		*__timeo = wait_woken(__wait, TASK_INTERRUPTIBLE,	\
				      *__timeo);			\
	sched_annotate_sleep();						\
	ws_lock(__ctx);							\
} while (0)

#endif /* _WS_LOCK_H */
