// SPDX-License-Identifier: GPL-2.0-only
/*
 * kTLS below: receiving. Its records are decrypted into buffers of ours, in
 * which the stream lies that TCP's queue holds without TLS, addressed by a
 * sequence number that begins with 0.
 *
 * kTLS gives and takes bytes only in calls that take the socket lock
 * themselves. So all that the socket lock guards elsewhere a mutex guards
 * here; nothing is done in softirq context but to wake a reader, who then
 * looks for himself, or to queue the work.
 *
 * How much is read ahead is bounded as TCP's receive buffer would be, and the
 * peer's window closes when kTLS is not read from.
 */
#include <net/tls.h>

#include "ws.h"

/* Read ahead at least, before a frame is known to be longer. */
#define TLS_AHEAD	(64 * 1024)
/* Room that a buffer must have; an alert is never cut. */
#define TLS_ROOM	64

/**
 * struct ws_tls_buf - bytes of the stream
 * @node: in ws_tls::bufs
 * @page: where they are
 * @order: of @page
 * @seq: of the first
 * @len: how many
 */
struct ws_tls_buf {
	struct list_head node;
	struct page *page;
	unsigned int order;
	u32 seq;
	u32 len;
};

static u32 buf_room(const struct ws_tls_buf *buf)
{
	return (PAGE_SIZE << buf->order) - buf->len;
}

static u8 *buf_data(const struct ws_tls_buf *buf)
{
	return page_address(buf->page);
}

static void buf_free(struct ws_tls_buf *buf)
{
	list_del(&buf->node);
	__free_pages(buf->page, buf->order);
	kfree(buf);
}

/**
 * ws_tls_create() - what an attached socket needs for kTLS
 * @sk: the socket
 *
 * Return: with one reference, or NULL.
 */
struct ws_tls *ws_tls_create(const struct sock *sk)
{
	struct ws_tls *tls = kzalloc(sizeof(*tls), GFP_KERNEL_ACCOUNT);

	if (!tls)
		return NULL;
	mutex_init(&tls->lock);
	refcount_set(&tls->ref, 1);
	INIT_LIST_HEAD(&tls->bufs);
	tls->limit = TLS_AHEAD;
	return tls;
}

/**
 * ws_tls_put() - give a reference back
 * @tls: may be freed
 */
void ws_tls_put(struct ws_tls *tls)
{
	struct ws_tls_buf *buf, *next;

	if (!refcount_dec_and_test(&tls->ref))
		return;
	list_for_each_entry_safe(buf, next, &tls->bufs, node)
		buf_free(buf);
	mutex_destroy(&tls->lock);
	kfree(tls);
}

static struct tls_sw_context_rx *records(const struct ws_ctx *ctx)
{
	return tls_sw_ctx_rx(tls_get_ctx(ctx->sk));
}

/**
 * ws_tls_ready() - does kTLS have a whole record?
 * @ctx: the socket
 *
 * Without the socket lock the answer is a hint.
 */
bool ws_tls_ready(const struct ws_ctx *ctx)
{
	const struct tls_sw_context_rx *rx = records(ctx);

	return READ_ONCE(rx->strp.msg_ready) ||
	       !skb_queue_empty_lockless(&rx->rx_list);
}

/**
 * ws_tls_full() - is as much read ahead as may be?
 * @ctx: the socket
 *
 * Without the lock the answer is a hint.
 */
bool ws_tls_full(const struct ws_ctx *ctx)
{
	const struct ws_tls *tls = ctx->tls;

	return READ_ONCE(tls->end) - READ_ONCE(ctx->rx.base) >= tls->limit;
}

/* The socket lock; for the first time or not, kTLS tells of a record. */
static void record_ready(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	/* Pairs with the one in ws_tls_sleep(). */
	smp_mb();
	if (READ_ONCE(ctx->tls->sleepers) || !READ_ONCE(ctx->rx.started))
		ctx->data_ready(sk);
	else
		ws_ctrl_now(ctx);
}

/* Any context; the callbacks' lock or the socket's keeps the context. */
static void state_change(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	ws_ctrl_now(ctx);
	ctx->state_change(sk);
}

/**
 * ws_tls_hook() - have kTLS tell us of its records
 * @ctx: the socket
 *
 * Process context, socket lock, sk_callback_lock.
 */
void ws_tls_hook(struct ws_ctx *ctx)
{
	struct tls_sw_context_rx *rx = records(ctx);

	ctx->data_ready = rx->saved_data_ready;
	rx->saved_data_ready = record_ready;
	ctx->sk->sk_state_change = state_change;
}

/**
 * ws_tls_unhook() - undo ws_tls_hook()
 * @ctx: the socket
 *
 * The caller restores sk_state_change. Process context, socket lock,
 * sk_callback_lock.
 */
void ws_tls_unhook(struct ws_ctx *ctx)
{
	records(ctx)->saved_data_ready = ctx->data_ready;
}

/**
 * ws_tls_sleep() - a reader is about to sleep, or has slept
 * @ctx: the socket
 * @begin: which
 *
 * Whoever leaves looks whether there is a record that nobody was told of.
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
	const struct list_head *bufs = &ctx->tls->bufs;
	const struct ws_tls_buf *buf = run->buf;

	if (buf) {
		list_for_each_entry_from(buf, bufs, node)
			if (seq - buf->seq < buf->len)
				goto found;
		return false;
	}
	/* Most often it is the scanner who asks, for what came last. */
	list_for_each_entry_reverse(buf, bufs, node)
		if (seq - buf->seq < buf->len)
			goto found;
	return false;
found:
	run->buf = buf;
	run->p = buf_data(buf);
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
		buf_free(buf);
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

/* A buffer with room for at least the start of a record, or NULL. */
static struct ws_tls_buf *get_buf(struct ws_ctx *ctx)
{
	gfp_t gfp = GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_COMP;
	struct ws_tls *tls = ctx->tls;
	struct ws_tls_buf *buf;

	if (!list_empty(&tls->bufs)) {
		buf = list_last_entry(&tls->bufs, struct ws_tls_buf, node);
		if (buf_room(buf) >= TLS_ROOM)
			return buf;
	}
	buf = kmalloc(sizeof(*buf), GFP_KERNEL_ACCOUNT);
	if (!buf)
		return NULL;
	buf->order = 0;
	buf->page = NULL;
	if (READ_ONCE(records(ctx)->strp.stm.full_len) > PAGE_SIZE) {
		buf->order = get_order(TLS_MAX_PAYLOAD_SIZE);
		buf->page = alloc_pages(gfp | __GFP_NORETRY, buf->order);
	}
	if (!buf->page) {
		buf->order = 0;
		buf->page = alloc_page(gfp);
	}
	if (!buf->page) {
		kfree(buf);
		ws_stats_inc(ctx, WS_MIB_NO_MEMORY);
		return NULL;
	}
	buf->seq = tls->end;
	buf->len = 0;
	list_add_tail(&buf->node, &tls->bufs);
	return buf;
}

/* TLS has ended: what was read before is delivered, then @err. */
static void broken(struct ws_ctx *ctx, int err)
{
	struct sock *sk = ctx->sk;

	ctx->tls->over = WS_TLS_BROKEN;
	if (!sk->sk_err)
		WRITE_ONCE(sk->sk_err, err);
	sk_error_report(sk);
}

#define ALERT_CLOSE_NOTIFY	0
#define ALERT_USER_CANCELED	90

static void take_alert(struct ws_ctx *ctx, const u8 *p, u32 n)
{
	if (n != 2)
		broken(ctx, EBADMSG);
	else if (p[1] == ALERT_CLOSE_NOTIFY)
		ctx->tls->over = WS_TLS_EOF;
	/* Says nothing by itself: a close_notify follows. */
	else if (p[1] != ALERT_USER_CANCELED)
		broken(ctx, ECONNABORTED);
}

#define HANDSHAKE_TICKET	4
#define HANDSHAKE_KEY_UPDATE	24

/*
 * Of what may come after the handshake, a session ticket is let go: it is of
 * use to the next connection, but nobody can be told of it here.
 */
static void take_handshake(struct ws_ctx *ctx, const u8 *p, u32 n)
{
	struct ws_tls *tls = ctx->tls;

	while (n) {
		u32 step = min(tls->skip, n);

		tls->skip -= step;
		p += step;
		n -= step;
		if (!n)
			return;
		if (*p == HANDSHAKE_KEY_UPDATE) {
			broken(ctx, EKEYEXPIRED);
			return;
		}
		if (*p != HANDSHAKE_TICKET || n < 4) {
			broken(ctx, EBADMSG);
			return;
		}
		tls->skip = 4 + (p[1] << 16 | p[2] << 8 | p[3]);
	}
}

/* One call, which may give several records of data or one of another type. */
static int read_records(struct ws_ctx *ctx, struct ws_tls_buf *buf, u8 *type)
{
	struct {
		struct cmsghdr hdr;
		u8 data[CMSG_ALIGN(sizeof(u8))];
	} control;
	struct msghdr msg = {
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	u32 room = buf_room(buf);
	struct bio_vec bv = {
		.bv_page = buf->page,
		.bv_offset = buf->len,
		.bv_len = room,
	};
	int n, addr_len = 0;

	/* Pages, not addresses: kTLS can decrypt right into them. */
	iov_iter_bvec(&msg.msg_iter, READ, &bv, 1, room);
	n = ws_compat_recvmsg(ctx->slot->lower_prot, ctx->sk, &msg, room,
			      MSG_DONTWAIT, &addr_len);
	*type = msg.msg_controllen == sizeof(control) ? 0 : control.data[0];
	return n;
}

/* There was nothing to read. Return: whether to look again. */
static bool nothing(struct ws_ctx *ctx, int err)
{
	struct sock *sk = ctx->sk;

	switch (err) {
	case 0:
		if (ws_tls_ready(ctx))
			return true;
		if (sock_flag(sk, SOCK_DONE))
			ctx->tls->over = WS_TLS_EOF;
		return false;
	case -EAGAIN:
	case -EINTR:
	case -ERESTARTSYS:
		break;
	case -EKEYEXPIRED:
		broken(ctx, EKEYEXPIRED);
		return false;
	case -EBADMSG:
	case -EMSGSIZE:
	case -EINVAL:
	case -EIO:
		broken(ctx, EBADMSG);
		return false;
	default:
		/* It is for the reader or the writer to take. */
		if (!sk->sk_err)
			WRITE_ONCE(sk->sk_err, -err);
		break;
	}
	/* It found no record in what it was sent. */
	if (records(ctx)->strp.stopped)
		broken(ctx, EBADMSG);
	return false;
}

static bool take(struct ws_ctx *ctx, struct ws_tls_buf *buf, int n, u8 type)
{
	struct ws_tls *tls = ctx->tls;
	const u8 *p = buf_data(buf) + buf->len;

	if (n < 0 || (!n && (!type || type == WS_TLS_DATA)))
		return nothing(ctx, n);
	if (tls->skip && type != WS_TLS_HANDSHAKE) {
		broken(ctx, EBADMSG);
		return false;
	}
	switch (type) {
	case WS_TLS_DATA:
		buf->len += n;
		WRITE_ONCE(tls->end, tls->end + n);
		return true;
	case WS_TLS_ALERT:
		take_alert(ctx, p, n);
		return true;
	case WS_TLS_HANDSHAKE:
		take_handshake(ctx, p, n);
		return true;
	default:
		broken(ctx, EBADMSG);
		return false;
	}
}

/* Would a call to kTLS find anything but an error meant for somebody else? */
static bool worth_reading(const struct ws_ctx *ctx)
{
	const struct sock *sk = ctx->sk;

	if (ws_tls_ready(ctx) || records(ctx)->strp.stopped)
		return true;
	return !sk->sk_err && (sock_flag(sk, SOCK_DONE) ||
			       (sk->sk_shutdown & RCV_SHUTDOWN));
}

/**
 * ws_tls_fill() - read ahead what kTLS has
 * @ctx: the socket
 *
 * Process context; may sleep for memory, does not wait for records.
 */
void ws_tls_fill(struct ws_ctx *ctx)
{
	struct ws_tls *tls = ctx->tls;
	struct ws_tls_buf *buf = NULL;
	bool more = true;
	u8 type;
	int n;

	ctx->rx.cramped = false;
	while (more && tls->over == WS_TLS_OPEN && !ws_tls_full(ctx) &&
	       worth_reading(ctx)) {
		buf = get_buf(ctx);
		if (!buf) {
			ctx->rx.cramped = true;
			return;
		}
		n = read_records(ctx, buf, &type);
		more = take(ctx, buf, n, type);
	}
	if (buf && !buf->len)
		buf_free(buf);
}

/**
 * ws_tls_pull() - look at what kTLS has told of
 * @ctx: the socket
 *
 * Process context, its lock.
 */
void ws_tls_pull(struct ws_ctx *ctx)
{
	if (!ctx->rx.started || ctx->tls->over != WS_TLS_OPEN ||
	    !worth_reading(ctx))
		return;
	if (ctx->lingers)
		ws_linger_arrived(ctx);
	else
		ws_rx_arrived(ctx);
	ws_ctrl_kick(ctx);
	if (ws_lower_more(ctx) && !ctx->rx.complete)
		mod_delayed_work(ws_wq, &ctx->work, 0);
}
