// SPDX-License-Identifier: MIT
/* No framing: received bytes go back as they are. This is the floor. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "echo_send.h"
#include "server.h"

/**
 * struct raw_peer - a connection of framing_raw
 * @unsent: bytes that the socket had no room for
 * @ack: size of a message if each is answered with one byte, else 0
 * @ack_bytes: received bytes of the next such message
 */
struct raw_peer {
	struct held unsent;
	size_t ack;
	size_t ack_bytes;
};

static int raw_open(struct server *s, struct peer *p,
		    const struct kws_result *result)
{
	struct raw_peer *r;
	enum next next;

	(void)s;
	errno = ENOKEY;
	if (result->tls && !result->ktls)
		return -1;
	r = calloc(1, sizeof(*r));
	p->state = r;
	if (!r)
		return -1;
	r->ack = ack_size(result->target);
	if (!result->surplus_len)
		return 0;
	next = send_or_hold(p, &r->unsent, result->surplus,
			    result->surplus_len);
	p->blocked = next == NEXT_WRITE;
	return next == NEXT_CLOSE ? -1 : 0;
}

/* Returns how many of the received bytes go back. */
static size_t count_reply(struct server *s, struct raw_peer *r, size_t n)
{
	s->messages++;
	s->bytes += n;
	if (!r->ack)
		return n;
	r->ack_bytes += n;
	n = r->ack_bytes / r->ack;
	r->ack_bytes %= r->ack;
	return n;
}

static enum next raw_readable(struct server *s, struct peer *p)
{
	ssize_t n = recv(p->fd, s->buffer, s->buffer_size, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ?
			NEXT_READ : NEXT_CLOSE;
	if (!n)
		return NEXT_CLOSE;
	n = count_reply(s, p->state, n);
	return n ? send_or_hold(p, p->state, s->buffer, n) : NEXT_READ;
}

const struct framing framing_raw = {
	.name = "none: bytes are echoed as they are",
	.open = raw_open,
	.readable = raw_readable,
	.writable = bytes_writable,
	.close = bytes_close,
};
