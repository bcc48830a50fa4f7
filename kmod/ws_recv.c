// SPDX-License-Identifier: GPL-2.0-only
/*
 * recvmsg(): the reader's way through the stream that ws_rx.c has scanned.
 * Bytes are unmasked on their way from TCP's queue to user memory and given
 * back to TCP only when all that can fail has succeeded, so a bad pointer
 * loses nothing and MSG_PEEK needs no copy.
 */
#include "ws.h"

/* Return: 0, -EFAULT, or -EIO when the stream has no such bytes any more. */
static int copy_out(const struct ws_ctx *ctx, struct ws_run *run, u32 seq,
		    u32 n, u32 key, struct iov_iter *to)
{
	while (n) {
		const u8 *p;
		u32 len;
		int err;

		p = ws_lower_run(ctx, run, seq, &len);
		if (!p)
			return -EIO;
		len = min(len, n);
		err = ws_copy_unmask(to, p, len, key);
		if (err)
			return err;
		key = ws_key_rotate(key, len);
		seq += len;
		n -= len;
	}
	return 0;
}

/*
 * Step over one header between @cur and @limit. The scanner has judged it,
 * but its bytes may have changed since (see ws_lower.c), so nothing is taken
 * for granted here but that @limit may not be passed.
 */
static int next_frame(const struct ws_ctx *ctx, struct ws_cursor *cur,
		      struct ws_run *run, u32 limit)
{
	struct ws_hdr hdr;
	int size;

	size = ws_lower_header(ctx, run, cur->seq, limit - cur->seq, &hdr);
	if (size <= 0)
		return -EIO;
	if (hdr.opcode >= WS_OP_CLOSE && hdr.opcode <= WS_OP_PONG) {
		if (hdr.len > limit - cur->seq - size)
			return -EIO;
		cur->seq += size + hdr.len;
		return 0;
	}
	if (hdr.opcode > WS_OP_BINARY || !hdr.opcode != !!cur->opcode)
		return -EIO;
	if (hdr.opcode) {
		cur->opcode = hdr.opcode;
		cur->rsv = hdr.rsv & WS_RSV1;
	}
	cur->seq += size;
	cur->left = hdr.len;
	cur->key = hdr.key;
	cur->fin = hdr.fin;
	cur->frame = true;
	return 0;
}

struct piece {
	struct ws_cursor cur;	/* where the reader stands after it */
	u64 len;		/* payload bytes passed over */
	size_t copied;		/* of which so many were copied */
	u8 opcode;		/* of its message */
	u8 rsv;			/* the same */
	bool end;		/* it ends its message */
};

/*
 * Walk from the reader's place to the end of the message, of the room in @to,
 * or of what was scanned. @to may be NULL: nothing is copied. With @whole the
 * walk goes on without copying when the room is used up.
 */
static int read_piece(const struct ws_ctx *ctx, struct iov_iter *to,
		      bool whole, struct piece *pc)
{
	u32 limit = ctx->rx.scan.seq;
	struct ws_cursor *cur = &pc->cur;
	struct ws_run run = {};
	int err = 0;

	for (;;) {
		size_t room = to ? iov_iter_count(to) : 0;
		u32 n, copy;

		if (!cur->frame) {
			if (cur->seq == limit)
				break;
			err = next_frame(ctx, cur, &run, limit);
			if (err)
				break;
			pc->opcode = cur->opcode;
			pc->rsv = cur->rsv;
			continue;
		}

		n = min_t(u64, cur->left, limit - cur->seq);
		copy = min_t(size_t, n, room);
		if (copy) {
			err = copy_out(ctx, &run, cur->seq, copy, cur->key,
				       to);
			if (err)
				break;
			pc->copied += copy;
		}
		if (!whole)
			n = copy;
		cur->seq += n;
		cur->left -= n;
		cur->key = ws_key_rotate(cur->key, n);
		pc->len += n;
		if (cur->left)
			break;
		cur->frame = false;
		if (cur->fin) {
			pc->end = true;
			cur->opcode = 0;
			break;
		}
	}
	ws_lower_run_end(&run);
	return err;
}

/* What one recvmsg() has got so far, of one message. */
struct got {
	size_t len;
	size_t copied;
	u16 code;
	u8 opcode;
	u8 rsv;
	bool end;
};

static void got_piece(struct got *got, const struct piece *pc)
{
	got->len += pc->len;
	got->copied += pc->copied;
	got->opcode = pc->opcode;
	got->rsv = pc->rsv;
	got->end = pc->end;
}

static void put_msg(struct msghdr *msg, const struct got *got)
{
	struct ws_msg m = {
		.len = got->copied,
		.opcode = got->opcode,
		.flags = (got->end ? WS_MSG_END : 0) |
			 (got->rsv ? WS_MSG_RSV1 : 0),
		.code = got->code,
	};

	if (got->end)
		msg->msg_flags |= MSG_EOR;
	if (got->len > got->copied)
		msg->msg_flags |= MSG_TRUNC;
	if (msg->msg_control && msg->msg_controllen)
		put_cmsg(msg, SOL_WS, WS_MSG, sizeof(m), &m);
}

/* The stream is not what it was when it was scanned: end it here. */
static void stream_fault(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;

	if (rx->stop == WS_STOP_CLOSE)
		WRITE_ONCE(rx->stop, WS_STOP_NONE);
	WRITE_ONCE(rx->complete, 0);
	WRITE_ONCE(rx->payload, 0);
	ws_rx_fault(ctx, WS_RULE_STREAM);
}

static void commit(struct ws_ctx *ctx, const struct piece *pc)
{
	struct ws_rx *rx = &ctx->rx;

	WRITE_ONCE(rx->payload, rx->payload - pc->len);
	ctx->info.rx_bytes += pc->len;
	ws_stats_add(ctx, WS_MIB_RX_BYTES, pc->len);
	if (pc->end) {
		WRITE_ONCE(rx->complete, rx->complete - 1);
		ctx->info.rx_messages++;
		ws_stats_inc(ctx, WS_MIB_RX_MESSAGES);
	} else {
		ws_stats_inc(ctx, WS_MIB_RX_PIECES);
	}
	if (ws_timer_watches(ctx) && ws_rx_pressed(ctx))
		ws_timer_excuse(ctx);
	ws_lower_consume(ctx, pc->cur.seq);
	rx->head = pc->cur;
	ws_rx_trim(ctx);
	ws_rx_relieve(ctx);
}

/*
 * One piece of the message at the front. Return: 0, -EFAULT, or -EAGAIN when
 * the stream turned out to be broken and the caller must look again.
 */
static int recv_data(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		     struct got *got)
{
	struct piece pc = { .cur = ctx->rx.head,
			    .opcode = ctx->rx.head.opcode,
			    .rsv = ctx->rx.head.rsv };
	size_t room = msg_data_left(msg);
	bool whole = flags & MSG_TRUNC;
	bool complete = ctx->rx.complete;
	bool broken;
	int err;

	err = read_piece(ctx, &msg->msg_iter, whole, &pc);
	if (err == -EFAULT)
		return err;
	if (complete)	/* has an end, or the buffer is too small for it */
		broken = !pc.end && (whole || pc.copied < room);
	else
		broken = pc.end || (!pc.len && room);
	if (err || broken || pc.len > ctx->rx.payload ||
	    tcp_sk(ctx->sk)->copied_seq != ctx->rx.copied) {
		stream_fault(ctx);
		return -EAGAIN;
	}
	if (!(flags & MSG_PEEK) && (pc.len || pc.end))
		commit(ctx, &pc);
	got_piece(got, &pc);
	return 0;
}

static bool shows_cmsg(const struct msghdr *msg, int flags)
{
	size_t head = flags & MSG_CMSG_COMPAT ? 3 * sizeof(u32) :
						sizeof(struct cmsghdr);

	return msg->msg_control &&
	       msg->msg_controllen >= head + sizeof(struct ws_msg);
}

/*
 * The peer's Close, given to a reader that takes control messages; a plain
 * read() sees the end of the file. The answer goes out now and not when the
 * Close arrived, so that replies to what came before it still could.
 */
static int recv_close(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		      struct got *got)
{
	struct ws_rx *rx = &ctx->rx;
	bool shown = shows_cmsg(msg, flags);
	bool first = rx->head.opcode != WS_OP_CLOSE;
	struct piece pc = { .cur = rx->head, .opcode = WS_OP_CLOSE };

	if (first)
		pc.cur = (struct ws_cursor){
			.seq = rx->scan.seq - rx->close_len,
			.left = rx->close_len,
			.key = rx->close_key,
			.opcode = WS_OP_CLOSE,
			.frame = true,
			.fin = true,
		};
	if (shown) {
		int err = read_piece(ctx, &msg->msg_iter, flags & MSG_TRUNC,
				     &pc);

		if (err == -EFAULT)
			return err;
		if (err)
			pc.end = true;
		got_piece(got, &pc);
		got->code = rx->close_code;
	} else {
		pc.end = true;
	}
	if (flags & MSG_PEEK)
		return shown;

	if (first)
		ws_rx_closed(ctx);
	ws_lower_consume(ctx, pc.cur.seq);
	rx->head = pc.cur;
	if (pc.end) {
		WRITE_ONCE(rx->stop, WS_STOP_OVER);
		ws_rx_scan(ctx);
	}
	return shown;
}

static int recv_fault(struct ws_ctx *ctx, int flags)
{
	struct ws_rx *rx = &ctx->rx;
	u16 code = ws_rule_code(rx->rule);

	if (!(flags & MSG_PEEK)) {
		ctx->info.state |= WS_STATE_FAILED;
		ctx->info.rule = rx->rule;
		ctx->info.fault_offset = rx->fault_offset;
		WRITE_ONCE(rx->payload, 0);
		WRITE_ONCE(rx->stop, WS_STOP_OVER);
		ws_ctrl_fin(ctx);
		ws_ctrl_close(ctx, code);
		ws_rx_scan(ctx);
	}
	return ws_rule_errno(rx->rule);
}

static bool stream_ended(const struct sock *sk)
{
	return READ_ONCE(sk->sk_err) ||
	       (READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN) ||
	       sock_flag(sk, SOCK_DONE) ||
	       inet_sk_state_load(sk) == TCP_CLOSE;
}

/* Return: 1 for something to read, 0 for the end, or a negated errno. */
static int wait_readable(struct ws_ctx *ctx, long *timeo)
{
	struct sock *sk = ctx->sk;

	for (;;) {
		DEFINE_WAIT_FUNC(wait, woken_wake_function);

		/* What is complete was looked at when it came. */
		if (!ctx->rx.complete)
			ws_rx_scan(ctx);
		if (ws_rx_readable(ctx))
			return 1;
		if (sk->sk_err)
			return sock_error(sk);
		if (sock_flag(sk, SOCK_DONE) ||
		    (sk->sk_shutdown & RCV_SHUTDOWN)) {
			if (sock_flag(sk, SOCK_DONE))
				ctx->info.state |= WS_STATE_EOF;
			return 0;
		}
		if (sk->sk_state == TCP_CLOSE)
			return -ENOTCONN;
		if (!*timeo)
			return -EAGAIN;
		if (signal_pending(current))
			return sock_intr_errno(*timeo);

		ws_tx_flush(ctx);
		ws_ctrl_kick(ctx);
		add_wait_queue(sk_sleep(sk), &wait);
		sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
		sk_wait_event(sk, timeo,
			      ws_rx_readable(ctx) || stream_ended(sk), &wait);
		sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
		remove_wait_queue(sk_sleep(sk), &wait);
	}
}

/* Return: 1 with @got filled in, 0 for the end, or a negated errno. */
static int recv_locked(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		       long timeo, struct got *got)
{
	struct ws_rx *rx = &ctx->rx;
	u64 at = 0;
	bool any = false;

	for (;;) {
		int ret = wait_readable(ctx, &timeo);

		if (ret <= 0)
			return any ? 1 : ret;
		/* Another reader took what comes next. */
		if (any && rx->consumed != at)
			return 1;
		if (!rx->complete && rx->stop != WS_STOP_NONE) {
			if (any)
				return 1;
			if (rx->stop == WS_STOP_CLOSE)
				return recv_close(ctx, msg, flags, got);
			if (rx->stop == WS_STOP_FAULT)
				return recv_fault(ctx, flags);
			return 0;
		}
		ret = recv_data(ctx, msg, flags, got);
		if (ret == -EAGAIN)
			continue;
		if (ret)
			return any ? 1 : ret;
		any = true;
		at = rx->consumed;
		if (got->end || !msg_data_left(msg) ||
		    (flags & (MSG_WAITALL | MSG_PEEK)) != MSG_WAITALL)
			return 1;
	}
}

/**
 * ws_recvmsg() - proto.recvmsg of an attached socket
 * @sk: the socket
 * @msg: one message, or a piece of one, goes here
 * @len: room
 * @flags: MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, MSG_WAITALL
 * @addr_len: left alone
 *
 * See ws(7). May sleep; takes the socket lock.
 *
 * Return: payload bytes, 0 at the end or for an empty message, or a negated
 * errno.
 */
int ws_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags,
	       int *addr_len)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);
	struct got got = {};
	int ret;

	if (flags & MSG_ERRQUEUE)
		return ws_compat_recvmsg(ctx->slot->lower_prot, sk, msg, len,
					 flags, addr_len);
	if (flags & MSG_OOB)
		return -EOPNOTSUPP;

	lock_sock(sk);
	ws_rx_start(ctx);
	ret = recv_locked(ctx, msg, flags,
			  sock_rcvtimeo(sk, flags & MSG_DONTWAIT), &got);
	if (ret > 0) {
		put_msg(msg, &got);
		ret = got.len;
	}
	if (msg->msg_get_inq)
		msg->msg_inq = ws_rx_readable(ctx);
	if (ws_ctrl_pending(ctx)) {
		ws_tx_flush(ctx);
		ws_ctrl_kick(ctx);
	}
	release_sock(sk);
	return ret;
}

/**
 * ws_recv_len() - how much the next recvmsg() would give
 * @ctx: the socket
 *
 * Process context, socket lock.
 *
 * Return: payload bytes; 0 if it would not give a data message.
 */
int ws_recv_len(struct ws_ctx *ctx)
{
	struct piece pc = { .cur = ctx->rx.head };

	ws_rx_scan(ctx);
	if (!ctx->rx.complete &&
	    (ctx->rx.stop != WS_STOP_NONE || !ws_rx_readable(ctx)))
		return 0;
	pc.cur = ctx->rx.head;
	if (read_piece(ctx, NULL, true, &pc))
		return 0;
	return min_t(u64, pc.len, INT_MAX);
}
