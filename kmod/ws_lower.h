/* SPDX-License-Identifier: GPL-2.0-only */
/* TCP's queue. Included by ws.h only. */
#ifndef _WS_LOWER_H
#define _WS_LOWER_H

/* ws_lower.c */

/**
 * struct ws_run - bytes of the stream that lie in one piece
 * @skb: the buffer of TCP's queue that has them, or NULL
 * @buf: the same for kTLS
 * @p: the bytes
 * @seq: sequence number of the first
 * @len: how many
 * @mapped: they are in a page that was mapped for it
 */
struct ws_run {
	struct sk_buff *skb;
	const struct ws_tls_buf *buf;
	const u8 *p;
	u32 seq;
	u32 len;
	bool mapped;
};

/* Where pages need mapping, a run maps one; see ws_compat_frag_map(). */
static inline void ws_lower_run_end(const struct ws_run *run)
{
	if (IS_ENABLED(CONFIG_HIGHMEM) && run->mapped)
		ws_compat_frag_unmap(run->p);
}

u32 ws_lower_end(const struct ws_ctx *ctx);
void ws_lower_seek(const struct ws_ctx *ctx, struct ws_run *run, u32 seq);
const u8 *ws_lower_run(const struct ws_ctx *ctx, struct ws_run *run, u32 seq,
		       u32 *len);
const u8 *ws_lower_front(const struct ws_ctx *ctx, u32 seq, u32 *len);
int ws_lower_peek(const struct ws_ctx *ctx, struct ws_run *run, u32 seq,
		  u8 *buf, u32 n);
int ws_lower_header(const struct ws_ctx *ctx, struct ws_run *run, u32 seq,
		    u32 avail, struct ws_hdr *hdr);
void ws_lower_grow(struct ws_ctx *ctx, u64 len);
void ws_lower_drop_prefix(struct ws_ctx *ctx);
void ws_lower_consume(struct ws_ctx *ctx, const struct ws_cursor *to);
int ws_lower_stash(struct ws_ctx *ctx, u32 end);
void ws_lower_fin(struct ws_ctx *ctx);
void ws_lower_abort(struct ws_ctx *ctx, int err);

#endif /* _WS_LOWER_H */
