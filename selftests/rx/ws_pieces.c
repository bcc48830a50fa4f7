// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages larger than the receive buffer come in pieces, without MSG_EOR
 * until the last one; and several messages come with one recvmmsg().
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <netinet/tcp.h>
#include <sys/time.h>

FIXTURE(pieces)
{
	struct pair p;
};

FIXTURE_VARIANT(pieces)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(pieces, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(pieces, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(pieces)
{
	ASSERT_TRUE(pair_open_rcvbuf(&self->p, variant->family, variant->role,
				     32 * 1024, 0, 0));
}

FIXTURE_TEARDOWN(pieces)
{
	pair_close(&self->p);
}

/* Pieces of one message until its end; returns how many, or 0. */
static size_t collect(int fd, int opcode, uint64_t len, int flags)
{
	static char buf[256 * 1024];
	uint64_t at = 0;
	size_t pieces = 0;
	struct got got;

	do {
		got = ws_recv(fd, buf, sizeof(buf), flags);
		if (got.n < 0 || at + got.n > len ||
		    !is_pattern(buf, at, got.n) || got.cmsgs != 1 ||
		    got.m.opcode != opcode || got.m.len != got.n ||
		    (!got.n && !(got.flags & MSG_EOR))) {
			complain("at %llu of %llu: %zd, %d WS_MSG, opcode %x",
				 0ULL + at, 0ULL + len, got.n, got.cmsgs,
				 got.m.opcode);
			return 0;
		}
		at += got.n;
		pieces++;
	} while (!(got.flags & MSG_EOR));
	if (at == len)
		return pieces;
	complain("%llu of %llu", 0ULL + at, 0ULL + len);
	return 0;
}

TEST_F_TIMEOUT(pieces, larger_than_the_buffer, 60)
{
	static const size_t lengths[] = { 100000, 1 << 20, 70000, 5 };
	struct pair *p = &self->p;
	struct sender s;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		ASSERT_TRUE(sender_start(&s, p, i & 1 ? TEXT : BINARY,
					 lengths[i]));
		ASSERT_NE(0, collect(p->ws, i & 1 ? WS_OP_TEXT : WS_OP_BINARY,
				     lengths[i], 0)) {
			TH_LOG("length %zu", lengths[i]);
		}
		ASSERT_TRUE(sender_join(&s));
	}
	EXPECT_EQ(ARRAY_SIZE(lengths), ws_get_info(p->ws).rx_messages);
}

/* One message that is over the buffer only with all its fragments. */
TEST_F_TIMEOUT(pieces, many_fragments, 60)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	size_t i;

	for (i = 0; i < 100; i++) {
		bytes_frame(&b, p, i ? i == 99 ? CONT : F_CONT : F_BINARY,
			    pattern(i * 3000, 3000), 3000);
		bytes_frame(&b, p, PONG, pattern(0, i), i);
	}
	/* The send buffer of loopback takes this much at once. */
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_NE(0, collect(p->ws, WS_OP_BINARY, 300000, 0));
	EXPECT_EQ(100, ws_get_info(p->ws).rx_pongs);
}

/* MSG_WAITALL puts the pieces together. */
TEST_F_TIMEOUT(pieces, waitall, 60)
{
	static char buf[200000];
	struct pair *p = &self->p;
	struct sender s;
	struct got got;

	ASSERT_TRUE(sender_start(&s, p, BINARY, 300000));
	got = ws_recv(p->ws, buf, sizeof(buf), MSG_WAITALL);
	EXPECT_EQ(200000, got.n);
	EXPECT_EQ(0, got.flags);
	EXPECT_EQ(200000, got.m.len);
	EXPECT_TRUE(is_pattern(buf, 0, 200000));
	got = ws_recv(p->ws, buf, sizeof(buf), MSG_WAITALL);
	EXPECT_EQ(100000, got.n);
	EXPECT_EQ(MSG_EOR, got.flags);
	EXPECT_TRUE(is_pattern(buf, 200000, 100000));
	ASSERT_TRUE(sender_join(&s));
}

/* A timeout returns what MSG_WAITALL has collected. */
TEST_F_TIMEOUT(pieces, waitall_timeout, 60)
{
	struct timeval tv = { .tv_usec = 500000 };
	unsigned char head[14], key[4] = { 0 };
	static char buf[200000];
	struct pair *p = &self->p;
	struct got got;
	ssize_t n;

	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_RCVTIMEO, &tv,
				sizeof(tv)));
	n = frame_header(head, BINARY, 200000,
			 p->role == WS_ROLE_SERVER ? key : NULL);
	ASSERT_TRUE(raw_send(p, head, n));
	/* As much as goes, but the end is missing. */
	for (n = 0; n < 150000;) {
		ASSERT_TRUE(raw_send(p, pattern(n, 10000), 10000));
		n += 10000;
	}
	got = ws_recv(p->ws, buf, sizeof(buf), MSG_WAITALL);
	ASSERT_LT(0, got.n);
	ASSERT_GE(150000, got.n);
	EXPECT_EQ(0, got.flags);
	EXPECT_TRUE(is_pattern(buf, 0, got.n));
}

/* 64 MiB through a small buffer: slowly perhaps, but it never stalls. */
TEST_F_TIMEOUT(pieces, largest_default_message, 150)
{
	struct pair *p = &self->p;
	struct sender s;

	if (variant->role == WS_ROLE_CLIENT)
		return;
	ASSERT_TRUE(sender_start(&s, p, BINARY, WS_MAX_MESSAGE_DEFAULT));
	ASSERT_LT(1, collect(p->ws, WS_OP_BINARY, WS_MAX_MESSAGE_DEFAULT, 0));
	ASSERT_TRUE(sender_join(&s));
	ASSERT_TRUE(raw_frame(p, TEXT, "still here", 10));
	EXPECT_TRUE(expect_text(p->ws, "still here"));
}

/* The reader is woken for pieces by poll() as well. */
TEST_F_TIMEOUT(pieces, poll_tells_of_pieces, 60)
{
	struct pair *p = &self->p;
	uint64_t at = 0;
	struct sender s;
	char buf[8192];

	ASSERT_TRUE(sender_start(&s, p, BINARY, 400000));
	while (at < 400000) {
		struct got got;

		ASSERT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
		got = ws_recv(p->ws, buf, sizeof(buf), MSG_DONTWAIT);
		ASSERT_LT(0, got.n);
		ASSERT_TRUE(is_pattern(buf, at, got.n));
		at += got.n;
		ASSERT_EQ(at == 400000 ? MSG_EOR : 0, got.flags);
	}
	ASSERT_TRUE(sender_join(&s));
}

/* With no limit a message may be of any size, and end too early. */
TEST_F_TIMEOUT(pieces, no_limit, 60)
{
	unsigned char head[14], key[4] = { 0 };
	struct pair *p = &self->p;
	uint64_t at = 0;
	char buf[8192];
	struct got got;
	size_t n;

	ASSERT_EQ(0, ws_set_max(p, WS_MAX_MESSAGE_NONE));
	n = frame_header(head, BINARY, 0x7fffffffffffffffULL,
			 p->role == WS_ROLE_SERVER ? key : NULL);
	ASSERT_TRUE(raw_send(p, head, n));
	for (n = 0; n < 300000; n += 10000)
		ASSERT_TRUE(raw_send(p, pattern(n, 10000), 10000));
	ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	do {
		got = ws_recv(p->ws, buf, sizeof(buf), 0);
		if (got.n < 0)
			break;
		ASSERT_LT(0, got.n);
		ASSERT_EQ(0, got.flags);
		ASSERT_TRUE(is_pattern(buf, at, got.n));
		at += got.n;
	} while (at <= 300000);
	EXPECT_EQ(-EPROTO, got.n);
	EXPECT_EQ(WS_RULE_TRUNCATED, ws_get_info(p->ws).rule);
	EXPECT_TRUE(expect_eof(p->ws));
}

/* Text goes bad when some of it has been read: then the errno is next. */
TEST_F_TIMEOUT(pieces, bad_text_behind_pieces, 60)
{
	static char text[200000];
	struct pair *p = &self->p;
	uint64_t at = 0;
	char buf[8192];
	struct got got;

	memset(text, 'a', sizeof(text));
	text[180000] = (char)0xff;
	ASSERT_TRUE(raw_frame(p, TEXT, text, sizeof(text)));
	do {
		got = ws_recv(p->ws, buf, sizeof(buf), 0);
		if (got.n < 0)
			break;
		ASSERT_LT(0, got.n);
		ASSERT_EQ(0, got.flags);
		at += got.n;
	} while (at <= 180000);
	EXPECT_EQ(-EILSEQ, got.n);
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_TRUE(expect_close(p, 1007, ""));
}

/* recvmmsg(): one message each, with its own WS_MSG. */
TEST_F(pieces, recvmmsg)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	struct mmsghdr mm[8];
	struct iovec iov[8];
	char data[8][32], control[8][64];
	int i;

	for (i = 0; i < 5; i++)
		bytes_frame(&b, p, i & 1 ? TEXT : BINARY, pattern(i, i * 4),
			    i * 4);
	bytes_frame(&b, p, TEXT, pattern(9, 40), 40);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	memset(mm, 0, sizeof(mm));
	for (i = 0; i < 8; i++) {
		iov[i].iov_base = data[i];
		iov[i].iov_len = sizeof(data[i]);
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
		mm[i].msg_hdr.msg_control = control[i];
		mm[i].msg_hdr.msg_controllen = sizeof(control[i]);
	}
	ASSERT_EQ(7, recvmmsg(p->ws, mm, 8, MSG_DONTWAIT, NULL));
	for (i = 0; i < 7; i++) {
		struct cmsghdr *c = CMSG_FIRSTHDR(&mm[i].msg_hdr);
		unsigned int len = i < 5 ? i * 4 : i == 5 ? 32 : 8;
		struct ws_msg m;

		ASSERT_NE(NULL, c);
		memcpy(&m, CMSG_DATA(c), sizeof(m));
		EXPECT_EQ(len, mm[i].msg_len);
		EXPECT_EQ(len, m.len);
		EXPECT_EQ(i & 1 || i > 4 ? WS_OP_TEXT : WS_OP_BINARY,
			  m.opcode);
		EXPECT_EQ(i == 5 ? 0 : MSG_EOR, mm[i].msg_hdr.msg_flags);
	}
}

/* A buffer that is made larger and smaller in the middle of a message. */
TEST_F_TIMEOUT(pieces, rcvbuf_in_flight, 60)
{
	const size_t len = 3000000;
	struct pair q, *p = &q;
	static char buf[50000];
	uint32_t seed = 5;
	struct sender s;
	size_t at = 0;
	int clamp = 0;

	ASSERT_TRUE(pair_open(p, variant->family, variant->role));
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
	EXPECT_TRUE(pair_works(p));
	pair_close(p);
}

TEST_HARNESS_MAIN
