// SPDX-License-Identifier: GPL-2.0-only
/*
 * WS_ATTACH, and what is particular to TLS below: records that are no data,
 * and the end of TLS. That all else is as on TCP is shown by the other
 * programs, which run once more with WS_TEST_TLS.
 */
#include <time.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <linux/errqueue.h>

#include "kselftest_harness.h"
#include "ws_tls_pair.h"

#ifndef EKEYEXPIRED
#define EKEYEXPIRED	127
#endif

FIXTURE(attach) {
	struct pair p;
};

FIXTURE_VARIANT(attach) {
	int family;
	const char *tls;
};

FIXTURE_VARIANT_ADD(attach, plain) { .family = AF_INET };
FIXTURE_VARIANT_ADD(attach, plain_ipv6) { .family = AF_INET6 };
FIXTURE_VARIANT_ADD(attach, tls12) { .family = AF_INET, .tls = "1.2" };
FIXTURE_VARIANT_ADD(attach, tls13) { .family = AF_INET, .tls = "1.3" };
FIXTURE_VARIANT_ADD(attach, tls13_ipv6) { .family = AF_INET6, .tls = "1.3" };

FIXTURE_SETUP(attach)
{
	if (variant->tls)
		setenv("WS_TEST_TLS", variant->tls, 1);
	else
		unsetenv("WS_TEST_TLS");
	ASSERT_TRUE(pair_connect(&self->p, variant->family, WS_ROLE_SERVER));
}

FIXTURE_TEARDOWN(attach)
{
	pair_close(&self->p);
}

TEST_F(attach, defaults)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, ws_attach_config(p->ws, NULL));
	ASSERT_TRUE(raw_frame(p, TEXT, "in", 2));
	EXPECT_TRUE(expect_text(p->ws, "in"));
	EXPECT_EQ(3, write(p->ws, "out", 3));
	EXPECT_TRUE(expect_frame(p, BINARY, "out", 3));
}

/* What came before the attach is not lost. */
TEST_F(attach, with_bytes_waiting)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "early", 5));
	usleep(20000);
	ASSERT_EQ(0, ws_attach_config(p->ws, NULL));
	EXPECT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
	EXPECT_TRUE(expect_text(p->ws, "early"));
}

TEST_F(attach, with_settings)
{
	struct ws_config cfg = {
		.role = WS_ROLE_CLIENT,
		.send_opcode = WS_OP_TEXT,
		.max_message = 5000,
	};
	struct pair *p = &self->p;

	p->role = WS_ROLE_CLIENT;
	ASSERT_EQ(0, ws_attach_config(p->ws, &cfg));
	cfg = ws_get_config(p->ws);
	EXPECT_EQ(WS_ROLE_CLIENT, cfg.role);
	EXPECT_EQ(5000, cfg.max_message);
	EXPECT_EQ(3, write(p->ws, "out", 3));
	EXPECT_TRUE(expect_frame(p, TEXT, "out", 3));
	ASSERT_TRUE(raw_frame(p, TEXT, "in", 2));
	EXPECT_TRUE(expect_text(p->ws, "in"));
}

TEST_F(attach, bad_settings)
{
	struct ws_config cfg = { .role = 7 };
	struct pair *p = &self->p;

	EXPECT_EQ(-EINVAL, ws_attach_config(p->ws, &cfg));
	EXPECT_EQ(-1, setsockopt(p->ws, SOL_IP, WS_ATTACH, (void *)8,
				 sizeof(cfg)));
	EXPECT_EQ(EFAULT, errno);
	/* Nothing has changed. */
	EXPECT_EQ(0, ws_attach_config(p->ws, NULL));
}

TEST_F(attach, twice)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, ws_attach_config(p->ws, NULL));
	EXPECT_EQ(-EEXIST, ws_attach_config(p->ws, NULL));
	EXPECT_EQ(-1, setsockopt(p->ws, SOL_TCP, TCP_ULP, "ws", 2));
	EXPECT_EQ(EEXIST, errno);
	EXPECT_EQ(-1, setsockopt(p->ws, SOL_TCP, TCP_ULP, "tls", 3));
	EXPECT_EQ(EEXIST, errno);
}

TEST_F(attach, after_shutdown)
{
	shutdown(self->p.ws, SHUT_WR);
	EXPECT_EQ(-EPIPE, ws_attach_config(self->p.ws, NULL));
}

TEST_F(attach, keys_are_kept)
{
	char key[64] = { 3, 3 };

	if (!variant->tls)
		return;
	ASSERT_EQ(0, ws_attach_config(self->p.ws, NULL));
	EXPECT_EQ(-1, setsockopt(self->p.ws, 282, 1, key, 40));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(-1, setsockopt(self->p.ws, 282, 2, key, 40));
	EXPECT_EQ(EBUSY, errno);
}

TEST(other_sockets)
{
	int fd[] = {
		socket(AF_INET, SOCK_DGRAM, 0),
		socket(AF_INET, SOCK_STREAM, 0),
	};

	EXPECT_EQ(-EOPNOTSUPP, ws_attach_config(fd[0], NULL));
	EXPECT_EQ(-ENOTCONN, ws_attach_config(fd[1], NULL));
	close(fd[0]);
	close(fd[1]);
}

TEST(half_tls)
{
	static const int have[] = { 0, TLS_SENDS, TLS_RECEIVES };
	struct pair p;
	size_t i;

	unsetenv("WS_TEST_TLS");
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(pair_connect(&p, AF_INET, WS_ROLE_SERVER));
		ASSERT_EQ(0, tls_start(p.ws, "1.3", true, have[i]));
		EXPECT_EQ(-ENOKEY, ws_attach_config(p.ws, NULL));
		pair_close(&p);
	}
}

/* The tests' own is AES-128. */
TEST(ciphers)
{
	static const char *const versions[] = {
		"1.2-aes256", "1.3-aes256", "1.2-chacha20", "1.3-chacha20",
	};
	struct drain d;
	struct pair p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		setenv("WS_TEST_TLS", versions[i], 1);
		ASSERT_TRUE(pair_open(&p, AF_INET6, i & 1 ? WS_ROLE_SERVER :
							    WS_ROLE_CLIENT));
		ASSERT_TRUE(raw_frame(&p, BINARY, pattern(i, 60000), 60000));
		EXPECT_TRUE(expect_message(p.ws, WS_OP_BINARY,
					   pattern(i, 60000), 60000));
		EXPECT_EQ(60000, ws_send(p.ws, WS_OP_TEXT, pattern(i, 60000),
					 60000, 0));
		d = (struct drain){ .p = &p, .from = i, .len = 60000 };
		drain_message(&d);
		EXPECT_TRUE(d.ok);
		EXPECT_EQ(0, shutdown(p.ws, SHUT_WR));
		EXPECT_TRUE(expect_close(&p, 1000, ""));
		pair_close(&p);
	}
}

/* A message in many records wakes its reader once. */
TEST_F(tls, one_wakeup)
{
	int ep = epoll_create1(0), i;
	struct epoll_event ev = { .events = EPOLLIN };
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, p->ws, &ev));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	bytes_frame(&b, p, TEXT, pattern(0, 40000), 40000);
	for (i = 0; i < 4; i++) {
		ASSERT_TRUE(raw_send(p, b.p + b.n / 5 * i, b.n / 5));
		EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 50));
	}
	EXPECT_EQ(0, ws_get_info(p->ws).wakeups);
	ASSERT_TRUE(raw_send(p, b.p + b.n / 5 * 4, b.n - b.n / 5 * 4));
	EXPECT_EQ(1, epoll_wait(ep, &ev, 1, WS_TEST_MS));
	EXPECT_EQ(1, ws_get_info(p->ws).wakeups);
	EXPECT_TRUE(expect_message(p->ws, WS_OP_TEXT, pattern(0, 40000),
				   40000));
	bytes_free(&b);
	close(ep);
}

/* Many messages in one record. */
TEST_F(tls, many_in_a_record)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	int i;

	for (i = 0; i < 100; i++)
		bytes_frame(&b, p, TEXT, pattern(i, 100), 100);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	for (i = 0; i < 100; i++) {
		EXPECT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
		EXPECT_TRUE(expect_message(p->ws, WS_OP_TEXT, pattern(i, 100),
					   100));
	}
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
}

/* Who only asks how much there is must not keep the news for himself. */
TEST_F_TIMEOUT(tls, found_by_a_call, 100)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	struct pair *p = &self->p;
	int ep = epoll_create1(0), i, n;
	char c;

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, p->ws, &ev));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	for (i = 0; i < 50; i++) {
		ASSERT_TRUE(raw_frame(p, TEXT, "news", 4));
		do {
			if (i & 1)
				n = recv(p->ws, &c, 1, MSG_PEEK | MSG_DONTWAIT);
			else
				ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
		} while (n <= 0);
		EXPECT_EQ(1, epoll_wait(ep, &ev, 1, WS_TEST_MS));
		EXPECT_TRUE(expect_text(p->ws, "news"));
		/* Told by the work, too. */
		epoll_wait(ep, &ev, 1, 0);
	}
	close(ep);
}

TEST_F(tls, zerocopy_is_a_copy)
{
	struct sock_extended_err *ee;
	char control[200];
	struct msghdr msg = { .msg_control = control,
			      .msg_controllen = sizeof(control) };
	struct pair *p = &self->p;
	int one = 1;

	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_ZEROCOPY, &one,
				sizeof(one)));
	ASSERT_EQ(20000, ws_send(p->ws, WS_OP_TEXT, pattern(0, 20000), 20000,
				 MSG_ZEROCOPY));
	ASSERT_EQ(20000, ws_send(p->ws, WS_OP_TEXT, pattern(1, 20000), 20000,
				 MSG_ZEROCOPY));
	EXPECT_TRUE(expect_frame(p, TEXT, pattern(0, 20000), 20000));
	EXPECT_TRUE(expect_frame(p, TEXT, pattern(1, 20000), 20000));
	ASSERT_LE(0, recvmsg(p->ws, &msg, MSG_ERRQUEUE));
	ee = (void *)CMSG_DATA(CMSG_FIRSTHDR(&msg));
	EXPECT_EQ(SO_EE_ORIGIN_ZEROCOPY, ee->ee_origin);
	EXPECT_EQ(SO_EE_CODE_ZEROCOPY_COPIED, ee->ee_code);
}

/* More than is read ahead; a reader that goes by poll() gets it all. */
TEST_F(tls, more_than_is_read_ahead)
{
	struct pair *p = &self->p;
	int i;

	for (i = 0; i < 40; i++)
		ASSERT_TRUE(raw_frame(p, BINARY, pattern(i, 8000), 8000));
	for (i = 0; i < 40; i++) {
		ASSERT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
		EXPECT_TRUE(expect_message(p->ws, WS_OP_BINARY,
					   pattern(i, 8000), 8000));
	}
}

TEST_F(tls, empty_records)
{
	struct pair *p = &self->p;
	int i;

	for (i = 0; i < 5; i++)
		ASSERT_EQ(0, tls_send(p->raw, 23, "", 0));
	ASSERT_TRUE(raw_frame(p, TEXT, "after", 5));
	EXPECT_TRUE(expect_text(p->ws, "after"));
}

/* Two in one record, and one in two; between and inside messages. */
TEST_F(tls, tickets)
{
	struct pair *p = &self->p;
	char ticket[2 * (4 + 300)] = { 4, 0, 1, 44 };
	int i;

	memcpy(ticket + 304, ticket, 304);
	ASSERT_TRUE(raw_frame(p, F_TEXT, "a", 1));
	ASSERT_EQ(608, tls_send(p->raw, TLS_HANDSHAKE, ticket, 608));
	ASSERT_TRUE(raw_frame(p, CONT, "b", 1));
	EXPECT_TRUE(expect_text(p->ws, "ab"));
	ASSERT_EQ(100, tls_send(p->raw, TLS_HANDSHAKE, ticket, 100));
	ASSERT_EQ(204, tls_send(p->raw, TLS_HANDSHAKE, ticket + 100, 204));
	ASSERT_TRUE(raw_frame(p, TEXT, "c", 1));
	EXPECT_TRUE(expect_text(p->ws, "c"));
	/* Records end inside a ticket's header. */
	for (i = 0; i < 306; i += 102)
		ASSERT_EQ(102, tls_send(p->raw, TLS_HANDSHAKE, ticket + i, 102));
	ASSERT_EQ(302, tls_send(p->raw, TLS_HANDSHAKE, ticket + 306, 302));
	ASSERT_TRUE(raw_frame(p, TEXT, "d", 1));
	EXPECT_TRUE(expect_text(p->ws, "d"));
}

/* PINGs are answered although nobody reads. */
TEST_F(tls, pong_without_reader)
{
	struct pair *p = &self->p;

	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
	ASSERT_TRUE(raw_frame(p, PING, "there?", 6));
	EXPECT_TRUE(expect_frame(p, PONG, "there?", 6));
}

/* The peer does not read: bytes pile up in TLS and TCP, then go on. */
TEST_F_TIMEOUT(tls, slow_peer, 200)
{
	struct pair *p = &self->p;
	size_t sent = 0, got = 0;
	int little = 100000;
	struct frame f;
	ssize_t n;

	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_SNDBUF, &little,
				sizeof(little)));
	/* The last one that was taken may be a part. */
	while ((n = ws_send(p->ws, WS_OP_BINARY, pattern(0, 100000), 100000,
			    MSG_DONTWAIT | MSG_MORE)) > 0)
		sent += n;
	EXPECT_LT(200000, sent);
	EXPECT_EQ(0, poll_now(p->ws, POLLOUT));
	ASSERT_EQ(0, shutdown(p->ws, SHUT_WR));
	do {
		ASSERT_TRUE(read_frame(p, &f));
		got += f.first == CLOSE ? 0 : f.len;
		free(f.data);
	} while (f.first != CLOSE);
	EXPECT_EQ(sent, got);
}

TEST_HARNESS_MAIN
