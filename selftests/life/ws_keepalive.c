// SPDX-License-Identifier: GPL-2.0-only
/*
 * PINGs of the kernel, and peers that are dead. What takes too long otherwise
 * is in ws_assembly.c and ws_unanswered.c.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>

FIXTURE(keepalive)
{
	struct pair p;
};

FIXTURE_VARIANT(keepalive)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(keepalive, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(keepalive, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(keepalive)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
}

FIXTURE_TEARDOWN(keepalive)
{
	pair_close(&self->p);
}

static bool start_pings(struct pair *p, __u32 interval, __u32 timeout)
{
	return pair_start(p, (struct ws_config){ .ping_interval = interval,
					    .ping_timeout = timeout });
}

/*
 * One PING, without payload, @from to @to milliseconds after @since, which was
 * before that from which on the interval is counted. A starved emulator's ticks
 * come late and then many at a time: lower bounds are low.
 */
static bool expect_ping(struct pair *p, uint64_t since, uint64_t from,
			unsigned int to)
{
	uint64_t took;

	if (!expect_frame(p, PING, "", 0))
		return false;
	took = now_ms() - since;
	return (took >= from || complain("PING after %llu ms", 0ULL + took)) &&
	       in_time(since, to);
}

TEST_F(keepalive, config)
{
	static const struct ws_config bad[] = {
		{ .ping_interval = WS_TIME_MAX + 1 },
		{ .ping_timeout = WS_TIME_MAX + 1 },
		{ .assembly_timeout = WS_TIME_MAX + 1 },
		{ .close_timeout = ~0U },
		{ .ping_interval = WS_TIME_MIN - 1 },
		{ .assembly_timeout = 1 },
	};
	struct ws_config cfg = ws_get_config(self->p.ws);
	size_t i;

	EXPECT_EQ(0, cfg.ping_interval);
	EXPECT_EQ(0, cfg.ping_timeout);
	EXPECT_EQ(0, cfg.assembly_timeout);
	EXPECT_EQ(WS_CLOSE_TIMEOUT_DEFAULT, cfg.close_timeout);
	cfg.ping_interval = 20000;
	cfg.close_timeout = 0;
	ASSERT_EQ(0, ws_set(self->p.ws, WS_CONFIG, &cfg, sizeof(cfg)));
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, ws_set(self->p.ws, WS_CONFIG, &bad[i],
					  sizeof(bad[i])));
	cfg = ws_get_config(self->p.ws);
	EXPECT_EQ(20000, cfg.ping_interval);
	EXPECT_EQ(20000, cfg.ping_timeout);
	EXPECT_EQ(WS_CLOSE_TIMEOUT_DEFAULT, cfg.close_timeout);
}

/* The peer answers: nobody here hears of it. */
TEST_F_TIMEOUT(keepalive, pings, 60)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct pair *p = &self->p;
	long long sent = ws_stat("WsTxPing");
	struct ws_info info;
	int ep = epoll_create1(0), i;
	uint64_t since = now_ms();

	ASSERT_TRUE(start_pings(p, 400, test_patience(2000)));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, p->ws, &ev));
	for (i = 0; i < 3; i++) {
		/* An eighth less by chance, and timers are coarse. */
		ASSERT_TRUE(expect_ping(p, since, 300, 1200));
		since = now_ms();
		ASSERT_TRUE(raw_frame(p, PONG, "", 0));
	}
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 50));
	info = ws_get_info(p->ws);
	EXPECT_EQ(3, info.tx_pings);
	EXPECT_EQ(3, info.rx_pongs);
	EXPECT_EQ(0, info.wakeups);
	EXPECT_EQ(0, info.state);
	EXPECT_EQ(sent + 3, ws_stat("WsTxPing"));
	close(ep);
}

static void *many_fragments(void *arg)
{
	struct pair *p = arg;
	uint64_t begin = now_ms();

	while (now_ms() - begin < 2500)
		if (!raw_frame(p, F_TEXT, "a", 1) || !raw_frame(p, CONT, "b", 1))
			return NULL;
	return p;
}

/* Many whose time comes at about the same time; some go before it comes. */
TEST_F_TIMEOUT(keepalive, pings_of_many, 90)
{
	long long sent = ws_stat("WsTxPing");
	struct pair q[200];
	uint64_t since = now_ms();
	size_t i;

	for (i = 0; i < ARRAY_SIZE(q); i++) {
		ASSERT_TRUE(pair_open(&q[i], variant->family, variant->role));
		ASSERT_TRUE(start_pings(&q[i], 1000, 60000));
	}
	for (i = 0; i < ARRAY_SIZE(q); i++) {
		ASSERT_TRUE(expect_ping(&q[i], since, 0, 40000));
		ASSERT_TRUE(raw_frame(&q[i], PONG, "", 0));
	}
	for (i = 0; i < ARRAY_SIZE(q); i += 2)
		pair_close(&q[i]);
	for (i = 1; i < ARRAY_SIZE(q); i += 2) {
		ASSERT_TRUE(expect_ping(&q[i], since, 0, 40000));
		EXPECT_EQ(0, ws_get_info(q[i].ws).wakeups);
		pair_close(&q[i]);
	}
	EXPECT_LE(sent + 300, ws_stat("WsTxPing"));
}

/* Messages that begin at any moment do not put the next PING off for ever. */
TEST_F_TIMEOUT(keepalive, pings_after_traffic, 60)
{
	struct ws_config cfg = { .ping_interval = 100, .ping_timeout = 60000,
				 .assembly_timeout = WS_TIME_MAX };
	struct pair *p = &self->p;
	uint64_t begin = now_ms();
	pthread_t thread;
	char buf[16];
	__u32 pings;
	void *ok;

	ASSERT_TRUE(pair_start(p, cfg));
	ASSERT_EQ(0, pthread_create(&thread, NULL, many_fragments, p));
	while (now_ms() - begin < 3000)
		if (ws_recv(p->ws, buf, sizeof(buf), MSG_DONTWAIT).n < 0)
			usleep(500);
	ASSERT_EQ(0, pthread_join(thread, &ok));
	EXPECT_NE(NULL, ok);
	while (ws_recv(p->ws, buf, sizeof(buf), MSG_DONTWAIT).n > 0)
		;
	ASSERT_TRUE(raw_frame(p, PONG, "", 0));
	pings = ws_get_info(p->ws).tx_pings;
	EXPECT_TRUE(wait_until(ws_get_info(p->ws).tx_pings > pings));
}

/* Any byte says that the peer lives, even a part of a frame. */
TEST_F_TIMEOUT(keepalive, no_pings_while_data_flows, 60)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	uint64_t since;
	size_t i;

	ASSERT_TRUE(pair_start(p, (struct ws_config){
		.ping_interval = test_patience(600) }));
	bytes_frame(&b, p, BINARY, pattern(0, 40), 40);
	for (i = 0; i < b.n; i++) {
		ASSERT_TRUE(raw_send(p, b.p + i, 1));
		usleep(50000);
	}
	bytes_free(&b);
	EXPECT_EQ(0, ws_get_info(p->ws).tx_pings);
	since = now_ms();
	EXPECT_TRUE(expect_message(p->ws, WS_OP_BINARY, pattern(0, 40), 40));
	EXPECT_TRUE(expect_ping(p, since, 0, test_patience(1500)));
}

/* What came from anywhere counts as an answer, not only a PONG. */
TEST_F_TIMEOUT(keepalive, a_message_is_an_answer, 60)
{
	struct pair *p = &self->p;
	uint64_t since = now_ms();
	int i;

	ASSERT_TRUE(start_pings(p, 200, test_patience(1000)));
	for (i = 0; i < 8; i++) {
		ASSERT_TRUE(expect_ping(p, since, 100, 1000));
		since = now_ms();
		ASSERT_TRUE(raw_frame(p, TEXT, "here", 4));
		ASSERT_TRUE(expect_text(p->ws, "here"));
	}
	EXPECT_EQ(0, ws_get_info(p->ws).state);
}

/* The first and only thing that the application hears is the death. */
TEST_F_TIMEOUT(keepalive, dead_peer, 60)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	struct pair *p = &self->p;
	long long dead = ws_stat("WsErrPingTimeout");
	int ep = epoll_create1(0);
	uint64_t begin = now_ms();
	struct ws_info info;

	ASSERT_TRUE(start_pings(p, 300, 400));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, p->ws, &ev));
	ASSERT_EQ(1, epoll_wait(ep, &ev, 1, WS_TEST_MS));
	EXPECT_LE(350, now_ms() - begin);
	EXPECT_TRUE(in_time(begin, 4000));
	EXPECT_TRUE(ev.events & EPOLLERR);
	info = ws_get_info(p->ws);
	EXPECT_EQ(0, info.wakeups);
	EXPECT_EQ(WS_RULE_PING_TIMEOUT, info.rule);
	EXPECT_EQ(WS_STATE_FAILED, info.state);
	EXPECT_TRUE(expect_error(p->ws, ETIMEDOUT));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_EQ(-EPIPE, ws_send(p->ws, WS_OP_TEXT, "a", 1, 0));
	EXPECT_EQ(dead + 1, ws_stat("WsErrPingTimeout"));
	EXPECT_TRUE(expect_frame(p, PING, "", 0));
	EXPECT_TRUE(expect_reset(p));
	close(ep);
}

static void *reader(void *arg)
{
	struct pair *p = arg;
	char byte;

	return (void *)(intptr_t)ws_recv(p->ws, &byte, 1, 0).n;
}

TEST_F_TIMEOUT(keepalive, dead_peer_of_a_sleeper, 60)
{
	struct pair *p = &self->p;
	pthread_t thread;
	void *ret;

	ASSERT_TRUE(pair_start(p, (struct ws_config){ .ping_interval = 300 }));
	ASSERT_EQ(0, pthread_create(&thread, NULL, reader, p));
	ASSERT_EQ(0, pthread_join(thread, &ret));
	EXPECT_EQ(-ETIMEDOUT, (intptr_t)ret);
}

/* What was complete before is still there. */
TEST_F_TIMEOUT(keepalive, last_words, 60)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(pair_start(p, (struct ws_config){ .ping_interval = 300 }));
	ASSERT_TRUE(raw_frame(p, TEXT, "last", 4));
	ASSERT_TRUE(raw_frame(p, F_TEXT, "never ", 6));
	ASSERT_NE(0, poll_for(p->ws, POLLHUP, WS_TEST_MS));
	EXPECT_TRUE(expect_text(p->ws, "last"));
	EXPECT_TRUE(expect_error(p->ws, ETIMEDOUT));
}

/* Nobody reads here, so the peer cannot answer: that is not its fault. */
TEST_F_TIMEOUT(keepalive, window_shut, 60)
{
	struct ws_config cfg = { .role = variant->role, .ping_interval = 200,
				 .ping_timeout = test_patience(800) };
	struct sender s;
	struct pair p;
	size_t at = 0;

	ASSERT_TRUE(pair_open_rcvbuf(&p, variant->family, variant->role,
				     16384, 16384, 1400));
	ASSERT_EQ(0, ws_set(p.ws, WS_CONFIG, &cfg, sizeof(cfg)));
	ASSERT_EQ(0, poll_now(p.ws, POLLIN));
	ASSERT_TRUE(sender_start(&s, &p, BINARY, 100000));
	usleep(test_patience(3000000));
	EXPECT_EQ(0, ws_get_info(p.ws).rule);
	while (at < 100000) {
		char buf[5000];
		struct got got = ws_recv(p.ws, buf, sizeof(buf), 0);

		ASSERT_LT(0, got.n);
		ASSERT_TRUE(is_pattern(buf, at, got.n));
		at += got.n;
	}
	EXPECT_TRUE(sender_join(&s));
	pair_close(&p);
}

/* The PING waits behind data that a slow peer takes bit by bit. */
TEST_F_TIMEOUT(keepalive, slow_consumer, 90)
{
	struct ws_config cfg = { .role = variant->role, .ping_interval = 300,
				 .ping_timeout = test_patience(1600) };
	struct pair p;
	int sndbuf = 200000;
	char buf[2000];
	size_t sent = 0;
	ssize_t n;
	int i;

	ASSERT_TRUE(pair_open_rcvbuf(&p, variant->family, variant->role,
				     0, 16384, 1400));
	ASSERT_EQ(0, ws_set(p.ws, WS_CONFIG, &cfg, sizeof(cfg)));
	ASSERT_EQ(0, setsockopt(p.ws, SOL_SOCKET, SO_SNDBUF, &sndbuf,
				sizeof(sndbuf)));
	while ((n = ws_send(p.ws, WS_OP_BINARY, pattern(0, 16384), 16384,
			    MSG_DONTWAIT)) > 0)
		sent += n;
	ASSERT_LT(sizeof(buf) * 80, sent);
	for (i = 0; i < 80; i++) {
		ASSERT_LT(0, recv(p.raw, buf, sizeof(buf), 0)) {
			TH_LOG("%d: %s, rule %u", i, strerror(errno),
			       ws_get_info(p.ws).rule);
		}
		usleep(60000);
	}
	EXPECT_EQ(0, ws_get_info(p.ws).rule);
	/* ... and then takes no more. */
	EXPECT_NE(0, poll_for(p.ws, POLLERR, WS_TEST_MS));
	EXPECT_EQ(WS_RULE_PING_TIMEOUT, ws_get_info(p.ws).rule);
	pair_close(&p);
}

TEST_F_TIMEOUT(keepalive, turned_off_and_on, 60)
{
	struct pair *p = &self->p;
	uint64_t since = now_ms();

	/* Time to turn it off before the peer is given up. */
	ASSERT_TRUE(start_pings(p, 300, test_patience(2000)));
	ASSERT_TRUE(expect_ping(p, since, 200, 1200));
	ASSERT_TRUE(pair_start(p, (struct ws_config){ .ping_interval = 0 }));
	usleep(1000000);
	EXPECT_EQ(1, ws_get_info(p->ws).tx_pings);
	EXPECT_EQ(0, ws_get_info(p->ws).state);
	since = now_ms();
	ASSERT_TRUE(pair_start(p, (struct ws_config){ .ping_interval = 300 }));
	ASSERT_TRUE(expect_ping(p, since, 200, 1200));
}

/* TCP's own end of waiting for a peer that takes nothing. */
TEST_F_TIMEOUT(keepalive, user_timeout, 60)
{
	struct pair *p = &self->p;
	ssize_t n;

	ASSERT_EQ(0, set_int(p->ws, SOL_TCP, TCP_USER_TIMEOUT, 500));
	do {
		n = ws_send(p->ws, WS_OP_BINARY, pattern(0, 60000), 60000,
			    MSG_DONTWAIT);
	} while (n > 0);
	ASSERT_EQ(-EAGAIN, n);
	ASSERT_NE(0, poll_for(p->ws, POLLERR, 3 * WS_TEST_MS));
	EXPECT_TRUE(expect_error(p->ws, ETIMEDOUT));
	EXPECT_TRUE(expect_eof(p->ws));
}

TEST_HARNESS_MAIN
