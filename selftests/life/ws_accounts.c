// SPDX-License-Identifier: GPL-2.0-only
/*
 * Each user with a socket on kTLS, or with one that lingers, has an account. It is
 * freed, with its queue, when the last of these sockets is.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <sys/fsuid.h>

/* Users at a time, and how often. An account takes more than 64 bytes. */
#define USERS	200
#define ROUNDS	6
#define ACCOUNT	64

FIXTURE(accounts) {
};

FIXTURE_VARIANT(accounts)
{
	const char *tls;
};

FIXTURE_VARIANT_ADD(accounts, lingering) { NULL };
FIXTURE_VARIANT_ADD(accounts, tls) { "1.3" };

FIXTURE_SETUP(accounts)
{
}

FIXTURE_TEARDOWN(accounts)
{
}

/*
 * A connection of this user's, from the first byte to the last. It ends by a
 * reset, as TCP keeps memory for a minute after any other end.
 */
static bool one_user(int uid, const char *tls)
{
	struct linger now = { .l_onoff = 1 };
	struct pair p;
	bool ok;

	setfsuid(uid);
	ok = pair_connect(&p, AF_INET, WS_ROLE_SERVER) &&
	     (!tls || pair_secure(&p, tls));
	setfsuid(0);
	ok = ok && !ws_attach_config(p.ws, NULL) &&
	     ws_send(p.ws, WS_OP_TEXT, "a", 1, 0) == 1;
	close(p.ws);
	ok = ok && expect_frame(&p, TEXT, "a", 1) && expect_close(&p, 1001, "");
	setsockopt(p.raw, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(p.raw);
	return ok;
}

/* Bytes of the objects in use that have no cache of their own, or are queues. */
static long long general_memory(void)
{
	FILE *f = fopen("/proc/slabinfo", "r");
	unsigned long active, all, size;
	long long sum = 0;
	char line[512], name[64];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%63s %lu %lu %lu", name, &active, &all,
			   &size) == 4 &&
		    (!strncmp(name, "kmalloc-", 8) ||
		     !strcmp(name, "pool_workqueue")))
			sum += (long long)active * size;
	if (f)
		fclose(f);
	return sum;
}

/* Many users come and go, and are not seen again; memory does not grow. */
TEST_F_TIMEOUT(accounts, go_with_their_users, 120)
{
	long long sockets = ws_stat("WsCurrSockets");
	long long lingering = ws_stat("WsCurrLingering");
	long long before = 0, now;
	int round, uid = 100000;
	int i, small = 0;

	for (round = 0; round < ROUNDS && small < 2; round++) {
		for (i = 0; i < USERS; i++)
			ASSERT_TRUE(one_user(uid++, variant->tls));
		ASSERT_TRUE(stat_becomes("WsCurrSockets", sockets));
		ASSERT_TRUE(stat_becomes("WsCurrLingering", lingering));
		/* Works and grace periods. */
		usleep(test_patience(300000));
		now = general_memory();
		small += before && now - before < USERS * ACCOUNT;
		TH_LOG("%lld bytes", now);
		before = now;
	}
	/* Where freed memory is held back there is nothing to be seen. */
	if (access("/sys/kernel/debug/kmemleak", F_OK))
		EXPECT_EQ(2, small);
}

TEST_HARNESS_MAIN
