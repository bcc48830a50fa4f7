/* SPDX-License-Identifier: MIT */
/* The client: options and state. */
#ifndef KWS_CAT_H
#define KWS_CAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "kws.h"

/**
 * struct cat - one run
 * @line: input that has not been sent; @line_len bytes of @line_size
 * @input: file descriptor of the input, -1 at its end
 * @closing: our Close has been sent; wait for the answer until @close_by
 * @next_ping: when the next PING is due, in ns
 * @deflate: @deflate_count offers of compression
 * @timeout_ms: for the handshake, 0 for the default
 */
struct cat {
	struct kws_conn *conn;
	int fd;
	int input;
	bool echo;
	bool binary;
	bool quiet;
	bool closing;
	bool clean;
	enum kws_framing framing;
	uint64_t max_message;
	uint64_t ping_s;
	int64_t next_ping;
	int64_t close_by;
	char *line;
	size_t line_len;
	size_t line_size;
	const char *protocols[17];
	unsigned int protocol_count;
	char *headers;
	struct kws_deflate deflate[8];
	unsigned int deflate_count;
	struct kws_tls_options tls;
	int timeout_ms;
};

int cat_run(struct cat *c, const char *url);

#endif /* KWS_CAT_H */
