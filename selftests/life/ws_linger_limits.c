// SPDX-License-Identifier: GPL-2.0-only
/*
 * How many sockets may linger for one user, 4096, and for how long at most, a
 * minute, whatever close_timeout says.
 */
#include "kselftest_harness.h"
#include "ws_ways.h"

#include <sys/fsuid.h>
#include <sys/resource.h>

#define MOST	4096
#define MINUTE	60000

static struct pair pairs[MOST + 2];

FIXTURE(limits) {
};

FIXTURE_SETUP(limits)
{
}

FIXTURE_TEARDOWN(limits)
{
}

/* Users of whom each has as many. */
#define USER	1000
#define OTHER	1001

/* A connection of this user's that lingers, or does not; its peer stays. */
static bool open_and_close(struct pair *p, int uid)
{
	bool ok;

	setfsuid(uid);
	ok = pair_open(p, AF_INET, WS_ROLE_SERVER);
	setfsuid(0);
	if (!ok || set_close_timeout(p->ws, MINUTE))
		return false;
	close(p->ws);
	p->ws = -1;
	return true;
}

/* Another user's connection lingers although this one's may not. */
static bool other_lingers(int uid, long long lingering)
{
	struct pair p;
	bool ok;

	ok = open_and_close(&p, uid) && expect_close(&p, 1001, "") &&
	     expect_silence(&p) &&
	     ws_stat("WsCurrLingering") == lingering + 1;
	close(p.raw);
	return ok && stat_becomes("WsCurrLingering", lingering);
}

/*
 * One more than may linger: it is closed all the same, with its Close, and is
 * counted. A place that is given back is free for the next.
 */
TEST_F_TIMEOUT(limits, sockets, 240)
{
	struct rlimit limit = { .rlim_cur = 3 * MOST, .rlim_max = 3 * MOST };
	long long dropped = ws_stat("WsLingerDropped");
	long long before = ws_stat("WsCurrLingering");
	int i;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < MOST; i++)
		ASSERT_TRUE(open_and_close(&pairs[i], USER)) {
			TH_LOG("number %d", i);
		}
	EXPECT_EQ(before + MOST, ws_stat("WsCurrLingering"));
	EXPECT_EQ(dropped, ws_stat("WsLingerDropped"));
	ASSERT_TRUE(open_and_close(&pairs[MOST], USER));
	EXPECT_EQ(before + MOST, ws_stat("WsCurrLingering"));
	EXPECT_EQ(dropped + 1, ws_stat("WsLingerDropped"));
	EXPECT_TRUE(expect_close(&pairs[MOST], 1001, ""));
	EXPECT_TRUE(expect_fin(&pairs[MOST]));
	EXPECT_TRUE(other_lingers(OTHER, before + MOST));
	EXPECT_TRUE(other_lingers(0, before + MOST));
	EXPECT_EQ(dropped + 1, ws_stat("WsLingerDropped"));

	pair_close(&pairs[0]);
	ASSERT_TRUE(stat_becomes("WsCurrLingering", before + MOST - 1));
	ASSERT_TRUE(open_and_close(&pairs[MOST + 1], USER));
	EXPECT_EQ(before + MOST, ws_stat("WsCurrLingering"));
	EXPECT_EQ(dropped + 1, ws_stat("WsLingerDropped"));
	for (i = 0; i < MOST + 2; i++)
		pair_close(&pairs[i]);
	EXPECT_TRUE(stat_becomes("WsCurrLingering", before));
}

/* close() waits, too. */
static void *close_and_wait(void *arg)
{
	struct linger l = { .l_onoff = 1, .l_linger = 600 };
	struct pair *p = arg;

	setsockopt(p->ws, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(p->ws);
	p->ws = -1;
	return NULL;
}

/* A close_timeout of hours is for sockets that are open. */
TEST_F_TIMEOUT(limits, a_minute, 120)
{
	long long before = ws_stat("WsCurrLingering");
	long long limits = ws_stat("WsErrCloseTimeout");
	struct pair p[2];
	pthread_t thread;
	uint64_t begin;
	int i;

	for (i = 0; i < 2; i++) {
		ASSERT_TRUE(pair_open(&p[i], AF_INET, i ? WS_ROLE_SERVER :
							  WS_ROLE_CLIENT));
		ASSERT_EQ(0, set_close_timeout(p[i].ws, WS_TIME_MAX));
	}
	begin = now_ms();
	ASSERT_EQ(0, pthread_create(&thread, NULL, close_and_wait, &p[0]));
	ASSERT_EQ(0, close(p[1].ws));
	p[1].ws = -1;
	for (i = 0; i < 2; i++)
		EXPECT_TRUE(expect_close(&p[i], 1001, ""));
	EXPECT_TRUE(wait_until(ws_stat("WsCurrLingering") == before + 2));
	/* Neither sooner nor much later. */
	while (now_ms() - begin < MINUTE - 2000 &&
	       ws_stat("WsCurrLingering") == before + 2)
		usleep(500000);
	EXPECT_LE(MINUTE - 2000, now_ms() - begin);
	EXPECT_TRUE(stat_becomes("WsCurrLingering", before));
	EXPECT_LE(MINUTE - 100, now_ms() - begin);
	EXPECT_TRUE(in_time(begin, MINUTE + 3000));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(in_time(begin, MINUTE + 3000));
	/* One was still lingering when its work ended it. */
	EXPECT_LE(limits + 1, ws_stat("WsErrCloseTimeout"));
	for (i = 0; i < 2; i++)
		EXPECT_TRUE(expect_fin(&p[i]));
	pair_close(&p[0]);
	pair_close(&p[1]);
}

TEST_HARNESS_MAIN
