/* SPDX-License-Identifier: GPL-2.0-only */
/* The frames of many short messages, built in one loop. */
#ifndef _WS_SHORT_TX_H
#define _WS_SHORT_TX_H

#include "ws_stats.h"

/* Longer payloads are frames of their own, see ws_send_frame(). */
#define WS_SHORT_BUILD_MAX		4096

/**
 * struct ws_built - frames that were built together
 * @len: payload bytes
 * @messages: how many messages it ends
 * @in: bytes of the writer's memory
 * @out: bytes of frames
 */
struct ws_built {
	u64 len;
	u32 messages;
	u32 in;
	u32 out;
};

/* Messages are on their way. */
static inline void ws_built_count(struct ws_ctx *ctx, const struct ws_built *b)
{
	ctx->info.tx_messages += b->messages;
	ws_stats_add(ctx, WS_MIB_TX_MESSAGES, b->messages);
	ctx->info.tx_bytes += b->len;
	ws_stats_add(ctx, WS_MIB_TX_BYTES, b->len);
}

void ws_short_build_records(u8 opcode, const u8 __user *from, const u8 __user *end,
			    u8 *to, struct ws_built *sum);
void ws_short_build_array(u8 opcode, const struct ws_msg *msgs, u32 count,
			  const u8 __user *from, size_t in, u8 *to, size_t room,
			  struct ws_built *sum);

#endif /* _WS_SHORT_TX_H */
