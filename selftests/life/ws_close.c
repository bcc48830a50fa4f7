// SPDX-License-Identifier: GPL-2.0-only
/* The closing handshake, RFC 6455 sections 5.5.1, 7.1 and 7.4. */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <signal.h>

FIXTURE(close)
{
	struct pair p;
};

FIXTURE_VARIANT(close)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(close, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(close, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(close)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
}

FIXTURE_TEARDOWN(close)
{
	pair_close(&self->p);
}

TEST_F(close, peer_first)
{
	struct pair *p = &self->p;
	long long rx = ws_stat("WsRxClose"), tx = ws_stat("WsTxClose");
	struct ws_info info;

	ASSERT_TRUE(raw_close(p, 1000, "bye"));
	ASSERT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
	/* Not answered before it is received, see below. */
	EXPECT_TRUE(expect_silence(p));
	ASSERT_TRUE(expect_received_close(p->ws, 1000, "bye"));
	EXPECT_TRUE(expect_close(p, 1000, ""));
	EXPECT_TRUE(expect_tcp_end(p));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_TRUE(expect_eof(p->ws));
	info = ws_get_info(p->ws);
	EXPECT_EQ(1000, info.close_sent);
	EXPECT_EQ(1000, info.close_received);
	EXPECT_EQ(WS_STATE_CLOSE_SENT | WS_STATE_CLOSE_RECEIVED,
		  info.state & ~WS_STATE_EOF);
	EXPECT_EQ(0, info.rule);
	EXPECT_EQ(-EPIPE, ws_send(p->ws, WS_OP_TEXT, "a", 1, 0));
	EXPECT_EQ(rx + 1, ws_stat("WsRxClose"));
	EXPECT_EQ(tx + 1, ws_stat("WsTxClose"));
}

/* Replies to what came before the Close still go out. */
TEST_F(close, replies_before_the_answer)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "question", 8));
	ASSERT_TRUE(raw_close(p, 1001, ""));
	ASSERT_TRUE(settle(p));
	ASSERT_TRUE(expect_text(p->ws, "question"));
	ASSERT_EQ(6, ws_send(p->ws, WS_OP_TEXT, "answer", 6, 0));
	EXPECT_TRUE(expect_frame(p, TEXT, "answer", 6));
	EXPECT_TRUE(expect_received_close(p->ws, 1001, ""));
	EXPECT_TRUE(expect_close(p, 1001, ""));
	EXPECT_TRUE(expect_tcp_end(p));
}

TEST_F(close, peer_first_without_a_code)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_close(p, 1005, ""));
	ASSERT_TRUE(expect_received_close(p->ws, 1005, ""));
	EXPECT_TRUE(expect_close(p, 1005, ""));
	EXPECT_TRUE(expect_tcp_end(p));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_EQ(1005, ws_get_info(p->ws).close_sent);
	EXPECT_EQ(1005, ws_get_info(p->ws).close_received);
}

/* A plain read() sees the end of the file. */
TEST_F(close, peer_first_with_read)
{
	struct pair *p = &self->p;
	char buf[64];

	ASSERT_TRUE(raw_frame(p, TEXT, "last", 4));
	ASSERT_TRUE(raw_close(p, 3000, "reason"));
	EXPECT_EQ(4, read(p->ws, buf, sizeof(buf)));
	EXPECT_EQ(0, read(p->ws, buf, sizeof(buf)));
	EXPECT_TRUE(expect_close(p, 3000, ""));
	EXPECT_TRUE(expect_tcp_end(p));
	EXPECT_EQ(0, read(p->ws, buf, sizeof(buf)));
	EXPECT_EQ(3000, ws_get_info(p->ws).close_received);
}

TEST_F(close, codes)
{
	static const int codes[] = {
		1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012,
		1013, 1014, 3000, 3999, 4000, 4999,
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(codes); i++) {
		struct pair p;

		ASSERT_TRUE(pair_open(&p, variant->family, variant->role));
		ASSERT_TRUE(raw_close(&p, codes[i], "\xe2\x82\xac"));
		EXPECT_TRUE(expect_received_close(p.ws, codes[i],
						  "\xe2\x82\xac"));
		EXPECT_TRUE(expect_close(&p, codes[i], ""));
		pair_close(&p);
	}
}

/* The longest reason, into a buffer that is too small at first. */
TEST_F(close, long_reason_in_pieces)
{
	struct pair *p = &self->p;
	char reason[124] = { 0 }, buf[124];
	struct got got;

	memcpy(reason, pattern(0, 123), 123);
	ASSERT_TRUE(raw_close(p, 4000, reason));
	got = ws_recv(p->ws, buf, sizeof(buf), MSG_PEEK);
	EXPECT_EQ(123, got.n);
	EXPECT_EQ(WS_OP_CLOSE, got.m.opcode);
	EXPECT_TRUE(expect_silence(p));
	got = ws_recv(p->ws, buf, 100, 0);
	EXPECT_EQ(100, got.n);
	EXPECT_EQ(0, got.flags);
	EXPECT_EQ(WS_OP_CLOSE, got.m.opcode);
	EXPECT_EQ(4000, got.m.code);
	got = ws_recv(p->ws, buf, 100, 0);
	EXPECT_EQ(23, got.n);
	EXPECT_EQ(MSG_EOR, got.flags);
	EXPECT_EQ(4000, got.m.code);
	EXPECT_TRUE(is_pattern(buf, 100, 23));
	EXPECT_TRUE(expect_close(p, 4000, ""));
}

/* We first, by a WS_MSG: reading goes on until the peer's Close. */
TEST_F(close, we_first)
{
	struct pair *p = &self->p;

	ASSERT_EQ(4, ws_send_close(p->ws, 4321, "done"));
	EXPECT_EQ(4321, ws_get_info(p->ws).close_sent);
	EXPECT_EQ(WS_STATE_CLOSE_SENT, ws_get_info(p->ws).state);
	EXPECT_TRUE(expect_close(p, 4321, "done"));
	EXPECT_EQ(-EPIPE, ws_send(p->ws, WS_OP_TEXT, "a", 1, 0));
	EXPECT_EQ(-EPIPE, ws_send(p->ws, WS_OP_PING, "", 0, 0));
	EXPECT_EQ(-EPIPE, ws_send_close(p->ws, 1000, ""));
	ASSERT_TRUE(raw_frame(p, TEXT, "late", 4));
	EXPECT_TRUE(expect_text(p->ws, "late"));
	EXPECT_TRUE(expect_silence(p));
	ASSERT_TRUE(raw_close(p, 4321, ""));
	EXPECT_TRUE(expect_received_close(p->ws, 4321, ""));
	EXPECT_TRUE(expect_tcp_end(p));
	EXPECT_TRUE(expect_eof(p->ws));
}

TEST_F(close, simultaneous)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_close(p, 1001, "both"));
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(0, ws_send_close(p->ws, 3000, ""));
	EXPECT_TRUE(expect_close(p, 3000, ""));
	EXPECT_TRUE(expect_received_close(p->ws, 1001, "both"));
	EXPECT_TRUE(expect_tcp_end(p));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_EQ(3000, ws_get_info(p->ws).close_sent);
	EXPECT_EQ(1001, ws_get_info(p->ws).close_received);
}

/* WS_F_CLOSE: what is read may be the Close, and replies still go out. */
TEST_F(close, the_program_answers)
{
	struct ws_config c = ws_get_config(self->p.ws);
	struct pair *p = &self->p;

	c.flags = WS_F_CLOSE;
	ASSERT_EQ(0, ws_set(p->ws, WS_CONFIG, &c, sizeof(c)));
	ASSERT_TRUE(raw_frame(p, TEXT, "question", 8));
	ASSERT_TRUE(raw_close(p, 3001, "bye"));
	ASSERT_TRUE(expect_text(p->ws, "question"));
	ASSERT_TRUE(expect_received_close(p->ws, 3001, "bye"));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_TRUE(expect_silence(p));
	EXPECT_EQ(WS_STATE_CLOSE_RECEIVED, ws_get_info(p->ws).state);
	ASSERT_EQ(6, ws_send(p->ws, WS_OP_TEXT, "answer", 6, 0));
	EXPECT_TRUE(expect_frame(p, TEXT, "answer", 6));
	ASSERT_EQ(0, ws_send_close(p->ws, 3002, ""));
	EXPECT_TRUE(expect_close(p, 3002, ""));
	EXPECT_TRUE(expect_tcp_end(p));
	EXPECT_EQ(-EPIPE, ws_send(p->ws, WS_OP_TEXT, "a", 1, 0));
}

/* A program that does not has it answered by shutdown() or close(). */
TEST_F(close, the_program_does_not_answer)
{
	struct ws_config c = { .role = variant->role, .flags = WS_F_CLOSE };
	struct pair *p = &self->p, q;

	ASSERT_TRUE(pair_open(&q, variant->family, variant->role));
	ASSERT_EQ(0, ws_set(p->ws, WS_CONFIG, &c, sizeof(c)));
	ASSERT_EQ(0, ws_set(q.ws, WS_CONFIG, &c, sizeof(c)));
	ASSERT_TRUE(raw_close(p, 3003, ""));
	ASSERT_TRUE(raw_close(&q, 3004, ""));
	ASSERT_TRUE(expect_received_close(p->ws, 3003, ""));
	ASSERT_TRUE(expect_received_close(q.ws, 3004, ""));
	EXPECT_TRUE(expect_silence(p));
	ASSERT_EQ(0, shutdown(p->ws, SHUT_WR));
	EXPECT_TRUE(expect_close(p, 3003, ""));
	EXPECT_TRUE(expect_tcp_end(p));
	ASSERT_EQ(0, close(q.ws));
	q.ws = -1;
	EXPECT_TRUE(expect_close(&q, 3004, ""));
	if (variant->role == WS_ROLE_CLIENT)
		EXPECT_EQ(0, shutdown(q.raw, SHUT_WR));
	EXPECT_TRUE(expect_fin(&q));
	pair_close(&q);
}

/* A message left open by MSG_MORE does not stand in the way of a Close. */
TEST_F(close, inside_a_message)
{
	struct pair *p = &self->p;

	ASSERT_EQ(4, ws_send(p->ws, WS_OP_TEXT, "half", 4, MSG_MORE));
	ASSERT_EQ(0, ws_send_close(p->ws, 1000, ""));
	EXPECT_TRUE(expect_frame(p, F_TEXT, "half", 4));
	EXPECT_TRUE(expect_close(p, 1000, ""));
}

/* Section 5.5.1: nothing counts after a Close, not even nonsense. */
TEST_F(close, data_after_close_is_ignored)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_close(p, 1000, ""));
	ASSERT_TRUE(raw_frame(p, TEXT, "late", 4));
	ASSERT_TRUE(raw_frame(p, PING, "late", 4));
	ASSERT_TRUE(raw_send(p, "\xff\xff\xff\xff", 4));
	ASSERT_TRUE(settle(p));
	EXPECT_TRUE(expect_received_close(p->ws, 1000, ""));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_TRUE(expect_close(p, 1000, ""));
	EXPECT_EQ(0, ws_get_info(p->ws).rule);
	EXPECT_EQ(0, ws_get_info(p->ws).rx_pings);
}

/* ... and however much comes, the peer is not left hanging. */
TEST_F_TIMEOUT(close, much_data_after_close, 60)
{
	struct pair *p = &self->p;
	struct sender s;

	ASSERT_EQ(0, ws_send_close(p->ws, 1000, ""));
	ASSERT_TRUE(raw_close(p, 1000, ""));
	EXPECT_TRUE(expect_received_close(p->ws, 1000, ""));
	ASSERT_TRUE(sender_start(&s, p, BINARY, 4 << 20));
	EXPECT_TRUE(sender_join(&s));
	EXPECT_TRUE(expect_eof(p->ws));
}

static volatile sig_atomic_t pipes;

static void on_pipe(int sig)
{
	(void)sig;
	pipes++;
}

/* EPIPE comes with SIGPIPE unless MSG_NOSIGNAL asks for none. */
TEST_F(close, sigpipe)
{
	struct pair *p = &self->p;

	pipes = 0;
	ASSERT_NE(SIG_ERR, signal(SIGPIPE, on_pipe));
	ASSERT_EQ(0, shutdown(p->ws, SHUT_WR));
	EXPECT_EQ(-1, send(p->ws, "a", 1, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(0, pipes);
	EXPECT_EQ(-1, write(p->ws, "a", 1));
	EXPECT_EQ(EPIPE, errno);
	EXPECT_EQ(1, pipes);
}

TEST_HARNESS_MAIN
