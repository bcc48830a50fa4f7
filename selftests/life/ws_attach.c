// SPDX-License-Identifier: GPL-2.0-only
/* Attaching: which sockets can be attached, and what an attached one refuses. */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <fcntl.h>
#include <arpa/inet.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/bpf.h>
#include <linux/tcp.h>

FIXTURE(attach)
{
	struct pair p;		/* connected, not attached */
};

FIXTURE_VARIANT(attach)
{
	int family;
};

FIXTURE_VARIANT_ADD(attach, ipv4)
{
	.family = AF_INET,
};

FIXTURE_VARIANT_ADD(attach, ipv6)
{
	.family = AF_INET6,
};

FIXTURE_SETUP(attach)
{
	ASSERT_TRUE(pair_connect(&self->p, variant->family, WS_ROLE_SERVER));
}

FIXTURE_TEARDOWN(attach)
{
	pair_close(&self->p);
}

static int ulp(int fd, const char *name)
{
	return setsockopt(fd, SOL_TCP, TCP_ULP, name, strlen(name)) ? -errno
								    : 0;
}

/* The socket is as it was: plain TCP both ways. */
static bool still_plain(struct pair *p)
{
	char buf[8];

	return send(p->ws, "abc", 3, 0) == 3 &&
	       recv(p->raw, buf, 8, 0) == 3 &&
	       send(p->raw, "defg", 4, 0) == 4 && recv(p->ws, buf, 8, 0) == 4;
}

TEST_F(attach, name)
{
	char name[16] = { 0 };
	socklen_t len = sizeof(name);

	ASSERT_EQ(0, ws_attach(self->p.ws));
	ASSERT_EQ(0, getsockopt(self->p.ws, SOL_TCP, TCP_ULP, name, &len));
	EXPECT_EQ(0, strcmp(name, "ws"));
	EXPECT_TRUE(pair_works(&self->p));
}

TEST_F(attach, not_connected)
{
	int fd = socket(variant->family, SOCK_STREAM, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-ENOTCONN, ws_attach(fd));
	ASSERT_EQ(0, listen(fd, 1));
	EXPECT_EQ(-ENOTCONN, ws_attach(fd));
	close(fd);
}

/* The handshake is under way: the listener's queue is full. */
TEST_F(attach, connecting)
{
	struct sockaddr_storage ss = { .ss_family = variant->family };
	socklen_t len = variant->family == AF_INET ?
			sizeof(struct sockaddr_in) :
			sizeof(struct sockaddr_in6);
	int listener = socket(variant->family, SOCK_STREAM, 0);
	int fd = -1, i;

	ASSERT_EQ(0, bind(listener, (void *)&ss, len));
	ASSERT_EQ(0, listen(listener, 0));
	ASSERT_EQ(0, getsockname(listener, (void *)&ss, &len));
	for (i = 0; i < 20; i++) {
		fd = socket(variant->family, SOCK_STREAM | SOCK_NONBLOCK, 0);
		ASSERT_LE(0, fd);
		ASSERT_EQ(-1, connect(fd, (void *)&ss, len));
		ASSERT_EQ(EINPROGRESS, errno);
		if (!poll_for(fd, POLLOUT, 50))
			break;
	}
	ASSERT_GT(20, i);
	EXPECT_EQ(-ENOTCONN, ws_attach(fd));
	close(fd);
	close(listener);
}

/* Our side has ended: nothing can be sent, not even a Close. */
TEST_F(attach, closing)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, shutdown(p->ws, SHUT_WR));
	EXPECT_EQ(-EPIPE, ws_attach(p->ws));
	ASSERT_TRUE(poll_for(p->raw, POLLRDHUP, WS_TEST_MS));
	EXPECT_EQ(-EPIPE, ws_attach(p->ws));
	/* Receiving goes on as plain TCP. */
	ASSERT_EQ(3, send(p->raw, "abc", 3, 0));
	EXPECT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
}

/* The peer has ended, but what it sent is there to be read. */
TEST_F(attach, close_wait)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "last", 4));
	ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	ASSERT_TRUE(poll_for(p->ws, POLLRDHUP, WS_TEST_MS));
	ASSERT_EQ(0, ws_attach(p->ws));
	EXPECT_TRUE(expect_text(p->ws, "last"));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_EQ(WS_STATE_EOF, ws_get_info(p->ws).state);
	EXPECT_EQ(3, ws_send(p->ws, WS_OP_TEXT, "out", 3, 0));
	EXPECT_TRUE(expect_frame(p, TEXT, "out", 3));
}

/* A listener has no ULP to pass on, and what it accepts has none. */
TEST_F(attach, listener)
{
	struct sockaddr_storage ss = { .ss_family = variant->family };
	socklen_t len = sizeof(ss);
	char name[16] = "";
	struct pair q = { 0 };
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
	pair_close(&q);
	close(listener);
}

TEST_F(attach, reset)
{
	struct pair *p = &self->p;

	close_reset(&p->raw);
	ASSERT_TRUE(poll_for(p->ws, POLLHUP, WS_TEST_MS));
	EXPECT_EQ(-ENOTCONN, ws_attach(p->ws));
}

TEST_F(attach, twice)
{
	ASSERT_EQ(0, ws_attach(self->p.ws));
	EXPECT_EQ(-EEXIST, ws_attach(self->p.ws));
	EXPECT_EQ(-EEXIST, ulp(self->p.ws, "tls"));
	EXPECT_TRUE(pair_works(&self->p));
	EXPECT_EQ(-ENOENT, ulp(self->p.raw, "w"));
	EXPECT_EQ(-ENOENT, ulp(self->p.raw, "wss"));
}

TEST_F(attach, tls)
{
	ASSERT_EQ(0, ulp(self->p.ws, "tls")) {
		TH_LOG("the tls module is needed");
	}
	EXPECT_EQ(-EEXIST, ws_attach(self->p.ws));
}

TEST_F(attach, other_sockets)
{
	int fd[2];

	fd[0] = socket(variant->family, SOCK_DGRAM, 0);
	ASSERT_LE(0, fd[0]);
	EXPECT_EQ(-ENOPROTOOPT, ws_attach(fd[0]));
	close(fd[0]);
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, fd));
	EXPECT_EQ(-EOPNOTSUPP, ws_attach(fd[0]));
	close(fd[0]);
	close(fd[1]);
	ASSERT_EQ(0, pipe(fd));
	EXPECT_EQ(-ENOTSOCK, ws_attach(fd[0]));
	close(fd[0]);
	close(fd[1]);
}

static int bpf(int cmd, union bpf_attr *attr)
{
	return syscall(__NR_bpf, cmd, attr, sizeof(*attr));
}

static int add_to_map(int map, int fd)
{
	union bpf_attr attr = { 0 };
	uint32_t key = 0, value = fd;

	attr.map_fd = map;
	attr.key = (uintptr_t)&key;
	attr.value = (uintptr_t)&value;
	attr.flags = BPF_ANY;
	return bpf(BPF_MAP_UPDATE_ELEM, &attr) ? -errno : 0;
}

/* A sockmap owns the socket's callbacks: one of the two, not both. */
TEST_F(attach, sockmap)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_SOCKMAP,
		.key_size = 4,
		.value_size = 4,
		.max_entries = 1,
	};
	struct pair q;
	int map;

	map = bpf(BPF_MAP_CREATE, &attr);
	ASSERT_LE(0, map);
	ASSERT_EQ(0, add_to_map(map, self->p.ws));
	EXPECT_EQ(-EBUSY, ws_attach(self->p.ws));
	EXPECT_TRUE(still_plain(&self->p));

	ASSERT_TRUE(pair_open(&q, variant->family, WS_ROLE_SERVER));
	EXPECT_NE(0, add_to_map(map, q.ws));
	EXPECT_TRUE(pair_works(&q));
	pair_close(&q);
	close(map);
}

TEST_F(attach, repair)
{
	struct pair *p = &self->p;
	int on = 1, off = 0;

	ASSERT_EQ(0, setsockopt(p->ws, SOL_TCP, TCP_REPAIR, &on, sizeof(on)));
	EXPECT_EQ(-EINVAL, ws_attach(p->ws));
	ASSERT_EQ(0, setsockopt(p->ws, SOL_TCP, TCP_REPAIR, &off,
				sizeof(off)));
	ASSERT_EQ(0, ws_attach(p->ws));
	EXPECT_EQ(-1, setsockopt(p->ws, SOL_TCP, TCP_REPAIR, &on, sizeof(on)));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_TRUE(pair_works(p));
}

/* It cannot be taken apart and made into a listener. */
TEST_F(attach, disconnect)
{
	struct sockaddr sa = { .sa_family = AF_UNSPEC };
	struct pair *p = &self->p;

	ASSERT_EQ(0, ws_attach(p->ws));
	EXPECT_EQ(-1, connect(p->ws, &sa, sizeof(sa)));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_EQ(-1, listen(p->ws, 1));
	EXPECT_TRUE(pair_works(p));
}

/* Bytes must not leave the stream behind the module's back. */
TEST_F(attach, zerocopy_receive)
{
	struct tcp_zerocopy_receive zc = { 0 };
	socklen_t len = sizeof(zc);
	struct pair *p = &self->p;
	void *map;

	map = mmap(NULL, 65536, PROT_READ, MAP_SHARED, p->ws, 0);
	ASSERT_EQ(0, ws_attach(p->ws));
	ASSERT_TRUE(raw_frame(p, BINARY, pattern(0, 8192), 8192));
	ASSERT_TRUE(settle(p));
	zc.address = (uintptr_t)map;
	zc.length = 65536;
	EXPECT_EQ(-1, getsockopt(p->ws, SOL_TCP, TCP_ZEROCOPY_RECEIVE, &zc,
				 &len));
	EXPECT_EQ(EOPNOTSUPP, errno);
	EXPECT_TRUE(expect_message(p->ws, WS_OP_BINARY, pattern(0, 8192),
				   8192));
	if (map != MAP_FAILED)
		munmap(map, 65536);
}

/* An urgent byte of the peer is a byte like the others. */
TEST_F(attach, urgent_data)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	ASSERT_EQ(0, ws_attach(p->ws));
	bytes_frame(&b, p, TEXT, "abc", 3);
	ASSERT_EQ((ssize_t)b.n, send(p->raw, b.p, b.n, MSG_OOB));
	bytes_free(&b);
	EXPECT_TRUE(expect_text(p->ws, "abc"));
	EXPECT_TRUE(pair_works(p));
}

/* Sockets that are closed are gone, whatever they were in the middle of. */
TEST_F_TIMEOUT(attach, no_leak, 120)
{
	long long before = ws_stat("WsCurrSockets");
	long long attached = ws_stat("WsAttached");
	int i;

	for (i = 0; i < 200; i++) {
		struct pair p;

		ASSERT_TRUE(pair_open(&p, variant->family, i & 1));
		if (i % 3 == 1)
			ASSERT_TRUE(raw_frame(&p, TEXT, "unread", 6));
		if (i % 3 == 2)
			ASSERT_EQ(4, ws_send(p.ws, WS_OP_TEXT, "half", 4,
					     MSG_MORE));
		if (i % 3 == 0)
			ASSERT_EQ(0, ws_set(p.ws, WS_RX_PREFIX, "\x81", 1));
		pair_close(&p);
	}
	EXPECT_EQ(attached + 200, ws_stat("WsAttached"));
	EXPECT_TRUE(stat_becomes("WsCurrSockets", before));
}

/* A refusal changes nothing. */
TEST_F(attach, refused_without_a_trace)
{
	EXPECT_EQ(-ENOENT, ulp(self->p.ws, "no such"));
	EXPECT_TRUE(still_plain(&self->p));
	ASSERT_EQ(0, ws_attach(self->p.ws));
	EXPECT_TRUE(pair_works(&self->p));
}

/* An IPv4 connection on an IPv6 socket. */
TEST(mapped_address)
{
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6 };
	struct pair p = { .role = WS_ROLE_CLIENT };
	socklen_t len = sizeof(sin6);
	int listener, family = AF_INET;

	listener = socket(AF_INET6, SOCK_STREAM, 0);
	ASSERT_EQ(0, bind(listener, (void *)&sin6, len));
	ASSERT_EQ(0, listen(listener, 1));
	ASSERT_EQ(0, getsockname(listener, (void *)&sin6, &len));
	ASSERT_EQ(1, inet_pton(AF_INET6, "::ffff:127.0.0.1",
			       &sin6.sin6_addr));
	p.ws = socket(AF_INET6, SOCK_STREAM, 0);
	ASSERT_EQ(0, connect(p.ws, (void *)&sin6, len));
	p.raw = accept(listener, NULL, NULL);
	ASSERT_LE(0, p.raw);
	ASSERT_EQ(0, ws_attach(p.ws));
	ASSERT_EQ(0, ws_set_role(p.ws, WS_ROLE_CLIENT));
	EXPECT_TRUE(pair_works(&p));
	/* Attached, it stays what it is. */
	EXPECT_EQ(-1, setsockopt(p.ws, SOL_IPV6, IPV6_ADDRFORM, &family,
				 sizeof(family)));
	EXPECT_TRUE(pair_works(&p));
	pair_close(&p);
	close(listener);
}

TEST_HARNESS_MAIN
