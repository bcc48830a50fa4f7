/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The timer of a socket: when deferred work runs, and what is left of a time.
 */
#ifndef _WS_TIMER_H
#define _WS_TIMER_H

#include "ws_ctx.h"

void ws_timer_by(struct ws_ctx *ctx, u32 delay);
u32 ws_timer_jiffies(u32 ms);
u32 ws_timer_left(u32 since, u32 limit);

#endif /* _WS_TIMER_H */
