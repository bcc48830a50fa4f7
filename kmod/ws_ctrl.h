/* SPDX-License-Identifier: GPL-2.0-only */
/* Control frames that are owed, and the state of the closing handshake. */
#ifndef _WS_CTRL_H
#define _WS_CTRL_H

#include "ws_ctx.h"

/**
 * struct ws_pong - the answer to a PING, not sent yet
 * @next: the one to be sent behind it; of the last one, the first
 * @len: bytes of @data, up to WS_CTRL_MAX
 * @data: the payload
 */
struct ws_pong {
	struct ws_pong *next;
	u8 len;
	u8 data[];
};

void ws_ctrl_ping(struct ws_ctx *ctx, const u8 *p, u8 len);
void ws_ctrl_close(struct ws_ctx *ctx, u16 code);
void ws_ctrl_answer(struct ws_ctx *ctx);
void ws_ctrl_closed(struct ws_ctx *ctx);
void ws_ctrl_fin(struct ws_ctx *ctx);
void ws_ctrl_pong_done(struct ws_ctx *ctx);
bool ws_ctrl_pending(const struct ws_ctx *ctx);
bool ws_ctrl_owes(const struct ws_ctx *ctx);

/*
 * A cheap test, with the lock: if true there is nothing to do. False also while
 * an answer is awaited; then ws_ctrl_pending() tells whether ws_tx_flush() or
 * ws_stream_relieve() has work. Both count the frame under way.
 */
static inline bool ws_ctrl_quiet(const struct ws_ctx *ctx)
{
	return likely(!(ctx->tx.any | ctx->time.ping | ctx->rx.starved));
}

#endif /* _WS_CTRL_H */
