/* SPDX-License-Identifier: MIT */
/* kws-bench: the load, for the files that make it. */
#ifndef KWS_BENCH_LOAD_H
#define KWS_BENCH_LOAD_H

#include "bench.h"
#include "core.h"

#define BUFFER_SIZE	(1 << 20)

/**
 * struct reply - the expected reply to a message
 * @head: its header if it is one frame, @head_len bytes
 * @bytes: payload
 */
struct reply {
	u8 head[WS_HDR_MAX];
	u8 head_len;
	unsigned int bytes;
};

/**
 * struct line - one connection
 * @rounds: rounds that are not finished
 * @sent: bytes of the batch that are out
 * @replies: received in this round: messages, from a raw server bytes
 * @skip: missing payload bytes of the reply frame
 * @offset: of the next payload byte in its message
 * @head: the received part of a reply's header, @head_len bytes
 * @hdr: the reply frame that is being read
 * @waiting_out: epoll waits for room, too
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
 * @batch: the bytes sent in a round, @batch_len of them
 * @payload: the message, unmasked; shorter ones are its beginning
 * @reply: the expected replies of a round
 * @want: replies that end a round; from a raw server bytes
 * @active: connections that are not finished
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
