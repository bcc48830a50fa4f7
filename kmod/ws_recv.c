// SPDX-License-Identifier: GPL-2.0-only
/* recvmsg(): one message per call; ws_batch.c has the form for many. */
#include "ws_ctrl.h"
#include "ws_event.h"
#include "ws_sink.h"
#include "ws_stream.h"
#include "ws_sys.h"
#include "ws_tls_alert.h"

static void add_piece(struct ws_got *got, const struct ws_piece *pc)
{
	got->len += pc->len;
	got->copied += pc->copied;
	got->msg.len = got->copied;
	got->msg.opcode = pc->opcode;
	got->msg.flags = (pc->end ? WS_MSG_END : 0) |
			 (pc->rsv ? WS_MSG_RSV1 : 0);
}

static void put_result(struct msghdr *msg, struct ws_got *got)
{
	if (got->msg.flags & WS_MSG_END)
		msg->msg_flags |= MSG_EOR;
	if (got->len > got->copied)
		msg->msg_flags |= MSG_TRUNC;
	if (!got->reported && msg->msg_control && msg->msg_controllen)
		put_cmsg(msg, SOL_WS, WS_MSG, sizeof(got->msg), &got->msg);
}

/*
 * One piece of the message at the front. Return: 0, -EFAULT, or -EAGAIN when
 * the stream turned out to be broken and the caller must look again.
 */
static int recv_data(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		     struct ws_got *got)
{
	struct ws_piece pc = { .cur = ctx->rx.head };
	size_t room = msg_data_left(msg);
	bool whole = flags & MSG_TRUNC;
	struct ws_given given = {};
	bool broken;
	int err;

	err = ws_sink_walk(ctx, &msg->msg_iter, whole, &pc);
	if (err == -EFAULT)
		return err;
	/*
	 * A complete message must end, unless the buffer is full; an incomplete
	 * one must not end, and must have bytes.
	 */
	if (ctx->rx.complete)
		broken = !pc.end && (whole || pc.copied < room);
	else
		broken = pc.end || (!pc.len && room);
	ws_sink_add(&given, &pc);
	if (err || broken || !ws_sink_is_sound(ctx, &given))
		return ws_sink_broken(ctx);
	if (!(flags & MSG_PEEK) && (pc.len || pc.end))
		ws_sink_commit(ctx, &given);
	add_piece(got, &pc);
	return 0;
}

static bool shows_cmsg(const struct msghdr *msg, int flags)
{
	size_t head = flags & MSG_CMSG_COMPAT ? 3 * sizeof(u32) :
						sizeof(struct cmsghdr);

	return msg->msg_control &&
	       msg->msg_controllen >= head + sizeof(struct ws_msg);
}

/* Return: 0, -EINVAL or -EFAULT; the Close is then still there. */
static int copy_close(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		      struct ws_piece *pc, struct ws_got *got)
{
	struct ws_msg *m = &got->msg;
	ssize_t room;
	int err;

	m->opcode = WS_OP_CLOSE;
	m->code = ctx->rx.close_code;
	if (ctx->cfg.flags & WS_F_RECORDS) {
		room = ws_record_room(&msg->msg_iter, pc->cur.left);
		if (room < 0)
			return room;
		m->len = room;
		m->flags = room == pc->cur.left ? WS_MSG_END : 0;
		err = ws_record_put(ctx, &msg->msg_iter, m, pc);
		got->len = WS_RECORD_SIZE(room);
		got->copied = got->len;
		got->reported = true;
	} else {
		err = ws_sink_walk(ctx, &msg->msg_iter, flags & MSG_TRUNC, pc);
	}
	if (err == -EFAULT)
		return err;
	if (err)
		pc->end = true;
	if (!got->reported)
		add_piece(got, pc);
	return 0;
}

/* What is left of the Close for the reader: at first the whole reason. */
static struct ws_cursor close_cursor(const struct ws_rx *rx)
{
	if (rx->head.opcode == WS_OP_CLOSE)
		return rx->head;
	return (struct ws_cursor){
		.seq = rx->scan.seq - rx->close_len,
		.left = rx->close_len,
		.key = rx->close_key,
		.opcode = WS_OP_CLOSE,
		.frame = true,
		.fin = true,
	};
}

/*
 * The peer's Close, given to a reader that takes control messages; read()
 * without them sees the end of the file. Unless WS_F_CLOSE is set it is
 * answered now and not when it arrived, so that replies to what came before it
 * could still be sent. Return: 1 if @got has the Close, 0 for the end of the
 * file, or a negated errno.
 */
static int recv_close(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		      struct ws_got *got)
{
	struct ws_rx *rx = &ctx->rx;
	bool shown = ctx->cfg.flags & WS_F_RECORDS || shows_cmsg(msg, flags);
	bool first = rx->head.opcode != WS_OP_CLOSE;
	struct ws_piece pc = { .cur = close_cursor(rx) };
	int err;

	if (shown) {
		err = copy_close(ctx, msg, flags, &pc, got);
		if (err)
			return err;
	} else {
		pc.end = true;
	}
	if (flags & MSG_PEEK)
		return shown;

	if (first)
		ws_ctrl_closed(ctx);
	ws_stream_consume(ctx, &pc.cur);
	if (pc.end) {
		WRITE_ONCE(rx->stop, WS_STOP_OVER);
		/* Drops what is behind it, see scan_begin(). */
		ws_scan_arrived(ctx);
	}
	return shown;
}

/*
 * With WS_F_CLOSE the program may still have replies to send: the Close, and
 * FIN behind it, wait for shutdown(), close(), or a Close of the program's.
 */
static int recv_fault(struct ws_ctx *ctx, int flags)
{
	struct ws_rx *rx = &ctx->rx;

	if (!(flags & MSG_PEEK)) {
		rx->state |= WS_STATE_FAILED;
		WRITE_ONCE(rx->payload, 0);
		WRITE_ONCE(rx->stop, WS_STOP_OVER);
		ws_ctrl_fin(ctx);
		if (!(ctx->cfg.flags & WS_F_CLOSE))
			ws_ctrl_close(ctx, ws_rule_code(rx->rule));
		ws_scan_arrived(ctx);
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
static noinline int wait_readable(struct ws_ctx *ctx, long *timeo)
{
	struct sock *sk = ctx->sk;
	bool look_again = ctx->tls;

	for (;;) {
		DEFINE_WAIT_FUNC(wait, woken_wake_function);
		int err;

		/* Complete messages were scanned when they came. */
		if (!ctx->rx.complete) {
			ws_scan_arrived(ctx);
			ws_scan_rest(ctx);
			/* Other readers of kTLS may wait for one. */
			if (ctx->tls && ctx->rx.complete > 1)
				ws_event_wake(ctx);
		}
		if (ws_rx_readable(ctx))
			return 1;
		/*
		 * On kTLS the end may have come after the scan, with messages
		 * before it.
		 */
		if (look_again && stream_ended(sk)) {
			look_again = false;
			continue;
		}
		if (sk->sk_err)
			return sock_error(sk);
		if (ws_below_more(ctx)) {
			err = ws_check_sleep(*timeo);
			if (err)
				return err;
			cond_resched();
			continue;
		}
		if (ws_below_starved(ctx))
			return -ENOMEM;
		if (ws_below_over(ctx) || (sk->sk_shutdown & RCV_SHUTDOWN)) {
			if (ws_below_over(ctx))
				ctx->rx.state |= WS_STATE_EOF;
			return 0;
		}
		if (sk->sk_state == TCP_CLOSE)
			return -ENOTCONN;
		err = ws_check_sleep(*timeo);
		if (err)
			return err;

		ws_event_send(ctx);
		add_wait_queue(sk_sleep(sk), &wait);
		sk_set_bit(SOCKWQ_ASYNC_WAITDATA, sk);
		ws_tls_sleep(ctx, true);
		ws_wait_event(ctx, timeo, ws_rx_readable(ctx) ||
			      stream_ended(sk) || ws_below_more(ctx), &wait);
		ws_tls_sleep(ctx, false);
		sk_clear_bit(SOCKWQ_ASYNC_WAITDATA, sk);
		remove_wait_queue(sk_sleep(sk), &wait);
	}
}

/* Return: 1 with @got filled in, 0 for the end, or a negated errno. */
static noinline int recv_locked(struct ws_ctx *ctx, struct msghdr *msg,
				int flags, long timeo, struct ws_got *got)
{
	struct ws_rx *rx = &ctx->rx;
	u64 at = 0;
	bool any = false;

	for (;;) {
		int ret = 1;

		if (!rx->complete)
			ret = wait_readable(ctx, &timeo);
		if (ret <= 0)
			return any ? 1 : ret;
		if (unlikely(rx->lazy && !rx->first_only))
			ws_scan_rest(ctx);
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
			/*
			 * WS_STOP_OVER: the end; on kTLS maybe close_notify
			 * first.
			 */
			return ctx->tls ?
			       ws_tls_recv_alert(ctx, msg, flags, got) : 0;
		}
		if (ctx->cfg.flags & WS_F_RECORDS ||
		    (ctx->cfg.flags & WS_F_BATCH && shows_cmsg(msg, flags))) {
			ret = ws_batch_recv(ctx, msg, flags, got);
			if (ret == -EAGAIN)
				continue;
			return ret;
		}
		ws_scan_rest(ctx);
		ret = recv_data(ctx, msg, flags, got);
		if (ret == -EAGAIN)
			continue;
		if (ret)
			return any ? 1 : ret;
		any = true;
		at = rx->consumed;
		if (got->msg.flags & WS_MSG_END || !msg_data_left(msg) ||
		    (flags & (MSG_WAITALL | MSG_PEEK)) != MSG_WAITALL)
			return 1;
	}
}

/*
 * The message at the front if it is like most, whole, short and of one frame,
 * and all that this call can give. Return: false for anything else.
 */
static bool recv_one(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		     struct ws_got *got)
{
	const struct ws_rx *rx = &ctx->rx;
	bool many = ctx->cfg.flags & (WS_F_RECORDS | WS_F_BATCH);
	bool record = ctx->cfg.flags & WS_F_RECORDS;
	struct ws_given given = {};
	size_t room = INT_MAX;
	struct ws_short one;
	u8 __user *user;
	const u8 *q;
	u32 size;

	if (!WS_SHORT || !rx->complete || rx->lazy || rx->head.frame ||
	    rx->head.opcode ||
	    (many && (rx->complete > 1 || rx->stop != WS_STOP_NONE)))
		return false;
	q = ws_below_front(ctx, rx->head.seq, &size);
	user = ws_compat_iter_user(&msg->msg_iter, &room);
	if (!q || !user ||
	    !ws_short_copy_one(ctx, q, min(size, rx->scan.seq - rx->head.seq),
			       user, room, record, &one))
		return false;
	given.cur.seq = rx->head.seq + one.size;
	given.len = one.len;
	given.messages = 1;
	if (unlikely(!ws_sink_is_sound(ctx, &given)))
		return false;
	if (!(flags & MSG_PEEK))
		ws_sink_commit(ctx, &given);

	got->len = record ? WS_RECORD_SIZE(one.len) : one.len;
	got->copied = got->len;
	got->reported = record;
	got->msg.len = one.len;
	got->msg.opcode = one.opcode;
	got->msg.flags = WS_MSG_END;
	iov_iter_advance(&msg->msg_iter, got->len);
	return true;
}

/* A buffer of length 0 takes nothing of a message that has bytes. */
static bool gave_data(const struct ws_got *got)
{
	return !ws_op_is_control(got->msg.opcode) &&
	       (got->len || got->msg.flags & WS_MSG_END);
}

/*
 * proto.recvmsg of an attached socket: one message, a piece of one, or many,
 * see ws(7). @flags: MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, MSG_WAITALL. May sleep;
 * takes the lock of the context. Return: payload bytes, 0 at the end or for an
 * empty message, or a negated errno.
 */
int ws_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags,
	       int *addr_len)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);
	struct ws_got got = {};
	int ret;

	if (unlikely(!ctx))
		return -EBADFD;
	if (unlikely(flags & MSG_ERRQUEUE))
		return ws_compat_recvmsg(ws_saved_of(ctx)->prot, sk, msg, len,
					 flags, addr_len);
	if (unlikely(flags & MSG_OOB))
		return -EOPNOTSUPP;
	/* data_race(): settings that change meanwhile count as old or new. */
	if (data_race(ctx->cfg.flags & WS_F_RECORDS) &&
	    (flags & MSG_TRUNC || len < sizeof(struct ws_msg)))
		return -EINVAL;

	ws_lock(ctx);
	if (unlikely(!ctx->rx.started))
		ws_event_start_parser(ctx);
	ret = 1;
	if (!recv_one(ctx, msg, flags, &got))
		ret = recv_locked(ctx, msg, flags,
				  sock_rcvtimeo(sk, flags & MSG_DONTWAIT),
				  &got);
	if (ret > 0) {
		if (!(flags & MSG_PEEK) && gave_data(&got))
			ctx->info.rx_calls++;
		put_result(msg, &got);
		ret = got.len;
	}
	ws_event_recv_done(ctx);
	if (msg->msg_get_inq)
		msg->msg_inq = ws_rx_readable(ctx);
	if (!ws_ctrl_quiet(ctx))
		ws_event_send(ctx);
	ws_unlock(ctx);
	return ret;
}

/*
 * How much the next recvmsg() would give. Process context, lock of the context.
 * Return: payload bytes, or the size of the record; 0 if it would not give a
 * data message, or nothing in the form of records.
 */
int ws_recv_len(struct ws_ctx *ctx)
{
	bool records = ctx->cfg.flags & WS_F_RECORDS;
	struct ws_piece pc = {};

	ws_scan_arrived(ctx);
	ws_scan_rest(ctx);
	if (!ctx->rx.complete && ctx->rx.stop == WS_STOP_CLOSE && records)
		return WS_RECORD_SIZE(close_cursor(&ctx->rx).left);
	if (!ctx->rx.complete &&
	    (ctx->rx.stop != WS_STOP_NONE || !ws_rx_readable(ctx)))
		return 0;
	pc.cur = ctx->rx.head;
	if (ws_sink_walk(ctx, NULL, true, &pc))
		return 0;
	return min_t(u64, records ? WS_RECORD_SIZE(pc.len) : pc.len, INT_MAX);
}
