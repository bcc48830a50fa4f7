// SPDX-License-Identifier: GPL-2.0-only
/*
 * Two attached sockets, a client's and a server's, and several threads on
 * each, until so many random messages have gone both ways, in random fragments
 * and random buffers, with PINGs between. Everything arrives, in order.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <fcntl.h>
#include <sys/syscall.h>

FIXTURE(stress)
{
	struct pair p;		/* both ends are attached */
};

FIXTURE_VARIANT(stress)
{
	int family;
	int rcvbuf;
	int mss;
	uint32_t messages;	/* what goes in some seconds when idle */
};

FIXTURE_VARIANT_ADD(stress, ipv4)
{
	.family = AF_INET,
	.messages = 2000,
};

FIXTURE_VARIANT_ADD(stress, ipv6_small_buffers)
{
	.family = AF_INET6,
	.rcvbuf = 16 * 1024,
	.mss = 1448,
	.messages = 300,
};

/*
 * A peer sends nothing before its window has room for a segment, which here
 * is half of the largest window it has seen.
 */
FIXTURE_VARIANT_ADD(stress, ipv4_small_buffers_large_segments)
{
	.family = AF_INET,
	.rcvbuf = 16 * 1024,
	.messages = 2000,
};

FIXTURE_SETUP(stress)
{
	ASSERT_TRUE(pair_open_rcvbuf(&self->p, variant->family,
				     WS_ROLE_SERVER, variant->rcvbuf,
				     variant->rcvbuf, variant->mss));
	ASSERT_EQ(0, ws_attach(self->p.raw));
	ASSERT_EQ(0, ws_set_role(self->p.raw, WS_ROLE_CLIENT));
}

FIXTURE_TEARDOWN(stress)
{
	pair_close(&self->p);
}

struct end {
	int fd;
	uint32_t seed;
	uint32_t messages;
	pthread_t sender, receiver, pinger;
	uint32_t sent, received;
	int failed;
};

/* Both ends know from the seed what message comes next. */
static size_t next_message(uint32_t *seed, int *opcode)
{
	uint32_t r = next_random(seed);

	*opcode = r & 1 ? WS_OP_TEXT : WS_OP_BINARY;
	r >>= 1;
	switch (r % 8) {
	case 0:
		return r / 8 % 4;
	case 1:
		return 120 + r / 8 % 10;
	case 2:
		return 65530 + r / 8 % 10;
	case 3:
		return r / 8 % 200000;
	default:
		return r / 8 % 3000;
	}
}

static void *send_messages(void *arg)
{
	struct end *e = arg;
	uint32_t seed = e->seed, cut = e->seed + 99;
	int opcode;

	do {
		size_t len = next_message(&seed, &opcode), at = 0;

		do {
			size_t n = len - at;
			ssize_t ret;
			bool more = next_random(&cut) % 4 == 0 && n > 1;

			if (more)
				n = 1 + next_random(&cut) % (n - 1);
			ret = ws_send(e->fd, at ? WS_OP_CONT : opcode,
				      pattern(e->sent + at, n), n,
				      more ? MSG_MORE : 0);
			if (ret != (ssize_t)n) {
				complain("send: %zd of %zu", ret, n);
				e->failed = 1;
				return NULL;
			}
			at += n;
		} while (at < len);
		e->sent++;
	} while (e->sent < e->messages);
	return NULL;
}

static void *send_pings(void *arg)
{
	struct end *e = arg;
	uint32_t seed = e->seed;
	ssize_t n;

	do {
		size_t len = next_random(&seed) % 126;

		n = ws_send(e->fd, WS_OP_PING, pattern(0, len), len, 0);
		usleep(next_random(&seed) % 5000);
	} while (n >= 0);
	if (n != -EPIPE) {
		complain("ping: %s", strerror(-n));
		e->failed = 1;
	}
	return NULL;
}

/* One message in buffers of random size; 1, or 0 at a Close, or -1. */
static int take_message(struct end *e, char *buf, uint32_t *sizes, size_t len,
			int opcode)
{
	size_t at = 0;
	struct got got;

	do {
		size_t room = next_random(sizes) % 3 ?
			      next_random(sizes) % 70000 + 1 :
			      next_random(sizes) % 40 + 1;

		if (room < 100 && len > 5000)
			room = 5000;
		got = ws_recv(e->fd, buf, room, 0);
		if (got.n < 0 || got.cmsgs != 1) {
			complain("message %u of %zu, at %zu: %zd, %d WS_MSG",
				 e->received, len, at, got.n, got.cmsgs);
			return -1;
		}
		if (got.m.opcode == WS_OP_CLOSE && !at)
			return 0;
		if (got.m.opcode != opcode || at + got.n > len ||
		    !is_pattern(buf, e->received + at, got.n)) {
			complain("message %u of %zu, at %zu: %zd, opcode %x",
				 e->received, len, at, got.n, got.m.opcode);
			return -1;
		}
		at += got.n;
	} while (!(got.flags & MSG_EOR));
	if (at == len)
		return 1;
	complain("message %u: %zu of %zu", e->received, at, len);
	return -1;
}

static void *receive_messages(void *arg)
{
	static __thread char buf[70001];
	struct end *e = arg;
	uint32_t seed = e->seed ^ 1, sizes = e->seed;
	int ret, opcode;

	do {
		size_t len = next_message(&seed, &opcode);

		ret = take_message(e, buf, &sizes, len, opcode);
		e->received += ret > 0;
	} while (ret > 0);
	e->failed |= ret < 0;
	return NULL;
}

TEST_F_TIMEOUT(stress, both_ways, 120)
{
	struct end e[2] = {
		{ .fd = self->p.ws, .seed = 2 },
		{ .fd = self->p.raw, .seed = 3 },
	};
	uint64_t begin = now_ms();
	int i;

	for (i = 0; i < 2; i++) {
		e[i].messages = variant->messages;
		ASSERT_EQ(0, pthread_create(&e[i].receiver, NULL,
					    receive_messages, &e[i]));
		ASSERT_EQ(0, pthread_create(&e[i].sender, NULL, send_messages,
					    &e[i]));
		ASSERT_EQ(0, pthread_create(&e[i].pinger, NULL, send_pings,
					    &e[i]));
	}
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(e[i].sender, NULL));
	/* The end of everything: the receivers answer it, the pings stop. */
	EXPECT_EQ(0, ws_send_close(e[0].fd, 1000, ""));
	for (i = 0; i < 2; i++) {
		ASSERT_EQ(0, pthread_join(e[i].receiver, NULL));
		ASSERT_EQ(0, pthread_join(e[i].pinger, NULL));
	}
	TH_LOG("%u messages each way, %llu ms", variant->messages,
	       0ULL + now_ms() - begin);
	for (i = 0; i < 2; i++) {
		struct ws_info info = ws_get_info(e[i].fd);

		EXPECT_EQ(0, e[i].failed);
		EXPECT_EQ(variant->messages, e[i].sent);
		EXPECT_EQ(e[!i].sent, e[i].received);
		EXPECT_EQ(0, info.rule);
		EXPECT_LT(0, info.rx_pings);
		EXPECT_EQ(1000, info.close_received);
	}
}

#define READERS		6
#define MESSAGES	3000

static void *read_whole_messages(void *arg)
{
	struct end *e = arg;
	char buf[200];

	for (;;) {
		struct got got = ws_recv(e->fd, buf, sizeof(buf), 0);
		uint32_t number;

		if (got.m.opcode == WS_OP_CLOSE || !got.cmsgs)
			break;
		memcpy(&number, buf, sizeof(number));
		if (got.n != 4 + number % 150 || got.flags != MSG_EOR ||
		    !is_pattern(buf + 4, number, got.n - 4)) {
			e->failed = 1;
			complain("message %u: %zd bytes", number, got.n);
		}
		e->received++;
	}
	return NULL;
}

/* Many readers: each message goes to one of them, and whole. */
TEST_F_TIMEOUT(stress, readers, 240)
{
	struct end e[READERS] = { 0 };
	uint32_t n, received = 0;
	int i;

	for (i = 0; i < READERS; i++) {
		e[i].fd = self->p.ws;
		ASSERT_EQ(0, pthread_create(&e[i].receiver, NULL,
					    read_whole_messages, &e[i]));
	}
	for (n = 0; n < MESSAGES; n++) {
		size_t len = n % 150;
		char buf[200];

		memcpy(buf, &n, sizeof(n));
		memcpy(buf + 4, pattern(n, len), len);
		ASSERT_EQ((ssize_t)len + 4, ws_send(self->p.raw, WS_OP_BINARY,
						    buf, len + 4, 0));
	}
	ASSERT_EQ(0, ws_send_close(self->p.raw, 1000, ""));
	for (i = 0; i < READERS; i++) {
		ASSERT_EQ(0, pthread_join(e[i].receiver, NULL));
		EXPECT_EQ(0, e[i].failed);
		received += e[i].received;
	}
	EXPECT_EQ(MESSAGES, received);
}

/* While a socket is attached the module cannot go. */
TEST(module_in_use)
{
	struct pair p;

	ASSERT_TRUE(pair_open(&p, AF_INET, WS_ROLE_SERVER));
	EXPECT_EQ(-1, syscall(__NR_delete_module, "ws", O_NONBLOCK));
	EXPECT_EQ(EWOULDBLOCK, errno);
	ASSERT_TRUE(raw_frame(&p, TEXT, "still here", 10));
	EXPECT_TRUE(expect_text(p.ws, "still here"));
	pair_close(&p);
}

TEST_HARNESS_MAIN
