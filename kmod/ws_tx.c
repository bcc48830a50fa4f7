// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames on their way out. Each is handed to TCP when it is complete, as
 * references to its pages; what TCP does not take at once waits here, and goes
 * before anything else. All of it with the socket lock.
 */
#include "ws.h"

/*
 * Charge to the socket what TCP has not taken of the frame under way: TCP counts
 * bytes as its own only when it takes them. The frame cannot be given up any
 * more, so the charge is forced, as TCP does it for a socket whose send buffer
 * is full; the next send waits. Without the charge sk_forward_alloc must not be
 * lowered, as TCP relies on its sign.
 */
static void charge(struct ws_ctx *ctx)
{
	u32 len = ws_tx_left(&ctx->tx);
	struct sock *sk = ctx->sk;
	u8 locks;
	int size;

	if (ctx->tx.charged)
		return;
	if (ctx->tls)
		lock_sock(sk);
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
	if (ctx->tls)
		release_sock(sk);
}

static void uncharge(struct ws_ctx *ctx, u32 len)
{
	struct sock *sk = ctx->sk;

	if (ctx->tls)
		lock_sock(sk);
	sk_mem_uncharge(sk, len);
	if (ctx->tls)
		release_sock(sk);
}

/*
 * Forget the frame that is being built or under way. Also what is left to do
 * when TCP has taken all of it.
 */
void ws_tx_free(struct ws_ctx *ctx)
{
	struct ws_tx *tx = &ctx->tx;

	if (unlikely(tx->charged))
		uncharge(ctx, ws_tx_left(tx));
	tx->charged = false;
	if (unlikely(tx->gather)) {
		tx->nseg = tx->gather;
		tx->gather = 0;
	}
	while (ws_tx_pending(tx))
		put_page(ws_tx_runs(tx)[tx->cur++].bv_page);
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

/* Is it to be tried again? */
static bool is_full(int n)
{
	return n == -EAGAIN || n == -ENOMEM || n == -ENOBUFS || !n;
}

/* Hand TCP what can go in one call. Return: bytes, or a negated errno. */
static int send_runs(struct ws_ctx *ctx, bool more)
{
	struct ws_tx *tx = &ctx->tx;
	struct bio_vec *bv = &ws_tx_runs(tx)[tx->cur];
	struct ubuf_info *uarg = ws_tx_uarg(tx);
	unsigned int n = tx->nseg - tx->cur;
	size_t len = ws_tx_left(tx);

	if (ctx->tls)
		return ws_tls_send(ctx);
	/* Nobody waits for the header's page. */
	if (unlikely(uarg) && !tx->cur)
		return ws_compat_tcp_send_pages(ctx->sk, bv, 1, bv->bv_len,
						true, false);
	if (unlikely(uarg))
		return ws_compat_tcp_send_zc(ctx->sk, bv, n, len, more,
					     uarg);
	return ws_compat_tcp_send_pages(ctx->sk, bv, n, len, more,
					tx->large && tx->frame->shared);
}

static void runs_taken(struct ws_tx *tx, size_t len)
{
	while (len) {
		struct bio_vec *bv = &ws_tx_runs(tx)[tx->cur];
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

/**
 * ws_tx_push() - hand the frame under way to TCP
 * @ctx: the socket
 * @more: another frame follows at once
 *
 * Does not wait for room in the send buffer.
 *
 * Return: 0 when no frame is under way any more, -EAGAIN when TCP takes no
 * more for now, or the error of a dead connection; the frame is then gone.
 */
int ws_tx_push(struct ws_ctx *ctx, bool more)
{
	struct ws_tx *tx = &ctx->tx;

	ws_owned_by_me(ctx);
	if (unlikely(tx->gather))
		ws_zc_seal(ctx, false);
	if (ws_tx_pending(tx) && !ws_tx_takes_bytes(ctx->sk)) {
		/* An error that ends nothing must not cut a frame short. */
		if (tx->cut && ws_tx_is_open(ctx->sk))
			return -EAGAIN;
		ws_tx_free(ctx);
		return -EPIPE;
	}
	while (ws_tx_pending(tx)) {
		int n;

		tx->sending = true;
		n = send_runs(ctx, more);
		tx->sending = false;
		if (is_full(n)) {
			charge(ctx);
			return -EAGAIN;
		}
		if (n < 0) {
			ws_tx_free(ctx);
			return n;
		}
		tx->cut = true;
		if (unlikely(tx->charged))
			uncharge(ctx, n);
		runs_taken(tx, n);
	}
	ws_tx_free(ctx);
	if (ctx->tls)
		ws_tls_sent(ctx);
	return 0;
}

/**
 * ws_tx_send_run() - send frames that lie in one piece, as they are built
 * @ctx: the socket; no frame may be under way
 * @pfrag: they are at its offset, which is moved on
 * @len: bytes
 * @more: another frame follows at once
 *
 * Return: as ws_tx_push().
 */
int ws_tx_send_run(struct ws_ctx *ctx, struct page_frag *pfrag, u32 len,
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
	/* TCP takes bytes: ws_send_wait() found so, with the same lock. */
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
	u32 end = tcp_sk(ctx->sk)->write_seq;

	/* What TLS makes of it is known when it is out. */
	if (ctx->tls) {
		ctx->tls->mark = true;
		return end + WS_FRAME_MAX;
	}
	return end + ws_tx_left(&ctx->tx);
}
