// SPDX-License-Identifier: MIT
/* The opening handshake as a state machine that never blocks. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "handshake.h"

static int64_t get_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Complete lines, none of them empty: an empty line would end the head. */
bool handshake_headers_ok(const char *headers)
{
	if (!headers)
		return true;
	while (*headers) {
		size_t n = strcspn(headers, "\r\n");

		if (!n || strncmp(headers + n, "\r\n", 2) ||
		    !memchr(headers, ':', n))
			return false;
		headers += n + 2;
	}
	return true;
}

/* Makes the part that both sides need. */
struct kws_handshake *handshake_new(bool client,
				    const struct kws_options *options)
{
	struct kws_handshake *hs;
	struct kws_options o = { 0 };

	if (options)
		o = *options;
	if (!o.head_max)
		o.head_max = KWS_HEAD_MAX;
	if (!o.timeout_ms)
		o.timeout_ms = KWS_TIMEOUT_MS;
	if (o.head_max < 256 || o.head_max > WS_RX_PREFIX_MAX ||
	    o.timeout_ms < -1 || !handshake_headers_ok(o.headers) ||
	    !extensions_options_ok(&o)) {
		errno = EINVAL;
		return NULL;
	}
	hs = calloc(1, sizeof(*hs));
	if (!hs)
		return NULL;
	if (head_init(&hs->head, client ? HTTP_RESPONSE : HTTP_REQUEST,
		      o.head_max)) {
		free(hs);
		return NULL;
	}
	hs->client = client;
	hs->options = o;
	hs->state = client ? HANDSHAKE_SEND : HANDSHAKE_RECEIVE;
	hs->next = HANDSHAKE_RECEIVE;
	hs->deadline = o.timeout_ms < 0 ? -1 : get_ms() + o.timeout_ms;
	return hs;
}

/**
 * kws_handshake_server() - start to wait for an Upgrade request
 * @options: of the handshake, or NULL; its pointers must stay valid until
 *	kws_handshake_free()
 *
 * This does no I/O: call kws_handshake_step().
 *
 * Return: the handshake, for kws_handshake_free(), or NULL with
 * EINVAL (an option out of range) or ENOMEM.
 */
struct kws_handshake *kws_handshake_server(const struct kws_options *options)
{
	struct kws_handshake *hs;

	if (options && options->tls && options->tls->client) {
		errno = EINVAL;
		return NULL;
	}
	hs = handshake_new(false, options);
	if (!hs || !hs->options.tls)
		return hs;
	hs->tls = tls_new(hs->options.tls, NULL);
	hs->state = HANDSHAKE_TLS;
	if (hs->tls)
		return hs;
	kws_handshake_free(hs);
	errno = ENOMEM;
	return NULL;
}

/**
 * kws_handshake_free() - free a handshake and its result
 * @hs: may be NULL
 *
 * The socket is not touched.
 */
void kws_handshake_free(struct kws_handshake *hs)
{
	if (!hs)
		return;
	tls_free(hs->tls);
	head_free(&hs->head);
	free(hs->out);
	free(hs->offered);
	free(hs);
}

/* Ends the handshake. Returns -1 with errno set to @error. */
int handshake_fail(struct kws_handshake *hs, int error, const char *why)
{
	hs->state = HANDSHAKE_FAILED;
	hs->error = error;
	if (!hs->result.error)
		hs->result.error = why;
	errno = error;
	return -1;
}

/* Replaces the bytes to be sent. */
int handshake_out(struct kws_handshake *hs, const char *format, ...)
{
	va_list args;
	int n;

	free(hs->out);
	va_start(args, format);
	n = vasprintf(&hs->out, format, args);
	va_end(args);
	if (n < 0) {
		hs->out = NULL;
		return handshake_fail(hs, ENOMEM, "out of memory");
	}
	hs->out_len = n;
	hs->out_done = 0;
	hs->state = HANDSHAKE_SEND;
	return 0;
}

static ssize_t write_socket(struct kws_handshake *hs, int fd, const char *data,
			    size_t len)
{
	if (hs->tls)
		return tls_write(hs->tls, data, len, MSG_DONTWAIT);
	return send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t read_socket(struct kws_handshake *hs, int fd, char *buf,
			   size_t size)
{
	if (hs->tls)
		return tls_read(hs->tls, buf, size, MSG_DONTWAIT);
	return recv(fd, buf, size, MSG_DONTWAIT);
}

/* Returns 1 when the handshake of TLS is over, 0 to wait, or -1. */
static int step_tls(struct kws_handshake *hs, int fd)
{
	const char *why = NULL;
	int r = tls_shake(hs->tls, fd, &why);

	if (!r)
		return 0;
	if (r > 0) {
		hs->result.tls = hs->tls->version;
		hs->result.cipher = hs->tls->cipher;
		hs->result.ktls = tls_is_kernel(hs->tls);
		hs->result.ktls_error = hs->tls->why;
		hs->state = hs->client ? HANDSHAKE_SEND : HANDSHAKE_RECEIVE;
		return 1;
	}
	if (hs->client || errno != EBADMSG)
		return handshake_fail(hs, errno, why);
	/* A client that sent HTTP gets an answer in HTTP. */
	tls_free(hs->tls);
	hs->tls = NULL;
	return request_refuse(hs, 400, EBADMSG, why);
}

/* Returns 1 when all is out, 0 when the socket is full, or -1. */
static int send_out(struct kws_handshake *hs, int fd)
{
	while (hs->out_done < hs->out_len) {
		ssize_t n = write_socket(hs, fd, hs->out + hs->out_done,
					 hs->out_len - hs->out_done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0)
			return handshake_fail(hs, errno, "cannot send");
		hs->out_done += n;
	}
	hs->state = hs->next;
	if (hs->state == HANDSHAKE_FAILED) {
		if (hs->tls)
			tls_end(hs->tls);
		errno = hs->error;
		return -1;
	}
	return 1;
}

static int refuse_peer(struct kws_handshake *hs, int status, int error,
		       const char *why)
{
	if (hs->client)
		return handshake_fail(hs, error, why);
	return request_refuse(hs, status, error, why);
}

/* Returns 1 after reading or a change of state, 0 without data, or -1. */
static int receive_head(struct kws_handshake *hs, int fd)
{
	struct head *h = &hs->head;
	ssize_t n;
	int complete;

	if (h->len == h->size)
		return refuse_peer(hs, 431, EMSGSIZE,
				   "the HTTP head is too long");
	do {
		n = read_socket(hs, fd, h->buf + h->len, h->size - h->len);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return handshake_fail(hs, errno, "cannot receive");
	if (!n)
		return handshake_fail(hs, ECONNRESET,
				      "the peer closed the connection");
	complete = head_feed(h, n);
	if (complete < 0 && h->overflow)
		return refuse_peer(hs, 431, EMSGSIZE, "too many header lines");
	if (complete < 0)
		return refuse_peer(hs, 400, EBADMSG, "this is not HTTP/1.1");
	if (!complete)
		return 1;
	hs->result.surplus = h->buf + h->end;
	hs->result.surplus_len = h->len - h->end;
	return hs->client ? response_check(hs) : request_check(hs);
}

/**
 * kws_handshake_step() - continue as far as possible without waiting
 * @hs: the handshake
 * @fd: the connected socket, blocking or not
 *
 * When this returns -1, a refused request has been answered with its 4xx
 * status; the caller closes the socket. Later calls return the same error.
 *
 * Return: 1 when the upgrade is done; 0 when the socket must become ready for
 * kws_handshake_events() first; -1 with EBADMSG (not HTTP), EPROTO (HTTP, but
 * not a correct handshake), EMSGSIZE (the head is longer than head_max),
 * ETIMEDOUT, ECONNREFUSED (client: the server answered with another status),
 * EACCES (server: the choose callback refused), ENOMEM, EIO (libcrypto has no
 * randomness) or an errno of send() or recv(). With TLS also EKEYREJECTED (the
 * server's certificate is not accepted), ECONNABORTED (the peer ended TLS by an
 * alert), ENOKEY (KWS_KTLS_ALWAYS, and the kernel cannot have the keys). Bytes
 * that are not TLS give EPROTO, or EBADMSG for a server that received HTTP.
 */
int kws_handshake_step(struct kws_handshake *hs, int fd)
{
	int r = 1;

	while (r > 0) {
		switch (hs->state) {
		case HANDSHAKE_DONE:
			return 1;
		case HANDSHAKE_FAILED:
			errno = hs->error;
			return -1;
		case HANDSHAKE_TLS:
			r = step_tls(hs, fd);
			break;
		case HANDSHAKE_SEND:
			r = send_out(hs, fd);
			break;
		case HANDSHAKE_RECEIVE:
			r = receive_head(hs, fd);
			break;
		}
	}
	if (!r && hs->deadline >= 0 && get_ms() >= hs->deadline) {
		if (hs->client || hs->state != HANDSHAKE_RECEIVE)
			return handshake_fail(hs, ETIMEDOUT, "timed out");
		/* The answer is only sent if the socket has room now. */
		r = request_refuse(hs, 408, ETIMEDOUT, "timed out");
		if (r > 0 && send_out(hs, fd) == 0)
			return handshake_fail(hs, ETIMEDOUT, "timed out");
		r = -1;
		errno = hs->error;
	}
	return r;
}

/**
 * kws_handshake_events() - which event to wait for
 * @hs: a handshake whose last step returned 0
 *
 * Return: POLLIN or POLLOUT.
 */
short kws_handshake_events(const struct kws_handshake *hs)
{
	if (hs->state == HANDSHAKE_TLS ||
	    (hs->state == HANDSHAKE_RECEIVE && hs->tls))
		return tls_events(hs->tls);
	return hs->state == HANDSHAKE_SEND ? POLLOUT : POLLIN;
}

/**
 * kws_handshake_timeout() - how long to wait
 * @hs: the handshake
 *
 * After that time another step ends it with ETIMEDOUT.
 *
 * Return: milliseconds from now, 0 when the time is over, -1 for no limit.
 */
int kws_handshake_timeout(const struct kws_handshake *hs)
{
	int64_t left;

	if (hs->deadline < 0)
		return -1;
	left = hs->deadline - get_ms();
	return left > 0 ? left : 0;
}

/**
 * kws_handshake_result() - get the result so far
 * @hs: the handshake, at any time
 *
 * Return: the result; members that the handshake has not reached are not set.
 */
const struct kws_result *kws_handshake_result(const struct kws_handshake *hs)
{
	return &hs->result;
}

/**
 * kws_handshake_header() - get a header line of the peer
 * @hs: a handshake that has received a complete head
 * @name: of the header, in any case
 *
 * Return: the value of the first such line, or NULL.
 */
const char *kws_handshake_header(const struct kws_handshake *hs,
				 const char *name)
{
	return hs->head.done ? head_value(&hs->head, name) : NULL;
}
