// SPDX-License-Identifier: MIT
/* kws echo: accepts connections, does the handshakes, calls the framings. */
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

/* Holds a message of 1 MiB, as a record, too. */
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
	p->framing = &framing_none;
	queue_add(&s->shaking, p);
	s->open++;
	s->accepted++;
	if (peer_wait(s, p, EPOLLIN))
		peer_drop(s, p);
	return 0;
}

/**
 * accept_all() - accept all waiting connections
 * @s: the server
 */
void accept_all(struct server *s)
{
	while (!accept_one(s))
		;
	s->crowded = errno == EMFILE || errno == ENFILE;
}

/* Compression is done by libkws, which sees whole messages. */
static const struct framing *choose_framing(struct server *s,
					    const struct kws_result *result)
{
	const struct framing *f = NULL;

	if (result->deflate)
		return &framing_library;
	if (s->choose)
		f = s->choose(s, result);
	return f ? f : s->framing;
}

static int open_framing(struct server *s, struct peer *p,
			const struct kws_result *result)
{
	p->framing = choose_framing(s, result);
	if (p->framing->open(s, p, result)) {
		if (!p->state)
			p->framing = &framing_none;
		return -1;
	}
	peer_end_handshake(s, p);
	return 0;
}

/* NEXT_READ: the handshake is over, and the framing may begin. */
static enum next shake_hands(struct server *s, struct peer *p)
{
	const struct kws_result *result = kws_handshake_result(p->hs);
	int r = kws_handshake_step(p->hs, p->fd);

	if (!r) {
		peer_wait(s, p, kws_handshake_events(p->hs));
		return NEXT_WRITE;
	}
	if (r > 0 && !open_framing(s, p, result)) {
		if (s->ping_ms && p->framing->keep_alive &&
		    p->framing->keep_alive(s, p))
			return NEXT_CLOSE;
		return NEXT_READ;
	}
	if (r > 0 && errno == ENOENT)
		complain_no_module();
	else if (s->verbose)
		complain("connection refused: %s",
			 r > 0 ? strerror(errno) : result->error);
	return NEXT_CLOSE;
}

/* Sends unsent replies, then answers what has been received. */
static enum next call_framing(struct server *s, struct peer *p)
{
	enum next next;

	if (p->blocked) {
		next = p->framing->writable(s, p);
		if (next != NEXT_READ)
			return next;
	}
	next = p->framing->readable(s, p);
	p->blocked = next == NEXT_WRITE;
	return next;
}

/**
 * peer_serve() - the socket of a connection is ready
 * @s: the server
 * @p: the connection; it may be gone afterwards
 */
void peer_serve(struct server *s, struct peer *p)
{
	enum next next;

	if (p->leaving) {
		peer_go_on_leaving(s, p);
		return;
	}
	if (p->hs) {
		next = shake_hands(s, p);
		if (next == NEXT_CLOSE)
			peer_leave(s, p);
		if (next != NEXT_READ)
			return;
		if (s->uring && uring_begin(s, p))
			return;
	}
	p->heard = s->now;
	next = call_framing(s, p);
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
 * stats_due() - print a line of statistics every second, if asked for
 * @s: the server
 * @timeout: milliseconds until another task is due, or -1
 *
 * Return: the milliseconds until that or the next line.
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

static void run_epoll(struct server *s)
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

static int prepare_epoll(struct server *s)
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
	/* framing_user puts the bytes left from before in front of a read. */
	s->buffer = malloc(BUFFER_SIZE + FAST_READ);
	if (s->signals < 0 || s->epoll < 0 || !s->buffer)
		return -1;
	e.data.ptr = &s->signals;
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->signals, &e))
		return -1;
	e.data.ptr = &s->listener;
	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &e);
}

/**
 * echo_serve() - run a server until a signal ends it
 * @argc: of cmd_echo()
 * @argv: the same
 * @s: empty but for @s->framing, the default, and @s->choose
 *
 * Return: the exit status.
 */
int echo_serve(int argc, char **argv, struct server *s)
{
	const char *address = "127.0.0.1", *port = "9001";
	int r;

	s->read_size = FAST_READ;
	s->engine = "epoll";
	r = echo_options(argc, argv, s, &address, &port);
	if (r >= 0)
		return r;
	if (prepare_tls(s))
		return 1;
	if (s->framing->kernel) {
		r = kws_kernel_ready();
		if (!r)
			complain_no_module();
		else if (r < 0)
			complain("cannot use the kernel's framing: %s",
				 strerror(errno));
		if (r <= 0)
			return 1;
	}
	if (!strcmp(s->engine, "uring") && uring_open(s))
		return 1;
	if (!s->uring)
		s->engine = "";
	s->listener = listen_on(address, port);
	if (s->listener < 0)
		return 1;
	if (prepare_epoll(s)) {
		complain("cannot start: %s", strerror(errno));
		return 1;
	}
	announce(s);
	s->stats_since = now_ns();
	if (s->uring)
		uring_run(s);
	else
		run_epoll(s);
	if (s->stats)
		fprintf(stderr, "%llu connections, %llu messages, %llu bytes\n",
			(unsigned long long)s->accepted,
			(unsigned long long)s->messages,
			(unsigned long long)s->bytes);
	if (s->uring)
		uring_close(s);
	kws_tls_free(s->options.tls);
	free(s->buffer);
	return 0;
}

int cmd_echo(int argc, char **argv)
{
	struct server s = { .framing = &framing_kernel };

	return echo_serve(argc, argv, &s);
}
