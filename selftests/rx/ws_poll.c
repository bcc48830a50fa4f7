// SPDX-License-Identifier: GPL-2.0-only
/*
 * EPOLLIN means that recvmsg() has something to give, and sleepers are told
 * once for it.
 */
#include "kselftest_harness.h"
#include "ws_reader.h"

#include <sys/epoll.h>

#define READ_EVENTS	(EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)

FIXTURE(poll)
{
	struct pair p;
	int ep;
};

FIXTURE_VARIANT(poll)
{
	__u32 role;
	int family;
	uint32_t mode;
};

FIXTURE_VARIANT_ADD(poll, server_level)
{
	.role = WS_ROLE_SERVER,
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(poll, server_edge)
{
	.role = WS_ROLE_SERVER,
	.family = AF_INET6,
	.mode = EPOLLET,
};

FIXTURE_VARIANT_ADD(poll, client_level)
{
	.role = WS_ROLE_CLIENT,
	.family = AF_INET6,
};

FIXTURE_VARIANT_ADD(poll, client_edge)
{
	.role = WS_ROLE_CLIENT,
	.family = AF_INET,
	.mode = EPOLLET,
};

FIXTURE_SETUP(poll)
{
	struct epoll_event ev = {
		.events = EPOLLIN | EPOLLRDHUP | variant->mode,
	};

	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
	self->ep = epoll_create1(0);
	ASSERT_LE(0, self->ep);
	ASSERT_EQ(0, epoll_ctl(self->ep, EPOLL_CTL_ADD, self->p.ws, &ev));
}

FIXTURE_TEARDOWN(poll)
{
	close(self->ep);
	pair_close(&self->p);
}

/* The events, or 0 when there are none in time. */
static uint32_t wait_events(int ep, int ms)
{
	struct epoll_event ev;

	return epoll_wait(ep, &ev, 1, ms) == 1 ? ev.events : 0;
}

TEST_F(poll, only_for_messages)
{
	struct pair *p = &self->p;

	EXPECT_EQ(POLLOUT, poll_now(p->ws, POLLIN | POLLOUT | POLLRDHUP));
	EXPECT_EQ(0, wait_events(self->ep, 0));
	ASSERT_TRUE(raw_frame(p, F_TEXT, "one", 3));
	ASSERT_TRUE(raw_frame(p, PING, "", 0));
	ASSERT_TRUE(raw_frame(p, PONG, "", 0));
	ASSERT_TRUE(settle(p));
	EXPECT_EQ(0, wait_events(self->ep, 0));
	EXPECT_EQ(0, ws_get_info(p->ws).wakeups);
	ASSERT_TRUE(raw_frame(p, CONT, "two", 3));
	EXPECT_EQ(EPOLLIN, wait_events(self->ep, WS_TEST_MS));
	EXPECT_EQ(1, ws_get_info(p->ws).wakeups);
	EXPECT_TRUE(expect_text(p->ws, "onetwo"));
	EXPECT_EQ(0, wait_events(self->ep, 0));
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
}

/* Level: as long as there is one. Edge: for each arrival. */
TEST_F(poll, level_and_edge)
{
	bool edge = variant->mode;
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "one", 3));
	EXPECT_EQ(EPOLLIN, wait_events(self->ep, WS_TEST_MS));
	EXPECT_EQ(edge ? 0 : EPOLLIN, wait_events(self->ep, 0));
	ASSERT_TRUE(raw_frame(p, TEXT, "two", 3));
	ASSERT_TRUE(settle(p));
	EXPECT_EQ(EPOLLIN, wait_events(self->ep, WS_TEST_MS));
	EXPECT_TRUE(expect_text(p->ws, "one"));
	EXPECT_EQ(edge ? 0 : EPOLLIN, wait_events(self->ep, 0));
	EXPECT_TRUE(expect_text(p->ws, "two"));
	EXPECT_EQ(0, wait_events(self->ep, 0));
	ASSERT_TRUE(raw_frame(p, TEXT, "three", 5));
	EXPECT_EQ(EPOLLIN, wait_events(self->ep, WS_TEST_MS));
	EXPECT_TRUE(expect_text(p->ws, "three"));
}

/* An edge is seen for what comes while the first is still unread, and unscanned. */
TEST_F(poll, unscanned)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	char buf[64];
	ssize_t n;

	ASSERT_EQ(0, set_flags(p->ws, WS_F_RECORDS));
	bytes_frame(&b, p, BINARY, "second", 6);
	ASSERT_TRUE(send_unscanned(p, &b));
	EXPECT_EQ(EPOLLIN, wait_events(self->ep, WS_TEST_MS));
	ASSERT_TRUE(raw_frame(p, BINARY, "third", 5));
	EXPECT_EQ(EPOLLIN, wait_events(self->ep, WS_TEST_MS));
	/* With TLS the third may not have been decrypted yet. */
	n = recv(p->ws, buf, sizeof(buf), 0);
	if (n == 32)
		n += recv(p->ws, buf, sizeof(buf), 0);
	EXPECT_EQ(48, n);
}

TEST_F(poll, busy_poll)
{
	struct pair *p = &self->p;
	char byte;

	EXPECT_EQ(0, set_int(p->ws, SOL_SOCKET, SO_BUSY_POLL, 200));
	EXPECT_TRUE(pair_works(p));
	EXPECT_EQ(0, poll_for(p->ws, POLLIN, 20));
	EXPECT_EQ(-EAGAIN, ws_recv(p->ws, &byte, 1, MSG_DONTWAIT).n);
	EXPECT_TRUE(pair_works(p));
}

/* The rest of a message is still something to read. */
TEST_F(poll, piece_by_piece)
{
	struct pair *p = &self->p;
	char buf[8];

	ASSERT_TRUE(raw_frame(p, TEXT, "abcdef", 6));
	ASSERT_EQ(EPOLLIN, wait_events(self->ep, WS_TEST_MS));
	ASSERT_EQ(4, recv(p->ws, buf, 4, 0));
	EXPECT_EQ(POLLIN, poll_now(p->ws, POLLIN));
	ASSERT_EQ(2, recv(p->ws, buf, 4, 0));
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
}

/* A message that trickles in wakes its reader once. */
TEST_F_TIMEOUT(poll, trickle_wakes_once, 60)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	int returns = 0, round;
	size_t at;

	for (round = 1; round <= 3; round++) {
		bytes_frame(&b, p, BINARY, pattern(round, 65536), 65536);
		for (at = 0; at < b.n; at += 1448) {
			size_t n = b.n - at < 1448 ? b.n - at : 1448;

			ASSERT_TRUE(raw_send(p, b.p + at, n));
			ASSERT_TRUE(settle(p));
			returns += !!wait_events(self->ep, 0);
			ASSERT_EQ(at + n < b.n ? round - 1 : round, returns) {
				TH_LOG("round %d, at %zu", round, at);
			}
		}
		bytes_free(&b);
		EXPECT_TRUE(expect_message(p->ws, WS_OP_BINARY,
					   pattern(round, 65536), 65536));
		EXPECT_EQ(round, ws_get_info(p->ws).wakeups);
	}
}

struct waiter {
	struct pair *p;
	int ep;
	pthread_t thread;
	int returns;
	int waits;
	bool ok;
};

static void *read_until_end(void *arg)
{
	struct waiter *w = arg;
	char buf[4096];

	for (;;) {
		struct got got;

		__atomic_add_fetch(&w->waits, 1, __ATOMIC_RELEASE);
		if (!wait_events(w->ep, WS_TEST_MS))
			return NULL;
		w->returns++;
		do {
			got = ws_recv(w->p->ws, buf, sizeof(buf), MSG_DONTWAIT);
			if (got.m.opcode == WS_OP_CLOSE) {
				w->ok = true;
				return NULL;
			}
		} while (got.n >= 0);
		if (got.n != -EAGAIN)
			return NULL;
	}
}

/* The same with a reader that really sleeps. */
TEST_F_TIMEOUT(poll, sleeper_is_woken_once, 60)
{
	struct waiter w = { .p = &self->p, .ep = self->ep };
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	size_t at;

	ASSERT_EQ(0, pthread_create(&w.thread, NULL, read_until_end, &w));
	bytes_frame(&b, p, BINARY, pattern(0, 20000), 20000);
	for (at = 0; at < b.n; at += 500) {
		ASSERT_TRUE(raw_send(p, b.p + at, b.n - at < 500 ? b.n - at
								 : 500));
		ASSERT_TRUE(settle(p));
	}
	bytes_free(&b);
	/* With all of it read; else it reads the Close as well. */
	while (__atomic_load_n(&w.waits, __ATOMIC_ACQUIRE) < 2)
		usleep(1000);
	bytes_close(&b, p, 1000, "");
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_EQ(0, pthread_join(w.thread, NULL));
	EXPECT_TRUE(w.ok);
	EXPECT_EQ(2, w.returns);
	EXPECT_EQ(2, ws_get_info(p->ws).wakeups);
}

/* What comes together is told together. */
TEST_F(poll, pipelined_wakes_once)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	int i;

	EXPECT_EQ(0, wait_events(self->ep, 0));
	for (i = 0; i < 50; i++)
		bytes_frame(&b, p, TEXT, "m", 1);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	EXPECT_EQ(EPOLLIN, wait_events(self->ep, WS_TEST_MS));
	for (i = 0; i < 50; i++)
		ASSERT_TRUE(expect_text(p->ws, "m"));
	EXPECT_EQ(1, ws_get_info(p->ws).wakeups);
}

/* EPOLLRDHUP: nothing but the end is left. */
TEST_F(poll, close_is_next)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_frame(&b, p, TEXT, "last", 4);
	bytes_close(&b, p, 1000, "");
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	EXPECT_EQ(POLLIN, poll_now(p->ws, POLLIN | POLLRDHUP));
	EXPECT_TRUE(expect_text(p->ws, "last"));
	EXPECT_EQ(POLLIN | POLLRDHUP, poll_now(p->ws, POLLIN | POLLRDHUP));
	EXPECT_TRUE(expect_received_close(p->ws, 1000, ""));
	EXPECT_EQ(POLLIN | POLLRDHUP, poll_now(p->ws, POLLIN | POLLRDHUP));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_EQ(POLLIN | POLLRDHUP, poll_now(p->ws, POLLIN | POLLRDHUP));
}

TEST_F(poll, fault_is_next)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "last", 4));
	ASSERT_TRUE(raw_frame(p, FIN | 3, "", 0));
	ASSERT_TRUE(settle(p));
	EXPECT_EQ(POLLIN, poll_now(p->ws, POLLIN | POLLRDHUP));
	EXPECT_TRUE(expect_text(p->ws, "last"));
	EXPECT_EQ(POLLIN | POLLRDHUP, poll_now(p->ws, POLLIN | POLLRDHUP));
	EXPECT_TRUE(expect_error(p->ws, EPROTO));
	EXPECT_EQ(POLLIN | POLLRDHUP, poll_now(p->ws, POLLIN | POLLRDHUP));
}

TEST_F(poll, fin)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "last", 4));
	ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	/* Who asks can see the FIN before who sleeps is told of it. */
	ASSERT_TRUE(poll_for(p->ws, POLLRDHUP, WS_TEST_MS));
	EXPECT_EQ(EPOLLIN | EPOLLRDHUP, wait_events(self->ep, WS_TEST_MS));
	EXPECT_TRUE(expect_text(p->ws, "last"));
	EXPECT_EQ(POLLIN | POLLRDHUP, poll_now(p->ws, POLLIN | POLLRDHUP));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_EQ(POLLOUT, poll_now(p->ws, POLLOUT));
}

TEST_F(poll, reset)
{
	struct pair *p = &self->p;
	uint32_t events;

	close_reset(&p->raw);
	events = wait_events(self->ep, WS_TEST_MS);
	EXPECT_EQ(READ_EVENTS, events & READ_EVENTS);
	EXPECT_TRUE(expect_error(p->ws, ECONNRESET));
}

struct blocked {
	int fd;
	struct got got;
	int revents;
};

static void *in_recv(void *arg)
{
	struct blocked *b = arg;
	char buf[8];

	b->got = ws_recv(b->fd, buf, sizeof(buf), 0);
	return NULL;
}

static void *in_poll(void *arg)
{
	struct blocked *b = arg;

	b->revents = poll_for(b->fd, POLLIN | POLLRDHUP, WS_TEST_MS);
	return NULL;
}

/* Those who sleep are woken when the end comes, whoever brings it about. */
TEST_F(poll, sleepers_see_the_end)
{
	int how;

	for (how = 0; how < 4; how++) {
		struct blocked r, q;
		pthread_t thread[2];
		struct pair p;

		ASSERT_TRUE(pair_open(&p, variant->family, variant->role));
		r.fd = p.ws;
		q.fd = p.ws;
		ASSERT_EQ(0, pthread_create(&thread[0], NULL, in_recv, &r));
		ASSERT_EQ(0, pthread_create(&thread[1], NULL, in_poll, &q));
		usleep(50000);
		switch (how) {
		case 0:
			ASSERT_EQ(0, shutdown(p.ws, SHUT_RDWR));
			break;
		case 1:
			ASSERT_EQ(0, shutdown(p.ws, SHUT_RD));
			break;
		case 2:
			ASSERT_EQ(0, shutdown(p.raw, SHUT_WR));
			break;
		case 3:
			close(p.raw);
			p.raw = -1;
			break;
		}
		ASSERT_EQ(0, pthread_join(thread[0], NULL));
		ASSERT_EQ(0, pthread_join(thread[1], NULL));
		EXPECT_EQ(0, r.got.n) {
			TH_LOG("way %d", how);
		}
		EXPECT_EQ(POLLIN | POLLRDHUP,
			  q.revents & (POLLIN | POLLRDHUP)) {
			TH_LOG("way %d", how);
		}
		pair_close(&p);
	}
}

/* A message that comes alone wakes once, whatever it is like; so does a Close. */
TEST_F(poll, each_wakes_once)
{
	static const size_t lengths[] = { 0, 1, 125, 126, 1000, 5000 };
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	size_t i;

	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		ASSERT_TRUE(raw_frame(p, BINARY, pattern(i, lengths[i]),
				      lengths[i]));
		ASSERT_TRUE(settle(p));
		EXPECT_EQ(i + 1, ws_get_info(p->ws).wakeups) {
			TH_LOG("%zu bytes", lengths[i]);
		}
		ASSERT_TRUE(expect_message(p->ws, WS_OP_BINARY,
					   pattern(i, lengths[i]), lengths[i]));
	}
	ASSERT_TRUE(raw_frame(p, PING, "", 0));
	ASSERT_TRUE(settle(p));
	EXPECT_EQ(i, ws_get_info(p->ws).wakeups);
	bytes_close(&b, p, 1000, "");
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	EXPECT_EQ(i + 1, ws_get_info(p->ws).wakeups);
}

static void *close_late(void *arg)
{
	usleep(100000);
	return raw_close(arg, 1000, "") ? arg : NULL;
}

/* A poller of the end alone is woken by a Close, and not only by TCP's FIN. */
TEST_F(poll, rdhup_alone)
{
	struct pair *p = &self->p;
	uint64_t begin = now_ms();
	pthread_t thread;
	void *ok;

	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	ASSERT_EQ(0, pthread_create(&thread, NULL, close_late, p));
	EXPECT_TRUE(poll_for(p->ws, POLLRDHUP, WS_TEST_MS) & POLLRDHUP);
	EXPECT_TRUE(in_time(begin, WS_TEST_MS / 4));
	ASSERT_EQ(0, pthread_join(thread, &ok));
	EXPECT_EQ(p, ok);
}

TEST_HARNESS_MAIN
