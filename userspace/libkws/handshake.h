/* SPDX-License-Identifier: MIT */
/* The members of struct kws_handshake, for both sides. */
#ifndef KWS_HANDSHAKE_H
#define KWS_HANDSHAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "extensions.h"
#include "head.h"
#include "key.h"
#include "kws.h"
#include "tls.h"

enum handshake_state {
	HANDSHAKE_TLS,
	HANDSHAKE_SEND,
	HANDSHAKE_RECEIVE,
	HANDSHAKE_DONE,
	HANDSHAKE_FAILED,
};

/**
 * struct kws_handshake - one opening handshake
 * @state: the current step
 * @next: the step after HANDSHAKE_SEND
 * @client: our side
 * @error: errno to report once @next is HANDSHAKE_FAILED
 * @deadline: in milliseconds of CLOCK_MONOTONIC, or -1
 * @options: of the caller, with the defaults filled in
 * @tls: the TLS of the socket, or NULL for plain TCP
 * @head: received from the peer
 * @key: client: the Sec-WebSocket-Key that we sent
 * @out: the bytes to be sent; @out_len bytes, of which @out_done are out
 * @offered: storage of @result.offered
 * @deflate: storage of @result.deflate
 * @extension: server: the value of our Sec-WebSocket-Extensions
 * @result: for the caller
 */
struct kws_handshake {
	enum handshake_state state;
	enum handshake_state next;
	bool client;
	int error;
	int64_t deadline;
	struct kws_options options;
	struct tls *tls;
	struct head head;
	char key[KEY_SIZE];
	char *out;
	size_t out_len;
	size_t out_done;
	char *offered;
	struct kws_deflate deflate;
	char extension[EXTENSION_SIZE];
	struct kws_result result;
};

struct kws_handshake *handshake_new(bool client,
				    const struct kws_options *options);
int handshake_fail(struct kws_handshake *hs, int error, const char *why);
int handshake_out(struct kws_handshake *hs, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool handshake_headers_ok(const char *headers);

int request_check(struct kws_handshake *hs);
int request_refuse(struct kws_handshake *hs, int status, int error,
		   const char *why);
int response_check(struct kws_handshake *hs);

#endif /* KWS_HANDSHAKE_H */
