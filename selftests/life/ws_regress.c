// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults that were once in the module and that no test of a feature would
 * have met: each test failed before its fix.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <fcntl.h>
#include <poll.h>

#ifndef TCP_NOTSENT_LOWAT	/* netinet/tcp.h may lack it */
#define TCP_NOTSENT_LOWAT	25
#endif

FIXTURE(regress)
{
	struct pair p;
};

FIXTURE_SETUP(regress)
{
	ASSERT_TRUE(pair_open(&self->p, AF_INET, WS_ROLE_SERVER));
}

FIXTURE_TEARDOWN(regress)
{
	pair_close(&self->p);
}

#define CHUNK	(1 << 20)

static void *endless(void *arg)
{
	static unsigned char buf[14 + CHUNK];
	unsigned char key[4] = { 0 };
	struct pair *p = arg;
	size_t head;
	int i;

	head = frame_header(buf, BINARY, CHUNK, key);
	for (i = 0; i < 2100; i++)
		if (!raw_send(p, buf, head + CHUNK))
			return NULL;
	return p;
}

/* A sequence number that stood still was ahead again after 2^31 bytes. */
TEST_F_TIMEOUT(regress, more_than_two_gib, 240)
{
	static char buf[2 * CHUNK];
	struct pair *p = &self->p;
	uint64_t bytes = 0;
	pthread_t sender;
	void *ok;

	ASSERT_EQ(0, pthread_create(&sender, NULL, endless, p));
	while (bytes < 2100ULL * CHUNK) {
		struct got got = ws_recv(p->ws, buf, sizeof(buf), 0);

		ASSERT_LT(0, got.n) {
			TH_LOG("after %llu bytes", 0ULL + bytes);
		}
		bytes += got.n;
	}
	ASSERT_EQ(0, pthread_join(sender, &ok));
	EXPECT_EQ(p, ok);
	EXPECT_EQ(2100, ws_get_info(p->ws).rx_messages);
}

/* Making room for such a frame called data_ready, which made room for it. */
TEST_F(regress, huge_text_is_announced)
{
	unsigned char head[14], key[4] = { 0 };
	struct pair *p = &self->p;
	size_t n;

	ASSERT_EQ(0, ws_set_max(p, WS_MAX_MESSAGE_NONE));
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
	n = frame_header(head, TEXT, 1ULL << 32, key);
	ASSERT_TRUE(raw_send(p, head, n));
	/* Until the receive buffer is full. */
	while (send(p->raw, pattern(0, 65536), 65536, MSG_DONTWAIT) > 0 ||
	       poll_for(p->raw, POLLOUT, 500))
		;
	EXPECT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
	EXPECT_EQ(0, ws_get_info(p->ws).rule);
}

/* What the kernel sent by itself took the error that the reader was to get. */
TEST_F(regress, reset_is_left_for_the_reader)
{
	struct pair *p = &self->p;
	char buf[100];

	ASSERT_EQ(0, fcntl(p->ws, F_SETFL, O_NONBLOCK));
	while (ws_send(p->ws, WS_OP_BINARY, pattern(0, 65536), 65536, 0) > 0)
		;
	ASSERT_TRUE(raw_frame(p, TEXT, "last", 4));
	ASSERT_TRUE(settle(p));
	close_reset(&p->raw);
	ASSERT_NE(0, poll_for(p->ws, POLLRDHUP, WS_TEST_MS));
	EXPECT_EQ(4, ws_recv(p->ws, buf, sizeof(buf), 0).n);
	EXPECT_EQ(-ECONNRESET, ws_recv(p->ws, buf, sizeof(buf), 0).n);
}

/* close() thought that room in the send buffer was all that TCP asks for. */
TEST_F(regress, close_under_notsent_lowat)
{
	struct pair *p = &self->p;
	int lowat = 4096;
	size_t sent = 0, at = 0;
	struct frame f;
	ssize_t n;

	ASSERT_EQ(0, setsockopt(p->ws, SOL_TCP, TCP_NOTSENT_LOWAT, &lowat,
				sizeof(lowat)));
	while ((n = ws_send(p->ws, sent ? WS_OP_CONT : WS_OP_BINARY,
			    pattern(sent, 60000), 60000,
			    MSG_MORE | MSG_DONTWAIT)) > 0)
		sent += n;
	ASSERT_EQ(-EAGAIN, n);
	close(p->ws);
	p->ws = -1;
	while (at < sent) {
		ASSERT_TRUE(read_frame(p, &f)) {
			TH_LOG("%zu of %zu bytes", at, sent);
		}
		ASSERT_TRUE(is_pattern(f.data, at, f.len));
		at += f.len;
		free(f.data);
	}
	EXPECT_EQ(sent, at);
	EXPECT_TRUE(expect_close(p, 1001, ""));
	EXPECT_EQ(0, shutdown(p->raw, SHUT_WR));
	EXPECT_TRUE(expect_fin(p));
}

TEST_HARNESS_MAIN
