// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames on their way out. A frame is built whole, header and payload, masked
 * where the role asks for it, in page fragments of our own; only then is it
 * handed to TCP, which takes the pages by reference. So a bad pointer leaves
 * nothing on the wire, the payload is copied once, and what TCP does not take
 * at once can wait here and go before anything else.
 *
 * All of it with the socket lock; data frames are built in process context.
 */
#include <linux/percpu.h>

#include "ws.h"

/*
 * Charge to the socket what TCP has not taken of the frame under way: TCP counts
 * bytes as its own only when it takes them. The frame cannot be given up any
 * more, so the charge is forced, as TCP does it for a socket whose send buffer
 * is full; the next send waits. Without the charge sk_forward_alloc must not be
 * lowered, as TCP relies on its sign.
 */
static void charge(struct ws_ctx *ctx)
{
	u32 len = ws_tx_left(&ctx->tx);
	struct sock *sk = ctx->sk;
	u8 locks;
	int size;

	if (ctx->tx.charged)
		return;
	if (ctx->tls)
		lock_sock(sk);
	size = sk->sk_sndbuf;
	locks = sk->sk_userlocks;
	sk->sk_userlocks |= SOCK_SNDBUF_LOCK;
	WRITE_ONCE(sk->sk_sndbuf, 0);
	if (sk_wmem_schedule(sk, len)) {
		sk_mem_charge(sk, len);
		ctx->tx.charged = true;
	}
	WRITE_ONCE(sk->sk_sndbuf, size);
	sk->sk_userlocks = locks;
	if (ctx->tls)
		release_sock(sk);
}

static void uncharge(struct ws_ctx *ctx, u32 len)
{
	struct sock *sk = ctx->sk;

	if (ctx->tls)
		lock_sock(sk);
	sk_mem_uncharge(sk, len);
	if (ctx->tls)
		release_sock(sk);
}

/*
 * Forget the frame that is being built or under way. Also what is left to do
 * when TCP has taken all of it.
 */
void ws_tx_free(struct ws_ctx *ctx)
{
	struct ws_tx *tx = &ctx->tx;

	if (unlikely(tx->charged))
		uncharge(ctx, ws_tx_left(tx));
	tx->charged = false;
	if (unlikely(tx->gather)) {
		tx->nseg = tx->gather;
		tx->gather = 0;
	}
	while (ws_tx_pending(tx))
		put_page(ws_tx_runs(tx)[tx->cur++].bv_page);
	if (tx->large) {
		if (tx->frame->uarg)
			net_zcopy_put(tx->frame->uarg);
		kfree(tx->frame);
		tx->large = false;
	}
	tx->cur = 0;
	tx->shared = false;
	tx->cut = false;
	WRITE_ONCE(tx->nseg, 0);
}

static int no_memory(struct ws_ctx *ctx)
{
	ws_stats_inc(ctx, WS_MIB_NO_MEMORY);
	return -ENOMEM;
}

/* Room for @want bytes at @pfrag's offset, or -ENOMEM. */
static int refill(struct ws_ctx *ctx, struct page_frag *pfrag, size_t want)
{
	if (likely(skb_page_frag_refill(want, pfrag, ws_tx_gfp(ctx))))
		return 0;
	return no_memory(ctx);
}

/* Let a frame of one run at most have WS_FRAME_SEGS. */
static bool enlarge(struct ws_tx *tx)
{
	struct ws_frame *frame = kmalloc(sizeof(*frame), GFP_KERNEL_ACCOUNT);

	if (!frame)
		return false;
	frame->uarg = NULL;
	if (tx->nseg)
		frame->seg[0] = tx->one;
	tx->frame = frame;
	tx->large = true;
	return true;
}

/**
 * ws_tx_add() - one more run behind those that are built
 * @ctx: the socket
 * @page: the page, or the head of a compound one
 * @offset: where in it the run begins
 * @len: its bytes
 *
 * The first run needs no memory; a second one sleeps for it.
 *
 * Return: 1 when the frame has taken over the caller's reference on @page, 0
 * when it needs none because its last run goes on, or -ENOMEM.
 */
int ws_tx_add(struct ws_ctx *ctx, struct page *page, u32 offset, u32 len)
{
	struct ws_tx *tx = &ctx->tx;
	struct bio_vec *bv = &ws_tx_runs(tx)[tx->nseg];

	if (tx->nseg && bv[-1].bv_page == page &&
	    bv[-1].bv_offset + bv[-1].bv_len == offset) {
		bv[-1].bv_len += len;
		return 0;
	}
	if (tx->nseg == WS_FRAME_SEGS ||
	    (tx->nseg && !tx->large && !enlarge(tx)))
		return no_memory(ctx);
	ws_tx_runs(tx)[tx->nseg] = (struct bio_vec){
		.bv_page = page,
		.bv_offset = offset,
		.bv_len = len,
	};
	WRITE_ONCE(tx->nseg, tx->nseg + 1);
	return 1;
}

/* The same for what is at @pfrag's offset, which is moved on. */
int ws_tx_add_frag(struct ws_ctx *ctx, struct page_frag *pfrag, u32 len)
{
	int added = ws_tx_add(ctx, pfrag->page, pfrag->offset, len);

	if (added < 0)
		return added;
	if (added)
		get_page(pfrag->page);
	pfrag->offset += len;
	return 0;
}

/*
 * Begin a frame whose payload is pages of others: the first run is the header's,
 * which ws_tx_seal() fills, and up to WS_FRAME_SEGS - 1 may follow. Return: 0 or
 * -ENOMEM, with nothing built.
 */
int ws_tx_open(struct ws_ctx *ctx)
{
	struct page_frag *pfrag = ws_tx_frag(ctx);

	ws_owned_by_me(ctx);
	if (!enlarge(&ctx->tx))
		return no_memory(ctx);
	if (!refill(ctx, pfrag, 32))
		return ws_tx_add_frag(ctx, pfrag, WS_HDR_MAX);
	ws_tx_free(ctx);
	return -ENOMEM;
}

/*
 * Give a frame its header, in front of the payload that it has: @head bytes were
 * left for it. If that is less than @hdr says, the message goes on.
 */
void ws_tx_seal(struct ws_tx *tx, struct ws_hdr *hdr, size_t head)
{
	struct bio_vec *bv = ws_tx_runs(tx);
	u32 len = ws_tx_left(tx) - head;

	if (len < hdr->len)
		hdr->fin = false;
	hdr->len = len;
	head -= ws_hdr_size(len, hdr->masked);
	bv->bv_offset += head;
	bv->bv_len -= head;
	ws_hdr_build(page_address(bv->bv_page) + bv->bv_offset, hdr);
}

/* A client's frame has a fresh mask, RFC 6455 sections 5.3 and 10.3. */
static void choose_mask(const struct ws_ctx *ctx, struct ws_hdr *hdr)
{
	hdr->masked = ctx->cfg.role == WS_ROLE_CLIENT;
	hdr->key = hdr->masked ? get_random_u32() : 0;
}

/*
 * Payload into a page fragment. Its bounds are known, unlike to the check in
 * copy_from_iter(), which takes a third of the copy's time.
 */
static bool put_payload(u8 *to, size_t len, u32 key, struct iov_iter *from)
{
	if (len && _copy_from_iter(to, len, from) != len)
		return false;
	if (key)
		ws_mask_copy(to, to, len, key);
	return true;
}

/*
 * A frame that fits a page, which is what most are, in one piece at @pfrag's
 * offset. Return: its length, -EFAULT or -ENOMEM.
 */
static int build_small(struct ws_ctx *ctx, struct page_frag *pfrag,
		       struct ws_hdr *hdr, struct iov_iter *from)
{
	size_t head;
	u8 *p;

	choose_mask(ctx, hdr);
	head = ws_hdr_size(hdr->len, hdr->masked);
	if (unlikely(refill(ctx, pfrag, head + hdr->len)))
		return -ENOMEM;
	p = page_address(pfrag->page) + pfrag->offset;
	if (!put_payload(p + head, hdr->len, hdr->key, from))
		return -EFAULT;
	ws_hdr_build(p, hdr);
	return head + hdr->len;
}

/* Where control frames are built in softirq context, with BH disabled. */
static DEFINE_PER_CPU(struct page_frag, softirq_frag);

/**
 * ws_tx_control() - a control frame, behind those that are built
 * @ctx: the socket
 * @opcode: what it is
 * @body: its payload
 * @len: at most WS_CTRL_MAX
 *
 * Any context that has the socket lock; sleeps in process context only.
 *
 * Return: 0 or -ENOMEM.
 */
int ws_tx_control(struct ws_ctx *ctx, u8 opcode, void *body, u8 len)
{
	struct ws_hdr hdr = { .opcode = opcode, .fin = true, .len = len };
	struct kvec kv = { .iov_base = body, .iov_len = len };
	struct page_frag *pfrag = in_softirq() ? this_cpu_ptr(&softirq_frag) :
						 ws_tx_frag(ctx);
	struct iov_iter from;
	int n;

	iov_iter_kvec(&from, WRITE, &kv, 1, len);
	n = build_small(ctx, pfrag, &hdr, &from);
	return n < 0 ? n : ws_tx_add_frag(ctx, pfrag, n);
}

/* When there is no socket any more. */
void ws_tx_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct page_frag *pfrag = per_cpu_ptr(&softirq_frag, cpu);

		if (pfrag->page)
			put_page(pfrag->page);
	}
}

/**
 * ws_tx_append() - a data frame of any length, behind those that are built
 * @ctx: the socket
 * @hdr: opcode, rsv, fin and len
 * @from: where the payload comes from; left after what was taken
 *
 * May sleep.
 *
 * Return: 0, how many payload bytes there was no memory for, or when the frame
 * is of no use -EFAULT or -ENOMEM.
 */
ssize_t ws_tx_append(struct ws_ctx *ctx, struct ws_hdr *hdr,
		     struct iov_iter *from)
{
	struct page_frag *pfrag = ws_tx_frag(ctx);
	size_t head, want = hdr->len;
	u32 key;

	ws_owned_by_me(ctx);
	choose_mask(ctx, hdr);
	head = ws_hdr_size(want, hdr->masked);
	key = hdr->key;
	do {
		size_t n;
		u8 *to;

		if (refill(ctx, pfrag, 32))
			break;
		n = min_t(size_t, pfrag->size - pfrag->offset - head, want);
		to = page_address(pfrag->page) + pfrag->offset;
		if (ws_tx_add_frag(ctx, pfrag, head + n))
			break;
		if (!put_payload(to + head, n, key, from))
			return -EFAULT;
		if (head)
			ws_hdr_build(to, hdr);
		key = ws_key_rotate(key, n);
		want -= n;
		head = 0;
	} while (want);
	return head ? -ENOMEM : want;
}

/**
 * ws_tx_build() - make a frame ready for ws_tx_push()
 * @ctx: the socket; no frame may be under way
 * @hdr: as for ws_tx_append(); on return len is what the frame has, which is
 *	less, and fin then cleared, when memory is short
 * @from: as for ws_tx_append()
 *
 * Return: 0, -EFAULT or -ENOMEM, with nothing built.
 */
int ws_tx_build(struct ws_ctx *ctx, struct ws_hdr *hdr, struct iov_iter *from)
{
	ssize_t left = ws_tx_append(ctx, hdr, from);

	if (left > 0)
		ws_tx_seal(&ctx->tx, hdr, ws_hdr_size(hdr->len, hdr->masked));
	if (left >= 0)
		return 0;
	ws_tx_free(ctx);
	return left;
}

/* Is it to be tried again? */
static bool is_full(int n)
{
	return n == -EAGAIN || n == -ENOMEM || n == -ENOBUFS || !n;
}

/* Hand TCP what can go in one call. Return: bytes, or a negated errno. */
static int send_runs(struct ws_ctx *ctx, bool more)
{
	struct ws_tx *tx = &ctx->tx;
	struct bio_vec *bv = &ws_tx_runs(tx)[tx->cur];
	struct ubuf_info *uarg = ws_tx_uarg(tx);
	unsigned int n = tx->nseg - tx->cur;
	size_t len = ws_tx_left(tx);

	if (ctx->tls)
		return ws_tls_send(ctx);
	/* Nobody waits for the header's page. */
	if (unlikely(uarg) && !tx->cur)
		return ws_compat_tcp_send_pages(ctx->sk, bv, 1, bv->bv_len,
						true, false);
	if (unlikely(uarg))
		return ws_compat_tcp_send_zc(ctx->sk, bv, n, len, more,
					     uarg);
	return ws_compat_tcp_send_pages(ctx->sk, bv, n, len, more, tx->shared);
}

static void runs_taken(struct ws_tx *tx, size_t len)
{
	while (len) {
		struct bio_vec *bv = &ws_tx_runs(tx)[tx->cur];
		size_t n = min_t(size_t, len, bv->bv_len);

		bv->bv_offset += n;
		bv->bv_len -= n;
		len -= n;
		if (!bv->bv_len) {
			put_page(bv->bv_page);
			tx->cur++;
		}
	}
}

/**
 * ws_tx_push() - hand the frame under way to TCP
 * @ctx: the socket
 * @more: another frame follows at once
 *
 * Does not wait for room in the send buffer.
 *
 * Return: 0 when no frame is under way any more, -EAGAIN when TCP takes no
 * more for now, or the error of a dead connection; the frame is then gone.
 */
int ws_tx_push(struct ws_ctx *ctx, bool more)
{
	struct ws_tx *tx = &ctx->tx;

	ws_owned_by_me(ctx);
	if (unlikely(tx->gather))
		ws_zc_seal(ctx, false);
	if (ws_tx_pending(tx) && !ws_tx_takes_bytes(ctx->sk)) {
		/* An error that ends nothing must not cut a frame short. */
		if (tx->cut && ws_tx_is_open(ctx->sk))
			return -EAGAIN;
		ws_tx_free(ctx);
		return -EPIPE;
	}
	while (ws_tx_pending(tx)) {
		int n;

		tx->sending = true;
		n = send_runs(ctx, more);
		tx->sending = false;
		if (is_full(n)) {
			charge(ctx);
			return -EAGAIN;
		}
		if (n < 0) {
			ws_tx_free(ctx);
			return n;
		}
		tx->cut = true;
		if (unlikely(tx->charged))
			uncharge(ctx, n);
		runs_taken(tx, n);
	}
	ws_tx_free(ctx);
	if (ctx->tls)
		ws_tls_sent(ctx);
	return 0;
}

/**
 * ws_tx_send_run() - send frames that lie in one piece, as they are built
 * @ctx: the socket; no frame may be under way
 * @pfrag: they are at its offset, which is moved on
 * @len: bytes
 * @more: another frame follows at once
 *
 * Return: as ws_tx_push().
 */
int ws_tx_send_run(struct ws_ctx *ctx, struct page_frag *pfrag, u32 len,
		   bool more)
{
	struct bio_vec bv = {
		.bv_page = pfrag->page,
		.bv_offset = pfrag->offset,
		.bv_len = len,
	};
	int n = 0;

	ws_owned_by_me(ctx);
	/* TCP may use, and use up, the same page fragment. */
	get_page(bv.bv_page);
	pfrag->offset += len;
	if (likely(!ctx->tls && ws_tx_takes_bytes(ctx->sk))) {
		ctx->tx.sending = true;
		n = ws_compat_tcp_send_pages(ctx->sk, &bv, 1, len, more, false);
		ctx->tx.sending = false;
		if (likely(n == len) || (n < 0 && !is_full(n))) {
			put_page(bv.bv_page);
			return min(n, 0);
		}
		n = max(n, 0);
	}
	ws_tx_add(ctx, bv.bv_page, bv.bv_offset + n, len - n);
	ctx->tx.cut = n > 0;
	return ws_tx_push(ctx, more);
}

/**
 * ws_tx_send_small() - build a frame and send it
 * @ctx: the socket; no frame may be under way
 * @hdr: as for ws_tx_build(), and at most WS_TX_SMALL in len
 * @from: where the payload comes from; left after what was taken
 * @more: another frame follows at once
 *
 * Return: as ws_tx_push(), or -EFAULT or -ENOMEM with nothing built.
 */
int ws_tx_send_small(struct ws_ctx *ctx, struct ws_hdr *hdr,
		     struct iov_iter *from, bool more)
{
	struct page_frag *pfrag = ws_tx_frag(ctx);
	int len = build_small(ctx, pfrag, hdr, from);

	return len < 0 ? len : ws_tx_send_run(ctx, pfrag, len, more);
}

/**
 * ws_tx_end() - where the frame under way will end in TCP's stream
 * @ctx: the socket; &ws_ctx.time takes what is returned
 *
 * Return: the sequence number of the byte behind it.
 */
u32 ws_tx_end(struct ws_ctx *ctx)
{
	u32 end = tcp_sk(ctx->sk)->write_seq;

	/* What TLS makes of it is known when it is out. */
	if (ctx->tls) {
		ctx->tls->mark = true;
		return end + WS_FRAME_MAX;
	}
	return end + ws_tx_left(&ctx->tx);
}
