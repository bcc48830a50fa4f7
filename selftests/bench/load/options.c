// SPDX-License-Identifier: MIT
/* kws-bench: its options. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cmd.h"

static const char help[] =
	"Usage: kws-bench [OPTION]... [URL]\n"
	"       kws-bench --report [--json=FILE] FILE...\n"
	"       kws-bench echo [OPTION]...\n\n"
	"Loads echo servers one after the other with the same bytes and prints messages\n"
	"per second, and per message the CPU time, system calls and wake-ups of the\n"
	"server. Without a URL the servers are: kws echo (kernel framing, if the module\n"
	"is loaded), kws echo --userspace, and as the floor an echo without framing.\n"
	"kws-bench echo is this server of kws; it answers the requests of this load.\n\n"
	"  -s, --server=NAME=COMMAND  one more server; %p in COMMAND is the port\n"
	"  -o, --only=NAME[,NAME...]  only these servers\n"
	"  -w, --workload=NAME[,...]  only these workloads: pingpong, pipelined, mixed,\n"
	"                             upload, trickle, sendfile, zerocopy, idle, pong,\n"
	"                             pong-busy; NAME:BYTES for messages of that size,\n"
	"                             NAME:BYTES:CONNECTIONS\n"
	"      --tls-cert=FILE        the servers of kws over TLS, with the certificate and\n"
	"                             the key in this PEM file\n"
	"  -t, --time=SECONDS         how long to measure a row (default: 1)\n"
	"      --turns=N              measure each load N times, on one server right after\n"
	"                             the other, instead of all loads on each server\n"
	"  -P, --pid=PID              of the server at URL, for the CPU figures\n"
	"  -j, --json=FILE            write the results to FILE, too\n"
	"  -c, --clock=NAME           name of the clock, for the table (default: host)\n"
	"  -a, --ask=FILE             read the time from FILE, which answers each line with\n"
	"                             nanoseconds\n"
	"  -q, --no-table             no table, progress only\n"
	"  -r, --report               no load: print the medians of result files\n"
	"      --chart=FILE           with --report: write the ratios to be drawn to FILE\n"
	"      --profile=FILE         run each load once more, between marks for an\n"
	"                             instruction counter\n"
	"  -h, --help                 this text\n\n"
	"System calls are counted by a tracepoint: as root, with tracefs mounted.\n";

static const struct option options[] = {
	{ "server", required_argument, NULL, 's' },
	{ "only", required_argument, NULL, 'o' },
	{ "workload", required_argument, NULL, 'w' },
	{ "time", required_argument, NULL, 't' },
	{ "turns", required_argument, NULL, 'N' },
	{ "pid", required_argument, NULL, 'P' },
	{ "json", required_argument, NULL, 'j' },
	{ "tls-cert", required_argument, NULL, 'T' },
	{ "clock", required_argument, NULL, 'c' },
	{ "ask", required_argument, NULL, 'a' },
	{ "no-table", no_argument, NULL, 'q' },
	{ "report", no_argument, NULL, 'r' },
	{ "chart", required_argument, NULL, 'C' },
	{ "profile", required_argument, NULL, 'F' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static int parse_server(struct bench *b, char *text)
{
	char *equals = strchr(text, '=');

	if (!equals || equals == text) {
		complain("--server %s: NAME=COMMAND is wanted", text);
		return -1;
	}
	*equals = '\0';
	return bench_add(b, text, equals + 1);
}

static int parse_option(struct bench *b, int option)
{
	uint64_t number;
	char *end;

	switch (option) {
	case 's':
		return parse_server(b, optarg);
	case 'o':
		b->only = optarg;
		return 0;
	case 'w':
		b->workload = optarg;
		return 0;
	case 't':
		b->seconds = strtod(optarg, &end);
		if (!*end && b->seconds > 0 && b->seconds <= 3600)
			return 0;
		complain("--time %s is not a number of seconds", optarg);
		return -1;
	case 'N':
		if (!parse_number(optarg, 1000, &number))
			return -1;
		b->turns = number;
		return 0;
	case 'P':
		if (!parse_number(optarg, INT32_MAX, &number))
			return -1;
		b->pid = number;
		return 0;
	case 'j':
		b->json = optarg;
		return 0;
	case 'c':
		b->clock = optarg;
		return 0;
	case 'T':
		b->certificate = optarg;
		return 0;
	case 'a':
		return clock_open(optarg);
	case 'C':
		b->chart = optarg;
		return 0;
	case 'F':
		b->profile = optarg;
		return 0;
	case 'q':
		b->no_table = true;
		return 0;
	case 'r':
		b->report = true;
		return 0;
	}
	return -1;
}

/**
 * bench_options() - read the command line
 * @b: set
 * @argc: of bench_main()
 * @argv: the same
 *
 * Return: -1 to continue at argv[optind], else the exit status.
 */
int bench_options(struct bench *b, int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "s:o:w:t:P:j:c:a:qrh", options,
				     NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (parse_option(b, option))
			return usage_error("");
	}
	return b->report || optind >= argc - 1 ? -1 : usage_error("");
}
