// SPDX-License-Identifier: GPL-2.0-only
/*
 * The native tests of kmod/core in the kernel, under its sanitizers and built
 * with its flags: the same sources, one KUnit case for each file, one
 * parameter for each test.
 */
#include <kunit/test.h>
#include <linux/module.h>

#include "core_test.h"

/* The tests run one after the other. */
static struct kunit *running;
static unsigned int failures;

void core_failed(const char *file, int line, const char *fmt, ...)
{
	struct va_format vaf;
	va_list ap;

	if (++failures > 5)
		return;
	va_start(ap, fmt);
	vaf.fmt = fmt;
	vaf.va = &ap;
	kunit_err(running, "%s:%d: %pV\n", file, line, &vaf);
	va_end(ap);
}

void *test_realloc(void *p, size_t n)
{
	return krealloc(p, n, GFP_KERNEL);
}

/* Only what vectors.c asks for: base 10 and base 16, no prefix, no sign. */
unsigned long strtoul(const char *s, char **end, int base)
{
	unsigned long value = 0;
	int digit;

	while (*s) {
		digit = hex_to_bin(*s);
		if (digit < 0 || digit >= base)
			break;
		value = value * base + digit;
		s++;
	}
	*end = (char *)s;
	return value;
}

static void run_one(struct kunit *test)
{
	const struct core_test *core = test->param_value;

	running = test;
	failures = 0;
	core->run();
	KUNIT_EXPECT_EQ(test, failures, 0);
}

#define CORE_FILE(file)							\
static const void *file##_params(const void *prev, char *desc)		\
{									\
	const struct core_test *test = prev;				\
									\
	test = test ? test + 1 : file##_tests;				\
	if (!test->name)						\
		return NULL;						\
	strscpy(desc, test->name, KUNIT_PARAM_DESC_SIZE);		\
	return test;							\
}

CORE_FILE(hdr)
CORE_FILE(mask)
CORE_FILE(utf8)
CORE_FILE(close)
CORE_FILE(stream)

#define CORE_CASE(file)							\
	{								\
		.run_case = run_one,					\
		.name = #file,						\
		.generate_params = file##_params,			\
	}

static struct kunit_case core_cases[] = {
	CORE_CASE(hdr), CORE_CASE(mask), CORE_CASE(utf8), CORE_CASE(close),
	CORE_CASE(stream), {}
};

static struct kunit_suite core_suite = {
	.name = "ws_core",
	.test_cases = core_cases,
};

kunit_test_suite(core_suite);

MODULE_DESCRIPTION("KUnit tests of the WebSocket core");
MODULE_LICENSE("GPL");
