/* SPDX-License-Identifier: MIT */
/* The echo server on io_uring. */
#ifndef KWS_ECHO_URING_H
#define KWS_ECHO_URING_H

#include <liburing.h>

#include "echo_ring.h"

/* Of the kernel's ABI; older headers do not have these. */
#ifndef IORING_RECVSEND_BUNDLE
#define IORING_RECVSEND_BUNDLE	(1U << 4)
#endif
#ifndef IORING_FEAT_RECVSEND_BUNDLE
#define IORING_FEAT_RECVSEND_BUNDLE (1U << 14)
#endif

#define URING_BUFFERS	256		/* a power of 2 */
#define URING_BUFFER	65536
/* A connection with so many unsent replies is not received from. */
#define URING_CHUNKS	8

/* The request that completes, in the low bits of the pointer to the peer. */
enum op {
	OP_POLL,
	OP_RECV,
	OP_SEND,
};

/**
 * struct chunk - bytes to be sent
 * @next: the next chunk of the same connection
 * @data: the bytes
 * @len: how many
 * @buffer: number of the receive buffer that holds them, or -1
 * @heap: memory that holds them, else NULL
 * @message: send them with a control message
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
 * struct lane - a connection's share of the ring
 * @first: the first unsent chunk
 * @last: the last one
 * @chunks: how many there are
 * @left: received bytes that have no reply yet
 * @pending: requests whose last completion has not arrived
 * @events: of the poll request, 0 when there is none
 * @fast: the ring receives and sends; else the framing does, after a poll
 * @receiving: a multishot receive is armed
 * @stopping: it is being cancelled
 * @sending: @first is being sent
 * @starved: waits for a buffer
 * @handover: leave the fast lane; the framing answers @left
 * @ended: nothing more will be received
 * @gone: freed with the last completion
 * @next_starved: the next one in uring::starved
 */
struct lane {
	struct chunk *first;
	struct chunk *last;
	unsigned int chunks;
	struct held left;
	unsigned int pending;
	uint32_t events;
	bool fast;
	bool receiving;
	bool stopping;
	bool sending;
	bool starved;
	bool handover;
	bool ended;
	bool gone;
	struct peer *next_starved;
};

/**
 * struct uring - the ring
 * @ring: of liburing
 * @buffers: the ring of receive buffers
 * @memory: URING_BUFFERS times URING_BUFFER bytes
 * @order: numbers of buffers in the order in which the kernel uses them
 * @place: index of each buffer in @order
 * @tail: the end of @order
 * @free: number of buffers that the kernel may use
 * @chunks: one for each buffer
 * @starved: connections that found no buffer
 * @bundles: one completion may cover several buffers
 * @control: layout of a multishot recvmsg()
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
	struct msghdr control;
};

struct io_uring_sqe *uring_entry(struct uring *u);
void uring_tag(struct io_uring_sqe *sqe, struct peer *p, enum op op);
void uring_cancel(struct uring *u, struct peer *p);
void uring_surplus(struct server *s, struct peer *p);
int uring_buffers(struct uring *u);
void uring_received(struct server *s, struct peer *p, int res,
		    unsigned int flags);
int uring_sent(struct server *s, struct peer *p, int res);
void uring_settle(struct server *s, struct peer *p);
void uring_feed(struct server *s);
void uring_free_chunks(struct uring *u, struct lane *lane);

#endif /* KWS_ECHO_URING_H */
