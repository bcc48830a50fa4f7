/* SPDX-License-Identifier: GPL-2.0-only */
/* Where received messages go: nowhere, bytes, records, an array. */
#ifndef _WS_SINK_H
#define _WS_SINK_H

#include "ws_scan.h"
#include "ws_short_rx.h"

/**
 * struct ws_piece - a walk from a place to the end of a message, or not so far
 * @cur: where it stands
 * @len: payload bytes passed over
 * @copied: of which so many were copied
 * @opcode: of the message
 * @rsv: of the message, WS_RSV1 or 0
 * @end: it came to the end of the message
 */
struct ws_piece {
	struct ws_cursor cur;
	u64 len;
	size_t copied;
	u8 opcode;
	u8 rsv;
	bool end;
};

int ws_sink_walk(const struct ws_ctx *ctx, struct iov_iter *to, bool whole,
		 struct ws_piece *pc);
void ws_sink_add(struct ws_given *given, const struct ws_piece *pc);
int ws_sink_broken(struct ws_ctx *ctx);
void ws_sink_commit(struct ws_ctx *ctx, const struct ws_given *given);

/* Can what this call would give have come out of what was scanned? */
static inline bool ws_sink_is_sound(const struct ws_ctx *ctx,
				    const struct ws_given *given)
{
	const struct ws_rx *rx = &ctx->rx;

	return given->len <= rx->payload && given->messages <= rx->complete &&
	       ws_below_is_intact(ctx);
}

/**
 * struct ws_got - the result of a recvmsg()
 * @len: its result
 * @copied: less than @len when MSG_TRUNC passed over some
 * @msg: of the message; its flags and opcode are those of the last one
 * @reported: no control message is needed: it was written, or is in the record
 */
struct ws_got {
	size_t len;
	size_t copied;
	struct ws_msg msg;
	bool reported;
};

/* ws_batch.c */
ssize_t ws_record_room(const struct iov_iter *to, u64 len);
int ws_record_put(const struct ws_ctx *ctx, struct iov_iter *to,
		  const struct ws_msg *msg, struct ws_piece *pc);
int ws_batch_recv(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		  struct ws_got *got);

#endif /* _WS_SINK_H */
