// SPDX-License-Identifier: MIT
/*
 * The BIOs of OpenSSL: its own socket BIO, and above it one that sends without
 * SIGPIPE and, on demand, does not wait. Where the kernel does the records, it
 * only passes calls on.
 */
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <openssl/bio.h>

#include "tls.h"

static struct bio_method_st *method;

static bool would_block(int error)
{
	return error == EAGAIN || error == EINTR;
}

static int bio_read(BIO *b, char *buf, int len)
{
	struct tls *t = BIO_get_data(b);
	int n;

	BIO_clear_retry_flags(b);
	if (BIO_get_ktls_recv(b)) {
		n = BIO_read(BIO_next(b), buf, len);
		BIO_copy_next_retry(b);
		return n;
	}
	n = recv(t->fd, buf, len, t->dontwait ? MSG_DONTWAIT : 0);
	if (n < 0 && would_block(errno))
		BIO_set_retry_read(b);
	t->eof = !n;
	return n;
}

static int bio_write(BIO *b, const char *data, int len)
{
	struct tls *t = BIO_get_data(b);
	int n;

	BIO_clear_retry_flags(b);
	if (BIO_get_ktls_send(b)) {
		n = BIO_write(BIO_next(b), data, len);
		BIO_copy_next_retry(b);
		return n;
	}
	n = send(t->fd, data, len,
		 MSG_NOSIGNAL | (t->dontwait ? MSG_DONTWAIT : 0));
	if (n < 0 && would_block(errno))
		BIO_set_retry_write(b);
	return n;
}

static long bio_ctrl(BIO *b, int cmd, long number, void *pointer)
{
	const struct tls *t = BIO_get_data(b);

	if (cmd == BIO_CTRL_EOF && t->eof)
		return 1;
	return BIO_next(b) ? BIO_ctrl(BIO_next(b), cmd, number, pointer) : 0;
}

static void make_method(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER,
				     "kws");

	if (m && BIO_meth_set_read(m, bio_read) &&
	    BIO_meth_set_write(m, bio_write) &&
	    BIO_meth_set_ctrl(m, bio_ctrl))
		method = m;
}

/**
 * tls_bio() - make the BIOs for the socket of a connection
 * @t: the connection
 *
 * Return: a BIO, or NULL.
 */
BIO *tls_bio(struct tls *t)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *filter, *below;

	pthread_once(&once, make_method);
	if (!method)
		return NULL;
	filter = BIO_new(method);
	below = BIO_new_socket(t->fd, BIO_NOCLOSE);
	if (!filter || !below) {
		BIO_free(filter);
		BIO_free(below);
		return NULL;
	}
	BIO_set_data(filter, t);
	BIO_set_init(filter, 1);
	return BIO_push(filter, below);
}
