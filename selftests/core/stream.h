/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A small receiver made of the core's functions alone, for the tests: it
 * takes a stream in pieces of any size and writes down what happened.
 */
#ifndef _WS_CORE_STREAM_H
#define _WS_CORE_STREAM_H

#include "core.h"

struct stream {
	u32 role;
	u8 rsv;			/* bits that are allowed */
	u64 max_message;

	u8 head[WS_HDR_MAX];
	size_t head_len;
	struct ws_hdr hdr;
	bool in_payload;
	u64 left;		/* payload bytes of the frame still to come */
	u32 key;		/* as it stands at the next payload byte */
	struct ws_seq seq;
	u8 opcode;		/* of the message */
	u8 message_rsv;
	u8 utf8;
	u8 control[WS_CTRL_MAX];
	bool over;		/* Close or a fault: what follows is ignored */
	enum ws_rule rule;	/* the fault */
	bool ended;		/* stream_end() was called */

	u64 taken;		/* bytes of the stream */
	u64 frame_at;		/* where the frame began */

	u8 *data;		/* the message so far */
	size_t data_len, data_room;
	char *log;
	size_t log_len, log_room;
	size_t log_good;	/* without the fault */
	size_t log_last;	/* without the last event */

	/* Told of each event, too, unless it is NULL. */
	void (*event)(void *arg, u8 opcode, const u8 *p, size_t n);
	void *arg;
};

void stream_init(struct stream *s, u32 role, u8 rsv, u64 max_message);
void stream_feed(struct stream *s, const u8 *p, size_t n);
/* The log, ended by " ..." when the stream stops inside something. */
const char *stream_end(struct stream *s);
void stream_free(struct stream *s);
/* One event in the log's notation, for others who keep such a log. */
void stream_log(struct stream *s, const char *name, const u8 *p, size_t n);

/* The bytes that a vector stands for; only counts them when p is NULL. */
size_t vector_decode(u8 *p, const char *in);

#endif /* _WS_CORE_STREAM_H */
