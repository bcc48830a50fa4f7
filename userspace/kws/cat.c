// SPDX-License-Identifier: MIT
/* kws cat: a WebSocket client for pipes and terminals. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cat.h"
#include "cmd.h"

#define CHUNK		65536
#define FINISH_MS	2000	/* for the server to end TCP */
#define CLOSE_WAIT_MS	5000	/* for the peer's Close after ours */

static int write_all(const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(STDOUT_FILENO, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			complain("cannot write: %s", strerror(errno));
			return -1;
		}
		data += n;
		len -= n;
	}
	return 0;
}

static int send_message(struct cat *c, uint8_t opcode, const void *data,
			size_t len)
{
	struct ws_msg msg = { .opcode = opcode };

	if (!kws_send(c->conn, &msg, data, len, 0))
		return 0;
	/* The peer has closed: kws_recv() returns its Close. */
	if (errno == EPIPE)
		return 0;
	complain("cannot send: %s", strerror(errno));
	return -1;
}

static int send_close(struct cat *c)
{
	struct ws_msg msg = { .opcode = WS_OP_CLOSE, .code = 1000 };

	c->closing = true;
	c->input = -1;
	c->close_by = now_ns() + CLOSE_WAIT_MS * 1000000LL;
	if (kws_send(c->conn, &msg, NULL, 0, 0) && errno != EPIPE) {
		complain("cannot send: %s", strerror(errno));
		return -1;
	}
	return 0;
}

/* Sends complete lines, and keeps the start of the next one. */
static int send_lines(struct cat *c)
{
	char *from = c->line, *end = c->line + c->line_len, *nl;

	while (!c->closing && (nl = memchr(from, '\n', end - from))) {
		if (send_message(c, WS_OP_TEXT, from, nl - from))
			return -1;
		from = nl + 1;
	}
	c->line_len = end - from;
	memmove(c->line, from, c->line_len);
	return 0;
}

static int read_input(struct cat *c)
{
	ssize_t n;

	if (c->line_size - c->line_len < CHUNK) {
		size_t size = c->line_size ? c->line_size * 2 : 2 * CHUNK;
		char *line = realloc(c->line, size);

		if (!line) {
			complain("a line is too long for the memory");
			return -1;
		}
		c->line = line;
		c->line_size = size;
	}
	n = read(c->input, c->line + c->line_len, CHUNK);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n < 0) {
		complain("cannot read the input: %s", strerror(errno));
		return -1;
	}
	if (n && c->binary)
		return send_message(c, WS_OP_BINARY, c->line, n);
	c->line_len += n;
	if (n)
		return send_lines(c);
	if (c->line_len && send_message(c, WS_OP_TEXT, c->line, c->line_len))
		return -1;
	return send_close(c);
}

static void show_close(struct cat *c, const struct kws_message *m)
{
	c->clean = true;
	if (!c->quiet && (m->code != 1000 || !c->closing))
		complain("the server closed the connection: %u %.*s", m->code,
			 (int)m->len, (const char *)m->data);
}

static int show_message(struct cat *c, const struct kws_message *m)
{
	if (m->opcode == WS_OP_CLOSE) {
		show_close(c, m);
		return 0;
	}
	if (c->echo)
		return send_message(c, m->opcode, m->data, m->len);
	if (write_all(m->data, m->len))
		return -1;
	return c->binary ? 0 : write_all("\n", 1);
}

static int complain_receive(struct cat *c)
{
	int error = errno;
	struct ws_info info;

	if (!kws_info(c->conn, &info) && info.rule)
		complain("the server broke the protocol (rule %s, byte %llu): %s",
			 kws_rule_text(info.rule),
			 (unsigned long long)info.fault_offset, strerror(error));
	else
		complain("cannot receive: %s", strerror(error));
	return -1;
}

/* Returns 1 to go on, 0 at the end of the connection, or -1. */
static int receive_all(struct cat *c)
{
	struct kws_message m;
	int r;

	/* Read nothing more from a peer that does not read. */
	while (!c->echo || !kws_pending(c->conn) || !kws_flush(c->conn)) {
		r = kws_recv(c->conn, &m);
		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0 && errno == EAGAIN)
			return 1;
		if (r < 0)
			return complain_receive(c);
		if (!r)
			return 0;
		if (show_message(c, &m))
			return -1;
	}
	if (errno == EAGAIN || errno == EPIPE)
		return 1;
	complain("cannot send: %s", strerror(errno));
	return -1;
}

static int get_timeout(const struct cat *c)
{
	int64_t due = c->closing ? c->close_by : c->next_ping;
	int64_t left;

	if (!due)
		return -1;
	left = (due - now_ns()) / 1000000 + 1;
	return left > 0 ? left : 0;
}

static int handle_time(struct cat *c)
{
	int64_t now = now_ns();

	if (c->closing && now >= c->close_by) {
		complain("the server did not answer the Close");
		return -1;
	}
	if (c->closing || !c->next_ping || now < c->next_ping)
		return 0;
	c->next_ping = now + c->ping_s * 1000000000;
	return send_message(c, WS_OP_PING, "kws", 3);
}

static int run_loop(struct cat *c)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = c->fd, .events = POLLIN },
				       { .fd = c->input, .events = POLLIN } };
		int r = receive_all(c);

		if (r <= 0)
			return r;
		if (kws_pending(c->conn) && kws_flush(c->conn)) {
			if (errno != EAGAIN && errno != EPIPE)
				return complain_receive(c);
			p[0].events = c->echo ? POLLOUT : POLLIN | POLLOUT;
			p[1].fd = -1;
		}
		if (poll(p, 2, get_timeout(c)) < 0 && errno != EINTR)
			return -1;
		if (handle_time(c) || (p[1].fd >= 0 && p[1].revents &&
				       read_input(c)))
			return -1;
	}
}

/* Gives the server time to end TCP first, section 7.1.1. */
static void finish_connection(struct cat *c)
{
	struct pollfd p = { .fd = c->fd };
	int64_t until = now_ns() + FINISH_MS * 1000000LL;
	int64_t left;

	while (kws_finish(c->conn) && errno == EAGAIN) {
		left = (until - now_ns()) / 1000000;
		p.events = kws_pending(c->conn) ? POLLOUT : POLLIN;
		if (left <= 0 || poll(&p, 1, left) <= 0)
			return;
	}
}

static void complain_connect(const char *url, const struct kws_result *result)
{
	int error = errno;

	if (result && result->location)
		complain("%s: the server answered %d and points to %s; try that address",
			 url, result->status, result->location);
	else if (result && result->status && result->status != 101)
		complain("%s: the server answered %d instead of an upgrade%s",
			 url, result->status, result->status == 401 ?
			 "; try --header \"Authorization: ...\"" : "");
	else if (result && result->error)
		complain("%s: %s", url, result->error);
	else if (error == EINVAL)
		complain("%s: an address looks like ws://host:port/path or wss://, a header like \"Name: value\"",
			 url);
	else
		complain("%s: %s", url, strerror(error));
}

/**
 * cat_run() - connect, and pass messages until the end
 * @c: the options
 * @url: of the server
 *
 * Return: the exit status.
 */
int cat_run(struct cat *c, const char *url)
{
	struct kws_options o = { .protocols = c->protocols,
				 .headers = c->headers,
				 .timeout_ms = c->timeout_ms,
				 .deflate_count = c->deflate_count };
	struct kws_handshake *hs;
	const struct kws_result *result;
	const char *why;
	int r;

	if (c->deflate_count)
		o.deflate = c->deflate;
	if (!strncasecmp(url, "wss:", 4)) {
		o.tls = kws_tls_new(WS_ROLE_CLIENT, &c->tls, &why);
		if (!o.tls) {
			complain("%s: %s", why, strerror(errno));
			return 1;
		}
	}
	c->fd = kws_connect(url, &o, &hs);
	kws_tls_free(o.tls);
	result = hs ? kws_handshake_result(hs) : NULL;
	if (c->fd < 0) {
		complain_connect(url, result);
		kws_handshake_free(hs);
		return 1;
	}
	fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
	c->conn = kws_handshake_open(hs, c->fd, c->framing);
	if (!c->conn || kws_max_message(c->conn, c->max_message)) {
		complain("cannot use the connection: %s", strerror(errno));
		kws_handshake_free(hs);
		kws_close(c->conn);
		return 1;
	}
	if (!c->quiet && c->framing == KWS_AUTO && !kws_is_kernel(c->conn))
		complain("%s: framing in user space", result->ktls_error ?
			 result->ktls_error : "the module ws is not loaded");
	kws_handshake_free(hs);
	if (c->ping_s)
		c->next_ping = now_ns() + c->ping_s * 1000000000;
	r = run_loop(c);
	finish_connection(c);
	kws_close(c->conn);
	if (!r && !c->clean) {
		complain("the connection ended without a Close");
		r = -1;
	}
	return r ? 1 : 0;
}
