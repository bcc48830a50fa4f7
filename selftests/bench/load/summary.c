// SPDX-License-Identifier: MIT
/* The results on one page: each server relative to framing in user space. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define COLUMNS_MAX	24

/* A difference of less than 2 % does not count. */
#define EVEN		1.02

/* Lists the servers of a table, in the order of their measurement. */
static size_t list_servers(const struct table *t, const char **names)
{
	size_t n = 0, i, k;

	for (i = 0; i < t->count; i++) {
		const char *name = t->rows[i].server;

		for (k = 0; k < n; k++)
			if (!strcmp(names[k], name))
				break;
		if (k == n && n < COLUMNS_MAX)
			names[n++] = name;
	}
	return n;
}

static void print_name(const struct row *row)
{
	bool counted = !strcmp(row->clock, "instructions");

	printf("| %s%s | %s", row->workload,
	       counted && row->message_bytes >= BYTE_HEAVY ? "*" : "",
	       row->message_bytes ? size_name(row->message_bytes) : "-");
	if (row->in_flight > 1)
		printf(" x %u", row->in_flight);
	printf(" | %u | %s |", row->connections, counted ? "instr." :
	       row->clock);
}

/* Prints the ratios of one load to user space; the baseline in its unit. */
static void print_line(const struct table *t, const struct row *row,
		       const char **names, size_t n, bool cpu)
{
	const struct row *base = table_find(t, row, "userspace");
	double worst = 0;
	size_t i;

	print_name(row);
	for (i = 0; i < n; i++) {
		const struct row *other = table_find(t, row, names[i]);
		double v, b, s;

		if (!other) {
			printf(" - |");
			continue;
		}
		v = cpu ? other->cpu_ns : other->total_ns;
		b = base ? cpu ? base->cpu_ns : base->total_ns : NAN;
		s = cpu ? other->cpu_spread : other->total_spread;
		if (!isnan(s) && s > worst)
			worst = s;
		if (other == base)
			printf(" %.0f |", v);
		else if (isnan(v) || isnan(b) || b == 0)
			printf(" - |");
		else
			printf(v / b < 1 / EVEN ? " **%.2f** |" : " %.2f |",
			       v / b);
	}
	printf(" %.1f %% |\n", worst * 100);
}

/* Is it the first row of a load with figures of time? */
static bool has_line(const struct table *t, size_t i)
{
	size_t k;

	for (k = 0; k < i; k++)
		if (same_load(&t->rows[k], &t->rows[i]))
			return false;
	return isnan(t->rows[i].p50_us);
}

static void print_latencies(const struct table *t)
{
	bool begun = false;
	size_t i;

	for (i = 0; i < t->count; i++) {
		const struct row *row = &t->rows[i];

		if (isnan(row->p50_us))
			continue;
		if (!begun)
			puts("\nLatency of a PONG, us of this clock.\n\n"
			     "| load | conn. | clock | server | p50 | p99 | wake-ups |\n"
			     "| --- | --- | --- | --- | --- | --- | --- |");
		begun = true;
		printf("| %s | %u | %s | %s | %.1f | %.1f | %.2f |\n",
		       row->workload, row->connections, row->clock,
		       row->server, row->p50_us, row->p99_us, row->wakeups);
	}
}

static void print_part(const struct table *t, bool cpu)
{
	const char *names[COLUMNS_MAX];
	size_t n = list_servers(t, names), i;

	printf("\n%s per message. Column userspace: %s; the others: ratio to it,\n"
	       "below 1 is better than user space, bold when by 2 %% or more.\n\n"
	       "| load | size | conn. | clock |", cpu ? "Processor time of the server," :
	       "Time of everything (client, server and kernel),",
	       "instructions, or ns where the clock is not instructions");
	for (i = 0; i < n; i++)
		printf(" %s |", names[i]);
	printf(" spread up to |\n| --- | --- | --- | --- |");
	for (i = 0; i <= n; i++)
		printf(" --- |");
	putchar('\n');
	for (i = 0; i < t->count; i++)
		if (has_line(t, i))
			print_line(t, &t->rows[i], names, n, cpu);
}

/**
 * table_summary() - ratios to user space, ready for a README
 * @t: the table
 */
void table_summary(const struct table *t)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		if (has_line(t, i)) {
			print_part(t, false);
			break;
		}
	for (i = 0; i < t->count; i++)
		if (!isnan(t->rows[i].cpu_ns)) {
			print_part(t, true);
			break;
		}
	print_latencies(t);
}
