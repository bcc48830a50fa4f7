// SPDX-License-Identifier: GPL-2.0-only
/*
 * The received stream: TCP's queue or kTLS's buffers, and in front of them a
 * prefix of bytes that are in our hands already (those of WS_RX_PREFIX, or what
 * was stashed). Bytes are addressed by sequence number; the prefix has the
 * numbers just before the transport's.
 *
 * Pages can still be shared with a sender on this machine that writes to them:
 * a second reading of the same bytes may not be trusted to equal the first.
 *
 * All of it needs the lock of the context, in any context where nothing else is
 * said; no pointer into the stream outlives it.
 */
#include "ws_stats.h"
#include "ws_stream.h"

/*
 * Unread bytes that are stashed rather than left in TCP's buffers: a page, with
 * struct ws_prefix.
 */
#define STASH_MAX	4092

/**
 * ws_stream_span() - bytes of the stream that lie in one piece
 * @ctx: the socket
 * @span: where the last call was, or all zero; never at a later place than
 *	@seq. Valid as long as the lock is held and nothing is consumed;
 *	ends with ws_span_end().
 * @seq: which byte, not before @ctx->rx.head.seq
 * @len: set to how many bytes are there
 *
 * Return: the bytes, never to be written to, or NULL if there are none or
 * they cannot be read.
 */
const u8 *ws_stream_span(const struct ws_ctx *ctx, struct ws_span *span, u32 seq,
			 u32 *len)
{
	const struct ws_rx *rx = &ctx->rx;
	u32 off = seq - span->seq;

	if (off >= span->len) {
		ws_span_end(span);
		span->mapped = false;
		span->len = 0;
		if (before(seq, rx->base)) {
			if (!rx->prefix || rx->base - seq > rx->prefix->len)
				return NULL;
			span->p = rx->prefix->bytes;
			span->seq = rx->base - rx->prefix->len;
			span->len = rx->prefix->len;
		} else if (!ws_below_span(ctx, span, seq)) {
			return NULL;
		}
		off = seq - span->seq;
	}
	*len = span->len - off;
	return span->p + off;
}

/*
 * Copy @n bytes of the stream from @seq on. @span, as for ws_stream_span(),
 * stays where it is: the next place may lie among them. Return: 0 or -EIO.
 */
int ws_stream_copy(const struct ws_ctx *ctx, struct ws_span *span, u32 seq,
		   u8 *buf, u32 n)
{
	struct ws_span next = *span;
	const u8 *p;
	u32 len;

	next.mapped = false;
	while (n && (p = ws_stream_span(ctx, &next, seq, &len))) {
		len = min(n, len);
		memcpy(buf, p, len);
		buf += len;
		seq += len;
		n -= len;
	}
	ws_span_end(&next);
	return n ? -EIO : 0;
}

/*
 * Parse the frame header at @seq, of which there are @avail bytes. Return: as
 * ws_hdr_parse(), or -WS_RULE_STREAM.
 */
int ws_stream_header(const struct ws_ctx *ctx, struct ws_span *span, u32 seq,
		     u32 avail, struct ws_hdr *hdr)
{
	u8 buf[WS_HDR_MAX];
	const u8 *p;
	u32 len;

	avail = min_t(u32, avail, WS_HDR_MAX);
	p = ws_stream_span(ctx, span, seq, &len);
	if (!p)
		return -WS_RULE_STREAM;
	if (likely(len >= WS_HDR_MAX))
		memcpy(buf, p, WS_HDR_MAX);
	else if (len >= avail)
		memcpy(buf, p, avail);
	else if (ws_stream_copy(ctx, span, seq, buf, avail))
		return -WS_RULE_STREAM;
	/* Read once: a sender on this machine may still write to the page. */
	barrier_data(buf);
	return ws_hdr_parse(buf, avail, hdr);
}

/* Free the bytes before those in the queue. */
void ws_stream_drop_prefix(struct ws_ctx *ctx)
{
	struct ws_prefix *prefix = ctx->rx.prefix;

	ctx->rx.prefix = NULL;
	if (prefix && prefix->stash)
		sock_kfree_s(ctx->sk, prefix,
			     struct_size(prefix, bytes, prefix->len));
	else
		kfree(prefix);
}

/*
 * What the transport has of the stream between @from and @seq goes back to it.
 */
static __always_inline void give_back(struct ws_ctx *ctx, u32 from, u32 seq)
{
	struct ws_rx *rx = &ctx->rx;

	if (before(from, rx->base))
		from = rx->base;
	if (!after(seq, from))
		return;
	rx->base = seq;
	ws_below_consume(ctx, from, seq);
}

/*
 * The reader is done with all before @to, which becomes @ctx->rx.head. Frees
 * buffers and may send a window update.
 */
void ws_stream_consume(struct ws_ctx *ctx, const struct ws_cursor *to)
{
	struct ws_rx *rx = &ctx->rx;
	u32 from = rx->head.seq;

	rx->consumed += to->seq - from;
	rx->head = *to;
	if (rx->prefix && !before(to->seq, rx->base))
		ws_stream_drop_prefix(ctx);
	give_back(ctx, from, to->seq);
}

/*
 * Take all that is unread, up to @end, out of TCP's buffers. TCP appends what
 * arrives to the last buffer of its queue, even when all but a few bytes of
 * that have been consumed. If every arrival ended inside a frame no buffer
 * would ever be freed, and the window would close with next to nothing unread.
 * So the few bytes become the prefix, charged to the socket's option memory.
 * Return: 0, -ENOMEM, or -EIO as for ws_stream_copy().
 */
static int stash_unread(struct ws_ctx *ctx, u32 end)
{
	struct ws_rx *rx = &ctx->rx;
	u32 from = rx->head.seq, len = end - from;
	struct ws_span span = {};
	struct ws_prefix *prefix;
	int err;

	prefix = sock_kmalloc(ctx->sk, struct_size(prefix, bytes, len),
			      GFP_ATOMIC | __GFP_NOWARN);
	if (!prefix) {
		ws_stats_inc(ctx, WS_MIB_NO_MEMORY);
		return -ENOMEM;
	}
	err = ws_stream_copy(ctx, &span, from, prefix->bytes, len);
	if (err) {
		sock_kfree_s(ctx->sk, prefix, struct_size(prefix, bytes, len));
		return err;
	}

	ws_stream_drop_prefix(ctx);
	prefix->len = len;
	prefix->stash = true;
	rx->prefix = prefix;
	give_back(ctx, from, end);
	return 0;
}

/*
 * Keep a few unread bytes from closing the window, see stash_unread(). More
 * than STASH_MAX are given to the reader in pieces.
 */
void ws_stream_relieve(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;
	u32 end;

	/*
	 * kTLS's bytes are in buffers of our own, which it does not append to.
	 */
	if (ctx->tls)
		return;
	end = ws_below_end(ctx);
	rx->starved = false;
	if (rx->complete || rx->stop != WS_STOP_NONE || end == rx->base ||
	    end == rx->head.seq || end - rx->head.seq > STASH_MAX ||
	    !ws_below_pressed(ctx))
		return;
	if (stash_unread(ctx, end) == -ENOMEM)
		rx->starved = true;
}
