/* SPDX-License-Identifier: MIT */
/* TLS on two ends of a stream, for tests. */
#ifndef KWS_TEST_TLS_H
#define KWS_TEST_TLS_H

#include <openssl/ssl.h>
#include "kws.h"

/**
 * struct ends - two handshakes of libkws that speak to each other
 * @fds: server, client
 * @relay: the other ends of @fds when bytes are passed on a few at a time
 * @hs: the handshakes
 * @done: what their last step returned
 * @error: with which errno
 * @conn: what they came to
 */
struct ends {
	int fds[2];
	int relay[2];
	struct kws_handshake *hs[2];
	int done[2];
	int error[2];
	struct kws_conn *conn[2];
};

struct kws_tls *tls_server(const char *name);
struct kws_tls *tls_client(const char *ca);
bool ends_shake(struct ends *e, struct kws_tls *server, struct kws_tls *client,
		const char *url);
void ends_relay(struct ends *e);
bool ends_open(struct ends *e);
void ends_close(struct ends *e);
const char *certificate_file(const char *name);

SSL *peer_new(int fd, bool server, const char *alpn);
int peer_shake(SSL *ssl);
void peer_free(SSL *ssl);

#endif /* KWS_TEST_TLS_H */
