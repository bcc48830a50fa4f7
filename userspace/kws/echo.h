/* SPDX-License-Identifier: MIT */
/* The echo server: connections, and the three ways to answer them. */
#ifndef KWS_ECHO_H
#define KWS_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kws.h"

/* What a connection waits for after a step. */
enum next {
	NEXT_READ,
	NEXT_WRITE,
	NEXT_CLOSE,
};

struct peer;
struct server;

/**
 * struct framing - one way to answer
 * @name: for people
 * @open: the handshake is over and came to that; -1 with errno
 * @step: the socket is ready for what was asked for: echo what there is
 * @close: ends the connection and closes the socket
 */
struct framing {
	const char *name;
	int (*open)(struct server *s, struct peer *p,
		    const struct kws_result *result);
	enum next (*step)(struct server *s, struct peer *p);
	void (*close)(struct peer *p);
};

extern const struct framing framing_kernel;
extern const struct framing framing_user;
extern const struct framing framing_raw;

/**
 * struct peer - one connection
 * @fd: its socket, with O_NONBLOCK
 * @framing: after the handshake the way to answer
 * @events: what epoll waits for
 * @hs: the handshake until it is over, then NULL
 * @before: list of the connections in their handshake, the oldest first
 * @after: the same
 * @conn: framing_user: the connection; its framing may be the kernel's
 * @rest: kernel, raw: bytes that the socket had no room for
 * @rest_len: how many
 * @rest_msg: kernel: the message they belong to
 * @rest_flags: kernel: MSG_MORE if it goes on after them
 * @burst: kernel: more than one message came with the last wake-up
 * @turns: kernel: wake-ups since we last looked for a second message
 */
struct peer {
	int fd;
	const struct framing *framing;
	uint32_t events;
	struct kws_handshake *hs;
	struct peer *before;
	struct peer *after;
	struct kws_conn *conn;
	void *rest;
	size_t rest_len;
	struct ws_msg rest_msg;
	int rest_flags;
	bool burst;
	unsigned int turns;
};

/**
 * struct server - what all connections share
 * @framing: the way to answer
 * @options: for the handshakes
 * @deflate: what they point to
 * @max_message: as ws_config::max_message; 0 for the default
 * @buffer: @buffer_size bytes to receive into, for one step
 * @messages: messages, or for framing_raw pieces, echoed so far
 * @bytes: their payload
 */
struct server {
	const struct framing *framing;
	struct kws_options options;
	struct kws_deflate deflate;
	uint64_t max_message;
	char *buffer;
	size_t buffer_size;
	uint64_t messages;
	uint64_t bytes;

	int epoll;
	int listener;
	int signals;
	struct peer *oldest;
	struct peer *newest;
	unsigned int open;
	uint64_t accepted;
	bool stats;
	bool verbose;
};

int peer_keep_rest(struct peer *p, const void *data, size_t len);
int listen_on(const char *address, const char *port);
void announce(const struct server *s);

#endif /* KWS_ECHO_H */
