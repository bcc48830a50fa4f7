/* SPDX-License-Identifier: GPL-2.0-only */
/* Keepalive, and the limits on messages and on the closing handshake. */
#ifndef _WS_LIMITS_H
#define _WS_LIMITS_H

#include "ws_ctx.h"

/*
 * Interval at which a partly received message is checked for memory pressure:
 * pressure can begin without an arrival here, and no callback reports it.
 */
#define WS_PRESSURE_TIME	HZ

enum ws_rule ws_limits_run(struct ws_ctx *ctx, u32 *next);
u32 ws_limits_linger_left(const struct ws_ctx *ctx);
void ws_limits_excuse(struct ws_ctx *ctx);
void ws_limits_opened(struct ws_ctx *ctx);
void ws_limits_closing(struct ws_ctx *ctx, bool behind);
void ws_limits_start(struct ws_ctx *ctx);

/* Does any time limit apply to this socket? */
static inline bool ws_limits_apply(const struct ws_ctx *ctx)
{
	return ctx->cfg.ping_interval || ctx->cfg.assembly_timeout ||
	       ctx->tx.close != WS_CLOSE_NONE;
}

#endif /* _WS_LIMITS_H */
