// SPDX-License-Identifier: GPL-2.0-only
/*
 * The scanner: parses the received stream as it arrives, once, and knows where
 * messages end, whether text is UTF-8, and what to do about control frames. It
 * leaves the bytes of messages where they are; the reader fetches them
 * (ws_recv.c). Only PING and PONG take effect here, whatever lies before them.
 * Close and faults wait at the end of the scanned stream until the reader has
 * had everything before them.
 *
 * A reader that takes many messages in one call parses each of them anyway:
 * then only the first is scanned here, which is what wakes the reader, and the
 * rest by the reader, the next arrival or ws_event_run() a little later,
 * whichever comes first. The same happens to what is beyond WS_SCAN_BUDGET: a
 * peer may fill the whole queue with frames of two bytes.
 *
 * Runs in softirq context from sk_data_ready, and in process context before
 * a reader sleeps; always with the lock of the context.
 */
#include <linux/sizes.h>

#include "ws_ctrl.h"
#include "ws_limits.h"
#include "ws_scan.h"
#include "ws_short_rx.h"
#include "ws_stats.h"
#include "ws_stream.h"
#include "ws_timer.h"

/*
 * What one scan may cost, about half a millisecond: a byte of text counts one,
 * a frame SCAN_FRAME.
 */
#define WS_SCAN_BUDGET	SZ_1M
#define SCAN_FRAME	64

/*
 * How far the stream has been scanned. Return: bytes since the attach,
 * WS_RX_PREFIX included.
 */
u64 ws_scan_offset(const struct ws_ctx *ctx)
{
	const struct ws_rx *rx = &ctx->rx;

	return rx->consumed + (rx->scan.seq - rx->head.seq);
}

/*
 * The peer broke @rule: the stream ends at @ctx->rx.scan. The Close is sent
 * once the reader has had the complete messages before it.
 */
void ws_scan_fault(struct ws_ctx *ctx, enum ws_rule rule)
{
	struct ws_rx *rx = &ctx->rx;

	if (rx->stop != WS_STOP_NONE)
		return;
	rx->rule = rule;
	if (!rx->scan.frame)
		rx->frame_at = ws_scan_offset(ctx);
	WRITE_ONCE(rx->stop, WS_STOP_FAULT);
	ws_stats_inc(ctx, WS_MIB_ERR + rule - 1);
}

/*
 * Drop what no reader will ask for. With nothing to deliver, what lies before
 * the scanner is control frames and headers. On an idle connection this keeps
 * PINGs from filling the queue.
 */
void ws_scan_trim(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;

	if (!rx->complete && !rx->payload && rx->stop == WS_STOP_NONE &&
	    rx->head.seq != rx->scan.seq)
		ws_stream_consume(ctx, &rx->scan);
}

/* Drop all that was scanned: no reader will ask for it. */
void ws_scan_discard(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;

	ws_stream_consume(ctx, &rx->scan);
	WRITE_ONCE(rx->complete, 0);
	WRITE_ONCE(rx->payload, 0);
}

static void scan_control(struct ws_ctx *ctx, struct ws_span *span,
			 const struct ws_hdr *hdr, u32 seq)
{
	struct ws_rx *rx = &ctx->rx;
	u8 body[WS_CTRL_MAX];
	enum ws_rule rule;

	if (ws_stream_copy(ctx, span, seq, body, hdr->len)) {
		ws_scan_fault(ctx, WS_RULE_STREAM);
		return;
	}
	ws_mask_copy(body, body, hdr->len, hdr->key);

	switch (hdr->opcode) {
	case WS_OP_PING:
		ctx->info.rx_pings++;
		ws_stats_inc(ctx, WS_MIB_RX_PING);
		ws_ctrl_ping(ctx, body, hdr->len);
		break;
	case WS_OP_PONG:
		ctx->info.rx_pongs++;
		ws_stats_inc(ctx, WS_MIB_RX_PONG);
		break;
	case WS_OP_CLOSE:
		rule = ws_close_parse(body, hdr->len, &rx->close_code);
		if (rule) {
			ws_scan_fault(ctx, rule);
			return;
		}
		rx->close_len = hdr->len > 2 ? hdr->len - 2 : 0;
		rx->close_key = ws_key_rotate(hdr->key, 2);
		WRITE_ONCE(rx->stop, WS_STOP_CLOSE);
		ws_stats_inc(ctx, WS_MIB_RX_CLOSE);
		break;
	}
	rx->scan.seq = seq + hdr->len;
	if (!rx->scan.opcode)
		rx->open = false;
}

/* Return: false when more bytes are needed or the stream has ended. */
static bool scan_header(struct ws_ctx *ctx, struct ws_span *span, u32 end)
{
	struct ws_rx *rx = &ctx->rx;
	struct ws_seq open = { rx->announced, rx->scan.opcode };
	struct ws_hdr hdr;
	enum ws_rule rule;
	int size;

	size = ws_stream_header(ctx, span, rx->scan.seq, end - rx->scan.seq,
				&hdr);
	if (!size)
		return false;
	if (size < 0) {
		ws_scan_fault(ctx, -size);
		return false;
	}
	rule = ws_seq_check(&open, &hdr, ctx->cfg.role,
			    ctx->cfg.rsv1 ? WS_RSV1 : 0,
			    ctx->cfg.max_message);
	if (rule) {
		ws_scan_fault(ctx, rule);
		return false;
	}
	if (ws_op_is_control(hdr.opcode)) {
		u32 total = size + hdr.len;

		if (end - rx->scan.seq < total)
			return false;
		scan_control(ctx, span, &hdr, rx->scan.seq + size);
		return rx->stop == WS_STOP_NONE;
	}

	if (hdr.opcode != WS_OP_CONT) {
		rx->scan.opcode = hdr.opcode;
		rx->scan.rsv = hdr.rsv;
		rx->utf8 = WS_UTF8_OK;
	}
	ws_seq_frame(&open, &hdr);
	rx->announced = open.len;
	rx->frame_at = ws_scan_offset(ctx);
	rx->scan.seq += size;
	rx->scan.left = hdr.len;
	rx->scan.key = hdr.key;
	rx->scan.fin = hdr.fin;
	rx->scan.frame = true;
	return true;
}

/*
 * What is compressed is text only once it is inflated, RFC 7692 section 7.2.2.
 */
static bool is_text(const struct ws_cursor *cur)
{
	return cur->opcode == WS_OP_TEXT && !cur->rsv;
}

/*
 * Text goes on to the end of a span, and as far as @budget, which is lowered.
 * Return: false when more bytes are needed or the stream has ended.
 */
static bool scan_payload(struct ws_ctx *ctx, struct ws_span *span, u32 end,
			 s32 *budget)
{
	struct ws_rx *rx = &ctx->rx;
	struct ws_cursor *scan = &rx->scan;
	u32 n = min_t(u64, scan->left, end - scan->seq);

	if (n && is_text(scan)) {
		u32 len;
		const u8 *p = ws_stream_span(ctx, span, scan->seq, &len);

		if (!p) {
			ws_scan_fault(ctx, WS_RULE_STREAM);
			return false;
		}
		n = min3(n, len, (u32)*budget);
		*budget -= n;
		rx->utf8 = ws_utf8(rx->utf8, p, n, scan->key);
		if (rx->utf8 == WS_UTF8_BAD) {
			ws_scan_fault(ctx, WS_RULE_UTF8);
			return false;
		}
	}
	scan->seq += n;
	scan->left -= n;
	scan->key = ws_key_rotate(scan->key, n);
	WRITE_ONCE(rx->payload, rx->payload + n);
	if (scan->left)
		return scan->seq != end;

	if (scan->fin && is_text(scan) && rx->utf8 != WS_UTF8_OK) {
		ws_scan_fault(ctx, WS_RULE_UTF8);
		return false;
	}
	scan->frame = false;
	if (!scan->fin)
		return true;
	scan->opcode = 0;
	rx->open = false;
	WRITE_ONCE(rx->complete, rx->complete + 1);
	return true;
}

/*
 * Whole short messages of one frame each. The loop stops at anything else and
 * at any fault, which scan_header() then parses.
 */
static __always_inline void scan_short_span(struct ws_ctx *ctx, const u8 *q, u32 size,
					    u32 max, bool masked)
{
	const u64 limit = ctx->cfg.max_message;
	const u8 *begin = q, *end = q + size;
	struct ws_rx *rx = &ctx->rx;
	u32 count = 0, len = 0;
	struct ws_short one;

	while (count < max &&
	       ws_short_parse(q, end - q, masked, limit, &one) &&
	       ws_short_is_valid(q, masked, &one)) {
		q += one.size;
		len += one.len;
		count++;
	}
	/* The first of them may have been here in part. */
	if (count)
		rx->open = false;
	rx->scan.seq += q - begin;
	WRITE_ONCE(rx->payload, rx->payload + len);
	WRITE_ONCE(rx->complete, rx->complete + count);
}

static void scan_short(struct ws_ctx *ctx, struct ws_span *span, u32 end,
		       u32 max, s32 *budget)
{
	struct ws_rx *rx = &ctx->rx;
	u32 seq = rx->scan.seq, complete = rx->complete;
	const u8 *p;
	u32 n;

	if (!WS_SHORT || ctx->cfg.max_message < 125)
		return;
	p = ws_stream_span(ctx, span, seq, &n);
	if (!p)
		return;
	n = min(n, end - seq);
	max = min_t(u32, max, *budget / SCAN_FRAME + 1);
	if (ctx->cfg.role == WS_ROLE_SERVER)
		scan_short_span(ctx, p, n, max, true);
	else
		scan_short_span(ctx, p, n, max, false);
	/* Bytes count as if all were text; a span is a buffer at most. */
	*budget -= (rx->complete - complete) * SCAN_FRAME +
		   (rx->scan.seq - seq);
}

/*
 * As far as @end, or to the end of the first message. Return: false when
 * WS_SCAN_BUDGET was used up before that.
 */
static bool scan_to(struct ws_ctx *ctx, u32 end, bool only_first)
{
	u32 max = only_first ? 1 : U32_MAX;
	struct ws_rx *rx = &ctx->rx;
	s32 budget = WS_SCAN_BUDGET;
	struct ws_span span = {};
	bool go_on = true;

	if (rx->scan.seq != end)
		ws_below_seek(ctx, &span, rx->scan.seq);
	while (go_on && rx->scan.seq != end && rx->complete < max &&
	       budget > 0) {
		if (!rx->scan.frame && !rx->scan.opcode)
			scan_short(ctx, &span, end, max - rx->complete, &budget);
		if (rx->scan.seq == end || rx->complete >= max || budget <= 0)
			break;
		budget -= SCAN_FRAME;
		go_on = rx->scan.frame ?
			scan_payload(ctx, &span, end, &budget) :
			scan_header(ctx, &span, end);
	}
	/* A frame of no bytes ends where its header does. */
	if (go_on && rx->scan.frame && !rx->scan.left)
		scan_payload(ctx, &span, end, &budget);
	ws_span_end(&span);
	return budget > 0 || !go_on || rx->scan.seq == end;
}

/* Return: false when nothing more is to be scanned. */
static bool scan_begin(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;
	bool intact;

	ws_owned_by_me(ctx);
	rx->lazy = false;
	rx->first_only = false;
	intact = ws_below_take_in(ctx);
	if (unlikely(!intact))
		ws_scan_fault(ctx, WS_RULE_STREAM);
	if (likely(rx->stop == WS_STOP_NONE))
		return true;
	/*
	 * After the end nothing is of interest, but the window must stay open.
	 */
	if (rx->stop == WS_STOP_OVER) {
		rx->scan.seq = ws_below_end(ctx);
		ws_stream_consume(ctx, &rx->scan);
	}
	return false;
}

/* All that is here has been scanned. */
static void scan_end(struct ws_ctx *ctx, u32 end)
{
	struct ws_rx *rx = &ctx->rx;

	if (rx->scan.frame || rx->scan.opcode || rx->scan.seq != end) {
		if (ws_below_eof(ctx) && !rx->lingers)
			ws_scan_fault(ctx, WS_RULE_TRUNCATED);
		if (!rx->open)
			ws_limits_opened(ctx);
		if (ws_rx_parked(ctx) && !ctx->rx.lingers)
			ws_timer_by(ctx, WS_PRESSURE_TIME);
	}
	if (rx->scan.left)
		ws_below_grow(ctx, ws_scan_offset(ctx) - rx->frame_at +
			      rx->scan.left);
	ws_scan_trim(ctx);
	ws_stream_relieve(ctx);
}

/*
 * Scan what has arrived; with @only_first only as far as the first message,
 * which is allowed when no time limit is set and the stream has not ended. Each
 * header and each byte of text is read once, the rest is skipped; at most
 * WS_SCAN_BUDGET per call. If bytes are left @rx.lazy is set, and the reader,
 * the next arrival or ws_event_run() goes on.
 */
void ws_scan(struct ws_ctx *ctx, bool only_first)
{
	struct ws_rx *rx = &ctx->rx;
	u32 end;

	if (!scan_begin(ctx))
		return;
	end = ws_below_end(ctx);
	if (!scan_to(ctx, end, only_first)) {
		rx->lazy = true;
		ws_timer_by(ctx, 1);
		ws_scan_trim(ctx);
	} else if (!only_first || !rx->complete || rx->scan.seq == end ||
		   rx->stop != WS_STOP_NONE) {
		scan_end(ctx, end);
	} else {
		rx->lazy = true;
		rx->first_only = true;
		/*
		 * A PING behind it must be answered even if the program does
		 * not read.
		 */
		ws_timer_by(ctx, HZ / 10);
	}
}

/*
 * Scan all that was left: at most what the receive buffer holds. Process
 * context, lock of the context; sleeps.
 */
void ws_scan_rest(struct ws_ctx *ctx)
{
	while (unlikely(ctx->rx.lazy)) {
		ws_scan_arrived(ctx);
		cond_resched();
	}
}

/*
 * One whole message and nothing else, as it comes from a peer that waits for
 * an answer. Return: false when it must be scanned.
 */
bool ws_scan_one(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;
	bool masked = ctx->cfg.role == WS_ROLE_SERVER;
	struct ws_short one;
	const u8 *q;
	u32 size;

	if (!WS_SHORT || ctx->cfg.max_message < 125 || rx->complete ||
	    rx->stop != WS_STOP_NONE || rx->scan.frame || rx->scan.opcode ||
	    rx->scan.seq != rx->head.seq || !ws_below_is_intact(ctx))
		return false;
	q = ws_below_front(ctx, rx->scan.seq, &size);
	if (!q ||
	    !ws_short_parse(q, size, masked, ctx->cfg.max_message, &one) ||
	    one.size != size || !ws_short_is_valid(q, masked, &one))
		return false;
	rx->open = false;
	rx->lazy = false;
	rx->starved = false;
	rx->scan.seq += one.size;
	WRITE_ONCE(rx->payload, one.len);
	WRITE_ONCE(rx->complete, 1);
	return true;
}
