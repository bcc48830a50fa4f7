// SPDX-License-Identifier: GPL-2.0-only
/*
 * The flags and options of recvmsg() on messages: what a person would expect
 * of them on a socket that keeps messages apart.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <linux/sockios.h>

FIXTURE(recv)
{
	struct pair p;
};

FIXTURE_VARIANT(recv)
{
	__u32 role;
};

FIXTURE_VARIANT_ADD(recv, server)
{
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(recv, client)
{
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(recv)
{
	ASSERT_TRUE(pair_open(&self->p, AF_INET, variant->role));
}

FIXTURE_TEARDOWN(recv)
{
	pair_close(&self->p);
}

/* A message of the pattern in fragments of 7. */
static bool send_fragments(struct pair *p, size_t len)
{
	struct bytes b = { 0 };
	size_t at = 0;

	do {
		size_t n = len - at < 7 ? len - at : 7;

		bytes_frame(&b, p, (at ? 0 : WS_OP_TEXT) |
				   (at + n == len ? FIN : 0),
			    pattern(at, n), n);
		at += n;
	} while (at < len);
	return raw_send_bytes(p, &b);
}

TEST_F(recv, peek)
{
	struct pair *p = &self->p;
	char buf[64];
	struct got got;
	int i;

	EXPECT_EQ(-EAGAIN, ws_recv(p->ws, buf, 9,
				   MSG_PEEK | MSG_DONTWAIT).n);
	ASSERT_TRUE(send_fragments(p, 30));
	for (i = 0; i < 3; i++) {
		memset(buf, 0, sizeof(buf));
		got = ws_recv(p->ws, buf, sizeof(buf), MSG_PEEK);
		ASSERT_EQ(30, got.n);
		EXPECT_EQ(MSG_EOR, got.flags);
		EXPECT_EQ(WS_OP_TEXT, got.m.opcode);
		EXPECT_EQ(WS_MSG_END, got.m.flags);
		EXPECT_EQ(30, got.m.len);
		EXPECT_TRUE(is_pattern(buf, 0, 30));
		got = ws_recv(p->ws, buf, 10, MSG_PEEK);
		ASSERT_EQ(10, got.n);
		EXPECT_EQ(0, got.flags);
		EXPECT_EQ(0, got.m.flags);
		EXPECT_TRUE(is_pattern(buf, 0, 10));
	}
	ASSERT_EQ(12, recv(p->ws, buf, 12, 0));
	ASSERT_EQ(18, recv(p->ws, buf, 64, MSG_PEEK));
	EXPECT_TRUE(is_pattern(buf, 12, 18));
	EXPECT_EQ(0, ws_get_info(p->ws).rx_messages);
	EXPECT_TRUE(expect_message(p->ws, WS_OP_TEXT, pattern(12, 18), 18));
	EXPECT_EQ(1, ws_get_info(p->ws).rx_messages);
}

/* An empty message is a message: MSG_EOR tells it from the end. */
TEST_F(recv, empty_message)
{
	struct pair *p = &self->p;
	struct got got;
	char buf[8];

	ASSERT_TRUE(raw_frame(p, BINARY, "", 0));
	ASSERT_TRUE(raw_frame(p, TEXT, "x", 1));
	got = ws_recv(p->ws, buf, sizeof(buf), MSG_PEEK);
	EXPECT_EQ(0, got.n);
	EXPECT_EQ(MSG_EOR, got.flags);
	EXPECT_EQ(1, got.cmsgs);
	EXPECT_EQ(WS_OP_BINARY, got.m.opcode);
	EXPECT_TRUE(expect_message(p->ws, WS_OP_BINARY, "", 0));
	EXPECT_TRUE(expect_text(p->ws, "x"));
	ASSERT_TRUE(raw_frame(p, TEXT, "", 0));
	ASSERT_TRUE(raw_frame(p, TEXT, "y", 1));
	EXPECT_EQ(0, read(p->ws, buf, sizeof(buf)));
	EXPECT_EQ(1, read(p->ws, buf, sizeof(buf)));
}

/* No room: nothing happens to a message that is not empty. */
TEST_F(recv, buffer_of_nothing)
{
	struct pair *p = &self->p;
	struct got got;
	char buf[8];

	ASSERT_TRUE(raw_frame(p, TEXT, "abc", 3));
	got = ws_recv(p->ws, buf, 0, 0);
	EXPECT_EQ(0, got.n);
	EXPECT_EQ(0, got.flags);
	EXPECT_TRUE(expect_text(p->ws, "abc"));
}

TEST_F(recv, trunc)
{
	struct pair *p = &self->p;
	char buf[64];
	struct got got;

	ASSERT_TRUE(send_fragments(p, 30));
	ASSERT_TRUE(raw_frame(p, TEXT, "next", 4));
	got = ws_recv(p->ws, buf, 10, MSG_TRUNC);
	EXPECT_EQ(30, got.n);
	EXPECT_EQ(MSG_TRUNC | MSG_EOR, got.flags);
	EXPECT_EQ(WS_OP_TEXT, got.m.opcode);
	EXPECT_EQ(WS_MSG_END, got.m.flags);
	EXPECT_TRUE(is_pattern(buf, 0, 10));
	/* It fits: nothing is cut. */
	got = ws_recv(p->ws, buf, 10, MSG_TRUNC);
	EXPECT_EQ(4, got.n);
	EXPECT_EQ(MSG_EOR, got.flags);
	EXPECT_EQ(0, memcmp(buf, "next", 4));
	/* Of a message already begun the rest goes. */
	ASSERT_TRUE(send_fragments(p, 30));
	ASSERT_TRUE(raw_frame(p, TEXT, "last", 4));
	ASSERT_EQ(5, recv(p->ws, buf, 5, 0));
	EXPECT_EQ(25, ws_recv(p->ws, buf, 0, MSG_TRUNC).n);
	EXPECT_TRUE(expect_text(p->ws, "last"));
}

TEST_F(recv, peek_trunc_tells_the_length)
{
	struct pair *p = &self->p;
	char buf[64];
	struct got got;

	ASSERT_TRUE(send_fragments(p, 50));
	got = ws_recv(p->ws, buf, 4, MSG_PEEK | MSG_TRUNC);
	EXPECT_EQ(50, got.n);
	EXPECT_TRUE(is_pattern(buf, 0, 4));
	EXPECT_EQ(50, recv(p->ws, NULL, 0, MSG_PEEK | MSG_TRUNC));
	EXPECT_TRUE(expect_message(p->ws, WS_OP_TEXT, pattern(0, 50), 50));
}

/* MSG_WAITALL fills the buffer from one message, never from two. */
TEST_F(recv, waitall_ends_with_the_message)
{
	struct pair *p = &self->p;
	char buf[64];
	struct got got;

	ASSERT_TRUE(raw_frame(p, TEXT, "one", 3));
	ASSERT_TRUE(raw_frame(p, TEXT, "two", 3));
	got = ws_recv(p->ws, buf, sizeof(buf), MSG_WAITALL);
	EXPECT_EQ(3, got.n);
	EXPECT_EQ(MSG_EOR, got.flags);
	EXPECT_TRUE(expect_text(p->ws, "two"));
}

TEST_F(recv, dontwait)
{
	struct pair *p = &self->p;
	char buf[8];

	EXPECT_EQ(-EAGAIN, ws_recv(p->ws, buf, 8, MSG_DONTWAIT).n);
	ASSERT_TRUE(raw_frame(p, F_TEXT, "open", 4));
	ASSERT_TRUE(settle(p));
	EXPECT_EQ(-EAGAIN, ws_recv(p->ws, buf, 8, MSG_DONTWAIT).n);
	EXPECT_EQ(-EAGAIN, ws_recv(p->ws, buf, 8,
				   MSG_DONTWAIT | MSG_TRUNC).n);
	ASSERT_EQ(0, fcntl(p->ws, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, read(p->ws, buf, 8));
	EXPECT_EQ(EAGAIN, errno);
	EXPECT_EQ(-EAGAIN, ws_recv(p->ws, buf, 8, MSG_ERRQUEUE).n);
}

/* SO_RCVTIMEO: bytes that complete nothing do not stop the clock. */
TEST_F(recv, rcvtimeo)
{
	struct timeval tv = { .tv_usec = 200000 };
	struct pair *p = &self->p;
	uint64_t begin;
	char buf[8];

	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_RCVTIMEO, &tv,
				sizeof(tv)));
	ASSERT_TRUE(raw_frame(p, F_TEXT, "open", 4));
	begin = now_ms();
	EXPECT_EQ(-EAGAIN, ws_recv(p->ws, buf, 8, 0).n);
	/* Ticks of a starved emulator come late and then many at a time. */
	EXPECT_LE(150, now_ms() - begin);
	EXPECT_TRUE(in_time(begin, 5000));
}

/* SO_RCVLOWAT counts bytes; here a message is enough, whatever its size. */
TEST_F(recv, rcvlowat)
{
	struct pair *p = &self->p;
	int lowat = 1000;
	socklen_t len = sizeof(lowat);

	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_RCVLOWAT, &lowat,
				sizeof(lowat)));
	ASSERT_EQ(0, getsockopt(p->ws, SOL_SOCKET, SO_RCVLOWAT, &lowat, &len));
	EXPECT_EQ(1, lowat);
	ASSERT_TRUE(raw_frame(p, TEXT, "abc", 3));
	EXPECT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
	EXPECT_TRUE(expect_text(p->ws, "abc"));
}

static struct pair *signal_pair;

static void on_alarm(int sig)
{
	(void)sig;
	if (signal_pair)
		raw_frame(signal_pair, TEXT, "late", 4);
}

static bool alarm_soon(int flags)
{
	struct itimerval it = { .it_value.tv_usec = 100000 };
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = flags };

	/* Again and again: the first may come before the call that it ends. */
	if (!(flags & SA_RESTART))
		it.it_interval = it.it_value;
	return !sigaction(SIGALRM, &sa, NULL) &&
	       !setitimer(ITIMER_REAL, &it, NULL);
}

TEST_F(recv, signal)
{
	struct timeval none = { 0 };
	struct pair *p = &self->p;
	char buf[8];

	signal_pair = NULL;
	ASSERT_TRUE(alarm_soon(0));
	EXPECT_EQ(-EINTR, ws_recv(p->ws, buf, 8, 0).n);

	/* Restarted, and so it gets the message that the handler sends. */
	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_RCVTIMEO, &none,
				sizeof(none)));
	signal_pair = p;
	ASSERT_TRUE(alarm_soon(SA_RESTART));
	EXPECT_TRUE(expect_text(p->ws, "late"));
	signal_pair = NULL;
}

/* A bad pointer half-way: no byte of the message is lost. */
TEST_F(recv, efault)
{
	struct pair *p = &self->p;
	long page = sysconf(_SC_PAGESIZE);
	char *map;
	int i;

	map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mprotect(map + page, page, PROT_NONE));
	ASSERT_TRUE(send_fragments(p, 200));
	ASSERT_TRUE(raw_frame(p, BINARY, pattern(0, 3000), 3000));
	for (i = 0; i < 3; i++) {
		EXPECT_EQ(-EFAULT, ws_recv(p->ws, map + page - 100, 200, 0).n);
		EXPECT_EQ(-EFAULT, ws_recv(p->ws, map + page, 200, 0).n);
		EXPECT_EQ(-EFAULT, ws_recv(p->ws, map + page - 100, 200,
					   MSG_PEEK).n);
	}
	EXPECT_TRUE(expect_message(p->ws, WS_OP_TEXT, pattern(0, 200), 200));
	EXPECT_EQ(-EFAULT, ws_recv(p->ws, map + page - 1500, 3000, 0).n);
	EXPECT_TRUE(expect_message(p->ws, WS_OP_BINARY, pattern(0, 3000),
				   3000));
	munmap(map, 2 * page);
}

TEST_F(recv, scattered)
{
	struct pair *p = &self->p;
	char a[1], b[7], c[90];
	struct iovec iov[] = {
		{ a, sizeof(a) }, { b, 0 }, { b, sizeof(b) }, { c, sizeof(c) },
	};

	ASSERT_TRUE(send_fragments(p, 60));
	ASSERT_EQ(60, readv(p->ws, iov, ARRAY_SIZE(iov)));
	EXPECT_TRUE(is_pattern(a, 0, 1));
	EXPECT_TRUE(is_pattern(b, 1, 7));
	EXPECT_TRUE(is_pattern(c, 8, 52));
}

/* No room for a control message: none comes, and no complaint either. */
TEST_F(recv, no_control_buffer)
{
	char buf[8], control[64];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "abc", 3));
	EXPECT_EQ(3, recvmsg(p->ws, &msg, 0));
	EXPECT_EQ(MSG_EOR, msg.msg_flags);
	EXPECT_EQ(0, msg.msg_controllen);
	/* A length, but no buffer. */
	ASSERT_TRUE(raw_frame(p, TEXT, "abc", 3));
	msg.msg_controllen = 64;
	EXPECT_EQ(3, recvmsg(p->ws, &msg, 0));
	EXPECT_EQ(MSG_EOR, msg.msg_flags);
	/* A buffer, but too short a length: cut, as anywhere. */
	ASSERT_TRUE(raw_frame(p, TEXT, "abc", 3));
	msg.msg_control = control;
	msg.msg_controllen = 8;
	EXPECT_EQ(3, recvmsg(p->ws, &msg, 0));
	EXPECT_EQ(MSG_EOR | MSG_CTRUNC, msg.msg_flags);
}

/* FIONREAD tells what the next recvmsg() gives. */
TEST_F(recv, fionread)
{
	struct pair *p = &self->p;
	char buf[64];
	int n = -1;

	ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
	EXPECT_EQ(0, n);
	ASSERT_TRUE(raw_frame(p, F_TEXT, pattern(0, 10), 10));
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
	EXPECT_EQ(0, n);
	ASSERT_TRUE(raw_frame(p, CONT, pattern(10, 20), 20));
	ASSERT_TRUE(raw_frame(p, TEXT, "more", 4));
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
	EXPECT_EQ(30, n);
	ASSERT_EQ(12, recv(p->ws, buf, 12, 0));
	ASSERT_EQ(0, ioctl(p->ws, SIOCINQ, &n));
	EXPECT_EQ(18, n);
	ASSERT_EQ(18, recv(p->ws, buf, 64, 0));
	ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
	EXPECT_EQ(4, n);
}

TEST_F(recv, oob_is_refused)
{
	char buf[8];

	EXPECT_EQ(-EOPNOTSUPP, ws_recv(self->p.ws, buf, 8, MSG_OOB).n);
}

/* A place in the stream to peek at means nothing where there are messages. */
TEST_F(recv, peek_off)
{
	EXPECT_EQ(-EOPNOTSUPP, set_int(self->p.ws, SOL_SOCKET, SO_PEEK_OFF, 3));
	EXPECT_TRUE(pair_works(&self->p));
}

/* One that was set before the attach must not move what is peeked at. */
TEST_F(recv, peek_off_before)
{
	struct pair q;
	char buf[16];

	ASSERT_TRUE(pair_connect(&q, AF_INET, variant->role));
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
TEST_F(recv, oobinline)
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
	EXPECT_TRUE(pair_works(p));
}

/* splice() moves a message's payload into a pipe. */
TEST_F(recv, splice)
{
	struct pair *p = &self->p;
	size_t at = 0;
	int fd[2];
	char buf[4000];

	ASSERT_EQ(0, pipe(fd));
	ASSERT_TRUE(raw_frame(p, BINARY, pattern(0, 3000), 3000));
	while (at < 3000) {
		ssize_t n = splice(p->ws, NULL, fd[1], NULL, sizeof(buf), 0);

		ASSERT_LT(0, n);
		ASSERT_EQ(n, read(fd[0], buf, sizeof(buf)));
		ASSERT_TRUE(is_pattern(buf, at, n));
		at += n;
	}
	EXPECT_EQ(3000, at);
	/* SPLICE_F_NONBLOCK is about the pipe: recvmsg() would wait. */
	ASSERT_EQ(0, fcntl(p->ws, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, splice(p->ws, NULL, fd[1], NULL, 1, SPLICE_F_NONBLOCK));
	EXPECT_EQ(EAGAIN, errno);
	close(fd[0]);
	close(fd[1]);
}

TEST_HARNESS_MAIN
