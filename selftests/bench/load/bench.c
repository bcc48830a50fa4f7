// SPDX-License-Identifier: MIT
/* kws-bench: the same load on one server after the other. */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "bench.h"
#include "cmd.h"
#include "kws.h"

#define SETTLE_US	5000

int bench_add(struct bench *b, const char *name, const char *command)
{
	struct target *t;

	if (b->target_count == TARGETS_MAX)
		return -1;
	t = &b->targets[b->target_count++];
	t->name = name;
	t->command = command;
	t->counter = -1;
	t->raw = !strcmp(name, "floor");
	t->tls = b->certificate;
	return 0;
}

static char *own_command(const struct bench *b, const char *option)
{
	char *command;

	if (asprintf(&command, "%s echo %s --port %%p%s%s", b->self, option,
		     b->certificate ? " --tls-cert " : "",
		     b->certificate ? b->certificate : "") < 0)
		return NULL;
	return command;
}

/* Puts the servers of kws before the others. */
static int add_own(struct bench *b)
{
	ssize_t n = readlink("/proc/self/exe", b->self, sizeof(b->self) - 1);
	const struct own *servers = b->certificate ? tls_servers : own_servers;
	unsigned int own = b->certificate ? tls_count : own_count;
	struct target others[TARGETS_MAX];
	unsigned int count = b->target_count, i;
	bool ready;

	if (n < 0 || strchr(b->self, ' ')) {
		complain("cannot start myself from \"%s\"", b->self);
		return -1;
	}
	memcpy(others, b->targets, sizeof(others));
	b->target_count = 0;
	ready = kws_kernel_ready() == 1;
	for (i = 0; i < own; i++) {
		const struct own *o = &servers[i];

		if (ready || !o->kernel) {
			bench_add(b, o->name, own_command(b, o->options));
		} else if (b->only && chosen(b->only, o->name)) {
			complain_no_module();
			return -1;
		}
	}
	if (!ready && !b->only)
		complain("the module ws is not loaded: no kernel framing in this comparison");
	for (i = 0; i < count; i++)
		if (bench_add(b, others[i].name, others[i].command))
			return -1;
	return bench_add(b, "floor", own_command(b, "--raw"));
}

/*
 * On a single processor a client of normal priority would continue to send
 * while the server waits for its turn, and the scheduler would decide how
 * arrivals group together. At idle priority the server gets each arrival on its
 * own, as from another machine. With many connections the client may compete.
 */
static void set_client_policy(const struct workload *w)
{
	struct sched_param none = { 0 };

	if (sysconf(_SC_NPROCESSORS_ONLN) == 1)
		sched_setscheduler(0, w->connections == 1 ||
				   w->answer == ANSWER_PINGS ? SCHED_IDLE :
				   SCHED_OTHER, &none);
}

/* Returns how many rounds show the time of one, the fewest to be measured. */
static unsigned int get_few_rounds(const struct workload *w)
{
	if (w->connections * w->in_flight >= 500 || w->bytes > 1 << 20)
		return 2;
	return w->connections > 1 || w->bytes > 65535 ? 4 : 20;
}

/* Finds out how many rounds take about @seconds, from a first try. */
static int find_rounds(struct load *l, const struct workload *w, double seconds,
		       unsigned int *rounds)
{
	unsigned int first = get_few_rounds(w);
	int64_t start, took;

	if (load_run(l, 2, true) || load_run(l, first, false))
		return -1;
	start = now_ns();
	if (load_run(l, first, false))
		return -1;
	took = now_ns() - start;
	*rounds = seconds * 1e9 / (took / first + 1);
	if (*rounds < 2 * first)
		*rounds = 2 * first;
	return 0;
}

static void count_calls(struct load *l, const struct target *t,
			unsigned int rounds, struct row *row)
{
	uint64_t calls;

	/* The number does not vary: some of the rounds are enough. */
	if (rounds > 20)
		rounds = rounds / 10 + 10;
	if (target_count(t, true, NULL) || load_run(l, rounds, false))
		return;
	usleep(SETTLE_US);
	if (!target_count(t, false, &calls))
		row->syscalls = (double)calls / rounds / row->connections /
			row->in_flight;
}

static int measure_load(struct bench *b, const struct target *t,
			const struct workload *w, struct row *row)
{
	struct load *l = load_open(t->url, w, t->raw);
	struct meter before, after;
	unsigned int rounds;
	int64_t start, took;
	double messages;
	bool metered;

	if (!l)
		return -1;
	if (find_rounds(l, w, b->seconds, &rounds))
		goto err_close_load;
	usleep(SETTLE_US);
	metered = !target_meter(t, &before);
	start = clock_now();
	if (start < 0 || load_run(l, rounds, false))
		goto err_close_load;
	took = clock_now() - start;
	if (took <= 0)
		goto err_close_load;
	/* The server may not be asleep yet. */
	usleep(SETTLE_US);
	metered = metered && !target_meter(t, &after);

	messages = (double)rounds * w->connections * w->in_flight;
	row->messages_per_second = messages * 1e9 / took;
	row->total_ns = took / messages;
	if (metered) {
		row->cpu_ns = (after.cpu_ns - before.cpu_ns) / messages;
		row->wakeups = (after.wakeups - before.wakeups) / messages;
	}
	if (b->profile && profile_run(t, l, rounds, row, b->profile))
		goto err_close_load;
	count_calls(l, t, rounds, row);
	load_close(l);
	return 0;

err_close_load:
	load_close(l);
	return -1;
}

static int measure_row(struct bench *b, const struct target *t,
		       const struct workload *w, struct row *row)
{
	if (w->answer == ANSWER_PINGS)
		return idle_measure(t, w, row, b->profile);
	if (is_latency(w))
		return pong_measure(t, w, b->seconds, row);
	return measure_load(b, t, w, row);
}

static void start_row(const struct bench *b, const struct target *t,
		      const struct workload *w, struct row *row)
{
	struct utsname u;

	uname(&u);
	memset(row, 0, sizeof(*row));
	snprintf(row->workload, sizeof(row->workload), "%s%s",
		 t->tls ? "wss-" : "", w->name);
	snprintf(row->server, sizeof(row->server), "%s", t->name);
	snprintf(row->clock, sizeof(row->clock), "%s", b->clock);
	snprintf(row->kernel, sizeof(row->kernel), "%s", u.release);
	row->connections = w->connections;
	row->message_bytes = w->bytes;
	row->in_flight = w->in_flight;
	row->runs = 1;
	row->total_ns = NAN;
	row->cpu_ns = NAN;
	row->syscalls = NAN;
	row->wakeups = NAN;
	row->module_bytes = NAN;
	row->kernel_bytes = NAN;
	row->p50_us = NAN;
	row->p99_us = NAN;
	row->total_spread = NAN;
	row->cpu_spread = NAN;
}

static bool is_wanted(const struct bench *b, const struct target *t,
		      const struct workload *w)
{
	return chosen(b->only, t->name) && workload_chosen(b->workload, w) &&
		takes_part(w, t->name, t->tls);
}

/* Measures the wanted ones of @count loads, from @w on. */
static int measure_target(struct bench *b, struct target *t,
			  const struct workload *w, size_t count)
{
	struct sched_param none = { 0 };
	int failed = 0;
	const struct workload *end = w + count;

	sched_setscheduler(0, SCHED_OTHER, &none);
	if (target_start(t)) {
		target_stop(t);
		return -1;
	}
	for (; w < end; w++) {
		struct row row;

		if (!is_wanted(b, t, w))
			continue;
		start_row(b, t, w, &row);
		set_client_policy(w);
		fprintf(stderr, "%-14s %-10s %6u B x %-3u", t->name, w->name,
			w->bytes, w->connections);
		if (measure_row(b, t, w, &row) || table_add(&b->table, &row)) {
			failed = -1;
			continue;
		}
		fprintf(stderr, "%10.0f messages/s\n", row.messages_per_second);
	}
	/* The kernel with the native clock has no such tracepoint. */
	if (t->counter < 0 && t->pid && strcmp(b->clock, "native"))
		complain("system calls of %s were not counted (root and tracefs are needed)",
			 t->name);
	target_stop(t);
	return failed;
}

/*
 * One load on each server in turn, again and again: other work of the machine
 * changes within minutes, and so affects all servers alike.
 */
static int measure_in_turns(struct bench *b)
{
	const struct workload *end = workloads + workload_count, *w;
	unsigned int turn, i;
	int failed = 0;

	for (turn = 0; turn < b->turns; turn++)
		for (w = workloads; w < end; w++)
			for (i = 0; i < b->target_count; i++)
				if (is_wanted(b, &b->targets[i], w) &&
				    measure_target(b, &b->targets[i], w, 1))
					failed = 1;
	return failed;
}

static int measure_one_by_one(struct bench *b)
{
	unsigned int i;
	int failed = 0;

	for (i = 0; i < b->target_count; i++)
		if (chosen(b->only, b->targets[i].name) &&
		    measure_target(b, &b->targets[i], workloads,
				   workload_count))
			failed = 1;
	return failed;
}

static int run_bench(struct bench *b)
{
	struct rlimit files;
	int failed;

	/* 20 seconds where idle time takes no real time. */
	idle_ping_ms = strcmp(b->clock, "instructions") ? 2000 : 20000;
	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	failed = b->turns ? measure_in_turns(b) : measure_one_by_one(b);
	if (b->json && table_write(&b->table, b->json))
		failed = 1;
	if (table_merge(&b->table))
		failed = 1;
	if (!b->no_table)
		table_print(&b->table);
	return failed;
}

static int report_files(struct bench *b, char **files)
{
	for (; *files; files++)
		if (table_read(&b->table, *files))
			return 1;
	if (table_merge(&b->table))
		return 1;
	if (b->json && table_write(&b->table, b->json))
		return 1;
	table_print_clocks(&b->table);
	return b->chart ? table_chart(&b->table, b->chart) : 0;
}

int bench_main(int argc, char **argv)
{
	static struct bench b = { .seconds = 1, .clock = "host" };
	int r;

	r = bench_options(&b, argc, argv);
	if (r >= 0)
		return r;
	if (b.report)
		return report_files(&b, argv + optind);
	if (optind == argc - 1) {
		b.target_count = 0;
		bench_add(&b, "server", NULL);
		snprintf(b.targets[0].url, sizeof(b.targets[0].url), "%s",
			 argv[optind]);
		b.targets[0].pid = b.pid;
		return run_bench(&b);
	}
	return add_own(&b) ? 1 : run_bench(&b);
}
