/* SPDX-License-Identifier: GPL-2.0-only */
/* The scanner of the received stream. */
#ifndef _WS_SCAN_H
#define _WS_SCAN_H

#include "ws_rx.h"

void ws_scan(struct ws_ctx *ctx, bool only_first);
void ws_scan_rest(struct ws_ctx *ctx);
bool ws_scan_one(struct ws_ctx *ctx);
u64 ws_scan_offset(const struct ws_ctx *ctx);
void ws_scan_fault(struct ws_ctx *ctx, enum ws_rule rule);
void ws_scan_trim(struct ws_ctx *ctx);
void ws_scan_discard(struct ws_ctx *ctx);

static inline void ws_scan_arrived(struct ws_ctx *ctx)
{
	ws_scan(ctx, false);
}

#endif /* _WS_SCAN_H */
