// SPDX-License-Identifier: GPL-2.0-only
/*
 * As ws_fault.c, with kTLS below. kTLS may end a connection for want of memory,
 * so a life can be cut short anywhere; but what was received until then is
 * what was sent, the end of it is no message, and nothing stays behind.
 */
#include "kselftest_harness.h"
#include "ws_fault.h"

#include <sys/time.h>

FIXTURE(fault_tls)
{
	struct pair p;
	unsigned int cut;
};

FIXTURE_VARIANT(fault_tls)
{
	const char *version;
	__u32 role;
};

FIXTURE_VARIANT_ADD(fault_tls, v12_client) { "1.2", WS_ROLE_CLIENT };
FIXTURE_VARIANT_ADD(fault_tls, v13_server) { "1.3", WS_ROLE_SERVER };

FIXTURE_SETUP(fault_tls)
{
	ASSERT_TRUE(stat_becomes("WsCurrSockets", 0));
	ASSERT_TRUE(stat_becomes("WsCurrLingering", 0));
	setenv("WS_TEST_TLS", variant->version, 1);
	ASSERT_TRUE(fault_open());
}

FIXTURE_TEARDOWN(fault_tls)
{
	fault_close();
}

/* Neither end waits for long for what does not come. */
static bool begin(struct pair *p, __u32 role)
{
	struct timeval tv = { .tv_usec = 300000 };

	return pair_connect(p, AF_INET, role) &&
	       !setsockopt(p->ws, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) &&
	       !setsockopt(p->ws, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) &&
	       !setsockopt(p->raw, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) &&
	       !setsockopt(p->raw, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static const size_t sizes[] = { 5, 3000, 40000, 0, 100 };

/* Messages to the attached end. Return: false for a wrong one. */
static bool receive(struct pair *p, unsigned int *cut)
{
	static char buf[50000];
	size_t i, got;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		if (!raw_frame(p, BINARY, pattern(i, sizes[i]), sizes[i]))
			break;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct got g = { 0 };

		for (got = 0; !(g.m.flags & WS_MSG_END); got += g.n) {
			int tries = 3;

			do {
				g = ws_recv(p->ws, buf, sizeof(buf), 0);
			} while (g.n < 0 && --tries);
			if (g.n < 0 || !g.cmsgs) {
				++*cut;
				return true;
			}
			if (g.m.opcode != WS_OP_BINARY ||
			    got + g.n > sizes[i] ||
			    !is_pattern(buf, i + got, g.n))
				return complain("message %zu at %zu: %zd", i,
						got, g.n);
		}
		if (got != sizes[i])
			return complain("message %zu ends at %zu", i, got);
	}
	return true;
}

/* ... and from it, as far as it goes. */
static void send_them(struct pair *p)
{
	bool more = true;
	struct frame f;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		ws_send(p->ws, WS_OP_BINARY, pattern(i, sizes[i]), sizes[i],
			MSG_DONTWAIT);
	shutdown(p->ws, SHUT_WR);
	while (more && read_frame(p, &f)) {
		more = f.first != CLOSE;
		free(f.data);
	}
}

static bool life(struct pair *p, unsigned int *cut)
{
	int tries = 0;
	bool ok;

	/* By chance one fails several times. */
	while (ws_attach(p->ws))
		if (++tries == 20)
			return complain("attach: no memory");
	while (p->role != WS_ROLE_SERVER && ws_set_role(p->ws, p->role))
		if (++tries == 20)
			return complain("role: no memory");
	ok = receive(p, cut);
	send_them(p);
	return ok;
}

TEST_F_TIMEOUT(fault_tls, each_in_turn, 900)
{
	struct pair *p = &self->p;
	unsigned int nth;
	bool more = true;

	for (nth = 1; more; nth++) {
		ASSERT_TRUE(begin(p, variant->role));
		ASSERT_TRUE(fault_arm(nth));
		ASSERT_TRUE(life(p, &self->cut)) {
			TH_LOG("fault %u", nth);
		}
		close(p->ws);
		p->ws = -1;
		more = fault_fired();
		ASSERT_TRUE(fault_arm(0));
		pair_close(p);
		ASSERT_TRUE(stat_becomes("WsCurrSockets", 0));
		ASSERT_TRUE(stat_becomes("WsCurrLingering", 0));
	}
	TH_LOG("%u faults, %u lives cut short", nth - 2, self->cut);
	EXPECT_LE(20, nth);
}

TEST_F_TIMEOUT(fault_tls, memory_by_chance, 300)
{
	struct pair *p = &self->p;
	unsigned int i;

	for (i = 0; i < 30; i++) {
		ASSERT_TRUE(begin(p, variant->role));
		ASSERT_TRUE(fault_points(i % 4 ? 3 : 15, 0));
		EXPECT_TRUE(life(p, &self->cut));
		close(p->ws);
		p->ws = -1;
		ASSERT_TRUE(fault_points(0, 0));
		pair_close(p);
		ASSERT_TRUE(stat_becomes("WsCurrSockets", 0));
		ASSERT_TRUE(stat_becomes("WsCurrLingering", 0));
	}
	TH_LOG("%u lives cut short", self->cut);
}

TEST_HARNESS_MAIN
