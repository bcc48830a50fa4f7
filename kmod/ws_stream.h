/* SPDX-License-Identifier: GPL-2.0-only */
/* The received stream: a prefix of bytes, and what the transport has. */
#ifndef _WS_STREAM_H
#define _WS_STREAM_H

#include "compat/compat.h"
#include "core/core.h"
#include "ws_transport.h"

/* Where pages need mapping, a span maps one; see ws_compat_frag_map(). */
static inline void ws_span_end(const struct ws_span *span)
{
	if (IS_ENABLED(CONFIG_HIGHMEM) && span->mapped)
		ws_compat_frag_unmap(span->p);
}

const u8 *ws_stream_span(const struct ws_ctx *ctx, struct ws_span *span, u32 seq,
			 u32 *len);
int ws_stream_copy(const struct ws_ctx *ctx, struct ws_span *span, u32 seq,
		   u8 *buf, u32 n);
int ws_stream_header(const struct ws_ctx *ctx, struct ws_span *span, u32 seq,
		     u32 avail, struct ws_hdr *hdr);
void ws_stream_drop_prefix(struct ws_ctx *ctx);
void ws_stream_consume(struct ws_ctx *ctx, const struct ws_cursor *to);
void ws_stream_relieve(struct ws_ctx *ctx);

#endif /* _WS_STREAM_H */
