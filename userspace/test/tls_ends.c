// SPDX-License-Identifier: MIT
/* Two ends that speak TLS to each other, or libkws and OpenSSL itself. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/err.h>

#include "test.h"
#include "tls_ends.h"

#define STEPS	10000

/* Good until the call after the next. */
const char *certificate_file(const char *name)
{
	static char paths[2][4096];
	static unsigned int n;
	char *path = paths[n++ % 2];

	snprintf(path, sizeof(paths[0]), CERTIFICATES "/%s", name);
	return path;
}

/* With the certificate @name. */
struct kws_tls *tls_server(const char *name)
{
	struct kws_tls_options o = { 0 };
	char file[64];
	struct kws_tls *tls;
	const char *why;

	snprintf(file, sizeof(file), "%s.pem", name);
	o.certificate = certificate_file(file);
	snprintf(file, sizeof(file), "%s.key", name);
	o.key = certificate_file(file);
	tls = kws_tls_new(WS_ROLE_SERVER, &o, &why);
	if (tls)
		return tls;
	fprintf(stderr, "%s: %s: %s\n", name, why, strerror(errno));
	exit(1);
}

/* That trusts @ca; NULL for the system's, "" for everybody. */
struct kws_tls *tls_client(const char *ca)
{
	struct kws_tls_options o = { 0 };
	struct kws_tls *tls;
	const char *why;

	if (ca && *ca)
		o.ca = certificate_file(ca);
	o.insecure = ca && !*ca;
	tls = kws_tls_new(WS_ROLE_CLIENT, &o, &why);
	if (tls)
		return tls;
	fprintf(stderr, "%s: %s\n", why, strerror(errno));
	exit(1);
}

/* One byte each way, if there is one and a relay. */
void ends_relay(struct ends *e)
{
	char byte;
	int i;

	if (e->relay[0] < 0)
		return;
	for (i = 0; i < 2; i++)
		if (recv(e->relay[i], &byte, 1, MSG_DONTWAIT) == 1)
			put(e->relay[!i], &byte, 1);
}

static void step(struct ends *e, int i)
{
	if (e->done[i] || !e->hs[i])
		return;
	e->done[i] = kws_handshake_step(e->hs[i], e->fds[i]);
	e->error[i] = e->done[i] < 0 ? errno : 0;
	if (e->done[i] < 0)
		shutdown(e->fds[i], SHUT_WR);
}

/* Until both are done; e->fds are given. */
bool ends_shake(struct ends *e, struct kws_tls *server, struct kws_tls *client,
		const char *url)
{
	struct kws_options o[2] = { { .tls = server }, { .tls = client } };
	int i;

	e->hs[0] = kws_handshake_server(&o[0]);
	e->hs[1] = kws_handshake_client(url, &o[1]);
	for (i = 0; i < STEPS && !(e->done[0] && e->done[1]); i++) {
		step(e, 1);
		ends_relay(e);
		step(e, 0);
	}
	return e->done[0] && e->done[1];
}

/* Connections, with framing in user space. */
bool ends_open(struct ends *e)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (e->done[i] == 1)
			e->conn[i] = kws_handshake_open(e->hs[i], e->fds[i],
							KWS_USER);
		if (!e->conn[i])
			return false;
	}
	return true;
}

void ends_close(struct ends *e)
{
	int i;

	for (i = 0; i < 2; i++) {
		kws_handshake_free(e->hs[i]);
		if (e->conn[i])
			kws_close(e->conn[i]);
		else
			close(e->fds[i]);
		if (e->relay[i] >= 0)
			close(e->relay[i]);
	}
}

static int select_alpn(SSL *ssl, const unsigned char **out,
		       unsigned char *out_len, const unsigned char *in,
		       unsigned int in_len, void *arg)
{
	const char *name = arg;

	(void)ssl;
	(void)in;
	(void)in_len;
	*out = (const unsigned char *)name;
	*out_len = strlen(name);
	return SSL_TLSEXT_ERR_OK;
}

/*
 * OpenSSL as a peer on a socket that does not block. @alpn: what a client
 * offers, as on the wire, what a server chooses whatever is offered, or NULL.
 */
SSL *peer_new(int fd, bool server, const char *alpn)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_method());
	SSL *ssl;
	BIO *bio;

	if (server) {
		SSL_CTX_use_certificate_chain_file(ctx, certificate_file("good.pem"));
		SSL_CTX_use_PrivateKey_file(ctx, certificate_file("good.key"),
					    SSL_FILETYPE_PEM);
	}
	if (alpn && server)
		SSL_CTX_set_alpn_select_cb(ctx, select_alpn, (void *)alpn);
	else if (alpn)
		SSL_CTX_set_alpn_protos(ctx, (const unsigned char *)alpn,
					strlen(alpn));
	ssl = SSL_new(ctx);
	SSL_CTX_free(ctx);
	bio = BIO_new_socket(fd, BIO_NOCLOSE);
	SSL_set_bio(ssl, bio, bio);
	if (server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	return ssl;
}

/* 1: done, 0: go on, or -1 when it failed. */
int peer_shake(SSL *ssl)
{
	int r, error;

	ERR_clear_error();
	r = SSL_do_handshake(ssl);
	if (r == 1)
		return 1;
	error = SSL_get_error(ssl, r);
	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ?
		0 : -1;
}

void peer_free(SSL *ssl)
{
	SSL_free(ssl);
	ERR_clear_error();
}
