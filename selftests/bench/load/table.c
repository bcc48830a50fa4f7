// SPDX-License-Identifier: MIT
/* Results: the JSON file, medians of several runs, and the table. */
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cmd.h"

const struct figure figures[FIGURES_KEPT] = {
	{ "messages_per_second", offsetof(struct row, messages_per_second) },
	{ "total_ns_per_message", offsetof(struct row, total_ns) },
	{ "cpu_ns_per_message", offsetof(struct row, cpu_ns) },
	{ "syscalls_per_message", offsetof(struct row, syscalls) },
	{ "wakeups_per_message", offsetof(struct row, wakeups) },
	{ "module_bytes_per_connection", offsetof(struct row, module_bytes) },
	{ "kernel_bytes_per_connection", offsetof(struct row, kernel_bytes) },
	{ "latency_p50_us", offsetof(struct row, p50_us) },
	{ "latency_p99_us", offsetof(struct row, p99_us) },
	{ "total_spread", offsetof(struct row, total_spread) },
	{ "cpu_spread", offsetof(struct row, cpu_spread) },
};

int table_add(struct table *t, const struct row *row)
{
	struct row *rows = realloc(t->rows, (t->count + 1) * sizeof(*rows));

	if (!rows)
		return -1;
	t->rows = rows;
	rows[t->count++] = *row;
	return 0;
}

static json_t *number(double value)
{
	return isnan(value) ? json_null() : json_real(value);
}

static json_t *row_to_json(struct row *row)
{
	json_t *o = json_pack("{s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:i}",
			      "workload", row->workload,
			      "server", row->server,
			      "connections", (int)row->connections,
			      "message_bytes", (int)row->message_bytes,
			      "in_flight", (int)row->in_flight,
			      "clock", row->clock,
			      "kernel", row->kernel,
			      "runs", (int)row->runs);
	size_t i;

	for (i = 0; o && i < FIGURES_KEPT; i++)
		json_object_set_new(o, figures[i].key,
				    number(*figure_of(row, i)));
	return o;
}

/**
 * table_write() - write the rows as a list of JSON objects
 * @t: the rows
 * @path: the file
 *
 * Return: 0, or -1 after saying why.
 */
int table_write(const struct table *t, const char *path)
{
	json_t *list = json_array();
	size_t i;
	int r;

	for (i = 0; i < t->count; i++)
		json_array_append_new(list, row_to_json(&t->rows[i]));
	r = json_dump_file(list, path, JSON_INDENT(1) | JSON_PRESERVE_ORDER |
			   JSON_REAL_PRECISION(7));
	json_decref(list);
	if (r)
		complain("cannot write %s: %s", path, strerror(errno));
	return r;
}

static int row_from_json(json_t *o, struct row *row)
{
	const char *workload, *server, *clock, *kernel;
	size_t i;

	memset(row, 0, sizeof(*row));
	if (json_unpack(o, "{s:s, s:s, s:i, s:i, s:i, s:s, s:s, s:i}",
			"workload", &workload, "server", &server,
			"connections", &row->connections,
			"message_bytes", &row->message_bytes,
			"in_flight", &row->in_flight,
			"clock", &clock, "kernel", &kernel,
			"runs", &row->runs))
		return -1;
	snprintf(row->workload, sizeof(row->workload), "%s", workload);
	snprintf(row->server, sizeof(row->server), "%s", server);
	snprintf(row->clock, sizeof(row->clock), "%s", clock);
	snprintf(row->kernel, sizeof(row->kernel), "%s", kernel);
	for (i = 0; i < FIGURES_KEPT; i++) {
		json_t *v = json_object_get(o, figures[i].key);

		*figure_of(row, i) = json_is_number(v) ?
			json_number_value(v) : NAN;
	}
	return 0;
}

/**
 * table_read() - add the rows of a file
 * @t: the table
 * @path: a file that table_write() has written
 *
 * Return: 0, or -1 after saying why.
 */
int table_read(struct table *t, const char *path)
{
	json_error_t error;
	json_t *list = json_load_file(path, 0, &error), *o;
	struct row row;
	size_t i;
	int r = 0;

	if (!list) {
		complain("%s: line %d: %s", path, error.line, error.text);
		return -1;
	}
	json_array_foreach(list, i, o) {
		if (row_from_json(o, &row) || table_add(t, &row)) {
			complain("%s: entry %zu is not a result", path, i);
			r = -1;
			break;
		}
	}
	json_decref(list);
	return r;
}

/**
 * same_load() - do two rows have the same load, clock and kernel?
 * @a: one
 * @b: the other
 */
bool same_load(const struct row *a, const struct row *b)
{
	return !strcmp(a->workload, b->workload) &&
	       a->connections == b->connections &&
	       a->message_bytes == b->message_bytes &&
	       a->in_flight == b->in_flight && !strcmp(a->clock, b->clock) &&
	       !strcmp(a->kernel, b->kernel);
}

/**
 * table_find() - find the row of another server
 * @t: the table
 * @like: a row of the same load
 * @server: name of the server
 *
 * Return: the row or NULL.
 */
struct row *table_find(const struct table *t, const struct row *like,
		       const char *server)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		if (same_load(like, &t->rows[i]) &&
		    !strcmp(t->rows[i].server, server))
			return &t->rows[i];
	return NULL;
}

static void print_ratio(double value, const struct row *base, size_t k)
{
	double other = base ? *figure_of((struct row *)base, k) : NAN;

	if (isnan(value) || isnan(other) || other == 0)
		printf(" %6s", "-");
	else
		printf(" %6.*f", value / other < 100 ? 2 : 0, value / other);
}

static void print_row(const struct table *t, struct row *row)
{
	const struct row *user = table_find(t, row, "userspace");
	const struct row *floor_row = table_find(t, row, "floor");
	size_t k;

	printf("  %-14s", row->server);
	for (k = 0; k < FIGURES; k++) {
		double v = *figure_of(row, k);

		if (isnan(v))
			printf(" %9s", "-");
		else
			printf(" %9.*f", k < 3 ? 0 : 3, v);
		/* The ratios of the total are those of msgs/s, inverted. */
		if (k == 1)
			continue;
		print_ratio(v, user, k);
		print_ratio(v, floor_row, k);
	}
	putchar('\n');
}

/**
 * size_name() - print a number of bytes with its unit
 * @bytes: the number
 *
 * Return: a text that is valid until the next call.
 */
const char *size_name(unsigned int bytes)
{
	static char name[16];

	if (bytes >= 1 << 20 && bytes % (1 << 20) == 0)
		snprintf(name, sizeof(name), "%u MiB", bytes >> 20);
	else if (bytes >= 1024 && bytes % 1024 == 0)
		snprintf(name, sizeof(name), "%u KiB", bytes / 1024);
	else
		snprintf(name, sizeof(name), "%u B", bytes);
	return name;
}

static void print_load(const struct row *row)
{
	bool counted = !strcmp(row->clock, "instructions");

	printf("\n%s", row->workload);
	if (row->message_bytes)
		printf(", %s", size_name(row->message_bytes));
	if (row->in_flight > 1)
		printf(", %u in flight", row->in_flight);
	printf(", %u connection%s", row->connections,
	       row->connections == 1 ? "" : "s");
	printf(" [clock: %s]", row->clock);
	if (counted && row->message_bytes >= BYTE_HEAVY)
		printf(" byte-heavy: not fair in this clock");
	printf("\n  %-14s %9s %6s %6s %9s %9s %6s %6s %9s %6s %6s %9s %6s %6s\n",
	       "server", "msgs/s", "/user", "/floor", counted ? "total ins" :
	       "total ns", counted ? "CPU ins" : "CPU ns", "/user", "/floor",
	       "syscalls", "/user", "/floor", "wakeups", "/user", "/floor");
}

/* Prints a load whose figures are latencies and wake-ups. */
static void print_latency(const struct table *t, size_t at)
{
	struct row *first = &t->rows[at];
	size_t i;

	printf("\n%s, %u connection%s [clock: %s]\n", first->workload,
	       first->connections, first->connections == 1 ? "" : "s",
	       first->clock);
	printf("  %-14s %9s %6s %9s %6s %9s\n", "server", "p50 us", "/user",
	       "p99 us", "/user", "wakeups");
	for (i = at; i < t->count; i++) {
		struct row *row = &t->rows[i];
		struct row *user = table_find(t, row, "userspace");

		if (!same_load(row, first))
			continue;
		printf("  %-14s %9.1f", row->server, row->p50_us);
		print_ratio(row->p50_us, user, FIGURE_P50);
		printf(" %9.1f", row->p99_us);
		print_ratio(row->p99_us, user, FIGURE_P50 + 1);
		if (isnan(row->wakeups))
			printf(" %9s\n", "-");
		else
			printf(" %9.3f\n", row->wakeups);
	}
}

/* Prints the memory of idle connections; the server has no others. */
static void print_memory(struct row *row)
{
	if (!isnan(row->kernel_bytes))
		printf("  %-14s %.0f B in slab ws_ctx, %.0f B in all (both ends)\n",
		       row->server, isnan(row->module_bytes) ? 0 :
		       row->module_bytes, row->kernel_bytes);
}

static void print_clock(const struct row *row)
{
	printf("Linux %s, clock: %s, median of %u run%s.\n", row->kernel,
	       row->clock, row->runs, row->runs == 1 ? "" : "s");
	if (!strcmp(row->clock, "instructions"))
		puts("1 ns is 1 instruction executed in the guest, user and kernel: msgs/s is\n"
		     "10^9 over the total, which is that of server, client and kernel. Cache misses\n"
		     "and stalls do not count, and a vector instruction counts as one however wide:\n"
		     "rows that move many bytes (messages of 16 KiB and more) are not fair in it.");
	if (!strcmp(row->clock, "native"))
		puts("The processor runs the guest's instructions itself, and a ns is one of its\n"
		     "time that the guest has had: msgs/s is 10^9 over the total, which is that of\n"
		     "server, client and kernel. What else the machine does is in it by the caches\n"
		     "only. A system call costs many times what it does on a kernel with a machine\n"
		     "of its own: rows of few bytes are not fair in it.");
	puts("All but msgs/s is for one message. Total is the time from message to message;\n"
	     "CPU, syscalls and wakeups are the server's. CPU includes the soft interrupts\n"
	     "charged to it (on loopback also a part of the client's receiving). /user and\n"
	     "/floor: ratio to framing in user space and to a plain TCP echo of the same\n"
	     "bytes. For msgs/s more than 1 is better, for the others less than 1.");
	puts("idle: a message is a PING answered, total all time in which the machine was not\n"
	     "idle, CPU that less what a client takes alone. sendfile, zerocopy: user space copies (read,\n"
	     "frame, write); the floor does not, as the kernel does not, but on loopback what\n"
	     "MSG_ZEROCOPY sent is copied all the same, on its way to the receiver.");
	puts("pong: one PING at a time, from before its send() until a client under SCHED_FIFO\n"
	     "has read the PONG; pong-busy: the same while one process more than there are\n"
	     "processors computes, with the server's priority.");
}

/**
 * table_print() - print a table to the standard output
 * @t: the table, all rows of a load together
 */
void table_print(const struct table *t)
{
	size_t i, k;

	if (!t->count)
		return;
	print_clock(&t->rows[0]);
	for (i = 0; i < t->count; i++) {
		for (k = 0; k < i; k++)
			if (same_load(&t->rows[k], &t->rows[i]))
				break;
		if (k < i)
			continue;
		if (!isnan(t->rows[i].p50_us)) {
			print_latency(t, i);
			continue;
		}
		print_load(&t->rows[i]);
		for (k = i; k < t->count; k++)
			if (same_load(&t->rows[k], &t->rows[i]))
				print_row(t, &t->rows[k]);
		if (isnan(t->rows[i].kernel_bytes))
			continue;
		puts("  memory per connection:");
		for (k = i; k < t->count; k++)
			if (same_load(&t->rows[k], &t->rows[i]))
				print_memory(&t->rows[k]);
	}
	table_summary(t);
}

/**
 * table_print_clocks() - print one table per clock
 * @t: the table, of several clocks, which cannot be compared
 */
void table_print_clocks(const struct table *t)
{
	size_t i, k;

	for (i = 0; i < t->count; i++) {
		struct table one = { NULL, 0 };
		const char *clock = t->rows[i].clock;

		for (k = 0; k < i; k++)
			if (!strcmp(t->rows[k].clock, clock))
				break;
		if (k < i)
			continue;
		for (k = i; k < t->count; k++)
			if (!strcmp(t->rows[k].clock, clock))
				table_add(&one, &t->rows[k]);
		if (i)
			putchar('\n');
		table_print(&one);
		free(one.rows);
	}
}
