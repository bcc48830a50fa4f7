// SPDX-License-Identifier: MIT
/* Sending on a socket that may have no room, and closing it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo_send.h"

/*
 * Bytes dropped at one step of a connection's end, in reads of 16 KiB; then the
 * other connections get their turn.
 */
#define FINISH_READS	16

/**
 * hold_bytes() - keep a copy of bytes
 * @h: empty
 * @data: the bytes
 * @len: how many
 *
 * Return: 0, or -1 with ENOMEM.
 */
int hold_bytes(struct held *h, const void *data, size_t len)
{
	h->data = malloc(len ? len : 1);
	if (!h->data)
		return -1;
	memcpy(h->data, data, len);
	h->len = len;
	return 0;
}

/**
 * drop_held() - free held bytes
 * @h: empty afterwards
 */
void drop_held(struct held *h)
{
	free(h->data);
	h->data = NULL;
	h->len = 0;
}

/**
 * send_or_hold() - send bytes, hold those that the socket has no room for
 * @p: the connection
 * @unsent: empty
 * @data: the bytes
 * @len: how many
 *
 * Return: NEXT_READ when all is out.
 */
enum next send_or_hold(struct peer *p, struct held *unsent, const char *data,
		       size_t len)
{
	ssize_t n = send(p->fd, data, len, MSG_NOSIGNAL);

	if (n == len)
		return NEXT_READ;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return NEXT_CLOSE;
	if (n < 0)
		n = 0;
	if (hold_bytes(unsent, data + n, len - n))
		return NEXT_CLOSE;
	return NEXT_WRITE;
}

/**
 * send_held() - send held bytes
 * @p: the connection
 * @unsent: not empty
 *
 * Return: NEXT_READ when all is out.
 */
enum next send_held(struct peer *p, struct held *unsent)
{
	struct held old = *unsent;
	enum next next;

	unsent->data = NULL;
	unsent->len = 0;
	next = send_or_hold(p, unsent, old.data, old.len);
	free(old.data);
	return next;
}

/**
 * bytes_writable() - framing::writable: send held bytes
 * @s: the server
 * @p: the connection; its state begins with a struct held
 *
 * Return: NEXT_READ when all is out.
 */
enum next bytes_writable(struct server *s, struct peer *p)
{
	(void)s;
	return send_held(p, p->state);
}

/**
 * bytes_close() - framing::close
 * @p: the connection; its state, if there is one, begins with a struct held
 */
void bytes_close(struct peer *p)
{
	if (p->state)
		drop_held(p->state);
	free(p->state);
	close(p->fd);
}

/**
 * finish_socket() - framing::finish: kws_finish() without a struct kws_conn
 * @p: the connection
 * @unsent: set to 0
 *
 * Return: 0 when the peer has ended TCP, else -1 with errno.
 */
int finish_socket(struct peer *p, size_t *unsent)
{
	char scrap[16384];
	int i;

	*unsent = 0;
	shutdown(p->fd, SHUT_WR);
	for (i = 0; i < FINISH_READS; i++) {
		ssize_t n = recv(p->fd, scrap, sizeof(scrap), MSG_DONTWAIT);

		if (!n)
			return 0;
		if (n < 0)
			return -1;
	}
	errno = EAGAIN;
	return -1;
}

/* Before the handshake is over, and after one that failed. */
const struct framing framing_none = {
	.name = "none",
	.any_tls = true,
	.finish = finish_socket,
	.close = bytes_close,
};
