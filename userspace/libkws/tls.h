/* SPDX-License-Identifier: MIT */
/*
 * TLS below a handshake and a connection. Calls are made as with recv() and
 * send(); who does the records, OpenSSL or the kernel (kTLS), is found out
 * when TLS has shaken hands.
 */
#ifndef KWS_TLS_H
#define KWS_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <openssl/ssl.h>

#include "kws.h"

#define TLS_RECORD	16384	/* the most that one record carries */
#define TLS_READ_SIZE	65536	/* of one recv(), when OpenSSL decrypts */

/**
 * struct kws_tls - what connections share
 * @ctx: of OpenSSL
 * @client: our side
 * @insecure: nobody's certificate is looked at
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
 * @ktls: what is wanted
 * @sends: the kernel encrypts
 * @receives: the kernel decrypts
 * @dontwait: OpenSSL must not wait in this call
 * @eof: there was the end of TCP
 * @blocked: OpenSSL has to send something before it can go on
 * @ahead: OpenSSL reads more than one record at a time
 * @holds: OpenSSL has bytes that no poll() tells of
 * @error: errno that ended it
 * @ended: close_notify is out
 * @version: for people
 * @cipher: for people
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
