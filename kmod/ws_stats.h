/* SPDX-License-Identifier: GPL-2.0-only */
/* Counters. */
#ifndef _WS_STATS_H
#define _WS_STATS_H

#include <linux/percpu.h>

#include "ws_ctx.h"

enum ws_mib {
	WS_MIB_CURR,
	WS_MIB_CURR_TLS_PAGES,
	WS_MIB_ATTACHED,
	WS_MIB_ATTACHED_TLS,
	WS_MIB_TLS_ERROR,
	WS_MIB_RX_MESSAGES,
	WS_MIB_RX_BYTES,
	WS_MIB_RX_PIECES,
	WS_MIB_RX_PING,
	WS_MIB_RX_PONG,
	WS_MIB_RX_CLOSE,
	WS_MIB_TX_MESSAGES,
	WS_MIB_TX_BYTES,
	WS_MIB_TX_REFERENCED,
	WS_MIB_TX_PING,
	WS_MIB_TX_PONG,
	WS_MIB_TX_CLOSE,
	WS_MIB_PONG_DROPPED,
	WS_MIB_NO_MEMORY,
	WS_MIB_LINGER,
	WS_MIB_LINGER_DROPPED,
	/* One for each rule, in the order of &enum ws_rule from 1 on. */
	WS_MIB_ERR,
	WS_MIB_MAX = WS_MIB_ERR + WS_RULE_MAX - 1
};

struct ws_mibs {
	unsigned long v[WS_MIB_MAX];
};

/* ws_stats.c */
int ws_stats_init(void);
void ws_stats_exit(void);
struct ws_mibs __percpu *ws_stats_of(const struct sock *sk);

/* Count @n, which may be negative for WS_MIB_CURR*. Any context. */
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
