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
 * All of it needs the socket lock, in any context where nothing else is said;
 * no pointer into the queue outlives it.
 */
#include "ws.h"

/*
 * Where the stream ends for now. A FIN takes a sequence number but is no byte,
 * hence not rcv_nxt. Return: the sequence number after the last byte that is
 * there.
 */
u32 ws_lower_end(const struct ws_ctx *ctx)
{
	const struct sk_buff *skb = skb_peek_tail(&ctx->sk->sk_receive_queue);

	if (ctx->tls)
		return ctx->tls->end;
	if (!skb || before(TCP_SKB_CB(skb)->seq + skb->len,
			   ws_rx_copied(&ctx->rx)))
		return after(ctx->rx.base, ctx->rx.head.seq) ?
			ctx->rx.base : ctx->rx.head.seq;
	return TCP_SKB_CB(skb)->seq + skb->len;
}

/**
 * ws_lower_seek() - start a walk near the end of the queue
 * @ctx: the socket
 * @run: a walk that has not begun
 * @seq: where it will start
 *
 * New bytes are at the tail, so the scanner looks for its place from there.
 */
void ws_lower_seek(const struct ws_ctx *ctx, struct ws_run *run, u32 seq)
{
	const struct sk_buff_head *queue = &ctx->sk->sk_receive_queue;
	struct sk_buff *skb;

	if (ctx->tls)
		return;
	skb_queue_reverse_walk(queue, skb) {
		if (run->skb && !after(TCP_SKB_CB(skb)->seq + skb->len, seq))
			break;
		if (!after(TCP_SKB_CB(skb)->seq, seq))
			run->skb = skb;
	}
}

/*
 * The run of @skb's bytes that has its byte @off: in the linear part, in a
 * page fragment, or the same in one of the buffers that hang off it. @off is
 * made relative to the run.
 */
static bool skb_run(const struct sk_buff *skb, struct ws_run *run, u32 *off)
{
	const struct sk_buff *part;
	u32 size = skb_headlen(skb);
	int i;

	if (!ws_compat_skb_readable(skb))
		return false;
	if (*off < size) {
		run->p = skb->data;
		run->len = size;
		return true;
	}
	*off -= size;
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *frag = &skb_shinfo(skb)->frags[i];

		size = skb_frag_size(frag);
		if (*off < size) {
			run->p = ws_compat_frag_map(frag, off, &size);
			run->len = size;
			run->mapped = IS_ENABLED(CONFIG_HIGHMEM);
			return true;
		}
		*off -= size;
	}
	skb_walk_frags(skb, part) {
		if (*off < part->len)
			return skb_run(part, run, off);
		*off -= part->len;
	}
	return false;
}

static bool queue_run(const struct ws_ctx *ctx, struct ws_run *run, u32 seq)
{
	const struct sk_buff_head *queue = &ctx->sk->sk_receive_queue;
	struct sk_buff *skb = run->skb ?: queue->next;

	skb_queue_walk_from(queue, skb) {
		u32 off = seq - TCP_SKB_CB(skb)->seq;

		if (off >= skb->len)
			continue;
		run->skb = skb;
		if (!skb_run(skb, run, &off))
			return false;
		run->seq = seq - off;
		return true;
	}
	return false;
}

/**
 * ws_lower_run() - bytes of the stream that lie in one piece
 * @ctx: the socket
 * @run: where the last call was, or all zero; never at a later place than
 *	@seq. Valid as long as the lock is held and nothing is consumed;
 *	ends with ws_lower_run_end().
 * @seq: which byte, not before @ctx->rx.head.seq
 * @len: set to how many bytes are there
 *
 * Return: the bytes, never to be written to, or NULL if there are none or
 * they cannot be read.
 */
const u8 *ws_lower_run(const struct ws_ctx *ctx, struct ws_run *run, u32 seq,
		       u32 *len)
{
	const struct ws_rx *rx = &ctx->rx;
	u32 off = seq - run->seq;

	if (off >= run->len) {
		ws_lower_run_end(run);
		run->mapped = false;
		run->len = 0;
		if (before(seq, rx->base)) {
			if (!rx->prefix || rx->base - seq > rx->prefix->len)
				return NULL;
			run->p = rx->prefix->bytes;
			run->seq = rx->base - rx->prefix->len;
			run->len = rx->prefix->len;
		} else if (ctx->tls ? !ws_tls_run(ctx, run, seq) :
				      !queue_run(ctx, run, seq)) {
			return NULL;
		}
		off = seq - run->seq;
	}
	*len = run->len - off;
	return run->p + off;
}

/**
 * ws_lower_front() - the same where all there is lies in one piece
 * @ctx: the socket
 * @seq: which byte, not before @ctx->rx.head.seq
 * @len: set to how many bytes are there; that is the end of the stream for now
 *
 * For machines on which no page needs mapping.
 *
 * Return: as ws_lower_run(), or NULL when that must look.
 */
const u8 *ws_lower_front(const struct ws_ctx *ctx, u32 seq, u32 *len)
{
	const struct sk_buff_head *queue = &ctx->sk->sk_receive_queue;
	const struct sk_buff *skb;
	u32 off, size, head;

	/* With kTLS the queue is not ours to look at, nor is its lock held. */
	if (ctx->tls || ctx->rx.prefix)
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

/**
 * ws_lower_peek() - copy a few bytes of the stream
 * @ctx: the socket
 * @run: as for ws_lower_run()
 * @seq: where
 * @buf: where to
 * @n: how many
 *
 * @run stays where it is, as the next place may lie among them.
 *
 * Return: 0 or -EIO.
 */
int ws_lower_peek(const struct ws_ctx *ctx, struct ws_run *run, u32 seq,
		  u8 *buf, u32 n)
{
	struct ws_run next = *run;
	const u8 *p;
	u32 len;

	next.mapped = false;
	while (n && (p = ws_lower_run(ctx, &next, seq, &len))) {
		len = min(n, len);
		memcpy(buf, p, len);
		buf += len;
		seq += len;
		n -= len;
	}
	ws_lower_run_end(&next);
	return n ? -EIO : 0;
}

/**
 * ws_lower_header() - parse the frame header at a place
 * @ctx: the socket
 * @run: as for ws_lower_run()
 * @seq: where
 * @avail: how many bytes there are
 * @hdr: as for ws_hdr_parse()
 *
 * Return: as ws_hdr_parse(), or -WS_RULE_STREAM.
 */
int ws_lower_header(const struct ws_ctx *ctx, struct ws_run *run, u32 seq,
		    u32 avail, struct ws_hdr *hdr)
{
	u8 buf[WS_HDR_MAX];
	const u8 *p;
	u32 len;

	avail = min_t(u32, avail, WS_HDR_MAX);
	p = ws_lower_run(ctx, run, seq, &len);
	if (!p)
		return -WS_RULE_STREAM;
	if (likely(len >= WS_HDR_MAX))
		memcpy(buf, p, WS_HDR_MAX);
	else if (len >= avail)
		memcpy(buf, p, avail);
	else if (ws_lower_peek(ctx, run, seq, buf, avail))
		return -WS_RULE_STREAM;
	/* Read once: a sender on this machine may still write to the page. */
	barrier_data(buf);
	return ws_hdr_parse(buf, avail, hdr);
}

/**
 * ws_lower_grow() - let the receive buffer hold a frame that was announced
 * @ctx: the socket
 * @len: the whole of it, with what is already here
 *
 * A length costs the peer nothing, so the buffer grows no further than
 * ws_rx_credit().
 *
 * With room for two more segments: the peer might wait for one before it sends
 * the end, see ws_rx_pressed(), and TCP moves the edge of the window by whole
 * segments only, so that up to another one stays unoffered.
 *
 * By TCP's answer to SO_RCVLOWAT, which any application may ask for: up to half
 * of tcp_rmem[2], and not at all when SO_RCVBUF was set.
 */
void ws_lower_grow(struct ws_ctx *ctx, u64 len)
{
	u64 most = min(len, ws_rx_credit(ctx));
	struct sock *sk = ctx->sk;

	if (ctx->tls) {
		ws_tls_grow(ctx, most);
		return;
	}
	/* More than half of the buffer can be what TCP needs beside bytes. */
	if (most <= sk->sk_rcvbuf / 4 ||
	    (sk->sk_userlocks & SOCK_RCVBUF_LOCK) ||
	    !ws_below(ctx)->ops->set_rcvlowat)
		return;
	most += 2 * tcp_sk(sk)->advmss;
	/* It calls sk_data_ready, from which we may have come. */
	ctx->rx.growing = true;
	ws_below(ctx)->ops->set_rcvlowat(sk, min_t(u64, most, INT_MAX / 2));
	ctx->rx.growing = false;
	WRITE_ONCE(sk->sk_rcvlowat, 1);
}

/* Free the bytes before those in the queue. */
void ws_lower_drop_prefix(struct ws_ctx *ctx)
{
	struct ws_prefix *prefix = ctx->rx.prefix;

	ctx->rx.prefix = NULL;
	if (prefix && prefix->stash)
		sock_kfree_s(ctx->sk, prefix,
			     struct_size(prefix, bytes, prefix->len));
	else
		kfree(prefix);
}

/* What TCP has of the stream between @from and @seq goes back to it. */
static __always_inline void give_back(struct ws_ctx *ctx, u32 from, u32 seq)
{
	struct tcp_sock *tp = tcp_sk(ctx->sk);
	struct ws_rx *rx = &ctx->rx;

	if (before(from, rx->base))
		from = rx->base;
	if (!after(seq, from))
		return;
	rx->base = seq;
	if (ctx->tls) {
		ws_tls_consume(ctx, seq);
		return;
	}
	tcp_read_done(ctx->sk, seq - from);
	rx->fin_read = tp->copied_seq != seq;
	/* TCP itself does this in tcp_recvmsg(), which never runs here. */
	if (unlikely(tp->urg_data) && after(tp->copied_seq, tp->urg_seq)) {
		WRITE_ONCE(tp->urg_data, 0);
		tcp_fast_path_check(ctx->sk);
	}
}

/**
 * ws_lower_consume() - give bytes back to TCP
 * @ctx: the socket
 * @to: all before this is done with; becomes @ctx->rx.head
 *
 * Frees buffers and may send a window update.
 */
void ws_lower_consume(struct ws_ctx *ctx, const struct ws_cursor *to)
{
	struct ws_rx *rx = &ctx->rx;
	u32 from = rx->head.seq;

	rx->consumed += to->seq - from;
	rx->head = *to;
	if (rx->prefix && !before(to->seq, rx->base))
		ws_lower_drop_prefix(ctx);
	give_back(ctx, from, to->seq);
}

/**
 * ws_lower_stash() - take all that is unread out of TCP's buffers
 * @ctx: the socket
 * @end: ws_lower_end()
 *
 * TCP appends what arrives to the last buffer of its queue, even when all but
 * a few bytes of that have been consumed. With every arrival ending inside a
 * frame no buffer would ever be free, and the window shut with next to nothing
 * unread. So the few bytes become the prefix, charged to the socket's option
 * memory.
 *
 * Return: 0, -ENOMEM, or -EIO as for ws_lower_peek().
 */
int ws_lower_stash(struct ws_ctx *ctx, u32 end)
{
	struct ws_rx *rx = &ctx->rx;
	u32 from = rx->head.seq, len = end - from;
	struct ws_run run = {};
	struct ws_prefix *prefix;
	int err;

	prefix = sock_kmalloc(ctx->sk, struct_size(prefix, bytes, len),
			      GFP_ATOMIC | __GFP_NOWARN);
	if (!prefix) {
		ws_stats_inc(ctx, WS_MIB_NO_MEMORY);
		return -ENOMEM;
	}
	err = ws_lower_peek(ctx, &run, from, prefix->bytes, len);
	if (err) {
		sock_kfree_s(ctx->sk, prefix, struct_size(prefix, bytes, len));
		return err;
	}

	ws_lower_drop_prefix(ctx);
	prefix->len = len;
	prefix->stash = true;
	rx->prefix = prefix;
	give_back(ctx, from, end);
	return 0;
}

/*
 * End TCP's sending direction, as inet_shutdown() does for SHUT_WR. On kTLS
 * process context.
 */
void ws_lower_fin(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	if (ctx->tls)
		lock_sock(sk);
	if (sk->sk_state != TCP_CLOSE) {
		WRITE_ONCE(sk->sk_shutdown, sk->sk_shutdown | SEND_SHUTDOWN);
		ws_below(ctx)->prot->shutdown(sk, SEND_SHUTDOWN);
		sk->sk_state_change(sk);
	}
	if (ctx->tls)
		release_sock(sk);
}

static void report_later(struct sock *sk)
{
}

/**
 * ws_lower_abort() - end TCP by RST, with an error for the program
 * @ctx: the socket
 * @err: the error, positive
 *
 * What sock_diag asks TCP for would take the socket lock again, and sleep for
 * it. disconnect() is the form for callers that have it: it ends the connection
 * in the same way, but also forgets what has come, which the program can still
 * read. On kTLS, which has no disconnect(), process context.
 */
void ws_lower_abort(struct ws_ctx *ctx, int err)
{
	void (*report)(struct sock *sk) = ctx->sk->sk_error_report;
	struct proto *prot = ws_below(ctx)->prot;
	struct tcp_sock *tp = tcp_sk(ctx->sk);
	u32 copied = tp->copied_seq;
	struct sk_buff_head unread;
	struct sock *sk = ctx->sk;
	int refused;

	if (ctx->tls) {
		prot->diag_destroy(sk, err);
		return;
	}
	__skb_queue_head_init(&unread);
	skb_queue_splice_init(&sk->sk_receive_queue, &unread);
	sk->sk_error_report = report_later;
	refused = prot->disconnect(sk, 0);
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
