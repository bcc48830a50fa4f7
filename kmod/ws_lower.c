// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lies below: TCP's receive queue, and in front of it a prefix of bytes
 * that are in our hands already (those of WS_RX_PREFIX, or what was stashed),
 * as one stream that is addressed by TCP sequence number. The prefix has the
 * numbers just before the queue's.
 *
 * The queue can hold buffers that overlap, and a peer chooses what their
 * bytes are: every walk takes a byte from the first buffer that has it, as
 * tcp_recvmsg() does, so that all walks see the same. Pages can still be
 * shared with a sender on this machine that writes to them: who reads twice
 * must not trust the second reading to equal the first.
 *
 * All of it needs the socket lock; no pointer into the queue outlives it.
 */
#include <linux/highmem.h>

#include "ws.h"

/**
 * ws_lower_end() - where the stream ends for now
 * @ctx: the socket
 *
 * A FIN takes a sequence number but is no byte, hence not rcv_nxt.
 *
 * Return: the sequence number after the last byte that is there.
 */
u32 ws_lower_end(const struct ws_ctx *ctx)
{
	const struct sk_buff *skb = skb_peek_tail(&ctx->sk->sk_receive_queue);

	if (!skb || before(TCP_SKB_CB(skb)->seq + skb->len, ctx->rx.copied))
		return after(ctx->rx.base, ctx->rx.head.seq) ?
			ctx->rx.base : ctx->rx.head.seq;
	return TCP_SKB_CB(skb)->seq + skb->len;
}

static struct sk_buff *queue_next(const struct sock *sk, struct sk_buff *skb)
{
	return skb_queue_is_last(&sk->sk_receive_queue, skb) ?
		NULL : skb_queue_next(&sk->sk_receive_queue, skb);
}

/**
 * ws_lower_hint() - a place to start a walk near the end of the queue
 * @ctx: the socket
 * @seq: where the walk will start
 *
 * New bytes are at the tail, so the scanner looks for its place from there.
 *
 * Return: a buffer at or before the one that has @seq, or NULL.
 */
struct sk_buff *ws_lower_hint(const struct ws_ctx *ctx, u32 seq)
{
	const struct sk_buff_head *queue = &ctx->sk->sk_receive_queue;
	struct sk_buff *skb, *found = NULL;

	skb_queue_reverse_walk(queue, skb) {
		if (found && !after(TCP_SKB_CB(skb)->seq + skb->len, seq))
			break;
		if (!after(TCP_SKB_CB(skb)->seq, seq))
			found = skb;
	}
	return found;
}

static int page_walk(struct page *page, u32 off, u32 n, ws_actor_t actor,
		     void *arg)
{
	int err = 0;

	while (n && !err) {
		u32 part = min_t(u32, n, PAGE_SIZE - off);
		void *p = kmap_local_page(page);

		err = actor(arg, p + off, part);
		kunmap_local(p);
		n -= part;
		page++;
		off = 0;
	}
	return err;
}

/* Pages of low memory need no mapping: a whole fragment at a time. */
static int frag_walk(const skb_frag_t *frag, u32 off, u32 n, ws_actor_t actor,
		     void *arg)
{
	off += skb_frag_off(frag);
	if (IS_ENABLED(CONFIG_HIGHMEM))
		return page_walk(skb_frag_page(frag) + (off >> PAGE_SHIFT),
				 offset_in_page(off), n, actor, arg);
	return actor(arg, page_address(skb_frag_page(frag)) + off, n);
}

/* Like skb_copy_bits() for an actor that may sleep on user memory. */
static int skb_walk(const struct sk_buff *skb, u32 off, u32 n,
		    ws_actor_t actor, void *arg)
{
	const struct sk_buff *part;
	u32 size = skb_headlen(skb);
	int i, err;

	if (!ws_compat_skb_readable(skb))
		return -EIO;
	for (i = 0; n; i++) {
		const skb_frag_t *frag = NULL;

		if (i) {
			if (i > skb_shinfo(skb)->nr_frags)
				break;
			frag = &skb_shinfo(skb)->frags[i - 1];
			size = skb_frag_size(frag);
		}
		if (off < size) {
			u32 len = min(n, size - off);

			err = frag ? frag_walk(frag, off, len, actor, arg) :
				     actor(arg, skb->data + off, len);
			if (err)
				return err;
			n -= len;
			off = 0;
		} else {
			off -= size;
		}
	}

	skb_walk_frags(skb, part) {
		if (!n)
			break;
		if (off < part->len) {
			u32 len = min(n, part->len - off);

			err = skb_walk(part, off, len, actor, arg);
			if (err)
				return err;
			n -= len;
			off = 0;
		} else {
			off -= part->len;
		}
	}
	return n ? -EIO : 0;
}

/**
 * ws_lower_walk() - show a stretch of the stream to a function
 * @ctx: the socket
 * @hint: a buffer at or before the place, or NULL for the queue's first; left
 *	at the one that has @seq, as the next walk may start anywhere behind
 *	it. Valid as long as the lock is held and nothing is consumed.
 * @seq: where to start, not before @ctx->rx.head.seq
 * @n: bytes
 * @actor: called with each run of bytes in turn; ends the walk with an error
 * @arg: for @actor
 *
 * Sleeps if @actor does.
 *
 * Return: 0, what @actor returned, or -EIO when the bytes are not there or
 * cannot be read.
 */
int ws_lower_walk(const struct ws_ctx *ctx, struct sk_buff **hint, u32 seq,
		  u32 n, ws_actor_t actor, void *arg)
{
	const struct ws_rx *rx = &ctx->rx;
	struct sk_buff *skb = *hint;
	bool first = true;
	int err;

	if (n && before(seq, rx->base)) {
		u32 part = min(n, rx->base - seq);

		if (rx->base - seq > rx->prefix_len)
			return -EIO;
		err = actor(arg, rx->prefix + rx->prefix_len -
				 (rx->base - seq), part);
		if (err)
			return err;
		seq += part;
		n -= part;
	}

	if (n && !skb)
		skb = skb_peek(&ctx->sk->sk_receive_queue);
	while (n && skb) {
		u32 off = seq - TCP_SKB_CB(skb)->seq;

		if (off < skb->len) {
			u32 part = min(n, skb->len - off);

			if (first)
				*hint = skb;
			first = false;
			err = skb_walk(skb, off, part, actor, arg);
			if (err)
				return err;
			seq += part;
			n -= part;
			if (!n)
				break;
		}
		skb = queue_next(ctx->sk, skb);
	}
	return n ? -EIO : 0;
}

static int peek_actor(void *arg, const u8 *p, u32 n)
{
	u8 **to = arg;

	memcpy(*to, p, n);
	*to += n;
	return 0;
}

/**
 * ws_lower_peek() - copy a few bytes of the stream
 * @ctx: the socket
 * @hint: as for ws_lower_walk()
 * @seq: where
 * @buf: where to
 * @n: how many
 *
 * Any context that has the socket lock.
 *
 * Return: 0 or -EIO.
 */
int ws_lower_peek(const struct ws_ctx *ctx, struct sk_buff **hint, u32 seq,
		  u8 *buf, u32 n)
{
	return ws_lower_walk(ctx, hint, seq, n, peek_actor, &buf);
}

static void read_done(struct ws_ctx *ctx, u32 len)
{
	struct tcp_sock *tp = tcp_sk(ctx->sk);

	tcp_read_done(ctx->sk, len);
	ctx->rx.copied = tp->copied_seq;
	/* Nobody else takes note that an urgent byte has been read. */
	if (unlikely(tp->urg_data) && after(tp->copied_seq, tp->urg_seq)) {
		WRITE_ONCE(tp->urg_data, 0);
		tcp_fast_path_check(ctx->sk);
	}
}

/**
 * ws_lower_grow() - let the receive buffer hold a frame that was announced
 * @ctx: the socket
 * @len: what is still to come of it
 *
 * By TCP's answer to SO_RCVLOWAT, which any application may ask for: up to
 * half of tcp_rmem[2], and not at all when SO_RCVBUF was set. Memory is used
 * only for bytes that the peer really sends. Any context that has the socket
 * lock.
 */
void ws_lower_grow(struct ws_ctx *ctx, u64 len)
{
	struct sock *sk = ctx->sk;

	if (len <= ctx->rx.grown)
		return;
	ctx->rx.grown = min_t(u64, len, U32_MAX);
	if (!ctx->slot->lower_ops->set_rcvlowat ||
	    (sk->sk_userlocks & SOCK_RCVBUF_LOCK))
		return;
	/* It calls sk_data_ready, from which we may have come. */
	ctx->rx.growing = true;
	ctx->slot->lower_ops->set_rcvlowat(sk, min_t(u64, len, INT_MAX / 2));
	ctx->rx.growing = false;
	WRITE_ONCE(sk->sk_rcvlowat, 1);
}

/**
 * ws_lower_consume() - give bytes back to TCP
 * @ctx: the socket
 * @seq: all before this is done with, from @ctx->rx.head.seq on
 *
 * Frees buffers and may send a window update. Any context that has the
 * socket lock. The caller sets @ctx->rx.head.seq.
 */
void ws_lower_consume(struct ws_ctx *ctx, u32 seq)
{
	struct ws_rx *rx = &ctx->rx;
	u32 from = rx->head.seq;

	rx->consumed += seq - from;
	if (rx->prefix && !before(seq, rx->base)) {
		kfree(rx->prefix);
		rx->prefix = NULL;
		rx->prefix_len = 0;
	}
	if (before(from, rx->base))
		from = rx->base;
	if (!after(seq, from))
		return;
	rx->base = seq;
	read_done(ctx, seq - from);
}

/**
 * ws_lower_stash() - take all that is unread out of TCP's buffers
 * @ctx: the socket
 * @end: ws_lower_end()
 *
 * TCP appends what arrives to the last buffer of its queue, even when all but
 * a few bytes of that have been consumed. With every arrival ending inside a
 * frame no buffer would ever be free, and the window shut with next to nothing
 * unread. So the few bytes become the prefix. Any context that has the socket
 * lock.
 *
 * Return: 0, -ENOMEM, or -EIO as for ws_lower_walk().
 */
int ws_lower_stash(struct ws_ctx *ctx, u32 end)
{
	struct ws_rx *rx = &ctx->rx;
	u32 from = rx->head.seq, len = end - from;
	struct sk_buff *hint = NULL;
	u8 *bytes;
	int err;

	bytes = kmalloc(len, GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!bytes) {
		ws_stats_inc(ctx->sk, WS_MIB_NO_MEMORY);
		return -ENOMEM;
	}
	err = ws_lower_peek(ctx, &hint, from, bytes, len);
	if (err) {
		kfree(bytes);
		return err;
	}

	kfree(rx->prefix);
	rx->prefix = bytes;
	rx->prefix_len = len;
	if (before(from, rx->base))
		from = rx->base;
	rx->base = end;
	read_done(ctx, end - from);
	return 0;
}

/**
 * ws_lower_fin() - end TCP's sending direction
 * @ctx: the socket
 *
 * What inet_shutdown() does for SHUT_WR. Process context, socket lock.
 */
void ws_lower_fin(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	if (sk->sk_state == TCP_CLOSE)
		return;
	WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | SEND_SHUTDOWN);
	ctx->slot->lower_prot->shutdown(sk, SEND_SHUTDOWN);
	sk->sk_state_change(sk);
}
