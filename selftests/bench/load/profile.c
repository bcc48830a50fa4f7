// SPDX-License-Identifier: MIT
/*
 * kws-bench --profile: marks the begin and the end of a load for an instruction
 * counter outside the machine, and writes what explains its counts. See
 * selftests/bench/profile.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "cmd.h"

/* A no-operation on any processor, with a displacement used nowhere else. */
static void mark_start(void)
{
#if defined(__x86_64__)
	asm volatile(".byte 0x0f, 0x1f, 0x80; .ascii \"kws1\"" ::: "memory");
#endif
}

/* The same; counts the whole machine. */
static void mark_start_all(void)
{
#if defined(__x86_64__)
	asm volatile(".byte 0x0f, 0x1f, 0x80; .ascii \"kws2\"" ::: "memory");
#endif
}

static void mark_stop(void)
{
#if defined(__x86_64__)
	asm volatile(".byte 0x0f, 0x1f, 0x80; .ascii \"kws0\"" ::: "memory");
#endif
}

/* Writes the addresses of the server's program and libraries. */
static int write_maps(FILE *out, const struct target *t)
{
	char path[64], line[512];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", t->pid);
	maps = fopen(path, "re");
	if (!maps)
		return -1;
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, " r-xp "))
			fprintf(out, "map %s", line);
	return fclose(maps);
}

static int write_row(const struct target *t, const struct row *row,
		     unsigned long messages, const char *path)
{
	FILE *out = fopen(path, "ae");
	int r;

	if (!out) {
		complain("cannot write %s: %s", path, strerror(errno));
		return -1;
	}
	fprintf(out, "row %lu %s %s, %s x %u, %u conn.\n", messages, t->name,
		row->workload, size_name(row->message_bytes), row->in_flight,
		row->connections);
	r = write_maps(out, t);
	return fclose(out) || r ? -1 : 0;
}

/**
 * profile_run() - run a load between two marks
 * @t: the server
 * @l: the load
 * @rounds: of the load
 * @row: of the load
 * @path: a file, to which lines are appended: "row", the messages between the
 *	marks, server and load; then "map" and lines of /proc/PID/maps
 *
 * Return: 0, or -1 after saying why.
 */
int profile_run(const struct target *t, struct load *l, unsigned int rounds,
		const struct row *row, const char *path)
{
	int r;

	mark_start();
	r = load_run(l, rounds, false);
	mark_stop();
	if (write_row(t, row, (unsigned long)rounds * row->connections *
		      row->in_flight, path))
		r = -1;
	return r ? -1 : 0;
}

/**
 * profile_stay() - the same for idle connections
 * @t: the server
 * @l: the load
 * @row: as for profile_run()
 * @path: as for profile_run()
 *
 * Timers and kernel threads belong to no process: the whole machine is counted,
 * the client included.
 *
 * Return: 0, or -1 after saying why.
 */
int profile_stay(const struct target *t, struct load *l, const struct row *row,
		 const char *path)
{
	uint64_t pings = 0;
	int r;

	mark_start_all();
	r = idle_stay(l, idle_ping_ms * 1000000LL, &pings);
	mark_stop();
	if (write_row(t, row, pings, path))
		r = -1;
	return r ? -1 : 0;
}
