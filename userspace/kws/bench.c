// SPDX-License-Identifier: MIT
/* kws bench: the same load on one server after the other. */
#include <errno.h>
#include <getopt.h>
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

#define TARGETS_MAX	16
#define SETTLE_US	5000

static const char help[] =
	"Usage: kws bench [OPTION]... [URL]\n"
	"       kws bench --report [--json=FILE] FILE...\n\n"
	"Loads echo servers one after the other with the same bytes and prints how many\n"
	"messages a second they return and what CPU time, system calls and wake-ups one\n"
	"message costs them. Without a URL the servers are: kws echo (kernel framing, if\n"
	"the module is loaded), kws echo --userspace, and as the floor kws echo --raw.\n\n"
	"  -s, --server=NAME=COMMAND  one more server; %p in COMMAND is the port\n"
	"  -o, --only=NAME[,NAME...]  only these servers\n"
	"  -w, --workload=NAME[,...]  only these workloads: pingpong, pipelined, upload,\n"
	"                             trickle; NAME:BYTES for those with such messages\n"
	"  -t, --time=SECONDS         to measure for, a row (default: 1)\n"
	"  -P, --pid=PID              of the server at URL, for the CPU figures\n"
	"  -j, --json=FILE            write the results there, too\n"
	"  -c, --clock=NAME           what a nanosecond is here (default: host)\n"
	"  -a, --ask=FILE             for the time: a line there is answered by nanoseconds\n"
	"  -q, --no-table             no table, progress only\n"
	"  -r, --report               no load: print the medians of result files\n"
	"      --chart=FILE           with --report: write the ratios to be drawn there\n"
	"  -h, --help                 this text\n\n"
	"System calls are counted by a tracepoint: as root, with tracefs mounted.\n";

struct bench {
	struct target targets[TARGETS_MAX];
	unsigned int target_count;
	char self[4096];
	const char *only;
	const char *workload;
	const char *json;
	const char *clock;
	const char *chart;
	double seconds;
	pid_t pid;
	bool report;
	bool no_table;
	struct table table;
};

static int add_target(struct bench *b, const char *name, const char *command)
{
	struct target *t;

	if (b->target_count == TARGETS_MAX)
		return -1;
	t = &b->targets[b->target_count++];
	t->name = name;
	t->command = command;
	t->counter = -1;
	t->raw = !strcmp(name, "floor");
	return 0;
}

static char *own_command(const struct bench *b, const char *option)
{
	char *command;

	if (asprintf(&command, "%s echo --port %%p %s", b->self, option) < 0)
		return NULL;
	return command;
}

/* kws itself in its forms, before the others. */
static int add_own(struct bench *b)
{
	ssize_t n = readlink("/proc/self/exe", b->self, sizeof(b->self) - 1);
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
	for (i = 0; i < own_count; i++) {
		const struct own *own = &own_servers[i];

		if (ready || !own->kernel) {
			add_target(b, own->name, own_command(b, own->options));
		} else if (b->only && chosen(b->only, own->name)) {
			complain_no_module();
			return -1;
		}
	}
	if (!ready && !b->only)
		complain("the module ws is not loaded: no kernel framing in this comparison");
	for (i = 0; i < count; i++)
		if (add_target(b, others[i].name, others[i].command))
			return -1;
	return add_target(b, "floor", own_command(b, "--raw"));
}

/*
 * On a single processor a client like any other would go on sending while the
 * server has to wait for its turn, and arrivals would lump together as the
 * scheduler likes. At idle priority it lets the server have every arrival on
 * its own, as from another machine. With many connections it may compete.
 */
static void be_a_client(const struct workload *w)
{
	struct sched_param none = { 0 };

	if (sysconf(_SC_NPROCESSORS_ONLN) == 1)
		sched_setscheduler(0, w->connections == 1 ? SCHED_IDLE :
				   SCHED_OTHER, &none);
}

/* How many rounds take about this long, from a first try. */
static int calibrate(struct load *l, const struct workload *w, double seconds,
		     unsigned int *rounds)
{
	unsigned int first = w->connections > 1 ? 4 : 20;
	int64_t start, took;

	if (w->bytes > 65535)
		first = 4;
	if (load_run(l, 2, true) || load_run(l, first, false))
		return -1;
	start = now_ns();
	if (load_run(l, first, false))
		return -1;
	took = now_ns() - start;
	*rounds = seconds * 1e9 / (took / first + 1);
	if (*rounds < first)
		*rounds = first;
	return 0;
}

static void count_calls(struct load *l, const struct target *t,
			unsigned int rounds, struct row *row)
{
	uint64_t calls;

	rounds = rounds / 10 + 10;
	if (target_count(t, true, NULL) || load_run(l, rounds, false))
		return;
	usleep(SETTLE_US);
	if (!target_count(t, false, &calls))
		row->syscalls = (double)calls / rounds / row->connections /
			row->in_flight;
}

static int measure(struct bench *b, const struct target *t,
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
	if (calibrate(l, w, b->seconds, &rounds))
		goto err_close;
	usleep(SETTLE_US);
	metered = !target_meter(t, &before);
	start = clock_now();
	if (start < 0 || load_run(l, rounds, false))
		goto err_close;
	took = clock_now() - start;
	if (took <= 0)
		goto err_close;
	/* The server may have to go to sleep yet. */
	usleep(SETTLE_US);
	metered = metered && !target_meter(t, &after);

	messages = (double)rounds * w->connections * w->in_flight;
	row->messages_per_second = messages * 1e9 / took;
	row->total_ns = took / messages;
	if (metered) {
		row->cpu_ns = (after.cpu_ns - before.cpu_ns) / messages;
		row->wakeups = (after.wakeups - before.wakeups) / messages;
	}
	count_calls(l, t, rounds, row);
	load_close(l);
	return 0;

err_close:
	load_close(l);
	return -1;
}

static void start_row(const struct bench *b, const struct target *t,
		      const struct workload *w, struct row *row)
{
	struct utsname u;

	uname(&u);
	memset(row, 0, sizeof(*row));
	snprintf(row->workload, sizeof(row->workload), "%s", w->name);
	snprintf(row->server, sizeof(row->server), "%s", t->name);
	snprintf(row->clock, sizeof(row->clock), "%s", b->clock);
	snprintf(row->kernel, sizeof(row->kernel), "%s", u.release);
	row->connections = w->connections;
	row->message_bytes = w->bytes;
	row->in_flight = w->in_flight;
	row->runs = 1;
	row->cpu_ns = NAN;
	row->syscalls = NAN;
	row->wakeups = NAN;
	row->total_spread = NAN;
	row->cpu_spread = NAN;
}

static int bench_target(struct bench *b, struct target *t)
{
	struct sched_param none = { 0 };
	int failed = 0;
	size_t i;

	sched_setscheduler(0, SCHED_OTHER, &none);
	if (target_start(t)) {
		target_stop(t);
		return -1;
	}
	for (i = 0; i < workload_count; i++) {
		const struct workload *w = &workloads[i];
		struct row row;

		if (!workload_chosen(b->workload, w) ||
		    !takes_part(w, t->name))
			continue;
		start_row(b, t, w, &row);
		be_a_client(w);
		fprintf(stderr, "%-14s %-10s %6u B x %-3u", t->name, w->name,
			w->bytes, w->connections);
		if (measure(b, t, w, &row) || table_add(&b->table, &row)) {
			failed = -1;
			continue;
		}
		fprintf(stderr, "%10.0f messages/s\n", row.messages_per_second);
	}
	/* The kernel that has the native clock has no such tracepoint. */
	if (t->counter < 0 && t->pid && strcmp(b->clock, "native"))
		complain("system calls of %s were not counted (root and tracefs are needed)",
			 t->name);
	target_stop(t);
	return failed;
}

static int run(struct bench *b)
{
	struct rlimit files;
	unsigned int i;
	int failed = 0;

	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (i = 0; i < b->target_count; i++)
		if (chosen(b->only, b->targets[i].name) &&
		    bench_target(b, &b->targets[i]))
			failed = 1;
	if (b->json && table_write(&b->table, b->json))
		failed = 1;
	if (!b->no_table)
		table_print(&b->table);
	return failed;
}

static int report(struct bench *b, char **files)
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

static const struct option options[] = {
	{ "server", required_argument, NULL, 's' },
	{ "only", required_argument, NULL, 'o' },
	{ "workload", required_argument, NULL, 'w' },
	{ "time", required_argument, NULL, 't' },
	{ "pid", required_argument, NULL, 'P' },
	{ "json", required_argument, NULL, 'j' },
	{ "clock", required_argument, NULL, 'c' },
	{ "ask", required_argument, NULL, 'a' },
	{ "no-table", no_argument, NULL, 'q' },
	{ "report", no_argument, NULL, 'r' },
	{ "chart", required_argument, NULL, 'C' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static int parse_server(struct bench *b, char *text)
{
	char *equals = strchr(text, '=');

	if (!equals || equals == text) {
		complain("--server %s: NAME=COMMAND is wanted", text);
		return -1;
	}
	*equals = '\0';
	return add_target(b, text, equals + 1);
}

static int parse_one(struct bench *b, int option)
{
	uint64_t number;
	char *end;

	switch (option) {
	case 's':
		return parse_server(b, optarg);
	case 'o':
		b->only = optarg;
		return 0;
	case 'w':
		b->workload = optarg;
		return 0;
	case 't':
		b->seconds = strtod(optarg, &end);
		if (!*end && b->seconds > 0 && b->seconds <= 3600)
			return 0;
		complain("--time %s is not a number of seconds", optarg);
		return -1;
	case 'P':
		if (!parse_number(optarg, INT32_MAX, &number))
			return -1;
		b->pid = number;
		return 0;
	case 'j':
		b->json = optarg;
		return 0;
	case 'c':
		b->clock = optarg;
		return 0;
	case 'a':
		return clock_open(optarg);
	case 'C':
		b->chart = optarg;
		return 0;
	case 'q':
		b->no_table = true;
		return 0;
	case 'r':
		b->report = true;
		return 0;
	}
	return -1;
}

int cmd_bench(int argc, char **argv)
{
	static struct bench b = { .seconds = 1, .clock = "host" };
	int option;

	while ((option = getopt_long(argc, argv, "s:o:w:t:P:j:c:a:qrh", options,
				     NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (parse_one(&b, option))
			return usage_error("bench");
	}
	if (b.report)
		return report(&b, argv + optind);
	if (optind < argc - 1)
		return usage_error("bench");
	if (optind == argc - 1) {
		b.target_count = 0;
		add_target(&b, "server", NULL);
		snprintf(b.targets[0].url, sizeof(b.targets[0].url), "%s",
			 argv[optind]);
		b.targets[0].pid = b.pid;
		return run(&b);
	}
	return add_own(&b) ? 1 : run(&b);
}
