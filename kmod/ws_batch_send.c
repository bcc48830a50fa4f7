// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many messages in one sendmsg(): WS_F_RECORDS and WS_F_BATCH. Frames are
 * built one behind the other in page fragments of our own and go to TCP in
 * one piece, as if they were one frame (ws_tx.c).
 */
#include <linux/random.h>
#include <linux/uaccess.h>

#include "ws.h"

/* Longer payloads get a run of their own, see ws_send_frame(). */
#define PLAIN_MAX	4096
/* What a frame takes at most, and how far copying by words may overshoot. */
#define PLAIN_ROOM(n)	((n) + WS_HDR_MAX + 8)

/* What a run of frames has in it. */
struct gathered {
	u64 len;
	u32 messages;
	u32 in;
	u32 out;
};

/* Within a user-access section; false for a fault. */
static __always_inline bool get_one(u8 *q, const u8 __user *p)
{
	u64 w;

	unsafe_get_user(w, (const u64 __user *)p, fault);
	ws_word_put(q, w);
	return true;
fault:
	return false;
}

static __always_inline bool get_four(u8 *q, const u8 __user *p)
{
	return get_one(q, p) && get_one(q + 8, p + 8) &&
	       get_one(q + 16, p + 16) && get_one(q + 24, p + 24);
}

/* The header of a short message's frame; return: where the payload goes. */
static __always_inline u8 *put_header(u8 *to, u32 opcode, u32 n)
{
	if (likely(n < 126)) {
		((struct ws_u16 *)to)->v = 0x80 | opcode | n << 8;
		return to + 2;
	}
	to[0] = 0x80 | opcode;
	to[1] = 126;
	to[2] = n >> 8;
	to[3] = n;
	return to + 4;
}

/* Opcode of a whole data message, whatever MORE says; else larger than any. */
static __always_inline u32 plain_opcode(u64 msg)
{
	return (msg >> 32 & (0xffff & ~(WS_MSG_MORE << 8))) -
		(WS_MSG_END << 8);
}

/*
 * Records of whole messages, as long as they are short and lie in one piece:
 * one user-access section for all, in which no call may be made. From @from to
 * @end is the writer's memory. It stops at whatever is anything else, which
 * send_record() judges. The server's frames only: a mask is a call to the
 * random number generator. A frame is never longer than its record, and there
 * is as much room at @to.
 */
static noinline void gather_plain(u8 opcode, const u8 __user *from,
				  const u8 __user *end, u8 *to,
				  struct gathered *g)
{
	const u8 __user *begin = from;
	u32 messages = 0;
	u8 *start = to;
	u64 len = 0;

	if (!user_read_access_begin(from, end - from))
		return;
	while (from < end) {
		const u8 __user *p = from + sizeof(struct ws_msg), *next;
		u64 head;
		u8 *q, *behind;
		u32 n, what;

		unsafe_get_user(head, (const u64 __user *)from, out);
		n = head;
		what = plain_opcode(head);
		next = p + ALIGN((u64)n, 8);
		if (what > WS_OP_BINARY || next > end)
			break;
		if (unlikely(!what))
			what = opcode;
		if (unlikely(n > PLAIN_MAX))
			break;
		q = put_header(to, what, n);
		behind = q + n;
		/* The padding comes along; the next frame overwrites it. */
		for (; n >= 64; n -= 32, p += 32, q += 32)
			if (!get_four(q, p))
				goto out;
		if (n & 32 && !get_four(q, p))
			goto out;
		if (n & 31) {
			p += n & 32;
			q += n & 32;
			for (; p != next; p += 8, q += 8)
				if (!get_one(q, p))
					goto out;
		}
		from = next;
		to = behind;
		len += (u32)head;
		messages++;
	}
out:
	user_read_access_end();
	g->len = len;
	g->messages = messages;
	g->in = from - begin;
	g->out = to - start;
}

static void count(struct ws_ctx *ctx, const struct gathered *g)
{
	ctx->info.tx_messages += g->messages;
	ws_stats_add(ctx, WS_MIB_TX_MESSAGES, g->messages);
	ctx->info.tx_bytes += g->len;
	ws_stats_add(ctx, WS_MIB_TX_BYTES, g->len);
}

/*
 * As many records as gather_plain() takes. Return: 0 and what was taken in
 * @g, maybe nothing, or with @from as it was the error of a dead connection.
 */
static int send_plain(struct ws_ctx *ctx, struct iov_iter *from, long timeo,
		      bool more, struct gathered *g)
{
	struct page_frag *pfrag = ws_tx_frag(ctx);
	size_t in = round_down(iov_iter_count(from), 8);
	struct ws_tx *tx = &ctx->tx;
	const u8 __user *user;
	size_t room;
	int err;
	u8 *to;

	if (!WS_PLAIN || ctx->cfg.role != WS_ROLE_SERVER || tx->opcode)
		return 0;
	user = ws_compat_iter_user(from, &in);
	if (!user || in < sizeof(struct ws_msg))
		return 0;
	room = ws_send_room(ctx, in, timeo);
	/* A page is enough to begin with; more often than not there is more. */
	if (!skb_page_frag_refill(min_t(size_t, room, PAGE_SIZE), pfrag,
				  ws_tx_gfp(ctx)))
		return 0;
	room = min_t(size_t, room, pfrag->size - pfrag->offset);
	to = page_address(pfrag->page) + pfrag->offset;
	gather_plain(ctx->cfg.send_opcode, user,
		     user + min_t(size_t, in, round_down(room, 8)), to, g);
	if (!g->messages)
		return 0;

	get_page(pfrag->page);
	tx->one.bv_page = pfrag->page;
	tx->one.bv_offset = pfrag->offset;
	tx->one.bv_len = g->out;
	tx->nseg = 1;
	pfrag->offset += g->out;
	count(ctx, g);
	err = ws_tx_push(ctx, more || g->in < iov_iter_count(from));
	if (err && err != -EAGAIN)
		return err;
	iov_iter_advance(from, g->in);
	return 0;
}

static int check_msg(const struct ws_msg *m, struct ws_request *req)
{
	*req = (struct ws_request){
		.len = m->len,
		.code = m->code,
		.opcode = m->opcode,
		.rsv = m->flags & WS_MSG_RSV1 ? WS_RSV1 : 0,
		.more = !(m->flags & WS_MSG_END),
	};
	return m->flags & ~WS_MSG_KNOWN ? -EINVAL : ws_request_check(req);
}

static void skip_pad(struct ws_tx *tx, struct iov_iter *from)
{
	size_t n = min_t(size_t, tx->rec_pad, iov_iter_count(from));

	iov_iter_advance(from, n);
	tx->rec_pad -= n;
}

/* The next frame of the record at hand. */
static int send_part(struct ws_ctx *ctx, struct msghdr *msg, long timeo,
		     struct ws_request *req)
{
	size_t have = iov_iter_count(&msg->msg_iter);
	struct ws_tx *tx = &ctx->tx;
	ssize_t n;

	req->more = !tx->rec_end || have < tx->rec_left;
	n = ws_send_frame(ctx, msg, min_t(size_t, have, tx->rec_left), req,
			  timeo);
	if (n < 0)
		return n;
	tx->rec_left -= n;
	if (!tx->rec_left)
		skip_pad(tx, &msg->msg_iter);
	return 0;
}

static int send_control_record(struct ws_ctx *ctx, struct msghdr *msg,
			       const struct ws_request *req, bool *mine,
			       long *timeo)
{
	size_t pad = -req->len & 7;
	int ret;

	if (iov_iter_count(&msg->msg_iter) < req->len + pad)
		return -EINVAL;
	ret = ws_send_control(ctx, msg, req, mine, timeo);
	if (ret < 0)
		return ret;
	iov_iter_advance(&msg->msg_iter, pad);
	return 0;
}

/* A record from its beginning, whatever it is like. */
static int send_record(struct ws_ctx *ctx, struct msghdr *msg, bool *mine,
		       long *timeo)
{
	struct iov_iter *from = &msg->msg_iter;
	struct ws_tx *tx = &ctx->tx;
	struct ws_request req;
	struct ws_msg m;
	int err;

	if (iov_iter_count(from) < sizeof(m))
		return -EINVAL;
	if (copy_from_iter(&m, sizeof(m), from) != sizeof(m))
		return -EFAULT;
	err = check_msg(&m, &req);
	if (err)
		return err;
	if (ws_op_is_control(m.opcode))
		return send_control_record(ctx, msg, &req, mine, timeo);

	err = ws_send_opcode(ctx, tx->opcode, tx->rsv, &req);
	if (err)
		return err;
	tx->rec_left = m.len;
	tx->rec_pad = -m.len & 7;
	tx->rec_end = m.flags & WS_MSG_END;
	err = send_part(ctx, msg, *timeo, &req);
	if (err) {
		tx->rec_left = 0;
		tx->rec_pad = 0;
	}
	return err;
}

/* The rest of a record or the next one; nothing of @msg is used on an error. */
static int send_slowly(struct ws_ctx *ctx, struct msghdr *msg, bool *mine,
		       long *timeo)
{
	struct iov_iter start = msg->msg_iter;
	struct ws_request rest = {};
	int err;

	if (ctx->tx.rec_left)
		err = send_part(ctx, msg, *timeo, &rest);
	else
		err = send_record(ctx, msg, mine, timeo);
	if (err)
		msg->msg_iter = start;
	return err;
}

/**
 * ws_batch_send_records() - sendmsg() with WS_F_RECORDS
 * @ctx: the socket
 * @msg: a stretch of the stream of records
 * @timeo: how long it may take; what is left of that on return
 *
 * Process context, socket lock, which is given up while it waits.
 *
 * Return: bytes taken, or if there are none a negated errno.
 */
ssize_t ws_batch_send_records(struct ws_ctx *ctx, struct msghdr *msg,
			      long *timeo)
{
	struct iov_iter *from = &msg->msg_iter;
	bool more = msg->msg_flags & MSG_MORE;
	size_t len = iov_iter_count(from);
	struct ws_tx *tx = &ctx->tx;
	bool mine = false;
	int err = 0;

	if (tx->rec_pad && !tx->rec_left)
		skip_pad(tx, from);
	while (iov_iter_count(from)) {
		struct gathered g = {};

		err = ws_send_wait(ctx, &mine, timeo);
		if (err)
			break;
		if (!tx->rec_left)
			err = send_plain(ctx, from, *timeo, more, &g);
		if (!err && !g.messages)
			err = send_slowly(ctx, msg, &mine, timeo);
		if (err)
			break;
		if (iov_iter_count(from) && *timeo) {
			WRITE_ONCE(tx->busy, true);
			mine = true;
		}
	}
	ws_send_done(ctx, mine, err, timeo);
	len -= iov_iter_count(from);
	return len ?: err;
}

/*
 * The payloads of @msgs as gather_plain() takes records: whole messages, short,
 * of a server. @in are the bytes of the writer's memory that are left.
 */
static noinline void gather_array(u8 opcode, const struct ws_msg *msgs,
				  u32 count, const u8 __user *from, size_t in,
				  u8 *to, const u8 *room, struct gathered *g)
{
	const u8 __user *begin = from, *end = from + in;
	const struct ws_msg *first = msgs;
	u8 *start = to;

	if (!user_read_access_begin(from, in))
		return;
	for (; count; count--, msgs++) {
		u64 msg = ws_word((const u8 *)msgs);
		const u8 __user *p = from, *next;
		u32 n = msg, what;
		u8 *q, *behind;

		what = plain_opcode(msg);
		if (what > WS_OP_BINARY || n > PLAIN_MAX)
			break;
		next = from + n;
		if (next > end || to + PLAIN_ROOM(n) > room)
			break;
		if (unlikely(!what))
			what = opcode;
		q = put_header(to, what, n);
		behind = q + n;
		for (; n >= 64; n -= 32, p += 32, q += 32)
			if (!get_four(q, p))
				goto out;
		if (n & 32 && !get_four(q, p))
			goto out;
		if (n & 31) {
			p += n & 32;
			q += n & 32;
			n &= 31;
			for (; n >= 8; n -= 8, p += 8, q += 8)
				if (!get_one(q, p))
					goto out;
		}
		/* The next frame overwrites what is too much. */
		if (n & 31 && end - p >= 8) {
			if (!get_one(q, p))
				goto out;
		} else if (n & 31) {
			for (; n; n--, p++, q++)
				unsafe_get_user(*q, p, out);
		}
		from = next;
		to = behind;
	}
out:
	user_read_access_end();
	g->len = from - begin;
	g->messages = msgs - first;
	g->in = from - begin;
	g->out = to - start;
}

/* One more run behind those that are built, of pages of @pfrag. */
static int add_run(struct ws_tx *tx, struct page_frag *pfrag, u32 len)
{
	struct bio_vec *seg = tx->frame->seg;
	struct bio_vec *last = tx->nseg ? &seg[tx->nseg - 1] : NULL;

	if (last && last->bv_page == pfrag->page &&
	    last->bv_offset + last->bv_len == pfrag->offset) {
		last->bv_len += len;
	} else {
		if (tx->nseg == WS_FRAME_SEGS)
			return -ENOMEM;
		get_page(pfrag->page);
		seg[tx->nseg].bv_page = pfrag->page;
		seg[tx->nseg].bv_offset = pfrag->offset;
		seg[tx->nseg].bv_len = len;
		tx->nseg++;
	}
	pfrag->offset += len;
	return 0;
}

/* One more frame behind those that are built; -ENOMEM, -EFAULT. */
static int append(struct ws_ctx *ctx, struct ws_hdr *hdr, struct iov_iter *from)
{
	struct page_frag *pfrag = ws_tx_frag(ctx);
	struct ws_tx *tx = &ctx->tx;
	size_t head, want = hdr->len;

	hdr->masked = ctx->cfg.role == WS_ROLE_CLIENT;
	hdr->key = hdr->masked ? get_random_u32() : 0;
	head = ws_hdr_size(hdr->len, hdr->masked);
	do {
		size_t n;
		u8 *to;

		if (!skb_page_frag_refill(32, pfrag, ws_tx_gfp(ctx)))
			return -ENOMEM;
		n = min_t(size_t, pfrag->size - pfrag->offset - head, want);
		to = page_address(pfrag->page) + pfrag->offset;
		if (head)
			ws_hdr_build(to, hdr);
		if (copy_from_iter(to + head, n, from) != n)
			return -EFAULT;
		if (hdr->key)
			ws_mask_copy(to + head, to + head, n, hdr->key);
		hdr->key = ws_key_rotate(hdr->key, n);

		if (add_run(tx, pfrag, head + n))
			return -ENOMEM;
		want -= n;
		head = 0;
	} while (want);
	return 0;
}

/* An array of messages on its way to become a run of frames. */
struct array {
	const struct ws_msg *msgs;
	u32 n;
	u8 opcode;		/* as ws_tx::opcode */
	u8 rsv;			/* as ws_tx::rsv */
	struct gathered sum;
};

static int append_control(struct ws_ctx *ctx, const struct ws_request *req,
			  struct iov_iter *from)
{
	struct ws_hdr hdr = { .fin = true, .opcode = req->opcode };
	u8 body[WS_CTRL_MAX];
	struct kvec kv = { .iov_base = body };
	struct iov_iter bytes;
	int len;

	len = ws_send_body(req, from, body);
	if (len < 0)
		return len;
	hdr.len = len;
	kv.iov_len = len;
	iov_iter_kvec(&bytes, WRITE, &kv, 1, len);
	return append(ctx, &hdr, &bytes);
}

static int append_data(struct ws_ctx *ctx, struct array *a,
		       struct ws_request *req, struct iov_iter *from)
{
	struct ws_hdr hdr = { .len = req->len, .fin = !req->more };
	int err;

	err = ws_send_opcode(ctx, a->opcode, a->rsv, req);
	if (err)
		return err;
	hdr.opcode = a->opcode ? WS_OP_CONT : req->opcode;
	hdr.rsv = a->opcode ? 0 : req->rsv;
	if (!a->opcode)
		a->rsv = req->rsv;
	a->opcode = hdr.fin ? 0 : req->opcode;
	a->sum.len += req->len;
	a->sum.messages += hdr.fin;
	return append(ctx, &hdr, from);
}

/* As many of the array from @i on as gather_array() takes. */
static int append_plain(struct ws_ctx *ctx, struct array *a, u32 i,
			struct iov_iter *from)
{
	struct page_frag *pfrag = ws_tx_frag(ctx);
	size_t in = iov_iter_count(from);
	struct gathered g = {};
	const u8 __user *user;
	u8 *to;

	if (!WS_PLAIN || ctx->cfg.role != WS_ROLE_SERVER || a->opcode)
		return 0;
	user = ws_compat_iter_user(from, &in);
	if (!user || !skb_page_frag_refill(PLAIN_ROOM(128), pfrag,
					   ws_tx_gfp(ctx)))
		return 0;
	to = page_address(pfrag->page) + pfrag->offset;
	gather_array(ctx->cfg.send_opcode, a->msgs + i, a->n - i, user, in, to,
		     to + pfrag->size - pfrag->offset, &g);
	if (!g.messages)
		return 0;
	iov_iter_advance(from, g.in);
	a->sum.len += g.len;
	a->sum.messages += g.messages;
	return add_run(&ctx->tx, pfrag, g.out) ?: g.messages;
}

static int build_array(struct ws_ctx *ctx, struct array *a,
		       struct iov_iter *from, struct ws_request *last)
{
	struct ws_tx *tx = &ctx->tx;
	int err = ws_tx_enlarge(tx) ? 0 : -ENOMEM;
	u32 i;

	for (i = 0; !err && i < a->n; i++) {
		err = append_plain(ctx, a, i, from);
		if (err < 0)
			break;
		i += err;
		*last = (struct ws_request){};
		if (i == a->n) {
			err = 0;
			break;
		}
		err = check_msg(&a->msgs[i], last);
		if (err)
			break;
		if (last->opcode == WS_OP_CLOSE && i + 1 < a->n)
			err = -EINVAL;
		else if (ws_op_is_control(last->opcode))
			err = append_control(ctx, last, from);
		else
			err = append_data(ctx, a, last, from);
	}
	if (err == -ENOMEM)
		ws_stats_inc(ctx, WS_MIB_NO_MEMORY);
	if (err)
		ws_tx_free(tx);
	return err;
}

static int check_array(const struct array *a, size_t len)
{
	u64 sum = 0;
	u32 i;

	for (i = 0; i < a->n; i++)
		sum += a->msgs[i].len;
	if (sum != len)
		return -EINVAL;
	return len > WS_FRAME_MIN ? -EMSGSIZE : 0;
}

/**
 * ws_batch_send_array() - sendmsg() with WS_F_BATCH
 * @ctx: the socket
 * @msg: the payloads, one behind the other
 * @msgs: what they are
 * @n: how many, 2 to WS_BATCH_MAX
 * @timeo: how long it may take; what is left of that on return
 *
 * All or nothing. Process context, socket lock, which is given up while it
 * waits.
 *
 * Return: all payload bytes, or a negated errno.
 */
ssize_t ws_batch_send_array(struct ws_ctx *ctx, struct msghdr *msg,
			    const struct ws_msg *msgs, u32 n, long *timeo)
{
	size_t len = iov_iter_count(&msg->msg_iter);
	struct array a = { .msgs = msgs, .n = n };
	struct ws_tx *tx = &ctx->tx;
	struct ws_request last;
	bool mine = false;
	int err;

	err = check_array(&a, len);
	if (err)
		return err;
	err = ws_send_wait(ctx, &mine, timeo);
	if (!err) {
		a.opcode = tx->opcode;
		a.rsv = tx->rsv;
		err = build_array(ctx, &a, &msg->msg_iter, &last);
	}
	if (!err) {
		tx->opcode = a.opcode;
		tx->rsv = a.rsv;
		count(ctx, &a.sum);
		if (last.opcode == WS_OP_CLOSE)
			ws_send_closing(ctx, &last);
		err = ws_tx_push(ctx, msg->msg_flags & MSG_MORE);
		if (err == -EAGAIN)
			err = 0;
	}
	ws_send_done(ctx, mine, err, timeo);
	return err ?: len;
}
