// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each socket has one timer, as TCP has for keepalive. It is not armed again
 * for every byte that comes: it fires when the earliest limit can have passed,
 * and ws_event_run() arms it for what remains. A socket without limits has it
 * idle. Times are tcp_jiffies32.
 */
#include <net/tcp.h>

#include "ws_timer.h"

/*
 * Have ws_event_run() called after @delay jiffies, or sooner. On kTLS any
 * context that keeps @ctx.
 */
void ws_timer_by(struct ws_ctx *ctx, u32 delay)
{
	unsigned long at = jiffies + delay;

	if (timer_pending(&ctx->timer) &&
	    time_before_eq(READ_ONCE(ctx->timer.expires), at))
		return;
	sk_reset_timer(ctx->sk, &ctx->timer, at);
}

/* A limit of @ms milliseconds in jiffies, at least 1. */
u32 ws_timer_jiffies(u32 ms)
{
	return max_t(u32, msecs_to_jiffies(ms), 1);
}

/* What is left of @limit milliseconds from @since on: jiffies, 0 when over. */
u32 ws_timer_left(u32 since, u32 limit)
{
	u32 gone = tcp_jiffies32 - since;

	limit = ws_timer_jiffies(limit);
	return gone < limit ? limit - gone : 0;
}
