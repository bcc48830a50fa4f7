// SPDX-License-Identifier: GPL-2.0-only
/*
 * Networks that hurt: two namespaces with a cable between them that loses,
 * doubles, delays and reorders, or is narrow. Messages from nothing to 1 MiB
 * both ways, in fragments and with PINGs between: all arrive, whole, in order.
 *
 * Each network is used until so many messages have gone each way, however long
 * that takes, and for WS_TEST_SECONDS if that is longer.
 */
#include "kselftest_harness.h"
#include "ws_net.h"
#include "ws_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <netinet/tcp.h>

#include <linux/ethtool.h>

FIXTURE(netem)
{
	struct pair p;		/* both ends are attached */
	int there;		/* the namespace of @p.raw */
};

FIXTURE_VARIANT(netem)
{
	struct net_hurt hurt;
	int mtu;
	int rcvbuf;
	bool no_offload;
	bool cork;
	uint32_t messages;
};

/* The numbers are what goes in about two seconds on an idle machine. */
FIXTURE_VARIANT_ADD(netem, loss)
{
	.messages = 400,
	.hurt = { .loss = 3 },
};

FIXTURE_VARIANT_ADD(netem, reorder)
{
	.messages = 80,
	.hurt = { .delay = 4, .reorder = 30 },
};

FIXTURE_VARIANT_ADD(netem, duplicate)
{
	.messages = 1500,
	.hurt = { .duplicate = 20 },
};

FIXTURE_VARIANT_ADD(netem, delay)
{
	.messages = 40,
	.hurt = { .delay = 20, .jitter = 15 },
};

FIXTURE_VARIANT_ADD(netem, tiny_mtu)
{
	.messages = 1000,
	.mtu = 140,
	.no_offload = true,
};

FIXTURE_VARIANT_ADD(netem, tiny_window)
{
	.messages = 300,
	.rcvbuf = 6000,
};

FIXTURE_VARIANT_ADD(netem, no_offload)
{
	.messages = 300,
	.no_offload = true,
};

FIXTURE_VARIANT_ADD(netem, cork)
{
	.messages = 1500,
	.cork = true,
};

FIXTURE_VARIANT_ADD(netem, everything)
{
	.messages = 150,
	.hurt = { .loss = 1, .duplicate = 2, .reorder = 20, .delay = 2 },
	.mtu = 576,
	.rcvbuf = 16000,
	.no_offload = true,
	.cork = true,
};

static int prepared_socket(int rcvbuf)
{
	/* A lost segment may have to wait for several timers. */
	struct timeval tv = { .tv_sec = test_patience(60) };
	int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

	if (rcvbuf)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static bool set_up(const char *name, const char *address,
		   const struct net_hurt *hurt, int mtu, bool no_offload)
{
	return net_up(name, address, mtu) && net_hurt(name, hurt) &&
	       net_ethtool(name, ETHTOOL_SGRO, !no_offload) &&
	       net_ethtool(name, ETHTOOL_STSO, !no_offload) &&
	       net_ethtool(name, ETHTOOL_SGSO, !no_offload);
}

/* This process is in one namespace afterwards, @p->raw in the other. */
FIXTURE_SETUP(netem)
{
	const struct net_hurt *hurt = &variant->hurt;
	struct sockaddr_in sin = { .sin_family = AF_INET,
				   .sin_port = htons(9001) };
	int there, here, listener, client;

	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	there = open("/proc/self/ns/net", O_RDONLY);
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	here = open("/proc/self/ns/net", O_RDONLY);
	ASSERT_TRUE(net_veth("here", "there"));
	ASSERT_TRUE(net_move("there", there));
	ASSERT_TRUE(set_up("here", "10.1.1.1", hurt, variant->mtu,
			   variant->no_offload));
	listener = prepared_socket(variant->rcvbuf);
	ASSERT_EQ(0, bind(listener, (void *)&sin, sizeof(sin)));
	ASSERT_EQ(0, listen(listener, 1));

	ASSERT_EQ(0, setns(there, CLONE_NEWNET));
	ASSERT_TRUE(set_up("there", "10.1.1.2", hurt, variant->mtu,
			   variant->no_offload));
	client = prepared_socket(variant->rcvbuf);
	inet_pton(AF_INET, "10.1.1.1", &sin.sin_addr);
	ASSERT_EQ(0, connect(client, (void *)&sin, sizeof(sin)));
	ASSERT_EQ(0, setns(here, CLONE_NEWNET));
	self->p.ws = accept(listener, NULL, NULL);
	self->p.raw = client;
	ASSERT_LE(0, self->p.ws);
	ASSERT_EQ(0, ws_attach(self->p.ws));
	ASSERT_EQ(0, ws_attach(client));
	ASSERT_EQ(0, ws_set_role(client, WS_ROLE_CLIENT));
	close(listener);
	close(here);
	self->there = there;
}

FIXTURE_TEARDOWN(netem)
{
	pair_close(&self->p);
	/*
	 * With the last process the cable goes, over which TCP still has to
	 * say goodbye: it would try for minutes, and keep the module.
	 */
	EXPECT_TRUE(net_goodbye());
	close(self->there);
}

struct end {
	int fd;
	uint32_t seed;
	uint64_t until;
	uint32_t messages;
	size_t largest;
	bool cork;
	pthread_t sender, receiver;
	uint32_t sent, received;
	uint64_t bytes;
	bool failed;
};

/* Both ends know from the seed what message comes next. */
static size_t next_message(const struct end *e, uint32_t *seed, int *opcode)
{
	uint32_t r = next_random(seed);

	*opcode = r & 1 ? WS_OP_TEXT : WS_OP_BINARY;
	r >>= 1;
	switch (r % 16) {
	case 0:
	case 1:
		return r / 16 % 2;
	case 2:
		return 120 + r / 16 % 10;
	case 3:
		return e->largest;
	case 4:
	case 5:
		return next_random(seed) % e->largest;
	default:
		return r / 16 % 3000;
	}
}

static bool send_message(struct end *e, uint32_t *cut, int opcode, size_t len)
{
	size_t at = 0;

	do {
		size_t n = len - at;
		bool more = next_random(cut) % 4 == 0 && n > 1;
		ssize_t ret;

		if (more)
			n = 1 + next_random(cut) % (n - 1);
		if (next_random(cut) % 4 == 0) {
			ret = ws_send(e->fd, WS_OP_PING, "?", 1, 0);
			if (ret != 1)
				return complain("ping: %zd", ret);
		}
		ret = ws_send(e->fd, at ? WS_OP_CONT : opcode,
			      pattern(e->sent + at, n), n, more ? MSG_MORE : 0);
		if (ret != (ssize_t)n)
			return complain("send: %zd of %zu", ret, n);
		at += n;
	} while (at < len);
	return true;
}

static void *send_messages(void *arg)
{
	struct end *e = arg;
	uint32_t seed = e->seed, cut = e->seed + 99;

	do {
		int opcode, on = 1, off = 0;
		size_t len = next_message(e, &seed, &opcode);

		if (e->cork)
			setsockopt(e->fd, SOL_TCP, TCP_CORK, &on, sizeof(on));
		if (!send_message(e, &cut, opcode, len)) {
			e->failed = true;
			return NULL;
		}
		if (e->cork && next_random(&cut) % 3)
			setsockopt(e->fd, SOL_TCP, TCP_CORK, &off, sizeof(off));
		e->sent++;
		e->bytes += len;
	} while (e->sent < e->messages || now_ms() < e->until);
	return NULL;
}

/* One message in the pieces that come; 1, or 0 at a Close, or -1. */
static int take_message(struct end *e, char *buf, size_t room, size_t len,
			int opcode)
{
	size_t at = 0;
	struct got got;

	do {
		got = ws_recv(e->fd, buf, room, 0);
		if (got.cmsgs == 1 && got.m.opcode == WS_OP_CLOSE && !at)
			return 0;
		if (got.n < 0 || got.cmsgs != 1 || got.m.opcode != opcode ||
		    at + got.n > len ||
		    !is_pattern(buf, e->received + at, got.n)) {
			complain("message %u of %zu, at %zu: %zd, %d WS_MSG, opcode %x",
				 e->received, len, at, got.n, got.cmsgs,
				 got.m.opcode);
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
	static __thread char buf[1 << 20];
	struct end *e = arg;
	uint32_t seed = e->seed ^ 1;
	int ret, opcode;

	do {
		size_t len = next_message(e, &seed, &opcode);

		ret = take_message(e, buf, sizeof(buf), len, opcode);
		e->received += ret > 0;
	} while (ret > 0);
	e->failed |= ret < 0;
	return NULL;
}

TEST_F_TIMEOUT(netem, both_ways, 120)
{
	bool narrow = variant->mtu || variant->rcvbuf;
	struct end e[2] = {
		{ .fd = self->p.ws, .seed = 2 },
		{ .fd = self->p.raw, .seed = 3 },
	};
	uint64_t begin = now_ms();
	int i;

	for (i = 0; i < 2; i++) {
		e[i].until = now_ms() + test_seconds(0) * 1000;
		e[i].messages = variant->messages;
		e[i].largest = narrow ? 30000 : 1 << 20;
		e[i].cork = variant->cork;
		ASSERT_EQ(0, pthread_create(&e[i].receiver, NULL,
					    receive_messages, &e[i]));
		ASSERT_EQ(0, pthread_create(&e[i].sender, NULL, send_messages,
					    &e[i]));
	}
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(e[i].sender, NULL));
	EXPECT_EQ(0, ws_send_close(e[0].fd, 1000, ""));
	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_join(e[i].receiver, NULL));
	for (i = 0; i < 2; i++) {
		struct ws_info info = ws_get_info(e[i].fd);

		TH_LOG("%u messages, %llu bytes, %llu ms", e[i].sent,
		       0ULL + e[i].bytes, 0ULL + now_ms() - begin);
		EXPECT_FALSE(e[i].failed);
		EXPECT_LE(variant->messages, e[i].sent);
		EXPECT_EQ(e[!i].sent, e[i].received);
		EXPECT_EQ(e[!i].bytes, info.rx_bytes);
		EXPECT_EQ(0, info.rule);
		EXPECT_LT(0, info.rx_pings);
		EXPECT_EQ(1000, info.close_received);
	}
}

TEST_HARNESS_MAIN
