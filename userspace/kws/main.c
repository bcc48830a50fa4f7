// SPDX-License-Identifier: MIT
/* kws: one command for WebSockets with framing in the kernel. */
#include <stdio.h>
#include <string.h>

#include "cmd.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{ "echo", cmd_echo, "an echo server" },
	{ "cat", cmd_cat, "a client: sends lines, prints messages" },
};

static void usage(FILE *to)
{
	size_t i;

	fputs("Usage: kws COMMAND [OPTION]...\n\n"
	      "WebSockets whose framing is done by the Linux kernel (module ws),\n"
	      "or in user space, where the module is missing.\n\n"
	      "Commands:\n", to);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(to, "  %-8s %s\n", commands[i].name, commands[i].help);
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
