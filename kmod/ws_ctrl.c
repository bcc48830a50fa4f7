// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control frames that are owed, and the state of the closing handshake, RFC
 * 6455 sections 5.5 and 7. ws_tx_flush() sends them.
 *
 * Any context that has the lock of the context.
 */
#include <net/sock.h>

#include "core/core.h"
#include "ws_ctrl.h"
#include "ws_stats.h"

/* PONGs that wait to be sent, per connection; older ones make room. */
#define PONG_MAX	64

/* Forget the oldest PONG that waits; there is one. */
void ws_ctrl_pong_done(struct ws_ctx *ctx)
{
	struct ws_tx *tx = &ctx->tx;
	struct ws_pong *pong = tx->pong->next;
	struct sock *sk = ctx->sk;

	if (pong == tx->pong)
		tx->pong = NULL;
	else
		tx->pong->next = pong->next;
	tx->npong--;
	sock_kfree_s(sk, pong, struct_size(pong, data, pong->len));
}

/*
 * Remember to answer a PING, RFC 6455 section 5.5.2; @p is its payload,
 * unmasked. At most PONG_MAX answers wait, charged to the socket's option
 * memory; the oldest gives way, as section 5.5.3 allows.
 */
void ws_ctrl_ping(struct ws_ctx *ctx, const u8 *p, u8 len)
{
	struct ws_tx *tx = &ctx->tx;
	struct ws_pong *pong;

	if (tx->close != WS_CLOSE_NONE)
		return;
	pong = sock_kmalloc(ctx->sk, struct_size(pong, data, len),
			    GFP_ATOMIC | __GFP_NOWARN);
	if (!pong) {
		ws_stats_inc(ctx, WS_MIB_NO_MEMORY);
		ws_stats_inc(ctx, WS_MIB_PONG_DROPPED);
		return;
	}
	pong->len = len;
	memcpy(pong->data, p, len);
	pong->next = tx->pong ? tx->pong->next : pong;
	if (tx->pong)
		tx->pong->next = pong;
	tx->pong = pong;
	if (++tx->npong <= PONG_MAX)
		return;
	ws_ctrl_pong_done(ctx);
	ws_stats_inc(ctx, WS_MIB_PONG_DROPPED);
}

/*
 * Start or answer the closing handshake, RFC 6455 section 7.1.2, with status
 * code @code; 1005 for a Close without one, 1006 for no Close at all. Only the
 * first call has an effect. No data frame follows. The Close goes out with the
 * next ws_tx_flush().
 */
void ws_ctrl_close(struct ws_ctx *ctx, u16 code)
{
	struct ws_tx *tx = &ctx->tx;

	if (tx->close != WS_CLOSE_NONE)
		return;
	if (code == 1006) {
		tx->close = WS_CLOSE_DONE;
		return;
	}
	tx->close = WS_CLOSE_WANTED;
	tx->close_code = code;
	/* As the program sees it: no data may follow. */
	ctx->rx.state |= WS_STATE_CLOSE_SENT;
	ctx->time.ping = WS_PING_NONE;
}

/*
 * Answer the peer's Close or fault if it is next, or was read. Does nothing
 * after another Close of ours, as ws_ctrl_close().
 */
void ws_ctrl_answer(struct ws_ctx *ctx)
{
	const struct ws_rx *rx = &ctx->rx;

	if ((rx->stop == WS_STOP_CLOSE && !rx->complete) ||
	    rx->state & WS_STATE_CLOSE_RECEIVED)
		ws_ctrl_close(ctx, rx->close_code);
	else if (rx->state & WS_STATE_FAILED ||
		 (rx->stop == WS_STOP_FAULT && !rx->complete))
		ws_ctrl_close(ctx, ws_rule_code(rx->rule));
}

/*
 * End TCP's sending direction once the Close is out. The server ends TCP when
 * both have sent a Close, either side when the other broke a rule (section
 * 7.1.1).
 */
void ws_ctrl_fin(struct ws_ctx *ctx)
{
	if (ctx->tx.fin == WS_FIN_NONE)
		ctx->tx.fin = WS_FIN_WANTED;
}

/* The peer's Close (WS_STOP_CLOSE) takes effect, RFC 6455 section 7.1.3. */
void ws_ctrl_closed(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;

	rx->state |= WS_STATE_CLOSE_RECEIVED;
	WRITE_ONCE(rx->payload, 0);
	if (ctx->cfg.role == WS_ROLE_SERVER)
		ws_ctrl_fin(ctx);
	if (!(ctx->cfg.flags & WS_F_CLOSE))
		ws_ctrl_close(ctx, rx->close_code);
}

/*
 * Is there anything to send, or memory to find? Without the lock the answer is
 * a hint.
 */
bool ws_ctrl_pending(const struct ws_ctx *ctx)
{
	const struct ws_tx *tx = &ctx->tx;

	return ctx->rx.starved || READ_ONCE(tx->nseg) ||
	       READ_ONCE(tx->npong) ||
	       READ_ONCE(ctx->time.ping) == WS_PING_WANTED ||
	       READ_ONCE(tx->close) == WS_CLOSE_WANTED ||
	       (READ_ONCE(tx->fin) == WS_FIN_WANTED &&
		READ_ONCE(tx->close) == WS_CLOSE_DONE);
}

/* Is there anything that must go out before TCP's end? */
bool ws_ctrl_owes(const struct ws_ctx *ctx)
{
	const struct ws_tx *tx = &ctx->tx;

	return ws_tx_pending(tx) || tx->npong || tx->close == WS_CLOSE_WANTED;
}
