/* SPDX-License-Identifier: GPL-2.0-only */
/* Unmasking on the way to the reader. */
#ifndef _WS_UNMASK_H
#define _WS_UNMASK_H

#include <linux/uio.h>

int ws_unmask_copy(struct iov_iter *to, const u8 *p, u32 n, u32 key, u64 ahead);

#endif /* _WS_UNMASK_H */
