// SPDX-License-Identifier: GPL-2.0-only
/*
 * Anything at any time: threads and processes that do what a program may do
 * to a socket, all on the same few sockets, which come and go meanwhile; sockets
 * that end at a bad moment; and the module that comes and goes. What is looked
 * for is in the kernel's log.
 *
 * WS_TEST_SECONDS says how long each lasts.
 */
#include "kselftest_harness.h"
#include "ws_races.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* WS_TEST_MODULE, or where the guest has it. */
static const char *module_path(void)
{
	const char *path = getenv("WS_TEST_MODULE");

	return path && *path ? path : "/ws.ko";
}

FIXTURE(races)
{
	long long sockets;
};

FIXTURE_SETUP(races)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct racer *r = the_race.racers;
	int i;

	wire_off(NULL, "bad pointers, and descriptors that others close");
	self->sockets = ws_stat("WsCurrSockets");
	ASSERT_LE(0, self->sockets);
	sigaction(SIGUSR1, &sa, NULL);
	signal(SIGPIPE, SIG_IGN);
	pattern(0, 1);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_DGRAM, 0, the_race.unix_sv));
	for (i = 0; i < THREADS; i++)
		r[i] = (struct racer){ .seed = now_ms() * THREADS + i };
	TH_LOG("seed %u", r->seed);
	for (i = 0; i < PAIRS; i++)
		ASSERT_TRUE(refill(r, i));
}

FIXTURE_TEARDOWN(races)
{
}

static unsigned long calls_done(void)
{
	unsigned long done = 0;
	int i;

	for (i = 0; i < THREADS; i++)
		done += get(the_race.racers[i].done);
	return done;
}

/* For so long, or until there have been enough calls to be a test. */
static bool run(int seconds)
{
	uint64_t end = now_ms() + seconds * 1000;
	struct racer *r = the_race.racers;
	int i;

	set(the_race.begun, false);
	set(the_race.over, false);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&r[i].thread, NULL, take_part, &r[i]))
			return complain("thread: %s", strerror(errno));
	set(the_race.begun, true);
	while (now_ms() < end)
		usleep(50000);
	wait_until(calls_done() > 100);
	set(the_race.over, true);
	for (i = 0; i < THREADS; i++)
		pthread_join(r[i].thread, NULL);
	fprintf(stderr, "#   %lu calls in %d s\n", calls_done(), seconds);
	return calls_done() > 100 || complain("too few to be a test");
}

static void close_all(void)
{
	int i;

	close(the_race.unix_sv[0]);
	close(the_race.unix_sv[1]);
	for (i = 0; i < ENDS; i++)
		close(FIRST_FD + i);
}

TEST_F_TIMEOUT(races, anything, 120)
{
	EXPECT_TRUE(run(test_seconds(8)));
	close_all();
	EXPECT_TRUE(stat_becomes("WsCurrSockets", self->sockets));
	EXPECT_TRUE(stat_becomes("WsCurrLingering", 0));
}

struct traffic {
	unsigned long unloads, attached;
};

/*
 * TCP keeps a socket without a file, and that one the module, until its peer
 * has acknowledged the last byte. Where there is no peer any more it tries for
 * up to 204 s.
 */
static bool module_is_free(void)
{
	uint64_t end = now_ms() + test_patience(210000);
	int held = -1;
	FILE *f;

	do {
		f = fopen("/sys/module/ws/refcnt", "r");
		if (!f || fscanf(f, "%d", &held) != 1)
			held = -1;
		if (f)
			fclose(f);
		if (!held)
			return true;
		usleep(10000);
	} while (now_ms() < end);
	return complain("the module is used %d times", held);
}

/* Once somebody has used it again. */
static void *come_and_go(void *arg)
{
	int fd = open(module_path(), O_RDONLY | O_CLOEXEC);
	unsigned long attached = 0;
	struct traffic *t = arg;

	while (!get(the_race.over)) {
		if (get(t->attached) == attached)
			continue;
		if (syscall(__NR_delete_module, "ws", O_NONBLOCK))
			continue;
		attached = get(t->attached);
		set(t->unloads, t->unloads + 1);
		if (!syscall(__NR_finit_module, fd, "", 0))
			continue;
		complain("load: %s", strerror(errno));
		break;
	}
	close(fd);
	return NULL;
}

static void *attach_and_close(void *arg)
{
	struct traffic *t = arg;

	while (!get(the_race.over)) {
		struct pair p;
		int err;

		if (!pair_connect(&p, AF_INET, WS_ROLE_SERVER))
			break;
		err = ws_attach(p.ws);
		if (!err) {
			set(t->attached, t->attached + 1);
			ws_send(p.ws, WS_OP_TEXT, "a", 1, 0);
		} else if (err != (test_tls() ? -ENOPROTOOPT : -ENOENT)) {
			complain("attach: %s", strerror(-err));
		}
		close(p.raw);
		close(p.ws);
		usleep(1000);
	}
	return NULL;
}

/* rmmod at the moment of an attach, and at the moment of the last close. */
TEST_F_TIMEOUT(races, module, 240)
{
	struct traffic t = { 0 };
	pthread_t loader, attacher;
	uint64_t end;

	close_all();
	ASSERT_TRUE(stat_becomes("WsCurrSockets", 0));
	ASSERT_EQ(0, access(module_path(), R_OK)) {
		TH_LOG("no %s to load again", module_path());
	}
	ASSERT_TRUE(module_is_free());
	set(the_race.over, false);
	end = now_ms() + 3 * WS_TEST_MS;
	ASSERT_EQ(0, pthread_create(&loader, NULL, come_and_go, &t));
	ASSERT_EQ(0, pthread_create(&attacher, NULL, attach_and_close, &t));
	usleep(test_seconds(3) * 1000000);
	while (!get(t.unloads) && now_ms() < end)
		usleep(10000);
	set(the_race.over, true);
	ASSERT_EQ(0, pthread_join(loader, NULL));
	ASSERT_EQ(0, pthread_join(attacher, NULL));
	TH_LOG("%lu attached, %lu unloads", t.attached, t.unloads);
	EXPECT_LT(0, t.attached);
	EXPECT_LT(0, t.unloads);
	EXPECT_EQ(0, access("/sys/module/ws", F_OK));
}

FIXTURE(ends)
{
	uint32_t seed;
	long long sockets;
};

FIXTURE_SETUP(ends)
{
	self->seed = now_ms();
	self->sockets = ws_stat("WsCurrSockets");
	TH_LOG("seed %u", self->seed);
	pattern(0, 1);
}

FIXTURE_TEARDOWN(ends)
{
}

TEST_F_TIMEOUT(ends, work_and_timers, 120)
{
	uint64_t end = now_ms() + test_seconds(6) * 1000;
	int rounds = 0;

	do {
		ASSERT_TRUE(end_pairs(&self->seed));
		rounds++;
	} while (now_ms() < end);
	TH_LOG("%d connections", rounds * ENDING_PAIRS);
	EXPECT_TRUE(stat_becomes("WsCurrSockets", self->sockets));
	EXPECT_TRUE(stat_becomes("WsCurrLingering", 0));
}

/* Namespaces that live now, as the kernel's memory has them. */
static long namespaces(void)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	long active = -1;
	char line[512];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "net_namespace %ld", &active) == 1)
			break;
	if (f)
		fclose(f);
	return active;
}

TEST_F_TIMEOUT(ends, namespaces, 120)
{
	uint64_t end = now_ms() + test_seconds(4) * 1000;
	long before = namespaces();
	int rounds = 0, i;

	do {
		pid_t pid[3];

		for (i = 0; i < 3; i++) {
			pid[i] = fork();
			ASSERT_LE(0, pid[i]);
			if (!pid[i])
				_exit(live_in_a_namespace(self->seed + i));
		}
		for (i = 0; i < 3; i++) {
			int status;

			ASSERT_EQ(pid[i], waitpid(pid[i], &status, 0));
			EXPECT_EQ(0, status);
		}
		self->seed = next_random(&self->seed);
		rounds++;
	} while (now_ms() < end);
	TH_LOG("%d namespaces", rounds * 3);
	/* They go when the last socket has; some are kept for the next one. */
	EXPECT_TRUE(wait_until(namespaces() <= before + 30));
	EXPECT_EQ(self->sockets, ws_stat("WsCurrSockets"));
}

TEST_HARNESS_MAIN
