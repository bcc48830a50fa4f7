/* SPDX-License-Identifier: MIT */
/* kws-bench: the load, the servers under it, and the table. */
#ifndef KWS_BENCH_H
#define KWS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * enum answer - what a server sends back
 * @ANSWER_SAME: the message
 * @ANSWER_EMPTY: an empty one
 * @ANSWER_FILE: a large one, from a file; what is sent is small
 * @ANSWER_MEMORY: large ones, from memory; the same
 * @ANSWER_PINGS: nothing is sent but PONGs
 * @ANSWER_PONG: nothing is sent but PINGs, one at a time
 * @ANSWER_PONG_BUSY: the same while other processes use all processors
 */
enum answer {
	ANSWER_SAME,
	ANSWER_EMPTY,
	ANSWER_FILE,
	ANSWER_MEMORY,
	ANSWER_PINGS,
	ANSWER_PONG,
	ANSWER_PONG_BUSY,
};

/**
 * struct workload - one kind of load
 * @name: as in the JSON file
 * @bytes: payload of a message
 * @connections: how many at the same time
 * @in_flight: messages sent by one write before their replies are read; or
 *	large ones that are asked for by one message
 * @segment: bytes a send(), each arriving on its own; 0 for all at once
 * @answer: what the server is to do
 * @uring: a row for the servers on io_uring, too
 * @mixed: @bytes is the middle of many lengths, from 1 on
 */
struct workload {
	const char *name;
	unsigned int bytes;
	unsigned int connections;
	unsigned int in_flight;
	unsigned int segment;
	enum answer answer;
	bool uring;
	bool mixed;
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
extern const struct own tls_servers[];
extern const size_t tls_count;

bool chosen(const char *list, const char *name);
bool workload_chosen(const char *list, const struct workload *w);
bool is_download(const struct workload *w);
bool is_latency(const struct workload *w);
bool takes_part(const struct workload *w, const char *server, bool tls);

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
 * @tls: speaks TLS
 * @counter: counts its system calls when enabled, or -1
 */
struct target {
	const char *name;
	const char *command;
	char url[128];
	pid_t pid;
	bool raw;
	bool tls;
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
 * @module_bytes: memory of the module's slabs a connection, @kernel_bytes that
 *	of all slabs and of both its ends: where connections are idle.
 * @p50_us, @p99_us: latency of a PONG in microseconds, median and that of which
 *	1 % takes longer.
 * The spreads are how far the middle half of all runs is apart, of three runs
 * all, relative to the median.
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
	double module_bytes;
	double kernel_bytes;
	double p50_us;
	double p99_us;
	double total_spread;
	double cpu_spread;
};

/**
 * struct figure - a figure of a row
 * @key: what it is called in the JSON file
 * @offset: where it is in struct row
 *
 * First those of the long table, then memory, latency, and the spreads, which are not
 * measured but come of several runs.
 */
struct figure {
	const char *key;
	size_t offset;
};

#define FIGURES			5
#define FIGURES_MEASURED	9
#define FIGURES_KEPT		11
#define FIGURE_P50		7

extern const struct figure figures[FIGURES_KEPT];

static inline double *figure_of(struct row *row, size_t i)
{
	return (double *)((char *)row + figures[i].offset);
}

struct table {
	struct row *rows;
	size_t count;
};

#define TARGETS_MAX	16

/**
 * struct bench - what is to be measured, and what has been
 * @targets: the servers
 * @target_count: how many
 * @self: our own program
 * @only: names of servers, NULL for all
 * @workload: names of workloads, NULL for all
 * @json: the file to write, or NULL
 * @clock: what a nanosecond is
 * @chart: the file for what is to be drawn, or NULL
 * @profile: the file for profile_run(), or NULL
 * @certificate: the file for TLS, or NULL
 * @seconds: to measure a row for
 * @turns: how often the servers take turns, 0 if they do not
 * @pid: of the server at a URL
 * @report: only print results
 * @no_table: only measure
 * @table: the results
 */
struct bench {
	struct target targets[TARGETS_MAX];
	unsigned int target_count;
	char self[4096];
	const char *only;
	const char *workload;
	const char *json;
	const char *clock;
	const char *chart;
	const char *profile;
	const char *certificate;
	double seconds;
	unsigned int turns;
	pid_t pid;
	bool report;
	bool no_table;
	struct table table;
};

int bench_main(int argc, char **argv);
int bench_add(struct bench *b, const char *name, const char *command);
int bench_options(struct bench *b, int argc, char **argv);

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

/* How often idle connections are pinged. */
extern unsigned int idle_ping_ms;

int profile_run(const struct target *t, struct load *l, unsigned int rounds,
		const struct row *row, const char *path);
int profile_stay(const struct target *t, struct load *l, const struct row *row,
		 const char *path);
int idle_stay(struct load *l, int64_t ns, uint64_t *pings);
int idle_measure(const struct target *t, const struct workload *w,
		 struct row *row, const char *profile);
int pong_measure(const struct target *t, const struct workload *w,
		 double seconds, struct row *row);

#endif /* KWS_BENCH_H */
