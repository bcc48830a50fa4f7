// SPDX-License-Identifier: GPL-2.0-only
/*
 * When TCP's memory runs short on the machine: other sockets have taken it. A
 * silent peer stays a silent peer, and what lies in receive queues for the rest
 * of its message goes to the reader.
 */
#include "kselftest_harness.h"
#include "ws_machine.h"
#include "ws_test.h"

#include <sys/epoll.h>

/* What the peers announce, and do not send. */
#define ANNOUNCED	(6 << 20)

FIXTURE(pressure)
{
	struct squeeze squeeze;
	struct pair p;
};

FIXTURE_VARIANT(pressure)
{
	const char *tls;
};

FIXTURE_VARIANT_ADD(pressure, tcp) { NULL };
FIXTURE_VARIANT_ADD(pressure, tls) { "1.3" };

FIXTURE_SETUP(pressure)
{
	memset(self, 0, sizeof(*self));
	if (variant->tls)
		setenv("WS_TEST_TLS", variant->tls, 1);
	ASSERT_TRUE(pair_open(&self->p, AF_INET, WS_ROLE_SERVER));
}

FIXTURE_TEARDOWN(pressure)
{
	tcp_unsqueeze(&self->squeeze);
	pair_close(&self->p);
}

/* The beginning of a message, of which the rest never comes. */
static bool announce(struct pair *p, size_t sent)
{
	unsigned char head[14];
	size_t n = frame_header(head, BINARY, ANNOUNCED,
				(const unsigned char *)"\0\0\0");

	return raw_send(p, head, n) && raw_send(p, pattern(0, sent), sent);
}

/*
 * A program that reads all it can get, until the connection ends. Returns the
 * error, 0 for the end of the stream, or 1 when it was given up.
 */
static int read_until_end(int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP };
	uint64_t end = now_ms() + WS_TEST_MS;
	int ep = epoll_create1(0), result = 1;
	static char buf[1 << 16];

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev);
	while (result > 0 && now_ms() < end) {
		ssize_t n = 1;

		if (epoll_wait(ep, &ev, 1, 100) == 1)
			n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			result = -errno;
		else if (!n)
			result = 0;
	}
	close(ep);
	return result;
}

/* Pressure first, then the peer's first bytes, then silence. */
static bool be_silent(struct pair *p, struct squeeze *squeeze,
		      struct ws_config cfg)
{
	return tcp_squeeze(squeeze) &&
	       !ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)) &&
	       !poll_now(p->ws, POLLIN) && announce(p, 1000);
}

TEST_F_TIMEOUT(pressure, ping_timeout, 60)
{
	struct ws_config cfg = { .ping_interval = 300, .ping_timeout = 400 };
	struct pair *p = &self->p;

	ASSERT_TRUE(be_silent(p, &self->squeeze, cfg));
	EXPECT_EQ(-ETIMEDOUT, read_until_end(p->ws));
	EXPECT_EQ(WS_RULE_PING_TIMEOUT, ws_get_info(p->ws).rule);
}

TEST_F_TIMEOUT(pressure, assembly_timeout, 60)
{
	struct ws_config cfg = { .assembly_timeout = 500 };
	struct pair *p = &self->p;

	ASSERT_TRUE(be_silent(p, &self->squeeze, cfg));
	EXPECT_EQ(-ETIMEDOUT, read_until_end(p->ws));
	EXPECT_EQ(WS_RULE_ASSEMBLY_TIMEOUT, ws_get_info(p->ws).rule);
}

TEST_F_TIMEOUT(pressure, close_timeout, 60)
{
	struct ws_config cfg = { .close_timeout = 400 };
	struct pair *p = &self->p;

	ASSERT_TRUE(be_silent(p, &self->squeeze, cfg));
	ASSERT_EQ(0, shutdown(p->ws, SHUT_WR));
	EXPECT_EQ(-ETIMEDOUT, read_until_end(p->ws));
	EXPECT_EQ(WS_RULE_CLOSE_TIMEOUT, ws_get_info(p->ws).rule);
}

/* All limits at once, and nothing but the announcement has come. */
TEST_F_TIMEOUT(pressure, every_limit, 60)
{
	struct ws_config cfg = { .ping_interval = 500, .ping_timeout = 500,
				 .assembly_timeout = 1000,
				 .close_timeout = 1000 };
	struct pair *p = &self->p;

	ASSERT_TRUE(tcp_squeeze(&self->squeeze));
	ASSERT_EQ(0, ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)));
	ASSERT_TRUE(announce(p, 0));
	EXPECT_EQ(-ETIMEDOUT, read_until_end(p->ws));
}

TEST_F_TIMEOUT(pressure, lingering, 60)
{
	long long lingering = ws_stat("WsCurrLingering");
	struct ws_config cfg = { .close_timeout = 400 };
	struct pair *p = &self->p;

	ASSERT_TRUE(be_silent(p, &self->squeeze, cfg));
	close(p->ws);
	p->ws = -1;
	EXPECT_TRUE(expect_close(p, 1001, ""));
	EXPECT_TRUE(expect_fin(p));
	EXPECT_TRUE(stat_becomes("WsCurrLingering", lingering));
}

/* The peer is not silent, and nothing here is overdue. */
TEST_F_TIMEOUT(pressure, in_time, 60)
{
	struct ws_config cfg = { .ping_interval = 300, .ping_timeout = 4000,
				 .assembly_timeout = 60000 };
	struct pair *p = &self->p;
	uint64_t begin = now_ms();

	ASSERT_TRUE(be_silent(p, &self->squeeze, cfg));
	while (now_ms() - begin < 6000) {
		static char buf[4096];

		ASSERT_TRUE(raw_send(p, "more", 4));
		usleep(100000);
		while (recv(p->ws, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			;
		ASSERT_EQ(0, ws_get_info(p->ws).rule);
	}
}

#define PARALLEL	40

FIXTURE(parked)
{
	struct squeeze squeeze;
	struct pair p[PARALLEL];
	size_t sent[PARALLEL];
	size_t got[PARALLEL];
	int ep;
};

FIXTURE_SETUP(parked)
{
	int i;

	memset(self, 0, sizeof(*self));
	self->ep = epoll_create1(0);
	for (i = 0; i < PARALLEL; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.u32 = i };

		ASSERT_TRUE(pair_open(&self->p[i], AF_INET, WS_ROLE_SERVER));
		ASSERT_EQ(0, epoll_ctl(self->ep, EPOLL_CTL_ADD,
				       self->p[i].ws, &ev));
	}
}

FIXTURE_TEARDOWN(parked)
{
	int i;

	tcp_unsqueeze(&self->squeeze);
	for (i = 0; i < PARALLEL; i++)
		pair_close(&self->p[i]);
	close(self->ep);
}

/* The program: whatever is ready is read. Returns how many had something. */
static int read_ready(int ep, struct pair *p, size_t *got, int ms)
{
	struct epoll_event ev[PARALLEL];
	static char buf[1 << 20];
	int i, n = epoll_wait(ep, ev, PARALLEL, ms);

	for (i = 0; i < n; i++) {
		__u32 who = ev[i].data.u32;
		ssize_t len = recv(p[who].ws, buf, sizeof(buf), MSG_DONTWAIT);

		if (len > 0)
			got[who] += len;
	}
	return n;
}

/* Returns false when TCP takes nothing more of any connection's @most bytes. */
static bool send_parts(struct pair *p, size_t *sent, size_t most)
{
	bool some = false;
	ssize_t n;
	int i;

	for (i = 0; i < PARALLEL; i++) {
		if (sent[i] >= most)
			continue;
		n = send(p[i].raw, pattern(0, 65536), 65536,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
		sent[i] += n > 0 ? n : 0;
		some |= n > 0;
	}
	return some;
}

/* Announces, and sends until nothing has been taken for half a second. */
static bool send_announced(struct pair *p, size_t *sent, size_t *got, int ep,
			   size_t most)
{
	uint64_t begin = now_ms(), last = begin;
	int i;

	for (i = 0; i < PARALLEL; i++)
		if (!announce(&p[i], 0))
			return false;
	while (now_ms() - last < 500 && now_ms() - begin < 4 * WS_TEST_MS) {
		if (send_parts(p, sent, most))
			last = now_ms();
		if (ep >= 0)
			read_ready(ep, p, got, 1);
		else
			usleep(1000);
	}
	return true;
}

static long long held(struct pair *p)
{
	long long sum = 0;
	int i;

	for (i = 0; i < PARALLEL; i++)
		sum += receive_memory(p[i].ws);
	fprintf(stderr, "#   %lld KiB in receive queues, %ld KiB of TCP in all\n",
		sum / 1024, tcp_pages() * getpagesize() / 1024);
	return sum;
}

/*
 * What connections may hold that have just begun: their receive buffers as they
 * are from the beginning, twice as much for a frame that does not quite fit, and
 * the packets that TCP lets exceed it.
 */
static long long allowed(struct pair *p)
{
	long long sum = 0;
	int i, size = 0;
	socklen_t len = sizeof(size);

	for (i = 0; i < PARALLEL; i++) {
		getsockopt(p[i].ws, SOL_SOCKET, SO_RCVBUF, &size, &len);
		sum += 4 * size;
	}
	return sum;
}

/* What is announced takes no memory. */
TEST_F_TIMEOUT(parked, announced_and_not_read, 120)
{
	long long most = allowed(self->p);

	ASSERT_TRUE(send_announced(self->p, self->sent, self->got, -1,
				   ANNOUNCED / 2));
	EXPECT_GE(most, held(self->p));
}

/* What was read earns its connection as much again, with what TCP adds to it. */
TEST_F_TIMEOUT(parked, announced_and_read, 120)
{
	long long most = allowed(self->p), got = 0;
	int i;

	ASSERT_TRUE(send_announced(self->p, self->sent, self->got, self->ep,
				   ANNOUNCED / 6));
	for (i = 0; i < PARALLEL; i++)
		got += self->got[i];
	TH_LOG("%lld KiB were read", got / 1024);
	EXPECT_GE(most + 2 * got, held(self->p));
}

/* No byte comes any more. What lies there is wanted back, so it is given. */
TEST_F_TIMEOUT(parked, given_under_pressure, 120)
{
	const size_t part = 40000;
	uint64_t begin;
	size_t all = 0;
	int i;

	for (i = 0; i < PARALLEL; i++) {
		ASSERT_TRUE(announce(&self->p[i], part));
		ASSERT_TRUE(settle(&self->p[i]));
	}
	while (read_ready(self->ep, self->p, self->got, 100) > 0)
		;
	ASSERT_TRUE(tcp_squeeze(&self->squeeze));
	begin = now_ms();
	while (all < part * PARALLEL && now_ms() - begin < WS_TEST_MS) {
		read_ready(self->ep, self->p, self->got, 100);
		for (i = 0, all = 0; i < PARALLEL; i++)
			all += self->got[i];
	}
	TH_LOG("%zu of %zu bytes after %llu ms", all, part * PARALLEL,
	       0ULL + now_ms() - begin);
	EXPECT_EQ(part * PARALLEL, all);
}

TEST_HARNESS_MAIN
