/* SPDX-License-Identifier: MIT */
/* Bytes that the framings of the echo server keep for later. */
#ifndef KWS_ECHO_SEND_H
#define KWS_ECHO_SEND_H

#include "echo.h"

/**
 * struct held - bytes in memory of their own
 * @data: the bytes, NULL for none
 * @len: how many
 *
 * Either unsent replies, or received bytes that have no reply yet.
 */
struct held {
	char *data;
	size_t len;
};

int hold_bytes(struct held *h, const void *data, size_t len);
void drop_held(struct held *h);
enum next send_or_hold(struct peer *p, struct held *unsent, const char *data,
		       size_t len);
enum next send_held(struct peer *p, struct held *unsent);

/* For a framing whose peer::state begins with its unsent bytes. */
enum next bytes_writable(struct server *s, struct peer *p);
void bytes_close(struct peer *p);

#endif /* KWS_ECHO_SEND_H */
