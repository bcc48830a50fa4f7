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

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Whole lines, none of them empty: an empty one would end the head. */
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

/* The parts that both sides need; the caller goes on with its own. */
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
	hs->deadline = o.timeout_ms < 0 ? -1 : now_ms() + o.timeout_ms;
	return hs;
}

/**
 * kws_handshake_server() - wait for an Upgrade request
 * @options: how, or NULL; what it points to must stay until the end
 *
 * The handshake does no I/O by itself: call kws_handshake_step().
 *
 * Return: the handshake, to be freed by kws_handshake_free(), or NULL with
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
 * kws_handshake_free() - forget a handshake and its result
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

/* Ends the handshake; always -1 with errno set to @error. */
int handshake_fail(struct kws_handshake *hs, int error, const char *why)
{
	hs->state = HANDSHAKE_FAILED;
	hs->error = error;
	if (!hs->result.error)
		hs->result.error = why;
	errno = error;
	return -1;
}

/* Replaces what is to be sent. */
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

static ssize_t hs_send(struct kws_handshake *hs, int fd, const char *data,
		       size_t len)
{
	if (hs->tls)
		return tls_write(hs->tls, data, len, MSG_DONTWAIT);
	return send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static ssize_t hs_recv(struct kws_handshake *hs, int fd, char *buf, size_t size)
{
	if (hs->tls)
		return tls_read(hs->tls, buf, size, MSG_DONTWAIT);
	return recv(fd, buf, size, MSG_DONTWAIT);
}

/* 1: TLS has shaken hands, or has been given up; 0: wait; -1. */
static int tls_step(struct kws_handshake *hs, int fd)
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
	/* Somebody who speaks HTTP can be told so. */
	tls_free(hs->tls);
	hs->tls = NULL;
	return request_refuse(hs, 400, EBADMSG, why);
}

/* 1: all out; 0: the socket is full; -1. */
static int send_step(struct kws_handshake *hs, int fd)
{
	while (hs->out_done < hs->out_len) {
		ssize_t n = hs_send(hs, fd, hs->out + hs->out_done,
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

static int refuse(struct kws_handshake *hs, int status, int error,
		  const char *why)
{
	if (hs->client)
		return handshake_fail(hs, error, why);
	return request_refuse(hs, status, error, why);
}

/* 1: read something, or changed state; 0: nothing there; -1. */
static int receive_step(struct kws_handshake *hs, int fd)
{
	struct head *h = &hs->head;
	ssize_t n;
	int whole;

	if (h->len == h->size)
		return refuse(hs, 431, EMSGSIZE, "the HTTP head is too long");
	do {
		n = hs_recv(hs, fd, h->buf + h->len, h->size - h->len);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return handshake_fail(hs, errno, "cannot receive");
	if (!n)
		return handshake_fail(hs, ECONNRESET,
				      "the peer closed the connection");
	whole = head_feed(h, n);
	if (whole < 0 && h->overflow)
		return refuse(hs, 431, EMSGSIZE, "too many header lines");
	if (whole < 0)
		return refuse(hs, 400, EBADMSG, "this is not HTTP/1.1");
	if (!whole)
		return 1;
	hs->result.surplus = h->buf + h->end;
	hs->result.surplus_len = h->len - h->end;
	return hs->client ? response_check(hs) : request_check(hs);
}

/**
 * kws_handshake_step() - go on as far as possible without waiting
 * @hs: the handshake
 * @fd: the connected socket, blocking or not
 *
 * A refused request has been answered with its 4xx status when this returns
 * -1; closing the socket is left to the caller. An error stays: later calls
 * return it again.
 *
 * Return: 1 when the upgrade is done; 0 when the socket must become ready for
 * kws_handshake_events() first; -1 with EBADMSG (not HTTP), EPROTO (HTTP, but
 * not a correct handshake), EMSGSIZE (the head is longer than head_max),
 * ETIMEDOUT, ECONNREFUSED (client: the server answered with another status),
 * EACCES (server: the choose callback refused), ENOMEM, EIO (libcrypto has no
 * randomness) or an errno of send() or recv(). With TLS also EKEYREJECTED (the
 * server's certificate is not accepted), ECONNABORTED (the peer ended TLS by an
 * alert), ENOKEY (KWS_KTLS_ALWAYS, and the kernel cannot have the keys); what
 * is not TLS is EPROTO, or for a server that is asked in HTTP EBADMSG.
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
			r = tls_step(hs, fd);
			break;
		case HANDSHAKE_SEND:
			r = send_step(hs, fd);
			break;
		case HANDSHAKE_RECEIVE:
			r = receive_step(hs, fd);
			break;
		}
	}
	if (!r && hs->deadline >= 0 && now_ms() >= hs->deadline) {
		if (hs->client || hs->state != HANDSHAKE_RECEIVE)
			return handshake_fail(hs, ETIMEDOUT, "timed out");
		/* The answer goes out if there is room for it, as it is. */
		r = request_refuse(hs, 408, ETIMEDOUT, "timed out");
		if (r > 0 && send_step(hs, fd) == 0)
			return handshake_fail(hs, ETIMEDOUT, "timed out");
		r = -1;
		errno = hs->error;
	}
	return r;
}

/**
 * kws_handshake_events() - what to wait for
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
	left = hs->deadline - now_ms();
	return left > 0 ? left : 0;
}

/**
 * kws_handshake_result() - what has come of it
 * @hs: the handshake, at any time
 *
 * Return: the result; its members are set as far as the handshake got.
 */
const struct kws_result *kws_handshake_result(const struct kws_handshake *hs)
{
	return &hs->result;
}

/**
 * kws_handshake_header() - a header line of the peer
 * @hs: a handshake that got a whole head
 * @name: in any case
 *
 * Return: the first such line's value, or NULL.
 */
const char *kws_handshake_header(const struct kws_handshake *hs,
				 const char *name)
{
	return hs->head.done ? head_value(&hs->head, name) : NULL;
}
