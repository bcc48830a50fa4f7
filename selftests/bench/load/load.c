// SPDX-License-Identifier: MIT
/*
 * The load: frames masked beforehand, the same bytes for every server, and as
 * little work per message as possible in the client.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load.h"
#include "cmd.h"
#include "kws.h"
#include "requests.h"

#define ANSWER_MS	20000

/* Of a message that requests large ones; any size will do. */
#define REQUEST_SIZE	8

/* Returns the length of a message of a round. */
static unsigned int get_length(const struct workload *w, unsigned int i)
{
	/* 1 to 127 bytes (a prime), none twice in a row, half below 64. */
	return w->mixed ? 1 + i * 83 % (2 * w->bytes - 1) : w->bytes;
}

static void expect_replies(struct load *l)
{
	struct ws_hdr hdr = { .fin = true, .opcode = WS_OP_BINARY };
	unsigned int i;

	for (i = 0; i < l->w->in_flight; i++) {
		struct reply *r = &l->reply[i];

		if (l->w->answer != ANSWER_EMPTY)
			r->bytes = get_length(l->w, i);
		hdr.len = r->bytes;
		r->head_len = ws_hdr_build(r->head, &hdr);
	}
}

static int make_batch(struct load *l)
{
	struct ws_hdr hdr = {
		.fin = true,
		.opcode = WS_OP_BINARY,
		.masked = true,
	};
	bool download = is_download(l->w);
	unsigned int count = download ? 1 : l->w->in_flight;
	size_t most = l->w->mixed ? 2 * l->w->bytes : l->w->bytes, i;
	u8 *p;

	l->payload = malloc(most + 1);
	l->batch = malloc((WS_HDR_MAX + most) * count);
	l->buffer = malloc(BUFFER_SIZE);
	l->reply = calloc(l->w->in_flight, sizeof(*l->reply));
	if (!l->payload || !l->batch || !l->buffer || !l->reply)
		return -1;
	for (i = 0; i < most; i++)
		l->payload[i] = bench_pattern(i);
	expect_replies(l);
	p = l->batch;
	for (i = 0; i < count; i++) {
		hdr.len = download ? REQUEST_SIZE : get_length(l->w, i);
		hdr.key = 0x9e3779b9u * (i + 1);
		p += ws_hdr_build(p, &hdr);
		ws_mask_copy(p, l->payload, hdr.len, hdr.key);
		p += hdr.len;
	}
	l->batch_len = p - l->batch;
	l->want = l->w->in_flight;
	if (l->raw && download)
		l->want *= l->w->bytes;
	else if (l->raw && l->w->answer != ANSWER_EMPTY)
		l->want = l->batch_len;
	return 0;
}

/*
 * The kernel does the records of the client, for all servers alike.
 * Certificates are not checked: the machine may have a clock of its own.
 */
static struct kws_tls *get_tls(void)
{
	static const struct kws_tls_options options = {
		.insecure = 1,
		.ktls = KWS_KTLS_ALWAYS,
	};
	static struct kws_tls *tls;

	if (!tls)
		tls = kws_tls_new(WS_ROLE_CLIENT, &options, NULL);
	return tls;
}

/* The path requests the kind of answer. */
static void make_url(const struct load *l, const char *base, char *url,
		     size_t size)
{
	switch (l->w->answer) {
	case ANSWER_EMPTY:
		snprintf(url, size, "%s" BENCH_ACK "%zu", base,
			 l->batch_len / l->w->in_flight);
		break;
	case ANSWER_FILE:
		snprintf(url, size, "%s" BENCH_FILE "%u", base, l->w->bytes);
		break;
	case ANSWER_MEMORY:
		snprintf(url, size, "%s" BENCH_MEMORY "%u,%u", base,
			 l->w->bytes, l->w->in_flight);
		break;
	case ANSWER_PINGS:
		snprintf(url, size, "%s" BENCH_PING "%u", base, idle_ping_ms);
		break;
	default:
		snprintf(url, size, "%s", base);
	}
}

static int open_line(struct load *l, struct line *line, const char *base)
{
	char url[192];
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = line };
	struct kws_options o = { 0 };
	struct kws_handshake *hs;

	make_url(l, base, url, sizeof(url));
	if (!strncmp(base, "wss:", 4))
		o.tls = get_tls();
	line->fd = kws_connect(url, &o, &hs);
	if (line->fd < 0) {
		complain("%s: %s", url, hs && kws_handshake_result(hs)->error ?
			 kws_handshake_result(hs)->error : strerror(errno));
		kws_handshake_free(hs);
		return -1;
	}
	kws_handshake_free(hs);
	fcntl(line->fd, F_SETFL, O_NONBLOCK);
	return epoll_ctl(l->epoll, EPOLL_CTL_ADD, line->fd, &e);
}

/**
 * load_open() - connect to a server
 * @url: of the server
 * @w: the workload
 * @raw: the server echoes bytes
 *
 * Return: the load, or NULL after saying why.
 */
struct load *load_open(const char *url, const struct workload *w, bool raw)
{
	struct load *l = calloc(1, sizeof(*l));
	unsigned int i;

	if (!l)
		return NULL;
	l->w = w;
	l->raw = raw;
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->lines = calloc(w->connections, sizeof(*l->lines));
	for (i = 0; l->lines && i < w->connections; i++)
		l->lines[i].fd = -1;
	if (l->epoll < 0 || !l->lines || make_batch(l)) {
		complain("cannot start the load: %s", strerror(errno));
		goto err_close_load;
	}
	for (i = 0; i < w->connections; i++)
		if (open_line(l, &l->lines[i], url))
			goto err_close_load;
	return l;

err_close_load:
	load_close(l);
	return NULL;
}

void load_close(struct load *l)
{
	unsigned int i;

	for (i = 0; l->lines && i < l->w->connections; i++)
		if (l->lines[i].fd >= 0)
			close(l->lines[i].fd);
	if (l->epoll >= 0)
		close(l->epoll);
	free(l->lines);
	free(l->payload);
	free(l->batch);
	free(l->buffer);
	free(l->reply);
	free(l);
}

static int wait_for_room(struct load *l, struct line *line, bool on)
{
	struct epoll_event e = { .data.ptr = line };

	if (line->waiting_out == on)
		return 0;
	line->waiting_out = on;
	e.events = EPOLLIN | (on ? EPOLLOUT : 0);
	return epoll_ctl(l->epoll, EPOLL_CTL_MOD, line->fd, &e);
}

static int send_batch(struct load *l, struct line *line)
{
	while (line->sent < l->batch_len) {
		size_t n = l->batch_len - line->sent;
		ssize_t done;

		if (l->w->segment && n > l->w->segment)
			n = l->w->segment;
		done = send(line->fd, l->batch + line->sent, n, MSG_NOSIGNAL);
		if (done < 0 && errno == EAGAIN)
			return wait_for_room(l, line, true);
		if (done < 0)
			return -1;
		line->sent += done;
		/* Let the server receive this segment before the next. */
		if (l->w->segment && line->sent < l->batch_len)
			sched_yield();
	}
	return wait_for_room(l, line, false);
}

static int refuse_reply(const char *what)
{
	complain("the server's reply is wrong: %s", what);
	errno = EPROTO;
	return -1;
}

/* Parses a frame that is incomplete or unexpected. Returns bytes used. */
static ssize_t consume_slowly(struct load *l, struct line *line,
			      const struct reply *r, const u8 *p, size_t n)
{
	size_t take;
	int size;

	if (line->skip) {
		take = n < line->skip ? n : line->skip;
		if (l->verify && memcmp(p, l->payload + line->offset, take))
			return refuse_reply("the payload is not what was sent");
		line->offset += take;
		line->skip -= take;
	} else {
		size_t had = line->head_len;

		take = sizeof(line->head) - had;
		if (take > n)
			take = n;
		memcpy(line->head + had, p, take);
		size = ws_hdr_parse(line->head, had + take, &line->hdr);
		if (size < 0 || (size && (line->hdr.masked ||
					  line->hdr.rsv)))
			return refuse_reply("this is not a frame");
		line->head_len = had + take;
		if (!size)
			return take;
		take = size - had;
		line->head_len = 0;
		line->skip = line->hdr.len;
		if (line->hdr.opcode > WS_OP_BINARY ||
		    line->offset + line->skip > r->bytes)
			return refuse_reply("an unexpected frame");
	}
	if (!line->skip && line->hdr.fin) {
		if (line->offset != r->bytes)
			return refuse_reply("a message has the wrong length");
		line->replies++;
		line->offset = 0;
	}
	return take;
}

static int parse_replies(struct load *l, struct line *line, const u8 *p,
			 size_t n)
{
	while (n) {
		const struct reply *r;
		ssize_t used;

		if (line->replies == l->want)
			return refuse_reply("more than was sent");
		r = &l->reply[line->replies];
		used = r->head_len + r->bytes;
		/* At a frame boundary, and the frame is complete. */
		if (!line->skip && !line->head_len && !line->offset &&
		    n >= (size_t)used && !l->verify &&
		    !memcmp(p, r->head, r->head_len))
			line->replies++;
		else
			used = consume_slowly(l, line, r, p, n);
		if (used < 0)
			return -1;
		p += used;
		n -= used;
	}
	return 0;
}

static int receive_replies(struct load *l, struct line *line)
{
	ssize_t n = recv(line->fd, l->buffer, BUFFER_SIZE, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (!n) {
		complain("the server closed the connection");
		errno = ECONNRESET;
		return -1;
	}
	if (l->raw)
		line->replies += n;
	else if (parse_replies(l, line, l->buffer, n))
		return -1;
	if (line->replies < l->want || line->sent < l->batch_len)
		return 0;
	line->replies = 0;
	line->sent = 0;
	if (--line->rounds)
		return send_batch(l, line);
	l->active--;
	return 0;
}

static int handle_event(struct load *l, const struct epoll_event *e)
{
	struct line *line = e->data.ptr;

	if (e->events & EPOLLOUT && line->sent < l->batch_len &&
	    send_batch(l, line))
		return -1;
	return e->events & ~EPOLLOUT ? receive_replies(l, line) : 0;
}

/**
 * load_run() - send and receive
 * @l: the load, all of whose connections are idle
 * @rounds: batches per connection
 * @verify: compare every byte of the replies
 *
 * Return: 0, or -1 after saying why.
 */
int load_run(struct load *l, unsigned int rounds, bool verify)
{
	struct epoll_event events[64];
	unsigned int i;

	l->verify = verify;
	l->active = l->w->connections;
	for (i = 0; i < l->w->connections; i++) {
		l->lines[i].rounds = rounds;
		if (send_batch(l, &l->lines[i]))
			goto err_complain;
	}
	while (l->active) {
		int n = epoll_wait(l->epoll, events, 64, ANSWER_MS);

		if (!n) {
			complain("no answer for %d seconds", ANSWER_MS / 1000);
			return -1;
		}
		for (i = 0; (int)i < n; i++)
			if (handle_event(l, &events[i]))
				goto err_complain;
	}
	return 0;

err_complain:
	complain("load on %s: %s", l->w->name, strerror(errno));
	return -1;
}
