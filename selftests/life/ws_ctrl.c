// SPDX-License-Identifier: GPL-2.0-only
/*
 * PING and PONG, RFC 6455 sections 5.5.2 and 5.5.3: answered by the kernel,
 * whatever the application does.
 */
#include "kselftest_harness.h"
#include "ws_reader.h"

#include <sys/epoll.h>

FIXTURE(ctrl)
{
	struct pair p;
};

FIXTURE_VARIANT(ctrl)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(ctrl, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(ctrl, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(ctrl)
{
	char byte;

	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
	/* The first I/O starts the parser. */
	ASSERT_EQ(-EAGAIN, ws_recv(self->p.ws, &byte, 1, MSG_DONTWAIT).n);
}

FIXTURE_TEARDOWN(ctrl)
{
	pair_close(&self->p);
}

/* Nobody is in a system call on the socket. */
TEST_F(ctrl, ping_without_a_reader)
{
	static const size_t lengths[] = { 0, 1, 4, 124, 125 };
	struct pair *p = &self->p;
	long long pings = ws_stat("WsRxPing"), pongs = ws_stat("WsTxPong");
	struct ws_info info;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		ASSERT_TRUE(raw_frame(p, PING, pattern(i, lengths[i]),
				      lengths[i]));
		ASSERT_TRUE(expect_frame(p, PONG, pattern(i, lengths[i]),
					 lengths[i]));
	}
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
	info = ws_get_info(p->ws);
	EXPECT_EQ(5, info.rx_pings);
	EXPECT_EQ(5, info.tx_pongs);
	EXPECT_EQ(0, info.tx_messages);
	EXPECT_EQ(0, info.wakeups);
	EXPECT_EQ(pings + 5, ws_stat("WsRxPing"));
	EXPECT_EQ(pongs + 5, ws_stat("WsTxPong"));
}

/* A message that the application leaves unread is no obstacle. */
TEST_F(ctrl, ping_behind_unread_messages)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "unread", 6));
	ASSERT_TRUE(raw_frame(p, PING, "1", 1));
	ASSERT_TRUE(expect_frame(p, PONG, "1", 1));
	ASSERT_TRUE(raw_frame(p, F_TEXT, "open", 4));
	ASSERT_TRUE(raw_frame(p, PING, "2", 1));
	ASSERT_TRUE(expect_frame(p, PONG, "2", 1));
	ASSERT_TRUE(raw_frame(p, CONT, " end", 4));
	ASSERT_TRUE(raw_frame(p, PING, "3", 1));
	ASSERT_TRUE(expect_frame(p, PONG, "3", 1));
	EXPECT_TRUE(expect_text(p->ws, "unread"));
	EXPECT_TRUE(expect_text(p->ws, "open end"));
}

TEST_F(ctrl, ten_in_order)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	int i;

	for (i = 0; i < 10; i++)
		bytes_frame(&b, p, PING, pattern(i, 5 + i), 5 + i);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	for (i = 0; i < 10; i++)
		ASSERT_TRUE(expect_frame(p, PONG, pattern(i, 5 + i), 5 + i));
	EXPECT_TRUE(expect_silence(p));
}

/* More than the option memory of a socket could hold, but never many at once. */
TEST_F(ctrl, memory_of_pongs_comes_back)
{
	long long dropped = ws_stat("WsPongDropped");
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	int i, j;

	for (i = 0; i < 60; i++) {
		for (j = 0; j < 20; j++)
			bytes_frame(&b, p, PING, pattern(j, 125), 125);
		ASSERT_TRUE(raw_send_bytes(p, &b));
		for (j = 0; j < 20; j++)
			ASSERT_TRUE(expect_frame(p, PONG, pattern(j, 125), 125));
	}
	EXPECT_EQ(dropped, ws_stat("WsPongDropped"));
}

/* A PING may be cut anywhere too. */
TEST_F(ctrl, ping_byte_by_byte)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	size_t i;

	bytes_frame(&b, p, PING, "abcde", 5);
	for (i = 0; i < b.n; i++) {
		ASSERT_TRUE(raw_send(p, b.p + i, 1));
		ASSERT_TRUE(settle(p));
	}
	bytes_free(&b);
	EXPECT_TRUE(expect_frame(p, PONG, "abcde", 5));
}

/*
 * A peer that sends PINGs and reads nothing: what waits is bounded, and the
 * newest are the ones that are answered.
 */
TEST_F_TIMEOUT(ctrl, flood_is_bounded, 240)
{
	struct pair *p = &self->p;
	int small = 4608, i, last = -1, pongs = 0;
	long long dropped = ws_stat("WsPongDropped");
	char body[125];

	/* Little room on the way back: each PONG that fits goes out at once. */
	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_SNDBUF, &small,
				sizeof(small)));
	ASSERT_EQ(0, setsockopt(p->raw, SOL_SOCKET, SO_RCVBUF, &small,
				sizeof(small)));
	for (i = 0; i < 6000; i++) {
		memset(body, ' ', sizeof(body));
		snprintf(body, sizeof(body), "%d", i);
		ASSERT_TRUE(raw_frame(p, PING, body, sizeof(body)));
	}
	ASSERT_TRUE(settle(p));
	EXPECT_EQ(6000, ws_get_info(p->ws).rx_pings);
	EXPECT_LT(dropped, ws_stat("WsPongDropped"));
	/* Those that come are in order, and the last is among them. */
	while (last != 5999) {
		struct frame f;
		int n;

		ASSERT_TRUE(read_frame(p, &f));
		ASSERT_EQ(PONG, f.first);
		ASSERT_EQ(125, f.len);
		n = atoi((char *)f.data);
		free(f.data);
		ASSERT_LT(last, n);
		last = n;
		pongs++;
	}
	EXPECT_GT(6000, pongs);
	ASSERT_TRUE(raw_frame(p, TEXT, "still here", 10));
	EXPECT_TRUE(expect_text(p->ws, "still here"));
}

TEST_F(ctrl, pong_is_swallowed)
{
	struct pair *p = &self->p;
	long long pongs = ws_stat("WsRxPong");

	ASSERT_TRUE(raw_frame(p, PONG, "", 0));
	ASSERT_TRUE(raw_frame(p, PONG, pattern(0, 125), 125));
	ASSERT_TRUE(settle(p));
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
	EXPECT_EQ(2, ws_get_info(p->ws).rx_pongs);
	EXPECT_EQ(0, ws_get_info(p->ws).wakeups);
	EXPECT_EQ(pongs + 2, ws_stat("WsRxPong"));
	EXPECT_TRUE(expect_silence(p));
	ASSERT_TRUE(raw_frame(p, TEXT, "a", 1));
	EXPECT_TRUE(expect_text(p->ws, "a"));
}

/* Control frames alone do not use up the receive window. */
TEST_F_TIMEOUT(ctrl, megabytes_of_pongs, 240)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	int i;

	for (i = 0; i < 1000; i++)
		bytes_frame(&b, p, PONG, pattern(i, 125), 125);
	for (i = 0; i < 20; i++)
		ASSERT_TRUE(raw_send(p, b.p, b.n));
	bytes_free(&b);
	ASSERT_TRUE(settle(p));
	/* On kTLS a work reads them, some at a time. */
	EXPECT_TRUE(wait_until(ws_get_info(p->ws).rx_pongs == 20000));
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
}

/* The answer is not put inside a message of ours that is half sent. */
TEST_F(ctrl, pong_between_our_fragments)
{
	struct pair *p = &self->p;

	ASSERT_EQ(4, ws_send(p->ws, WS_OP_TEXT, "half", 4, MSG_MORE));
	ASSERT_TRUE(expect_frame(p, F_TEXT, "half", 4));
	ASSERT_TRUE(raw_frame(p, PING, "?", 1));
	ASSERT_TRUE(expect_frame(p, PONG, "?", 1));
	ASSERT_EQ(4, ws_send(p->ws, WS_OP_CONT, "done", 4, 0));
	ASSERT_TRUE(expect_frame(p, CONT, "done", 4));
}

static void *blocked_reader(void *arg)
{
	struct pair *p = arg;

	return (void *)(uintptr_t)expect_text(p->ws, "at last");
}

/* A reader that sleeps in recvmsg() is not woken, but PINGs are answered. */
TEST_F(ctrl, ping_while_a_reader_sleeps)
{
	struct pair *p = &self->p;
	pthread_t reader;
	void *ok;
	int i;

	ASSERT_EQ(0, pthread_create(&reader, NULL, blocked_reader, p));
	for (i = 0; i < 5; i++) {
		ASSERT_TRUE(raw_frame(p, PING, "?", 1));
		ASSERT_TRUE(expect_frame(p, PONG, "?", 1));
	}
	ASSERT_TRUE(raw_frame(p, TEXT, "at last", 7));
	ASSERT_EQ(0, pthread_join(reader, &ok));
	EXPECT_NE(NULL, ok);
}

/* ... and later, too, when the program no longer reads. */
TEST_F(ctrl, ping_after_a_reader_slept)
{
	struct timeval tv = { .tv_usec = 100000 };
	struct pair *p = &self->p;
	pthread_t reader;
	char byte;
	void *ok;
	int i;

	ASSERT_EQ(0, pthread_create(&reader, NULL, blocked_reader, p));
	ASSERT_TRUE(raw_frame(p, PING, "1", 1));
	ASSERT_TRUE(expect_frame(p, PONG, "1", 1));
	ASSERT_TRUE(raw_frame(p, TEXT, "at last", 7));
	ASSERT_EQ(0, pthread_join(reader, &ok));
	EXPECT_NE(NULL, ok);
	/* One that gets nothing. */
	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_RCVTIMEO, &tv,
				sizeof(tv)));
	EXPECT_EQ(-EAGAIN, ws_recv(p->ws, &byte, 1, 0).n);
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(raw_frame(p, PING, "2", 1));
		ASSERT_TRUE(expect_frame(p, PONG, "2", 1));
	}
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
}

/* Only epoll has ever looked at the socket: that is enough to start. */
TEST_F(ctrl, ping_with_epoll_only)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	struct pair p;
	int ep;

	ASSERT_TRUE(pair_open(&p, variant->family, variant->role));
	ep = epoll_create1(0);
	ASSERT_LE(0, ep);
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, p.ws, &ev));
	ASSERT_TRUE(raw_frame(&p, PING, "?", 1));
	EXPECT_TRUE(expect_frame(&p, PONG, "?", 1));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	close(ep);
	pair_close(&p);
}

/* Records: the module has not scanned what is behind the first message. */
TEST_F(ctrl, unscanned_ping)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	unsigned char buf[64];

	ASSERT_EQ(0, set_flags(p->ws, WS_F_RECORDS));
	bytes_frame(&b, p, BINARY, "second", 6);
	bytes_frame(&b, p, PING, "?", 1);
	ASSERT_TRUE(send_unscanned(p, &b));
	EXPECT_TRUE(expect_frame(p, PONG, "?", 1));
	/* TLS tells of what it reads ahead, and of what the reader finds. */
	EXPECT_GE(test_tls() ? 2 : 1, ws_get_info(p->ws).wakeups);
	ASSERT_EQ(32, recv(p->ws, buf, sizeof(buf), 0));
	EXPECT_EQ(WS_MSG_END | WS_MSG_MORE, msg_at(buf).flags);
	EXPECT_EQ(WS_MSG_END, msg_at(buf + 16).flags);
}

TEST_F(ctrl, unscanned_ping_with_a_reader)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	unsigned char buf[64];

	ASSERT_EQ(0, set_flags(p->ws, WS_F_RECORDS));
	bytes_frame(&b, p, PING, "?", 1);
	ASSERT_TRUE(send_unscanned(p, &b));
	ASSERT_EQ(16, recv(p->ws, buf, sizeof(buf), 0));
	EXPECT_EQ(WS_MSG_END, msg_at(buf).flags);
	EXPECT_TRUE(expect_frame(p, PONG, "?", 1));
	EXPECT_EQ(1, ws_get_info(p->ws).rx_pings);
}

/* PONGs that wait for room when the application asks for a reset. */
TEST(reset_forgets_pongs)
{
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
	close_reset(&p.ws);
	EXPECT_TRUE(stat_becomes("WsCurrSockets", 0));
	EXPECT_TRUE(stat_becomes("WsCurrLingering", 0));
	close(p.raw);
}

TEST_HARNESS_MAIN
