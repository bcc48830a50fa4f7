// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mixed load for some minutes: workers whose peers come and go, quietly or
 * badly, each with some messages, PINGs, faults and timers. Memory is sampled
 * into a CSV file.
 *
 * Usage: soak SECONDS FILE
 */
#include <signal.h>
#include <sys/wait.h>

#include "ws_test.h"

#define WORKERS		4
#define SAMPLE_MS	2000

static int fail(const char *what)
{
	complain("%s", what);
	return 1;
}

static bool echo(struct pair *p, uint32_t *seed)
{
	size_t len = next_random(seed) % 8 ? next_random(seed) % 4000 :
					     next_random(seed) % 60000;

	return raw_frame(p, BINARY, pattern(0, len), len) &&
	       expect_message(p->ws, WS_OP_BINARY, pattern(0, len), len) &&
	       ws_send(p->ws, WS_OP_TEXT, pattern(1, len), len, 0) ==
			(ssize_t)len &&
	       expect_frame(p, TEXT, pattern(1, len), len);
}

/* Neither end waits for the other. */
static void end_badly(struct pair *p, uint32_t *seed)
{
	struct linger reset = { .l_onoff = 1 };

	switch (next_random(seed) % 5) {
	case 0:
		raw_frame(p, 0x83, "fault", 5);
		break;
	case 1:
		raw_frame(p, F_TEXT, "half", 4);
		break;
	case 2:
		setsockopt(p->raw, SOL_SOCKET, SO_LINGER, &reset,
			   sizeof(reset));
		break;
	case 3:
		while (ws_send(p->ws, WS_OP_BINARY, pattern(0, 8000), 8000,
			       MSG_DONTWAIT) > 0)
			;
		break;
	default:
		close(p->ws);
		p->ws = -1;
	}
	if (next_random(seed) % 2) {
		close(p->raw);
		p->raw = -1;
	}
	pair_close(p);
}

static bool end_well(struct pair *p)
{
	struct bytes b = { 0 };
	bool ok;

	bytes_close(&b, p, 1000, "bye");
	ok = raw_send_bytes(p, &b) &&
	     expect_received_close(p->ws, 1000, "bye") &&
	     expect_close(p, 1000, "");
	pair_close(p);
	return ok;
}

static bool connection(uint32_t *seed)
{
	struct ws_config cfg = {
		.role = next_random(seed) % 2,
		.ping_interval = WS_TIME_MIN,
		.ping_timeout = 5000,
		.assembly_timeout = 5000,
		.close_timeout = WS_TIME_MIN,
	};
	int n = next_random(seed) % 20;
	struct pair p;

	if (!pair_open(&p, next_random(seed) % 2 ? AF_INET : AF_INET6,
		       cfg.role))
		return false;
	if (ws_set(p.ws, WS_CONFIG, &cfg, sizeof(cfg)))
		return complain("config");
	/* A PING would stand before what is expected. */
	cfg.ping_interval = 0;
	if (next_random(seed) % 4)
		ws_set(p.ws, WS_CONFIG, &cfg, sizeof(cfg));
	else
		n = 0;
	while (n--)
		if (!echo(&p, seed))
			return false;
	if (next_random(seed) % 2) {
		end_badly(&p, seed);
		return true;
	}
	if (!cfg.ping_interval && next_random(seed) % 4 == 0)
		usleep(next_random(seed) % 200000);
	ws_set(p.ws, WS_CONFIG, &cfg, sizeof(cfg));
	return end_well(&p);
}

static int work(uint32_t seed)
{
	for (;;)
		if (!connection(&seed))
			return fail("a connection did not go as it should");
}

static long field(const char *file, const char *name)
{
	FILE *f = fopen(file, "r");
	size_t len = strlen(name);
	char line[512];
	long value = -1;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, len))
			value = atol(line + len + strspn(line + len, ": \t"));
	if (f)
		fclose(f);
	return value;
}

/* KiB in the caches that kmalloc() takes from. */
static long kmalloc_kib(void)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	unsigned long objects, size;
	double bytes = 0;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "kmalloc-%*s %lu %*u %lu", &objects,
			   &size) == 2)
			bytes += (double)objects * size;
	if (f)
		fclose(f);
	return bytes / 1024;
}

static void sample(FILE *out, uint64_t ms)
{
	fprintf(out, "%.1f,%ld,%ld,%ld,%lld,%lld,%lld\n", ms / 1000.0,
		field("/proc/meminfo", "MemFree"),
		field("/proc/meminfo", "Slab"), kmalloc_kib(),
		ws_stat("WsCurrSockets"), ws_stat("WsCurrLingering"),
		ws_stat("WsAttached"));
	fflush(out);
}

int main(int argc, char **argv)
{
	uint64_t begin = now_ms(), length;
	pid_t pid[WORKERS];
	FILE *out;
	int i, bad = 0, status;

	if (argc != 3)
		return fail("usage: soak SECONDS FILE");
	length = atoi(argv[1]) * 1000ULL;
	out = fopen(argv[2], "w");
	if (!out)
		return fail(argv[2]);
	signal(SIGPIPE, SIG_IGN);
	fprintf(out, "seconds,free_kib,slab_kib,kmalloc_kib,sockets,lingering,attached\n");
	for (i = 0; i < WORKERS; i++) {
		pid[i] = fork();
		if (!pid[i])
			_exit(work(i));
	}
	while (!bad && now_ms() - begin < length) {
		usleep(SAMPLE_MS * 1000);
		sample(out, now_ms() - begin);
		/* None of them ends by itself. */
		bad = waitpid(-1, &status, WNOHANG) > 0;
	}
	for (i = 0; i < WORKERS; i++)
		kill(pid[i], SIGKILL);
	while (wait(&status) > 0)
		;
	if (!stat_becomes("WsCurrSockets", 0))
		bad = 1;
	fclose(out);
	return bad;
}
