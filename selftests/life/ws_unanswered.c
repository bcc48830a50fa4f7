// SPDX-License-Identifier: GPL-2.0-only
/*
 * A peer that never answers our Close: whichever way it was sent, the time limit
 * starts then, once, and when it is over the connection is reset.
 */
#include "kselftest_harness.h"
#include "ws_ways.h"

FIXTURE(unanswered)
{
	struct pair p;
	long long limits;
};

FIXTURE_VARIANT(unanswered)
{
	__u32 role;
	enum way way;
};

FIXTURE_VARIANT_ADD(unanswered, message) { WS_ROLE_SERVER, BY_MESSAGE };
FIXTURE_VARIANT_ADD(unanswered, message_client) { WS_ROLE_CLIENT, BY_MESSAGE };
FIXTURE_VARIANT_ADD(unanswered, record) { WS_ROLE_CLIENT, BY_RECORD };
FIXTURE_VARIANT_ADD(unanswered, array) { WS_ROLE_SERVER, BY_ARRAY };
FIXTURE_VARIANT_ADD(unanswered, shutdown) { WS_ROLE_SERVER, BY_SHUTDOWN };

FIXTURE_SETUP(unanswered)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(pair_open(p, AF_INET, variant->role));
	ASSERT_EQ(0, set_flags(p->ws, way_flags(variant->way)));
	self->limits = ws_stat("WsErrCloseTimeout");
}

FIXTURE_TEARDOWN(unanswered)
{
	pair_close(&self->p);
}

/* What the program sees when the time is over. */
static bool is_over(struct pair *p, int code)
{
	struct ws_info info;

	if (!(poll_for(p->ws, POLLRDHUP, WS_TEST_MS) & POLLERR))
		return complain("no error");
	if (!expect_error(p->ws, ETIMEDOUT) || !expect_eof(p->ws))
		return false;
	info = ws_get_info(p->ws);
	if (info.rule != WS_RULE_CLOSE_TIMEOUT ||
	    info.state != (WS_STATE_CLOSE_SENT | WS_STATE_FAILED) ||
	    info.close_sent != code || info.close_received)
		return complain("rule %u state %x codes %u and %u", info.rule,
				info.state, info.close_sent,
				info.close_received);
	return (send(p->ws, "12345678", 8, MSG_NOSIGNAL) < 0 &&
		errno == EPIPE) || complain("it can be sent to");
}

TEST_F(unanswered, time_is_over)
{
	struct pair *p = &self->p;
	uint64_t begin;

	ASSERT_EQ(0, set_close_timeout(p->ws, 300));
	/* The connection is older than the limit. */
	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	usleep(400000);
	begin = now_ms();
	ASSERT_EQ(0, close_by(p, variant->way, 0));
	EXPECT_TRUE(expect_close_by(p, variant->way));
	EXPECT_TRUE(is_over(p, way_code(variant->way)));
	EXPECT_LE(290, now_ms() - begin);
	EXPECT_EQ(self->limits + 1, ws_stat("WsErrCloseTimeout"));
	EXPECT_TRUE(expect_reset(p));
}

/* A Close waits behind nothing but what was sent before it: one period. */
TEST_F(unanswered, time_is_not_doubled)
{
	struct pair *p = &self->p;
	uint64_t begin;

	ASSERT_EQ(0, set_close_timeout(p->ws, 1000));
	begin = now_ms();
	ASSERT_EQ(0, close_by(p, variant->way, 0));
	EXPECT_TRUE(expect_close_by(p, variant->way));
	EXPECT_TRUE(is_over(p, way_code(variant->way)));
	EXPECT_LE(990, now_ms() - begin);
	/* The message of the array may have been acknowledged late. */
	EXPECT_TRUE(in_time(begin, variant->way == BY_ARRAY ? 2700 : 1700));
}

/* The program does not look at the socket any more: a timer ends it. */
TEST_F(unanswered, nobody_looks)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, set_close_timeout(p->ws, 300));
	ASSERT_EQ(0, close_by(p, variant->way, 0));
	EXPECT_TRUE(expect_close_by(p, variant->way));
	EXPECT_TRUE(expect_reset(p));
	EXPECT_EQ(self->limits + 1, ws_stat("WsErrCloseTimeout"));
	EXPECT_TRUE(is_over(p, way_code(variant->way)));
}

/* The same, although the peer sends and sends, PINGs among it. */
TEST_F(unanswered, by_a_talker)
{
	uint64_t end = now_ms() + WS_TEST_MS;
	struct pair *p = &self->p;
	char buf[64];
	struct got got;

	ASSERT_EQ(0, set_close_timeout(p->ws, 300));
	ASSERT_EQ(0, close_by(p, variant->way, 0));
	EXPECT_TRUE(expect_close_by(p, variant->way));
	do {
		if (raw_frame(p, PING, "?", 1))
			raw_frame(p, TEXT, "more", 4);
		got = ws_recv(p->ws, buf, sizeof(buf), MSG_DONTWAIT);
		usleep(10000);
	} while ((got.n > 0 || got.n == -EAGAIN) && now_ms() < end);
	EXPECT_EQ(-ETIMEDOUT, got.n);
	EXPECT_EQ(WS_RULE_CLOSE_TIMEOUT, ws_get_info(p->ws).rule);
	EXPECT_EQ(0, ws_get_info(p->ws).tx_pongs);
}

/* The time starts with the first Close; asking again does not prolong it. */
TEST_F(unanswered, asked_again)
{
	uint64_t end = now_ms() + WS_TEST_MS;
	struct pair *p = &self->p;

	ASSERT_EQ(0, set_close_timeout(p->ws, 600));
	ASSERT_EQ(0, close_by(p, variant->way, 0));
	while (!(poll_for(p->ws, POLLRDHUP, 50) & POLLERR) && now_ms() < end) {
		shutdown(p->ws, SHUT_WR);
		ws_send_close(p->ws, 1000, "");
	}
	EXPECT_TRUE(expect_close_by(p, variant->way));
	EXPECT_TRUE(is_over(p, way_code(variant->way)));
}

/* An answer in time ends the limit, also when nobody has read it. */
TEST_F(unanswered, but_for_an_answer)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	ASSERT_EQ(0, set_close_timeout(p->ws, test_patience(300)));
	ASSERT_EQ(0, close_by(p, variant->way, 0));
	EXPECT_TRUE(expect_close_by(p, variant->way));
	bytes_close(&b, p, 3333, "");
	ASSERT_TRUE(raw_send_bytes(p, &b));
	usleep(test_patience(600000));
	EXPECT_EQ(0, poll_now(p->ws, POLLIN) & POLLERR);
	EXPECT_EQ(0, ws_get_info(p->ws).rule);
	EXPECT_EQ(self->limits, ws_stat("WsErrCloseTimeout"));
	if (variant->way != BY_RECORD)
		EXPECT_TRUE(expect_received_close(p->ws, 3333, ""));
}

FIXTURE(taken) {};

FIXTURE_VARIANT(taken)
{
	__u32 role;
};

FIXTURE_VARIANT_ADD(taken, server) { WS_ROLE_SERVER };
FIXTURE_VARIANT_ADD(taken, client) { WS_ROLE_CLIENT };

FIXTURE_SETUP(taken) {}
FIXTURE_TEARDOWN(taken) {}

/*
 * While the peer takes what was sent before the Close, the time to answer it
 * has not begun; it does when the Close is there.
 */
TEST_F_TIMEOUT(taken, slowly, 60)
{
	unsigned int limit = test_patience(1000);
	int n, i, room = 200000;
	uint64_t begin;
	struct pair p;
	struct frame f;

	ASSERT_TRUE(pair_open_small(&p, AF_INET, variant->role));
	ASSERT_EQ(0, setsockopt(p.ws, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)));
	ASSERT_EQ(0, set_close_timeout(p.ws, limit));
	n = fill_way(p.ws);
	ASSERT_EQ(0, shutdown(p.ws, SHUT_WR));
	begin = now_ms();
	/* For much longer than the limit, but a small part of it at a time. */
	for (i = 0; i < n; i++) {
		ASSERT_TRUE(read_frame(&p, &f));
		ASSERT_EQ(FILL, (int)f.len);
		free(f.data);
		if (now_ms() - begin < 2 * limit)
			usleep(limit * 1000 / 20);
	}
	EXPECT_LT(limit, now_ms() - begin);
	EXPECT_TRUE(expect_close(&p, 1000, ""));
	EXPECT_EQ(0, ws_get_info(p.ws).rule);
	EXPECT_TRUE(is_over(&p, 1000));
	pair_close(&p);
}

FIXTURE(closed)
{
	struct pair p;
};

FIXTURE_VARIANT(closed)
{
	__u32 role;
	enum way way;
};

FIXTURE_VARIANT_ADD(closed, close) { WS_ROLE_SERVER, BY_CLOSE };
FIXTURE_VARIANT_ADD(closed, close_client) { WS_ROLE_CLIENT, BY_CLOSE };
FIXTURE_VARIANT_ADD(closed, message) { WS_ROLE_SERVER, BY_MESSAGE };
FIXTURE_VARIANT_ADD(closed, record) { WS_ROLE_SERVER, BY_RECORD };
FIXTURE_VARIANT_ADD(closed, array) { WS_ROLE_CLIENT, BY_ARRAY };
FIXTURE_VARIANT_ADD(closed, shutdown) { WS_ROLE_CLIENT, BY_SHUTDOWN };
FIXTURE_VARIANT_ADD(closed, shutdown_both) { WS_ROLE_CLIENT, BY_SHUTDOWN_BOTH };

FIXTURE_SETUP(closed)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(pair_open(p, AF_INET6, variant->role));
	ASSERT_EQ(0, set_flags(p->ws, way_flags(variant->way)));
}

FIXTURE_TEARDOWN(closed)
{
	pair_close(&self->p);
}

/*
 * close() starts the limit anew, also when the Close has been sent before, and
 * after it TCP is ended, not reset; the socket is gone.
 */
TEST_F(closed, time_is_over)
{
	long long limits = ws_stat("WsErrCloseTimeout");
	long long lingering = ws_stat("WsCurrLingering");
	struct pair *p = &self->p;
	uint64_t begin;

	ASSERT_EQ(0, set_close_timeout(p->ws, test_patience(600)));
	ASSERT_EQ(0, close_by(p, variant->way, 0));
	if (variant->way != BY_CLOSE)
		usleep(200000);
	begin = now_ms();
	EXPECT_EQ(0, p->ws < 0 ? 0 : close(p->ws));
	p->ws = -1;
	EXPECT_EQ(lingering + 1, ws_stat("WsCurrLingering"));
	EXPECT_TRUE(expect_close_by(p, variant->way));
	EXPECT_TRUE(expect_fin(p));
	if (variant->way != BY_SHUTDOWN_BOTH)
		EXPECT_LE(test_patience(600) - 10, now_ms() - begin);
	EXPECT_TRUE(stat_becomes("WsCurrLingering", lingering));
	EXPECT_EQ(limits + 1, ws_stat("WsErrCloseTimeout"));
}

FIXTURE(close_timeout)
{
	struct pair p;
};

FIXTURE_VARIANT(close_timeout)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(close_timeout, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(close_timeout, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(close_timeout)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
}

FIXTURE_TEARDOWN(close_timeout)
{
	pair_close(&self->p);
}

/* Our Close is not answered: TCP is ended, the reader told. */
TEST_F_TIMEOUT(close_timeout, unanswered, 60)
{
	struct pair *p = &self->p;
	long long limits = ws_stat("WsErrCloseTimeout");
	uint64_t begin;

	/* Long enough to read the message before. */
	ASSERT_TRUE(pair_start(p, (struct ws_config){
		.close_timeout = test_patience(400) }));
	begin = now_ms();
	ASSERT_EQ(0, shutdown(p->ws, SHUT_WR));
	ASSERT_TRUE(raw_frame(p, TEXT, "not a Close", 11));
	EXPECT_TRUE(expect_text(p->ws, "not a Close"));
	EXPECT_TRUE(expect_error(p->ws, ETIMEDOUT));
	EXPECT_LE(200, now_ms() - begin);
	EXPECT_TRUE(in_time(begin, 4000));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_EQ(WS_RULE_CLOSE_TIMEOUT, ws_get_info(p->ws).rule);
	EXPECT_EQ(limits + 1, ws_stat("WsErrCloseTimeout"));
	EXPECT_TRUE(expect_close(p, 1000, ""));
	EXPECT_TRUE(expect_reset(p));
}

/* The answer is there; that the application is slow changes nothing. */
TEST_F_TIMEOUT(close_timeout, answered, 60)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	ASSERT_TRUE(pair_start(p, (struct ws_config){
		.close_timeout = test_patience(300) }));
	ASSERT_EQ(0, shutdown(p->ws, SHUT_WR));
	ASSERT_TRUE(raw_frame(p, TEXT, "before", 6));
	bytes_close(&b, p, 1000, "");
	ASSERT_TRUE(raw_send_bytes(p, &b));
	usleep(test_patience(1000000));
	EXPECT_TRUE(expect_text(p->ws, "before"));
	EXPECT_TRUE(expect_received_close(p->ws, 1000, ""));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_EQ(0, ws_get_info(p->ws).rule);
}

/* What was accepted before a Close is not lost to a peer that takes its time. */
TEST_F_TIMEOUT(close_timeout, behind_data, 90)
{
	struct ws_config cfg = { .role = variant->role, .close_timeout = test_patience(2500) };
	int sndbuf = 200000;
	struct bytes b = { 0 };
	size_t sent = 0, at = 0;
	struct frame f;
	struct pair p;
	ssize_t n;

	ASSERT_TRUE(pair_open_rcvbuf(&p, variant->family, variant->role,
				     0, 16384, 1400));
	ASSERT_EQ(0, ws_set(p.ws, WS_CONFIG, &cfg, sizeof(cfg)));
	ASSERT_EQ(0, setsockopt(p.ws, SOL_SOCKET, SO_SNDBUF, &sndbuf,
				sizeof(sndbuf)));
	while ((n = ws_send(p.ws, WS_OP_BINARY, pattern(sent, 4096), 4096,
			    MSG_DONTWAIT | MSG_MORE)) > 0)
		sent += n;
	ASSERT_EQ(0, shutdown(p.ws, SHUT_WR));
	while (at < sent) {
		ASSERT_TRUE(read_frame(&p, &f)) {
			TH_LOG("%zu of %zu bytes", at, sent);
		}
		ASSERT_TRUE(is_pattern(f.data, at, f.len));
		at += f.len;
		free(f.data);
		usleep(60000);
	}
	EXPECT_TRUE(expect_close(&p, 1000, ""));
	usleep(400000);
	bytes_close(&b, &p, 1000, "");
	ASSERT_TRUE(raw_send_bytes(&p, &b));
	EXPECT_TRUE(expect_received_close(p.ws, 1000, ""));
	EXPECT_EQ(0, ws_get_info(p.ws).rule);
	pair_close(&p);
}

/* A Close that TCP has no room for is as good as unanswered. */
TEST_F_TIMEOUT(close_timeout, behind_a_full_buffer, 60)
{
	struct pair *p = &self->p;
	ssize_t n;

	ASSERT_TRUE(pair_start(p, (struct ws_config){ .close_timeout = 500 }));
	do {
		n = ws_send(p->ws, WS_OP_BINARY, pattern(0, 60000), 60000,
			    MSG_DONTWAIT);
	} while (n > 0);
	ASSERT_EQ(-EAGAIN, n);
	ASSERT_EQ(0, shutdown(p->ws, SHUT_WR));
	EXPECT_TRUE(expect_error(p->ws, ETIMEDOUT));
	EXPECT_EQ(WS_RULE_CLOSE_TIMEOUT, ws_get_info(p->ws).rule);
}

TEST_HARNESS_MAIN
