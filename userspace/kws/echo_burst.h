/* SPDX-License-Identifier: MIT */
/* How many messages to receive at one wake-up, where one call gives one. */
#ifndef KWS_ECHO_BURST_H
#define KWS_ECHO_BURST_H

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/cdefs.h>
#include <sys/socket.h>

#include "echo.h"

/* A second message is tried for at every 16th wake-up. */
#define BURST_TRY	16

/**
 * struct burst - whether messages come in groups
 * @on: the last wake-up that tried found more than one message
 * @wakeups: so far
 */
struct burst {
	bool on;
	unsigned int wakeups;
};

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(struct ws_msg))];
};

/*
 * Receives one message or piece, of @got bytes. Returns NEXT_WRITE when it is to
 * be answered; sets @empty when there is none.
 */
static __always_inline enum next
receive_one(struct server *s, struct peer *p, struct msghdr *msg, ssize_t *got,
	    bool *empty)
{
	struct ws_msg info;
	struct cmsghdr *cm;

	*got = recvmsg(p->fd, msg, 0);
	if (*got < 0) {
		*empty = true;
		return errno == EAGAIN || errno == EINTR ?
			NEXT_READ : NEXT_CLOSE;
	}
	cm = CMSG_FIRSTHDR(msg);
	if (!cm)
		return NEXT_CLOSE;
	memcpy(&info, CMSG_DATA(cm), sizeof(info));
	/* The kernel has answered the Close, or close() does. */
	if (info.opcode == WS_OP_CLOSE)
		return NEXT_CLOSE;
	s->messages += !!(msg->msg_flags & MSG_EOR);
	s->bytes += *got;
	return NEXT_WRITE;
}

/* Answers one message; sets @empty when there is none. */
typedef enum next (*answer_one)(struct server *s, struct peer *p, bool *empty);

/* Answers messages until there are no more; corked, replies share packets. */
static __always_inline enum next
answer_burst(struct burst *b, struct server *s, struct peer *p, answer_one one)
{
	int on = 1, off = 0;
	bool corked = b->on, empty = false;
	enum next next;
	unsigned int n = 0;

	if (corked)
		setsockopt(p->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
	do {
		next = one(s, p, &empty);
		n += !empty;
	} while (next == NEXT_READ && !empty);
	if (corked && next != NEXT_CLOSE)
		setsockopt(p->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
	b->on = n > 1;
	return next;
}

/*
 * Where messages come one at a time, a second recvmsg() would only return
 * EAGAIN: it is made while it pays, and from time to time. epoll is
 * level-triggered, so no message is missed. Inlined with a constant @one, so
 * that no message costs an indirect call.
 */
static __always_inline enum next
answer_wakeup(struct burst *b, struct server *s, struct peer *p, answer_one one)
{
	bool empty;

	if (b->on || ++b->wakeups % BURST_TRY == 0)
		return answer_burst(b, s, p, one);
	return one(s, p, &empty);
}

#endif /* KWS_ECHO_BURST_H */
