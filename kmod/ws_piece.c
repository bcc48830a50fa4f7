// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reader's way through the stream that ws_rx.c has scanned. Bytes are
 * unmasked on their way from TCP's queue to user memory and given back to TCP
 * only when all that can fail has succeeded: a bad pointer loses nothing, and
 * MSG_PEEK needs no copy.
 *
 * All of it in process context with the socket lock.
 */
#include "ws.h"

/*
 * Step over one header between @cur and @limit. The scanner has judged it,
 * but its bytes may have changed since (see ws_lower.c), so nothing is taken
 * for granted here but that @limit may not be passed.
 */
static int next_frame(const struct ws_ctx *ctx, struct ws_cursor *cur,
		      struct ws_run *run, u32 limit)
{
	struct ws_hdr hdr;
	int size;

	size = ws_lower_header(ctx, run, cur->seq, limit - cur->seq, &hdr);
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
 * ws_piece_walk() - from a place to the end of the message
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
int ws_piece_walk(const struct ws_ctx *ctx, struct iov_iter *to, bool whole,
		  struct ws_piece *pc)
{
	u32 limit = ctx->rx.scan.seq;
	struct ws_cursor *cur = &pc->cur;
	struct ws_run run = {};
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
			err = next_frame(ctx, cur, &run, limit);
			if (err)
				break;
			pc->opcode = cur->opcode;
			pc->rsv = cur->rsv;
			continue;
		}

		n = min_t(u64, cur->left, limit - cur->seq);
		if (to && n && iov_iter_count(to)) {
			const u8 *p = ws_lower_run(ctx, &run, cur->seq, &len);

			err = -EIO;
			if (!p)
				break;
			n = min_t(size_t, min(n, len), iov_iter_count(to));
			err = ws_copy_unmask(to, p, n, cur->key,
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
	ws_lower_run_end(&run);
	return err;
}

/*
 * The stream is not what it was when it was scanned. It ends here, with
 * WS_RULE_STREAM. Return: -EAGAIN, as the caller must look again.
 */
int ws_piece_broken(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;

	if (rx->stop == WS_STOP_CLOSE)
		WRITE_ONCE(rx->stop, WS_STOP_NONE);
	WRITE_ONCE(rx->complete, 0);
	WRITE_ONCE(rx->payload, 0);
	ws_rx_fault(ctx, WS_RULE_STREAM);
	return -EAGAIN;
}

/**
 * ws_piece_take() - what a walk passed over is to be given to the reader
 * @taken: what this call gives so far
 * @pc: a walk that began at @taken->cur
 */
void ws_piece_take(struct ws_taken *taken, const struct ws_piece *pc)
{
	taken->cur = pc->cur;
	taken->len += pc->len;
	if (pc->end)
		taken->messages++;
	else
		taken->pieces++;
}

/**
 * ws_piece_commit() - it has been given: the bytes go back to TCP
 * @ctx: the socket
 * @taken: what was given, and is sound
 */
void ws_piece_commit(struct ws_ctx *ctx, const struct ws_taken *taken)
{
	struct ws_rx *rx = &ctx->rx;

	/* What the peer owes, it can only send from now on. */
	if (ws_timer_watches(ctx) && ws_rx_unread(ctx))
		ws_timer_excuse(ctx);
	WRITE_ONCE(rx->payload, rx->payload - taken->len);
	ctx->info.rx_bytes += taken->len;
	ws_stats_add(ctx, WS_MIB_RX_BYTES, taken->len);
	if (taken->messages) {
		WRITE_ONCE(rx->complete, rx->complete - taken->messages);
		ctx->info.rx_messages += taken->messages;
		ws_stats_add(ctx, WS_MIB_RX_MESSAGES, taken->messages);
	}
	if (taken->pieces)
		ws_stats_add(ctx, WS_MIB_RX_PIECES, taken->pieces);
	ws_lower_consume(ctx, &taken->cur);
	/* With nothing left there is nothing to trim or to relieve. */
	if (likely(rx->head.seq == rx->scan.seq && !ctx->tls &&
		   skb_queue_empty(&ctx->sk->sk_receive_queue))) {
		rx->cramped = false;
		return;
	}
	ws_rx_trim(ctx);
	ws_rx_relieve(ctx);
}
