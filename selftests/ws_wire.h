/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every test gets without asking: its traffic is checked against RFC 6455,
 * and after it nothing of the module is left.
 *
 * ws_wire.c has the rules, ws_wire_calls.c puts them behind the calls by which
 * a test sends and receives, ws_left.c counts what is there before and after.
 * All three work by the linker, see the Makefile.
 */
#ifndef _WS_WIRE_H
#define _WS_WIRE_H

#include "ws_test.h"

/* PINGs that wait for their PONG; with more than these, any PONG is right. */
#define WIRE_PINGS	16384

/* One direction of a connection: the frame that is under way. */
struct wire_half {
	uint64_t at;		/* bytes so far */
	uint64_t start;		/* where the frame begins */
	uint64_t left;		/* payload to come */
	uint64_t hash;		/* of the payload of a control frame */
	unsigned char head[14];
	unsigned char key[4];
	unsigned int have;	/* bytes of the header */
	unsigned int phase;	/* of the key */
	bool payload;		/* the header is complete */
	bool message;		/* a message is under way */
	bool closed;		/* by a Close frame */
};

/*
 * A connection as its peer sees it. @in is what the peer has sent: only its
 * PINGs count, and when it breaks a rule any PONG is right.
 */
struct wire {
	struct wire_half in, out;
	bool server;		/* the attached end's role */
	unsigned int rsv;	/* bits that it may set */
	bool any_pong;
	bool broken;		/* has been reported */
	unsigned int pings;	/* sent by the peer */
	unsigned int answered;	/* of these, by a PONG for it or for a later one */
	unsigned int frames;	/* with a mask */
	unsigned int zero_keys;
	unsigned int same_keys;
	unsigned char last_key[4];
	uint64_t hashes[WIRE_PINGS];
};

/* What the peer sends. */
void wire_sent(struct wire *w, const void *data, size_t len);
/* What the peer has received; false when that breaks a rule. */
bool wire_received(struct wire *w, const void *data, size_t len);
/* The peer has seen FIN. */
bool wire_ended(struct wire *w);

/* In the process of the harness, before and after each test. */
void wire_before_test(void);
bool wire_after_test(void);
/* A test starts a process, which has the same descriptors. */
void wire_fork(void);

#endif /* _WS_WIRE_H */
