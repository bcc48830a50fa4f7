// SPDX-License-Identifier: MIT
/* The results as one picture: where the kernel is faster than user space. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cmd.h"

/* The framings of the kernel, best first for most loads, and the floor. */
static const char *const names[] = { "records", "kws", "batch", "floor" };

#define NAMES	(sizeof(names) / sizeof(names[0]))

/**
 * struct bar - a line of the chart
 * @label: name of the load
 * @ratio: total time relative to user space, by names[]; 0 if unknown
 * @main: the ratio drawn as a bar: of records, otherwise of kws
 */
struct bar {
	char label[128];
	double ratio[NAMES];
	double main;
};

static bool fill_bar(const struct table *t, const struct row *base,
		     struct bar *bar)
{
	bool counted = !strcmp(base->clock, "instructions");
	char flight[24] = "", size[24] = "", conn[24] = "";
	size_t k;

	if (base->in_flight > 1)
		snprintf(flight, sizeof(flight), " × %u", base->in_flight);
	if (base->message_bytes)
		snprintf(size, sizeof(size), ", %s",
			 size_name(base->message_bytes));
	if (base->connections > 1)
		snprintf(conn, sizeof(conn), ", %u conn.", base->connections);
	snprintf(bar->label, sizeof(bar->label), "%s%s%s%s%s", base->workload,
		 size, flight, conn,
		 !strcmp(base->clock, "native") ? " (native)" :
		 counted && base->message_bytes >= BYTE_HEAVY ? " *" : "");
	for (k = 0; k < NAMES; k++) {
		const struct row *r = table_find(t, base, names[k]);

		bar->ratio[k] = r ? r->total_ns / base->total_ns : 0;
	}
	bar->main = bar->ratio[0] ? bar->ratio[0] : bar->ratio[1];
	return bar->main > 0;
}

static int by_ratio(const void *a, const void *b)
{
	double x = ((const struct bar *)a)->main;
	double y = ((const struct bar *)b)->main;

	return (x > y) - (x < y);
}

/**
 * table_chart() - write the ratios of kws to user space, to be drawn
 * @t: the table
 * @path: the file: one line per load, kernel wins first; separated by tabs the
 *	load, the bar, and the ratios of names[], "?" if not measured
 *
 * Return: 0, or -1 after saying why.
 */
int table_chart(const struct table *t, const char *path)
{
	struct bar *bars = calloc(t->count + 1, sizeof(*bars));
	FILE *f = fopen(path, "we");
	size_t i, k, n = 0;

	for (i = 0; bars && i < t->count; i++)
		if (!strcmp(t->rows[i].server, "userspace") &&
		    fill_bar(t, &t->rows[i], &bars[n]))
			n++;
	if (n)
		qsort(bars, n, sizeof(*bars), by_ratio);
	for (i = 0; f && i < n; i++) {
		fprintf(f, "%s\t%.4f", bars[i].label, bars[i].main);
		for (k = 0; k < NAMES; k++)
			fprintf(f, bars[i].ratio[k] ? "\t%.4f" : "\t?",
				bars[i].ratio[k]);
		fputc('\n', f);
	}
	free(bars);
	if (f && !fclose(f))
		return 0;
	complain("cannot write %s: %s", path, strerror(errno));
	return -1;
}
