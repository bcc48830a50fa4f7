// SPDX-License-Identifier: MIT
/* Shared by the subcommands of kws, and by kws-bench. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd.h"

void complain(const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

void complain_no_module(void)
{
	complain("the kernel module ws is not loaded. To load it:\n"
		 "       sudo modprobe ws          where it is installed\n"
		 "       sudo insmod kmod/ws.ko    in the folder it was built in\n"
		 "     or let user space do the framing: --userspace");
}

/**
 * usage_error() - point to the help of a command
 * @command: a subcommand, or "" for the program itself
 *
 * Return: the exit status.
 */
int usage_error(const char *command)
{
	fprintf(stderr, "Try: %s %s%s--help\n", program_invocation_short_name,
		command, *command ? " " : "");
	return EXIT_USAGE;
}

/* A decimal number with an optional K, M or G for 2^10, 2^20 or 2^30. */
bool parse_number(const char *text, uint64_t max, uint64_t *value)
{
	unsigned int shift = 0;
	char *end;

	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno || end == text || *text == '-')
		return false;
	switch (*end) {
	case 'G':
		shift += 10;
		/* fall through */
	case 'M':
		shift += 10;
		/* fall through */
	case 'K':
		shift += 10;
		end++;
	}
	if (*end || *value > max >> shift)
		return false;
	*value <<= shift;
	return true;
}

/* Reads the argument of --ktls; complains if it is not one. */
bool parse_ktls(const char *text, enum kws_ktls *ktls)
{
	static const char *const names[] = {
		[KWS_KTLS_AUTO] = "auto",
		[KWS_KTLS_ALWAYS] = "always",
		[KWS_KTLS_NEVER] = "never",
	};
	unsigned int i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(text, names[i])) {
			*ktls = i;
			return true;
		}
	}
	complain("--ktls %s: auto, always or never", text);
	return false;
}

int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
