// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much memory peers can make the kernel hold: many connections that are
 * in the middle of a frame, and whose memory cgroup pays for it.
 */
#include "kselftest_harness.h"
#include "ws_machine.h"
#include "ws_test.h"

#include <sys/sysinfo.h>
#include <sys/resource.h>
#include <sys/wait.h>

#define CONNECTIONS	10000

/* @n connections; the attached end is the listener's. */
static bool connect_many(struct pair *p, int n)
{
	struct rlimit limit = { .rlim_cur = n * 2 + 100,
				.rlim_max = n * 2 + 100 };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		return complain("descriptors: %s", strerror(errno));
	return pairs_connect(p, n);
}

/* KiB that are not available for anything else. */
static long used_kib(void)
{
	long total = 0, available = 0;
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "MemTotal: %ld", &total) != 1 &&
		    sscanf(line, "MemAvailable: %ld", &available) == 1)
			break;
	if (f)
		fclose(f);
	return total - available;
}

/* Pages of the slabs of attached sockets, in bytes; *@size of one object. */
static long slab_bytes(unsigned int *size)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	unsigned long pages, slabs;
	long sum = -1;
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		const char *rest = strstr(line, " : slabdata ");

		if (rest && sscanf(line, "ws_ctx %*u %*u %u %*u %lu", size, &pages) == 2 &&
		    sscanf(rest, " : slabdata %*u %lu", &slabs) == 1)
			sum = slabs * pages * sysconf(_SC_PAGESIZE);
	}
	if (f)
		fclose(f);
	return sum;
}

/* Where a pair takes a tenth of a second to open and close. */
static int fewer(int connections)
{
	return debug_kernel() ? connections / 5 : connections;
}

FIXTURE(memory)
{
	struct pair *p;
};

FIXTURE_SETUP(memory)
{
	self->p = calloc(CONNECTIONS, sizeof(*self->p));
	memset(self->p, 0, CONNECTIONS * sizeof(*self->p));
	ASSERT_NE(NULL, self->p);
}

FIXTURE_TEARDOWN(memory)
{
	free(self->p);
}

/* What an idle connection takes of the module's memory: the README's figure. */
TEST_F_TIMEOUT(memory, idle, 600)
{
	int i, n = fewer(CONNECTIONS);
	unsigned int size = 0;
	long before, after;

	ASSERT_TRUE(connect_many(self->p, n));
	before = slab_bytes(&size);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, ws_attach(self->p[i].ws));
	after = slab_bytes(&size);
	ASSERT_LE(0, before);
	TH_LOG("idle: %ld bytes of slab ws_ctx a connection, whose objects have %u",
	       (after - before) / n, size);
	/* With 12 objects a page, as in 0.1, that is 341. */
	if (!debug_kernel())
		EXPECT_GE(345, (after - before) / n);
	for (i = 0; i < n; i++)
		pair_close(&self->p[i]);
	EXPECT_TRUE(stat_becomes("WsCurrSockets", 0));
	EXPECT_TRUE(stat_becomes("WsCurrLingering", 0));
}

/* Each has sent a half of a frame that promises much. */
TEST_F_TIMEOUT(memory, half_made, 600)
{
	int i, n = fewer(CONNECTIONS), times = debug_kernel() ? 4 : 1;
	long plain, attached, half;

	ASSERT_TRUE(connect_many(self->p, n));
	plain = used_kib();
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, ws_attach(self->p[i].ws));
	attached = used_kib();
	for (i = 0; i < n; i++)
		ASSERT_EQ(16, send(self->p[i].raw,
				   "\x81\xff\0\0\0\0\0\x10\0\0keyZab", 16, 0));
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, poll_now(self->p[i].ws, POLLIN));
	half = used_kib();
	TH_LOG("a connection: attached %ld bytes, half a frame %ld more",
	       (attached - plain) * 1024 / n,
	       (half - attached) * 1024 / n);
	EXPECT_GE(1024 * times, (attached - plain) * 1024 / n);
	/* A packet of TCP's is a part of it. */
	EXPECT_GE(2560 * times, (half - attached) * 1024 / n);
	for (i = 0; i < n; i++)
		pair_close(&self->p[i]);
	EXPECT_TRUE(stat_becomes("WsCurrSockets", 0));
	EXPECT_TRUE(stat_becomes("WsCurrLingering", 0));
}

#define GROUP		"test"

/* Nobody is in it any more, and it goes. */
static void end_group(void)
{
	static const char *const names[] = { GROUP };

	group_leave();
	groups_end(names, 1);
}

/* Many, because the kernel counts 64 pages of a processor at a time. */
#define GROUPED		3000
#define PREFIXED	400
#define PREFIX		60000

/* A prefix that is nothing but an unfinished frame. */
static const char *prefix(void)
{
	static char buf[PREFIX] = "\x82\xff\0\0\0\0\0\x10";

	return buf;
}

/* What a program makes the module hold is its own group's. */
TEST_F_TIMEOUT(memory, charged_to_the_group, 600)
{
	long long before, attached, prefixed;
	int i, n = fewer(GROUPED);

	ASSERT_TRUE(group_enter(GROUP, "max"));
	ASSERT_TRUE(connect_many(self->p, n));
	prefix();
	before = group_memory(GROUP);
	for (i = 0; i < n; i++)
		ASSERT_EQ(0, ws_attach(self->p[i].ws));
	attached = group_memory(GROUP);
	for (i = 0; i < PREFIXED; i++)
		ASSERT_EQ(0, ws_set(self->p[i].ws, WS_RX_PREFIX, prefix(),
				    PREFIX));
	prefixed = group_memory(GROUP);
	TH_LOG("charged: %lld bytes an attach, %lld for %d of prefix",
	       (attached - before) / n, (prefixed - attached) / PREFIXED,
	       PREFIX);
	EXPECT_LE(200, (attached - before) / n);
	EXPECT_LE(PREFIX * 9 / 10, (prefixed - attached) / PREFIXED);
	for (i = 0; i < n; i++)
		pair_close(&self->p[i]);
	end_group();
}

/* What is read ahead from kTLS, whoever reads it ahead. */
#define SECURE		40
#define AHEAD		50000
TEST_F_TIMEOUT(memory, read_ahead_is_charged, 240)
{
	long long before, after;
	int i;

	setenv("WS_TEST_TLS", "1.3", 1);
	ASSERT_TRUE(group_enter(GROUP, "max"));
	pattern(0, AHEAD);
	for (i = 0; i < SECURE; i++) {
		ASSERT_TRUE(pair_open(&self->p[i], AF_INET, WS_ROLE_SERVER));
		ASSERT_EQ(0, poll_now(self->p[i].ws, POLLIN));
	}
	before = group_memory(GROUP);
	for (i = 0; i < SECURE; i++) {
		ASSERT_TRUE(raw_frame(&self->p[i], BINARY, pattern(0, AHEAD),
				      AHEAD));
		ASSERT_EQ(POLLIN, poll_for(self->p[i].ws, POLLIN, WS_TEST_MS));
	}
	after = group_memory(GROUP);
	TH_LOG("charged: %lld bytes for %d", (after - before) / SECURE, AHEAD);
	EXPECT_LE(AHEAD / 2, (after - before) / SECURE);
	for (i = 0; i < SECURE; i++)
		pair_close(&self->p[i]);
	EXPECT_TRUE(stat_becomes("WsCurrSockets", 0));
	unsetenv("WS_TEST_TLS");
	end_group();
}

/* As much of a large frame as the peer's end takes without being read. */
static bool send_ahead(struct pair *p, size_t *sent)
{
	static const char head[14] = { (char)0x82, (char)0xff, 0, 0, 0, 0, 1 };
	const char *bytes = pattern(0, AHEAD);
	struct pollfd ready = { .fd = p->raw, .events = POLLOUT };
	ssize_t n;

	if (send(p->raw, head, sizeof(head), 0) != sizeof(head))
		return complain("%s", strerror(errno));
	*sent = 0;
	while (poll(&ready, 1, test_patience(500)) > 0) {
		n = send(p->raw, bytes, AHEAD, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return complain("%s", strerror(errno));
		*sent += n > 0 ? n : 0;
	}
	return true;
}

/*
 * Of all sockets of a user together no more than a 32nd of the memory is read
 * ahead; and beyond that it still goes on for the one that reads.
 */
TEST_F_TIMEOUT(memory, read_ahead_of_all, 600)
{
	long long limit, pages = 0, last;
	size_t sent[SECURE], all = 0;
	static char skip[AHEAD];
	struct sysinfo info;
	int i, n;

	ASSERT_EQ(0, sysinfo(&info));
	limit = info.totalram / 32 / getpagesize();
	setenv("WS_TEST_TLS", "1.2", 1);
	for (n = 0; n < SECURE; n++) {
		ASSERT_TRUE(pair_open(&self->p[n], AF_INET, WS_ROLE_SERVER));
		ASSERT_EQ(0, poll_now(self->p[n].ws, POLLIN));
		ASSERT_TRUE(pass_message(&self->p[n], 6 << 20));
		ASSERT_TRUE(send_ahead(&self->p[n], &sent[n]));
		all += sent[n];
		last = pages;
		pages = ws_stat("WsCurrTlsPages");
		if (pages > limit && pages - last < 64)
			break;
	}
	TH_LOG("%lld pages of %zu kB, %lld allowed", pages, all / 1024, limit);
	ASSERT_LT(n, SECURE);
	EXPECT_LT(limit, pages);
	EXPECT_GT(limit + 2 * 64 + n, pages);
	/* The last one: in small pieces, as long as there is enough for one. */
	for (all = 0; all + AHEAD < sent[n]; all += i) {
		i = recv(self->p[n].ws, skip, sizeof(skip), 0);
		ASSERT_LT(0, i);
	}
	for (i = 0; i <= n; i++)
		pair_close(&self->p[i]);
	EXPECT_TRUE(stat_becomes("WsCurrTlsPages", 0));
	unsetenv("WS_TEST_TLS");
}

/*
 * Senders that wait for room: a frame under way is its sender's, too. Of what
 * send() has accepted, TCP's own buffers are charged to the group, and they are
 * small here.
 */
#define STUCK		400
TEST_F_TIMEOUT(memory, stuck_senders_are_charged, 300)
{
	struct rlimit limit = { 4 * STUCK, 4 * STUCK };
	struct timeval tv = { .tv_usec = 1000 };
	long long before, after, taken = 0;
	int i, small = 4608;

	ASSERT_TRUE(group_enter(GROUP, "max"));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	pattern(0, PATTERN_MAX);
	for (i = 0; i < STUCK; i++) {
		ASSERT_TRUE(pair_open_rcvbuf(&self->p[i], AF_INET,
					     WS_ROLE_SERVER, small, small, 0));
		ASSERT_EQ(0, setsockopt(self->p[i].ws, SOL_SOCKET, SO_SNDBUF,
					&small, sizeof(small)));
		ASSERT_EQ(0, setsockopt(self->p[i].ws, SOL_SOCKET, SO_SNDTIMEO,
					&tv, sizeof(tv)));
	}
	before = group_memory(GROUP);
	for (i = 0; i < STUCK; i++) {
		ssize_t n = send(self->p[i].ws, pattern(0, PATTERN_MAX),
				 PATTERN_MAX, MSG_NOSIGNAL);

		taken += n > 0 ? n : 0;
	}
	after = group_memory(GROUP);
	TH_LOG("a socket: %lld bytes accepted, %lld charged", taken / STUCK,
	       (after - before) / STUCK);
	EXPECT_LE(taken * 3 / 4, after - before);
	for (i = 0; i < STUCK; i++)
		pair_close(&self->p[i]);
	end_group();
}

/*
 * In a process of its own, which goes with the group. Whoever wants a single
 * page when the limit is reached is killed for it, with much noise, so what is
 * small comes first.
 */
static int fill_the_group(struct pair *p)
{
	int i, err = 0;

	if (!group_enter(GROUP, "16M") || !connect_many(p, PREFIXED))
		return 1;
	for (i = 0; !err && i < PREFIXED; i++)
		err = ws_attach(p[i].ws);
	if (err)
		return 2;
	for (i = 0; !err && i < PREFIXED; i++)
		err = ws_set(p[i].ws, WS_RX_PREFIX, prefix(), PREFIX);
	return err == -ENOMEM ? 0 : 3;
}

TEST_F_TIMEOUT(memory, limit_of_the_group, 300)
{
	long long before = ws_stat("WsCurrSockets");
	struct pair p;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(fill_the_group(self->p));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	TH_LOG("status %x", status);
	EXPECT_EQ(0, status);
	EXPECT_TRUE(stat_becomes("WsCurrSockets", before));
	/* For others nothing has happened. */
	ASSERT_TRUE(pair_open(&p, AF_INET, WS_ROLE_SERVER));
	ASSERT_TRUE(raw_frame(&p, TEXT, "well", 4));
	EXPECT_TRUE(expect_text(p.ws, "well"));
	pair_close(&p);
	end_group();
}

TEST_HARNESS_MAIN
