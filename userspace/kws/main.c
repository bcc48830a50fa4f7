// SPDX-License-Identifier: MIT
/* kws: one command for WebSockets with framing in the kernel. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
	{ "echo", cmd_echo, "a server that sends every message back" },
	{ "cat", cmd_cat, "connect to a server: lines in, messages out" },
	{ "bench", cmd_bench, "load servers and compare them" },
};

void complain(const char *format, ...)
{
	va_list args;

	fputs("kws: ", stderr);
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

int usage_error(const char *subcommand)
{
	fprintf(stderr, "Try: kws %s --help\n", subcommand);
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

/* Who encrypts; says what is wrong. */
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

static void usage(FILE *to)
{
	size_t i;

	fputs("Usage: kws COMMAND [OPTION]...\n\n"
	      "WebSockets whose framing is done by the Linux kernel (module ws),\n"
	      "or, for comparison and where the module is missing, in user space.\n\n"
	      "Commands:\n", to);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].what);
	fputs("\n\"kws COMMAND --help\" has the options; kws(1) is the manual page.\n"
	      "  -h, --help     this text\n"
	      "  -V, --version  the version\n", to);
}

int main(int argc, char **argv)
{
	size_t i;

	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help") ||
	    !strcmp(argv[1], "help")) {
		usage(stdout);
		return 0;
	}
	if (!strcmp(argv[1], "-V") || !strcmp(argv[1], "--version")) {
		puts("kws " KWS_VERSION);
		return 0;
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	complain("there is no command \"%s\"", argv[1]);
	usage(stderr);
	return EXIT_USAGE;
}
