/* SPDX-License-Identifier: MIT */
/* Compressed messages, RFC 7692 section 7.2: bytes in, bytes out. */
#ifndef KWS_DEFLATE_H
#define KWS_DEFLATE_H

#include <zlib.h>

#include "conn.h"

/* The result of deflate_unpack(). */
enum unpacked {
	UNPACK_GOOD,
	UNPACK_CORRUPT,
	UNPACK_TOO_BIG,
	UNPACK_NO_MEMORY,
};

/**
 * struct direction - the compression of one direction
 * @z: zlib's state, valid if @live
 * @live: there is a context; it is made when it is first needed
 * @bits: window size for zlib, 9 to 15
 * @forget: no context takeover: the context is dropped after every message
 */
struct direction {
	z_stream z;
	bool live;
	int bits;
	bool forget;
};

/**
 * struct deflate - the compression of one connection
 * @params: the agreed parameters
 * @tx: the sending direction
 * @rx: the receiving direction
 * @out: the message returned last, inflated
 * @open: opcode of the message that is being sent, 0 between messages
 * @begun: a frame of it has been sent
 */
struct deflate {
	struct kws_deflate params;
	struct direction tx;
	struct direction rx;
	struct buffer out;
	u8 open;
	bool begun;
};

struct deflate *deflate_new(const struct kws_deflate *params, u32 role);
void deflate_free(struct deflate *d);
int deflate_pack(struct deflate *d, const void *data, size_t len, bool fin,
		 struct buffer *out);
void deflate_forget(struct deflate *d);
enum unpacked deflate_unpack(struct deflate *d, const void *data, size_t len,
			     u64 limit, struct buffer *out);

#endif /* KWS_DEFLATE_H */
