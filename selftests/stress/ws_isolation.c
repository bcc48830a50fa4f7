// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each attack, and what another user suffers from it: a row on WebSockets and
 * one on plain TCP or kTLS, alone and attacked, of the same minute. With the
 * module it may be twice as bad as without, and nothing may take for ever.
 */
#include "kselftest_harness.h"
#include "ws_isolation.h"
#include "ws_machine.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

/* How long an attack may take to begin, and one phase of the victim. */
#define BEGIN_MS	240000
#define PHASE_MS	200000
/* A tick of a kernel with HZ=100, in microseconds. */
#define TICK_US		10000

#define ATTACKERS	4

FIXTURE(isolation)
{
	struct results *results;
	pid_t victim;
	pid_t attackers[ATTACKERS];
	bool armed;
};

FIXTURE_VARIANT(isolation)
{
	struct attack attack;
};

#define ATTACK_ONE(id, title, attackers, ...)				\
	FIXTURE_VARIANT_ADD(isolation, id)				\
	{								\
		.attack = {						\
			.name = title,					\
			.processes = attackers,				\
			__VA_ARGS__					\
		},							\
	}
/* The same with kTLS below, against kTLS. */
#define ATTACK_BOTH(id, title, attackers, ...)				\
	ATTACK_ONE(id, title, attackers, __VA_ARGS__);			\
	ATTACK_ONE(id ## _tls, title ", kTLS", attackers, .tls = true,	\
		   __VA_ARGS__)

ATTACK_BOTH(held_lock, "held lock", 1, .arm = arm_held, .run = attack_held);
ATTACK_BOTH(full_cgroup, "full cgroup", 1, .memory_max = "32M",
	    .arm = arm_memory, .disarm = disarm_memory, .run = attack_memory);
ATTACK_ONE(tcp_memory, "TCP memory pressure", 1, .arm = arm_pressure,
	   .disarm = disarm_pressure, .run = attack_pressure);
ATTACK_BOTH(dear_packets, "dear packets", 1, .run = attack_dear);
ATTACK_BOTH(pings, "PING flood", 1, .run = attack_pings);
ATTACK_ONE(scan, "scan of 32 MiB", 2, .run = attack_scan, .mild = attack_busy);
ATTACK_ONE(lingering, "lingering places", 4, .run = attack_linger);
ATTACK_ONE(read_ahead_tls, "read-ahead, kTLS", 1, .tls = true,
	   .run = attack_ahead);

static void end_process(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

FIXTURE_SETUP(isolation)
{
	/* For all who come from here. */
	struct rlimit files = { 20000, 20000 };

	memset(self, 0, sizeof(*self));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	signal(SIGPIPE, SIG_IGN);
	if (variant->attack.tls)
		setenv("WS_TEST_TLS", "1.3", 1);
	self->results = mmap(NULL, sizeof(*self->results),
			     PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->results);
	/* Before it is divided up among processes. */
	pattern(0, PATTERN_MAX);
}

FIXTURE_TEARDOWN(isolation)
{
	static const char *const groups[] = { "victim", "attacker" };
	int i;

	/* The attack first: the victim may sleep because of it. */
	for (i = 0; i < ATTACKERS; i++)
		end_process(&self->attackers[i]);
	end_process(&self->victim);
	if (self->armed && variant->attack.disarm)
		variant->attack.disarm();
	groups_end(groups, 2);
	munmap(self->results, sizeof(*self->results));
}

static bool all_begun(int ready, int processes)
{
	char byte;
	int i;

	for (i = 0; i < processes; i++)
		if (!poll_for(ready, POLLIN, BEGIN_MS) ||
		    read(ready, &byte, 1) != 1)
			return complain("an attacker did not begin");
	return true;
}

/* Returns when all of them are at it. */
static bool begin(const struct attack *attack, pid_t *pids,
		  bool (*run)(struct attacker *a))
{
	struct attacker a = { .processes = attack->processes };
	const char *max = attack->memory_max ? attack->memory_max : "max";
	int ready[2];
	bool ok;

	if (pipe(ready))
		return complain("pipe: %s", strerror(errno));
	for (a.n = 0; a.n < attack->processes; a.n++) {
		pids[a.n] = fork();
		if (pids[a.n] < 0)
			return complain("fork: %s", strerror(errno));
		if (pids[a.n])
			continue;
		close(ready[0]);
		a.ready = ready[1];
		_exit(!group_enter("attacker", max) || !run(&a));
	}
	close(ready[1]);
	ok = all_begun(ready[0], attack->processes);
	close(ready[0]);
	return ok;
}

static bool measure(struct results *r, int phase)
{
	uint64_t end = now_ms() + PHASE_MS;

	__atomic_store_n(&r->phase, phase, __ATOMIC_RELEASE);
	while (__atomic_load_n(&r->rounds[phase], __ATOMIC_ACQUIRE) < ROUNDS) {
		if (now_ms() > end)
			return complain("the victim is in its round %d",
					r->rounds[phase] + 1);
		usleep(10000);
	}
	return true;
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static uint32_t median(const uint32_t *samples)
{
	uint32_t sorted[ROUNDS];

	memcpy(sorted, samples, sizeof(sorted));
	qsort(sorted, ROUNDS, sizeof(*sorted), compare);
	return sorted[ROUNDS / 2];
}

/* What a sleep is late by, nine times in ten, on this machine and today. */
static uint32_t jitter(const struct results *r)
{
	uint32_t sorted[ROUNDS];

	memcpy(sorted, r->jitter[ALONE], sizeof(sorted));
	qsort(sorted, ROUNDS, sizeof(*sorted), compare);
	return sorted[ROUNDS * 9 / 10];
}

static const char *ms_text(char *buf, size_t size, uint32_t us)
{
	if (us == NEVER)
		snprintf(buf, size, "never");
	else
		snprintf(buf, size, "%u.%u", us / 1000, us / 100 % 10);
	return buf;
}

/* Milliseconds, alone and attacked; the medians. */
static void print_row(const struct attack *attack, const struct results *r,
		      int kind)
{
	static const char *const names[MEASURES] = {
		"PONG", "EPOLLIN", "close", "time limit",
	};
	char line[200], alone[16], attacked[16];
	int m, n;

	n = snprintf(line, sizeof(line), "%-20s %-5s", attack->name,
		     kind == K_WS ? "ws" : attack->tls ? "kTLS" : "TCP");
	for (m = 0; m < MEASURES; m++)
		n += snprintf(line + n, sizeof(line) - n, " | %s %7s %7s",
			      names[m],
			      ms_text(alone, sizeof(alone),
				      median(r->us[ALONE][m][kind])),
			      ms_text(attacked, sizeof(attacked),
				      median(r->us[ATTACKED][m][kind])));
	printf("# %s\n", line);
}

/*
 * Twice what plain sockets suffer, and what a WebSocket costs anyway; or twice
 * what both suffer from a machine that is as busy. On kTLS a thread of the
 * kernel does what TCP does in softirq context, so that every measure has what
 * one wake-up of a thread suffers: plain PONG is that, and little more.
 */
static uint64_t limit_of(const struct attack *attack, const struct results *r,
			 int m, int kind)
{
	uint64_t own = median(r->us[ALONE][m][kind]);
	uint64_t plain = median(r->us[ALONE][m][K_PLAIN]);
	uint64_t suffers = median(r->us[ATTACKED][m][K_PLAIN]);
	uint64_t slack = 4 * (uint64_t)jitter(r) + TICK_US;

	/* To within 20 ms is what struct ws_config promises of its times. */
	if (m == M_TIMEOUT)
		slack += 20000;
	if (attack->mild)
		return 2 * own + slack;
	if (attack->tls && suffers < median(r->us[ATTACKED][M_PONG][K_PLAIN]))
		suffers = median(r->us[ATTACKED][M_PONG][K_PLAIN]);
	return 2 * (suffers + (own > plain ? own - plain : 0)) + slack;
}

/* Once is enough, whatever the median says. */
static bool never(const uint32_t *samples)
{
	int i;

	for (i = 0; i < ROUNDS; i++)
		if (samples[i] == NEVER)
			return true;
	return false;
}

TEST_F_TIMEOUT(isolation, of_a_user, 900)
{
	const struct attack *attack = &variant->attack;
	struct results *r = self->results;
	int m, k, i;

	self->armed = true;
	self->victim = fork();
	ASSERT_LE(0, self->victim);
	if (!self->victim)
		_exit(!victim_run(r));
	if (attack->mild)
		ASSERT_TRUE(begin(attack, self->attackers, attack->mild));
	ASSERT_TRUE(measure(r, ALONE));
	for (i = 0; i < ATTACKERS; i++)
		end_process(&self->attackers[i]);
	if (attack->arm)
		ASSERT_TRUE(attack->arm());
	ASSERT_TRUE(begin(attack, self->attackers, attack->run));
	EXPECT_TRUE(measure(r, ATTACKED));
	for (k = 0; k < KINDS; k++)
		print_row(attack, r, k);
	printf("# %-20s a sleep of 1 ms is late by %u us\n", attack->name,
	       jitter(r));
	for (m = 0; m < MEASURES; m++) {
		for (k = 0; k < (attack->mild ? KINDS : 1); k++) {
			EXPECT_FALSE(never(r->us[ALONE][m][k]));
			EXPECT_FALSE(never(r->us[ATTACKED][m][k]));
			EXPECT_GE(limit_of(attack, r, m, k),
				  median(r->us[ATTACKED][m][k])) {
				TH_LOG("measure %d of kind %d", m, k);
			}
		}
	}
	for (i = 0; i < attack->processes; i++)
		EXPECT_EQ(0, waitpid(self->attackers[i], NULL, WNOHANG));
	r->phase = PHASES;
}

TEST_HARNESS_MAIN
