/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters. Included by ws.h only. */
#ifndef _WS_STATS_H
#define _WS_STATS_H

/* ws_stats.c */
int ws_stats_init(void);
void ws_stats_exit(void);
struct ws_mibs __percpu *ws_stats_of(const struct sock *sk);

/**
 * ws_stats_add() - count something
 * @ctx: the socket it happened to
 * @mib: what
 * @n: how much; WS_MIB_CURR* also goes down
 *
 * Any context.
 */
static inline void ws_stats_add(const struct ws_ctx *ctx, enum ws_mib mib,
				long n)
{
	this_cpu_add(ctx->mibs->v[mib], n);
}

static inline void ws_stats_inc(const struct ws_ctx *ctx, enum ws_mib mib)
{
	ws_stats_add(ctx, mib, 1);
}

#endif /* _WS_STATS_H */
