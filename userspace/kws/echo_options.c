// SPDX-License-Identifier: MIT
/* kws echo: its options. */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "echo.h"

/* The longest read of --read, and the longest time of --ping. */
#define READ_MAX	(1 << 20)
#define PING_MAX	86400

static const char help[] =
	"Usage: kws echo [OPTION]...\n\n"
	"A WebSocket echo server: it sends every message back. The kernel module ws\n"
	"does the framing unless --userspace is given. Ends on Ctrl-C.\n\n"
	"  -p, --port=PORT         TCP port, 0 for any free one (default: 9001)\n"
	"  -b, --bind=ADDRESS      listen there (default: 127.0.0.1; \"::\" for every\n"
	"                          address of this machine)\n"
	"      --records           kernel framing, many messages per call: records in the\n"
	"                          stream (WS_F_RECORDS of ws(7)); the fastest\n"
	"      --batch             the same with recvmsg() and a control message\n"
	"      --plain             kernel framing with recv() and send() alone: without the\n"
	"                          opcode all messages are sent as binary\n"
	"  -u, --userspace         framing in user space: large reads, unmasking in\n"
	"                          place, one send for many replies\n"
	"      --read=BYTES        with --userspace: size of a read, 1K to 1M (default: 64K)\n"
	"      --engine=epoll|uring  how to wait, receive and send (default: epoll)\n"
	"      --deflate[=PARAMETER,...]  accept compression (RFC 7692); parameters are\n"
	"                          server_no_context_takeover, client_no_context_takeover,\n"
	"                          server_max_window_bits=8..15,\n"
	"                          client_max_window_bits=8..15, level=1..9 (default: 1),\n"
	"                          memory=1..9 (8), threshold=BYTES (64)\n"
	"      --tls-cert=FILE     TLS: a PEM file with the certificate, and the chain\n"
	"      --tls-key=FILE      a PEM file with its key (default: that of --tls-cert)\n"
	"      --ktls=auto|always|never  encryption in the kernel (default: auto, but\n"
	"                          always unless --userspace); always means no TLS 1.3\n"
	"                          with OpenSSL before 3.2\n"
	"  -m, --max-message=BYTES the largest message accepted (K, M and G are\n"
	"                          understood; default: 64M)\n"
	"  -t, --handshake-timeout=SECONDS  for a client's whole request (default: 10)\n"
	"      --ping=SECONDS      PING a client after so much silence (or up to an eighth\n"
	"                          less), drop it after as much again: 0.1 to 86400\n"
	"  -s, --stats             print a line every second, and the totals at the end\n"
	"  -v, --verbose           print why connections are refused\n"
	"  -h, --help              this text\n\n"
	"Example: kws echo --port 9001 &   kws cat ws://localhost:9001/\n";

static const struct option options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "bind", required_argument, NULL, 'b' },
	{ "userspace", no_argument, NULL, 'u' },
	{ "deflate", optional_argument, NULL, 'D' },
	{ "ping", required_argument, NULL, 'P' },
	{ "records", no_argument, NULL, 'r' },
	{ "batch", no_argument, NULL, 'B' },
	{ "plain", no_argument, NULL, 'L' },
	{ "read", required_argument, NULL, 'S' },
	{ "engine", required_argument, NULL, 'E' },
	{ "tls-cert", required_argument, NULL, 'C' },
	{ "tls-key", required_argument, NULL, 'Y' },
	{ "ktls", required_argument, NULL, 'K' },
	{ "max-message", required_argument, NULL, 'm' },
	{ "handshake-timeout", required_argument, NULL, 't' },
	{ "stats", no_argument, NULL, 's' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static int parse_seconds(const char *text, uint32_t *ms)
{
	char *end;
	double seconds = strtod(text, &end);

	if (*end || end == text || !(seconds >= 0.1 && seconds <= PING_MAX)) {
		complain("--ping %s is not 0.1 to %d seconds", text, PING_MAX);
		return -1;
	}
	*ms = lround(seconds * 1000);
	return 0;
}

/* Parses options with a number. */
static int parse_numeric(int option, struct server *s)
{
	uint64_t number;

	switch (option) {
	case 'P':
		return parse_seconds(optarg, &s->ping_ms);
	case 'S':
		if (parse_number(optarg, READ_MAX, &number) && number >= 1024) {
			s->read_size = number;
			return 0;
		}
		complain("--read %s is not 1K to 1M", optarg);
		return -1;
	case 'm':
		if (parse_number(optarg, INT64_MAX, &s->max_message))
			return 0;
		complain("--max-message %s is not a size", optarg);
		return -1;
	case 't':
		if (parse_number(optarg, 3600, &number) && number) {
			s->options.timeout_ms = number * 1000;
			return 0;
		}
		complain("--handshake-timeout %s is not 1 to 3600", optarg);
		return -1;
	}
	usage_error("echo");
	return -1;
}

static int parse_option(int option, struct server *s)
{
	switch (option) {
	case 'u':
		s->framing = &framing_user;
		return 0;
	case 'D':
		s->options.deflate = &s->deflate;
		return parse_deflate(optarg, &s->deflate) ? 0 : -1;
	case 'r':
		s->framing = &framing_records;
		return 0;
	case 'B':
		s->framing = &framing_batch;
		return 0;
	case 'L':
		s->framing = &framing_plain;
		return 0;
	case 'E':
		s->engine = optarg;
		return 0;
	case 'C':
		s->tls.certificate = optarg;
		return 0;
	case 'Y':
		s->tls.key = optarg;
		return 0;
	case 'K':
		return parse_ktls(optarg, &s->tls.ktls) ? 0 : -1;
	case 's':
		s->stats = true;
		return 0;
	case 'v':
		s->verbose = true;
		return 0;
	}
	return parse_numeric(option, s);
}

/* Refuses contradictory options. Returns -1, or the exit status. */
static int check_options(const struct server *s)
{
	if (strcmp(s->engine, "uring") && strcmp(s->engine, "epoll")) {
		complain("--engine %s: epoll or uring", s->engine);
		return EXIT_USAGE;
	}
	if (s->ping_ms && s->framing == &framing_user &&
	    !strcmp(s->engine, "uring")) {
		complain("--ping does not go with --userspace on io_uring");
		return EXIT_USAGE;
	}
	return -1;
}

/**
 * echo_options() - read the command line
 * @argc: of cmd_echo()
 * @argv: the same
 * @s: set as they say
 * @address: the same
 * @port: the same
 *
 * Return: -1 to go on, else the exit status.
 */
int echo_options(int argc, char **argv, struct server *s,
		 const char **address, const char **port)
{
	uint64_t number;
	int c;

	while ((c = getopt_long(argc, argv, "p:b:um:t:svh", options,
				NULL)) != -1) {
		if (c == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (c == 'b') {
			*address = optarg;
		} else if (c == 'p') {
			*port = optarg;
			if (!parse_number(optarg, 65535, &number)) {
				complain("--port %s is not a port number",
					 optarg);
				return EXIT_USAGE;
			}
		} else if (parse_option(c, s)) {
			return EXIT_USAGE;
		}
	}
	if (optind == argc)
		return check_options(s);
	complain("unexpected argument \"%s\"", argv[optind]);
	return usage_error("echo");
}
