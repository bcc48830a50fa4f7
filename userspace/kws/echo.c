// SPDX-License-Identifier: MIT
/* kws echo: accepts, shakes hands, and lets a framing answer. */
#include <errno.h>
#include <getopt.h>
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

/* A message of 1 MiB fits, as a record, too. */
#define BUFFER_SIZE	((1 << 20) + 4096)
#define EVENTS		64

static const char help[] =
	"Usage: kws echo [OPTION]...\n\n"
	"A WebSocket server that sends every message back. The kernel module ws\n"
	"does the framing unless --userspace is given. Ends on Ctrl-C.\n\n"
	"  -p, --port=PORT         TCP port, 0 for any free one (default: 9001)\n"
	"  -b, --bind=ADDRESS      listen there (default: 127.0.0.1; \"::\" for every\n"
	"                          address of this machine)\n"
	"      --records           kernel framing, many messages a call: records in the\n"
	"                          stream (WS_F_RECORDS of ws(7)); the fastest\n"
	"      --batch             the same with recvmsg() and a control message\n"
	"  -u, --userspace         framing in user space: large reads, unmasking in\n"
	"                          place, replies gathered into one send\n"
	"      --engine=epoll|uring  how to wait and to move bytes (default: epoll)\n"
	"      --deflate[=PARAMETER,...]  accept compression (RFC 7692); parameters are\n"
	"                          server_no_context_takeover, client_no_context_takeover,\n"
	"                          server_max_window_bits=8..15,\n"
	"                          client_max_window_bits=8..15, level=1..9 (default: 1),\n"
	"                          memory=1..9 (8), threshold=BYTES (64)\n"
	"      --raw               no framing: after the handshake bytes are echoed as\n"
	"                          they come. Only for measuring\n"
	"  -m, --max-message=BYTES the largest message accepted (K, M and G are\n"
	"                          understood; default: 64M)\n"
	"  -t, --handshake-timeout=SECONDS  for a client's whole request (default: 10)\n"
	"  -s, --stats             a line every second, and the totals at the end\n"
	"  -v, --verbose           say why connections are refused\n"
	"  -h, --help              this text\n\n"
	"Example: kws echo --port 9001 &   kws cat ws://localhost:9001/\n";

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
	if (r > 0 && !p->framing->open(s, p, result)) {
		peer_end_handshake(s, p);
		return NEXT_READ;
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
	s->buffer = malloc(s->buffer_size);
	if (s->signals < 0 || s->epoll < 0 || !s->buffer)
		return -1;
	e.data.ptr = &s->signals;
	if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->signals, &e))
		return -1;
	e.data.ptr = &s->listener;
	return epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->listener, &e);
}

static const struct option options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "bind", required_argument, NULL, 'b' },
	{ "userspace", no_argument, NULL, 'u' },
	{ "deflate", optional_argument, NULL, 'D' },
	{ "raw", no_argument, NULL, 'R' },
	{ "records", no_argument, NULL, 'r' },
	{ "batch", no_argument, NULL, 'B' },
	{ "engine", required_argument, NULL, 'E' },
	{ "max-message", required_argument, NULL, 'm' },
	{ "handshake-timeout", required_argument, NULL, 't' },
	{ "stats", no_argument, NULL, 's' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

/* -1 to go on, else the exit status. */
static int parse_options(int argc, char **argv, struct server *s,
			 const char **address, const char **port)
{
	uint64_t number;
	int c;

	while ((c = getopt_long(argc, argv, "p:b:um:t:svh", options,
				NULL)) != -1) {
		switch (c) {
		case 'p':
			if (!parse_number(optarg, 65535, &number)) {
				complain("--port %s is not a port number", optarg);
				return EXIT_USAGE;
			}
			*port = optarg;
			break;
		case 'b':
			*address = optarg;
			break;
		case 'u':
			s->framing = &framing_user;
			break;
		case 'D':
			if (!parse_deflate(optarg, &s->deflate))
				return EXIT_USAGE;
			s->options.deflate = &s->deflate;
			break;
		case 'R':
			s->framing = &framing_raw;
			break;
		case 'r':
			s->framing = &framing_records;
			break;
		case 'E':
			s->engine = optarg;
			break;
		case 'B':
			s->framing = &framing_batch;
			break;
		case 'm':
			if (!parse_number(optarg, INT64_MAX, &s->max_message)) {
				complain("--max-message %s is not a size", optarg);
				return EXIT_USAGE;
			}
			break;
		case 't':
			if (!parse_number(optarg, 3600, &number) || !number) {
				complain("--handshake-timeout %s is not 1 to 3600", optarg);
				return EXIT_USAGE;
			}
			s->options.timeout_ms = number * 1000;
			break;
		case 's':
			s->stats = true;
			break;
		case 'v':
			s->verbose = true;
			break;
		case 'h':
			fputs(help, stdout);
			return 0;
		default:
			return usage_error("echo");
		}
	}
	if (optind == argc)
		return -1;
	complain("what is \"%s\"?", argv[optind]);
	return usage_error("echo");
}

int cmd_echo(int argc, char **argv)
{
	struct server s = {
		.framing = &framing_kernel,
		.engine = "epoll",
	};
	const char *address = "127.0.0.1", *port = "9001";
	int r;

	r = parse_options(argc, argv, &s, &address, &port);
	if (r >= 0)
		return r;
	if (s.framing == &framing_raw)
		s.options.deflate = NULL;
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
	if (!s.uring && strcmp(s.engine, "epoll")) {
		complain("--engine %s: epoll or uring", s.engine);
		return EXIT_USAGE;
	}
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
	free(s.buffer);
	return 0;
}
