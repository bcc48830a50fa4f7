// SPDX-License-Identifier: MIT
/* Bytes through TLS, by OpenSSL or by the kernel, as with recv() and send(). */
#include <errno.h>
#include <sys/socket.h>
#include <openssl/err.h>

#include "tls.h"

/* Sets errno after a call of OpenSSL that failed. Returns -1, 0 at the end. */
static ssize_t handle_failure(struct tls *t, int r)
{
	int error = errno;

	switch (SSL_get_error(t->ssl, r)) {
	case SSL_ERROR_WANT_WRITE:
		t->blocked = true;
		/* fall through */
	case SSL_ERROR_WANT_READ:
		errno = error == EINTR ? EINTR : EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		t->error = error ? error : ECONNRESET;
		break;
	default:
		/* Alerts of the peer have reasons above 1000. */
		t->error = ERR_GET_REASON(ERR_peek_error()) > 1000 ?
			ECONNABORTED : EBADMSG;
	}
	errno = t->error;
	return -1;
}

static ssize_t read_record(struct tls *t, void *buf, size_t size)
{
	size_t n;
	int r;

	if (t->error) {
		errno = t->error;
		return -1;
	}
	ERR_clear_error();
	errno = 0;
	r = SSL_read_ex(t->ssl, buf, size, &n);
	return r ? (ssize_t)n : handle_failure(t, r);
}

/**
 * tls_read() - receive like recv()
 * @t: the connection
 * @buf: the buffer
 * @size: at least 1 byte
 * @flags: MSG_DONTWAIT or 0
 *
 * While @t->holds is set, there is more data that poll() does not report.
 *
 * Return: as recv(), with the errors of record_read(), too.
 */
ssize_t tls_read(struct tls *t, void *buf, size_t size, int flags)
{
	size_t done;
	ssize_t n;

	if (!t->ssl)
		return record_read(t->fd, buf, size, flags);
	t->dontwait = flags & MSG_DONTWAIT;
	t->blocked = false;
	n = read_record(t, buf, size);
	t->holds = n > 0 && SSL_has_pending(t->ssl);
	if (n <= 0)
		return n;
	/* More records of the same recv(). This call has data: do not wait. */
	t->dontwait = true;
	for (done = n; done < size && t->ahead && t->holds; done += n) {
		n = read_record(t, (char *)buf + done, size - done);
		/* After EAGAIN a record is incomplete: poll() reports it. */
		t->holds = (n >= 0 || errno != EAGAIN) &&
			(n <= 0 || SSL_has_pending(t->ssl));
		if (n <= 0)
			break;
	}
	return done;
}

/**
 * tls_write() - send like send()
 * @t: the connection
 * @data: the bytes
 * @len: how many, at least 1
 * @flags: MSG_DONTWAIT or 0
 *
 * After EAGAIN the next call must begin with the same bytes, at least as many
 * of them.
 *
 * Return: as send(); the bytes that were not sent may be less than a record.
 */
ssize_t tls_write(struct tls *t, const void *data, size_t len, int flags)
{
	size_t n;
	int r;

	if (t->sends)
		return send(t->fd, data, len, flags | MSG_NOSIGNAL);
	t->dontwait = flags & MSG_DONTWAIT;
	ERR_clear_error();
	errno = 0;
	r = SSL_write_ex(t->ssl, data, len, &n);
	if (r)
		return n;
	if (handle_failure(t, r))
		return -1;
	errno = EPIPE;
	return -1;
}

/**
 * tls_end() - send close_notify, once, without waiting
 * @t: the connection
 *
 * Return: 0, or -1 with EAGAIN or another error.
 */
int tls_end(struct tls *t)
{
	int r;

	if (t->ended)
		return 0;
	if (t->sends) {
		if (record_end(t->fd, MSG_DONTWAIT))
			return -1;
	} else {
		t->dontwait = true;
		ERR_clear_error();
		errno = 0;
		r = SSL_shutdown(t->ssl);
		if (r < 0) {
			handle_failure(t, r);
			return -1;
		}
	}
	t->ended = true;
	return 0;
}
