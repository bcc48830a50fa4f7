// SPDX-License-Identifier: MIT
/* kws-bench echo: the server of kws, and requests for other answers. */
#include <stdlib.h>
#include <string.h>

#include "requests.h"
#include "server.h"

/**
 * ack_size() - does a request ask for empty answers?
 * @target: of the request, or NULL
 *
 * Return: the size of its messages on the wire, 0 if not.
 */
size_t ack_size(const char *target)
{
	size_t len = strlen("/" BENCH_ACK);

	return target && !strncmp(target, "/" BENCH_ACK, len) ?
		strtoul(target + len, NULL, 10) : 0;
}

static const struct framing *choose_framing(struct server *s,
					    const struct kws_result *result)
{
	static const struct {
		const struct framing *echo;
		const struct framing *upload;
	} pairs[] = {
		{ &framing_kernel, &upload_kernel },
		{ &framing_records, &upload_records },
		{ &framing_batch, &upload_batch },
		{ &framing_user, &upload_user },
	};
	size_t i;

	if (!result->target)
		return NULL;
	if (!strncmp(result->target, "/" BENCH_PING, strlen("/" BENCH_PING)))
		s->ping_ms = atoi(result->target + strlen("/" BENCH_PING));
	if (wants_download(result->target))
		return &framing_download;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		if (s->framing == pairs[i].echo && ack_size(result->target))
			return pairs[i].upload;
	return NULL;
}

/**
 * serve() - kws-bench echo
 * @argc: number of arguments, "echo" among them
 * @argv: --raw first, if it is given, then the options of kws echo
 *
 * Return: the exit status.
 */
int serve(int argc, char **argv)
{
	struct server s = {
		.framing = &framing_kernel,
		.choose = choose_framing,
	};

	if (argc > 1 && !strcmp(argv[1], "--raw")) {
		s.framing = &framing_raw;
		argv[1] = argv[0];
		argc--;
		argv++;
	}
	return echo_serve(argc, argv, &s);
}
