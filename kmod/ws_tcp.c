// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP as the transport. The queue can hold buffers that overlap, and a peer
 * chooses what their bytes are: every walk takes a byte from the first buffer
 * that has it, as tcp_recvmsg() does, so that all walks see the same.
 *
 * All of it needs the socket lock, in any context where nothing else is said.
 */
#include "compat/compat.h"
#include "ws_tcp.h"

/*
 * The end of the stream for now. A FIN takes a sequence number but is no byte,
 * hence not rcv_nxt. Return: the sequence number after the last byte queued.
 */
u32 ws_tcp_end(const struct ws_ctx *ctx)
{
	const struct sk_buff *skb = skb_peek_tail(&ctx->sk->sk_receive_queue);

	/* No buffer, or only one that was read, with FIN. */
	if (!skb || before(TCP_SKB_CB(skb)->seq + skb->len,
			   ws_tcp_copied(&ctx->rx)))
		return after(ctx->rx.base, ctx->rx.head.seq) ?
			ctx->rx.base : ctx->rx.head.seq;
	return TCP_SKB_CB(skb)->seq + skb->len;
}

/* Start a walk near the tail, where the bytes are that were not scanned yet. */
void ws_tcp_seek(const struct ws_ctx *ctx, struct ws_span *span, u32 seq)
{
	const struct sk_buff_head *queue = &ctx->sk->sk_receive_queue;
	struct sk_buff *skb;

	skb_queue_reverse_walk(queue, skb) {
		if (span->skb && !after(TCP_SKB_CB(skb)->seq + skb->len, seq))
			break;
		if (!after(TCP_SKB_CB(skb)->seq, seq))
			span->skb = skb;
	}
}

/*
 * The span of @skb's bytes that has its byte @off: in the linear part, in a
 * page fragment, or the same in one of the buffers that hang off it. @off is
 * made relative to the span.
 */
static bool skb_span(const struct sk_buff *skb, struct ws_span *span, u32 *off)
{
	const struct sk_buff *part;
	u32 size = skb_headlen(skb);
	int i;

	if (!ws_compat_skb_readable(skb))
		return false;
	if (*off < size) {
		span->p = skb->data;
		span->len = size;
		return true;
	}
	*off -= size;
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		size = skb_frag_size(frag);
		if (*off < size) {
			span->p = ws_compat_frag_map(frag, off, &size);
			span->len = size;
			span->mapped = IS_ENABLED(CONFIG_HIGHMEM);
			return true;
		}
		*off -= size;
	}
	skb_walk_frags(skb, part) {
		if (*off < part->len)
			return skb_span(part, span, off);
		*off -= part->len;
	}
	return false;
}

/*
 * ws_stream_span() for bytes of the queue. Return: false if @seq is not there.
 */
bool ws_tcp_span(const struct ws_ctx *ctx, struct ws_span *span, u32 seq)
{
	const struct sk_buff_head *queue = &ctx->sk->sk_receive_queue;
	struct sk_buff *skb = span->skb ?: queue->next;

	skb_queue_walk_from(queue, skb) {
		u32 off = seq - TCP_SKB_CB(skb)->seq;

		if (off >= skb->len)
			continue;
		span->skb = skb;
		if (!skb_span(skb, span, &off))
			return false;
		span->seq = seq - off;
		return true;
	}
	return false;
}

/*
 * The bytes from @seq to the end of the stream, if they lie in one piece; @len
 * is how many. For machines on which no page needs mapping. Return: as
 * ws_stream_span(), or NULL when that must search.
 */
const u8 *ws_tcp_front(const struct ws_ctx *ctx, u32 seq, u32 *len)
{
	const struct sk_buff_head *queue = &ctx->sk->sk_receive_queue;
	const struct sk_buff *skb;
	u32 off, size, head;

	if (ctx->rx.prefix)
		return NULL;
	skb = skb_peek(queue);
	if (!skb || !skb_queue_is_last(queue, skb) ||
	    !ws_compat_skb_readable(skb))
		return NULL;
	size = skb->len;
	off = seq - TCP_SKB_CB(skb)->seq;
	if (off >= size)
		return NULL;
	*len = size - off;
	head = size - skb->data_len;
	if (head == size)
		return skb->data + off;
	if (off < head || skb_shinfo(skb)->nr_frags != 1 ||
	    size - head != skb_frag_size(skb_shinfo(skb)->frags))
		return NULL;
	return (const u8 *)skb_frag_address(skb_shinfo(skb)->frags) + off - head;
}

/* Return: false after a foreign reader; go on where it stopped. */
bool ws_tcp_check(struct ws_ctx *ctx)
{
	if (likely(ws_tcp_is_intact(ctx)))
		return true;
	ctx->rx.base = tcp_sk(ctx->sk)->copied_seq;
	ctx->rx.fin_read = false;
	return false;
}

/*
 * Make room for a frame of @len bytes that was announced. A length costs the
 * peer nothing, so the receive buffer grows no further than ws_rx_credit().
 *
 * With room for two more segments: the peer might wait for one before it sends
 * the end, see ws_tcp_window_small(), and TCP moves the edge of the window by
 * whole segments only, so that up to another one stays unoffered.
 *
 * By TCP's answer to SO_RCVLOWAT, which any application may ask for: up to half
 * of tcp_rmem[2], and not at all when SO_RCVBUF was set.
 */
void ws_tcp_grow(struct ws_ctx *ctx, u64 len)
{
	int (*set_rcvlowat)(struct sock *sk, int val) =
		ws_saved_of(ctx)->ops->set_rcvlowat;
	u64 most = min(len, ws_rx_credit(ctx));
	struct sock *sk = ctx->sk;

	/* More than half of the buffer can be what TCP needs beside bytes. */
	if (most <= sk->sk_rcvbuf / 4 ||
	    (sk->sk_userlocks & SOCK_RCVBUF_LOCK) || !set_rcvlowat)
		return;
	most += 2 * tcp_sk(sk)->advmss;
	/* It calls sk_data_ready, from which we may have come. */
	ctx->rx.growing = true;
	set_rcvlowat(sk, min_t(u64, most, INT_MAX / 2));
	ctx->rx.growing = false;
	WRITE_ONCE(sk->sk_rcvlowat, 1);
}

/*
 * A peer waits until it can send a full segment, or half of the largest window
 * it has been offered (RFC 9293 section 3.8.6.2.1); the timer that would break
 * the tie starts anew with every ACK. The window that the next ACK offers is
 * the one it has unless a full segment can be added (section 3.8.6.2.2).
 */
bool ws_tcp_window_small(const struct ws_ctx *ctx)
{
	const struct sock *sk = ctx->sk;
	const struct tcp_sock *tp = tcp_sk(sk);
	int rcvbuf = READ_ONCE(sk->sk_rcvbuf);
	u32 window, space;

	if (atomic_read(&sk->sk_rmem_alloc) > rcvbuf - (rcvbuf >> 3))
		return true;
	window = tcp_receive_window(tp);
	space = max(tcp_space(sk), 0);
	if (window + inet_csk(sk)->icsk_ack.rcv_mss <= space)
		window = max(window, min(space, tp->rcv_ssthresh));
	return window < min_t(u32, tp->advmss, tp->rcv_ssthresh / 2);
}

/*
 * Must an incomplete message be given to the reader? See ws_below_pressed().
 * Without the lock the answer is a hint.
 */
bool ws_tcp_pressed(const struct ws_ctx *ctx)
{
	/*
	 * A program that has chosen a size for its receive buffer has it used.
	 */
	return (READ_ONCE(ctx->rx.payload) > ws_rx_credit(ctx) &&
		!(ctx->sk->sk_userlocks & SOCK_RCVBUF_LOCK)) ||
	       ws_tcp_window_small(ctx);
}

/*
 * Lockless hint for poll(): is a frame or a sender in the way? While the socket
 * is owned the answer is yes: the owner may be a sender whose call is about to
 * end, and sends no wake-up then, so it is asked to check again when it
 * releases the lock. Never waits for the owner.
 */
bool ws_tcp_tx_blocked(struct ws_ctx *ctx)
{
	struct ws_tx *tx = &ctx->tx;
	struct sock *sk = ctx->sk;
	bool blocked;

	spin_lock_bh(&sk->sk_lock.slock);
	blocked = READ_ONCE(tx->nseg) || READ_ONCE(tx->busy);
	if (blocked && sock_owned_by_user_nocheck(sk)) {
		WRITE_ONCE(tx->polled, true);
		WRITE_ONCE(ctx->rx.run_due, true);
	}
	spin_unlock_bh(&sk->sk_lock.slock);
	return blocked;
}

/*
 * Hand TCP what can go in one call of the frame under way. Return: bytes taken,
 * or a negated errno.
 */
int ws_tcp_send(struct ws_ctx *ctx, bool more)
{
	struct ws_tx *tx = &ctx->tx;
	struct bio_vec *bv = &ws_tx_segs(tx)[tx->cur];
	struct ubuf_info *uarg = ws_tx_uarg(tx);
	unsigned int n = tx->nseg - tx->cur;
	size_t len = ws_tx_left(tx);

	/* The completion is about the payload: the header's page is our own. */
	if (unlikely(uarg) && !tx->cur)
		return ws_compat_tcp_send_pages(ctx->sk, bv, 1, bv->bv_len,
						true, false);
	if (unlikely(uarg))
		return ws_compat_tcp_send_zc(ctx->sk, bv, n, len, more, uarg);
	return ws_compat_tcp_send_pages(ctx->sk, bv, n, len, more,
					tx->large && tx->frame->shared);
}

/* End TCP's sending direction, as inet_shutdown() does for SHUT_WR. */
void ws_tcp_fin(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	if (sk->sk_state == TCP_CLOSE)
		return;
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | SEND_SHUTDOWN);
	ws_saved_of(ctx)->prot->shutdown(sk, SEND_SHUTDOWN);
	sk->sk_state_change(sk);
}

static void ignore_report(struct sock *sk)
{
}

/*
 * End TCP by RST; the program gets @err, positive. diag_destroy() would take
 * the socket lock again, and sleep for it. disconnect() is for callers that
 * have it: it ends the connection in the same way, but also purges the receive
 * queue, which the program can still read.
 */
void ws_tcp_abort(struct ws_ctx *ctx, int err)
{
	void (*report)(struct sock *sk) = ctx->sk->sk_error_report;
	struct tcp_sock *tp = tcp_sk(ctx->sk);
	u32 copied = tp->copied_seq;
	struct sk_buff_head unread;
	struct sock *sk = ctx->sk;
	int refused;

	__skb_queue_head_init(&unread);
	skb_queue_splice_init(&sk->sk_receive_queue, &unread);
	sk->sk_error_report = ignore_report;
	refused = ws_saved_of(ctx)->prot->disconnect(sk, 0);
	sk->sk_error_report = report;
	skb_queue_splice_init(&unread, &sk->sk_receive_queue);
	/* A call that began before the attach still waits; close() resets. */
	if (refused)
		ctx->tx.cut = true;
	WRITE_ONCE(tp->copied_seq, copied);
	WRITE_ONCE(sk->sk_shutdown, SHUTDOWN_MASK);
	WRITE_ONCE(sk->sk_err, err);
	sk_error_report(sk);
}
