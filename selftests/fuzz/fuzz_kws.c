// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkws's framing in user space on a socket pair: the stream goes in piece by
 * piece, and what kws_recv() gives, what it answers, its errno and its
 * counters must be what the core's functions make of the whole stream.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "kws.h"

/* What must come of it. */
struct want {
	struct stream app;	/* used as a log only: the messages */
	struct stream wire;	/* the same: the answers */
	unsigned int messages, pings, pongs;
};

static void on_event(void *arg, u8 opcode, const u8 *p, size_t n)
{
	struct want *want = arg;

	switch (opcode) {
	case WS_OP_PING:
		stream_log(&want->wire, "pong", p, n);
		want->pings++;
		break;
	case WS_OP_PONG:
		want->pongs++;
		break;
	case WS_OP_CLOSE:
		stream_log(&want->app, "close", p, n);
		break;
	default:
		stream_log(&want->app, opcode == WS_OP_TEXT ? "text" : "binary",
			   p, n);
		want->messages++;
	}
}

static void log_close(struct stream *log, unsigned int code)
{
	char name[16];

	snprintf(name, sizeof(name), "close:%u", code);
	stream_log(log, name, NULL, 0);
}

static unsigned int received_code(const struct stream *s)
{
	return s->hdr.len ? s->control[0] << 8 | s->control[1] : 1005;
}

/* The answer that ends the connection; 0 when the stream just ends. */
static int expect_end(const struct stream *s, struct want *want)
{
	enum ws_rule rule = s->rule;

	if (s->over && !rule) {
		log_close(&want->wire, received_code(s));
		return 0;
	}
	if (!rule && (s->head_len || s->in_payload || s->seq.opcode))
		rule = WS_RULE_TRUNCATED;
	if (rule && ws_rule_code(rule) != 1006)
		log_close(&want->wire, ws_rule_code(rule));
	return rule;
}

/* Reads until there is no more for now. Return: whether the end has come. */
static bool take(struct kws_conn *conn, struct stream *got, int *error)
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

static void check_info(struct kws_conn *conn, const struct want *want,
		       const struct stream *s, int rule)
{
	struct ws_info info;

	if (kws_info(conn, &info))
		DIE("no info");
	if (info.rule != (u32)rule)
		DIE("rule %u, not %d", info.rule, rule);
	if (info.rx_messages != want->messages ||
	    info.rx_pings != want->pings || info.rx_pongs != want->pongs)
		DIE("%llu messages, %u pings, %u pongs, not %u, %u, %u",
		    info.rx_messages + 0ULL, info.rx_pings, info.rx_pongs,
		    want->messages, want->pings, want->pongs);
	if (rule && rule != WS_RULE_TRUNCATED &&
	    info.fault_offset < s->frame_at)
		DIE("fault at %llu, before %llu", info.fault_offset + 0ULL,
		    s->frame_at + 0ULL);
}

/* Return: the errno that was seen, 0 for none. */
static int run(const struct input *in, struct kws_conn *conn, int fd,
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
		ended = take(conn, got, &error);
		drain(fd, wire);
	}
	shutdown(fd, SHUT_WR);
	/* After a short read there is one EAGAIN before the next look. */
	for (i = 0; i < 2 && !ended; i++)
		ended = take(conn, got, &error);
	if (!ended)
		DIE("no end");
	drain(fd, wire);
	return error;
}

static void expect(const struct input *in, struct stream *s, struct want *want,
		   int *rule)
{
	stream_init(&want->app, in->role, 0, 0);
	stream_init(&want->wire, in->role, 0, 0);
	want->messages = 0;
	want->pings = 0;
	want->pongs = 0;
	input_start(in, s);
	s->event = on_event;
	s->arg = want;
	stream_feed(s, in->stream, in->n);
	*rule = expect_end(s, want);
}

int fuzz_one(const u8 *data, size_t size)
{
	struct stream s, got, wire;
	struct kws_conn *conn;
	struct input in;
	struct want want;
	int rule, error, fds[2];

	if (!input_parse(&in, data, size))
		return 0;
	in.rsv = 0;
	expect(&in, &s, &want, &rule);
	stream_init(&got, in.role, 0, 0);
	stream_init(&wire, !in.role, 0, WS_MAX_MESSAGE_NONE);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds))
		DIE("socketpair: %s", strerror(errno));
	conn = kws_open(fds[0], in.role, NULL, 0, KWS_USER);
	if (!conn || kws_max_message(conn, in.max_message))
		DIE("kws_open: %s", strerror(errno));

	error = run(&in, conn, fds[1], &got, &wire);
	if (strcmp(got.log, want.app.log))
		DIE("messages \"%s\", not \"%s\"", got.log, want.app.log);
	if (strcmp(stream_end(&wire), want.wire.log))
		DIE("answers \"%s\", not \"%s\"", wire.log, want.wire.log);
	if (error != -ws_rule_errno(rule))
		DIE("error %d, not %d", error, -ws_rule_errno(rule));
	check_info(conn, &want, &s, rule);

	kws_close(conn);
	close(fds[1]);
	stream_free(&want.app);
	stream_free(&want.wire);
	stream_free(&got);
	stream_free(&wire);
	stream_free(&s);
	return 0;
}
