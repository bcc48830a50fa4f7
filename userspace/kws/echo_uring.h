/* SPDX-License-Identifier: MIT */
/* The echo server on io_uring. */
#ifndef KWS_ECHO_URING_H
#define KWS_ECHO_URING_H

#include <liburing.h>

#include "echo.h"

/* Numbers of the kernel's ABI that older headers do not have. */
#ifndef IORING_RECVSEND_BUNDLE
#define IORING_RECVSEND_BUNDLE	(1U << 4)
#endif
#ifndef IORING_FEAT_RECVSEND_BUNDLE
#define IORING_FEAT_RECVSEND_BUNDLE (1U << 14)
#endif

#define URING_BUFFERS	256		/* a power of 2 */
#define URING_BUFFER	65536
/* Unsent replies of a connection before it is received from no more. */
#define URING_CHUNKS	8

/* What a completion is for, in the low bits of its pointer to the peer. */
enum op {
	OP_POLL,
	OP_RECV,
	OP_SEND,
};

/**
 * struct chunk - bytes to be sent
 * @next: behind it on the same connection
 * @data: the bytes, @len of them
 * @buffer: number of the receive buffer that they are in, or -1
 * @heap: memory that they are in, else NULL
 * @message: they go with a control message
 * @flags: MSG_MORE or 0
 * @iov: of @msg
 * @msg: for @message
 */
struct chunk {
	struct chunk *next;
	char *data;
	size_t len;
	int buffer;
	void *heap;
	bool message;
	int flags;
	struct iovec iov;
	struct msghdr msg;
};

/**
 * struct lane - what a connection has in the ring
 * @first: being sent
 * @last: the end of the queue
 * @chunks: how many are in it
 * @pending: requests that have not had their last completion
 * @events: what the poll request is for, 0 when there is none
 * @fast: received and sent by the ring; else step() does it after a poll
 * @receiving: a multishot receive is armed
 * @stopping: it is being cancelled
 * @sending: @first is
 * @starved: waits for a buffer
 * @ended: nothing more will come
 * @gone: to be freed with its last completion
 * @next_starved: in struct uring @starved
 */
struct lane {
	struct chunk *first;
	struct chunk *last;
	unsigned int chunks;
	unsigned int pending;
	uint32_t events;
	bool fast;
	bool receiving;
	bool stopping;
	bool sending;
	bool starved;
	bool ended;
	bool gone;
	struct peer *next_starved;
};

/**
 * struct uring - the ring
 * @ring: it
 * @buffers: the ring of receive buffers
 * @memory: URING_BUFFERS times URING_BUFFER bytes
 * @order: numbers of buffers in the order the kernel takes them
 * @place: of each buffer in @order
 * @tail: the end of @order
 * @free: how many the kernel has
 * @chunks: one for each buffer
 * @starved: connections that found no buffer
 * @bundles: one completion may tell of several buffers
 * @gifts: another, for framing_gift
 * @control: form of a multishot recvmsg()
 */
struct uring {
	struct io_uring ring;
	struct io_uring_buf_ring *buffers;
	char *memory;
	uint16_t order[URING_BUFFERS];
	uint16_t place[URING_BUFFERS];
	uint16_t tail;
	unsigned int free;
	struct chunk chunks[URING_BUFFERS];
	struct peer *starved;
	bool bundles;
	struct io_uring gifts;
	struct msghdr control;
};

struct io_uring_sqe *uring_entry(struct uring *u);
void uring_tag(struct io_uring_sqe *sqe, struct peer *p, enum op op);
void uring_cancel(struct uring *u, struct peer *p);
int uring_buffers(struct uring *u);
void uring_received(struct server *s, struct peer *p, int res,
		    unsigned int flags);
int uring_sent(struct server *s, struct peer *p, int res);
void uring_settle(struct server *s, struct peer *p);
void uring_feed(struct server *s);
void uring_free_chunks(struct uring *u, struct lane *lane);

#endif /* KWS_ECHO_URING_H */
