/* SPDX-License-Identifier: GPL-2.0-only */
/* kTLS as the transport. */
#ifndef _WS_TLS_H
#define _WS_TLS_H

#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>
#include <uapi/linux/tls.h>

#include "ws_ctx.h"

struct ws_account;
struct ws_span;

/**
 * struct ws_tls - an attached socket that has kTLS below
 * @ctx: the socket
 * @data_ready: ws_saved::data_ready, for the timer: sk_prot may not be ours
 *	any more when it fires
 * @lock: stands in for the socket lock, and is taken before it: process
 *	context only
 * @ref: one for the context, one for a caller that unlocks @lock after that
 *	may go
 * @account: counts what is read ahead, and runs @work
 * @work: ws_event_run()
 * @memcg: memory cgroup of the attaching task, charged for @bufs; or NULL
 * @bufs: decrypted bytes, &struct ws_tls_buf, in the order of the stream
 * @end: sequence number behind the last of them
 * @limit: so many bytes are read ahead of the reader
 * @sleepers: readers that sleep; they look for records themselves
 * @skip: bytes of a handshake message that are still to come
 * @head: the beginning of one's header
 * @head_len: how much of it is there
 * @over: &enum ws_tls_over
 * @notified: close_notify has been sent
 * @heard: the peer's close_notify has come
 * @handed: the TLS library has sent its own, and asks for the peer's
 * @mark: ws_time::end is to be set when the frame under way is out
 * @foreign: a call that began before the attach is reading the records
 * @news: data read by a caller; other waiters not yet notified
 *
 * @unseen: a record has come since ws_tls_fill()
 * @unseen_at: since when, in tcp_jiffies32
 * @late: @unseen for so long that the reader was woken
 *
 * @sleepers is read in softirq context, @over and @handed by poll(); @unseen and
 * @late are written in softirq context, too; all else needs @lock.
 */
struct ws_tls {
	struct ws_ctx *ctx;
	void (*data_ready)(struct sock *sk);
	struct mutex lock;	/* see above */
	refcount_t ref;
	struct ws_account *account;
	struct work_struct work;
	struct mem_cgroup *memcg;
	struct list_head bufs;
	u32 end;
	u32 limit;
	u32 sleepers;
	u32 skip;
	u32 unseen_at;
	u8 head[4];
	u8 head_len;
	u8 over;
	bool notified;
	bool heard;
	bool handed;
	bool mark;
	bool foreign;
	bool news;
	bool unseen;
	bool late;
};

/* Read ahead at least, before a frame is known to be longer. */
#define WS_TLS_AHEAD		(64 * 1024)

/* Types of records, RFC 8446 section 5.1. */
#define WS_TLS_ALERT		21
#define WS_TLS_HANDSHAKE	22
#define WS_TLS_DATA		23

/* The alert that says that nothing follows. */
#define WS_TLS_CLOSE_NOTIFY	0

/* How the received stream of kTLS has ended. */
enum ws_tls_over {
	WS_TLS_OPEN,
	/* By TCP's FIN or by close_notify. */
	WS_TLS_EOF,
	/* By an error, which was left in sk_err. */
	WS_TLS_BROKEN,
};

/* ws_tls.c */

struct ws_tls *ws_tls_create(struct ws_ctx *ctx, struct sock *sk,
			     const struct ws_saved *saved, work_func_t work);
struct tls_sw_context_rx *ws_tls_records(const struct ws_ctx *ctx);
bool ws_tls_try_lock(struct ws_ctx *ctx);
void ws_tls_queue(struct ws_ctx *ctx);
void ws_tls_look(struct ws_ctx *ctx);
void ws_tls_late(struct ws_ctx *ctx);
bool ws_tls_more(const struct ws_ctx *ctx);
bool ws_tls_tx_blocked(struct ws_ctx *ctx);
bool ws_tls_stalls_peer(const struct ws_ctx *ctx);
void ws_tls_put(struct ws_tls *tls);
void ws_tls_get_saved(const struct sock *sk, struct ws_saved *saved);
void ws_tls_hook(struct ws_ctx *ctx);
void ws_tls_unhook(struct ws_ctx *ctx);
u16 ws_tls_version(const struct ws_ctx *ctx);
void ws_tls_sleep(struct ws_ctx *ctx, bool begin);
bool ws_tls_ready(const struct ws_ctx *ctx);
bool ws_tls_full(const struct ws_ctx *ctx);

/* ws_tls_rx.c */
bool ws_tls_span(const struct ws_ctx *ctx, struct ws_span *span, u32 seq);
void ws_tls_consume(struct ws_ctx *ctx, u32 seq);
void ws_tls_grow(struct ws_ctx *ctx, u64 len);
bool ws_tls_worth_reading(const struct ws_ctx *ctx);
void ws_tls_fill(struct ws_ctx *ctx);
void ws_tls_free(struct ws_ctx *ctx);

/* ws_tls_tx.c */
int ws_tls_send(struct ws_ctx *ctx);
void ws_tls_sent(struct ws_ctx *ctx);
int ws_tls_close_notify(struct ws_ctx *ctx);
u32 ws_tls_mark(struct ws_ctx *ctx);
int ws_tls_send_alert(struct ws_ctx *ctx, u8 *alert);

/* Is the WebSocket over, and the library to wait for the end of TLS? */
static inline bool ws_tls_awaits(const struct ws_ctx *ctx)
{
	return ctx->tls && READ_ONCE(ctx->tls->handed) &&
	       READ_ONCE(ctx->tls->over) == WS_TLS_OPEN &&
	       READ_ONCE(ctx->rx.stop) == WS_STOP_OVER;
}

/*
 * Is a record overdue for the work? poll() then reports EPOLLIN, as kTLS's own
 * would. Any context.
 */
static inline bool ws_tls_is_late(const struct ws_ctx *ctx)
{
	return ctx->tls && READ_ONCE(ctx->tls->late) && ws_tls_ready(ctx);
}

/* Is this an option by which keys are set or read? */
static inline bool ws_tls_is_key(const struct ws_ctx *ctx, int level,
				 int optname)
{
	return ctx->tls && level == SOL_TLS &&
	       (optname == TLS_TX || optname == TLS_RX);
}

/* Has something to read come that only a caller has seen? */
static inline bool ws_tls_has_news(const struct ws_ctx *ctx)
{
	return ctx->tls && ctx->tls->news;
}

static inline void ws_tls_clear_news(struct ws_ctx *ctx)
{
	if (ctx->tls)
		ctx->tls->news = false;
}

#endif /* _WS_TLS_H */
