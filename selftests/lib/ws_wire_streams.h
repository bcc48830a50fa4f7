/* SPDX-License-Identifier: GPL-2.0-only */
/* Between ws_wire_streams.c and ws_wire_calls.c. */
#ifndef _WS_WIRE_STREAMS_H
#define _WS_WIRE_STREAMS_H

#include "ws_wire.h"

/* Descriptors from this one on are not watched. */
#define WIRE_DESCRIPTORS	65536

/* A connection of a pair, as long as a process has its peer. */
struct stream {
	pthread_mutex_t lock;
	bool used;
	bool attached;
	bool blind;		/* nothing is checked any more */
	int holders;		/* processes that have the peer's descriptor */
	int senders;		/* calls that are under way */
	int readers;
	uint64_t skip;		/* bytes that are older than the attach */
	struct wire w;
};

/*
 * Who reads the answer may be faster than the call returns: what is to be sent
 * is noted before it, and taken back when it was less.
 */
struct wire_undo {
	struct wire_half in;
	unsigned int pings;
	bool any_pong;
};

int wire_lookup(int fd);
void wire_assign(int fd, int value);
/* NULL when it is not the peer's, or the attached end's, of a watched pair. */
struct stream *wire_peer(int fd);
struct stream *wire_attached(int fd);
/* Locked, or NULL. */
struct stream *wire_take(struct stream *s);
void wire_put(struct stream *s);
/* Nothing is checked any more; any PONG is right. Both take NULL. */
void wire_blind(struct stream *s);
void wire_any_pong(struct stream *s);
/* Around the peer's reading; with @n < 0 nothing has come. */
void wire_reading(struct stream *s);
void wire_has_read(int fd, struct stream *s, const void *data, ssize_t n);
/* Around the peer's sending. */
void wire_sending(struct stream *s, const void *data, size_t len,
		  struct wire_undo *undo);
void wire_has_sent(struct stream *s, const void *data, size_t len, ssize_t n,
		   const struct wire_undo *undo);
/* What the attached end sends before it is attached is no frame. */
void wire_plain_sent(struct stream *s, ssize_t n);
/* The descriptor is about to be closed. */
void wire_forget(int fd);

#endif /* _WS_WIRE_STREAMS_H */
