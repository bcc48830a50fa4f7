// SPDX-License-Identifier: MIT
/*
 * kws-bench: the clock of a load. By default it is time; where other work takes
 * a share of that, --ask names a source of the processor time of this machine.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "bench.h"
#include "cmd.h"

static int source = -1;

/**
 * clock_open() - read the time from a file from now on
 * @path: a terminal or socket; it answers each line with a line that has a
 *	number of nanoseconds
 *
 * Return: 0, or -1 after saying why.
 */
int clock_open(const char *path)
{
	struct termios t;

	source = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (source < 0) {
		complain("cannot open %s: %s", path, strerror(errno));
		return -1;
	}
	if (!tcgetattr(source, &t)) {
		cfmakeraw(&t);
		tcsetattr(source, TCSANOW, &t);
	}
	return 0;
}

/**
 * clock_now() - read the clock
 *
 * Return: nanoseconds since some moment, or -1 after saying why.
 */
int64_t clock_now(void)
{
	char line[32], *end;
	size_t n = 0;
	int64_t ns;

	if (source < 0)
		return now_ns();
	if (write(source, "\n", 1) != 1)
		goto err_complain;
	do {
		if (n == sizeof(line) || read(source, line + n, 1) != 1)
			goto err_complain;
	} while (line[n++] != '\n');
	line[n - 1] = '\0';
	ns = strtoll(line, &end, 10);
	if (!*end && end != line)
		return ns;

err_complain:
	complain("the source of --ask does not answer");
	return -1;
}
