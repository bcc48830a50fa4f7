// SPDX-License-Identifier: MIT
/*
 * Echo with framing in user space: echo_fast.c makes the replies. A connection
 * that brings a frame it does not know is handed over to libkws.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo_fast.h"
#include "echo_library.h"
#include "echo_ring.h"

/**
 * struct user_peer - a connection of framing_user
 * @unsent: replies that the socket had no room for
 * @left: received bytes that have no reply yet
 * @other: they are for libkws
 */
struct user_peer {
	struct held unsent;
	struct held left;
	bool other;
};

static int user_open(struct server *s, struct peer *p,
		     const struct kws_result *result)
{
	struct user_peer *u;

	/* Reading the socket directly takes plain TCP or kTLS. */
	if ((result->tls && !result->ktls) || result->surplus_len > FAST_READ) {
		p->framing = &framing_library;
		return library_open(s, p, result);
	}
	u = calloc(1, sizeof(*u));
	p->state = u;
	if (u && result->surplus_len)
		return hold_bytes(&u->left, result->surplus,
				  result->surplus_len);
	return u ? 0 : -1;
}

static void free_state(struct peer *p)
{
	struct user_peer *u = p->state;

	if (!u)
		return;
	drop_held(&u->unsent);
	drop_held(&u->left);
	free(u);
	p->state = NULL;
}

/* Lets libkws serve the connection from here on, starting with @left. */
static enum next hand_over(struct server *s, struct peer *p, const void *left,
			   size_t len)
{
	struct kws_conn *conn = kws_open(p->fd, WS_ROLE_SERVER, left, len,
					 KWS_USER);

	if (!conn)
		return NEXT_CLOSE;
	free_state(p);
	p->framing = &framing_library;
	p->state = conn;
	if (kws_max_message(conn, s->max_message))
		return NEXT_CLOSE;
	return framing_library.readable(s, p);
}

/* Answers @len bytes in the server's buffer. */
static enum next answer_frames(struct server *s, struct peer *p, size_t len)
{
	u64 max = s->max_message ? s->max_message : WS_MAX_MESSAGE_DEFAULT;
	struct frames f = { .in = (u8 *)s->buffer, .in_len = len };
	struct user_peer *u = p->state;
	enum next next = NEXT_READ;
	enum fast r = fast_echo(&f, max);

	s->messages += f.messages;
	s->bytes += f.bytes;
	if (f.out_len)
		next = send_or_hold(p, &u->unsent, (char *)f.out, f.out_len);
	if (next == NEXT_CLOSE)
		return next;
	if (r == FAST_OTHER && next == NEXT_READ)
		return hand_over(s, p, f.left, f.left_len);
	u->other = r == FAST_OTHER;
	if (f.left_len && hold_bytes(&u->left, f.left, f.left_len))
		return NEXT_CLOSE;
	return next;
}

/* Takes the bytes that were left, and reads more behind them. */
static enum next user_readable(struct server *s, struct peer *p)
{
	struct user_peer *u = p->state;
	size_t had = u->left.len;
	ssize_t n;

	if (u->other)
		return hand_over(s, p, u->left.data, u->left.len);
	if (had) {
		memcpy(s->buffer, u->left.data, had);
		drop_held(&u->left);
	}
	n = recv(p->fd, s->buffer + had, s->read_size, 0);
	if (n > 0 || (had && n < 0 && errno == EAGAIN))
		return answer_frames(s, p, n > 0 ? had + n : had);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return NEXT_READ;
	/* EIO: a record of TLS that is not data. */
	if (n < 0 && errno != EIO)
		return NEXT_CLOSE;
	/* libkws knows which Close an end here takes, in a frame or between. */
	return hand_over(s, p, s->buffer, had);
}

/* If the PING does not fit now, its PONG would be late, too. */
static void user_ping(struct peer *p)
{
	struct user_peer *u = p->state;

	if (!u->unsent.data)
		send(p->fd, "\x89", 2, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void user_close(struct peer *p)
{
	free_state(p);
	close(p->fd);
}

static void enter_ring(struct peer *p, struct held *left)
{
	struct user_peer *u = p->state;

	*left = u->left;
	u->left.data = NULL;
	u->left.len = 0;
}

static int answer_ring(struct server *s, struct peer *p, struct answer *a)
{
	u64 max = s->max_message ? s->max_message : WS_MAX_MESSAGE_DEFAULT;
	struct frames f = { .in = (u8 *)a->data, .in_len = a->len };
	enum fast r = fast_echo(&f, max);

	(void)p;
	s->messages += f.messages;
	s->bytes += f.bytes;
	a->data = (char *)f.out;
	a->len = f.out_len;
	a->left = (char *)f.left;
	a->left_len = f.left_len;
	return r == FAST_OTHER;
}

static void leave_ring(struct peer *p, struct held *left)
{
	struct user_peer *u = p->state;

	u->left = *left;
	u->other = true;
	left->data = NULL;
	left->len = 0;
}

static const struct ring_ops user_ring = {
	.enter = enter_ring,
	.answer = answer_ring,
	.leave = leave_ring,
};

const struct framing framing_user = {
	.name = "user space",
	.any_tls = true,
	.ring = &user_ring,
	.open = user_open,
	.readable = user_readable,
	.writable = bytes_writable,
	.keep_alive = quiet_watch,
	.ping = user_ping,
	.finish = finish_socket,
	.close = user_close,
};
