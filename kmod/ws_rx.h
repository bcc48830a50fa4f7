/* SPDX-License-Identifier: GPL-2.0-only */
/* Receiving. Included by ws.h only. */
#ifndef _WS_RX_H
#define _WS_RX_H

/* ws_rx.c */
void ws_rx_look(struct ws_ctx *ctx, bool first);
void ws_rx_scan_all(struct ws_ctx *ctx);
u64 ws_rx_offset(const struct ws_ctx *ctx);
void ws_rx_fault(struct ws_ctx *ctx, enum ws_rule rule);
void ws_rx_closed(struct ws_ctx *ctx);

/* ws_rx_room.c */
void ws_rx_trim(struct ws_ctx *ctx);
void ws_rx_end(struct ws_ctx *ctx);
bool ws_rx_pressed(const struct ws_ctx *ctx);
bool ws_rx_unread(const struct ws_ctx *ctx);
void ws_rx_relieve(struct ws_ctx *ctx);

/* ws_rx_ready.c */
void ws_rx_begin(struct ws_ctx *ctx);
void ws_rx_start(struct ws_ctx *ctx);
void ws_rx_want(struct ws_ctx *ctx);
void ws_rx_wake(struct ws_ctx *ctx);
void ws_rx_arrived(struct ws_ctx *ctx);
void ws_rx_data_ready(struct sock *sk);

static inline void ws_rx_scan(struct ws_ctx *ctx)
{
	ws_rx_look(ctx, false);
}

/*
 * How much of an incomplete message may wait for the rest. The peer pays for it
 * with bytes that the program has read, as it does for the growth of TCP's
 * receive buffer; but for a length that any connection may have. What is larger
 * comes in pieces. With the socket lock; without, a hint. Return: payload
 * bytes.
 */
static inline u64 ws_rx_credit(const struct ws_ctx *ctx)
{
	return max_t(u64, READ_ONCE(ctx->info.rx_bytes) / 2, SZ_64K);
}

/* Is it too late for another role? The first I/O may have been a poll(). */
static inline bool ws_rx_is_settled(const struct ws_ctx *ctx)
{
	return ctx->rx.started || READ_ONCE(ctx->rx.wanted);
}

/* Does a part of a message wait in the queue for the rest? Socket lock. */
static inline bool ws_rx_parked(const struct ws_ctx *ctx)
{
	const struct ws_rx *rx = &ctx->rx;

	return rx->payload && !rx->complete && rx->stop == WS_STOP_NONE;
}

/*
 * Would a reader get anything but EAGAIN? The end of TCP's stream is for the
 * caller to see. Without the lock the answer is a hint.
 */
static inline bool ws_rx_readable(const struct ws_ctx *ctx)
{
	const struct ws_rx *rx = &ctx->rx;

	if (READ_ONCE(rx->complete))
		return true;
	if (READ_ONCE(rx->stop) != WS_STOP_NONE)
		return !ws_tls_awaits(ctx);
	/* data_race(): poll() asks without the lock, and asks again when woken. */
	return READ_ONCE(rx->payload) && data_race(ws_rx_pressed(ctx));
}

/* ws_copy.c */
int ws_copy_unmask(struct iov_iter *to, const u8 *p, u32 n, u32 key,
		   u64 ahead);

/* ws_piece.c */

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

/**
 * struct ws_taken - what one call gives the reader
 * @cur: where it leaves the reader
 * @len: payload bytes
 * @messages: how many messages it ends
 * @pieces: how many pieces of messages it gives that do not end them
 */
struct ws_taken {
	struct ws_cursor cur;
	u64 len;
	u32 messages;
	u32 pieces;
};

int ws_piece_walk(const struct ws_ctx *ctx, struct iov_iter *to, bool whole,
		  struct ws_piece *pc);
void ws_piece_take(struct ws_taken *taken, const struct ws_piece *pc);
int ws_piece_broken(struct ws_ctx *ctx);
void ws_piece_commit(struct ws_ctx *ctx, const struct ws_taken *taken);

/* Can what this call would give have come out of what was scanned? */
static inline bool ws_piece_sound(const struct ws_ctx *ctx,
				  const struct ws_taken *taken)
{
	const struct ws_rx *rx = &ctx->rx;

	return taken->len <= rx->payload && taken->messages <= rx->complete &&
	       (ctx->tls || tcp_sk(ctx->sk)->copied_seq == ws_rx_copied(rx));
}

/* ws_batch.c */

/**
 * struct ws_got - what recvmsg() has to tell
 * @len: its result
 * @copied: less than @len when MSG_TRUNC passed over some
 * @msg: of the message; its flags and opcode are those of the last one
 * @told: the caller needs no control message any more
 */
struct ws_got {
	size_t len;
	size_t copied;
	struct ws_msg msg;
	bool told;
};

ssize_t ws_record_room(const struct iov_iter *to, u64 len);
int ws_record_put(const struct ws_ctx *ctx, struct iov_iter *to,
		  const struct ws_msg *msg, struct ws_piece *pc);
int ws_batch_recv(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		  struct ws_got *got);

/* ws_plain.c */
bool ws_plain_one(const struct ws_ctx *ctx, const u8 *q, u32 size,
		  u8 __user *to, size_t room, bool record,
		  struct ws_plain *one);

/* ws_recv.c */
int ws_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags,
	       int *addr_len);
int ws_recv_len(struct ws_ctx *ctx);

#endif /* _WS_RX_H */
