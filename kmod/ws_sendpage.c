// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kernels on which splice() and sendfile() bring page after page, one per call.
 */
#include "ws_event.h"
#include "ws_send.h"
#include "ws_stats.h"

/* Does a page fit behind those that are held? Nothing else may come first. */
static bool may_grow(const struct ws_ctx *ctx)
{
	const struct ws_tx *tx = &ctx->tx;
	const struct sock *sk = ctx->sk;

	return tx->held && tx->held < WS_FRAME_SEGS && !tx->busy &&
	       tx->close == WS_CLOSE_NONE && !sk->sk_err &&
	       !(sk->sk_shutdown & SEND_SHUTDOWN);
}

static void grow_held(struct ws_ctx *ctx, struct page *page, int offset,
		      size_t size, int flags)
{
	bool more = flags & (MSG_MORE | MSG_SENDPAGE_NOTLAST);
	struct ws_tx *tx = &ctx->tx;

	get_page(page);
	WRITE_ONCE(tx->nseg, tx->held);
	ws_zc_add_page(ctx, page, offset, size);
	tx->held = tx->nseg;
	WRITE_ONCE(tx->nseg, 0);
	ctx->info.tx_bytes += size;
	ws_stats_add(ctx, WS_MIB_TX_BYTES, size);
	ws_stats_add(ctx, WS_MIB_TX_REFERENCED, size);
	if ((flags & MSG_SENDPAGE_NOTLAST) && tx->held < WS_FRAME_SEGS)
		return;

	ws_tx_seal_held(ctx, !more);
	if (!more) {
		tx->open = 0;
		ctx->info.tx_messages++;
		ws_stats_inc(ctx, WS_MIB_TX_MESSAGES);
	}
	/*
	 * If TCP has no room, the next call waits for it, and for this frame.
	 */
	ws_tx_push(ctx, more);
	ws_event_send(ctx);
}

/*
 * proto.sendpage of an attached socket. splice() brings one page per call: a
 * frame grows while @flags have MSG_SENDPAGE_NOTLAST, up to WS_FRAME_SEGS
 * segments. Any other send ends it, see ws_tx_push(). May sleep; takes the lock
 * of the context. Return: as ws_sendmsg().
 */
int ws_sendpage(struct sock *sk, struct page *page, int offset, size_t size,
		int flags)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);
	struct bio_vec bv = {
		.bv_page = page,
		.bv_offset = offset,
		.bv_len = size,
	};
	struct msghdr msg = { .msg_flags = flags | WS_COMPAT_MSG_PAGES };
	bool grown = false;

	if (unlikely(!ctx))
		return -EBADFD;
	ws_lock(ctx);
	if (!ws_zc_can_refer(ctx) || !sendpage_ok(page)) {
		ws_unlock(ctx);
		return sock_no_sendpage(sk->sk_socket, page, offset, size,
					flags);
	}
	if (may_grow(ctx)) {
		grow_held(ctx, page, offset, size, flags);
		grown = true;
	}
	ws_unlock(ctx);
	if (grown)
		return size;
	iov_iter_bvec(&msg.msg_iter, WRITE, &bv, 1, size);
	return ws_sendmsg(sk, &msg, size);
}
