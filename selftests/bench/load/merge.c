// SPDX-License-Identifier: MIT
/* Results of several runs: medians and spreads. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static int compare_values(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double compute_median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), compare_values);
	return n % 2 ? values[n / 2] :
		(values[n / 2 - 1] + values[n / 2]) / 2;
}

/* Returns the range of the middle half of sorted values; of three, of all. */
static double compute_spread(const double *values, size_t n)
{
	size_t low = (n - 1) / 4;

	return n > 1 ? (values[n - 1 - low] - values[low]) / values[n / 2] :
		NAN;
}

/* Sets a row to the medians of itself and of later rows of the same load. */
static int merge_row(struct table *t, size_t at)
{
	struct row *row = &t->rows[at];
	size_t *like = calloc(t->count, sizeof(*like)), n = 0, i, k;
	double *values = calloc(t->count, sizeof(*values));

	if (!like || !values) {
		free(like);
		free(values);
		return -1;
	}
	for (i = at; i < t->count; i++)
		if (same_load(row, &t->rows[i]) &&
		    !strcmp(row->server, t->rows[i].server))
			like[n++] = i;
	for (k = 0; k < FIGURES_MEASURED; k++) {
		for (i = 0; i < n; i++)
			values[i] = *figure_of(&t->rows[like[i]], k);
		*figure_of(row, k) = compute_median(values, n);
		if (figures[k].offset == offsetof(struct row, total_ns))
			row->total_spread = compute_spread(values, n);
		if (figures[k].offset == offsetof(struct row, cpu_ns))
			row->cpu_spread = compute_spread(values, n);
	}
	for (i = 1; i < n; i++)
		row->runs += t->rows[like[i]].runs;
	while (n-- > 1) {
		memmove(&t->rows[like[n]], &t->rows[like[n] + 1],
			(t->count - like[n] - 1) * sizeof(*row));
		t->count--;
	}
	free(like);
	free(values);
	return 0;
}

/**
 * table_merge() - merge all rows of a load and server to one with the medians
 * @t: the table
 *
 * Return: 0, or -1 with ENOMEM.
 */
int table_merge(struct table *t)
{
	size_t i;

	for (i = 0; i < t->count; i++)
		if (merge_row(t, i))
			return -1;
	return 0;
}
