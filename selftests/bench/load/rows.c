// SPDX-License-Identifier: MIT
/* kws-bench: the workloads, and the servers of kws. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

const struct workload workloads[] = {
	{ "pingpong", 32, 1, 1, 0, ANSWER_SAME, false, false },
	{ "pingpong", 32, 50, 1, 0, ANSWER_SAME, true, false },
	{ "pingpong", 32, 1000, 1, 0, ANSWER_SAME, true, false },
	{ "pipelined", 32, 1, 64, 0, ANSWER_SAME, true, false },
	{ "pipelined", 32, 50, 64, 0, ANSWER_SAME, false, false },
	{ "mixed", 64, 1, 64, 0, ANSWER_SAME, false, true },
	{ "mixed", 64, 50, 64, 0, ANSWER_SAME, false, true },
	{ "pingpong", 1024, 1, 1, 0, ANSWER_SAME, false, false },
	{ "pingpong", 1024, 50, 1, 0, ANSWER_SAME, false, false },
	{ "pipelined", 1024, 1, 16, 0, ANSWER_SAME, false, false },
	{ "trickle", 65536, 1, 1, 1448, ANSWER_SAME, false, false },
	{ "pingpong", 16384, 1, 1, 0, ANSWER_SAME, false, false },
	{ "pingpong", 16384, 50, 1, 0, ANSWER_SAME, false, false },
	{ "upload", 65536, 1, 1, 0, ANSWER_EMPTY, false, false },
	{ "upload", 1048576, 1, 1, 0, ANSWER_EMPTY, false, false },
	{ "sendfile", 16777216, 1, 1, 0, ANSWER_FILE, false, false },
	{ "zerocopy", 65536, 1, 16, 0, ANSWER_MEMORY, false, false },
	{ "idle", 0, 1000, 1, 0, ANSWER_PINGS, false, false },
	{ "idle", 0, 10000, 1, 0, ANSWER_PINGS, false, false },
	{ "pong", 8, 1, 1, 0, ANSWER_PONG, false, false },
	{ "pong", 8, 50, 1, 0, ANSWER_PONG, false, false },
	{ "pong-busy", 8, 1, 1, 0, ANSWER_PONG_BUSY, false, false },
	{ "pong-busy", 8, 50, 1, 0, ANSWER_PONG_BUSY, false, false },
};

const size_t workload_count = sizeof(workloads) / sizeof(workloads[0]);

const struct own own_servers[] = {
	{ "kws", "", true },
	{ "plain", "--plain", true },
	{ "records", "--records", true },
	{ "batch", "--batch", true },
	{ "records-uring", "--records --engine=uring", true },
	{ "kws-uring", "--engine=uring", true },
	{ "userspace", "--userspace", false },
	{ "userspace-1m", "--userspace --read=1M", false },
	{ "userspace-uring", "--userspace --engine=uring", false },
};

const size_t own_count = sizeof(own_servers) / sizeof(own_servers[0]);

/* Over TLS; the baseline is framing in user space on OpenSSL. */
const struct own tls_servers[] = {
	{ "kws", "", true },
	{ "records", "--records", true },
	{ "userspace-ktls", "--userspace --ktls=always", false },
	{ "userspace", "--userspace --ktls=never", false },
};

const size_t tls_count = sizeof(tls_servers) / sizeof(tls_servers[0]);

/* The workloads over TLS. */
static const char tls_rows[] = "pingpong:32,pingpong:16384,upload:1048576,trickle";

/**
 * chosen() - is a name in a list?
 * @list: names separated by commas; NULL for a list of all
 * @name: the name
 */
bool chosen(const char *list, const char *name)
{
	size_t len = strlen(name);

	while (list && *list) {
		size_t n = strcspn(list, ",");

		if (n == len && !memcmp(list, name, n))
			return true;
		list += n + (list[n] == ',');
	}
	return !list;
}

/**
 * workload_chosen() - is a workload in a list, by NAME, NAME:BYTES or
 *	NAME:BYTES:CONNECTIONS?
 * @list: names separated by commas; NULL for a list of all
 * @w: the workload
 */
bool workload_chosen(const char *list, const struct workload *w)
{
	char name[48], line[64];

	snprintf(name, sizeof(name), "%s:%u", w->name, w->bytes);
	snprintf(line, sizeof(line), "%s:%u", name, w->connections);
	return chosen(list, w->name) || chosen(list, name) ||
	       chosen(list, line);
}

/* Do small messages request large ones? */
bool is_download(const struct workload *w)
{
	return w->answer == ANSWER_FILE || w->answer == ANSWER_MEMORY;
}

/* Is the time of each PING measured? */
bool is_latency(const struct workload *w)
{
	return w->answer == ANSWER_PONG || w->answer == ANSWER_PONG_BUSY;
}

/**
 * takes_part() - is a workload for a server?
 * @w: the workload
 * @server: name of the server
 * @tls: over TLS
 */
bool takes_part(const struct workload *w, const char *server, bool tls)
{
	const char *dash = strrchr(server, '-');

	if (tls)
		return w->connections == 1 && w->in_flight == 1 &&
			workload_chosen(tls_rows, w);
	/* It can only echo. */
	if (!strcmp(server, "plain"))
		return !strcmp(w->name, "pingpong");
	/* Reads of more than 64 KiB are for larger messages. */
	if (!strcmp(server, "userspace-1m"))
		return w->answer == ANSWER_EMPTY && w->bytes > 65536;
	/* Only kws-bench echo serves these requests. */
	if (w->answer == ANSWER_PINGS)
		return chosen("kws,userspace", server);
	if (is_latency(w))
		return chosen("kws,userspace,libwebsockets", server);
	if (w->answer == ANSWER_FILE)
		return chosen("kws,userspace,floor", server);
	if (w->answer == ANSWER_MEMORY)
		return chosen("kws,kws-uring,userspace,floor", server);
	return w->uring || !dash || strcmp(dash, "-uring");
}
