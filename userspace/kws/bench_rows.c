// SPDX-License-Identifier: MIT
/* kws bench: the rows, and kws's own servers. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

const struct workload workloads[] = {
	{ "pingpong", 32, 1, 1, 0, false, false },
	{ "pingpong", 32, 50, 1, 0, false, true },
	{ "pingpong", 32, 1000, 1, 0, false, true },
	{ "pipelined", 32, 1, 64, 0, false, true },
	{ "pipelined", 32, 50, 64, 0, false, false },
	{ "pingpong", 1024, 1, 1, 0, false, false },
	{ "pingpong", 1024, 50, 1, 0, false, false },
	{ "pipelined", 1024, 1, 16, 0, false, false },
	{ "trickle", 65536, 1, 1, 1448, false, false },
	{ "pingpong", 16384, 1, 1, 0, false, false },
	{ "pingpong", 16384, 50, 1, 0, false, false },
	{ "upload", 65536, 1, 1, 0, true, false },
	{ "upload", 1048576, 1, 1, 0, true, false },
};

const size_t workload_count = sizeof(workloads) / sizeof(workloads[0]);

const struct own own_servers[] = {
	{ "kws", "", true },
	{ "records", "--records", true },
	{ "batch", "--batch", true },
	{ "records-uring", "--records --engine=uring", true },
	{ "kws-uring", "--engine=uring", true },
	{ "userspace", "--userspace", false },
	{ "userspace-uring", "--userspace --engine=uring", false },
};

const size_t own_count = sizeof(own_servers) / sizeof(own_servers[0]);

/**
 * chosen() - is a name in a list?
 * @list: names with commas between them; NULL for a list of all
 * @name: what to look for
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
 * workload_chosen() - is a workload in a list, by NAME or by NAME:BYTES?
 * @list: names with commas between them; NULL for a list of all
 * @w: what to look for
 */
bool workload_chosen(const char *list, const struct workload *w)
{
	char name[48];

	snprintf(name, sizeof(name), "%s:%u", w->name, w->bytes);
	return chosen(list, w->name) || chosen(list, name);
}

/**
 * takes_part() - is the workload for this server?
 * @w: the workload
 * @server: its name
 */
bool takes_part(const struct workload *w, const char *server)
{
	const char *dash = strrchr(server, '-');

	return w->uring || !dash || strcmp(dash, "-uring");
}
