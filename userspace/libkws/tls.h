/* SPDX-License-Identifier: MIT */
/*
 * TLS below a handshake and a connection. Calls work as recv() and send().
 * After the handshake of TLS either OpenSSL or the kernel (kTLS) does the
 * records.
 */
#ifndef KWS_TLS_H
#define KWS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <openssl/ssl.h>

#include "kws.h"

#define TLS_RECORD	16384	/* the largest payload of a record */
#define TLS_READ_SIZE	65536	/* of a recv() when OpenSSL decrypts */

/**
 * struct kws_tls - shared by connections
 * @ctx: of OpenSSL
 * @client: our side
 * @insecure: certificates are not checked
 * @ktls: as in struct kws_tls_options
 */
struct kws_tls {
	SSL_CTX *ctx;
	bool client;
	bool insecure;
	enum kws_ktls ktls;
};

/**
 * struct tls - of one connection
 * @ssl: NULL when the kernel does the records of both directions
 * @fd: its socket, -1 before the first step
 * @client: our side
 * @ktls: as in struct kws_tls_options
 * @sends: the kernel encrypts
 * @receives: the kernel decrypts
 * @dontwait: OpenSSL must not wait in this call
 * @eof: the peer has ended TCP
 * @blocked: OpenSSL has to send before it can continue
 * @ahead: OpenSSL reads more than one record at a time
 * @holds: OpenSSL has received data that poll() does not report
 * @error: the errno that ended the connection
 * @ended: close_notify has been sent
 * @version: name of the version
 * @cipher: name of the cipher suite
 * @why: why the kernel does not do both directions, or NULL
 */
struct tls {
	SSL *ssl;
	int fd;
	bool client;
	enum kws_ktls ktls;
	bool sends;
	bool receives;
	bool dontwait;
	bool eof;
	bool blocked;
	bool ahead;
	bool holds;
	int error;
	bool ended;
	const char *version;
	const char *cipher;
	const char *why;
};

bool tls_library_receives_13(void);

struct tls *tls_new(const struct kws_tls *context, const char *host);
struct tls *tls_of_socket(int fd);
int tls_shake(struct tls *t, int fd, const char **why);
short tls_events(const struct tls *t);
bool tls_is_kernel(const struct tls *t);
void tls_free(struct tls *t);

ssize_t tls_read(struct tls *t, void *buf, size_t size, int flags);
ssize_t tls_write(struct tls *t, const void *data, size_t len, int flags);
int tls_end(struct tls *t);

BIO *tls_bio(struct tls *t);

ssize_t record_read(int fd, void *buf, size_t size, int flags);
int record_end(int fd, int flags);
ssize_t record_drop(int fd);

#endif /* KWS_TLS_H */
