// SPDX-License-Identifier: MIT
/* kws cat: a WebSocket client for pipes and people. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd.h"
#include "kws.h"

#define CHUNK		65536
#define CLOSE_WAIT_MS	5000	/* for the peer's Close after ours */

static const char help[] =
	"Usage: kws cat [OPTION]... URL\n\n"
	"Connects to ws://host[:port]/path. Every line of the standard input is sent\n"
	"as a text message, every message received is written as a line. At the end\n"
	"of the input the connection is closed as RFC 6455 wants.\n\n"
	"  -e, --echo           send back what comes in, until the server closes;\n"
	"                       the standard input is not read\n"
	"  -b, --binary         send blocks of the input as binary messages, write\n"
	"                       messages without line ends\n"
	"  -P, --ping=SECONDS   send a PING that often\n"
	"  -p, --protocol=NAME  offer this subprotocol (may be given again)\n"
	"  -H, --header=LINE    add this line to the request (may be given again)\n"
	"  -m, --max-message=BYTES  the largest message accepted (default: 64M)\n"
	"  -u, --userspace      framing in user space even with the module loaded\n"
	"  -q, --quiet          no remarks on the standard error\n"
	"  -h, --help           this text\n\n"
	"Exit status: 0 after a proper close, 1 after an error, 2 for wrong usage.\n";

/**
 * struct cat - one run
 * @line: input that has not been sent; @line_len bytes of @line_size
 * @input: where lines come from, -1 when there are no more
 * @closing: our Close has been sent; @close_by is when to stop waiting
 * @next_ping: when the next PING is due, in ns
 */
struct cat {
	struct kws_conn *conn;
	int fd;
	int input;
	bool echo;
	bool binary;
	bool quiet;
	bool closing;
	bool clean;
	enum kws_framing framing;
	uint64_t max_message;
	uint64_t ping_s;
	int64_t next_ping;
	int64_t close_by;
	char *line;
	size_t line_len;
	size_t line_size;
	const char *protocols[17];
	unsigned int protocol_count;
	char *headers;
};

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
	/* The peer has closed: what it said about that comes by kws_recv(). */
	if (errno == EPIPE)
		return 0;
	complain("cannot send: %s", strerror(errno));
	return -1;
}

static int say_close(struct cat *c)
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

/* Whole lines go out; what is left is the start of the next one. */
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
	return say_close(c);
}

static void show_close(struct cat *c, const struct kws_message *m)
{
	c->clean = true;
	if (!c->quiet && (m->code != 1000 || !c->closing))
		complain("the server closed the connection: %u %.*s", m->code,
			 (int)m->len, (const char *)m->data);
}

static int show(struct cat *c, const struct kws_message *m)
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

/* 1 to go on, 0 at the end of the connection, -1. */
static int receive_all(struct cat *c)
{
	struct kws_message m;
	int r;

	/* While the peer does not read, nothing more is read from it. */
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
		if (show(c, &m))
			return -1;
	}
	if (errno == EAGAIN || errno == EPIPE)
		return 1;
	complain("cannot send: %s", strerror(errno));
	return -1;
}

static int timeout_ms(const struct cat *c)
{
	int64_t due = c->closing ? c->close_by : c->next_ping;
	int64_t left;

	if (!due)
		return -1;
	left = (due - now_ns()) / 1000000 + 1;
	return left > 0 ? left : 0;
}

static int on_time(struct cat *c)
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

static int converse(struct cat *c)
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
		if (poll(p, 2, timeout_ms(c)) < 0 && errno != EINTR)
			return -1;
		if (on_time(c) || (p[1].fd >= 0 && p[1].revents &&
				   read_input(c)))
			return -1;
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
	else if (error == EPROTONOSUPPORT)
		complain("%s: wss:// needs TLS, which kws cat does not do; use ws://",
			 url);
	else if (error == EINVAL)
		complain("%s: an address looks like ws://host:port/path, a header like \"Name: value\"",
			 url);
	else
		complain("%s: %s", url, strerror(error));
}

static int run(struct cat *c, const char *url)
{
	struct kws_options o = { .protocols = c->protocols,
				 .headers = c->headers };
	struct kws_handshake *hs;
	const struct kws_result *result;
	int r;

	c->fd = kws_connect(url, &o, &hs);
	result = hs ? kws_handshake_result(hs) : NULL;
	if (c->fd < 0) {
		complain_connect(url, result);
		kws_handshake_free(hs);
		return 1;
	}
	fcntl(c->fd, F_SETFL, fcntl(c->fd, F_GETFL) | O_NONBLOCK);
	c->conn = kws_open(c->fd, WS_ROLE_CLIENT, result->surplus,
			   result->surplus_len, c->framing);
	kws_handshake_free(hs);
	if (!c->conn || kws_max_message(c->conn, c->max_message)) {
		complain("cannot use the connection: %s", strerror(errno));
		kws_close(c->conn);
		return 1;
	}
	if (!c->quiet && c->framing == KWS_AUTO && !kws_is_kernel(c->conn))
		complain("the module ws is not loaded: framing in user space");
	if (c->ping_s)
		c->next_ping = now_ns() + c->ping_s * 1000000000;
	r = converse(c);
	kws_close(c->conn);
	if (!r && !c->clean) {
		complain("the connection ended without a Close");
		r = -1;
	}
	return r ? 1 : 0;
}

static int add_header(struct cat *c, const char *line)
{
	size_t old = c->headers ? strlen(c->headers) : 0;
	char *headers = realloc(c->headers, old + strlen(line) + 3);

	if (!headers)
		return -1;
	sprintf(headers + old, "%s\r\n", line);
	c->headers = headers;
	return 0;
}

static const struct option options[] = {
	{ "echo", no_argument, NULL, 'e' },
	{ "binary", no_argument, NULL, 'b' },
	{ "ping", required_argument, NULL, 'P' },
	{ "protocol", required_argument, NULL, 'p' },
	{ "header", required_argument, NULL, 'H' },
	{ "max-message", required_argument, NULL, 'm' },
	{ "userspace", no_argument, NULL, 'u' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static int parse_one(struct cat *c, int option)
{
	switch (option) {
	case 'e':
		c->echo = true;
		c->input = -1;
		return 0;
	case 'b':
		c->binary = true;
		return 0;
	case 'P':
		if (parse_number(optarg, 86400, &c->ping_s) && c->ping_s)
			return 0;
		complain("--ping %s is not a number of seconds", optarg);
		return -1;
	case 'p':
		if (c->protocol_count < 16) {
			c->protocols[c->protocol_count++] = optarg;
			return 0;
		}
		complain("more than 16 subprotocols");
		return -1;
	case 'H':
		return add_header(c, optarg);
	case 'm':
		if (parse_number(optarg, INT64_MAX, &c->max_message))
			return 0;
		complain("--max-message %s is not a size", optarg);
		return -1;
	case 'u':
		c->framing = KWS_USER;
		return 0;
	case 'q':
		c->quiet = true;
		return 0;
	}
	return -1;
}

int cmd_cat(int argc, char **argv)
{
	struct cat c = { .input = STDIN_FILENO };
	int option, status = EXIT_USAGE;

	while ((option = getopt_long(argc, argv, "ebP:p:H:m:uqh", options,
				     NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (parse_one(&c, option))
			goto out_usage;
	}
	if (optind != argc - 1) {
		complain(optind == argc ? "an address is missing" :
			 "one address is enough");
		goto out_usage;
	}
	status = run(&c, argv[optind]);
	free(c.line);
	free(c.headers);
	return status;

out_usage:
	free(c.headers);
	return usage_error("cat");
}
