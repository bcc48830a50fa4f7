// SPDX-License-Identifier: MIT
/* kws cat: its options. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cat.h"
#include "cmd.h"

static const char help[] =
	"Usage: kws cat [OPTION]... URL\n\n"
	"Connects to ws://host[:port]/path or, with TLS, wss://. Sends every line of the\n"
	"standard input as a text message, and writes every message received as a\n"
	"line. At the end of the input the connection is closed as RFC 6455 demands.\n\n"
	"  -e, --echo           send every message back until the server closes;\n"
	"                       the standard input is not read\n"
	"  -b, --binary         send blocks of the input as binary messages, write\n"
	"                       messages without line ends\n"
	"  -P, --ping=SECONDS   send a PING at this interval\n"
	"  -p, --protocol=NAME  offer this subprotocol (may be given again)\n"
	"  -H, --header=LINE    add this line to the request (may be given again)\n"
	"  -m, --max-message=BYTES  the largest message accepted (default: 64M)\n"
	"      --deflate[=PARAMETER,...]  offer compression (RFC 7692), parameters as for\n"
	"                       kws echo (may be given again: offers, best first)\n"
	"      --ca-file=FILE   trust the certificates in this PEM file, not the system's\n"
	"  -k, --insecure       do not check the certificate\n"
	"      --ktls=auto|always|never  encryption in the kernel (default: auto); always\n"
	"                       means no TLS 1.3 with OpenSSL before 3.2\n"
	"  -t, --handshake-timeout=SECONDS  for the server's answer (default: 10)\n"
	"  -u, --userspace      framing in user space even with the module loaded\n"
	"  -q, --quiet          errors only on the standard error\n"
	"  -h, --help           this text\n\n"
	"Exit status: 0 after a proper close, 1 after an error, 2 for wrong usage.\n";

static int add_header(struct cat *c, const char *line)
{
	size_t old = c->headers ? strlen(c->headers) : 0;
	char *headers = realloc(c->headers, old + strlen(line) + 3);

	if (!headers)
		return -1;
	sprintf(headers + old, "%s\r\n", line);
	c->headers = headers;
	return 0;
}

static const struct option options[] = {
	{ "echo", no_argument, NULL, 'e' },
	{ "binary", no_argument, NULL, 'b' },
	{ "ping", required_argument, NULL, 'P' },
	{ "protocol", required_argument, NULL, 'p' },
	{ "header", required_argument, NULL, 'H' },
	{ "max-message", required_argument, NULL, 'm' },
	{ "deflate", optional_argument, NULL, 'D' },
	{ "handshake-timeout", required_argument, NULL, 't' },
	{ "ca-file", required_argument, NULL, 'A' },
	{ "insecure", no_argument, NULL, 'k' },
	{ "ktls", required_argument, NULL, 'K' },
	{ "userspace", no_argument, NULL, 'u' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 }
};

static int parse_timeout(struct cat *c)
{
	uint64_t seconds;

	if (!parse_number(optarg, 3600, &seconds) || !seconds) {
		complain("--handshake-timeout %s is not 1 to 3600", optarg);
		return -1;
	}
	c->timeout_ms = seconds * 1000;
	return 0;
}

static int parse_option(struct cat *c, int option)
{
	switch (option) {
	case 'e':
		c->echo = true;
		c->input = -1;
		return 0;
	case 'b':
		c->binary = true;
		return 0;
	case 'P':
		if (parse_number(optarg, 86400, &c->ping_s) && c->ping_s)
			return 0;
		complain("--ping %s is not a number of seconds", optarg);
		return -1;
	case 'p':
		if (c->protocol_count < 16) {
			c->protocols[c->protocol_count++] = optarg;
			return 0;
		}
		complain("more than 16 subprotocols");
		return -1;
	case 'H':
		return add_header(c, optarg);
	case 'm':
		if (parse_number(optarg, INT64_MAX, &c->max_message))
			return 0;
		complain("--max-message %s is not a size", optarg);
		return -1;
	case 'D':
		if (c->deflate_count < 8)
			return parse_deflate(optarg,
					     &c->deflate[c->deflate_count++]) ?
				0 : -1;
		complain("more than 8 offers of compression");
		return -1;
	case 't':
		return parse_timeout(c);
	case 'A':
		c->tls.ca = optarg;
		return 0;
	case 'k':
		c->tls.insecure = 1;
		return 0;
	case 'K':
		return parse_ktls(optarg, &c->tls.ktls) ? 0 : -1;
	case 'u':
		c->framing = KWS_USER;
		return 0;
	case 'q':
		c->quiet = true;
		return 0;
	}
	return -1;
}

int cmd_cat(int argc, char **argv)
{
	struct cat c = { .input = STDIN_FILENO };
	int option, status = EXIT_USAGE;

	while ((option = getopt_long(argc, argv, "ebkP:p:H:m:t:uqh", options,
				     NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 0;
		}
		if (parse_option(&c, option))
			goto err_free_headers;
	}
	if (optind != argc - 1) {
		complain(optind == argc ? "an address is missing" :
			 "one address is enough");
		goto err_free_headers;
	}
	status = cat_run(&c, argv[optind]);
	free(c.line);
	free(c.headers);
	return status;

err_free_headers:
	free(c.headers);
	return usage_error("cat");
}
