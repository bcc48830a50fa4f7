// SPDX-License-Identifier: GPL-2.0-only
/*
 * The frame under way, as segments of pages. It is handed to the transport when
 * it is complete; what that does not take at once waits here, and goes before
 * anything else. All of it with the lock of the context.
 */
#include "compat/compat.h"
#include "ws_stats.h"
#include "ws_tx.h"

noinline int ws_tx_no_memory(struct ws_ctx *ctx)
{
	ws_stats_inc(ctx, WS_MIB_NO_MEMORY);
	return -ENOMEM;
}

/*
 * Charge to the socket what TCP has not taken of the frame under way: TCP
 * counts bytes as its own only when it takes them. The frame cannot be given up
 * any more, so the charge is forced: sk_wmem_schedule() refuses only sockets
 * below sk_sndbuf, so that is 0 for the moment, and locked, lest TCP changes
 * it. If it fails all the same nothing is charged, nor uncharged later, as
 * sk_forward_alloc must not go below 0.
 */
static void charge_frame(struct ws_ctx *ctx)
{
	u32 len = ws_tx_left(&ctx->tx);
	struct sock *sk = ctx->sk;
	u8 locks;
	int size;

	if (ctx->tx.charged)
		return;
	ws_lock_inner(ctx);
	size = sk->sk_sndbuf;
	locks = sk->sk_userlocks;
	sk->sk_userlocks |= SOCK_SNDBUF_LOCK;
	WRITE_ONCE(sk->sk_sndbuf, 0);
	if (sk_wmem_schedule(sk, len)) {
		sk_mem_charge(sk, len);
		ctx->tx.charged = true;
	}
	WRITE_ONCE(sk->sk_sndbuf, size);
	sk->sk_userlocks = locks;
	ws_unlock_inner(ctx);
}

static void uncharge_bytes(struct ws_ctx *ctx, u32 len)
{
	ws_lock_inner(ctx);
	sk_mem_uncharge(ctx->sk, len);
	ws_unlock_inner(ctx);
}

/*
 * Forget the frame that is being built or under way. Also what is left to do
 * when TCP has taken all of it.
 */
void ws_tx_free(struct ws_ctx *ctx)
{
	struct ws_tx *tx = &ctx->tx;

	if (unlikely(tx->charged))
		uncharge_bytes(ctx, ws_tx_left(tx));
	tx->charged = false;
	if (unlikely(tx->held)) {
		tx->nseg = tx->held;
		tx->held = 0;
	}
	while (ws_tx_pending(tx))
		put_page(ws_tx_segs(tx)[tx->cur++].bv_page);
	if (tx->large) {
		if (tx->frame->uarg)
			net_zcopy_put(tx->frame->uarg);
		kfree(tx->frame);
		tx->large = false;
	}
	tx->cur = 0;
	tx->cut = false;
	WRITE_ONCE(tx->nseg, 0);
}

/* Make room for WS_FRAME_SEGS segments, instead of one. */
bool ws_tx_enlarge(struct ws_tx *tx)
{
	struct ws_frame *frame = kmalloc(sizeof(*frame), GFP_KERNEL_ACCOUNT);

	if (!frame)
		return false;
	frame->uarg = NULL;
	frame->shared = false;
	if (tx->nseg)
		frame->seg[0] = tx->one;
	tx->frame = frame;
	tx->large = true;
	return true;
}

/*
 * Add a segment to the frame. The first one needs no memory. @page
 * is the head of a compound one. Return: 1 when the frame has taken over the
 * caller's reference on it, 0 when its last segment has grown, or -ENOMEM.
 */
int ws_tx_add(struct ws_ctx *ctx, struct page *page, u32 offset, u32 len)
{
	struct ws_tx *tx = &ctx->tx;
	struct bio_vec *bv = &ws_tx_segs(tx)[tx->nseg];

	if (tx->nseg && bv[-1].bv_page == page &&
	    bv[-1].bv_offset + bv[-1].bv_len == offset) {
		bv[-1].bv_len += len;
		return 0;
	}
	if (tx->nseg == WS_FRAME_SEGS ||
	    (tx->nseg && !tx->large && !ws_tx_enlarge(tx)))
		return ws_tx_no_memory(ctx);
	ws_tx_segs(tx)[tx->nseg] = (struct bio_vec){
		.bv_page = page,
		.bv_offset = offset,
		.bv_len = len,
	};
	WRITE_ONCE(tx->nseg, tx->nseg + 1);
	return 1;
}

/* The same for what is at @pfrag's offset, which is moved on. */
int ws_tx_add_frag(struct ws_ctx *ctx, struct page_frag *pfrag, u32 len)
{
	int added = ws_tx_add(ctx, pfrag->page, pfrag->offset, len);

	if (added < 0)
		return added;
	if (added)
		get_page(pfrag->page);
	pfrag->offset += len;
	return 0;
}

/*
 * Give a frame its header, in front of the payload that it has: @head bytes
 * were left for it. If that is less than @hdr says, the message goes on.
 */
void ws_tx_seal(struct ws_tx *tx, struct ws_hdr *hdr, size_t head)
{
	struct bio_vec *bv = ws_tx_segs(tx);
	u32 len = ws_tx_left(tx) - head;

	if (len < hdr->len)
		hdr->fin = false;
	hdr->len = len;
	head -= ws_hdr_size(len, hdr->masked);
	bv->bv_offset += head;
	bv->bv_len -= head;
	ws_hdr_build(page_address(bv->bv_page) + bv->bv_offset, hdr);
}

/* A frame that was to grow is complete; @fin if it is its message's last. */
void ws_tx_seal_held(struct ws_ctx *ctx, bool fin)
{
	struct ws_tx *tx = &ctx->tx;
	struct ws_hdr hdr = { .opcode = tx->frame->opcode, .fin = fin };

	WRITE_ONCE(tx->nseg, tx->held);
	tx->held = 0;
	ws_tx_seal(tx, &hdr, WS_HDR_MAX);
}

/* Is it to be tried again? */
static bool is_full(int n)
{
	return n == -EAGAIN || n == -ENOMEM || n == -ENOBUFS || !n;
}

static void advance_segs(struct ws_tx *tx, size_t len)
{
	while (len) {
		struct bio_vec *bv = &ws_tx_segs(tx)[tx->cur];
		size_t n = min_t(size_t, len, bv->bv_len);

		bv->bv_offset += n;
		bv->bv_len -= n;
		len -= n;
		if (!bv->bv_len) {
			put_page(bv->bv_page);
			tx->cur++;
		}
	}
}

/*
 * Hand the frame under way to the transport; @more if another follows at once.
 * Does not wait for room in the send buffer. Return: 0 when no frame is under
 * way any more, -EAGAIN when TCP takes no more for now, or the error of a dead
 * connection; the frame is then gone.
 */
int ws_tx_push(struct ws_ctx *ctx, bool more)
{
	struct ws_tx *tx = &ctx->tx;

	ws_owned_by_me(ctx);
	if (unlikely(tx->held))
		ws_tx_seal_held(ctx, false);
	if (ws_tx_pending(tx) && !ws_tcp_takes_bytes(ctx->sk)) {
		/* A soft error (ICMP) ends nothing: the program is to take it. */
		if (ws_tcp_is_open(ctx->sk)) {
			charge_frame(ctx);
			return -EAGAIN;
		}
		ws_tx_free(ctx);
		return -EPIPE;
	}
	while (ws_tx_pending(tx)) {
		int n;

		tx->sending = true;
		n = ws_below_send(ctx, more);
		tx->sending = false;
		if (is_full(n)) {
			charge_frame(ctx);
			return -EAGAIN;
		}
		if (n < 0) {
			ws_tx_free(ctx);
			return n;
		}
		tx->cut = true;
		if (unlikely(tx->charged))
			uncharge_bytes(ctx, n);
		advance_segs(tx, n);
	}
	ws_tx_free(ctx);
	ws_below_sent(ctx);
	return 0;
}

/*
 * Send @len bytes of frames that were built at @pfrag's offset, which is moved
 * on, when no frame is under way. @more and return value as for ws_tx_push().
 */
int ws_tx_send_frag(struct ws_ctx *ctx, struct page_frag *pfrag, u32 len,
		    bool more)
{
	struct bio_vec bv = {
		.bv_page = pfrag->page,
		.bv_offset = pfrag->offset,
		.bv_len = len,
	};
	int n = 0;

	ws_owned_by_me(ctx);
	/* TCP may use, and use up, the same page fragment. */
	get_page(bv.bv_page);
	pfrag->offset += len;
	/*
	 * kTLS has no such call. TCP takes bytes: ws_send_wait() found so, with
	 * the same lock.
	 */
	if (likely(!ctx->tls)) {
		ctx->tx.sending = true;
		n = ws_compat_tcp_send_pages(ctx->sk, &bv, 1, len, more, false);
		ctx->tx.sending = false;
		if (likely(n == len) || (n < 0 && !is_full(n))) {
			put_page(bv.bv_page);
			return min(n, 0);
		}
		n = max(n, 0);
	}
	ws_tx_add(ctx, bv.bv_page, bv.bv_offset + n, len - n);
	ctx->tx.cut = n > 0;
	return ws_tx_push(ctx, more);
}

/*
 * The sequence number behind the frame under way, in TCP's stream, for
 * &ws_time.end.
 */
u32 ws_tx_end(struct ws_ctx *ctx)
{
	return ws_below_tx_end(ctx, ws_tx_left(&ctx->tx));
}
