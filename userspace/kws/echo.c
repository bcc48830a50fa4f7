// SPDX-License-Identifier: MIT
/* kws echo: accepts, shakes hands, and lets a framing answer. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd.h"
#include "echo.h"
#include "echo_fast.h"
#include "../../selftests/bench/load/requests.h"

/* A message of 1 MiB fits, as a record, too. */
#define BUFFER_SIZE	((1 << 20) + 4096)
#define EVENTS		64

static int accept_one(struct server *s)
{
	struct peer *p;
	int fd, one = 1;

	fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return -1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	p = calloc(1, sizeof(*p));
	if (p)
		p->hs = kws_handshake_server(&s->options);
	if (!p || !p->hs) {
		free(p);
		close(fd);
		return 0;
	}
	p->fd = fd;
	queue_add(&s->shaking, p);
	s->open++;
	s->accepted++;
	if (peer_wait(s, p, EPOLLIN))
		peer_drop(s, p);
	return 0;
}

void accept_all(struct server *s)
{
	while (!accept_one(s))
		;
	s->crowded = errno == EMFILE || errno == ENFILE;
}

/* A benchmark may want short answers. */
static size_t wants_ack(const char *target)
{
	size_t len = strlen("/" BENCH_ACK);

	return target && !strncmp(target, "/" BENCH_ACK, len) ?
		strtoul(target + len, NULL, 10) : 0;
}

/* By the kernel or by us. The handshake is over: no queue has the peer. */
static int keep_alive(struct server *s, struct peer *p)
{
	if (!s->ping_ms)
		return 0;
	if (p->framing->kernel || (p->conn && kws_is_kernel(p->conn)))
		return kernel_ping(s, p->fd);
	if (p->framing == &framing_user)
		quiet_watch(s, p);
	return 0;
}

/* NEXT_READ here: the framing may take its first step. */
static enum next shake(struct server *s, struct peer *p)
{
	const struct kws_result *result = kws_handshake_result(p->hs);
	int r = kws_handshake_step(p->hs, p->fd);

	if (!r) {
		peer_wait(s, p, kws_handshake_events(p->hs));
		return NEXT_WRITE;
	}
	if (r > 0)
		p->ack = wants_ack(result->target);
	/* Compression is libkws's business: it sees whole messages. */
	p->framing = r > 0 && result->deflate ? &framing_user : s->framing;
	if (r > 0 && s->bench && gift_wanted(result->target, &p->gift))
		p->framing = &framing_gift;
	if (r > 0 && s->bench && result->target)
		sscanf(result->target, "/" BENCH_PING "%u", &s->ping_ms);
	if (r > 0 && !p->framing->open(s, p, result)) {
		peer_end_handshake(s, p);
		return keep_alive(s, p) ? NEXT_CLOSE : NEXT_READ;
	}
	if (r > 0 && errno == ENOENT)
		complain_no_module();
	else if (s->verbose)
		complain("connection refused: %s",
			 r > 0 ? strerror(errno) : result->error);
	return NEXT_CLOSE;
}

void peer_serve(struct server *s, struct peer *p)
{
	enum next next;

	if (p->leaving) {
		peer_go_on_leaving(s, p);
		return;
	}
	if (p->hs) {
		next = shake(s, p);
		if (next == NEXT_CLOSE)
			peer_leave(s, p);
		if (next != NEXT_READ)
			return;
		if (s->uring && uring_begin(s, p))
			return;
	}
	p->heard = s->now;
	next = p->framing->step(s, p);
	if (next == NEXT_CLOSE)
		peer_leave(s, p);
	else if (peer_wait(s, p, next == NEXT_READ ? EPOLLIN : EPOLLOUT))
		peer_drop(s, p);
}

static void print_stats(struct server *s, int64_t now)
{
	double seconds = (now - s->stats_since) / 1e9;

	fprintf(stderr, "%u connections, %.0f messages/s, %.2f MB/s\n", s->open,
		(s->messages - s->stats_messages) / seconds,
		(s->bytes - s->stats_bytes) / seconds / 1e6);
	s->stats_since = now;
	s->stats_messages = s->messages;
	s->stats_bytes = s->bytes;
}

/**
 * stats_due() - a line of statistics every second, if that is wanted
 * @s: the server
 * @timeout: milliseconds until something else has to be done, or -1
 *
 * Return: the same, with the next line taken into account.
 */
int stats_due(struct server *s, int timeout)
{
	int64_t now;

	if (!s->stats)
		return timeout;
	now = now_ns();
	if (now - s->stats_since >= 1000000000)
		print_stats(s, now);
	return timeout < 0 || timeout > 1000 ? 1000 : timeout;
}

static void run(struct server *s)
{
	struct epoll_event events[EVENTS];

	for (;;) {
		int timeout = stats_due(s, peers_sweep(s)), n, i;

		n = epoll_wait(s->epoll, events, EVENTS, timeout);
		if (s->quiet.oldest)
			s->now = now_ns();
		for (i = 0; i < n; i++) {
			void *what = events[i].data.ptr;

			if (what == &s->signals)
				return;
			if (what == &s->listener)
				accept_all(s);
			else
				peer_serve(s, what);
		}
		if (s->crowded)
			peers_make_room(s);
	}
}

static int watch(struct server *s)
{
	struct epoll_event e = { .events = EPOLLIN };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signals = signalfd(-1, &set, SFD_CLOEXEC);
	s->epoll = epoll_create1(EPOLL_CLOEXEC);
	s->buffer_size = BUFFER_SIZE;
	/* What was left from before is in front of it. */
	if (s->framing == &framing_user)
		s->buffer_size = s->read_size + FAST_READ;
	s->buffer = malloc(s->buffer_size);
	if (s->signals < 0 || s->epoll < 0 || !s->buffer)
		return -1;
	e.data.ptr = &s->signals;
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->signals, &e))
		return -1;
	e.data.ptr = &s->listener;
	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &e);
}

int cmd_echo(int argc, char **argv)
{
	struct server s = {
		.framing = &framing_kernel,
		.read_size = FAST_READ,
		.engine = "epoll",
	};
	const char *address = "127.0.0.1", *port = "9001";
	int r;

	r = echo_options(argc, argv, &s, &address, &port);
	if (r >= 0)
		return r;
	if (prepare_tls(&s))
		return 1;
	if (s.framing->kernel) {
		r = kws_kernel_ready();
		if (!r)
			complain_no_module();
		else if (r < 0)
			complain("cannot use the kernel's framing: %s",
				 strerror(errno));
		if (r <= 0)
			return 1;
	}
	if (!strcmp(s.engine, "uring") && uring_open(&s))
		return 1;
	if (!s.uring)
		s.engine = "";
	s.listener = listen_on(address, port);
	if (s.listener < 0)
		return 1;
	if (watch(&s)) {
		complain("cannot start: %s", strerror(errno));
		return 1;
	}
	announce(&s);
	s.stats_since = now_ns();
	if (s.uring)
		uring_run(&s);
	else
		run(&s);
	if (s.stats)
		fprintf(stderr, "%llu connections, %llu messages, %llu bytes\n",
			(unsigned long long)s.accepted,
			(unsigned long long)s.messages,
			(unsigned long long)s.bytes);
	kws_tls_free(s.options.tls);
	free(s.buffer);
	return 0;
}
