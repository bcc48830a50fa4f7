// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory and user copies that fail, one after the other, while a connection
 * lives from its attach to its end. A call that fails has done nothing and
 * works when it is made again; no byte is lost or doubled; nothing stays
 * behind. For kernels with fault injection only: make check-debug.
 *
 * Only what has the module's code on its stack is made to fail, so that the
 * test's own sockets and files are left alone.
 */
#include "kselftest_harness.h"
#include "ws_fault.h"

#include <fcntl.h>

static int nth_fd = -1;
static bool by_chance;

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));

	if (n < 0)
		complain("%s: %s", path, strerror(errno));
	close(fd);
	return n >= 0;
}

static bool knob(const char *point, const char *name, unsigned long value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", point, name);
	snprintf(text, sizeof(text), "%#lx", value);
	return write_file(path, text);
}

static bool module_range(unsigned long *start, unsigned long *end)
{
	FILE *f = fopen("/proc/modules", "r");
	unsigned long size, at;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "ws %lu %*s %*s %*s %lx", &size, &at) == 2) {
			fclose(f);
			*start = at;
			*end = at + size;
			return true;
		}
	}
	if (f)
		fclose(f);
	return complain("ws is not loaded");
}

/* TCP forgets a FIN for which there is no memory: not our subject. */
static bool tcp_fin_range(unsigned long *start, unsigned long *end)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	char line[512], name[256];
	unsigned long at;
	int pass;

	*start = 0;
	*end = -1UL;
	for (pass = 0; f && pass < 2; pass++) {
		rewind(f);
		while (fgets(line, sizeof(line), f)) {
			if (sscanf(line, "%lx %*c %255s", &at, name) != 2)
				continue;
			if (!pass && !strcmp(name, "tcp_send_fin"))
				*start = at;
			else if (pass && at > *start && at < *end)
				*end = at;
		}
	}
	if (f)
		fclose(f);
	return *start || complain("/proc/kallsyms has no tcp_send_fin");
}

/* What fails by chance, in every context, does so in @percent of the cases. */
static bool points_set(int percent_memory, int percent_copy)
{
	static const char *const points[] = {
		"failslab", "fail_page_alloc", "fail_usercopy",
	};
	unsigned long start = 0, end = 0, fin, fin_end, i;
	bool ok = module_range(&start, &end) && tcp_fin_range(&fin, &fin_end);

	for (i = 0; ok && i < ARRAY_SIZE(points); i++)
		ok = knob(points[i], "require-start", start) &&
		     knob(points[i], "require-end", end) &&
		     knob(points[i], "reject-start", fin) &&
		     knob(points[i], "reject-end", fin_end) &&
		     knob(points[i], "stacktrace-depth", 32) &&
		     knob(points[i], "verbose", getenv("FAULT") ? 2 : 0) &&
		     knob(points[i], "task-filter", 0) &&
		     knob(points[i], "interval", 1) &&
		     knob(points[i], "times", -1UL & 0x7fffffff) &&
		     knob(points[i], "probability",
			  i < 2 ? percent_memory : percent_copy);
	return ok && knob("failslab", "ignore-gfp-wait", 0) &&
	       knob("fail_page_alloc", "ignore-gfp-wait", 0) &&
	       knob("fail_page_alloc", "ignore-gfp-highmem", 0) &&
	       knob("fail_page_alloc", "min-order", 0);
}

/* The @nth time that this thread comes by one of the points, it fails. */
static bool arm(unsigned int nth)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", nth);
	return pwrite(nth_fd, text, strlen(text), 0) > 0 ||
	       complain("fail-nth: %s", strerror(errno));
}

static bool fired(void)
{
	char text[16] = "";

	return pread(nth_fd, text, sizeof(text) - 1, 0) > 0 && !atoi(text);
}

bool fault_allows(struct life *l, int err)
{
	l->failures++;
	if (err != ENOMEM && err != ENOBUFS && err != EFAULT)
		return complain("a fault came out as %s", strerror(err));
	if (by_chance)
		return l->failures < 10000 || complain("nothing works");
	return (fired() && l->failures == 1) ||
	       complain("%s without a fault", strerror(err));
}

bool fault_resets(struct life *l)
{
	l->reset = by_chance || fired();
	return l->reset;
}

void fault_calm(void)
{
	if (by_chance)
		points_set(0, 0);
}

FIXTURE(fault)
{
	int dummy;
};

FIXTURE_VARIANT(fault)
{
	int family;
	__u32 role;
	enum ending ending;
};

FIXTURE_VARIANT_ADD(fault, server_shutdown)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
	.ending = END_SHUTDOWN,
};

FIXTURE_VARIANT_ADD(fault, server_close_frame)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
	.ending = END_CLOSE_FRAME,
};

FIXTURE_VARIANT_ADD(fault, server_close)
{
	.family = AF_INET6,
	.role = WS_ROLE_SERVER,
	.ending = END_CLOSE,
};

FIXTURE_VARIANT_ADD(fault, server_peer)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
	.ending = END_PEER,
};

FIXTURE_VARIANT_ADD(fault, client_shutdown)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
	.ending = END_SHUTDOWN,
};

FIXTURE_VARIANT_ADD(fault, client_close_frame)
{
	.family = AF_INET,
	.role = WS_ROLE_CLIENT,
	.ending = END_CLOSE_FRAME,
};

FIXTURE_VARIANT_ADD(fault, client_close)
{
	.family = AF_INET,
	.role = WS_ROLE_CLIENT,
	.ending = END_CLOSE,
};

FIXTURE_VARIANT_ADD(fault, client_peer)
{
	.family = AF_INET,
	.role = WS_ROLE_CLIENT,
	.ending = END_PEER,
};

FIXTURE_SETUP(fault)
{
	/* No leftovers of another test. */
	ASSERT_TRUE(stat_becomes("WsCurrSockets", 0));
	ASSERT_TRUE(stat_becomes("WsCurrLingering", 0));
	by_chance = false;
	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR);
	ASSERT_LE(0, nth_fd);
	ASSERT_TRUE(points_set(0, 0));
}

FIXTURE_TEARDOWN(fault)
{
	points_set(0, 0);
	close(nth_fd);
}

/*
 * Each allocation and each copy, until a life meets no fault any more. With
 * FAULT=n in the environment the nth only (0: all), and the kernel logs where.
 */
TEST_F_TIMEOUT(fault, each_in_turn, 900)
{
	unsigned int only = atoi(getenv("FAULT") ?: "0");
	unsigned int nth, met = 0, told = 0;
	bool more = true;

	for (nth = only ? only : 1; more; nth++) {
		struct life l = { .ending = variant->ending };

		ASSERT_TRUE(pair_connect(&l.p, variant->family, variant->role));
		ASSERT_TRUE(arm(nth));
		ASSERT_TRUE(life_run(&l)) {
			TH_LOG("fault %u", nth);
		}
		more = fired();
		met += more;
		told += l.failures;
		more = more && !only;
		ASSERT_TRUE(arm(0));
		ASSERT_TRUE(life_end(&l)) {
			TH_LOG("fault %u", nth);
		}
	}
	TH_LOG("%u faults, %u of them told to the caller", met, told);
	/* A life has more places than these. */
	EXPECT_LE(only ? 1 : 20, met);
	EXPECT_LE(only ? 0 : 5, told);
}

/* Softirqs and the module's work meet faults only by chance. */
TEST_F_TIMEOUT(fault, memory_by_chance, 300)
{
	unsigned int i, told = 0;

	by_chance = true;
	for (i = 0; i < 16; i++) {
		struct life l = { .ending = variant->ending, .ping = true };

		ASSERT_TRUE(pair_connect(&l.p, variant->family, variant->role));
		ASSERT_TRUE(points_set(i % 4 ? 5 : 25, 0));
		EXPECT_TRUE(life_run(&l));
		ASSERT_TRUE(points_set(0, 0));
		EXPECT_TRUE(life_end(&l));
		told += l.failures;
	}
	TH_LOG("%u faults told to the caller", told);
	EXPECT_LE(1, told);
}

TEST_F_TIMEOUT(fault, copies_by_chance, 300)
{
	unsigned int i, told = 0;

	by_chance = true;
	for (i = 0; i < 8; i++) {
		struct life l = { .ending = variant->ending };

		ASSERT_TRUE(pair_connect(&l.p, variant->family, variant->role));
		ASSERT_TRUE(points_set(0, 20));
		EXPECT_TRUE(life_run(&l));
		ASSERT_TRUE(points_set(0, 0));
		EXPECT_TRUE(life_end(&l));
		told += l.failures;
	}
	TH_LOG("%u faults told to the caller", told);
	EXPECT_LE(1, told);
}

TEST_HARNESS_MAIN
