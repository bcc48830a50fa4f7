// SPDX-License-Identifier: MIT
/*
 * kws-bench: what a load has taken. That is time, or where time is not the
 * load's alone, what someone else knows of the processor time it has had.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "bench.h"
#include "cmd.h"

static int keeper = -1;

/**
 * clock_open() - ask for the time from now on
 * @path: a terminal or socket; each line sent is answered by one with a number
 *	of nanoseconds
 *
 * Return: 0, or -1 after saying why.
 */
int clock_open(const char *path)
{
	struct termios t;

	keeper = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (keeper < 0) {
		complain("cannot open %s: %s", path, strerror(errno));
		return -1;
	}
	if (!tcgetattr(keeper, &t)) {
		cfmakeraw(&t);
		tcsetattr(keeper, TCSANOW, &t);
	}
	return 0;
}

/**
 * clock_now() - nanoseconds since some moment
 *
 * Return: them, or -1 after saying why.
 */
int64_t clock_now(void)
{
	char line[32], *end;
	size_t n = 0;
	int64_t ns;

	if (keeper < 0)
		return now_ns();
	if (write(keeper, "\n", 1) != 1)
		goto err_keeper;
	do {
		if (n == sizeof(line) || read(keeper, line + n, 1) != 1)
			goto err_keeper;
	} while (line[n++] != '\n');
	line[n - 1] = '\0';
	ns = strtoll(line, &end, 10);
	if (!*end && end != line)
		return ns;

err_keeper:
	complain("there is no answer of whom --ask names");
	return -1;
}
