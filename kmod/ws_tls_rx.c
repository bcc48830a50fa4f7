// SPDX-License-Identifier: GPL-2.0-only
/*
 * kTLS below: its records. Data is read ahead into buffers (struct ws_tls_buf),
 * and so decrypted; a record of another type is acted upon here, and most end
 * the stream.
 *
 * All of it in process context with the lock of the context.
 */
#include <linux/memcontrol.h>
#include <linux/sched/mm.h>
#include <net/tls.h>

#include "compat/compat.h"
#include "ws_account.h"
#include "ws_stats.h"
#include "ws_tcp.h"
#include "ws_timer.h"
#include "ws_tls.h"

/* Room that a buffer must have; an alert is never cut. */
#define TLS_ROOM	64
/* So many calls at a time: empty records would never fill the buffers. */
#define TLS_CALLS	64

/* Bytes of the stream, in ws_tls::bufs. */
struct ws_tls_buf {
	struct list_head node;
	struct page *page;
	unsigned int order;	/* of the page */
	u32 seq;		/* of the first byte */
	u32 len;		/* how many there are */
};

static u32 buf_room(const struct ws_tls_buf *buf)
{
	return (PAGE_SIZE << buf->order) - buf->len;
}

static u8 *buf_data(const struct ws_tls_buf *buf)
{
	return page_address(buf->page);
}

static void count_pages(const struct ws_ctx *ctx, long n)
{
	atomic_long_add(n, &ctx->tls->account->pages);
	ws_stats_add(ctx, WS_MIB_CURR_TLS_PAGES, n);
}

static void free_buf(const struct ws_ctx *ctx, struct ws_tls_buf *buf)
{
	list_del(&buf->node);
	count_pages(ctx, -(1L << buf->order));
	__free_pages(buf->page, buf->order);
	kfree(buf);
}

/*
 * ws_stream_span() for bytes that kTLS gave. Return: false if @seq is not
 * there.
 */
bool ws_tls_span(const struct ws_ctx *ctx, struct ws_span *span, u32 seq)
{
	struct list_head *bufs = &ctx->tls->bufs;
	const struct ws_tls_buf *buf = span->buf;

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
	span->buf = buf;
	span->p = buf_data(buf);
	span->seq = buf->seq;
	span->len = buf->len;
	return true;
}

/* Free what has been read: all before @seq. */
void ws_tls_consume(struct ws_ctx *ctx, u32 seq)
{
	struct ws_tls_buf *buf, *next;

	list_for_each_entry_safe(buf, next, &ctx->tls->bufs, node) {
		if (after(buf->seq + buf->len, seq))
			break;
		free_buf(ctx, buf);
	}
}

/*
 * Read ahead as much as a frame of @len bytes needs, as far as TCP's receive
 * buffer would hold it, see ws_below_grow().
 */
void ws_tls_grow(struct ws_ctx *ctx, u64 len)
{
	const struct sock *sk = ctx->sk;
	u32 most = READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_rmem[2]) / 2;

	if (sk->sk_userlocks & SOCK_RCVBUF_LOCK)
		most = READ_ONCE(sk->sk_rcvbuf) / 2;
	if (tcp_under_memory_pressure(sk))
		most = 0;
	len = clamp_t(u64, len + WS_TLS_AHEAD / 4, WS_TLS_AHEAD,
		      max_t(u32, most, WS_TLS_AHEAD));
	ctx->tls->limit = max_t(u32, ctx->tls->limit, len);
}

/*
 * Charged to the memcg of the attaching task, also when the work reads. At its
 * limit the allocation waits or fails; it does not start the OOM killer.
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
 * A place for what comes next; may sleep for memory. Return: the last buffer,
 * with room for at least an alert, or NULL.
 */
static struct ws_tls_buf *get_buf(struct ws_ctx *ctx)
{
	struct ws_tls *tls = ctx->tls;
	struct ws_tls_buf *buf;

	if (!list_empty(&tls->bufs)) {
		buf = list_last_entry(&tls->bufs, struct ws_tls_buf, node);
		if (buf_room(buf) >= TLS_ROOM)
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

/* TLS has ended: what was read before is delivered, then @err. */
static void fail_tls(struct ws_ctx *ctx, int err)
{
	struct sock *sk = ctx->sk;

	WRITE_ONCE(ctx->tls->over, WS_TLS_BROKEN);
	ws_stats_inc(ctx, WS_MIB_TLS_ERROR);
	if (!sk->sk_err)
		WRITE_ONCE(sk->sk_err, err);
	sk_error_report(sk);
}

#define ALERT_USER_CANCELED	90

static void note_close_notify(struct ws_tls *tls)
{
	tls->heard = true;
	WRITE_ONCE(tls->over, WS_TLS_EOF);
}

static void take_alert(struct ws_ctx *ctx, const u8 *p, u32 n)
{
	if (n != 2)
		fail_tls(ctx, EBADMSG);
	else if (p[1] == WS_TLS_CLOSE_NOTIFY)
		note_close_notify(ctx->tls);
	/* Says nothing by itself: a close_notify follows. */
	else if (p[1] != ALERT_USER_CANCELED)
		fail_tls(ctx, ECONNABORTED);
}

#define HANDSHAKE_TICKET	4
#define HANDSHAKE_KEY_UPDATE	24

/*
 * Of what may come after the handshake, a session ticket is discarded: the
 * next connection could use it, but there is no way to hand it to the program.
 */
static void take_handshake(struct ws_ctx *ctx, const u8 *p, u32 n)
{
	struct ws_tls *tls = ctx->tls;
	u8 *head = tls->head;

	while (n) {
		u32 step = min(tls->skip, n);

		tls->skip -= step;
		p += step;
		n -= step;
		if (!n)
			return;
		head[tls->head_len++] = *p++;
		n--;
		if (head[0] != HANDSHAKE_TICKET) {
			fail_tls(ctx, head[0] == HANDSHAKE_KEY_UPDATE ?
				 EKEYEXPIRED : EBADMSG);
			return;
		}
		if (tls->head_len < sizeof(tls->head))
			continue;
		tls->skip = head[1] << 16 | head[2] << 8 | head[3];
		tls->head_len = 0;
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
	n = ws_compat_recvmsg(ws_saved_of(ctx)->prot, ctx->sk, &msg, room,
			      MSG_DONTWAIT, &addr_len);
	*type = msg.msg_controllen == sizeof(control) ? 0 : control.data[0];
	return n;
}

/* There was nothing to read. Return: whether to look again. */
static bool handle_no_data(struct ws_ctx *ctx, int err)
{
	struct sock *sk = ctx->sk;

	switch (err) {
	case 0:
		if (ws_tls_ready(ctx))
			return true;
		if (sock_flag(sk, SOCK_DONE))
			WRITE_ONCE(ctx->tls->over, WS_TLS_EOF);
		return false;
	case -EAGAIN:
		/* kTLS has one reader at a time. */
		if (ws_tls_ready(ctx))
			WRITE_ONCE(ctx->tls->foreign, true);
		break;
	case -EINTR:
	case -ERESTARTSYS:
		break;
	case -EKEYEXPIRED:
		fail_tls(ctx, EKEYEXPIRED);
		return false;
	case -EBADMSG:
	case -EMSGSIZE:
	case -EINVAL:
	case -EIO:
		fail_tls(ctx, EBADMSG);
		return false;
	default:
		/* It is for the reader or the writer to take. */
		if (!sk->sk_err)
			WRITE_ONCE(sk->sk_err, -err);
		break;
	}
	/* The stream parser gave up: what came is no TLS record. */
	if (ws_tls_records(ctx)->strp.stopped)
		fail_tls(ctx, EBADMSG);
	return false;
}

static bool take_record(struct ws_ctx *ctx, struct ws_tls_buf *buf, int n, u8 type)
{
	struct ws_tls *tls = ctx->tls;
	const u8 *p = buf_data(buf) + buf->len;

	if (n < 0 || (!n && (!type || type == WS_TLS_DATA)))
		return handle_no_data(ctx, n);
	if ((tls->skip || tls->head_len) && type != WS_TLS_HANDSHAKE) {
		fail_tls(ctx, EBADMSG);
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
		fail_tls(ctx, EBADMSG);
		return false;
	}
}

/*
 * Is there a record, an end or a parser error to fetch? Otherwise a call would
 * only consume sk_err, which the program is to get.
 */
bool ws_tls_worth_reading(const struct ws_ctx *ctx)
{
	const struct sock *sk = ctx->sk;

	if (!ctx->tls || ctx->tls->over != WS_TLS_OPEN)
		return false;
	if (ws_tls_ready(ctx) || ws_tls_records(ctx)->strp.stopped)
		return true;
	return !sk->sk_err && (sock_flag(sk, SOCK_DONE) ||
			       (sk->sk_shutdown & RCV_SHUTDOWN));
}

/* Read ahead what kTLS has. May sleep for memory, does not wait for records. */
void ws_tls_fill(struct ws_ctx *ctx)
{
	struct ws_tls *tls = ctx->tls;
	struct ws_tls_buf *buf = NULL;
	unsigned int calls = TLS_CALLS;
	bool more = true;
	u8 type;
	int n;

	ctx->rx.starved = false;
	WRITE_ONCE(tls->foreign, false);
	WRITE_ONCE(tls->unseen, false);
	WRITE_ONCE(tls->late, false);
	while (more && calls-- && !ws_tls_full(ctx) &&
	       ws_tls_worth_reading(ctx)) {
		buf = get_buf(ctx);
		if (!buf) {
			ctx->rx.starved = true;
			return;
		}
		n = read_records(ctx, buf, &type);
		more = take_record(ctx, buf, n, type);
		tls->news |= more || tls->over != WS_TLS_OPEN;
	}
	if (buf && !buf->len)
		free_buf(ctx, buf);
	if (tls->foreign) {
		/*
		 * The other reader may be sleeping; it leaves with the record.
		 */
		ws_saved_of(ctx)->data_ready(ctx->sk);
		ws_timer_by(ctx, HZ / 10);
	}
}

/* Free what was read ahead, and all that kTLS needed; nothing without it. */
void ws_tls_free(struct ws_ctx *ctx)
{
	if (!ctx->tls)
		return;
	ws_tls_consume(ctx, ctx->tls->end);
	ws_tls_put(ctx->tls);
}
