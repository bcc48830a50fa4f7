// SPDX-License-Identifier: MIT
/*
 * Keepalive in user space: a PING after silence, and the end after as much
 * silence again. When data is received only the time is noted, which is read
 * once per wake-up. Connections whose deadlines are within an eighth of the
 * interval share a wake-up.
 */
#include "cmd.h"
#include "echo.h"

static int64_t interval_ns(const struct server *s)
{
	return s->ping_ms * 1000000LL;
}

/* Silence of this length counts. */
static int64_t silence_ns(const struct server *s)
{
	return interval_ns(s) / 8 * 7;
}

/* Keeps the queue sorted by peer::checked. */
static void insert_peer(struct queue *q, struct peer *p)
{
	struct peer *at = q->newest;

	while (at && at->checked > p->checked)
		at = at->before;
	if (at == q->newest) {
		queue_add(q, p);
		return;
	}
	p->before = at;
	p->after = at ? at->after : q->oldest;
	p->after->before = p;
	if (at)
		at->after = p;
	else
		q->oldest = p;
}

/**
 * quiet_watch() - framing::keep_alive for framing in user space
 * @s: the server
 * @p: the connection
 *
 * Return: 0.
 */
int quiet_watch(struct server *s, struct peer *p)
{
	s->now = now_ns();
	p->heard = s->now;
	p->checked = s->now;
	p->watched = true;
	insert_peer(&s->quiet, p);
	return 0;
}

/**
 * quiet_forget() - end the keepalive of a connection
 * @s: the server
 * @p: the connection
 */
void quiet_forget(struct server *s, struct peer *p)
{
	if (p->watched)
		queue_remove(&s->quiet, p);
	p->watched = false;
}

static void check_peer(struct server *s, struct peer *p)
{
	bool asked = p->asked && p->heard < p->checked;

	queue_remove(&s->quiet, p);
	p->asked = s->now - p->heard >= silence_ns(s);
	if (asked && p->asked) {
		p->watched = false;
		peer_drop(s, p);
		return;
	}
	if (p->asked)
		p->framing->ping(p);
	p->checked = p->asked ? s->now : p->heard;
	insert_peer(&s->quiet, p);
}

/**
 * quiet_sweep() - send the PINGs that are due, drop dead connections
 * @s: the server
 *
 * Return: milliseconds until the next call is due, -1 for never.
 */
int quiet_sweep(struct server *s)
{
	if (!s->quiet.oldest)
		return -1;
	s->now = now_ns();
	while (s->quiet.oldest &&
	       s->now - s->quiet.oldest->checked >= silence_ns(s))
		check_peer(s, s->quiet.oldest);
	if (!s->quiet.oldest)
		return -1;
	return (s->quiet.oldest->checked + interval_ns(s) - s->now) / 1000000 + 1;
}
