/* SPDX-License-Identifier: GPL-2.0-only */
/* The few functions of the C library that the core's tests use. */
#ifndef _KUNIT_LIBC_H
#define _KUNIT_LIBC_H

#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/stdarg.h>
#include <linux/string.h>

#define UINT32_MAX	U32_MAX
#define UINT64_MAX	U64_MAX

/* All that a test allocates is freed by it or with the module's test. */
#define malloc(n)	kvmalloc(n, GFP_KERNEL)
#define free(p)		kvfree(p)
#define abort()		panic("a test of the core gave up\n")

void *test_realloc(void *p, size_t n);
#define realloc(p, n)	test_realloc(p, n)

/* The tests bring their own, without the check for the kernel's types. */
#undef ARRAY_SIZE

unsigned long strtoul(const char *s, char **end, int base);

#endif /* _KUNIT_LIBC_H */
