/* SPDX-License-Identifier: MIT */
/* Frames turned into replies in place. */
#ifndef KWS_ECHO_FAST_H
#define KWS_ECHO_FAST_H

#include "core.h"

#define FAST_READ	65536			/* of one recv() */
#define FAST_MAX	(FAST_READ - 8)		/* a frame that fits it */

/* The result of fast_echo(). */
enum fast {
	FAST_MORE,
	FAST_OTHER,
};

/**
 * struct frames - bytes read, and the replies
 * @in: the bytes read; they are overwritten
 * @in_len: how many
 * @out: the replies, somewhere in the same memory
 * @out_len: how many bytes
 * @left: bytes at the end that have no reply yet
 * @left_len: how many
 * @messages: increased by the messages answered
 * @bytes: increased by their payload
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

#endif /* KWS_ECHO_FAST_H */
