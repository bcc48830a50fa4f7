/* SPDX-License-Identifier: MIT */
/* Frames made replies where they lie. */
#ifndef KWS_ECHO_FAST_H
#define KWS_ECHO_FAST_H

#include "core.h"

#define FAST_READ	65536			/* of one recv() */
#define FAST_MAX	(FAST_READ - 8)		/* a frame that fits it */

/* What fast_echo() came to. */
enum fast {
	FAST_MORE,
	FAST_OTHER,
};

/**
 * struct frames - what was read, and the replies
 * @in: bytes read, changed
 * @in_len: how many
 * @out: the replies, somewhere in the same memory
 * @out_len: how many bytes
 * @left: bytes at the end that no reply was made for
 * @left_len: how many
 * @messages: counted up
 * @bytes: the same for their payload
 */
struct frames {
	u8 *in;
	size_t in_len;
	u8 *out;
	size_t out_len;
	u8 *left;
	size_t left_len;
	u64 messages;
	u64 bytes;
};

enum fast fast_echo(struct frames *f, u64 max);
void fast_unmask(u8 *p, size_t n, u32 key);

struct server;
struct sink;

enum fast fast_sink(struct server *s, struct sink *k, struct frames *f);

#endif /* KWS_ECHO_FAST_H */
