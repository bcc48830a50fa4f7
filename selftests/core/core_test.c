// SPDX-License-Identifier: GPL-2.0-only
/*
 * The native test of kmod/core: the tests of every file, in the order of the
 * core's files and functions, as TAP. The argument is the name of the
 * compiler, which goes in front of each test's name.
 */
#include <stdarg.h>

#include "core_test.h"

static unsigned int failures;

void core_failed(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	if (++failures > 5)
		return;
	printf("# %s:%d: ", file, line);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
}

int main(int argc, char **argv)
{
	static const struct core_test *const tables[] = {
		hdr_tests, mask_tests, utf8_tests, close_tests, stream_tests,
	};
	const char *name = argc > 1 ? argv[1] : "cc";
	const struct core_test *test;
	unsigned int i, n = 0, bad = 0;

	for (i = 0; i < ARRAY_SIZE(tables); i++)
		for (test = tables[i]; test->name; test++)
			n++;
	printf("TAP version 13\n1..%u\n", n);

	n = 0;
	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		for (test = tables[i]; test->name; test++) {
			failures = 0;
			test->run();
			if (failures > 5)
				printf("# and %u more\n", failures - 5);
			printf("%sok %u - core (%s): %s\n",
			       failures ? "not " : "", ++n, name, test->name);
			fflush(stdout);
			bad += !!failures;
		}
	}
	return bad ? 1 : 0;
}
