// SPDX-License-Identifier: GPL-2.0-only
/*
 * Times kws's core natively: GB/s and nanoseconds a frame. A row is measured
 * RUNS times; the figures are the median, "+-" is the widest run's distance
 * from it. Smallest, median and largest go to the file named by -o.
 *
 * Hot: the same frame and the same destination again and again. Cold: frames
 * and destinations are spread over more memory than any cache holds, in an
 * order that no prefetcher guesses.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"

#define RUNS		3
#define STRETCHES	15	/* of each run */
#define ARENA		(160UL << 20)
#define LARGEST		(4UL << 20)

static const u8 key_bytes[4] = { 0x37, 0xfa, 0x21, 0x3d };

enum kind { BINARY, ASCII, MIXED };
static const char *const kinds[] = { "binary", "ASCII text", "mixed text" };

struct figure {
	double min, median, max;	/* nanoseconds a frame */
};

static unsigned long stretch_ns = 400000;
static FILE *out;
static u8 *frames, *room;

static u8 *arena(void)
{
	void *p = mmap(NULL, ARENA, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED) {
		perror("bench-core: memory");
		exit(1);
	}
	return p;
}

/* Whole characters only: @n is a multiple of 16. */
static void fill(u8 *p, size_t n, enum kind kind)
{
	/* 16 bytes each: in all, four in five characters are ASCII. */
	static const char mixed[][17] = {
		"plain words, and",
		" d\u00e9j\u00e0 vu, l\u00e0.",
		"more plain words",
		" \u03ba\u03cc\u03c3\u03bc\u03bf\u03c2 1.",
		"here and there a",
		"\u65e5\u672c\u8a9e \u306e ab",
		"ok \U0001f600 and so..",
	};
	u32 seed = 1;
	size_t i;

	for (i = 0; i < n; i++) {
		seed = seed * 1664525 + 1013904223;
		p[i] = kind == BINARY ? seed >> 24 : ' ' + (seed >> 24) % 94;
	}
	if (kind != MIXED)
		return;
	for (i = 0; i < n; i += 16) {
		seed = seed * 1664525 + 1013904223;
		memcpy(p + i, mixed[(seed >> 24) % ARRAY_SIZE(mixed)], 16);
	}
}

static void make_job(struct job *j, size_t n, enum kind kind, bool masked,
		     u8 *frame)
{
	memset(j, 0, sizeof(*j));
	j->n = n;
	j->hdr.len = n;
	j->hdr.fin = true;
	j->hdr.masked = masked;
	j->hdr.opcode = kind == BINARY ? WS_OP_BINARY : WS_OP_TEXT;
	if (masked)
		memcpy(&j->hdr.key, key_bytes, 4);
	j->header = ws_hdr_build(frame, &j->hdr);
	j->frame = j->header + n;
	fill(frame + j->header, n, kind);
	if (masked)
		ws_mask_copy(frame + j->header, frame + j->header, n,
			     j->hdr.key);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/*
 * One run: nanoseconds a frame, the median of many short stretches, so that
 * what else the machine does falls out as long as it does it now and then.
 * @slots is a power of two.
 */
static double time_once(const struct way *way, const struct job *j,
			size_t stride, size_t slots)
{
	size_t step = (slots * 5 / 8) | 1, at = 0;
	double ns[STRETCHES];
	unsigned long batch = 1, i;
	unsigned int k = 0;
	bool good = true;

	while (k < STRETCHES) {
		u64 spent = now_ns();

		for (i = 0; i < batch; i++) {
			good &= way->run(j, room + at * stride,
					 frames + at * stride);
			at = (at + step) & (slots - 1);
		}
		spent = now_ns() - spent;
		/* The first ones find out how many frames are enough. */
		if (k || spent >= stretch_ns)
			ns[k++] = (double)spent / batch;
		else
			batch *= 2;
	}
	if (!good) {
		fprintf(stderr, "bench-core: %s fails with %zu bytes\n",
			way->name, j->n);
		exit(1);
	}
	qsort(ns, STRETCHES, sizeof(ns[0]), compare);
	return ns[STRETCHES / 2];
}

static struct figure measure(const struct way *way, const struct job *j,
			     size_t stride, size_t slots)
{
	double ns[RUNS];
	int i;

	if (way->begin)
		way->begin(j);
	for (i = 0; i < RUNS; i++)
		ns[i] = time_once(way, j, stride, slots);
	qsort(ns, RUNS, sizeof(ns[0]), compare);
	return (struct figure){ ns[0], ns[RUNS / 2], ns[RUNS - 1] };
}

/* A loop that is fast because it is wrong is worth nothing. */
static void check(const struct way *way, const struct job *j, enum kind kind)
{
	u8 *want;

	if (way->no_copy)
		return;
	want = malloc(j->n);
	fill(want, j->n, kind);
	if (way->raw && j->hdr.masked)
		ws_mask_copy(want, want, j->n, j->hdr.key);
	memset(room, 0x55, j->n + 1);
	way->run(j, room, frames);
	if (memcmp(room, want, j->n) || room[j->n] != 0x55) {
		fprintf(stderr, "bench-core: %s gives wrong bytes (%zu)\n",
			way->name, j->n);
		exit(1);
	}
	free(want);
}

static void print_cell(const struct way *way, const struct job *j,
		       const struct figure *f, const char *section)
{
	double off = f->max - f->median;

	if (f->median - f->min > off)
		off = f->median - f->min;
	printf(" %7.2f%11.1f %3.0f%%", j->n / f->median, f->median,
	       100 * off / f->median);
	if (out)
		fprintf(out, "%s\t%s\t%zu\t%.2f\t%.2f\t%.2f\t%.3f\n", section,
			way->name, j->n, f->min, f->median, f->max,
			j->n / f->median);
}

/* Twice the frames beside what fits: never the same size as a page. */
static size_t spread(const struct job *j, size_t *stride)
{
	size_t slots = 1;

	*stride = (j->frame + 1 + 63) / 64 * 64 + 64;
	while (slots * 2 * *stride <= ARENA)
		slots *= 2;
	return slots;
}

static void table(enum kind kind, bool masked, bool cold,
		  const struct way *const *ways)
{
	const struct way *const *w;
	char section[64];
	size_t n;

	snprintf(section, sizeof(section), "%s, %s, %s", kinds[kind],
		 masked ? "masked" : "unmasked", cold ? "cold" : "hot");
	printf("\n%s: GB/s, ns a frame, +-\n%7s", section, "bytes");
	for (w = ways; *w; w++)
		printf("  %22s", (*w)->name);
	putchar('\n');
	for (n = 16; n <= LARGEST; n *= 4) {
		size_t stride, slots, i;
		struct job j;

		make_job(&j, n, kind, masked, frames);
		slots = spread(&j, &stride);
		if (!cold)
			slots = 1;
		for (i = 1; i < slots; i++)
			memcpy(frames + i * stride, frames, j.frame);
		printf("%7zu", n);
		for (w = ways; *w; w++) {
			struct figure f;

			check(*w, &j, kind);
			f = measure(*w, &j, stride, slots);
			print_cell(*w, &j, &f, section);
			fflush(stdout);
		}
		putchar('\n');
	}
}

/*
 * From which size on the module's AVX2 loop saves more than the registers
 * cost: the smallest power of two from which on it never loses.
 */
static void break_even(bool cold)
{
	double cost = xsave_cost();
	size_t n, even = 0;

	printf("\nregisters saved and restored: %.0f ns a call\n", cost);
	for (n = 512; n <= 256 << 10; n *= 2) {
		struct figure scalar, vector;
		size_t stride, slots, i;
		struct job j;

		make_job(&j, n, BINARY, true, frames);
		slots = spread(&j, &stride);
		if (!cold)
			slots = 1;
		for (i = 1; i < slots; i++)
			memcpy(frames + i * stride, frames, j.frame);
		scalar = measure(&way_copy, &j, stride, slots);
		vector = measure(&way_vector, &j, stride, slots);
		printf("%7zu  scalar %9.0f  AVX2 and registers %9.0f ns\n", n,
		       scalar.median, vector.median + cost);
		if (vector.median + cost >= scalar.median)
			even = 0;
		else if (!even)
			even = n;
	}
	if (even)
		printf("AVX2 pays, %s, from %zu bytes a call on\n",
		       cold ? "cold" : "hot", even);
	else
		printf("AVX2 does not pay, %s\n", cold ? "cold" : "hot");
	if (out)
		fprintf(out, "break-even, %s\tbytes\t%zu\n",
			cold ? "cold" : "hot", even);
}

static void tables(bool cold)
{
	const struct way *const vector = have_avx2() ? &way_vector : NULL;
	const struct way *const binary[] = {
		&way_memcpy, &way_copy, &way_frame, &way_two_pass, &way_wslay,
		vector, NULL,
	};
	const struct way *const text[] = {
		&way_memcpy, &way_utf8, &way_frame, &way_two_pass_utf8,
		&way_wslay, NULL,
	};

	table(BINARY, true, cold, binary);
	table(BINARY, false, cold, binary);
	table(ASCII, true, cold, text);
	table(ASCII, false, cold, text);
	table(MIXED, true, cold, text);
	table(MIXED, false, cold, text);
	if (vector)
		break_even(cold);
}

int main(int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "qo:")) != -1) {
		switch (opt) {
		case 'q':
			stretch_ns = 50000;
			break;
		case 'o':
			out = fopen(optarg, "w");
			if (!out) {
				perror(optarg);
				return 1;
			}
			fprintf(out, "table\tway\tbytes\tmin_ns\tmedian_ns\tmax_ns\tgb_s\n");
			break;
		default:
			fprintf(stderr, "Usage: core_bench [-q] [-o FILE]\n");
			return 2;
		}
	}
	frames = arena();
	room = arena();
	tables(false);
	tables(true);
	if (out && fclose(out)) {
		perror("bench-core");
		return 1;
	}
	return 0;
}
