// SPDX-License-Identifier: GPL-2.0-only
/* shutdown() and close(): the Close that they send, and what follows it. */
#include "kselftest_harness.h"
#include "ws_test.h"

FIXTURE(shutdown)
{
	struct pair p;
};

FIXTURE_VARIANT(shutdown)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(shutdown, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(shutdown, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(shutdown)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
}

FIXTURE_TEARDOWN(shutdown)
{
	pair_close(&self->p);
}

/* The peer's part after a Close of ours; close() has been called. */
static bool handshake_ends(struct pair *p, int code)
{
	if (!expect_silence(p) || !raw_close(p, code, ""))
		return false;
	if (p->role == WS_ROLE_CLIENT &&
	    (!expect_silence(p) || shutdown(p->raw, SHUT_WR)))
		return false;
	return expect_fin(p);
}

TEST_F(shutdown, of_sending)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, shutdown(p->ws, SHUT_WR));
	EXPECT_TRUE(expect_close(p, 1000, ""));
	EXPECT_TRUE(expect_silence(p));
	EXPECT_EQ(-EPIPE, ws_send(p->ws, WS_OP_TEXT, "a", 1, 0));
	EXPECT_EQ(0, shutdown(p->ws, SHUT_WR));
	ASSERT_TRUE(raw_frame(p, TEXT, "late", 4));
	EXPECT_TRUE(expect_text(p->ws, "late"));
	ASSERT_TRUE(raw_close(p, 1000, ""));
	EXPECT_TRUE(expect_received_close(p->ws, 1000, ""));
	EXPECT_TRUE(expect_tcp_end(p));
	EXPECT_TRUE(expect_eof(p->ws));
}

TEST_F(shutdown, of_both)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, shutdown(p->ws, SHUT_RDWR));
	EXPECT_TRUE(expect_close(p, 1000, ""));
	EXPECT_TRUE(expect_fin(p));
	EXPECT_TRUE(expect_eof(p->ws));
}

TEST_F(shutdown, of_what)
{
	EXPECT_EQ(-1, shutdown(self->p.ws, 3));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, shutdown(self->p.ws, -1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(expect_silence(&self->p));
}

/* close() says that it goes away, and does not wait. */
TEST_F(shutdown, by_close)
{
	struct pair *p = &self->p;
	uint64_t begin = now_ms();

	ASSERT_EQ(2, ws_send(p->ws, WS_OP_TEXT, "hi", 2, 0));
	ASSERT_EQ(0, close(p->ws));
	p->ws = -1;
	EXPECT_TRUE(in_time(begin, 2000));
	EXPECT_TRUE(expect_frame(p, TEXT, "hi", 2));
	EXPECT_TRUE(expect_close(p, 1001, ""));
	EXPECT_TRUE(handshake_ends(p, 1001));
}

/* SO_LINGER: for a while, if so asked; or an abort, which says nothing. */
TEST_F(shutdown, by_close_with_linger)
{
	struct linger l = { .l_onoff = 1, .l_linger = 1 };
	struct pair *p = &self->p;
	uint64_t begin = now_ms();
	struct pair q;

	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	ASSERT_EQ(0, close(p->ws));
	p->ws = -1;
	EXPECT_TRUE(in_time(begin, 5000));
	EXPECT_LE(900, now_ms() - begin);
	EXPECT_TRUE(expect_close(p, 1001, ""));
	EXPECT_TRUE(handshake_ends(p, 1001));

	ASSERT_TRUE(pair_open(&q, variant->family, variant->role));
	l.l_linger = 0;
	ASSERT_EQ(0, setsockopt(q.ws, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	ASSERT_EQ(0, close(q.ws));
	q.ws = -1;
	EXPECT_TRUE(poll_for(q.raw, POLLHUP, WS_TEST_MS));
	pair_close(&q);
}

/* The peer reads nothing: close() does not wait for it. */
TEST_F(shutdown, by_close_with_a_full_buffer)
{
	struct pair *p = &self->p;
	uint64_t begin;
	ssize_t n;

	do {
		n = ws_send(p->ws, WS_OP_BINARY, pattern(0, 60000), 60000,
			    MSG_DONTWAIT);
	} while (n > 0);
	ASSERT_EQ(-EAGAIN, n);
	begin = now_ms();
	ASSERT_EQ(0, close(p->ws));
	p->ws = -1;
	EXPECT_TRUE(in_time(begin, 3000));
}

/* The Close is not said twice. */
TEST_F(shutdown, by_close_after_a_close)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, ws_send_close(p->ws, 1000, ""));
	ASSERT_EQ(0, close(p->ws));
	p->ws = -1;
	EXPECT_TRUE(expect_close(p, 1000, ""));
	EXPECT_TRUE(handshake_ends(p, 1000));
}

/* Attached and never used: it goes away like any other. */
TEST_F(shutdown, by_close_of_an_idle_socket)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, close(p->ws));
	p->ws = -1;
	EXPECT_TRUE(expect_close(p, 1001, ""));
	EXPECT_TRUE(handshake_ends(p, 1001));
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

TEST_HARNESS_MAIN
