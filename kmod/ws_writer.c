// SPDX-License-Identifier: GPL-2.0-only
/*
 * The writer: builds frames, header and payload, masked where the role asks for
 * it, as segments of struct ws_tx, in the page fragment that TCP itself would
 * copy into (sk_page_frag(); in softirq context one of ours). So the payload
 * is copied once, and a bad pointer leaves nothing on the wire.
 *
 * All of it with the lock of the context; data frames in process context, where
 * they may sleep for memory.
 */
#include <linux/percpu.h>
#include <linux/random.h>

#include "ws_tx.h"

/* Room for @want bytes at @pfrag's offset, or -ENOMEM. */
static __always_inline int refill_frag(struct ws_ctx *ctx, struct page_frag *pfrag,
				       size_t want)
{
	if (likely(skb_page_frag_refill(want, pfrag, ws_below_gfp(ctx))))
		return 0;
	return ws_tx_no_memory(ctx);
}

/*
 * Begin a frame whose payload is pages of others: the first segment is the
 * header's, which ws_tx_seal() fills, and up to WS_FRAME_SEGS - 1 may follow.
 * Return: 0 or -ENOMEM, with nothing built.
 */
int ws_tx_open(struct ws_ctx *ctx)
{
	struct page_frag *pfrag = ws_below_frag(ctx);

	ws_owned_by_me(ctx);
	if (!ws_tx_enlarge(&ctx->tx))
		return ws_tx_no_memory(ctx);
	if (!refill_frag(ctx, pfrag, 32))
		return ws_tx_add_frag(ctx, pfrag, WS_HDR_MAX);
	ws_tx_free(ctx);
	return -ENOMEM;
}

/* A client's frame has a fresh mask, RFC 6455 sections 5.3 and 10.3. */
static __always_inline void choose_mask(const struct ws_ctx *ctx,
					struct ws_hdr *hdr)
{
	hdr->masked = ctx->cfg.role == WS_ROLE_CLIENT;
	hdr->key = hdr->masked ? get_random_u32() : 0;
}

/*
 * Payload into a page fragment. Its bounds are known, unlike to the check in
 * copy_from_iter(), which takes a third of the copy's time.
 */
static __always_inline bool put_payload(u8 *to, size_t len, u32 key,
					struct iov_iter *from)
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
	if (unlikely(refill_frag(ctx, pfrag, head + hdr->len)))
		return -ENOMEM;
	p = page_address(pfrag->page) + pfrag->offset;
	if (!put_payload(p + head, hdr->len, hdr->key, from))
		return -EFAULT;
	ws_hdr_build(p, hdr);
	return head + hdr->len;
}

/* Where control frames are built in softirq context, with BH disabled. */
static DEFINE_PER_CPU(struct page_frag, softirq_frag);

/*
 * A control frame, behind those that are built. Outside of process context only
 * as the first segment, which needs no ws_tx_enlarge(). Return: 0 or -ENOMEM.
 */
int ws_tx_control(struct ws_ctx *ctx, u8 opcode, void *body, u8 len)
{
	struct ws_hdr hdr = { .opcode = opcode, .fin = true, .len = len };
	struct kvec kv = { .iov_base = body, .iov_len = len };
	struct page_frag *pfrag = in_softirq() ? this_cpu_ptr(&softirq_frag) :
						 ws_below_frag(ctx);
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

/*
 * A data frame of any length, behind those that are built; @hdr has opcode,
 * rsv, fin and len. Return: 0, how many payload bytes there was no memory for,
 * or when the frame is of no use -EFAULT or -ENOMEM.
 */
ssize_t ws_tx_append(struct ws_ctx *ctx, struct ws_hdr *hdr,
		     struct iov_iter *from)
{
	struct page_frag *pfrag = ws_below_frag(ctx);
	size_t head, want = hdr->len;
	u32 key;

	ws_owned_by_me(ctx);
	choose_mask(ctx, hdr);
	head = ws_hdr_size(want, hdr->masked);
	key = hdr->key;
	do {
		size_t n;
		u8 *to;

		if (refill_frag(ctx, pfrag, 32))
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

/*
 * The same when no frame is under way. When memory is short @hdr says on return
 * what the frame has got. Return: 0, -EFAULT or -ENOMEM, with nothing built.
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

/*
 * Build a frame of at most WS_TX_SMALL bytes when none is under way, and send
 * it.
 * Return: as ws_tx_push(), or -EFAULT or -ENOMEM with nothing built.
 */
int ws_tx_send_small(struct ws_ctx *ctx, struct ws_hdr *hdr,
		     struct iov_iter *from, bool more)
{
	struct page_frag *pfrag = ws_below_frag(ctx);
	int len = build_small(ctx, pfrag, hdr, from);

	return len < 0 ? len : ws_tx_send_frag(ctx, pfrag, len, more);
}
