// SPDX-License-Identifier: MIT
/*
 * kws-bench: idle connections with nothing but PING and PONG: the processor
 * time that they take, and their memory.
 *
 * Keepalive by the kernel is charged to no process, so all time counts in which
 * the machine was not idle: workers, timers and soft interrupts, whichever
 * process they interrupt. The client's share is subtracted. Its own processor
 * time would be wrong: on loopback its send() runs the soft interrupt in which
 * the server's end receives, including framing, timers and wake-ups of the
 * server's kernel, and timers that fire while the client runs are charged to
 * it, too. A server that moves work there would get that work for free. So the
 * share is a constant, the same for all servers: the time of the same calls
 * when the other end is a plain TCP socket that no process waits for.
 */
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"
#include "cmd.h"

#define SETTLE_US	5000
/* For measure_client(): as many as idle_stay() takes from one epoll_wait(). */
#define PAIRS		64
#define ANSWERS		40

unsigned int idle_ping_ms;

/* Answers received PINGs; fails when something else is received. */
static int answer_pings(struct line *line, u64 *pings)
{
	static const u8 pong[6] = { 0x8a, 0x80 };
	u8 frames[256];
	ssize_t n = recv(line->fd, frames, sizeof(frames), 0), i;

	if (n <= 0)
		return n < 0 && errno == EAGAIN ? 0 : -1;
	for (i = 0; i < n; i += 2) {
		if (i + 2 > n || frames[i] != 0x89 || frames[i + 1]) {
			errno = EPROTO;
			return -1;
		}
		if (send(line->fd, pong, 6, MSG_NOSIGNAL) != 6)
			return -1;
		++*pings;
	}
	return 0;
}

/**
 * idle_stay() - only answer PINGs for some time
 * @l: the load, all of whose connections are idle
 * @ns: how long
 * @pings: increased
 *
 * Return: 0, or -1 after saying why.
 */
int idle_stay(struct load *l, int64_t ns, uint64_t *pings)
{
	int64_t until = now_ns() + ns, left;
	struct epoll_event events[64];
	int n, i;

	while ((left = until - now_ns()) > 0) {
		n = epoll_wait(l->epoll, events, 64, left / 1000000 + 1);
		for (i = 0; i < n; i++) {
			if (answer_pings(events[i].data.ptr, pings)) {
				complain("an idle connection: %s",
					 strerror(errno));
				return -1;
			}
		}
	}
	return 0;
}

/* Returns the idle time of all processors in nanoseconds, or NAN. */
static double get_idle_ns(void)
{
	FILE *f = fopen("/proc/timer_list", "re");
	double sum = 0, ns;
	char line[256];
	int found = 0;

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, " .idle_sleeptime : %lf nsecs", &ns) != 1 &&
		    sscanf(line, " .iowait_sleeptime : %lf nsecs", &ns) != 1)
			continue;
		sum += ns;
		found++;
	}
	if (f)
		fclose(f);
	return found ? sum : NAN;
}

static double get_own_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

/* Connects @line over loopback; returns the other end, which sends PINGs. */
static int make_plain_pair(struct line *line)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int fd = -1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	line->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (listener >= 0 && line->fd >= 0 &&
	    !bind(listener, (struct sockaddr *)&a, len) &&
	    !listen(listener, 1) &&
	    !getsockname(listener, (struct sockaddr *)&a, &len) &&
	    !connect(line->fd, (struct sockaddr *)&a, len))
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	return fd;
}

/* PINGs each client end. Returns nanoseconds of their answers, or -1. */
static double answer_plain(const int *servers, int epoll)
{
	struct epoll_event events[PAIRS];
	u64 pings = 0;
	double start;
	u8 drain[64];
	int n, i;

	for (i = 0; i < PAIRS; i++)
		if (send(servers[i], "\x89", 2, MSG_NOSIGNAL) != 2)
			return -1;
	usleep(SETTLE_US);
	start = get_own_ns();
	n = epoll_wait(epoll, events, PAIRS, 1000);
	for (i = 0; i < n; i++)
		if (answer_pings(events[i].data.ptr, &pings))
			return -1;
	start = get_own_ns() - start;
	for (i = 0; i < PAIRS; i++)
		if (recv(servers[i], drain, sizeof(drain), MSG_DONTWAIT) < 0)
			return -1;
	return pings == PAIRS ? start : -1;
}

/* Returns nanoseconds that the client takes to answer a PING, or NAN. */
static double measure_client(void)
{
	struct line lines[PAIRS] = { 0 };
	int epoll = epoll_create1(EPOLL_CLOEXEC), servers[PAIRS], i;
	struct epoll_event e = { .events = EPOLLIN };
	double best = NAN, ns = 0;

	for (i = 0; i < PAIRS; i++) {
		servers[i] = make_plain_pair(&lines[i]);
		e.data.ptr = &lines[i];
		if (servers[i] < 0 ||
		    epoll_ctl(epoll, EPOLL_CTL_ADD, lines[i].fd, &e))
			ns = -1;
	}
	/* Ticks only add time; the first rounds are in TCP's quick-ACK mode. */
	for (i = 0; i < ANSWERS && ns >= 0; i++) {
		ns = answer_plain(servers, epoll);
		if (i >= ANSWERS / 2 && ns >= 0 && !(ns >= best))
			best = ns;
	}
	for (i = 0; i < PAIRS; i++) {
		close(lines[i].fd);
		close(servers[i]);
	}
	close(epoll);
	return ns < 0 ? NAN : best / PAIRS;
}

/**
 * struct state - of the machine at one moment
 * @server: resources used by the server
 * @now: time
 * @idle: idle time of all processors
 */
struct state {
	struct meter server;
	double now;
	double idle;
};

static void read_state(const struct target *t, struct state *s)
{
	if (target_meter(t, &s->server))
		memset(&s->server, 0, sizeof(s->server));
	s->now = now_ns();
	s->idle = get_idle_ns();
}

static void fill_row(struct row *row, const struct state *a,
		     const struct state *b, double pings, double client)
{
	double cpus = sysconf(_SC_NPROCESSORS_ONLN);
	double busy = (b->now - a->now) * cpus - (b->idle - a->idle);

	row->total_ns = busy / pings;
	row->cpu_ns = row->total_ns - client;
	row->wakeups = (b->server.wakeups - a->server.wakeups) / pings;
	row->messages_per_second = 1e9 / row->total_ns;
}

/* Returns the bytes of the slabs of the module's connections. */
static double get_module_memory(void)
{
	unsigned long pages, slabs;
	const char *rest;
	FILE *f = fopen("/proc/slabinfo", "re");
	char line[512];
	double sum = NAN;

	while (f && fgets(line, sizeof(line), f)) {
		rest = strstr(line, " : slabdata ");
		if (rest && sscanf(line, "ws_ctx %*u %*u %*u %*u %lu", &pages) == 1 &&
		    sscanf(rest, " : slabdata %*u %lu", &slabs) == 1)
			sum = (double)slabs * pages * sysconf(_SC_PAGESIZE);
	}
	if (f)
		fclose(f);
	return sum;
}

/* Returns the bytes of all slabs. */
static double get_kernel_memory(void)
{
	FILE *f = fopen("/proc/meminfo", "re");
	double kib = NAN;
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		sscanf(line, "Slab: %lf kB", &kib);
	if (f)
		fclose(f);
	return kib * 1024;
}

static int count_calls(struct load *l, const struct target *t, struct row *row)
{
	uint64_t calls;
	u64 pings = 0;

	if (target_count(t, true, NULL))
		return 0;
	if (idle_stay(l, idle_ping_ms * 1000000LL, &pings))
		return -1;
	usleep(SETTLE_US);
	if (!target_count(t, false, &calls) && pings)
		row->syscalls = (double)calls / pings;
	return 0;
}

/**
 * idle_measure() - measure idle connections of a server
 * @t: the server
 * @w: the workload
 * @row: filled; a message is an answered PING
 * @profile: the file for profile_stay(), or NULL
 *
 * Return: 0, or -1 after saying why.
 */
int idle_measure(const struct target *t, const struct workload *w,
		 struct row *row, const char *profile)
{
	double module, kernel, client = measure_client();
	int64_t interval = idle_ping_ms * 1000000LL;
	struct state before, after;
	struct load *l;
	u64 pings = 0;
	int r = -1;

	module = get_module_memory();
	kernel = get_kernel_memory();
	l = load_open(t->url, w, t->raw);
	if (!l)
		return -1;
	/* Until PINGs are spread over the interval. */
	if (idle_stay(l, interval, &pings))
		goto out_close_load;
	row->module_bytes = (get_module_memory() - module) / w->connections;
	row->kernel_bytes = (get_kernel_memory() - kernel) / w->connections;
	pings = 0;
	read_state(t, &before);
	if (idle_stay(l, interval, &pings))
		goto out_close_load;
	read_state(t, &after);
	if (!pings) {
		complain("%s sends no PING", t->name);
		goto out_close_load;
	}
	fill_row(row, &before, &after, pings, client);
	if (profile && profile_stay(t, l, row, profile))
		goto out_close_load;
	r = count_calls(l, t, row);
out_close_load:
	load_close(l);
	return r;
}
