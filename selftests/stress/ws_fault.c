// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory and user copies that fail, one after the other, while a connection
 * lives from its attach to its end. A call that fails has done nothing and
 * works when it is made again; no byte is lost or doubled; nothing stays
 * behind. For kernels with fault injection only: make check-debug.
 */
#include "kselftest_harness.h"
#include "ws_fault.h"

#include <sys/time.h>

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
	fault_by_chance = false;
	ASSERT_TRUE(fault_open());
}

FIXTURE_TEARDOWN(fault)
{
	fault_close();
}

/*
 * Each allocation and each copy, until a life meets no fault any more. With
 * FAULT=n in the environment the nth only (0: all), and the kernel logs where.
 * What comes before the end is the same for all endings: only the first of
 * them has faults there.
 */
TEST_F_TIMEOUT(fault, each_in_turn, 900)
{
	unsigned int only = atoi(getenv("FAULT") ?: "0");
	bool late = variant->ending != END_SHUTDOWN, more = true;
	unsigned int nth, met = 0, told = 0;

	for (nth = only ? only : 1; more; nth++) {
		struct life l = { .ending = variant->ending };

		ASSERT_TRUE(pair_connect(&l.p, variant->family, variant->role));
		ASSERT_TRUE(late || fault_arm(nth));
		ASSERT_TRUE(life_run(&l)) {
			TH_LOG("fault %u", nth);
		}
		ASSERT_TRUE(!late || fault_arm(nth));
		ASSERT_TRUE(life_close(&l)) {
			TH_LOG("fault %u", nth);
		}
		more = fault_fired();
		met += more;
		told += l.failures;
		more = more && !only;
		ASSERT_TRUE(fault_arm(0));
		ASSERT_TRUE(life_end(&l)) {
			TH_LOG("fault %u", nth);
		}
	}
	TH_LOG("%u faults, %u of them told to the caller", met, told);
	/* A life has more places than these. */
	EXPECT_LE(only || late ? 1 : 20, met);
	EXPECT_LE(only || late ? 0 : 5, told);
}

/* Softirqs and the module's work meet faults only by chance. */
TEST_F_TIMEOUT(fault, memory_by_chance, 300)
{
	unsigned int i, told = 0;

	fault_by_chance = true;
	for (i = 0; i < 8; i++) {
		struct life l = { .ending = variant->ending, .ping = true };

		ASSERT_TRUE(pair_connect(&l.p, variant->family, variant->role));
		ASSERT_TRUE(fault_points(i % 4 ? 5 : 25, 0));
		EXPECT_TRUE(life_run(&l) && life_close(&l));
		ASSERT_TRUE(fault_points(0, 0));
		EXPECT_TRUE(life_end(&l));
		told += l.failures;
	}
	TH_LOG("%u faults told to the caller", told);
	EXPECT_LE(1, told);
}

TEST_F_TIMEOUT(fault, copies_by_chance, 300)
{
	unsigned int i, told = 0;

	fault_by_chance = true;
	for (i = 0; i < 4; i++) {
		struct life l = { .ending = variant->ending };

		ASSERT_TRUE(pair_connect(&l.p, variant->family, variant->role));
		ASSERT_TRUE(fault_points(0, 20));
		EXPECT_TRUE(life_run(&l) && life_close(&l));
		ASSERT_TRUE(fault_points(0, 0));
		EXPECT_TRUE(life_end(&l));
		told += l.failures;
	}
	TH_LOG("%u faults told to the caller", told);
	EXPECT_LE(1, told);
}

/* What close() makes of a connection while there is no memory for anything. */
FIXTURE(closing)
{
	struct pair p;
};

FIXTURE_SETUP(closing)
{
	struct timeval tv = { .tv_usec = 200000 };
	int small = 8192;

	ASSERT_TRUE(stat_becomes("WsCurrLingering", 0));
	ASSERT_TRUE(fault_points(0, 0));
	ASSERT_TRUE(pair_open_rcvbuf(&self->p, AF_INET, WS_ROLE_SERVER, 0,
				     16384, 1400));
	ASSERT_EQ(0, setsockopt(self->p.ws, SOL_SOCKET, SO_SNDBUF, &small,
				sizeof(small)));
	ASSERT_EQ(0, setsockopt(self->p.ws, SOL_SOCKET, SO_SNDTIMEO, &tv,
				sizeof(tv)));
}

FIXTURE_TEARDOWN(closing)
{
	fault_points(0, 0);
	pair_close(&self->p);
	stat_becomes("WsCurrLingering", 0);
}

/* One frame, of which TCP has no room for all. */
#define HALF_SENT	60000
static bool send_half(struct pair *p)
{
	ssize_t n = ws_send(p->ws, WS_OP_BINARY, pattern(0, HALF_SENT),
			    HALF_SENT, 0);

	return n == HALF_SENT || complain("send: %zd", n);
}

/* @ms is the time that it may linger. */
static bool close_without_memory(struct pair *p, __u32 ms)
{
	struct ws_config cfg = { .role = p->role, .close_timeout = ms };

	if (ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)) ||
	    !fault_points(100, 0))
		return false;
	close(p->ws);
	p->ws = -1;
	return ws_stat("WsCurrLingering") == 1 || complain("it does not linger");
}

/* The Close waits, with what was to go before it, until there is memory. */
TEST_F_TIMEOUT(closing, waits_for_memory, 60)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	struct frame f;

	ASSERT_TRUE(send_half(p));
	ASSERT_TRUE(close_without_memory(p, 60000));
	usleep(400000);
	EXPECT_EQ(1, ws_stat("WsCurrLingering"));
	ASSERT_TRUE(fault_points(0, 0));
	ASSERT_TRUE(read_frame(p, &f));
	EXPECT_EQ(BINARY, f.first);
	EXPECT_EQ(HALF_SENT, f.len);
	EXPECT_TRUE(is_pattern(f.data, 0, f.len));
	free(f.data);
	EXPECT_TRUE(expect_close(p, 1001, ""));
	bytes_close(&b, p, 1001, "");
	ASSERT_TRUE(raw_send_bytes(p, &b));
	EXPECT_TRUE(expect_fin(p));
}

/* The peer has closed, too: nothing is waited for but memory. */
TEST_F_TIMEOUT(closing, answer_waits_for_memory, 60)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	bytes_close(&b, p, 1000, "");
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	ASSERT_TRUE(close_without_memory(p, 60000));
	usleep(400000);
	EXPECT_EQ(1, ws_stat("WsCurrLingering"));
	ASSERT_TRUE(fault_points(0, 0));
	EXPECT_TRUE(expect_close(p, 1000, ""));
	EXPECT_TRUE(expect_fin(p));
}

/* Not for ever; without a Close the peer knows that it was not in order. */
TEST_F_TIMEOUT(closing, gives_up, 60)
{
	struct pair *p = &self->p;
	uint64_t begin = now_ms();

	ASSERT_TRUE(close_without_memory(p, 1000));
	ASSERT_TRUE(stat_becomes("WsCurrLingering", 0));
	EXPECT_LE(800, now_ms() - begin);
	ASSERT_TRUE(fault_points(0, 0));
	EXPECT_TRUE(expect_fin(p));
}

/*
 * Half a frame and FIN would look like the end of the connection: it has to be
 * a reset. There is no memory for one either, so that the peer gets it in
 * answer to the next that it sends.
 */
TEST_F_TIMEOUT(closing, never_ends_a_cut_frame, 60)
{
	struct pair *p = &self->p;
	char buf[4096];
	size_t sum = 0;
	ssize_t n;

	ASSERT_TRUE(send_half(p));
	ASSERT_TRUE(close_without_memory(p, 1000));
	ASSERT_TRUE(stat_becomes("WsCurrLingering", 0));
	ASSERT_TRUE(fault_points(0, 0));
	ASSERT_TRUE(raw_frame(p, PING, "", 0));
	while ((n = recv(p->raw, buf, sizeof(buf), 0)) > 0)
		sum += n;
	EXPECT_EQ(-1, n);
	EXPECT_EQ(ECONNRESET, errno);
	EXPECT_LT(0, sum);
	EXPECT_GT(HALF_SENT, sum);
}

TEST_HARNESS_MAIN
