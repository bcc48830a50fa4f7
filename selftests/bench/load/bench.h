/* SPDX-License-Identifier: MIT */
/* kws-bench: the load, the servers, and the table. */
#ifndef KWS_BENCH_H
#define KWS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * enum answer - how a server answers a message
 * @ANSWER_SAME: with the message
 * @ANSWER_EMPTY: with an empty one
 * @ANSWER_FILE: a small one with a large one, from a file
 * @ANSWER_MEMORY: a small one with large ones, from memory
 * @ANSWER_PINGS: the client sends only PONGs, after PINGs of the server
 * @ANSWER_PONG: the client sends only PINGs, one at a time
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
 *	large ones requested by one message
 * @segment: bytes per send(), each arriving on its own; 0 for all at once
 * @answer: of the server
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
 * struct own - the server of kws, as kws-bench echo
 * @name: as in the JSON file
 * @options: of kws-bench echo
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
 * @command: starts it; "%p" is replaced by the port. NULL: it runs already
 * @url: its address
 * @pid: its process, 0 if unknown (then there are no CPU figures)
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
 * struct meter - resources used by a server so far
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
 * struct row - one measured line; unknown figures are NAN
 *
 * @module_bytes: memory of the module's slabs per idle connection
 * @kernel_bytes: of all slabs per idle connection, both ends
 * @p50_us: median latency of a PONG in microseconds
 * @p99_us: the 99th percentile
 * @total_spread: range of the middle half of all runs (of three runs: of all),
 *	relative to the median
 * @cpu_spread: the same for @cpu_ns
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
 * @key: its name in the JSON file
 * @offset: of the figure in struct row
 *
 * First those of the long table, then memory, latency, and the spreads, which
 * are not measured but computed from several runs.
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
 * struct bench - servers, options and results
 * @targets: the servers
 * @target_count: how many
 * @self: our own program
 * @only: names of servers, NULL for all
 * @workload: names of workloads, NULL for all
 * @json: the file to write, or NULL
 * @clock: its name, for the table
 * @chart: the file for the ratios to be drawn, or NULL
 * @profile: the file for profile_run(), or NULL
 * @certificate: the file for TLS, or NULL
 * @seconds: how long to measure a row
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

/* Interval of the PINGs on idle connections. */
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
