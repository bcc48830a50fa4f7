/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The transport below an attached socket, TCP or kTLS: ws_below_*(), each one
 * inline test and a direct call, so that TCP pays for no indirect branch. What
 * kTLS needs differently is here and in ws_tls*.c; other files ask which of the
 * two it is only where a comment says why, and at attach and close.
 *
 * TCP: the lock of the context is the socket lock. Operations may be called in
 * softirq context, with bh_lock_sock() and no owner.
 *
 * kTLS: its calls take the socket lock themselves and may sleep, so a mutex is
 * the lock of the context. Operations need process context; ws_lock_inner()
 * takes the socket lock.
 */
#ifndef _WS_TRANSPORT_H
#define _WS_TRANSPORT_H

#include <linux/mutex.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "ws_tcp.h"
#include "ws_tls.h"

/* The lock of the context. Process context; may sleep. */
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
	if (READ_ONCE(ctx->rx.run_due)) {
		WRITE_ONCE(ctx->rx.run_due, false);
		ws_tls_queue(ctx);
	}
	mutex_unlock(&ctx->tls->lock);
}

/* Assert that the caller has the lock of the context. */
static inline void ws_owned_by_me(const struct ws_ctx *ctx)
{
	if (ctx->tls)
		lockdep_assert_held(&ctx->tls->lock);
	else
		sock_owned_by_me(ctx->sk);
}

/* May a call with @timeo jiffies left sleep? Return: 0 or its errno. */
static inline int ws_check_sleep(long timeo)
{
	if (!timeo)
		return -EAGAIN;
	return signal_pending(current) ? sock_intr_errno(timeo) : 0;
}

/*
 * sk_wait_event() with the lock of ws_lock(). @condition is tested once,
 * without the lock, as a hint; the caller tests again.
 */
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

/*
 * On kTLS take the socket lock, too. On TCP the caller has it: nothing to do.
 */
static inline void ws_lock_inner(const struct ws_ctx *ctx)
{
	if (ctx->tls)
		lock_sock(ctx->sk);
}

static inline void ws_unlock_inner(const struct ws_ctx *ctx)
{
	if (ctx->tls)
		release_sock(ctx->sk);
}

/*
 * Receiving: bytes. Return: sequence number behind the last byte that is here.
 */
static inline u32 ws_below_end(const struct ws_ctx *ctx)
{
	return ctx->tls ? ctx->tls->end : ws_tcp_end(ctx);
}

/* Find the span that has byte @seq, at or behind where @span is. */
static inline bool ws_below_span(const struct ws_ctx *ctx, struct ws_span *span,
				 u32 seq)
{
	return ctx->tls ? ws_tls_span(ctx, span, seq) :
			  ws_tcp_span(ctx, span, seq);
}

/* Let a walk that has not begun start near @seq, which is near the end. */
static inline void ws_below_seek(const struct ws_ctx *ctx, struct ws_span *span,
				 u32 seq)
{
	if (!ctx->tls)
		ws_tcp_seek(ctx, span, seq);
}

/*
 * See ws_tcp_front(). kTLS's queue is not ours to read, nor is its lock held.
 */
static inline const u8 *ws_below_front(const struct ws_ctx *ctx, u32 seq,
				       u32 *len)
{
	return ctx->tls ? NULL : ws_tcp_front(ctx, seq, len);
}

/* The bytes from @from up to @seq have been read. */
static __always_inline void ws_below_consume(struct ws_ctx *ctx, u32 from,
					     u32 seq)
{
	if (ctx->tls)
		ws_tls_consume(ctx, seq);
	else
		ws_tcp_consume(ctx, from, seq);
}

/*
 * Take in what has come: on kTLS this decrypts records, on TCP it only detects
 * a foreign reader. Return: false after one.
 */
static inline bool ws_below_take_in(struct ws_ctx *ctx)
{
	if (likely(!ctx->tls))
		return ws_tcp_check(ctx);
	ws_tls_fill(ctx);
	return true;
}

/* Has nothing else read bytes of the stream? */
static inline bool ws_below_is_intact(const struct ws_ctx *ctx)
{
	return ctx->tls || ws_tcp_is_intact(ctx);
}

/* Is the queue known to be empty? On kTLS that is not known. */
static inline bool ws_below_is_empty(const struct ws_ctx *ctx)
{
	return !ctx->tls && skb_queue_empty(&ctx->sk->sk_receive_queue);
}

/* Receiving: room. Let the receive buffer hold a frame of @len bytes. */
static inline void ws_below_grow(struct ws_ctx *ctx, u64 len)
{
	if (ctx->tls)
		ws_tls_grow(ctx, min(len, ws_rx_credit(ctx)));
	else
		ws_tcp_grow(ctx, len);
}

/*
 * Must an incomplete message be given to the reader? A message that the receive
 * buffer cannot hold whole must be read in pieces, or the peer's window stays
 * closed forever: so pieces it is when the buffer is nearly full, or the window
 * too small for the peer to go on. They are also given beyond ws_rx_credit(),
 * and when the machine or the memory cgroup is short of memory for TCP. Without
 * the lock the answer is a hint.
 */
static inline bool ws_below_pressed(const struct ws_ctx *ctx)
{
	if (tcp_under_memory_pressure(ctx->sk))
		return true;
	return ctx->tls ? ws_tls_full(ctx) : ws_tcp_pressed(ctx);
}

/*
 * Does this socket's own unread data keep the window too small for the peer to
 * send? Ignores memory pressure.
 */
static inline bool ws_below_stalls_peer(const struct ws_ctx *ctx)
{
	return ctx->tls ? ws_tls_stalls_peer(ctx) : ws_tcp_window_small(ctx);
}

/*
 * Does kTLS hold a record that could be decrypted now? A hint without the lock.
 */
static inline bool ws_below_more(const struct ws_ctx *ctx)
{
	return ctx->tls && ws_tls_more(ctx);
}

/* Is there no memory to read ahead, so that a reader gets -ENOMEM? */
static inline bool ws_below_starved(const struct ws_ctx *ctx)
{
	return ctx->tls && ctx->rx.starved;
}

/* Has the stream ended, and has all of it been taken in? */
static inline bool ws_below_over(const struct ws_ctx *ctx)
{
	return ctx->tls ? READ_ONCE(ctx->tls->over) != WS_TLS_OPEN :
			  sock_flag(ctx->sk, SOCK_DONE);
}

/* The same, but not by an error of TLS. */
static inline bool ws_below_eof(const struct ws_ctx *ctx)
{
	return ctx->tls ? ctx->tls->over == WS_TLS_EOF :
			  sock_flag(ctx->sk, SOCK_DONE);
}

/*
 * Sending. The page fragment in which frames are built. kTLS changes
 * sk_allocation in softirq context for a moment; sk_page_frag() depends on it,
 * and our mutex does not stop that. So kTLS uses the task's own fragment.
 */
static inline struct page_frag *ws_below_frag(const struct ws_ctx *ctx)
{
	return ctx->tls ? &current->task_frag : sk_page_frag(ctx->sk);
}

static inline gfp_t ws_below_gfp(const struct ws_ctx *ctx)
{
	return ctx->tls ? GFP_KERNEL : ctx->sk->sk_allocation;
}

/*
 * Send of the frame under way what goes in one call, without waiting for room.
 * Return: bytes taken, or a negated errno.
 */
static inline int ws_below_send(struct ws_ctx *ctx, bool more)
{
	/*
	 * MSG_MORE would keep a record in kTLS, which has no timer to send it.
	 */
	return ctx->tls ? ws_tls_send(ctx) : ws_tcp_send(ctx, more);
}

/* The frame under way was taken as a whole. */
static inline void ws_below_sent(struct ws_ctx *ctx)
{
	if (ctx->tls)
		ws_tls_sent(ctx);
}

/* See ws_tls_mark(). Return: sequence number behind @left bytes to be sent. */
static inline u32 ws_below_tx_end(struct ws_ctx *ctx, u32 left)
{
	return tcp_sk(ctx->sk)->write_seq +
	       (ctx->tls ? ws_tls_mark(ctx) : left);
}

/*
 * For poll(): is a frame or a sender in the way? If so, pollers are woken when
 * neither is. Never waits for the lock owner.
 */
static inline bool ws_below_tx_blocked(struct ws_ctx *ctx)
{
	return ctx->tls ? ws_tls_tx_blocked(ctx) : ws_tcp_tx_blocked(ctx);
}

/* See ws_tcp_only_writable(). */
static inline bool ws_below_only_writable(const struct ws_ctx *ctx)
{
	return !ctx->tls && ws_tcp_only_writable(ctx->sk);
}

/*
 * Ending. Send what must precede FIN: close_notify. Return: 0, or -EAGAIN to be
 * tried again.
 */
static inline int ws_below_close_notify(struct ws_ctx *ctx)
{
	return ctx->tls ? ws_tls_close_notify(ctx) : 0;
}

/* End TCP's sending direction. */
static inline void ws_below_fin(struct ws_ctx *ctx)
{
	ws_lock_inner(ctx);
	ws_tcp_fin(ctx);
	ws_unlock_inner(ctx);
}

/* End TCP by RST; the program gets @err, positive. kTLS has no disconnect(). */
static inline void ws_below_abort(struct ws_ctx *ctx, int err)
{
	if (ctx->tls)
		ws_saved_of(ctx)->prot->diag_destroy(ctx->sk, err);
	else
		ws_tcp_abort(ctx, err);
}

#endif /* _WS_TRANSPORT_H */
