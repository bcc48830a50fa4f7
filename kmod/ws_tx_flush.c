// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the kernel sends on its own account: PONG, PING, Close and FIN, behind
 * what is left of a frame that is under way.
 *
 * All of it with the lock of the context: on TCP in any context, on kTLS in
 * process context.
 */
#include "ws_ctrl.h"
#include "ws_stats.h"
#include "ws_tx.h"

/*
 * Build the next control frame, if one waits. Return: 1, 0 when none does, or
 * -EAGAIN when there is no memory.
 */
static int build_next(struct ws_ctx *ctx)
{
	struct ws_tx *tx = &ctx->tx;

	if (tx->npong) {
		struct ws_pong *pong = tx->pong->next;

		if (ws_tx_control(ctx, WS_OP_PONG, pong->data, pong->len))
			return -EAGAIN;
		ws_ctrl_pong_done(ctx);
		ctx->info.tx_pongs++;
		ws_stats_inc(ctx, WS_MIB_TX_PONG);
		return 1;
	}
	if (ctx->time.ping == WS_PING_WANTED) {
		if (ws_tx_control(ctx, WS_OP_PING, NULL, 0))
			return -EAGAIN;
		ctx->time.ping = WS_PING_SENT;
		ctx->info.tx_pings++;
		ws_stats_inc(ctx, WS_MIB_TX_PING);
	} else if (tx->close == WS_CLOSE_WANTED) {
		u8 body[2] = { tx->close_code >> 8, tx->close_code };

		if (ws_tx_control(ctx, WS_OP_CLOSE, body,
				  tx->close_code == 1005 ? 0 : sizeof(body)))
			return -EAGAIN;
		tx->close = WS_CLOSE_DONE;
		ws_stats_inc(ctx, WS_MIB_TX_CLOSE);
	} else {
		return 0;
	}
	ctx->time.end = ws_tx_end(ctx);
	return 1;
}

/*
 * Wake writers that a frame or a sender was in the way of. poll() did not ask
 * TCP for a wake-up then; with SOCK_NOSPACE set it comes now or when TCP has
 * room.
 */
void ws_tx_wake(struct ws_ctx *ctx)
{
	struct socket *sock = ctx->sk->sk_socket;

	if (!sock)
		return;
	set_bit(SOCK_NOSPACE, &sock->flags);
	ws_lock_inner(ctx);
	ws_saved_of(ctx)->write_space(ctx->sk);
	ws_unlock_inner(ctx);
}

/*
 * Send what waits: rest of a frame, PONGs, PING, Close, FIN. Does not wait for
 * room in the send buffer; what is left goes with the next call, at the latest
 * when TCP has room again. Return: 0 when nothing is left, -EAGAIN, or the
 * error of a dead connection.
 */
int ws_tx_flush(struct ws_ctx *ctx)
{
	struct ws_tx *tx = &ctx->tx;
	bool was_pending = ws_tx_pending(tx), more = false;
	int err;

	ws_owned_by_me(ctx);
	do {
		err = ws_tx_push(ctx, more) ?: build_next(ctx);
		/* Of many PONGs only the last is worth a segment of its own. */
		more = tx->npong;
	} while (err > 0);
	if (err && err != -EAGAIN)
		ws_tx_abort(ctx);
	if (tx->fin == WS_FIN_WANTED && tx->close == WS_CLOSE_DONE &&
	    !ws_tx_pending(tx)) {
		/* FIN would cut off what kTLS has not given to TCP. */
		if (ws_below_close_notify(ctx)) {
			err = -EAGAIN;
		} else {
			tx->fin = WS_FIN_SENT;
			ws_below_fin(ctx);
		}
	}
	if (was_pending && !ws_tx_pending(tx))
		ws_tx_wake(ctx);
	return err;
}

/* Forget everything that was to be sent. */
void ws_tx_abort(struct ws_ctx *ctx)
{
	ws_tx_free(ctx);
	while (ctx->tx.pong)
		ws_ctrl_pong_done(ctx);
	if (ctx->tx.close == WS_CLOSE_WANTED)
		ctx->tx.close = WS_CLOSE_DONE;
}
