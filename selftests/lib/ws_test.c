// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is under everything else: complaints, clocks, limits of time and chance.
 * The rest of ws_test.h is in ws_call.c, ws_pair.c and ws_peer.c.
 */
#include <stdarg.h>
#include <time.h>
#include <sys/time.h>

#include "ws_test.h"

bool complain(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "#   %s\n", line);
	return false;
}

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

#define ROUNDS		2000
#define ROUNDS_US	100000

/* A byte through a pair of sockets, many times. */
unsigned int slowness_now(void)
{
	uint64_t begin = now_us(), took;
	int fds[2], i;
	char byte = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		return 1;
	for (i = 0; i < ROUNDS; i++)
		if (write(fds[0], &byte, 1) != 1 || read(fds[1], &byte, 1) != 1)
			break;
	close(fds[0]);
	close(fds[1]);
	took = now_us() - begin;
	return took < 2 * ROUNDS_US ? 1 : (took + ROUNDS_US - 1) / ROUNDS_US;
}

static unsigned int slowness = 1;

/*
 * Before any test: they are children of this process. Whoever runs many programs
 * in a row measures for all of them, and says so in the environment.
 */
__attribute__((constructor))
static void measure_once(void)
{
	const char *known = getenv("WS_TEST_SLOWNESS");

	slowness = known && atoi(known) > 0 ? (unsigned int)atoi(known) :
					      slowness_now();
}

unsigned int test_slowness(void)
{
	return slowness;
}

bool in_time(uint64_t begin, unsigned int ms)
{
	uint64_t took = now_ms() - begin;
	unsigned int now;

	if (took < ms)
		return true;
	now = slowness_now();
	if (now < slowness)
		now = slowness;
	return took < (uint64_t)ms * now ||
	       complain("took %llu ms, not %u; %u times slower than idle",
			0ULL + took, ms, now);
}

/*
 * The harness ends a test by alarm() when its time is over (see the Makefile):
 * this is for those that hang, not for those that are slow. Some tests last as
 * long as they are told to.
 */
unsigned int __wrap_alarm(unsigned int seconds)
{
	return __real_alarm(seconds ? test_patience(4 * seconds) +
			    12 * test_seconds(0) : 0);
}

uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

struct ws_msg random_msg(uint32_t *seed)
{
	static const int most[] = { 6000, 400, 400, 400, 140, 140, 140, 140 };
	struct ws_msg m = { .flags = WS_MSG_END };

	m.len = most[next_random(seed) % 8];
	m.len = next_random(seed) % m.len;
	m.opcode = next_random(seed) % 3;
	if (next_random(seed) & 1)
		m.flags |= WS_MSG_MORE;
	return m;
}

bool thread_sleeps(const pid_t *tid)
{
	pid_t number = __atomic_load_n(tid, __ATOMIC_ACQUIRE);
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", number);
	f = number ? fopen(path, "r") : NULL;
	if (!f)
		return false;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(f);
	return state == 'S';
}

int test_seconds(int seconds)
{
	const char *given = getenv("WS_TEST_SECONDS");

	return given && atoi(given) > 0 ? atoi(given) : seconds;
}

void on_signal(int sig)
{
	(void)sig;
}
