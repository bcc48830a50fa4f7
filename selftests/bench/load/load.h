/* SPDX-License-Identifier: MIT */
/* kws-bench: what the files about the load share. */
#ifndef KWS_BENCH_LOAD_H
#define KWS_BENCH_LOAD_H

#include "bench.h"
#include "core.h"

#define BUFFER_SIZE	(1 << 20)

/**
 * struct reply - what is expected for a message
 * @head: the header when it comes in one frame, @head_len bytes
 * @bytes: payload
 */
struct reply {
	u8 head[WS_HDR_MAX];
	u8 head_len;
	unsigned int bytes;
};

/**
 * struct line - one connection
 * @rounds: still to be begun or finished
 * @sent: bytes of the batch that are out
 * @replies: messages, for a raw server bytes, of this round that have come
 * @skip: payload bytes of the reply frame that are still to come
 * @offset: of the next payload byte in its message
 * @head: a reply's header as far as it has come, @head_len bytes
 * @hdr: the reply frame that is being read
 * @waiting_out: epoll waits for room as well
 */
struct line {
	int fd;
	unsigned int rounds;
	size_t sent;
	size_t replies;
	size_t skip;
	size_t offset;
	u8 head[WS_HDR_MAX];
	size_t head_len;
	struct ws_hdr hdr;
	bool waiting_out;
};

/**
 * struct load - all connections of a workload
 * @batch: what is sent in a round, @batch_len bytes
 * @payload: the message, unmasked; shorter ones are its beginning
 * @reply: those of a round
 * @want: replies, for a raw server bytes, that end a round
 * @active: connections that are not done
 */
struct load {
	const struct workload *w;
	bool raw;
	bool verify;
	int epoll;
	unsigned int active;
	u8 *batch;
	size_t batch_len;
	u8 *payload;
	struct reply *reply;
	size_t want;
	u8 *buffer;
	struct line *lines;
};

#endif /* KWS_BENCH_LOAD_H */
