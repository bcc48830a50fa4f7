/* SPDX-License-Identifier: MIT */
/* Answering a stream of records. */
#ifndef KWS_ECHO_RECORDS_H
#define KWS_ECHO_RECORDS_H

#include <errno.h>
#include <sys/cdefs.h>
#include <sys/socket.h>

#include "echo_send.h"

/* Calls for one connection before the others get their turn. */
#define TURNS		8

/* Makes the reply of received records, in place. Return: its size. */
typedef size_t (*make_reply)(struct server *s, char *records, size_t len);

int records_open(struct server *s, struct peer *p,
		 const struct kws_result *result);

/*
 * Opcodes are not examined. By default the kernel has answered a Close before
 * it arrives here, and sending it back fails, as it should at the end of a
 * connection; with WS_F_CLOSE sending it back is the answer. Inlined with a
 * constant @reply.
 */
static __always_inline enum next
answer_records(struct server *s, struct peer *p, make_reply reply)
{
	enum next next;
	int turns = 0;
	ssize_t n;

	do {
		n = recv(p->fd, s->buffer, s->buffer_size, 0);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ?
				NEXT_READ : NEXT_CLOSE;
		if (!n)
			return NEXT_CLOSE;
		n = reply(s, s->buffer, n);
		next = n ? send_or_hold(p, p->state, s->buffer, n) : NEXT_READ;
		/* Less than half a buffer was all there was. */
	} while (next == NEXT_READ && n > s->buffer_size / 2 &&
		 ++turns < TURNS);
	return next;
}

#endif /* KWS_ECHO_RECORDS_H */
