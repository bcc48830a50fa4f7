/* SPDX-License-Identifier: GPL-2.0-only */
/* A socket, a ring, and buffers from which the kernel picks. */
#ifndef _WS_URING_BOX_H
#define _WS_URING_BOX_H

#include "ws_test.h"

#include <liburing.h>

/* Linux 6.10. */
#ifndef IORING_RECVSEND_BUNDLE
#define IORING_RECVSEND_BUNDLE	(1U << 4)
#endif
#ifndef IORING_FEAT_RECVSEND_BUNDLE
#define IORING_FEAT_RECVSEND_BUNDLE (1U << 14)
#endif

#define BUFFERS		16
#define BUFFER_MAX	4096
#define ARMED		1	/* user data of the multishot */
#define CANCEL		2
#define STREAM_MAX	(1 << 20)

struct box {
	struct pair p;
	struct io_uring ring;
	struct io_uring_buf_ring *br;
	struct msghdr form;
	char *memory;
	char *stream;		/* what was received, one behind the other */
	size_t len;
	unsigned int size;	/* of a buffer */
	unsigned int group;	/* number of the ring of buffers */
	unsigned int features;
	bool armed;
	int last;		/* result of the multishot's last completion */
	int completions;
};

/* One buffer, which the kernel may pick from now on. */
void box_give(struct box *box, int buffer);
/* Buffers of a test's own size, as many as it likes. */
void box_give_all(struct box *box, unsigned int size, int n);
/*
 * An empty ring of buffers, instead of one that there may be. With another
 * number: Linux 6.1 remembers how far the old one of the same was used.
 */
bool box_new_buffers(struct box *box);
/* A multishot of recvmsg() or recv(); with IORING_RECVSEND_BUNDLE in @bundle. */
void box_arm(struct box *box, bool message, int bundle);
void box_cancel(struct box *box);
/*
 * Completions until the multishot has ended or, when @len is not 0, as many
 * bytes are there.
 */
bool box_collect(struct box *box, size_t len, bool back);
/* Are the next bytes of the stream these messages? Moves @at behind them. */
bool box_expect(struct box *box, size_t *at, int opcode,
		const void *data, size_t len);

#endif /* _WS_URING_BOX_H */
