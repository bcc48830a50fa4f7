/* SPDX-License-Identifier: GPL-2.0-only */
/* Many messages in one recvmsg(), between ws_batch.c and ws_plain.c. */
#ifndef _WS_BATCH_H
#define _WS_BATCH_H

#include "ws.h"

/**
 * struct ws_batch - one call
 * @ctx: the socket
 * @taken: what it gives so far
 * @used: bytes of the reader's buffer
 * @desc: WS_F_BATCH: one for each message; NULL for records
 * @max: room in @desc
 * @n: messages and pieces so far
 * @left: whole messages that are still there
 * @limit: where the bytes end that ws_plain_take() may look at
 * @last: the last record of ws_plain_take()
 * @end: the last one of @n ends its message
 * @unsure: it says WS_MSG_MORE before anybody has looked
 * @fresh: nobody has looked at what ws_plain_take() gets, or only at the first
 *	of it
 * @plain: ws_plain_take() may be tried
 * @vector: unmask with vector registers
 */
struct ws_batch {
	struct ws_ctx *ctx;
	struct ws_taken taken;
	size_t used;
	struct ws_msg *desc;
	u32 max;
	u32 n;
	u32 left;
	u32 limit;
	u8 __user *last;
	bool end;
	bool unsure;
	bool fresh;
	bool plain;
	bool vector;
};

/* ws_plain.c */
u32 ws_plain_take(struct ws_batch *b, const u8 *q, u32 n, u8 __user *u,
		  u32 room);

#endif /* _WS_BATCH_H */
