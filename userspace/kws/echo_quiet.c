// SPDX-License-Identifier: MIT
/*
 * Keepalive in user space: a PING to who has been quiet, the end for who stays
 * so. Nothing is done when bytes come but to note the time, which is read once
 * a wake-up. Those that are looked at within an eighth of the interval share a
 * wake-up.
 */
#include <sys/socket.h>

#include "cmd.h"
#include "echo.h"

static int64_t interval(const struct server *s)
{
	return s->ping_ms * 1000000LL;
}

/* As soon as that someone counts as quiet. */
static int64_t patience(const struct server *s)
{
	return interval(s) / 8 * 7;
}

/* The one whose time is over first stays in front. */
static void put(struct queue *q, struct peer *p)
{
	struct peer *at = q->newest;

	while (at && at->looked > p->looked)
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
 * quiet_watch() - a connection begins
 * @s: the server
 * @p: the connection
 */
void quiet_watch(struct server *s, struct peer *p)
{
	s->now = now_ns();
	p->heard = s->now;
	p->looked = s->now;
	p->watched = true;
	put(&s->quiet, p);
}

/**
 * quiet_forget() - a connection is at its end
 * @s: the server
 * @p: the connection
 */
void quiet_forget(struct server *s, struct peer *p)
{
	if (p->watched)
		queue_remove(&s->quiet, p);
	p->watched = false;
}

/* One that does not go out will not be answered, either. */
static void ping(struct peer *p)
{
	static const struct ws_msg msg = { .opcode = WS_OP_PING };

	if (p->conn)
		kws_send(p->conn, &msg, NULL, 0, 0);
	else if (!p->rest)
		send(p->fd, "\x89", 2, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void look(struct server *s, struct peer *p)
{
	bool asked = p->asked && p->heard < p->looked;

	queue_remove(&s->quiet, p);
	p->asked = s->now - p->heard >= patience(s);
	if (asked && p->asked) {
		p->watched = false;
		peer_drop(s, p);
		return;
	}
	if (p->asked)
		ping(p);
	p->looked = p->asked ? s->now : p->heard;
	put(&s->quiet, p);
}

/**
 * quiet_sweep() - PING, or end, who has been quiet for too long
 * @s: the server
 *
 * Return: milliseconds until that has to be done again, -1 for never.
 */
int quiet_sweep(struct server *s)
{
	if (!s->quiet.oldest)
		return -1;
	s->now = now_ns();
	while (s->quiet.oldest &&
	       s->now - s->quiet.oldest->looked >= patience(s))
		look(s, s->quiet.oldest);
	if (!s->quiet.oldest)
		return -1;
	return (s->quiet.oldest->looked + interval(s) - s->now) / 1000000 + 1;
}
