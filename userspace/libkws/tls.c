// SPDX-License-Identifier: MIT
/* TLS of one connection: its handshake. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <linux/tls.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls.h"

#ifndef SOL_TLS
#define SOL_TLS		282
#endif

/* Reasons above this number are alerts of the peer. */
#define ALERT_REASONS	1000

/*
 * Sets the name that the certificate has to have: RFC 6125, and RFC 2818
 * section 3.1 for an IP address. Only names are sent to the server (RFC 6066
 * section 3).
 */
static int expect_host(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	unsigned char address[16];
	size_t len = strlen(host);
	char name[256];

	if (inet_pton(AF_INET, host, address) == 1 ||
	    inet_pton(AF_INET6, host, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1 ? 0 : -1;
	/* "a.example." is the name a.example. */
	if (len && host[len - 1] == '.')
		len--;
	if (!len || len >= sizeof(name))
		return -1;
	memcpy(name, host, len);
	name[len] = '\0';
	X509_VERIFY_PARAM_set_hostflags(param,
					X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set_tlsext_host_name(ssl, name) == 1 &&
	       SSL_set1_host(ssl, name) == 1 ? 0 : -1;
}

/**
 * tls_new() - make the TLS of a connection
 * @context: shared by all connections
 * @host: client: the server's name or address
 *
 * Return: the connection, or NULL with EINVAL or ENOMEM.
 */
struct tls *tls_new(const struct kws_tls *context, const char *host)
{
	struct tls *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->fd = -1;
	t->client = context->client;
	t->ktls = context->ktls;
	t->ssl = SSL_new(context->ctx);
	if (!t->ssl) {
		free(t);
		errno = ENOMEM;
		return NULL;
	}
	if (!t->client) {
		SSL_set_accept_state(t->ssl);
		return t;
	}
	SSL_set_connect_state(t->ssl);
	if (expect_host(t->ssl, host)) {
		tls_free(t);
		ERR_clear_error();
		errno = EINVAL;
		return NULL;
	}
	return t;
}

/**
 * tls_of_socket() - find out whether a socket has kTLS
 * @fd: the socket
 *
 * Return: its TLS, if the kernel does both directions; otherwise NULL with
 * errno 0, or NULL with ENOMEM.
 */
struct tls *tls_of_socket(int fd)
{
	struct tls_crypto_info info;
	socklen_t len = sizeof(info);
	struct tls *t;

	errno = 0;
	if (getsockopt(fd, SOL_TLS, TLS_RX, &info, &len) ||
	    getsockopt(fd, SOL_TLS, TLS_TX, &info, &len)) {
		errno = 0;
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->fd = fd;
	t->sends = true;
	t->receives = true;
	return t;
}

/* Connects OpenSSL to the socket, and prepares it for kTLS. */
static int bind_socket(struct tls *t, int fd, const char **why)
{
	BIO *bio;

	t->fd = fd;
	if (t->ktls != KWS_KTLS_NEVER &&
	    setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls") - 1)) {
		t->why = errno == ENOENT ?
			"the kernel's module tls is not loaded" :
			"the kernel does no TLS on this socket";
		if (t->ktls == KWS_KTLS_ALWAYS) {
			*why = t->why;
			errno = ENOKEY;
			return -1;
		}
		SSL_clear_options(t->ssl, SSL_OP_ENABLE_KTLS);
	}
	bio = tls_bio(t);
	if (!bio) {
		*why = "out of memory";
		errno = ENOMEM;
		return -1;
	}
	SSL_set_bio(t->ssl, bio, bio);
	return 0;
}

static const char *explain_no_ktls(const struct tls *t)
{
	if (t->why)
		return t->why;
	if (t->ktls == KWS_KTLS_NEVER)
		return "kTLS is not wanted";
	if (SSL_version(t->ssl) == TLS1_3_VERSION && !tls_library_receives_13())
		return "with TLS 1.3 kTLS takes OpenSSL 3.2";
	return "this OpenSSL or this kernel has no kTLS for this cipher";
}

/* After the handshake of TLS: notes which records the kernel does. */
static int choose_records(struct tls *t, const char **why)
{
	t->version = SSL_get_version(t->ssl);
	t->cipher = SSL_get_cipher_name(t->ssl);
	t->sends = BIO_get_ktls_send(SSL_get_wbio(t->ssl));
	/* Data that OpenSSL has read has to come from OpenSSL. */
	t->receives = BIO_get_ktls_recv(SSL_get_rbio(t->ssl)) &&
		!SSL_has_pending(t->ssl);
	if (t->sends && t->receives) {
		SSL_free(t->ssl);
		t->ssl = NULL;
		return 1;
	}
	t->why = explain_no_ktls(t);
	if (t->ktls == KWS_KTLS_ALWAYS) {
		*why = t->why;
		errno = ENOKEY;
		return -1;
	}
	/* Let OpenSSL read many records with one recv(). */
	if (!BIO_get_ktls_recv(SSL_get_rbio(t->ssl)) &&
	    SSL_free_buffers(t->ssl)) {
		SSL_set_default_read_buffer_len(t->ssl, TLS_READ_SIZE);
		SSL_set_read_ahead(t->ssl, 1);
		t->ahead = true;
	}
	return 1;
}

/* Sets errno and @why after an SSL_ERROR_SSL. */
static int explain_error(struct tls *t, const char **why)
{
	unsigned long e = ERR_peek_error();
	int reason = ERR_GET_REASON(e);
	long verdict = SSL_get_verify_result(t->ssl);

	errno = EPROTO;
	*why = ERR_reason_error_string(e);
	if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
		errno = EKEYREJECTED;
		*why = X509_verify_cert_error_string(verdict);
	} else if (reason == SSL_R_HTTP_REQUEST) {
		errno = EBADMSG;
		*why = "this is HTTP, but TLS is spoken here";
	} else if (reason == SSL_R_WRONG_VERSION_NUMBER) {
		*why = "the peer does not speak TLS";
	} else if (reason > ALERT_REASONS) {
		errno = ECONNABORTED;
	}
	if (!*why)
		*why = "TLS failed";
	return -1;
}

/* A server may only select an offered protocol; there is one. */
static int check_protocol(const struct tls *t, const char **why)
{
	static const char wanted[] = "http/1.1";
	const unsigned char *name;
	unsigned int len;

	SSL_get0_alpn_selected(t->ssl, &name, &len);
	if (!len || (len == strlen(wanted) && !memcmp(name, wanted, len)))
		return 0;
	*why = "the server wants another protocol than http/1.1";
	errno = EPROTO;
	return -1;
}

/*
 * OpenSSL sends the records of a handshake that go out through kTLS, without
 * MSG_NOSIGNAL. So SIGPIPE is blocked, and taken if it was raised.
 */
static int shake_without_sigpipe(struct tls *t)
{
	static const struct timespec now;
	sigset_t pipe, old, pending;
	int flags = fcntl(t->fd, F_GETFL);
	bool had;
	int r, error;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	had = sigismember(&pending, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, &old);
	if (!(flags & O_NONBLOCK))
		fcntl(t->fd, F_SETFL, flags | O_NONBLOCK);
	ERR_clear_error();
	errno = 0;
	r = SSL_do_handshake(t->ssl);
	error = errno;
	if (!(flags & O_NONBLOCK))
		fcntl(t->fd, F_SETFL, flags);
	if (!had)
		while (sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = error;
	return r;
}

/**
 * tls_shake() - continue the handshake of TLS without waiting
 * @t: the connection
 * @fd: its socket
 * @why: set to a static string after a failure
 *
 * Return: 1 when it is done, 0 to wait for tls_events(), or -1.
 */
int tls_shake(struct tls *t, int fd, const char **why)
{
	int r;

	if (t->fd < 0 && bind_socket(t, fd, why))
		return -1;
	r = shake_without_sigpipe(t);
	if (r == 1) {
		if (t->client && check_protocol(t, why))
			return -1;
		return choose_records(t, why);
	}
	r = SSL_get_error(t->ssl, r);
	t->blocked = r == SSL_ERROR_WANT_WRITE;
	if (r == SSL_ERROR_WANT_READ || r == SSL_ERROR_WANT_WRITE)
		return 0;
	if (r == SSL_ERROR_SSL)
		return explain_error(t, why);
	*why = t->eof || !errno || r != SSL_ERROR_SYSCALL ?
		"the peer closed the connection" : "TLS failed";
	if (t->eof || !errno)
		errno = ECONNRESET;
	return -1;
}

/**
 * tls_events() - which event to wait for
 * @t: a connection in the handshake of TLS
 *
 * Return: POLLIN or POLLOUT.
 */
short tls_events(const struct tls *t)
{
	return t->blocked ? POLLOUT : POLLIN;
}

/**
 * tls_is_kernel() - does the kernel do the records of both directions?
 * @t: a connection after the handshake of TLS
 */
bool tls_is_kernel(const struct tls *t)
{
	return !t->ssl;
}

/**
 * tls_free() - free the TLS of a connection; the socket is not touched
 * @t: may be NULL
 */
void tls_free(struct tls *t)
{
	if (!t)
		return;
	SSL_free(t->ssl);
	free(t);
}
