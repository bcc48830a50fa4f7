/* SPDX-License-Identifier: GPL-2.0-only */
/* The routine alone: what is timed (ways.c) and how (main.c). */
#ifndef WS_BENCH_CORE_H
#define WS_BENCH_CORE_H

#include "core.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/**
 * struct job - the frames that are received, all alike
 * @n: payload bytes
 * @header: bytes before them
 * @frame: both
 * @hdr: what the header says
 */
struct job {
	size_t n;
	size_t header;
	size_t frame;
	struct ws_hdr hdr;
};

/**
 * struct way - one way to get the payload out of a frame
 * @name: head of the column
 * @begin: called before each row, may be NULL
 * @run: @frame is a header and its payload, @to has room for the payload;
 *	returns false when something was wrong
 * @raw: leaves the mask on
 * @no_copy: writes nothing to @to
 */
struct way {
	const char *name;
	void (*begin)(const struct job *j);
	bool (*run)(const struct job *j, u8 *to, const u8 *frame);
	bool raw;
	bool no_copy;
};

extern const struct way way_memcpy, way_copy, way_vector, way_two_pass;
extern const struct way way_frame, way_wslay, way_utf8, way_two_pass_utf8;

bool have_avx2(void);
u64 now_ns(void);
/* Nanoseconds for the task's vector registers, there and back. */
double xsave_cost(void);

#endif /* WS_BENCH_CORE_H */
