/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames on their way out. */
#ifndef _WS_TX_H
#define _WS_TX_H

#include "core/core.h"
#include "ws_transport.h"

/* Payload of a frame that fits a page. */
#define WS_TX_SMALL	(PAGE_SIZE - WS_HDR_MAX)

/* ws_tx.c */
int ws_tx_no_memory(struct ws_ctx *ctx);
bool ws_tx_enlarge(struct ws_tx *tx);
int ws_tx_add(struct ws_ctx *ctx, struct page *page, u32 offset, u32 len);
int ws_tx_add_frag(struct ws_ctx *ctx, struct page_frag *pfrag, u32 len);
void ws_tx_seal(struct ws_tx *tx, struct ws_hdr *hdr, size_t head);
void ws_tx_seal_held(struct ws_ctx *ctx, bool fin);
void ws_tx_free(struct ws_ctx *ctx);
int ws_tx_push(struct ws_ctx *ctx, bool more);
int ws_tx_send_frag(struct ws_ctx *ctx, struct page_frag *pfrag, u32 len,
		    bool more);
u32 ws_tx_end(struct ws_ctx *ctx);

/* ws_writer.c */
int ws_tx_open(struct ws_ctx *ctx);
int ws_tx_control(struct ws_ctx *ctx, u8 opcode, void *body, u8 len);
ssize_t ws_tx_append(struct ws_ctx *ctx, struct ws_hdr *hdr,
		     struct iov_iter *from);
int ws_tx_build(struct ws_ctx *ctx, struct ws_hdr *hdr, struct iov_iter *from);
int ws_tx_send_small(struct ws_ctx *ctx, struct ws_hdr *hdr,
		     struct iov_iter *from, bool more);
void ws_tx_exit(void);

/* ws_tx_flush.c */
int ws_tx_flush(struct ws_ctx *ctx);
void ws_tx_wake(struct ws_ctx *ctx);
void ws_tx_abort(struct ws_ctx *ctx);

#endif /* _WS_TX_H */
