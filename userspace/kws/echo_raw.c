// SPDX-License-Identifier: MIT
/* Bytes out of a socket and back: the floor, and what others build on. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo.h"

/**
 * peer_keep_rest() - keep what the socket had no room for
 * @p: the connection, with no rest so far
 * @data: the bytes
 * @len: how many
 *
 * Return: 0, or -1 with ENOMEM.
 */
int peer_keep_rest(struct peer *p, const void *data, size_t len)
{
	p->rest = malloc(len ? len : 1);
	if (!p->rest)
		return -1;
	memcpy(p->rest, data, len);
	p->rest_len = len;
	return 0;
}

/**
 * peer_keep_left() - keep the beginning of a frame until the rest comes
 * @p: the connection, with nothing left so far
 * @data: the bytes
 * @len: how many
 *
 * Return: 0, or -1 with ENOMEM.
 */
int peer_keep_left(struct peer *p, const void *data, size_t len)
{
	p->left = malloc(len);
	if (!p->left)
		return -1;
	memcpy(p->left, data, len);
	p->left_len = len;
	return 0;
}

/**
 * peer_send() - send bytes, keep what there is no room for
 * @p: the connection, with no rest so far
 * @data: the bytes
 * @len: how many
 *
 * Return: NEXT_READ when all is out.
 */
enum next peer_send(struct peer *p, const char *data, size_t len)
{
	ssize_t n = send(p->fd, data, len, MSG_NOSIGNAL);

	if (n == len)
		return NEXT_READ;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return NEXT_CLOSE;
	if (n < 0)
		n = 0;
	if (peer_keep_rest(p, data + n, len - n))
		return NEXT_CLOSE;
	return NEXT_WRITE;
}

/**
 * peer_send_rest() - there is room again
 * @p: the connection, with a rest
 *
 * Return: NEXT_READ when all is out.
 */
enum next peer_send_rest(struct peer *p)
{
	void *rest = p->rest;
	size_t len = p->rest_len;
	enum next next;

	p->rest = NULL;
	next = peer_send(p, rest, len);
	free(rest);
	return next;
}

/**
 * peer_close() - close the socket
 * @p: the connection
 */
void peer_close(struct peer *p)
{
	free(p->rest);
	close(p->fd);
}

static int raw_open(struct server *s, struct peer *p,
		    const struct kws_result *result)
{
	size_t len = result->surplus_len;

	(void)s;
	errno = ENOKEY;
	if (result->tls && !result->ktls)
		return -1;
	errno = EPIPE;
	return len && peer_send(p, result->surplus, len) == NEXT_CLOSE ? -1 : 0;
}

/* How many of the bytes received go back: a byte for every message, or all. */
static size_t raw_reply(struct server *s, struct peer *p, size_t n)
{
	s->messages++;
	s->bytes += n;
	if (!p->ack)
		return n;
	p->ack_bytes += n;
	n = p->ack_bytes / p->ack;
	p->ack_bytes %= p->ack;
	return n;
}

static int raw_answer(struct server *s, struct peer *p, struct answer *a)
{
	a->len = raw_reply(s, p, a->len);
	return 0;
}

static enum next raw_step(struct server *s, struct peer *p)
{
	ssize_t n;

	if (p->rest)
		return peer_send_rest(p);
	n = recv(p->fd, s->buffer, s->buffer_size, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ?
			NEXT_READ : NEXT_CLOSE;
	if (!n)
		return NEXT_CLOSE;
	n = raw_reply(s, p, n);
	return n ? peer_send(p, s->buffer, n) : NEXT_READ;
}

const struct framing framing_raw = {
	.name = "none: bytes are echoed as they come",
	.open = raw_open,
	.answer = raw_answer,
	.step = raw_step,
	.close = peer_close,
};
