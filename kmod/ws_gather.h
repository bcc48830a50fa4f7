/* SPDX-License-Identifier: GPL-2.0-only */
/* Many messages in one sendmsg(), between the files that deal with them. */
#ifndef _WS_GATHER_H
#define _WS_GATHER_H

#include "ws.h"

/* Longer payloads get a run of their own, see ws_send_frame(). */
#define WS_GATHER_MAX		4096

/**
 * struct ws_gathered - what a run of frames has in it
 * @len: payload bytes
 * @messages: how many messages it ends
 * @in: bytes of the writer's memory
 * @out: bytes of frames
 */
struct ws_gathered {
	u64 len;
	u32 messages;
	u32 in;
	u32 out;
};

/**
 * ws_gathered_count() - messages are on their way
 * @ctx: the socket
 * @g: what they are
 */
static inline void ws_gathered_count(struct ws_ctx *ctx,
				     const struct ws_gathered *g)
{
	ctx->info.tx_messages += g->messages;
	ws_stats_add(ctx, WS_MIB_TX_MESSAGES, g->messages);
	ctx->info.tx_bytes += g->len;
	ws_stats_add(ctx, WS_MIB_TX_BYTES, g->len);
}

/* ws_gather.c */
void ws_gather_records(u8 opcode, const u8 __user *from, const u8 __user *end,
		       u8 *to, struct ws_gathered *sum);
void ws_gather_array(u8 opcode, const struct ws_msg *msgs, u32 count,
		     const u8 __user *from, size_t in, u8 *to, size_t room,
		     struct ws_gathered *sum);

#endif /* _WS_GATHER_H */
