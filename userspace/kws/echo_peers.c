// SPDX-License-Identifier: MIT
/* The echo server's connections: handshakes, ends and time limits. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "cmd.h"
#include "echo.h"

/* Time for the peer to end TCP, too, or to read some unsent bytes. */
#define LEAVE_NS	2000000000LL

/* Connections dropped at once for want of file descriptors. */
#define CROWD		16

void queue_add(struct queue *q, struct peer *p)
{
	p->before = q->newest;
	p->after = NULL;
	if (q->newest)
		q->newest->after = p;
	else
		q->oldest = p;
	q->newest = p;
}

void queue_remove(struct queue *q, struct peer *p)
{
	if (p->before)
		p->before->after = p->after;
	else
		q->oldest = p->after;
	if (p->after)
		p->after->before = p->before;
	else
		q->newest = p->before;
}

/**
 * peer_end_handshake() - the handshake is over, or has failed
 * @s: the server
 * @p: the connection
 */
void peer_end_handshake(struct server *s, struct peer *p)
{
	queue_remove(&s->shaking, p);
	kws_handshake_free(p->hs);
	p->hs = NULL;
}

/**
 * peer_drop() - close and free a connection at once
 * @s: the server
 * @p: the connection
 */
void peer_drop(struct server *s, struct peer *p)
{
	if (p->hs)
		peer_end_handshake(s, p);
	if (p->leaving)
		queue_remove(&s->leaving, p);
	quiet_forget(s, p);
	s->open--;
	if (s->uring) {
		uring_forget(s, p);
		return;
	}
	p->framing->close(p);
	free(p);
}

/**
 * peer_wait() - set the events that a connection waits for
 * @s: the server
 * @p: the connection
 * @events: EPOLLIN, EPOLLOUT
 *
 * Return: 0, or -1.
 */
int peer_wait(struct server *s, struct peer *p, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = p };

	if (s->uring)
		return uring_wait(s, p, events);
	if (p->events == events)
		return 0;
	if (epoll_ctl(s->epoll, p->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD,
		      p->fd, &e))
		return -1;
	p->events = events;
	return 0;
}

/**
 * peer_go_on_leaving() - continue the end of a connection
 * @s: the server
 * @p: the connection; it may be gone afterwards
 */
void peer_go_on_leaving(struct server *s, struct peer *p)
{
	size_t unsent;

	if (!p->framing->finish(p, &unsent) || errno != EAGAIN) {
		peer_drop(s, p);
		return;
	}
	if (unsent != p->unsent) {
		queue_remove(&s->leaving, p);
		queue_add(&s->leaving, p);
		p->leave_by = now_ns() + LEAVE_NS;
		p->unsent = unsent;
	}
	if (peer_wait(s, p, unsent ? EPOLLOUT : EPOLLIN))
		peer_drop(s, p);
}

/**
 * peer_leave() - end a connection so that the peer sees why
 * @s: the server
 * @p: the connection; it may be gone afterwards
 *
 * close() with unread data makes TCP send a reset, which may overtake the data
 * sent before it. So the sending side is ended first, and received data is read
 * and dropped for a while (RFC 6455 section 7.1.1, RFC 9112 section 9.6).
 */
void peer_leave(struct server *s, struct peer *p)
{
	if (p->hs)
		peer_end_handshake(s, p);
	if (!p->framing->finish) {
		peer_drop(s, p);
		return;
	}
	quiet_forget(s, p);
	p->leaving = true;
	p->leave_by = now_ns() + LEAVE_NS;
	queue_add(&s->leaving, p);
	peer_go_on_leaving(s, p);
}

/* Returns milliseconds until the next deadline, or -1. */
static int sweep_leaving(struct server *s)
{
	while (s->leaving.oldest) {
		int64_t left = s->leaving.oldest->leave_by - now_ns();

		if (left > 0)
			return left / 1000000 + 1;
		peer_drop(s, s->leaving.oldest);
	}
	return -1;
}

/* The earlier of two timeouts, of which -1 is never. */
static int pick_earlier(int a, int b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/**
 * peers_sweep() - end connections whose time limit has passed
 * @s: the server
 *
 * Return: milliseconds until the next call is due, -1 for never.
 */
int peers_sweep(struct server *s)
{
	int left = -1;

	while (s->shaking.oldest) {
		struct peer *p = s->shaking.oldest;

		left = kws_handshake_timeout(p->hs);
		if (left)
			break;
		/* After its time limit the step answers 408 and fails. */
		if (kws_handshake_step(p->hs, p->fd) > 0)
			peer_drop(s, p);
		else
			peer_leave(s, p);
		left = -1;
	}
	left = pick_earlier(left, quiet_sweep(s));
	return pick_earlier(left, sweep_leaving(s));
}

/**
 * peers_make_room() - drop connections for want of file descriptors
 * @s: the server
 *
 * Ending connections go first, then the oldest ones in their handshake, so that
 * idle connections cannot lock other clients out. Events that are not handled
 * yet may point to dropped connections: handle all of them before the call.
 */
void peers_make_room(struct server *s)
{
	int64_t now = now_ns();
	int i;

	s->crowded = false;
	if (now - s->complained > 1000000000LL) {
		complain("too many open files (ulimit -n): closing the oldest without a handshake");
		s->complained = now;
	}
	for (i = 0; i < CROWD; i++) {
		struct peer *p = s->leaving.oldest;

		if (!p)
			p = s->shaking.oldest;
		if (p)
			peer_drop(s, p);
		else if (!i)
			usleep(100000);
	}
}
