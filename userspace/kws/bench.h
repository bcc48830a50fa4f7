/* SPDX-License-Identifier: MIT */
/* kws bench: the load, the servers under it, and the table. */
#ifndef KWS_BENCH_H
#define KWS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * struct workload - one kind of load
 * @name: as in the JSON file
 * @bytes: payload of a message
 * @connections: how many at the same time
 * @in_flight: messages sent by one write before their replies are read
 * @segment: bytes a send(), each arriving on its own; 0 for all at once
 * @ack: the server answers with an empty message
 * @uring: a row for the servers on io_uring, too
 */
struct workload {
	const char *name;
	unsigned int bytes;
	unsigned int connections;
	unsigned int in_flight;
	unsigned int segment;
	bool ack;
	bool uring;
};

extern const struct workload workloads[];
extern const size_t workload_count;

/**
 * struct own - kws itself as a server
 * @name: as in the JSON file
 * @options: of kws echo
 * @kernel: needs the module
 */
struct own {
	const char *name;
	const char *options;
	bool kernel;
};

extern const struct own own_servers[];
extern const size_t own_count;

bool chosen(const char *list, const char *name);
bool workload_chosen(const char *list, const struct workload *w);
bool takes_part(const struct workload *w, const char *server);

struct load;

struct load *load_open(const char *url, const struct workload *w, bool raw);
int load_run(struct load *l, unsigned int rounds, bool verify);
void load_close(struct load *l);

/**
 * struct target - one server
 * @name: as in the JSON file
 * @command: how to start it, "%p" standing for the port; NULL for one that
 *	runs already
 * @url: where it is
 * @pid: its process, 0 when unknown (then there are no CPU figures)
 * @raw: echoes bytes, not messages
 * @counter: counts its system calls when enabled, or -1
 */
struct target {
	const char *name;
	const char *command;
	char url[128];
	pid_t pid;
	bool raw;
	int counter;
};

/**
 * struct meter - what a server has used so far
 * @cpu_ns: time on a processor, user and system
 * @wakeups: how often it went to sleep
 */
struct meter {
	uint64_t cpu_ns;
	uint64_t wakeups;
};

int target_start(struct target *t);
void target_stop(struct target *t);
int target_meter(const struct target *t, struct meter *m);
int target_count(const struct target *t, bool start, uint64_t *calls);

int clock_open(const char *path);
int64_t clock_now(void);

/**
 * struct row - one measured line; NAN is "not known"
 *
 * The spreads are largest less smallest of all runs, relative to the median.
 */
struct row {
	char workload[32];
	char server[32];
	char clock[16];
	char kernel[72];
	unsigned int connections;
	unsigned int message_bytes;
	unsigned int in_flight;
	unsigned int runs;
	double messages_per_second;
	double total_ns;
	double cpu_ns;
	double syscalls;
	double wakeups;
	double total_spread;
	double cpu_spread;
};

struct table {
	struct row *rows;
	size_t count;
};

int table_add(struct table *t, const struct row *row);
int table_write(const struct table *t, const char *path);
int table_read(struct table *t, const char *path);
int table_merge(struct table *t);
void table_print(const struct table *t);
void table_print_clocks(const struct table *t);
void table_summary(const struct table *t);
bool same_load(const struct row *a, const struct row *b);
struct row *table_find(const struct table *t, const struct row *like,
		       const char *server);
int table_chart(const struct table *t, const char *path);
const char *size_name(unsigned int bytes);

#define BYTE_HEAVY	16384

#endif /* KWS_BENCH_H */
