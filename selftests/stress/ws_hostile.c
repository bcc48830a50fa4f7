// SPDX-License-Identifier: GPL-2.0-only
/*
 * Peers that mean harm: what one of them can make the kernel do and hold, and
 * what the program here notices of it.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <fcntl.h>
#include <time.h>
#include <sys/epoll.h>

#include <linux/tcp.h>

FIXTURE(hostile)
{
	struct pair p;
};

FIXTURE_VARIANT(hostile)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(hostile, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(hostile, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(hostile)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
}

FIXTURE_TEARDOWN(hostile)
{
	pair_close(&self->p);
}

/* Bytes that @fd has ever sent and that the peer has taken. */
static uint64_t bytes_acked(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len);
	return info.tcpi_bytes_acked;
}

/* One byte at a time for longer than a message may take, into a sleeper. */
TEST_F_TIMEOUT(hostile, slow_sender, 60)
{
	struct ws_config cfg = { .role = variant->role,
				 .assembly_timeout = 800 };
	struct pair *p = &self->p;
	uint64_t begin = now_ms();
	struct epoll_event ev = { .events = EPOLLIN };
	int ep = epoll_create1(0);
	struct bytes b = { 0 };
	size_t i;

	ASSERT_EQ(0, ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)));
	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, p->ws, &ev));
	bytes_frame(&b, p, BINARY, pattern(0, 125), 125);
	for (i = 0; i < b.n && epoll_wait(ep, &ev, 1, 100) == 0; i++)
		send(p->raw, b.p + i, 1, MSG_NOSIGNAL);
	bytes_free(&b);
	EXPECT_LE(600, now_ms() - begin);
	EXPECT_TRUE(in_time(begin, 6000));
	EXPECT_TRUE(expect_error(p->ws, ETIMEDOUT));
	EXPECT_EQ(1, ws_get_info(p->ws).wakeups);
	EXPECT_TRUE(expect_close(p, 1008, ""));
	close(ep);
}

struct storm {
	struct pair *p;
	int frames;
	size_t len;
	bool ok;
};

static void *send_storm(void *arg)
{
	struct storm *s = arg;
	struct bytes b = { 0 };
	int i, k;

	s->ok = raw_frame(s->p, F_BINARY, "", 0);
	for (k = 0; k < 1000; k++)
		bytes_frame(&b, s->p, F_CONT, pattern(0, s->len), s->len);
	for (i = 0; s->ok && i < s->frames; i += 1000)
		s->ok = raw_send(s->p, b.p, b.n);
	bytes_free(&b);
	s->ok = s->ok && raw_frame(s->p, CONT, "the end", 7);
	return NULL;
}

static uint64_t cpu_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

/* All of the message, and how long it took; false if it is not whole. */
static bool weather(struct pair *p, struct storm *s, uint64_t *ns)
{
	static char buf[1 << 20];
	uint64_t begin = cpu_us();
	pthread_t thread;
	size_t len = 0;
	struct got got;

	if (pthread_create(&thread, NULL, send_storm, s))
		return false;
	do {
		got = ws_recv(p->ws, buf, sizeof(buf), 0);
		if (got.n < 0)
			break;
		len += got.n;
	} while (!(got.flags & MSG_EOR));
	pthread_join(thread, NULL);
	*ns = (cpu_us() - begin) * 1000;
	return (s->ok && len == s->frames * s->len + 7) ||
	       complain("%zu bytes, %zd", len, got.n);
}

/* The time for a fragment is that of a frame, however many there were. */
TEST_F_TIMEOUT(hostile, empty_fragments, 240)
{
	struct storm few = { .p = &self->p, .frames = 10000 };
	struct storm many = { .p = &self->p, .frames = 100000 };
	uint64_t t_few, t_many;
	int tries = 0;

	/* What is only done once is not counted. */
	ASSERT_TRUE(weather(&self->p, &few, &t_few));
	/* A busy host makes one of the two look slow, but not each time. */
	do {
		ASSERT_TRUE(weather(&self->p, &few, &t_few));
		ASSERT_TRUE(weather(&self->p, &many, &t_many));
		TH_LOG("%llu ns for each of 10000, %llu for each of 100000",
		       0ULL + t_few / few.frames,
		       0ULL + t_many / many.frames);
		t_few /= few.frames;
		t_many /= many.frames;
	} while (4 * t_few <= t_many && ++tries < 4);
	EXPECT_GT(4 * t_few, t_many);
	EXPECT_EQ(0, ws_get_info(self->p.ws).rule);
}

TEST_F_TIMEOUT(hostile, small_fragments, 120)
{
	struct storm s = { .p = &self->p, .frames = 65000, .len = 64 };
	uint64_t ns;

	ASSERT_TRUE(weather(&self->p, &s, &ns));
	TH_LOG("%llu ns a byte", 0ULL + ns / (s.frames * s.len));
	EXPECT_EQ(0, ws_get_info(self->p.ws).rule);
}

/* PINGs as long as TCP takes them, and no PONG is read. */
TEST_F_TIMEOUT(hostile, ping_flood, 120)
{
	struct epoll_event ev = { .events = EPOLLIN };
	struct pair *p = &self->p;
	int ep = epoll_create1(0);
	/* A client's are masked. */
	int pong = variant->role == WS_ROLE_CLIENT ? 131 : 127;
	struct bytes b = { 0 };
	struct ws_info info;
	int i, queued = 0;
	socklen_t len;
	uint64_t end;

	ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, p->ws, &ev));
	for (i = 0; i < 200; i++)
		bytes_frame(&b, p, PING, pattern(i, 125), 125);
	end = now_ms() + 2000;
	do {
		ssize_t n = send(p->raw, b.p, b.n, MSG_DONTWAIT);

		/* What TCP did not take is sent, so that frames stay whole. */
		if (n > 0 && n < (ssize_t)b.n)
			ASSERT_TRUE(raw_send(p, b.p + n, b.n - n));
		if (n > 0)
			queued++;
		else
			usleep(1000);
	} while (now_ms() < end || !queued);
	EXPECT_TRUE(wait_until(ws_get_info(p->ws).rx_pings >= 200U * queued));
	EXPECT_EQ(0, epoll_wait(ep, &ev, 1, 0));
	info = ws_get_info(p->ws);
	TH_LOG("%d x 200 PINGs, %u seen, %u PONGs", queued, info.rx_pings,
	       info.tx_pongs);
	EXPECT_EQ(0, info.wakeups);
	EXPECT_EQ(0, info.rule);
	/* It is read all the time, and not more is sent than came. */
	EXPECT_EQ(200U * queued, info.rx_pings);
	EXPECT_GE(info.rx_pings, info.tx_pongs);
	EXPECT_GE(b.n * queued, bytes_acked(p->ws));
	len = sizeof(i);
	ASSERT_EQ(0, getsockopt(p->ws, SOL_SOCKET, SO_SNDBUF, &i, &len));
	EXPECT_GE((long long)bytes_acked(p->ws) + i,
		  (long long)info.tx_pongs * pong);
	bytes_free(&b);
	close(ep);
}

/* Nothing that it promises is made room for. */
TEST_F_TIMEOUT(hostile, oversized, 60)
{
	struct ws_config cfg = { .role = variant->role,
				 .max_message = WS_MAX_MESSAGE_NONE };
	struct pair *p = &self->p;
	unsigned char head[14];
	char byte;
	size_t n;

	ASSERT_EQ(0, ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)));
	n = frame_header(head, BINARY, 1ULL << 62, variant->role ==
			 WS_ROLE_SERVER ? (unsigned char *)"\0\0\0" : NULL);
	ASSERT_TRUE(raw_send(p, head, n));
	ASSERT_TRUE(raw_send(p, "some", 4));
	ASSERT_TRUE(settle(p));
	EXPECT_EQ(-EAGAIN, ws_recv(p->ws, &byte, 1, MSG_DONTWAIT).n);
	/* A limit that is set later holds for the next frame. */
	shutdown(p->raw, SHUT_WR);
	EXPECT_TRUE(expect_error(p->ws, EPROTO));
	EXPECT_EQ(WS_RULE_TRUNCATED, ws_get_info(p->ws).rule);
}

/* The default limit ends it; nobody asked for one. */
TEST_F(hostile, oversized_by_default)
{
	struct pair *p = &self->p;
	unsigned char head[14];
	size_t n;

	n = frame_header(head, BINARY, 1ULL << 62, variant->role ==
			 WS_ROLE_SERVER ? (unsigned char *)"\0\0\0" : NULL);
	ASSERT_TRUE(raw_send(p, head, n));
	EXPECT_TRUE(expect_error(p->ws, EMSGSIZE));
	EXPECT_TRUE(expect_close(p, 1009, ""));
}

static void *endless(void *arg)
{
	struct pair *p = arg;
	struct bytes b = { 0 };

	raw_frame(p, F_BINARY, "", 0);
	bytes_frame(&b, p, F_CONT, pattern(0, 8192), 8192);
	while (send(p->raw, b.p, b.n, MSG_NOSIGNAL) == (ssize_t)b.n)
		;
	bytes_free(&b);
	return NULL;
}

/* A message without an end: each fragment is small, their sum is not. */
TEST_F_TIMEOUT(hostile, never_ending, 60)
{
	static char buf[100000];
	struct pair *p = &self->p;
	pthread_t thread;
	size_t sum = 0;
	struct got got;

	ASSERT_TRUE(ws_set_max(p, 5000000) == 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, endless, p));
	while ((got = ws_recv(p->ws, buf, sizeof(buf), 0)).n > 0)
		sum += got.n;
	EXPECT_EQ(-EMSGSIZE, got.n);
	EXPECT_GE(5000000, sum);
	shutdown(p->raw, SHUT_RDWR);
	ASSERT_EQ(0, pthread_join(thread, NULL));
}

/* A peer that never reads: a sender learns it, and close() does not wait. */
TEST_F_TIMEOUT(hostile, never_reads, 60)
{
	struct ws_config cfg = { .role = variant->role, .close_timeout = 300 };
	struct timeval tv = { .tv_usec = 200000 };
	struct pair *p = &self->p;
	int room = 200000, i;
	uint64_t begin;
	ssize_t n;

	ASSERT_EQ(0, ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)));
	/* So that TCP does not find that there could be more. */
	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_SNDBUF, &room,
				sizeof(room)));
	do {
		n = ws_send(p->ws, WS_OP_BINARY, pattern(0, 50000), 50000,
			    MSG_DONTWAIT);
	} while (n > 0);
	EXPECT_EQ(-EAGAIN, n);
	EXPECT_EQ(0, poll_now(p->ws, POLLOUT));
	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_SNDTIMEO, &tv,
				sizeof(tv)));
	/* A frame may be on its way to TCP, and some more find room there. */
	for (i = 0, n = 1; i < 10 && n > 0; i++) {
		begin = now_ms();
		n = ws_send(p->ws, WS_OP_BINARY, pattern(0, 50000), 50000, 0);
	}
	EXPECT_EQ(-EAGAIN, n);
	EXPECT_LE(150, now_ms() - begin);
	begin = now_ms();
	close(p->ws);
	p->ws = -1;
	EXPECT_TRUE(in_time(begin, 1000));
	EXPECT_TRUE(stat_becomes("WsCurrSockets", 0));
}

TEST_HARNESS_MAIN
