// SPDX-License-Identifier: MIT
/*
 * kws-bench: the latency of a PONG, on an otherwise idle machine and on one
 * with busy processors.
 *
 * The latency is the time from before the send() of the PING until the client
 * has read the PONG. The client itself must not wait for a processor, so it
 * runs under SCHED_FIFO: it preempts the busy processes as soon as the PONG is
 * in its receive queue, for all servers alike. The alternative, a receive
 * timestamp of the kernel (SO_TIMESTAMPNS), would leave the send() to the
 * scheduler and is taken when the packet passes the device, before TCP. The
 * server and the kernel's workers keep their class; the busy processes are
 * SCHED_OTHER with the server's nice value and in its session, thus in its
 * scheduling group. There is one more of them than processors.
 *
 * PINGs are sent one at a time, with a pause of 0.5 to 1.5 ms, so that the
 * server is asleep when one arrives, at any point of a tick or time slice.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"
#include "cmd.h"

#define PONG_MS		20000
/* New connections acknowledge at once: TCP's quick-ACK mode. */
#define WARM_UP		20
#define ROUNDS_MAX	1000
#define PAUSE_US	500
#define BUSY_MAX	256
#define HEAD		6

/**
 * struct busy - processes that never sleep
 * @pid: of each process
 * @count: how many processes
 */
struct busy {
	pid_t pid[BUSY_MAX];
	unsigned int count;
};

static void stop_busy(struct busy *busy)
{
	while (busy->count) {
		kill(busy->pid[--busy->count], SIGKILL);
		waitpid(busy->pid[busy->count], NULL, 0);
	}
}

static int start_busy(struct busy *busy)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN) + 1;
	pid_t parent = getpid();

	while (busy->count < n && busy->count < BUSY_MAX) {
		pid_t pid = fork();

		if (!pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			while (getppid() == parent)
				for (int i = 0; i < 1000000; i++)
					asm volatile("" ::: "memory");
			_exit(0);
		}
		if (pid < 0) {
			complain("cannot start a process: %s", strerror(errno));
			return -1;
		}
		busy->pid[busy->count++] = pid;
	}
	return 0;
}

static int set_policy(int policy)
{
	struct sched_param p = {
		.sched_priority = policy == SCHED_FIFO ? 1 : 0,
	};

	if (!sched_setscheduler(0, policy, &p))
		return 0;
	complain("the client's scheduling policy: %s", strerror(errno));
	return -1;
}

/* Reads a PONG, which must be the @bytes bytes at @want. */
static int read_pong(int fd, const u8 *want, size_t bytes)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t have = 0;
	u8 frame[256];
	ssize_t n;

	while (have < bytes) {
		n = poll(&p, 1, PONG_MS);
		if (n <= 0) {
			errno = n ? errno : ETIMEDOUT;
			return -1;
		}
		n = recv(fd, frame + have, sizeof(frame) - have, 0);
		if (n <= 0) {
			errno = n ? errno : ECONNRESET;
			return -1;
		}
		have += n;
	}
	if (have == bytes && !memcmp(frame, want, bytes))
		return 0;
	errno = EPROTO;
	return -1;
}

/* Sends a PING, reads its PONG. Returns nanoseconds, or -1 after saying why. */
static int64_t send_ping(struct load *l, unsigned int i)
{
	unsigned int bytes = l->w->bytes, k;
	struct ws_hdr hdr = {
		.fin = true,
		.opcode = WS_OP_PING,
		.masked = true,
		.key = 0x9e3779b9u * (i + 1),
		.len = bytes,
	};
	int fd = l->lines[i % l->w->connections].fd;
	u8 ping[HEAD + WS_CTRL_MAX], pong[2 + WS_CTRL_MAX];
	int64_t start;

	pong[0] = 0x80 | WS_OP_PONG;
	pong[1] = bytes;
	for (k = 0; k < bytes; k++)
		pong[2 + k] = i >> (k % 4 * 8);
	ws_hdr_build(ping, &hdr);
	ws_mask_copy(ping + HEAD, pong + 2, bytes, hdr.key);
	start = now_ns();
	if (send(fd, ping, HEAD + bytes, MSG_NOSIGNAL) == (ssize_t)(HEAD + bytes) &&
	    !read_pong(fd, pong, 2 + bytes))
		return now_ns() - start;
	complain("a PING: %s", strerror(errno));
	return -1;
}

static int compare_values(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void fill_row(struct row *row, double *ns, unsigned int n)
{
	double sum = 0;
	unsigned int i;

	for (i = 0; i < n; i++)
		sum += ns[i];
	qsort(ns, n, sizeof(*ns), compare_values);
	row->messages_per_second = 1e9 * n / sum;
	row->p50_us = ns[n / 2] / 1000;
	row->p99_us = ns[n * 99 / 100] / 1000;
}

static int run_rounds(struct load *l, const struct target *t, struct row *row,
		      unsigned int n)
{
	struct meter before, after;
	unsigned int i, dice = 1;
	double ns[ROUNDS_MAX];
	bool metered;

	metered = !target_meter(t, &before);
	for (i = 0; i < n; i++) {
		/* The same pauses in every run. */
		dice = dice * 1103515245 + 12345;
		usleep(PAUSE_US + (dice >> 16) % (2 * PAUSE_US));
		ns[i] = send_ping(l, i);
		if (ns[i] < 0)
			return -1;
	}
	if (metered && !target_meter(t, &after))
		row->wakeups = (double)(after.wakeups - before.wakeups) / n;
	fill_row(row, ns, n);
	return 0;
}

/**
 * pong_measure() - measure the latency of PONGs
 * @t: the server
 * @w: the workload
 * @seconds: 0.03 or more for 1,000 PINGs, less for fewer
 * @row: filled with latencies and wake-ups
 *
 * Return: 0, or -1 after saying why.
 */
int pong_measure(const struct target *t, const struct workload *w,
		 double seconds, struct row *row)
{
	unsigned int n = seconds < 0.03 ? seconds / 0.03 * ROUNDS_MAX + 1 :
		ROUNDS_MAX, i;
	struct load *l = load_open(t->url, w, t->raw);
	struct busy busy = { .count = 0 };
	int r = -1;

	if (!l)
		return -1;
	for (i = 0; i < WARM_UP * w->connections; i++)
		if (send_ping(l, i) < 0)
			goto out_stop_busy;
	if (w->answer == ANSWER_PONG_BUSY && start_busy(&busy))
		goto out_stop_busy;
	/* After fork(): children would inherit it. */
	if (set_policy(SCHED_FIFO))
		goto out_stop_busy;
	r = run_rounds(l, t, row, n);
	if (set_policy(SCHED_OTHER))
		r = -1;
out_stop_busy:
	stop_busy(&busy);
	load_close(l);
	return r;
}
