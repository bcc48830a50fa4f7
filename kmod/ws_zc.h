/* SPDX-License-Identifier: GPL-2.0-only */
/* Sends that do not copy. */
#ifndef _WS_ZC_H
#define _WS_ZC_H

#include "compat/compat.h"
#include "ws_tx.h"

/**
 * struct ws_zc - a sendmsg() that asks for its payload not to be copied
 * @uarg: notified when the payload is no longer needed, or NULL
 * @size: the call's
 * @pages: references are taken; else the payload is copied after all
 * @notify: the caller wants a completion
 * @hold: the frame is to grow, see ws_sendpage()
 */
struct ws_zc {
	struct ubuf_info *uarg;
	size_t size;
	bool pages;
	bool notify;
	bool hold;
};

/* Flags of sendmsg() that ask for it. */
#define WS_MSG_ZC	(MSG_ZEROCOPY | WS_COMPAT_MSG_PAGES)

void ws_zc_begin(struct ws_ctx *ctx, struct msghdr *msg, size_t len,
		 struct ws_zc *zc);
int ws_zc_build(struct ws_ctx *ctx, struct ws_hdr *hdr, struct iov_iter *from,
		struct ws_zc *zc);
void ws_zc_end(struct ws_zc *zc);
bool ws_zc_can_refer(const struct ws_ctx *ctx);
void ws_zc_add_page(struct ws_ctx *ctx, struct page *page, size_t off, u32 len);

#endif /* _WS_ZC_H */
