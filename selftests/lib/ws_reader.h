/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways to read from a socket, and one form for what they give: what a test
 * says of one of them, it can say of all.
 */
#ifndef _WS_READER_H
#define _WS_READER_H

#include "ws_test.h"

enum reader {
	BY_READ,	/* a message per call, no control message */
	BY_MSG,		/* a message per call, with one */
	BY_RECORDS,	/* WS_F_RECORDS */
	BY_BATCH,	/* WS_F_BATCH */
	BY_BATCH_BARE,	/* WS_F_BATCH without a control buffer */
	READERS
};

/* Each of them in both roles; wants .role and .by in the FIXTURE_VARIANT. */
#define READER_VARIANT(fixture, name, r, kind)			\
	FIXTURE_VARIANT_ADD(fixture, name)			\
	{							\
		.role = WS_ROLE_ ## r,				\
		.by = BY_ ## kind,				\
	}

#define READER_VARIANTS(fixture)						\
	READER_VARIANT(fixture, server_read, SERVER, READ);			\
	READER_VARIANT(fixture, client_read, CLIENT, READ);			\
	READER_VARIANT(fixture, server_msg, SERVER, MSG);			\
	READER_VARIANT(fixture, client_msg, CLIENT, MSG);			\
	READER_VARIANT(fixture, server_records, SERVER, RECORDS);		\
	READER_VARIANT(fixture, client_records, CLIENT, RECORDS);		\
	READER_VARIANT(fixture, server_batch, SERVER, BATCH);			\
	READER_VARIANT(fixture, client_batch, CLIENT, BATCH);			\
	READER_VARIANT(fixture, server_batch_bare, SERVER, BATCH_BARE);		\
	READER_VARIANT(fixture, client_batch_bare, CLIENT, BATCH_BARE)

/* Does a call give as many messages as there are? */
static inline bool reads_many(enum reader by)
{
	return by == BY_RECORDS || by == BY_BATCH;
}

/* Can it see opcodes? */
static inline bool sees_opcodes(enum reader by)
{
	return by != BY_READ && by != BY_BATCH_BARE;
}

#define GIVEN_MAX	32
#define GIVEN_ROOM	(1 << 18)

/**
 * struct given - what one call gave
 * @n: its result, or a negated errno
 * @flags: msg_flags
 * @count: how many messages and pieces
 * @m: what they are; of a reader that is not told only the length
 * @at: where the payload of each is
 */
struct given {
	ssize_t n;
	int flags;
	int count;
	struct ws_msg m[GIVEN_MAX];
	const unsigned char *at[GIVEN_MAX];
};

/* ws_config::flags of this reader. */
__u32 reader_flags(enum reader by);
/* Has the socket read in this way; the rest of the settings as @cfg says. */
bool reader_set(struct pair *p, enum reader by, struct ws_config cfg);
/* The first I/O, before anything has come. */
bool reader_begin(struct pair *p, enum reader by);
/*
 * One call with a buffer of @room bytes. For records that is room for records,
 * else for payload. The payload lies in memory of the helper until the next call.
 */
struct given reader_call(struct pair *p, enum reader by, size_t room, int flags);
/* How much room one message of @len takes. */
size_t reader_room(enum reader by, size_t len);

/* What should come. */
struct want {
	int opcode;
	const void *data;
	size_t len;
};

/*
 * These messages are next, whole, and in as few calls as possible. With @more
 * something else is ready behind them. With MSG_PEEK in @flags one call, which
 * shows the first or all of them.
 */
bool reader_gets(struct pair *p, enum reader by, const struct want *w, int n,
		 bool more, int flags);
/* One message, with nothing behind it. */
bool reader_gets_one(struct pair *p, enum reader by, int opcode,
		     const void *data, size_t len);
/* One call ends with this. */
bool reader_fails(struct pair *p, enum reader by, int err);
/* Nothing to read, and nothing is wrong. */
bool reader_idle(struct pair *p, enum reader by);
/* The error of a broken rule, once; then the end; and Close and FIN. */
bool reader_ends(struct pair *p, enum reader by, int err, int code);

/* The head of the record there. */
struct ws_msg msg_at(const unsigned char *p);
/*
 * The record at @p says this, has this payload and zeros behind it. Returns
 * what follows it, or NULL.
 */
const unsigned char *record_is(const unsigned char *p, int opcode, int flags,
			       const void *data, size_t len);
/*
 * For records: a limit of 1000, the first look at the stream, and then a binary
 * message "first" and whatever @b has, in one segment. What is behind the first
 * has not been scanned when it is read, and that must not show.
 */
bool send_unscanned(struct pair *p, struct bytes *b);

#endif /* _WS_READER_H */
