// SPDX-License-Identifier: GPL-2.0-only
/* A connection of libkws with framing in user space, fed with an input. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kws_run.h"

/* Reads until there is no more for now. Return: whether the end has come. */
static bool take(struct kws_conn *conn, u64 max_message, struct stream *got,
		 int *error)
{
	struct kws_message m;

	for (;;) {
		int r = kws_recv(conn, &m);
		const char *name;

		if (!r)
			return true;
		if (r < 0 && errno == EAGAIN)
			return false;
		if (r < 0) {
			if (*error)
				DIE("a second error, %d after %d", errno,
				    *error);
			*error = errno;
			continue;
		}
		if (m.opcode != WS_OP_CLOSE && m.len > max_message)
			DIE("%zu bytes, limit %llu", m.len, max_message + 0ULL);
		name = m.opcode == WS_OP_TEXT ? "text" :
		       m.opcode == WS_OP_BINARY ? "binary" : "close";
		stream_log(got, name, m.data, m.len);
	}
}

static void drain(int fd, struct stream *wire)
{
	u8 buf[4096];
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		stream_feed(wire, buf, n);
}

/* Return: the errno that was seen, 0 for none. */
static int converse(const struct input *in, struct kws_conn *conn, int fd,
		    struct stream *got, struct stream *wire)
{
	size_t at = 0, n;
	bool ended = false;
	unsigned int i;
	int error = 0;

	for (i = 0; at < in->n && !ended; i++) {
		n = input_piece(in, i, in->n - at);
		if (n && send(fd, in->stream + at, n,
			      MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)n)
			DIE("send: %s", strerror(errno));
		at += n;
		ended = take(conn, in->max_message, got, &error);
		drain(fd, wire);
	}
	shutdown(fd, SHUT_WR);
	/* After a short read there is one EAGAIN before the next look. */
	for (i = 0; i < 2 && !ended; i++)
		ended = take(conn, in->max_message, got, &error);
	if (!ended)
		DIE("no end");
	drain(fd, wire);
	return error;
}

/*
 * One end of a socket pair gets the stream, piece by piece, the other is
 * libkws's. What it gave and what it answered is in the outcome.
 */
void kws_run(const struct input *in, const struct kws_deflate *agreed,
	     struct outcome *o)
{
	struct kws_conn *conn;
	int fds[2];

	stream_init(&o->app, in->role, 0, 0);
	stream_init(&o->wire, !in->role, 0, WS_MAX_MESSAGE_NONE);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds))
		DIE("socketpair: %s", strerror(errno));
	conn = kws_open(fds[0], in->role, NULL, 0, KWS_USER);
	if (!conn || kws_max_message(conn, in->max_message) ||
	    kws_deflate(conn, agreed))
		DIE("kws_open: %s", strerror(errno));
	o->error = converse(in, conn, fds[1], &o->app, &o->wire);
	stream_end(&o->wire);
	if (kws_info(conn, &o->info))
		DIE("no info");
	kws_close(conn);
	close(fds[1]);
}

void kws_run_free(struct outcome *o)
{
	stream_free(&o->app);
	stream_free(&o->wire);
}
