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

/* Bytes of room in the current page fragment; -ENOMEM if there is none. */
static int frag_room(struct ws_ctx *ctx, struct page_frag *pfrag, size_t want)
{
	if (want > PAGE_SIZE)
		want = WS_HDR_MAX;
	if (!skb_page_frag_refill(max_t(size_t, want, 32), pfrag,
				  ws_tx_gfp(ctx))) {
		ws_stats_inc(ctx, WS_MIB_NO_MEMORY);
		return -ENOMEM;
	}
	return pfrag->size - pfrag->offset;
}

/* Return: 0, -EFAULT, or -ENOMEM when not even one run could be had. */
static int fill(struct ws_ctx *ctx, struct bio_vec *seg, int max, size_t want,
		u32 key, struct iov_iter *from)
{
	struct page_frag *pfrag = ws_tx_frag(ctx);
	struct ws_tx *tx = &ctx->tx;
	size_t head = WS_HDR_MAX;

	do {
		int room = frag_room(ctx, pfrag, head + want);
		u8 *to;
		size_t n;

		if (room < 0)
			return tx->nseg ? 0 : room;
		n = min_t(size_t, room - head, want);
		to = page_address(pfrag->page) + pfrag->offset + head;
		if (n && copy_from_iter(to, n, from) != n)
			return -EFAULT;
		if (key)
			ws_mask_copy(to, to, n, key);
		key = ws_key_rotate(key, n);

		get_page(pfrag->page);
		seg[tx->nseg].bv_page = pfrag->page;
		seg[tx->nseg].bv_offset = pfrag->offset;
		seg[tx->nseg].bv_len = head + n;
		tx->nseg++;
		pfrag->offset += head + n;
		want -= n;
		head = 0;
	} while (want && tx->nseg < max);
	return 0;
}

/**
 * ws_tx_enlarge() - let a frame have WS_FRAME_SEGS runs
 * @tx: the sending direction; no frame may be under way, or one of one run
 *
 * May sleep.
 *
 * Return: false if there is no memory.
 */
bool ws_tx_enlarge(struct ws_tx *tx)
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
 * ws_tx_open() - begin a frame whose payload is pages of others
 * @ctx: the socket; no frame may be under way
 *
 * The first run is the header's, which ws_tx_seal() fills. Up to
 * WS_FRAME_SEGS - 1 runs may follow, each with a reference. May sleep.
 *
 * Return: 0 or -ENOMEM, with nothing built.
 */
int ws_tx_open(struct ws_ctx *ctx)
{
	struct ws_tx *tx = &ctx->tx;
	struct iov_iter none;
	int err;

	ws_owned_by_me(ctx);
	if (!ws_tx_enlarge(tx)) {
		ws_stats_inc(ctx, WS_MIB_NO_MEMORY);
		return -ENOMEM;
	}
	iov_iter_kvec(&none, WRITE, NULL, 0, 0);
	err = fill(ctx, tx->frame->seg, 1, 0, 0, &none);
	if (err)
		ws_tx_free(ctx);
	return err;
}

/* Give a frame its header. */
void ws_tx_seal(struct ws_ctx *ctx, struct ws_hdr *hdr)
{
	struct ws_tx *tx = &ctx->tx;
	struct bio_vec *seg = ws_tx_runs(tx);
	size_t got = 0, size;
	int i;

	for (i = 0; i < tx->nseg; i++)
		got += seg[i].bv_len;
	got -= WS_HDR_MAX;
	if (got < hdr->len)
		hdr->fin = false;
	hdr->len = got;
	/* The header's length is known only now: it ends where data begins. */
	size = ws_hdr_size(got, hdr->masked);
	seg->bv_offset += WS_HDR_MAX - size;
	seg->bv_len -= WS_HDR_MAX - size;
	ws_hdr_build(page_address(seg->bv_page) + seg->bv_offset, hdr);
}

/*
 * A frame that fits a page, which is what most are: its length is known before
 * and it is one run. The bounds are those of the page fragment, of which the
 * check in copy_from_iter() knows nothing, at a third of the copy's cost.
 * Return: the frame's length, it is at @pfrag's offset; -EFAULT or -ENOMEM.
 */
static int build_small(struct ws_ctx *ctx, struct page_frag *pfrag,
		       struct ws_hdr *hdr, struct iov_iter *from)
{
	size_t head = ws_hdr_size(hdr->len, hdr->masked);
	size_t len = hdr->len;
	u8 *p;

	if (unlikely(!skb_page_frag_refill(head + len, pfrag,
					   ws_tx_gfp(ctx)))) {
		ws_stats_inc(ctx, WS_MIB_NO_MEMORY);
		return -ENOMEM;
	}
	p = page_address(pfrag->page) + pfrag->offset;
	if (len && _copy_from_iter(p + head, len, from) != len)
		return -EFAULT;
	ws_hdr_build(p, hdr);
	if (hdr->key)
		ws_mask_copy(p + head, p + head, len, hdr->key);
	return head + len;
}

/* With a reference on the page. */
static void one_run(struct ws_tx *tx, struct page *page, u32 offset, u32 len)
{
	tx->one.bv_page = page;
	tx->one.bv_offset = offset;
	tx->one.bv_len = len;
	WRITE_ONCE(tx->nseg, 1);
}

/* Where control frames are built in softirq context, with BH disabled. */
static DEFINE_PER_CPU(struct page_frag, softirq_frag);

/**
 * ws_tx_build_control() - make a control frame ready for ws_tx_push()
 * @ctx: the socket; no frame may be under way
 * @hdr: opcode, and the payload's length
 * @data: the payload
 *
 * Any context that has the socket lock; in softirq context without sleeping.
 *
 * Return: 0 or -ENOMEM, with nothing built.
 */
int ws_tx_build_control(struct ws_ctx *ctx, struct ws_hdr *hdr, void *data)
{
	struct kvec kv = { .iov_base = data, .iov_len = hdr->len };
	struct page_frag *pfrag;
	struct iov_iter from;
	int len;

	iov_iter_kvec(&from, WRITE, &kv, 1, hdr->len);
	ws_tx_mask(ctx, hdr);
	pfrag = in_softirq() ? this_cpu_ptr(&softirq_frag) : ws_tx_frag(ctx);
	len = build_small(ctx, pfrag, hdr, &from);
	if (len < 0)
		return len;
	get_page(pfrag->page);
	one_run(&ctx->tx, pfrag->page, pfrag->offset, len);
	pfrag->offset += len;
	return 0;
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
 * ws_tx_build() - make a frame ready for ws_tx_push()
 * @ctx: the socket; no frame may be under way
 * @hdr: opcode, rsv, fin, and the payload wanted in len, WS_FRAME_MAX at most; on
 *	return len is what the frame has. It is less, and fin then cleared,
 *	when memory is short; never for a control frame.
 * @from: where the payload comes from; left after what was taken
 *
 * In the client role the frame is masked with a fresh key from the kernel's
 * random number generator (RFC 6455 sections 5.3 and 10.3). May sleep.
 *
 * Return: 0, -EFAULT or -ENOMEM, with nothing built.
 */
int ws_tx_build(struct ws_ctx *ctx, struct ws_hdr *hdr, struct iov_iter *from)
{
	struct page_frag *pfrag = ws_tx_frag(ctx);
	struct ws_tx *tx = &ctx->tx;
	int err;

	ws_owned_by_me(ctx);
	ws_tx_mask(ctx, hdr);
	if (likely(hdr->len <= WS_TX_SMALL)) {
		int len = build_small(ctx, pfrag, hdr, from);

		if (len < 0)
			return len;
		get_page(pfrag->page);
		one_run(tx, pfrag->page, pfrag->offset, len);
		pfrag->offset += len;
		return 0;
	}

	ws_tx_enlarge(tx);
	err = fill(ctx, ws_tx_runs(tx), tx->large ? WS_FRAME_SEGS : 1, hdr->len,
		   hdr->key, from);
	if (err) {
		ws_tx_free(ctx);
		return err;
	}
	ws_tx_seal(ctx, hdr);
	return 0;
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

static int push_runs(struct ws_ctx *ctx, bool more)
{
	int n;

	ctx->tx.sending = true;
	n = send_runs(ctx, more);
	ctx->tx.sending = false;
	return n;
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
		int n = push_runs(ctx, more);

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
	int n;

	ws_owned_by_me(ctx);
	/* TCP may use, and use up, the same page fragment. */
	get_page(bv.bv_page);
	pfrag->offset += len;
	if (unlikely(ctx->tls)) {
		one_run(&ctx->tx, bv.bv_page, bv.bv_offset, len);
		return ws_tx_push(ctx, more);
	}
	n = -EPIPE;
	if (ws_tx_takes_bytes(ctx->sk)) {
		ctx->tx.sending = true;
		n = ws_compat_tcp_send_pages(ctx->sk, &bv, 1, len, more, false);
		ctx->tx.sending = false;
	}
	if (likely(n == len) || (n < 0 && !is_full(n))) {
		put_page(bv.bv_page);
		return min(n, 0);
	}
	n = max(n, 0);
	one_run(&ctx->tx, bv.bv_page, bv.bv_offset + n, len - n);
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
	int len;

	ws_tx_mask(ctx, hdr);
	len = build_small(ctx, pfrag, hdr, from);
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
