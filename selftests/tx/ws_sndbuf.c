// SPDX-License-Identifier: GPL-2.0-only
/* The send buffer: how much is queued, and that it grows. */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <netinet/tcp.h>

#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT	25
#endif

FIXTURE(sndbuf) {};

FIXTURE_VARIANT(sndbuf)
{
	__u32 role;
};

FIXTURE_VARIANT_ADD(sndbuf, server) { WS_ROLE_SERVER };
FIXTURE_VARIANT_ADD(sndbuf, client) { WS_ROLE_CLIENT };

FIXTURE_SETUP(sndbuf)
{
}

FIXTURE_TEARDOWN(sndbuf)
{
}

/* A sender that is told to queue next to nothing still gets it all out. */
TEST_F_TIMEOUT(sndbuf, notsent_lowat, 60)
{
	struct drain d = { .len = 1000000 };
	struct pair p;
	size_t at = 0;

	ASSERT_TRUE(pair_open(&p, AF_INET, variant->role));
	d.p = &p;
	ASSERT_EQ(0, set_int(p.ws, SOL_TCP, TCP_NOTSENT_LOWAT, 1));
	ASSERT_EQ(0, pthread_create(&d.thread, NULL, drain_message, &d));
	while (at < d.len) {
		ssize_t n;

		ASSERT_NE(0, poll_for(p.ws, POLLOUT, WS_TEST_MS));
		n = ws_send(p.ws, WS_OP_BINARY, pattern(at, d.len - at),
			    d.len - at, MSG_DONTWAIT);
		if (n == -EAGAIN)
			continue;
		ASSERT_LT(0, n);
		at += n;
	}
	ASSERT_EQ(0, pthread_join(d.thread, NULL));
	EXPECT_TRUE(d.ok);
	EXPECT_TRUE(pair_works(&p));
	pair_close(&p);
}

static int send_buffer(int fd)
{
	int size = 0;
	socklen_t len = sizeof(size);

	getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &len);
	return size;
}

/*
 * TCP lets the send buffer grow as the connection gets faster, also after it was
 * full with a frame under way, for which its size is changed for a moment.
 */
TEST_F_TIMEOUT(sndbuf, send_buffer_grows, 60)
{
	struct drain d = { .len = 0 };
	int first, full, i;
	struct pair p;
	ssize_t n;

	ASSERT_TRUE(pair_open_rcvbuf(&p, AF_INET, variant->role, 0, 0, 1448));
	d.p = &p;
	first = send_buffer(p.ws);
	do {
		n = ws_send(p.ws, WS_OP_BINARY, pattern(d.len, 300000), 300000,
			    MSG_DONTWAIT | MSG_MORE);
		d.len += n > 0 ? n : 0;
	} while (n > 0);
	full = send_buffer(p.ws);
	EXPECT_LE(first, full);
	ASSERT_EQ(0, pthread_create(&d.thread, NULL, drain_message, &d));
	for (i = 0; i < 20 && send_buffer(p.ws) <= full; i++) {
		ASSERT_EQ(300000, ws_send(p.ws, 0, pattern(d.len, 300000),
					  300000, MSG_MORE));
		d.len += 300000;
	}
	EXPECT_LT(full, send_buffer(p.ws));
	ASSERT_EQ(0, ws_send(p.ws, 0, "", 0, 0));
	ASSERT_EQ(0, pthread_join(d.thread, NULL));
	EXPECT_TRUE(d.ok);
	pair_close(&p);
}

TEST_HARNESS_MAIN
