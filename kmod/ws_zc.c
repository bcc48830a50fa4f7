// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sends that do not copy: splice(), sendfile(), MSG_ZEROCOPY and io_uring's
 * form of it. The frame's header is a segment of our own, the payload's
 * segments are pages of others, each with a reference. Only the server role can
 * do it, as a client must mask; there, and where the route or the memory does
 * not allow it, the payload is copied, and the completion reports a copy.
 *
 * All pages of a frame are held before its header reaches TCP, so a bad
 * pointer tears no frame. A number is taken for MSG_ZEROCOPY only when the
 * first frame is complete, as none can be given back once another call has one.
 *
 * All of it in process context with the lock of the context.
 */
#include <linux/mm.h>
#include <linux/netdevice.h>

#include "ws_event.h"
#include "ws_stats.h"
#include "ws_timer.h"
#include "ws_zc.h"

/* Pages asked for at a time. */
#define WS_ZC_BATCH	16
/* Longest wait for the next page of a frame that is still to grow. */
#define WS_ZC_HOLD	(HZ / 5)

/* May the payload go out by reference? A client masks, kTLS encrypts. */
bool ws_zc_can_refer(const struct ws_ctx *ctx)
{
	return !ctx->tls && ctx->cfg.role == WS_ROLE_SERVER &&
	       !(ctx->cfg.flags & WS_F_RECORDS) &&
	       (ctx->sk->sk_route_caps & NETIF_F_SG);
}

/* Slab memory has no references of its own. */
static bool pages_ok(const struct iov_iter *from)
{
	const struct bio_vec *bv = from->bvec;
	size_t left = iov_iter_count(from);
	size_t skip = from->iov_offset;

	for (; left; bv++) {
		if (!sendpage_ok(bv->bv_page))
			return false;
		left -= min_t(size_t, left, bv->bv_len - skip);
		skip = 0;
	}
	return true;
}

/*
 * The application may do nothing but wait for its pages; a connection that has
 * ended must not keep those of a frame that TCP had not taken yet.
 */
static void zc_state_change(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (unlikely(!ctx))
		return;
	ws_event_send(ctx);
	ws_saved_of(ctx)->state_change(sk);
}

static void watch_state(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	if (sk->sk_state_change != ws_saved_of(ctx)->state_change)
		return;
	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_state_change = zc_state_change;
	write_unlock_bh(&sk->sk_callback_lock);
}

/* Start a call with WS_MSG_ZC: fill @zc, for ws_zc_end(). */
void ws_zc_begin(struct ws_ctx *ctx, struct msghdr *msg, size_t len,
		 struct ws_zc *zc)
{
	const struct iov_iter *from = &msg->msg_iter;
	bool asked = msg->msg_flags & MSG_ZEROCOPY;
	struct sock *sk = ctx->sk;

	ws_owned_by_me(ctx);
	memset(zc, 0, sizeof(*zc));
	/* Without SO_ZEROCOPY the flag says nothing, as in TCP. */
	if (asked && (!len || !(msg->msg_ubuf || sock_flag(sk, SOCK_ZEROCOPY))))
		return;

	if (iov_iter_is_bvec(from))
		zc->pages = ws_zc_can_refer(ctx) && pages_ok(from);
	else
		zc->pages = asked && user_backed_iter(from) && ws_zc_can_refer(ctx);
	if (!asked) {
		zc->hold = msg->msg_flags & WS_COMPAT_MSG_NOTLAST;
		return;
	}
	zc->notify = true;
	zc->size = len;
	zc->uarg = msg->msg_ubuf;
	if (zc->uarg)
		net_zcopy_get(zc->uarg);
	if (zc->pages)
		watch_state(ctx);
}

/* The call is over; frames under way have references of their own. */
void ws_zc_end(struct ws_zc *zc)
{
	net_zcopy_put(zc->uarg);
}

/* Add a page of others to the frame, which must have room for it. */
void ws_zc_add_page(struct ws_ctx *ctx, struct page *page, size_t off, u32 len)
{
	struct page *head = compound_head(page);

	off += (page_to_pfn(page) - page_to_pfn(head)) << PAGE_SHIFT;
	if (!ws_tx_add(ctx, head, off, len))
		put_page(page);
}

static int take_pages(struct ws_ctx *ctx, struct iov_iter *from, size_t want)
{
	struct ws_tx *tx = &ctx->tx;
	struct page *pages[WS_ZC_BATCH];

	while (want && tx->nseg < WS_FRAME_SEGS) {
		int i, max = min(WS_ZC_BATCH, WS_FRAME_SEGS - tx->nseg);
		size_t off;
		ssize_t n;

		n = iov_iter_get_pages2(from, pages, want, max, &off);
		if (n <= 0)
			return -EFAULT;
		want -= n;
		for (i = 0; n; i++) {
			size_t len = min_t(size_t, n, PAGE_SIZE - off);

			ws_zc_add_page(ctx, pages[i], off, len);
			n -= len;
			off = 0;
		}
	}
	return 0;
}

/*
 * The next page is about to come, says the flag; but if reading it fails, it
 * does not. Then the timer sends what there is.
 */
static void hold_frame(struct ws_ctx *ctx, const struct ws_hdr *hdr)
{
	struct ws_tx *tx = &ctx->tx;

	tx->held = tx->nseg;
	tx->frame->opcode = hdr->opcode;
	WRITE_ONCE(tx->nseg, 0);
	/* To poll() it may have looked as if the frame were under way. */
	ws_tx_wake(ctx);
	ws_timer_by(ctx, WS_ZC_HOLD);
}

static int build_refs(struct ws_ctx *ctx, struct ws_hdr *hdr, struct iov_iter *from,
		      struct ws_zc *zc)
{
	struct ws_tx *tx = &ctx->tx;
	size_t left = iov_iter_count(from);
	int err;

	err = ws_tx_open(ctx);
	if (!err)
		err = take_pages(ctx, from, hdr->len);
	if (err)
		return err;
	ws_stats_add(ctx, WS_MIB_TX_REFERENCED, left - iov_iter_count(from));
	tx->frame->shared = true;
	if (zc->hold && !hdr->rsv && iov_iter_count(from) == 0)
		hold_frame(ctx, hdr);
	else
		ws_tx_seal(tx, hdr, WS_HDR_MAX);
	return 0;
}

/*
 * ws_tx_build() for a call with WS_MSG_ZC. May leave a frame that is not to be
 * pushed yet, see &ws_tx.held. Return: as ws_tx_build(), or -ENOBUFS when too
 * much memory is locked.
 */
int ws_zc_build(struct ws_ctx *ctx, struct ws_hdr *hdr, struct iov_iter *from,
		struct ws_zc *zc)
{
	struct ubuf_info *last = NULL;
	struct ws_tx *tx = &ctx->tx;
	int err;

	if (zc->pages)
		err = build_refs(ctx, hdr, from, zc);
	else
		err = ws_tx_build(ctx, hdr, from);
	if (!err && zc->notify && !zc->uarg) {
		/*
		 * @last is TCP's to change: needs the socket lock, which kTLS's
		 * callers lack.
		 */
		if (!ctx->tls)
			last = skb_zcopy(tcp_write_queue_tail(ctx->sk));
		zc->uarg = ws_compat_zc_alloc(ctx->sk, zc->size, last);
		if (!zc->uarg)
			err = -ENOBUFS;
	}
	if (err) {
		ws_tx_free(ctx);
		return err;
	}
	if (zc->uarg && zc->pages) {
		net_zcopy_get(zc->uarg);
		tx->frame->uarg = zc->uarg;
	} else if (zc->uarg) {
		ws_compat_zc_copied(zc->uarg);
	}
	return 0;
}
