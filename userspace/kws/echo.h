/* SPDX-License-Identifier: MIT */
/* The echo server: connections, and the ways to answer them. */
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
 * struct answer - received bytes, which become what is sent, in place
 */
struct answer {
	char *data;
	size_t len;
};

/**
 * struct framing - one way to answer
 * @name: for people
 * @kernel: by the kernel
 * @open: the handshake is over and came to that; -1 with errno
 * @answer: io_uring received bytes: makes the reply of them. Bytes of a frame
 *	that is not whole go to peer::left. -1: the connection has to end.
 * @messages: io_uring receives and sends messages with a struct ws_msg
 * @step: the socket is ready for what was asked for: echo what there is
 * @finish: goes on ending the connection; 0 when it can be closed, -1 with
 *	EAGAIN when the peer has something to do first. NULL: it always can
 * @close: ends the connection and closes the socket
 */
struct framing {
	const char *name;
	bool kernel;
	int (*open)(struct server *s, struct peer *p,
		    const struct kws_result *result);
	int (*answer)(struct server *s, struct peer *p, struct answer *a);
	bool messages;
	enum next (*step)(struct server *s, struct peer *p);
	int (*finish)(struct peer *p);
	void (*close)(struct peer *p);
};

extern const struct framing framing_kernel;
extern const struct framing framing_plain;
extern const struct framing framing_records;
extern const struct framing framing_batch;
extern const struct framing framing_user;
extern const struct framing framing_raw;
extern const struct framing framing_gift;

/* The largest of them. */
#define GIFT_MAX	(64u << 20)

/**
 * struct gift - what a client of kws echo --bench has instead of an echo
 * @bytes: of each answer
 * @count: answers to a message
 * @memory: from memory, else from a file
 */
struct gift {
	size_t bytes;
	unsigned int count;
	bool memory;
};

/**
 * struct sink - framing_user: the message that is coming in and not echoed
 * @left: payload bytes of it that are still to come
 * @key: belongs to the next one
 * @on: this is how the connection is served
 */
struct sink {
	uint64_t left;
	uint32_t key;
	bool on;
};

/**
 * struct peer - one connection
 * @fd: its socket, with O_NONBLOCK
 * @framing: after the handshake the way to answer
 * @events: what epoll waits for
 * @hs: the handshake until it is over, then NULL
 * @before: in the server's queue @shaking or @leaving
 * @after: the same
 * @leaving: it is being ended, until @leave_by (now_ns()) at the latest
 * @unsent: kws_pending() of a leaving connection when we last looked
 * @left: framing_user: bytes of a frame that is not whole yet
 * @left_len: framing_user: how many
 * @other: framing_user: they are not for echo_fast.c
 * @sink: framing_user: with @ack, as long as all frames are simple
 * @conn: framing_user: the connection; its framing may be the kernel's. NULL
 *	as long as all frames are simple
 * @rest: bytes that the socket had no room for
 * @rest_len: how many
 * @rest_msg: kernel: the message they belong to
 * @rest_flags: kernel: MSG_MORE if it goes on after them
 * @ack: bytes a message takes on the wire when it is answered by an empty one
 *	instead of echoed, else 0
 * @ack_bytes: raw: of the next such message that have come
 * @gift: framing_gift: what is sent
 * @watched: in the server's queue @quiet
 * @heard: when something came last, with userspace keepalive
 * @looked: when we looked whether it is quiet, or the later @heard of then
 * @asked: we sent a PING then
 * @burst: kernel: more than one message came with the last wake-up
 * @turns: kernel: wake-ups since we last looked for a second message
 * @lane: with io_uring what it has in the ring, else NULL
 */
struct peer {
	int fd;
	const struct framing *framing;
	uint32_t events;
	struct kws_handshake *hs;
	struct peer *before;
	struct peer *after;
	bool leaving;
	int64_t leave_by;
	size_t unsent;
	void *left;
	size_t left_len;
	bool other;
	struct sink sink;
	struct kws_conn *conn;
	void *rest;
	size_t rest_len;
	struct ws_msg rest_msg;
	int rest_flags;
	size_t ack;
	size_t ack_bytes;
	struct gift gift;
	bool watched;
	bool asked;
	int64_t heard;
	int64_t looked;
	bool burst;
	unsigned int turns;
	struct lane *lane;
};

/**
 * struct queue - connections, the one whose time is over first in front
 */
struct queue {
	struct peer *oldest;
	struct peer *newest;
};

/**
 * struct server - what all connections share
 * @framing: the way to answer
 * @options: for the handshakes
 * @deflate: what they point to
 * @tls: how to do TLS; without a certificate there is none
 * @max_message: as ws_config::max_message; 0 for the default
 * @buffer: @buffer_size bytes to receive into, for one step
 * @read_size: framing_user: bytes of one recv()
 * @messages: messages, or for framing_raw pieces, echoed so far
 * @bytes: their payload
 * @ping_ms: PING who is quiet for so long; 0 for never
 * @now: when the last wake-up was, if user space looks after who is quiet
 * @quiet: connections that it looks after
 * @bench: clients may ask for what only a benchmark wants
 * @gift_file: framing_gift: what is sent, @gift_bytes
 * @gift: the same in memory
 * @shaking: the connections in their handshake
 * @leaving: those whose end the peer is given time to see
 * @crowded: there was no file descriptor for a connection
 * @complained: when we last said so
 * @uring: the ring, or NULL for epoll
 * @engine: its name, behind that of the framing
 * @stats_since: of the last line of statistics, with @stats_messages and
 *	@stats_bytes, what there was then
 */
struct server {
	const struct framing *framing;
	struct kws_options options;
	struct kws_deflate deflate;
	struct kws_tls_options tls;
	uint64_t max_message;
	char *buffer;
	size_t buffer_size;
	size_t read_size;
	uint64_t messages;
	uint64_t bytes;

	uint32_t ping_ms;
	int64_t now;
	struct queue quiet;
	bool bench;
	int gift_file;
	size_t gift_bytes;
	char *gift;
	int epoll;
	int listener;
	int signals;
	struct queue shaking;
	struct queue leaving;
	bool crowded;
	int64_t complained;
	struct uring *uring;
	const char *engine;
	int64_t stats_since;
	uint64_t stats_messages;
	uint64_t stats_bytes;
	unsigned int open;
	uint64_t accepted;
	bool stats;
	bool verbose;
};

int peer_keep_rest(struct peer *p, const void *data, size_t len);
int peer_keep_left(struct peer *p, const void *data, size_t len);
enum next peer_send(struct peer *p, const char *data, size_t len);
enum next peer_send_rest(struct peer *p);
void peer_close(struct peer *p);
int echo_options(int argc, char **argv, struct server *s,
		 const char **address, const char **port);
bool gift_wanted(const char *target, struct gift *gift);
int prepare_tls(struct server *s);
int listen_on(const char *address, const char *port);
void announce(const struct server *s);
void accept_all(struct server *s);
void peer_serve(struct server *s, struct peer *p);
int stats_due(struct server *s, int timeout);

void queue_add(struct queue *q, struct peer *p);
void queue_remove(struct queue *q, struct peer *p);
void quiet_watch(struct server *s, struct peer *p);
void quiet_forget(struct server *s, struct peer *p);
int quiet_sweep(struct server *s);
int kernel_ping(const struct server *s, int fd);
void peer_end_handshake(struct server *s, struct peer *p);
void peer_drop(struct server *s, struct peer *p);
void peer_leave(struct server *s, struct peer *p);
void peer_go_on_leaving(struct server *s, struct peer *p);
int peer_wait(struct server *s, struct peer *p, uint32_t events);
int peers_sweep(struct server *s);
void peers_make_room(struct server *s);

int uring_open(struct server *s);
void uring_run(struct server *s);
int uring_wait(struct server *s, struct peer *p, uint32_t events);
bool uring_begin(struct server *s, struct peer *p);
void uring_surplus(struct server *s, struct peer *p);
void uring_forget(struct server *s, struct peer *p);

#endif /* KWS_ECHO_H */
