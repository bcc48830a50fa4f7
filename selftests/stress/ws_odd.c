// SPDX-License-Identifier: GPL-2.0-only
/*
 * Things of TCP that are seldom used, on an attached socket: each works as it
 * did, or is refused, and the messages are whole in any case.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <arpa/inet.h>
#include <sched.h>
#include <netinet/tcp.h>

#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT	25
#endif

FIXTURE(odd)
{
	struct pair p;
};

FIXTURE_VARIANT(odd)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(odd, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(odd, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(odd)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
}

FIXTURE_TEARDOWN(odd)
{
	pair_close(&self->p);
}

static bool works(struct pair *p)
{
	return raw_frame(p, TEXT, "there", 5) && expect_text(p->ws, "there") &&
	       ws_send(p->ws, WS_OP_TEXT, "back", 4, 0) == 4 &&
	       expect_frame(p, TEXT, "back", 4);
}

static int set_int(int fd, int level, int opt, int value)
{
	return setsockopt(fd, level, opt, &value, sizeof(value)) ? -errno : 0;
}

/* A listener has no ULP to pass on, and what it accepts has none. */
TEST_F(odd, listener)
{
	struct sockaddr_storage ss = { .ss_family = variant->family };
	socklen_t len = sizeof(ss);
	char name[16] = "";
	struct pair q = { .role = variant->role };
	int listener;

	listener = socket(variant->family, SOCK_STREAM, 0);
	ASSERT_EQ(0, listen(listener, 4));
	EXPECT_EQ(-ENOTCONN, ws_attach(listener));
	ASSERT_EQ(0, getsockname(listener, (void *)&ss, &len));
	if (variant->family == AF_INET)
		((struct sockaddr_in *)&ss)->sin_addr.s_addr =
			htonl(INADDR_LOOPBACK);
	else
		((struct sockaddr_in6 *)&ss)->sin6_addr = in6addr_loopback;
	q.raw = socket(variant->family, SOCK_STREAM, 0);
	ASSERT_EQ(0, connect(q.raw, (void *)&ss, len));
	/* One that waits there, and is used already. */
	ASSERT_EQ(0, ws_attach(q.raw));
	ASSERT_EQ(-ENOTCONN, ws_attach(listener));
	q.ws = accept(listener, NULL, NULL);
	ASSERT_LE(0, q.ws);
	len = sizeof(name);
	EXPECT_EQ(0, getsockopt(q.ws, SOL_TCP, TCP_ULP, name, &len));
	EXPECT_STREQ("", name);
	ASSERT_EQ(0, ws_attach(q.ws));
	ASSERT_EQ(0, ws_set_role(q.raw, WS_ROLE_CLIENT));
	EXPECT_EQ(2, ws_send(q.raw, WS_OP_TEXT, "hi", 2, 0));
	EXPECT_TRUE(expect_text(q.ws, "hi"));
	/* It can be no listener itself. */
	EXPECT_EQ(-1, listen(self->p.ws, 1));
	EXPECT_TRUE(works(&self->p));
	pair_close(&q);
	close(listener);
}

/* A place in the stream to peek at means nothing where there are messages. */
TEST_F(odd, peek_off)
{
	EXPECT_EQ(-EOPNOTSUPP, set_int(self->p.ws, SOL_SOCKET, SO_PEEK_OFF, 3));
	EXPECT_TRUE(works(&self->p));
}

/* One that was set before the attach must not move what is peeked at. */
TEST_F(odd, peek_off_before)
{
	struct pair q;
	char buf[16];

	ASSERT_TRUE(pair_connect(&q, variant->family, variant->role));
	set_int(q.ws, SOL_SOCKET, SO_PEEK_OFF, 2);
	ASSERT_EQ(0, ws_attach(q.ws));
	if (variant->role)
		ASSERT_EQ(0, ws_set_role(q.ws, variant->role));
	ASSERT_TRUE(raw_frame(&q, TEXT, "abcdef", 6));
	ASSERT_TRUE(settle(&q));
	EXPECT_EQ(6, ws_recv(q.ws, buf, sizeof(buf), MSG_PEEK).n);
	EXPECT_EQ(0, memcmp(buf, "abcdef", 6));
	EXPECT_EQ(6, ws_recv(q.ws, buf, sizeof(buf), MSG_PEEK).n);
	EXPECT_TRUE(expect_text(q.ws, "abcdef"));
	pair_close(&q);
}

/* The option changes how TCP keeps urgent bytes: here they are in place. */
TEST_F(odd, oobinline)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	char byte;
	size_t i;

	/* TLS sends none. */
	if (test_tls())
		return;
	set_int(p->ws, SOL_SOCKET, SO_OOBINLINE, 1);
	bytes_frame(&b, p, TEXT, "urgent all over", 15);
	for (i = 0; i < b.n; i++) {
		if (i == b.n / 2)
			set_int(p->ws, SOL_SOCKET, SO_OOBINLINE, 0);
		ASSERT_EQ(1, send(p->raw, b.p + i, 1, i & 1 ? MSG_OOB : 0));
	}
	bytes_free(&b);
	EXPECT_TRUE(expect_text(p->ws, "urgent all over"));
	EXPECT_EQ(-1, recv(p->ws, &byte, 1, MSG_OOB));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, send(p->ws, &byte, 1, MSG_OOB));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_TRUE(works(p));
}

TEST_F(odd, busy_poll)
{
	struct pair *p = &self->p;
	char byte;

	EXPECT_EQ(0, set_int(p->ws, SOL_SOCKET, SO_BUSY_POLL, 200));
	EXPECT_TRUE(works(p));
	EXPECT_EQ(0, poll_for(p->ws, POLLIN, 20));
	EXPECT_EQ(-EAGAIN, ws_recv(p->ws, &byte, 1, MSG_DONTWAIT).n);
	EXPECT_TRUE(works(p));
}

/* Larger and smaller in the middle of a message. */
TEST_F_TIMEOUT(odd, rcvbuf_in_flight, 60)
{
	const size_t len = 3000000;
	struct pair *p = &self->p;
	static char buf[50000];
	uint32_t seed = 5;
	struct sender s;
	size_t at = 0;
	int clamp = 0;

	/* Most of it is on its way before the first change. */
	ASSERT_TRUE(pass_message(p, 2 * len));
	ASSERT_TRUE(sender_start(&s, p, BINARY, len));
	while (at < len) {
		uint32_t r = next_random(&seed);
		struct got got;

		if (!(r % 8))
			set_int(p->ws, SOL_SOCKET, SO_RCVBUF,
				4096 << r / 8 % 7);
		if (!(r % 16))
			set_int(p->ws, SOL_TCP, TCP_WINDOW_CLAMP,
				clamp++ & 1 ? 1 << 20 : 5000);
		got = ws_recv(p->ws, buf, r % sizeof(buf) + 1, 0);
		ASSERT_LT(0, got.n) {
			TH_LOG("at %zu: %zd", at, got.n);
		}
		ASSERT_TRUE(is_pattern(buf, at, got.n));
		at += got.n;
		ASSERT_EQ(at == len, !!(got.flags & MSG_EOR));
	}
	EXPECT_TRUE(sender_join(&s));
	EXPECT_TRUE(works(p));
}

struct reading {
	struct pair *p;
	size_t len;
	bool ok;
};

static void *read_frames(void *arg)
{
	struct reading *r = arg;
	size_t at = 0;

	r->ok = true;
	while (r->ok && at < r->len) {
		struct frame f;

		if (!read_frame(r->p, &f))
			return NULL;
		r->ok = is_pattern(f.data, at, f.len);
		at += f.len;
		free(f.data);
	}
	return NULL;
}

/* A sender that is told to queue next to nothing still gets it all out. */
TEST_F_TIMEOUT(odd, notsent_lowat, 60)
{
	struct pair *p = &self->p;
	struct reading r = { .p = p, .len = 1000000 };
	pthread_t thread;
	size_t at = 0;

	ASSERT_EQ(0, set_int(p->ws, SOL_TCP, TCP_NOTSENT_LOWAT, 1));
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_frames, &r));
	while (at < r.len) {
		ssize_t n;

		ASSERT_NE(0, poll_for(p->ws, POLLOUT, WS_TEST_MS));
		n = ws_send(p->ws, WS_OP_BINARY, pattern(at, r.len - at),
			    r.len - at, MSG_DONTWAIT);
		if (n == -EAGAIN)
			continue;
		ASSERT_LT(0, n);
		at += n;
	}
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(r.ok);
	EXPECT_TRUE(works(p));
}

/* TCP's own end of waiting for a peer that takes nothing. */
TEST_F_TIMEOUT(odd, user_timeout, 60)
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
