// SPDX-License-Identifier: GPL-2.0-only
/* What the coverage of the other tests left over, and the fuzzer asked for. */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <signal.h>
#include <sys/time.h>

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
 * close() while the work is about to reset a connection that was found dead:
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

/* First bytes of characters that the second byte decides about. */
TEST(borders_of_utf8)
{
	static const struct {
		const char *text;
		bool good;
	} texts[] = {
		{ "\xe0\xa0\x80", true }, { "\xe0\x9f\xbf", false },
		{ "\xed\x9f\xbf", true }, { "\xed\xa0\x80", false },
		{ "\xf0\x90\x80\x80", true }, { "\xf0\x8f\xbf\xbf", false },
		{ "\xf4\x8f\xbf\xbf", true }, { "\xf4\x90\x80\x80", false },
		{ "\xf5\x80\x80\x80", false },
	};
	struct pair p;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ASSERT_TRUE(pair_open(&p, AF_INET, WS_ROLE_SERVER));
		ASSERT_TRUE(raw_frame(&p, TEXT, texts[i].text,
				      strlen(texts[i].text)));
		EXPECT_TRUE(texts[i].good ? expect_text(p.ws, texts[i].text) :
			    expect_error(p.ws, EILSEQ));
		pair_close(&p);
	}
}

/* A Close that lies at the front is answered by shutdown(), with its code. */
TEST(shutdown_answers_the_close)
{
	struct bytes b = { 0 };
	struct pair p;

	ASSERT_TRUE(pair_open(&p, AF_INET, WS_ROLE_SERVER));
	bytes_close(&b, &p, 3456, "going");
	ASSERT_TRUE(raw_send_bytes(&p, &b));
	ASSERT_NE(0, poll_for(p.ws, POLLIN, WS_TEST_MS));
	ASSERT_EQ(0, shutdown(p.ws, SHUT_WR));
	EXPECT_TRUE(expect_close(&p, 3456, ""));
	pair_close(&p);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* A signal ends a send that waits, with nothing or with what is taken. */
TEST(signal_ends_a_send)
{
	struct itimerval in_100_ms = { .it_value.tv_usec = 100000 };
	struct itimerval often = { { 0, 100000 }, { 0, 100000 } };
	struct sigaction sa = { .sa_handler = on_alarm };
	int room = 200000;
	struct pair p;
	ssize_t n;

	ASSERT_TRUE(pair_open_rcvbuf(&p, AF_INET, WS_ROLE_SERVER, 0, 4096,
				     1448));
	/* So that TCP does not find that there could be more. */
	ASSERT_EQ(0, setsockopt(p.ws, SOL_SOCKET, SO_SNDBUF, &room,
				sizeof(room)));
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &in_100_ms, NULL));
	/* The timer may be over before the send buffer is full. */
	do {
		n = ws_send(p.ws, WS_OP_BINARY, pattern(0, PATTERN_MAX),
			    PATTERN_MAX, MSG_DONTWAIT);
	} while (n > 0);
	ASSERT_EQ(-EAGAIN, n);
	/* The first signal may come before the call that it ends. */
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	/* With a timeout of the socket it is EINTR, never a restart. */
	n = ws_send(p.ws, WS_OP_CONT, "x", 1, 0);
	EXPECT_EQ(-EINTR, n);
	pair_close(&p);
}

/* PONGs that wait for room when the application asks for a reset. */
TEST(reset_forgets_pongs)
{
	struct linger now = { .l_onoff = 1 };
	struct pair p;
	int i;

	ASSERT_TRUE(pair_open_rcvbuf(&p, AF_INET, WS_ROLE_SERVER, 0, 4096,
				     1448));
	while (ws_send(p.ws, WS_OP_BINARY, pattern(0, PATTERN_MAX),
		       PATTERN_MAX, MSG_DONTWAIT) > 0)
		;
	for (i = 0; i < 8; i++)
		ASSERT_TRUE(raw_frame(&p, PING, "x", 1));
	EXPECT_TRUE(wait_until(ws_get_info(p.ws).rx_pings == 8));
	ASSERT_EQ(0, setsockopt(p.ws, SOL_SOCKET, SO_LINGER, &now,
				sizeof(now)));
	close(p.ws);
	EXPECT_TRUE(stat_becomes("WsCurrSockets", 0));
	EXPECT_TRUE(stat_becomes("WsCurrLingering", 0));
	close(p.raw);
}

/* Time in which nobody reads, so that the peer cannot send, does not count. */
TEST(assembly_waits_for_the_reader)
{
	struct ws_config cfg = { .assembly_timeout = test_patience(2000) };
	static char buf[1 << 16];
	struct sender s;
	struct pair p;
	uint64_t at = 0;

	ASSERT_TRUE(pair_open_rcvbuf(&p, AF_INET, WS_ROLE_SERVER, 16384, 0,
				     1448));
	ASSERT_EQ(0, ws_set(p.ws, WS_CONFIG, &cfg, sizeof(cfg)));
	ASSERT_EQ(0, poll_now(p.ws, POLLIN));
	ASSERT_TRUE(sender_start(&s, &p, BINARY, 1 << 18));
	usleep(test_patience(4500000));
	while (at < 1 << 18) {
		struct got got = ws_recv(p.ws, buf, sizeof(buf), 0);

		ASSERT_LT(0, got.n);
		ASSERT_TRUE(is_pattern(buf, at, got.n));
		at += got.n;
	}
	EXPECT_TRUE(sender_join(&s));
	EXPECT_EQ(0, ws_get_info(p.ws).rule);
	pair_close(&p);
}

TEST_HARNESS_MAIN
