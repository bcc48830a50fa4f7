/* SPDX-License-Identifier: MIT */
/* The echo server: connections, and the framings that answer them. */
#ifndef KWS_ECHO_H
#define KWS_ECHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kws.h"

/* The event that a connection waits for after a step. */
enum next {
	NEXT_READ,
	NEXT_WRITE,
	NEXT_CLOSE,
};

struct peer;
struct ring_ops;
struct server;

/**
 * struct framing - one way to answer messages
 * @name: printed when the server starts
 * @kernel: the kernel does the framing; the module must be loaded
 * @any_tls: OpenSSL may do the records of TLS; others need kTLS
 * @ring: receive and send by io_uring; NULL: io_uring only polls
 * @open: take a connection over after its handshake. Return: 0, or -1 with
 *	errno. Then peer::state is NULL, or @close has to free it.
 * @readable: echo what has been received
 * @writable: send what the socket had no room for. Return: NEXT_READ when
 *	everything is out. Called after NEXT_WRITE only.
 * @keep_alive: start to send PINGs; NULL: this framing has no keepalive
 * @ping: send one PING, unless something else is unsent; for quiet_watch()
 * @finish: continue the end of a connection. Return: 0 when it can be closed,
 *	-1 with EAGAIN when the peer has to act first, after setting @unsent to
 *	the number of unsent bytes. NULL: it can always be closed.
 * @close: close the socket and free peer::state
 *
 * Once per wake-up, not per message, these are called through the pointers.
 */
struct framing {
	const char *name;
	bool kernel;
	bool any_tls;
	const struct ring_ops *ring;
	int (*open)(struct server *s, struct peer *p,
		    const struct kws_result *result);
	enum next (*readable)(struct server *s, struct peer *p);
	enum next (*writable)(struct server *s, struct peer *p);
	int (*keep_alive)(struct server *s, struct peer *p);
	void (*ping)(struct peer *p);
	int (*finish)(struct peer *p, size_t *unsent);
	void (*close)(struct peer *p);
};

extern const struct framing framing_none;
extern const struct framing framing_kernel;
extern const struct framing framing_plain;
extern const struct framing framing_records;
extern const struct framing framing_batch;
extern const struct framing framing_user;
extern const struct framing framing_library;

/**
 * struct peer - one connection
 * @fd: its socket, with O_NONBLOCK
 * @framing: serves it; framing_none until the handshake is over
 * @state: of @framing, for this connection
 * @blocked: the socket had no room: framing::writable is called first
 * @events: of epoll
 * @hs: the handshake until it is over, then NULL
 * @before: previous in server::shaking, server::leaving or server::quiet
 * @after: next in the same queue
 * @leaving: the connection is ending, until @leave_by (now_ns()) at the latest
 * @leave_by: when it is closed
 * @unsent: unsent bytes at the last step of its end
 * @watched: in server::quiet
 * @asked: a PING was sent at @checked
 * @heard: when data was received last
 * @checked: when the silence was last checked, or @heard as it was then
 * @lane: its share of the ring of io_uring, else NULL
 */
struct peer {
	int fd;
	const struct framing *framing;
	void *state;
	bool blocked;
	uint32_t events;
	struct kws_handshake *hs;
	struct peer *before;
	struct peer *after;
	bool leaving;
	int64_t leave_by;
	size_t unsent;
	bool watched;
	bool asked;
	int64_t heard;
	int64_t checked;
	struct lane *lane;
};

/**
 * struct queue - connections, the one with the earliest deadline first
 */
struct queue {
	struct peer *oldest;
	struct peer *newest;
};

/**
 * struct server - shared by all connections
 * @framing: answers connections without compression
 * @choose: returns the framing that the request of a client asks for, or NULL
 *	for @framing. NULL: clients have no choice. kws-bench sets it.
 * @options: for the handshakes
 * @deflate: storage of kws_options::deflate
 * @tls: options of TLS; without a certificate there is no TLS
 * @max_message: as ws_config::max_message; 0 for the default
 * @buffer: to receive into; its contents are lost after a step
 * @buffer_size: bytes that one recv() may ask for
 * @read_size: framing_user: bytes that one recv() asks for
 * @messages: echoed so far
 * @bytes: their payload
 * @ping_ms: PING after so much silence; 0 for never
 * @now: time of the last wake-up, kept while @quiet has connections
 * @quiet: connections whose keepalive is done in user space
 * @epoll: waits for connections, unless @uring does
 * @listener: the listening socket
 * @signals: a signalfd for SIGINT and SIGTERM
 * @shaking: connections in their handshake
 * @leaving: connections that are ending, while the peer may still read
 * @crowded: accept() failed for want of a file descriptor
 * @complained: when that was last printed
 * @uring: the ring, or NULL for epoll
 * @engine: its name, printed behind that of the framing
 * @stats_since: time of the last line of statistics
 * @stats_messages: @messages at that time
 * @stats_bytes: @bytes at that time
 * @open: connections
 * @accepted: all connections so far
 * @stats: print statistics
 * @verbose: print why connections are refused
 */
struct server {
	const struct framing *framing;
	const struct framing *(*choose)(struct server *s,
					const struct kws_result *result);
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

int echo_serve(int argc, char **argv, struct server *s);
int echo_options(int argc, char **argv, struct server *s,
		 const char **address, const char **port);
int prepare_tls(struct server *s);
int listen_on(const char *address, const char *port);
void announce(const struct server *s);
void accept_all(struct server *s);
void peer_serve(struct server *s, struct peer *p);
int stats_due(struct server *s, int timeout);

void queue_add(struct queue *q, struct peer *p);
void queue_remove(struct queue *q, struct peer *p);
int quiet_watch(struct server *s, struct peer *p);
void quiet_forget(struct server *s, struct peer *p);
int quiet_sweep(struct server *s);
void peer_end_handshake(struct server *s, struct peer *p);
void peer_drop(struct server *s, struct peer *p);
void peer_leave(struct server *s, struct peer *p);
void peer_go_on_leaving(struct server *s, struct peer *p);
int peer_wait(struct server *s, struct peer *p, uint32_t events);
int peers_sweep(struct server *s);
void peers_make_room(struct server *s);

int kernel_attach(struct server *s, struct peer *p,
		  const struct kws_result *result);
int kernel_keep_alive(struct server *s, struct peer *p);
int finish_socket(struct peer *p, size_t *unsent);

int uring_open(struct server *s);
void uring_close(struct server *s);
void uring_run(struct server *s);
int uring_wait(struct server *s, struct peer *p, uint32_t events);
bool uring_begin(struct server *s, struct peer *p);
void uring_forget(struct server *s, struct peer *p);

#endif /* KWS_ECHO_H */
