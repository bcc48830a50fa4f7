// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the peer sees after close(): the Close frame and an orderly end, not a
 * reset, whatever it was sending; and for how long that is waited for.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <signal.h>
#include <sys/wait.h>

FIXTURE(linger)
{
	struct pair p;
	long long lingering;
};

FIXTURE_VARIANT(linger)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(linger, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(linger, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(linger)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
	self->lingering = ws_stat("WsCurrLingering");
}

FIXTURE_TEARDOWN(linger)
{
	pair_close(&self->p);
}

/* A rule is broken, and the peer is still sending when the reader gives up. */
TEST_F_TIMEOUT(linger, fault_and_more, 120)
{
	struct pair *p = &self->p;
	int i;

	/* To throw away a MiB of TLS takes a debug kernel long. */
	ASSERT_EQ(0, set_close_timeout(p->ws, 60000));
	ASSERT_TRUE(raw_frame(p, TEXT, "good", 4));
	ASSERT_TRUE(raw_frame(p, 0x83, "bad", 3));
	EXPECT_TRUE(expect_text(p->ws, "good"));
	EXPECT_TRUE(expect_error(p->ws, EPROTO));
	pair_close_ws(p);
	for (i = 0; i < 64; i++)
		ASSERT_TRUE(raw_frame(p, BINARY, pattern(0, 16384), 16384));
	usleep(100000);
	EXPECT_TRUE(raw_frame(p, BINARY, "not reset", 9));
	EXPECT_TRUE(expect_close(p, 1002, ""));
	EXPECT_TRUE(expect_fin(p));
	EXPECT_EQ(self->lingering + 1, ws_stat("WsCurrLingering"));
	close(p->raw);
	p->raw = -1;
	EXPECT_TRUE(stat_becomes("WsCurrLingering", self->lingering));
}

/* The fault lies unread when the application closes. */
TEST_F(linger, fault_unread)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	ASSERT_TRUE(raw_frame(p, 0x83, "bad", 3));
	ASSERT_TRUE(raw_frame(p, TEXT, "more", 4));
	ASSERT_TRUE(settle(p));
	pair_close_ws(p);
	ASSERT_TRUE(raw_frame(p, TEXT, "and more", 8));
	EXPECT_TRUE(expect_close(p, 1002, ""));
}

/* Unread messages, and others that come later, are thrown away. */
TEST_F_TIMEOUT(linger, messages_and_more, 120)
{
	struct pair *p = &self->p;
	int i;

	ASSERT_EQ(0, set_close_timeout(p->ws, 60000));
	ASSERT_TRUE(raw_frame(p, TEXT, "unread", 6));
	ASSERT_TRUE(raw_frame(p, F_TEXT, "half", 4));
	ASSERT_TRUE(settle(p));
	pair_close_ws(p);
	ASSERT_TRUE(raw_frame(p, CONT, "the rest", 8));
	for (i = 0; i < 64; i++)
		ASSERT_TRUE(raw_frame(p, BINARY, pattern(0, 16384), 16384));
	ASSERT_TRUE(raw_frame(p, PING, "", 0));
	EXPECT_TRUE(expect_close(p, 1001, ""));
	EXPECT_TRUE(expect_silence(p));
	ASSERT_TRUE(raw_close(p, 1001, ""));
	if (variant->role == WS_ROLE_CLIENT)
		shutdown(p->raw, SHUT_WR);
	EXPECT_TRUE(expect_fin(p));
	EXPECT_TRUE(stat_becomes("WsCurrLingering", self->lingering));
}

/* Nonsense instead of a Close ends it, with FIN. */
TEST_F(linger, fault_after_close)
{
	struct pair *p = &self->p;

	pair_close_ws(p);
	EXPECT_TRUE(expect_close(p, 1001, ""));
	ASSERT_TRUE(raw_frame(p, 0x83, "bad", 3));
	EXPECT_TRUE(expect_fin(p));
	ASSERT_TRUE(raw_frame(p, TEXT, "not reset", 9));
	usleep(50000);
	ASSERT_TRUE(raw_frame(p, TEXT, "not reset", 9));
}

/* Who never answers is not waited for longer than the limit. */
TEST_F(linger, time_limit)
{
	struct pair *p = &self->p;
	long long limits = ws_stat("WsErrCloseTimeout");
	uint64_t begin;

	/* Long enough to look at the counter before. */
	ASSERT_EQ(0, set_close_timeout(p->ws, test_patience(800)));
	begin = now_ms();
	pair_close_ws(p);
	EXPECT_TRUE(expect_close(p, 1001, ""));
	EXPECT_EQ(self->lingering + 1, ws_stat("WsCurrLingering"));
	EXPECT_TRUE(expect_fin(p));
	EXPECT_LE(400, now_ms() - begin);
	EXPECT_TRUE(in_time(begin, 3000));
	EXPECT_TRUE(stat_becomes("WsCurrLingering", self->lingering));
	EXPECT_EQ(limits + 1, ws_stat("WsErrCloseTimeout"));
}

/* ... nor one that sends all the time. */
TEST_F_TIMEOUT(linger, time_limit_of_a_talker, 60)
{
	struct pair *p = &self->p;
	uint64_t begin;

	ASSERT_EQ(0, set_close_timeout(p->ws, 400));
	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	signal(SIGPIPE, SIG_IGN);
	begin = now_ms();
	pair_close_ws(p);
	while (now_ms() - begin < WS_TEST_MS &&
	       raw_frame(p, BINARY, pattern(0, 1000), 1000))
		usleep(1000);
	EXPECT_LE(200, now_ms() - begin);
	EXPECT_TRUE(in_time(begin, 5000));
	EXPECT_TRUE(stat_becomes("WsCurrLingering", self->lingering));
}

TEST_F(linger, reset_by_the_peer)
{
	struct pair *p = &self->p;

	pair_close_ws(p);
	EXPECT_TRUE(expect_close(p, 1001, ""));
	EXPECT_EQ(self->lingering + 1, ws_stat("WsCurrLingering"));
	close_reset(&p->raw);
	EXPECT_TRUE(stat_becomes("WsCurrLingering", self->lingering));
}

/* A process that is killed says goodbye as well. */
TEST_F(linger, killed)
{
	struct pair *p = &self->p;
	int status;
	pid_t pid;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(p->raw);
		for (;;)
			pause();
	}
	pair_close_ws(p);
	EXPECT_TRUE(expect_silence(p));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_TRUE(expect_close(p, 1001, ""));
	EXPECT_TRUE(expect_silence(p));
	ASSERT_TRUE(raw_close(p, 1001, ""));
	if (variant->role == WS_ROLE_CLIENT)
		shutdown(p->raw, SHUT_WR);
	EXPECT_TRUE(expect_fin(p));
}

/* Section 7.1.1: a client lets the server end TCP first, even after close(). */
TEST_F(linger, after_the_handshake)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_close(p, 1000, ""));
	EXPECT_TRUE(expect_received_close(p->ws, 1000, ""));
	EXPECT_TRUE(expect_close(p, 1000, ""));
	pair_close_ws(p);
	if (variant->role == WS_ROLE_SERVER) {
		EXPECT_EQ(self->lingering, ws_stat("WsCurrLingering"));
		EXPECT_TRUE(expect_fin(p));
		return;
	}
	EXPECT_TRUE(expect_silence(p));
	EXPECT_EQ(self->lingering + 1, ws_stat("WsCurrLingering"));
	shutdown(p->raw, SHUT_WR);
	EXPECT_TRUE(expect_fin(p));
	EXPECT_TRUE(stat_becomes("WsCurrLingering", self->lingering));
}

static void *answer_later(void *arg)
{
	struct pair *p = arg;

	usleep(300000);
	if (!expect_close(p, 1001, "") || !raw_close(p, 1001, ""))
		return NULL;
	shutdown(p->raw, SHUT_WR);
	return p;
}

/* With SO_LINGER close() returns when the handshake is complete. */
TEST_F(linger, so_linger)
{
	struct linger l = { .l_onoff = 1, .l_linger = test_patience(8) };
	struct pair *p = &self->p;
	pthread_t thread;
	uint64_t begin;
	void *ok;

	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	ASSERT_EQ(0, pthread_create(&thread, NULL, answer_later, p));
	begin = now_ms();
	pair_close_ws(p);
	EXPECT_LE(150, now_ms() - begin);
	EXPECT_TRUE(in_time(begin, 5000));
	ASSERT_EQ(0, pthread_join(thread, &ok));
	EXPECT_NE(NULL, ok);
	EXPECT_TRUE(expect_fin(p));
	EXPECT_EQ(self->lingering, ws_stat("WsCurrLingering"));
}

/* ... and no later than the handshake's own time is over. */
TEST_F(linger, so_linger_is_limited)
{
	struct linger l = { .l_onoff = 1, .l_linger = test_patience(8) };
	struct pair *p = &self->p;
	uint64_t begin;

	ASSERT_EQ(0, set_close_timeout(p->ws, 400));
	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	begin = now_ms();
	pair_close_ws(p);
	EXPECT_TRUE(in_time(begin, 4000));
	EXPECT_TRUE(expect_close(p, 1001, ""));
}

/* SHUT_RDWR and close(): the peer's answer is not taken for an offence. */
TEST_F(linger, shut_and_closed)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, shutdown(p->ws, SHUT_RDWR));
	pair_close_ws(p);
	EXPECT_TRUE(expect_close(p, 1000, ""));
	ASSERT_TRUE(raw_close(p, 1000, ""));
	usleep(50000);
	EXPECT_TRUE(expect_fin(p));
}

/* Many at once, all of which end when their peers do. */
TEST_F_TIMEOUT(linger, many, 60)
{
	struct pair q[200];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(q); i++)
		ASSERT_TRUE(pair_open(&q[i], variant->family, variant->role));
	for (i = 0; i < ARRAY_SIZE(q); i++)
		pair_close_ws(&q[i]);
	EXPECT_EQ(self->lingering + (long long)ARRAY_SIZE(q),
		  ws_stat("WsCurrLingering"));
	for (i = 0; i < ARRAY_SIZE(q); i++)
		pair_close(&q[i]);
	EXPECT_TRUE(stat_becomes("WsCurrLingering", self->lingering));
}

static bool stop_asking;

/* Keeps the socket lock in hands, again and again. */
static void *ask(void *arg)
{
	int fd = *(int *)arg;
	struct ws_info info;
	socklen_t len;

	while (!__atomic_load_n(&stop_asking, __ATOMIC_RELAXED)) {
		len = sizeof(info);
		getsockopt(fd, SOL_WS, WS_INFO, &info, &len);
	}
	return NULL;
}

/*
 * close() while the worker is about to reset a connection that was found dead:
 * what lingers then must end, too.
 */
TEST(close_of_the_dead)
{
	struct ws_config cfg = { .close_timeout = WS_TIME_MIN };
	pthread_t thread[2];
	struct pair p;
	int i, round;

	for (round = 0; round < 40; round++) {
		ASSERT_TRUE(pair_open(&p, AF_INET, WS_ROLE_SERVER));
		ASSERT_EQ(0, ws_set(p.ws, WS_CONFIG, &cfg, sizeof(cfg)));
		ASSERT_EQ(0, ws_send_close(p.ws, 1000, ""));
		stop_asking = false;
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, pthread_create(&thread[i], NULL, ask,
						    &p.ws));
		while (!ws_get_info(p.ws).rule)
			;
		close(p.ws);
		__atomic_store_n(&stop_asking, true, __ATOMIC_RELAXED);
		for (i = 0; i < 2; i++)
			ASSERT_EQ(0, pthread_join(thread[i], NULL));
		close(p.raw);
	}
	EXPECT_TRUE(stat_becomes("WsCurrSockets", 0));
	EXPECT_TRUE(stat_becomes("WsCurrLingering", 0));
}

TEST_HARNESS_MAIN
