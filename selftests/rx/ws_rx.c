// SPDX-License-Identifier: GPL-2.0-only
/*
 * Receiving, by role, address family and system call: what the frames of
 * RFC 6455 section 5 are, however TCP cuts them, must not matter.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

enum how { READ, RECVMSG, RECVMMSG };

FIXTURE(rx)
{
	struct pair p;
};

FIXTURE_VARIANT(rx)
{
	int family;
	__u32 role;
	enum how how;
};

#define VARIANT(name, f, r, h)						\
	FIXTURE_VARIANT_ADD(rx, name)					\
	{								\
		.family = (f), .role = WS_ROLE_ ## r, .how = (h)	\
	}

VARIANT(server4_read, AF_INET, SERVER, READ);
VARIANT(server4_recvmsg, AF_INET, SERVER, RECVMSG);
VARIANT(server4_recvmmsg, AF_INET, SERVER, RECVMMSG);
VARIANT(server6_read, AF_INET6, SERVER, READ);
VARIANT(server6_recvmsg, AF_INET6, SERVER, RECVMSG);
VARIANT(server6_recvmmsg, AF_INET6, SERVER, RECVMMSG);
VARIANT(client4_read, AF_INET, CLIENT, READ);
VARIANT(client4_recvmsg, AF_INET, CLIENT, RECVMSG);
VARIANT(client4_recvmmsg, AF_INET, CLIENT, RECVMMSG);
VARIANT(client6_read, AF_INET6, CLIENT, READ);
VARIANT(client6_recvmsg, AF_INET6, CLIENT, RECVMSG);
VARIANT(client6_recvmmsg, AF_INET6, CLIENT, RECVMMSG);

FIXTURE_SETUP(rx)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
}

FIXTURE_TEARDOWN(rx)
{
	pair_close(&self->p);
}

static struct got by_recvmmsg(int fd, void *buf, size_t len)
{
	union {
		char buf[256];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct mmsghdr mm = {
		.msg_hdr.msg_iov = &iov,
		.msg_hdr.msg_iovlen = 1,
		.msg_hdr.msg_control = &control,
		.msg_hdr.msg_controllen = sizeof(control),
	};
	struct got got = { 0 };
	struct cmsghdr *c;
	int n;

	n = recvmmsg(fd, &mm, 1, 0, NULL);
	if (n != 1) {
		got.n = n < 0 ? -errno : -ENODATA;
		return got;
	}
	got.n = mm.msg_len;
	got.flags = mm.msg_hdr.msg_flags;
	c = CMSG_FIRSTHDR(&mm.msg_hdr);
	if (c && c->cmsg_level == SOL_WS && c->cmsg_type == WS_MSG) {
		memcpy(&got.m, CMSG_DATA(c), sizeof(got.m));
		got.cmsgs++;
	}
	return got;
}

/* With read() only the bytes are known. */
static struct got take(enum how call, int fd, void *buf, size_t len)
{
	struct got got = { 0 };

	if (call == RECVMSG)
		return ws_recv(fd, buf, len, 0);
	if (call == RECVMMSG)
		return by_recvmmsg(fd, buf, len);
	got.n = read(fd, buf, len);
	if (got.n < 0)
		got.n = -errno;
	return got;
}

/* One message in one call. */
static bool expect(enum how call, int fd, int opcode, const void *data,
		   size_t len)
{
	char *buf = malloc(len + 100);
	struct got got = take(call, fd, buf, len + 100);
	bool ok;

	ok = got.n == (ssize_t)len && (!len || !memcmp(buf, data, len));
	if (!ok)
		complain("%zd bytes (%s), not %zu", got.n,
			 got.n < 0 ? strerror(-got.n) : "or others", len);
	if (ok && call != READ &&
	    (got.cmsgs != 1 || got.m.opcode != opcode ||
	     got.m.flags != WS_MSG_END || got.m.len != len ||
	     got.flags != MSG_EOR))
		ok = complain("%d WS_MSG, opcode %x flags %x len %u, %x",
			      got.cmsgs, got.m.opcode, got.m.flags, got.m.len,
			      got.flags);
	free(buf);
	return ok;
}

/* One message of the pattern, in as many pieces as it may come. */
static bool collect(enum how call, int fd, int opcode, size_t len)
{
	static char buf[128 * 1024];
	size_t at = 0;
	struct got got;

	do {
		got = take(call, fd, buf, sizeof(buf));
		if (got.n < 0)
			return complain("after %zu of %zu: %s", at, len,
					strerror(-got.n));
		if (at + got.n > len || !is_pattern(buf, at, got.n))
			return complain("after %zu of %zu: %zd wrong bytes",
					at, len, got.n);
		if (!got.n && at != len)
			return complain("after %zu of %zu: the end", at, len);
		at += got.n;
		if (call == READ)
			continue;
		if (got.cmsgs != 1 || got.m.opcode != opcode ||
		    got.m.len != got.n ||
		    !(got.m.flags & WS_MSG_END) != !(got.flags & MSG_EOR))
			return complain("after %zu: %d WS_MSG %x %x %u, %x",
					at, got.cmsgs, got.m.opcode,
					got.m.flags, got.m.len, got.flags);
		if (got.flags & MSG_EOR)
			break;
	} while (call != READ || at < len);
	return at == len || complain("%zu of %zu", at, len);
}

/* Section 5.2: the three forms of the length, at their edges. */
TEST_F_TIMEOUT(rx, length_edges, 60)
{
	static const size_t edges[] = {
		0, 1, 125, 126, 127, 65535, 65536, 1 << 20, 0, 1,
	};
	struct sender s;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		ASSERT_TRUE(sender_start(&s, &self->p, i & 1 ? TEXT : BINARY,
					 edges[i]));
		ASSERT_TRUE(collect(variant->how, self->p.ws,
				    i & 1 ? WS_OP_TEXT : WS_OP_BINARY,
				    edges[i])) {
			TH_LOG("length %zu", edges[i]);
		}
		ASSERT_TRUE(sender_join(&s));
	}
}

/* A header may be cut anywhere; nothing is readable before the end. */
TEST_F(rx, header_cut)
{
	static const size_t lengths[] = { 0, 1, 125, 126, 300 };
	struct pair *p = &self->p;
	size_t i, cut;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (cut = 1; cut < 12; cut++) {
			size_t len = lengths[i];
			struct bytes b = { 0 };

			bytes_frame(&b, p, TEXT, pattern(3, len), len);
			if (cut >= b.n) {
				bytes_free(&b);
				continue;
			}
			ASSERT_TRUE(raw_send(p, b.p, cut));
			ASSERT_TRUE(settle(p));
			ASSERT_EQ(0, poll_now(p->ws, POLLIN));
			EXPECT_EQ(-EAGAIN, ws_recv(p->ws, &i, 1,
						   MSG_DONTWAIT).n);
			ASSERT_TRUE(raw_send(p, b.p + cut, b.n - cut));
			ASSERT_TRUE(expect(variant->how, p->ws, WS_OP_TEXT,
					   pattern(3, len), len)) {
				TH_LOG("length %zu, cut at %zu", len, cut);
			}
			bytes_free(&b);
		}
	}
}

/* The same for the long form, whose payload may come in pieces. */
TEST_F(rx, long_header_cut)
{
	unsigned char head[14], key[4] = { 0, 0, 0, 0 };
	struct pair *p = &self->p;
	bool masked = p->role == WS_ROLE_SERVER;
	size_t n, cut;

	n = frame_header(head, BINARY, 65536, masked ? key : NULL);
	for (cut = 1; cut < n; cut++) {
		ASSERT_TRUE(raw_send(p, head, cut));
		ASSERT_TRUE(settle(p));
		ASSERT_EQ(0, poll_now(p->ws, POLLIN));
		ASSERT_TRUE(raw_send(p, head + cut, n - cut));
		ASSERT_TRUE(raw_send(p, pattern(0, 65536), 65536));
		ASSERT_TRUE(collect(variant->how, p->ws, WS_OP_BINARY, 65536))
			TH_LOG("cut at %zu", cut);
	}
}

/* Section 5.3: the key goes on where the last segment ended. */
TEST_F(rx, mask_across_segments)
{
	struct pair *p = &self->p;
	size_t step, at;

	for (step = 1; step < 8; step++) {
		struct bytes b = { 0 };

		bytes_frame(&b, p, BINARY, pattern(step, 61), 61);
		for (at = 0; at < b.n; at += step)
			ASSERT_TRUE(raw_send(p, b.p + at, b.n - at < step ?
						b.n - at : step));
		bytes_free(&b);
		ASSERT_TRUE(expect(variant->how, p->ws, WS_OP_BINARY,
				   pattern(step, 61), 61)) {
			TH_LOG("segments of %zu", step);
		}
	}
}

TEST_F(rx, pipelined)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	size_t i;

	for (i = 0; i < 40; i++)
		bytes_frame(&b, p, i % 3 ? BINARY : TEXT, pattern(i, i * 9),
			    i * 9);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	for (i = 0; i < 40; i++) {
		ASSERT_TRUE(expect(variant->how, p->ws,
				   i % 3 ? WS_OP_BINARY : WS_OP_TEXT,
				   pattern(i, i * 9), i * 9)) {
			TH_LOG("message %zu", i);
		}
	}
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
}

/* Pipelined and cut at every byte: no message before its last byte. */
TEST_F(rx, pipelined_cut_anywhere)
{
	struct pair *p = &self->p;
	size_t cut;

	for (cut = 1;; cut++) {
		struct bytes b = { 0 };
		size_t end[3], i;
		bool last;

		for (i = 0; i < 3; i++) {
			bytes_frame(&b, p, TEXT, pattern(i, 3 + i), 3 + i);
			end[i] = b.n;
		}
		last = cut >= b.n;
		if (last) {
			bytes_free(&b);
			break;
		}
		ASSERT_TRUE(raw_send(p, b.p, cut));
		ASSERT_TRUE(settle(p));
		for (i = 0; i < 3 && end[i] <= cut; i++)
			ASSERT_TRUE(expect(variant->how, p->ws, WS_OP_TEXT,
					   pattern(i, 3 + i), 3 + i));
		ASSERT_EQ(0, poll_now(p->ws, POLLIN));
		ASSERT_TRUE(raw_send(p, b.p + cut, b.n - cut));
		for (; i < 3; i++)
			ASSERT_TRUE(expect(variant->how, p->ws, WS_OP_TEXT,
					   pattern(i, 3 + i), 3 + i));
		bytes_free(&b);
	}
}

/* Section 5.4: fragments, some empty, with control frames between. */
TEST_F(rx, fragments)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_frame(&b, p, F_TEXT, "one ", 4);
	bytes_frame(&b, p, F_CONT, "", 0);
	bytes_frame(&b, p, PING, "now", 3);
	bytes_frame(&b, p, F_CONT, "two ", 4);
	bytes_frame(&b, p, PONG, "", 0);
	bytes_frame(&b, p, CONT, "three", 5);
	bytes_frame(&b, p, F_BINARY, "", 0);
	bytes_frame(&b, p, CONT, "", 0);
	bytes_frame(&b, p, F_TEXT, "", 0);
	bytes_frame(&b, p, CONT, "late", 4);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	EXPECT_TRUE(expect(variant->how, p->ws, WS_OP_TEXT, "one two three",
			   13));
	EXPECT_TRUE(expect_frame(p, PONG, "now", 3));
	EXPECT_TRUE(expect(variant->how, p->ws, WS_OP_BINARY, "", 0));
	EXPECT_TRUE(expect(variant->how, p->ws, WS_OP_TEXT, "late", 4));
}

/* An open message is not readable, whatever comes between its fragments. */
TEST_F(rx, fragments_one_by_one)
{
	struct pair *p = &self->p;
	size_t i;

	for (i = 0; i < 20; i++) {
		ASSERT_TRUE(raw_frame(p, i ? F_CONT : F_BINARY,
				      pattern(i * 10, 10), 10));
		ASSERT_TRUE(raw_frame(p, PONG, "", 0));
		ASSERT_TRUE(settle(p));
		ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	}
	ASSERT_TRUE(raw_frame(p, CONT, pattern(200, 10), 10));
	EXPECT_TRUE(expect(variant->how, p->ws, WS_OP_BINARY, pattern(0, 210),
			   210));
}

/* A small buffer gets a piece, never a loss. */
TEST_F(rx, small_buffers)
{
	struct pair *p = &self->p;
	char buf[64];
	size_t size;

	for (size = 1; size <= 20; size++) {
		struct bytes b = { 0 };
		size_t at;

		/* in two fragments, so that pieces meet their seam */
		bytes_frame(&b, p, F_TEXT, pattern(0, 17), 17);
		bytes_frame(&b, p, CONT, pattern(17, 20), 20);
		bytes_frame(&b, p, TEXT, "next", 4);
		ASSERT_TRUE(raw_send_bytes(p, &b));
		for (at = 0; at < 37;) {
			size_t want = 37 - at < size ? 37 - at : size;
			struct got got = take(variant->how, p->ws, buf, size);

			ASSERT_EQ((ssize_t)want, got.n) {
				TH_LOG("buffer %zu, at %zu", size, at);
			}
			ASSERT_TRUE(is_pattern(buf, at, want));
			at += want;
			if (variant->how == READ)
				continue;
			ASSERT_EQ(1, got.cmsgs);
			ASSERT_EQ(WS_OP_TEXT, got.m.opcode);
			ASSERT_EQ(want, got.m.len);
			ASSERT_EQ(at == 37 ? WS_MSG_END : 0, got.m.flags);
			ASSERT_EQ(at == 37 ? MSG_EOR : 0, got.flags);
		}
		ASSERT_TRUE(expect(variant->how, p->ws, WS_OP_TEXT, "next", 4));
	}
}

/* What came before the attach is not lost, nor what came half. */
TEST_F(rx, queued_before_attach)
{
	struct bytes b = { 0 };
	struct pair p;

	ASSERT_TRUE(pair_connect(&p, variant->family, variant->role));
	bytes_frame(&b, &p, TEXT, "early", 5);
	bytes_frame(&b, &p, PING, "p", 1);
	bytes_frame(&b, &p, BINARY, "half", 4);
	ASSERT_TRUE(raw_send(&p, b.p, b.n - 2));
	ASSERT_TRUE(settle(&p));
	ASSERT_EQ(0, ws_attach(p.ws));
	if (p.role == WS_ROLE_CLIENT)
		ASSERT_EQ(0, ws_set_role(p.ws, p.role));
	/* On kTLS a work starts the parser, and wakes the poller. */
	EXPECT_EQ(POLLIN, poll_for(p.ws, POLLIN, WS_TEST_MS));
	EXPECT_TRUE(expect(variant->how, p.ws, WS_OP_TEXT, "early", 5));
	EXPECT_TRUE(expect_frame(&p, PONG, "p", 1));
	EXPECT_EQ(0, poll_now(p.ws, POLLIN));
	ASSERT_TRUE(raw_send(&p, b.p + b.n - 2, 2));
	EXPECT_TRUE(expect(variant->how, p.ws, WS_OP_BINARY, "half", 4));
	bytes_free(&b);
	pair_close(&p);
}

/* Bytes read with the HTTP answer come first, wherever they were cut. */
TEST_F(rx, prefix_cut_anywhere)
{
	struct bytes b = { 0 };
	size_t cut;

	bytes_frame(&b, &self->p, F_TEXT, "hel", 3);
	bytes_frame(&b, &self->p, PONG, "", 0);
	bytes_frame(&b, &self->p, CONT, "lo", 2);
	bytes_frame(&b, &self->p, BINARY, pattern(0, 130), 130);
	for (cut = 1; cut <= b.n; cut += cut > 30 && cut < b.n - 6 ? 7 : 1) {
		struct pair p;

		ASSERT_TRUE(pair_open(&p, variant->family, variant->role));
		/* The rest may be there before or after. */
		if (cut & 1)
			ASSERT_TRUE(raw_send(&p, b.p + cut, b.n - cut));
		ASSERT_EQ(0, ws_set(p.ws, WS_RX_PREFIX, b.p, cut));
		if (!(cut & 1))
			ASSERT_TRUE(raw_send(&p, b.p + cut, b.n - cut));
		ASSERT_TRUE(expect(variant->how, p.ws, WS_OP_TEXT, "hello",
				   5)) {
			TH_LOG("cut at %zu of %zu", cut, b.n);
		}
		ASSERT_TRUE(expect(variant->how, p.ws, WS_OP_BINARY,
				   pattern(0, 130), 130)) {
			TH_LOG("cut at %zu of %zu", cut, b.n);
		}
		EXPECT_EQ(0, poll_now(p.ws, POLLIN));
		pair_close(&p);
	}
	bytes_free(&b);
}

TEST_HARNESS_MAIN
