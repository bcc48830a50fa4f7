// SPDX-License-Identifier: GPL-2.0-only
/*
 * One walk through the scanned stream for every sink: nowhere (lengths, and
 * what a buffer has no room for), bytes, a record, an entry of an array; the
 * Close's reason, too. Bytes are unmasked on their way from TCP's queue to user
 * memory and given back to TCP only when all that can fail has succeeded: a bad
 * pointer loses nothing, and MSG_PEEK needs no copy.
 *
 * All of it in process context with the lock of the context.
 */
#include "ws_limits.h"
#include "ws_sink.h"
#include "ws_stats.h"
#include "ws_stream.h"
#include "ws_unmask.h"

/*
 * Step over one header between @cur and @limit. The scanner has judged it,
 * but its bytes may have changed since (see ws_stream.c), so nothing is taken
 * for granted here but that @limit may not be passed.
 */
static int next_frame(const struct ws_ctx *ctx, struct ws_cursor *cur,
		      struct ws_span *span, u32 limit)
{
	struct ws_hdr hdr;
	int size;

	size = ws_stream_header(ctx, span, cur->seq, limit - cur->seq, &hdr);
	if (size <= 0)
		return -EIO;
	if (hdr.opcode >= WS_OP_CLOSE && hdr.opcode <= WS_OP_PONG) {
		if (hdr.len > limit - cur->seq - size)
			return -EIO;
		cur->seq += size + hdr.len;
		return 0;
	}
	if (hdr.opcode > WS_OP_BINARY || !hdr.opcode != !!cur->opcode)
		return -EIO;
	if (hdr.opcode) {
		cur->opcode = hdr.opcode;
		cur->rsv = hdr.rsv & WS_RSV1;
	}
	cur->seq += size;
	cur->left = hdr.len;
	cur->key = hdr.key;
	cur->fin = hdr.fin;
	cur->frame = true;
	return 0;
}

/**
 * ws_sink_walk() - from a place to the end of the message
 * @ctx: the socket
 * @to: where the payload goes, or NULL to copy nothing
 * @whole: go on without copying when the room in @to is used up; as without
 *	@to, the walk then ends with the message or with what was scanned
 * @pc: @pc->cur is the place, the rest 0; filled
 *
 * May sleep on user memory.
 *
 * Return: 0, -EFAULT, or -EIO when the stream is not what it was.
 */
int ws_sink_walk(const struct ws_ctx *ctx, struct iov_iter *to, bool whole,
		 struct ws_piece *pc)
{
	u32 limit = ctx->rx.scan.seq;
	struct ws_cursor *cur = &pc->cur;
	struct ws_span span = {};
	u32 headers = 0;
	int err = 0;

	pc->opcode = cur->opcode;
	pc->rsv = cur->rsv;
	for (;;) {
		u32 n, len;

		if (!cur->frame) {
			if (cur->seq == limit)
				break;
			/* A message can have millions of empty frames. */
			if (unlikely(!(++headers % 1024)))
				cond_resched();
			err = next_frame(ctx, cur, &span, limit);
			if (err)
				break;
			pc->opcode = cur->opcode;
			pc->rsv = cur->rsv;
			continue;
		}

		n = min_t(u64, cur->left, limit - cur->seq);
		if (to && n && iov_iter_count(to)) {
			const u8 *p = ws_stream_span(ctx, &span, cur->seq, &len);

			err = -EIO;
			if (!p)
				break;
			n = min_t(size_t, min(n, len), iov_iter_count(to));
			err = ws_unmask_copy(to, p, n, cur->key,
					     ctx->rx.payload);
			if (err)
				break;
			pc->copied += n;
		} else if (to && !whole) {
			n = 0;
		}
		cur->seq += n;
		cur->left -= n;
		cur->key = ws_key_rotate(cur->key, n);
		pc->len += n;
		if (cur->left) {
			if (!n)
				break;
			continue;
		}
		cur->frame = false;
		if (cur->fin) {
			pc->end = true;
			cur->opcode = 0;
			break;
		}
	}
	ws_span_end(&span);
	return err;
}

/*
 * The stream is not what it was when it was scanned. It ends here, with
 * WS_RULE_STREAM. Return: -EAGAIN, as the caller must look again.
 */
int ws_sink_broken(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;

	if (rx->stop == WS_STOP_CLOSE)
		WRITE_ONCE(rx->stop, WS_STOP_NONE);
	WRITE_ONCE(rx->complete, 0);
	WRITE_ONCE(rx->payload, 0);
	ws_scan_fault(ctx, WS_RULE_STREAM);
	return -EAGAIN;
}

/* What @pc passed over, from @given->cur on, is to be given to the reader. */
void ws_sink_add(struct ws_given *given, const struct ws_piece *pc)
{
	given->cur = pc->cur;
	given->len += pc->len;
	if (pc->end)
		given->messages++;
	else
		given->pieces++;
}

/* The reader has what @given says: the bytes go back to the transport. */
void ws_sink_commit(struct ws_ctx *ctx, const struct ws_given *given)
{
	struct ws_rx *rx = &ctx->rx;

	/* What the peer owes, it can only send from now on. */
	if (ws_limits_apply(ctx) && ws_rx_stalls_peer(ctx))
		ws_limits_excuse(ctx);
	WRITE_ONCE(rx->payload, rx->payload - given->len);
	ctx->info.rx_bytes += given->len;
	ws_stats_add(ctx, WS_MIB_RX_BYTES, given->len);
	if (given->messages) {
		WRITE_ONCE(rx->complete, rx->complete - given->messages);
		ctx->info.rx_messages += given->messages;
		ws_stats_add(ctx, WS_MIB_RX_MESSAGES, given->messages);
	}
	if (given->pieces)
		ws_stats_add(ctx, WS_MIB_RX_PIECES, given->pieces);
	ws_stream_consume(ctx, &given->cur);
	/* With nothing left there is nothing to trim or to relieve. */
	if (likely(rx->head.seq == rx->scan.seq && ws_below_is_empty(ctx))) {
		rx->starved = false;
		return;
	}
	ws_scan_trim(ctx);
	ws_stream_relieve(ctx);
}
