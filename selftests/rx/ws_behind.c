// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lies behind a message that nobody has read yet, where many of them come
 * in one call: the module has not looked at it, and nobody must notice.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <sys/epoll.h>

FIXTURE(behind)
{
	struct pair p;
	unsigned char buf[1 << 16];
};

FIXTURE_VARIANT(behind)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(behind, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(behind, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(behind)
{
	struct ws_config cfg;

	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
	cfg = ws_get_config(self->p.ws);
	cfg.flags = WS_F_RECORDS;
	cfg.max_message = 1000;
	ASSERT_EQ(0, ws_set(self->p.ws, WS_CONFIG, &cfg, sizeof(cfg)));
	/* The first look at the stream, before anything is there. */
	ASSERT_EQ(-1, recv(self->p.ws, self->buf, 64, MSG_DONTWAIT));
}

FIXTURE_TEARDOWN(behind)
{
	pair_close(&self->p);
}

/* One message, then whatever @b has, in one segment. */
static bool send_behind(struct pair *p, struct bytes *b)
{
	struct bytes all = { 0 };
	bool ok;

	bytes_frame(&all, p, BINARY, "first", 5);
	bytes_raw(&all, b->p, b->n);
	bytes_free(b);
	ok = raw_send_bytes(p, &all) && settle(p);
	bytes_free(&all);
	return ok;
}

static struct ws_msg msg_at(const unsigned char *p)
{
	struct ws_msg m;

	memcpy(&m, p, sizeof(m));
	return m;
}

TEST_F(behind, ping_without_a_reader)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_frame(&b, p, BINARY, "second", 6);
	bytes_frame(&b, p, PING, "?", 1);
	ASSERT_TRUE(send_behind(p, &b));
	EXPECT_TRUE(expect_frame(p, PONG, "?", 1));
	EXPECT_EQ(1, ws_get_info(p->ws).wakeups);
	ASSERT_EQ(32, recv(p->ws, self->buf, sizeof(self->buf), 0));
	EXPECT_EQ(WS_MSG_END | WS_MSG_MORE, msg_at(self->buf).flags);
	EXPECT_EQ(WS_MSG_END, msg_at(self->buf + 16).flags);
}

TEST_F(behind, ping_with_a_reader)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_frame(&b, p, PING, "?", 1);
	ASSERT_TRUE(send_behind(p, &b));
	ASSERT_EQ(16, recv(p->ws, self->buf, sizeof(self->buf), 0));
	EXPECT_EQ(WS_MSG_END, msg_at(self->buf).flags);
	EXPECT_TRUE(expect_frame(p, PONG, "?", 1));
	EXPECT_EQ(1, ws_get_info(p->ws).rx_pings);
}

/* Text, a fragment, a longer header, no payload: each ends the short way. */
TEST_F(behind, mixture)
{
	static const int first[] = { TEXT, BINARY, BINARY, F_TEXT, CONT, TEXT };
	static const size_t len[] = { 40, 200, 0, 9, 3, 1 };
	const unsigned char *at = self->buf;
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	ssize_t n;
	int i;

	for (i = 0; i < 60; i++)
		bytes_frame(&b, p, first[i % 6], pattern(i, len[i % 6]),
			    len[i % 6]);
	ASSERT_TRUE(send_behind(p, &b));
	n = recv(p->ws, self->buf, sizeof(self->buf), 0);
	ASSERT_EQ(16 + 10 * (48 + 208 + 8 + 24 + 16), n);
	at += 16;
	for (i = 0; i < 60; i++) {
		struct ws_msg m = msg_at(at);

		if (i % 6 == 4)
			continue;
		ASSERT_EQ(len[i % 6] + (i % 6 == 3 ? 3 : 0), m.len);
		ASSERT_EQ(first[i % 6] & 3, m.opcode);
		ASSERT_EQ(i < 59 ? WS_MSG_END | WS_MSG_MORE : WS_MSG_END,
			  m.flags);
		ASSERT_EQ(0, memcmp(at + 8, pattern(i, len[i % 6]),
				    len[i % 6]));
		at += WS_RECORD_SIZE(m.len);
	}
	EXPECT_EQ(51, ws_get_info(p->ws).rx_messages);
}

/* What is not whole is no message, and says nothing of more. */
TEST_F(behind, half_a_message)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_frame(&b, p, BINARY, "second", 6);
	b.n -= 3;
	ASSERT_TRUE(send_behind(p, &b));
	ASSERT_EQ(16, recv(p->ws, self->buf, sizeof(self->buf), MSG_PEEK));
	EXPECT_EQ(WS_MSG_END, msg_at(self->buf).flags);
	ASSERT_EQ(16, recv(p->ws, self->buf, sizeof(self->buf), 0));
	EXPECT_EQ(WS_MSG_END, msg_at(self->buf).flags);
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
}

static int fault_behind(struct pair *p, unsigned char *buf, size_t size,
			struct bytes *b, size_t before)
{
	if (!send_behind(p, b) ||
	    recv(p->ws, buf, size, 0) != (ssize_t)before ||
	    msg_at(buf + before - 16).flags != (WS_MSG_END | WS_MSG_MORE))
		return 0;
	return recv(p->ws, buf, size, 0) < 0 ? errno : 0;
}

TEST_F(behind, too_big)
{
	struct bytes b = { 0 };

	bytes_frame(&b, &self->p, BINARY, "second", 6);
	bytes_frame(&b, &self->p, BINARY, pattern(1, 1001), 1001);
	EXPECT_EQ(EMSGSIZE, fault_behind(&self->p, self->buf,
					 sizeof(self->buf), &b, 32));
	EXPECT_TRUE(expect_close(&self->p, 1009, ""));
}

TEST_F(behind, not_text)
{
	struct bytes b = { 0 };

	bytes_frame(&b, &self->p, BINARY, "second", 6);
	bytes_frame(&b, &self->p, TEXT, "\xc0\xaf", 2);
	EXPECT_EQ(EILSEQ, fault_behind(&self->p, self->buf,
				       sizeof(self->buf), &b, 32));
	EXPECT_TRUE(expect_close(&self->p, 1007, ""));
}

TEST_F(behind, reserved_bit)
{
	struct bytes b = { 0 };

	bytes_frame(&b, &self->p, BINARY, "second", 6);
	bytes_frame(&b, &self->p, BINARY | 0x40, "third", 5);
	EXPECT_EQ(EPROTO, fault_behind(&self->p, self->buf,
				       sizeof(self->buf), &b, 32));
	EXPECT_TRUE(expect_close(&self->p, 1002, ""));
}

TEST_F(behind, close)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_close(&b, p, 4000, "");
	ASSERT_TRUE(send_behind(p, &b));
	ASSERT_EQ(16, recv(p->ws, self->buf, sizeof(self->buf), 0));
	EXPECT_EQ(WS_MSG_END | WS_MSG_MORE, msg_at(self->buf).flags);
	ASSERT_EQ(8, recv(p->ws, self->buf, sizeof(self->buf), 0));
	EXPECT_EQ(4000, msg_at(self->buf).code);
	EXPECT_TRUE(expect_close(p, 4000, ""));
}

/* Less room than there is: the rest is still there, and is told of. */
TEST_F(behind, no_room)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	int i;

	for (i = 0; i < 9; i++)
		bytes_frame(&b, p, BINARY, "again", 5);
	ASSERT_TRUE(send_behind(p, &b));
	for (i = 0; i < 10; i += 2) {
		ASSERT_EQ(32, recv(p->ws, self->buf, 40, 0));
		EXPECT_EQ(WS_MSG_END | WS_MSG_MORE, msg_at(self->buf).flags);
		EXPECT_EQ(i < 8 ? WS_MSG_END | WS_MSG_MORE : WS_MSG_END,
			  msg_at(self->buf + 16).flags);
	}
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
}

/* An edge is seen for what comes while the first is still unread. */
TEST_F(behind, edges)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };
	struct pair *p = &self->p;
	int ep = epoll_create1(0);
	struct bytes b = { 0 };

	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, p->ws, &e));
	bytes_frame(&b, p, BINARY, "second", 6);
	ASSERT_TRUE(send_behind(p, &b));
	EXPECT_EQ(1, epoll_wait(ep, &e, 1, WS_TEST_MS));
	ASSERT_TRUE(raw_frame(p, BINARY, "third", 5));
	EXPECT_EQ(1, epoll_wait(ep, &e, 1, WS_TEST_MS));
	EXPECT_EQ(48, recv(p->ws, self->buf, sizeof(self->buf), 0));
	close(ep);
}

TEST_HARNESS_MAIN
