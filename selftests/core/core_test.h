/* SPDX-License-Identifier: GPL-2.0-only */
/* What the native tests of kmod/core share. */
#ifndef _WS_CORE_TEST_H
#define _WS_CORE_TEST_H

#include <stdio.h>
#include <stdlib.h>

#include "core.h"

#ifndef __printf
#define __printf(a, b)	__attribute__(( \
				format(printf, a, b)))
#endif

struct core_test {
	const char *name;
	void (*run)(void);
};

/* One table per file of the core, ended by a NULL name. */
extern const struct core_test hdr_tests[];
extern const struct core_test mask_tests[];
extern const struct core_test utf8_tests[];
extern const struct core_test close_tests[];
extern const struct core_test stream_tests[];

/* Counts a failure of the running test; the first few are printed. */
__printf(3, 4)
void core_failed(const char *file, int line, const char *fmt, ...);

#define CHECK(cond)							\
	do {								\
		if (!(cond))						\
			core_failed(__FILE__, __LINE__, "%s", #cond);	\
	} while (0)

#define CHECK_MSG(cond, ...)						\
	do {								\
		if (!(cond))						\
			core_failed(__FILE__, __LINE__, __VA_ARGS__);	\
	} while (0)

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * A copy of exactly n bytes on the heap, so that the address sanitizer sees
 * a read of even one byte beyond it.
 */
static inline u8 *exact(const void *p, size_t n)
{
	u8 *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	if (n)
		memcpy(copy, p, n);
	return copy;
}

#endif /* _WS_CORE_TEST_H */
