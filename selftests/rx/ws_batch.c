// SPDX-License-Identifier: GPL-2.0-only
/* Many messages in one call with an array in the control message: WS_F_BATCH. */
#include "kselftest_harness.h"
#include "ws_ways.h"

#include <sys/mman.h>

FIXTURE(batch)
{
	struct pair p;
	char buf[1 << 17];
};

FIXTURE_VARIANT(batch)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(batch, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(batch, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(batch)
{
	struct ws_config cfg;

	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
	cfg = ws_get_config(self->p.ws);
	cfg.flags = WS_F_BATCH;
	ASSERT_EQ(0, ws_set(self->p.ws, WS_CONFIG, &cfg, sizeof(cfg)));
}

FIXTURE_TEARDOWN(batch)
{
	pair_close(&self->p);
}

#define END	WS_MSG_END
#define MORE	WS_MSG_MORE

/* What one recvmsg() gave. */
struct batch {
	struct ws_msg m[WS_BATCH_MAX + 1];
	int n;
	int flags;
};

static ssize_t recv_array(int fd, struct batch *b, int room, void *buf,
			  size_t len, int flags)
{
	char control[CMSG_SPACE(sizeof(b->m))];
	struct iovec iov = { buf, len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room ? control : NULL,
		.msg_controllen = room ? CMSG_LEN(room * sizeof(*b->m)) : 0,
	};
	struct cmsghdr *cmsg;
	ssize_t n;

	n = recvmsg(fd, &msg, flags);
	b->n = 0;
	b->flags = msg.msg_flags;
	cmsg = n < 0 ? NULL : CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_level == SOL_WS && cmsg->cmsg_type == WS_MSG) {
		b->n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(*b->m);
		memcpy(b->m, CMSG_DATA(cmsg), b->n * sizeof(*b->m));
	}
	return n < 0 ? -errno : n;
}

static bool is(const struct ws_msg *m, int opcode, int flags, size_t len)
{
	if (m->opcode == opcode && m->flags == flags && m->len == len)
		return true;
	return complain("opcode %d flags %d len %u, not %d %d %zu", m->opcode,
			m->flags, m->len, opcode, flags, len);
}

/* Payloads back to back, the empty message among them. */
TEST_F(batch, many)
{
	struct pair *p = &self->p;
	struct bytes bytes = { 0 };
	size_t total = 0, at = 0;
	struct batch b;
	int i;

	for (i = 0; i < 100; i++) {
		bytes_frame(&bytes, p, i & 1 ? TEXT : BINARY, pattern(i, i), i);
		total += i;
	}
	ASSERT_TRUE(raw_send_bytes(p, &bytes));
	bytes_free(&bytes);
	ASSERT_TRUE(settle(p));
	ASSERT_EQ((ssize_t)total, recv_array(p->ws, &b, WS_BATCH_MAX, self->buf,
					     sizeof(self->buf), 0));
	ASSERT_EQ(100, b.n);
	EXPECT_TRUE(b.flags & MSG_EOR);
	for (i = 0; i < 100; i++) {
		ASSERT_TRUE(is(&b.m[i], i & 1 ? WS_OP_TEXT : WS_OP_BINARY,
			       i < 99 ? END | MORE : END, i));
		ASSERT_TRUE(is_pattern(self->buf + at, i, i));
		at += i;
	}
	EXPECT_EQ(1, ws_get_info(p->ws).rx_calls);
}

/* As many as there is room for: of bytes, of descriptors, or both. */
TEST_F(batch, room)
{
	struct pair *p = &self->p;
	struct bytes bytes = { 0 };
	struct batch b;
	int i;

	for (i = 0; i < 10; i++)
		bytes_frame(&bytes, p, TEXT, pattern(i, 10), 10);
	bytes_frame(&bytes, p, TEXT, "", 0);
	ASSERT_TRUE(raw_send_bytes(p, &bytes));
	bytes_free(&bytes);
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(30, recv_array(p->ws, &b, 3, self->buf, 1000, 0));
	ASSERT_EQ(3, b.n);
	EXPECT_TRUE(is(&b.m[2], WS_OP_TEXT, END | MORE, 10));
	ASSERT_EQ(20, recv_array(p->ws, &b, 10, self->buf, 29, 0));
	ASSERT_EQ(2, b.n);
	EXPECT_TRUE(is_pattern(self->buf, 3, 10));
	/* Too small for a message: a piece, alone. */
	ASSERT_EQ(4, recv_array(p->ws, &b, 10, self->buf, 4, 0));
	ASSERT_EQ(1, b.n);
	EXPECT_TRUE(is(&b.m[0], WS_OP_TEXT, MORE, 4));
	EXPECT_FALSE(b.flags & MSG_EOR);
	ASSERT_EQ(16, recv_array(p->ws, &b, 2, self->buf, 100, 0));
	ASSERT_EQ(2, b.n);
	EXPECT_TRUE(is(&b.m[0], WS_OP_TEXT, END | MORE, 6));
	EXPECT_TRUE(is_pattern(self->buf, 9, 6));
	/* Without a control message it is one a call. */
	ASSERT_EQ(10, recv_array(p->ws, &b, 0, self->buf, 100, 0));
	EXPECT_TRUE(is_pattern(self->buf, 7, 10));
	ASSERT_EQ(20, recv_array(p->ws, &b, 10, self->buf, 100, MSG_PEEK));
	ASSERT_EQ(20, recv_array(p->ws, &b, 10, self->buf, 100, 0));
	ASSERT_EQ(3, b.n);
	EXPECT_TRUE(is(&b.m[2], WS_OP_TEXT, END, 0));
	EXPECT_EQ(-EAGAIN, recv_array(p->ws, &b, 10, self->buf, 100,
				      MSG_DONTWAIT));
}

/* Any messages into any room. */
TEST_F_TIMEOUT(batch, chance, 120)
{
	struct pair *p = &self->p;
	uint64_t sum = 0, count = 0;
	uint32_t seed = 13;
	int round;

	for (round = 0; round < 100; round++) {
		size_t payload = 0, got = 0, have, i;
		int messages = 0, ended = 0;
		struct bytes bytes = { 0 };
		__u8 opcodes[20000 / 2];

		for (; bytes.n < 20000; messages++) {
			struct ws_msg m = random_msg(&seed);

			opcodes[messages] = m.opcode == WS_OP_TEXT ?
				WS_OP_TEXT : WS_OP_BINARY;
			bytes_frame(&bytes, p, m.opcode == WS_OP_TEXT ? TEXT :
				    BINARY, pattern(payload, m.len), m.len);
			payload += m.len;
		}
		ASSERT_TRUE(raw_send_bytes(p, &bytes));
		while (ended < messages) {
			int room = 1 + next_random(&seed) % 60;
			struct batch b;
			ssize_t n;

			n = recv_array(p->ws, &b, room, self->buf, 1 +
				       next_random(&seed) % 3000,
				       0);
			ASSERT_LE(0, n);
			ASSERT_LT(0, b.n);
			for (have = 0, i = 0; i < (size_t)b.n; i++) {
				ASSERT_TRUE(is_pattern(self->buf + have, got,
						       b.m[i].len));
				ASSERT_EQ(opcodes[ended], b.m[i].opcode);
				ASSERT_TRUE(b.m[i].flags & MORE ||
					    i + 1 == (size_t)b.n);
				have += b.m[i].len;
				got += b.m[i].len;
				ended += b.m[i].flags & END ? 1 : 0;
			}
			ASSERT_EQ((size_t)n, have);
		}
		ASSERT_EQ(payload, got);
		sum += payload;
		count += messages;
		ASSERT_EQ(sum, ws_get_info(p->ws).rx_bytes);
		ASSERT_EQ(count, ws_get_info(p->ws).rx_messages);
	}
}

/* The end comes alone. */
TEST_F(batch, close)
{
	struct pair *p = &self->p;
	struct bytes bytes = { 0 };
	struct batch b;

	bytes_frame(&bytes, p, TEXT, "last", 4);
	bytes_close(&bytes, p, 4000, "why");
	ASSERT_TRUE(raw_send_bytes(p, &bytes));
	bytes_free(&bytes);
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(4, recv_array(p->ws, &b, 10, self->buf, 100, 0));
	ASSERT_EQ(1, b.n);
	EXPECT_TRUE(is(&b.m[0], WS_OP_TEXT, END | MORE, 4));
	ASSERT_EQ(3, recv_array(p->ws, &b, 10, self->buf, 100, 0));
	ASSERT_EQ(1, b.n);
	EXPECT_EQ(WS_OP_CLOSE, b.m[0].opcode);
	EXPECT_EQ(4000, b.m[0].code);
	EXPECT_EQ(0, recv_array(p->ws, &b, 10, self->buf, 100, 0));
	EXPECT_EQ(0, b.n);
}

/* Every kind of message, all in one call; what was received can be sent. */
TEST_F(batch, send)
{
	static const struct ws_msg m[] = {
		{ .len = 3, .opcode = WS_OP_TEXT, .flags = END },
		{ .len = 0, .opcode = 0, .flags = END | MORE },
		{ .len = 2, .opcode = WS_OP_TEXT },
		{ .len = 1, .opcode = WS_OP_PING, .flags = END },
		{ .len = 2, .opcode = 0, .flags = END },
		{ .len = 3, .opcode = WS_OP_CLOSE, .flags = END, .code = 4000 },
	};
	struct pair *p = &self->p;

	ASSERT_EQ(11, send_array(p->ws, m, 6, "onetw?o.bye", 11, 0));
	EXPECT_TRUE(expect_frame(p, TEXT, "one", 3));
	EXPECT_TRUE(expect_frame(p, BINARY, "", 0));
	EXPECT_TRUE(expect_frame(p, F_TEXT, "tw", 2));
	EXPECT_TRUE(expect_frame(p, PING, "?", 1));
	EXPECT_TRUE(expect_frame(p, CONT, "o.", 2));
	EXPECT_TRUE(expect_close(p, 4000, "bye"));
	EXPECT_EQ(3, ws_get_info(p->ws).tx_messages);
	EXPECT_EQ(-EPIPE, send_array(p->ws, m, 2, "one", 3, 0));
}

/* Any messages, any number of them a call, from anywhere. */
TEST_F_TIMEOUT(batch, send_chance, 120)
{
	struct pair *p = &self->p;
	uint64_t sum = 0, messages = 0;
	uint32_t seed = 17;
	int round, i;

	for (round = 0; round < 300; round++) {
		int count = 2 + next_random(&seed) % 29;
		size_t from = next_random(&seed) % 8, len = 0, at;
		struct ws_msg m[30];

		for (i = 0; i < count; i++) {
			m[i] = random_msg(&seed);
			len += m[i].len;
			if (len > 40000)
				count = i + 1;
		}
		ASSERT_EQ((ssize_t)len, send_array(p->ws, m, count,
						   pattern(from, len), len, 0));
		for (at = from, i = 0; i < count; at += m[i++].len)
			ASSERT_TRUE(expect_frame(p, m[i].opcode == WS_OP_TEXT ?
						 TEXT : BINARY,
						 pattern(at, m[i].len),
						 m[i].len));
		sum += len;
		messages += count;
		ASSERT_EQ(sum, ws_get_info(p->ws).tx_bytes);
		ASSERT_EQ(messages, ws_get_info(p->ws).tx_messages);
	}
}

/* All or nothing. */
TEST_F(batch, send_wrong)
{
	struct ws_msg m[WS_BATCH_MAX + 1];
	struct pair *p = &self->p;
	int i;

	for (i = 0; i <= WS_BATCH_MAX; i++)
		m[i] = (struct ws_msg){ .len = 1, .flags = END };
	EXPECT_EQ(-EINVAL, send_array(p->ws, m, WS_BATCH_MAX + 1, self->buf,
				      WS_BATCH_MAX + 1, 0));
	EXPECT_EQ(-EINVAL, send_array(p->ws, m, 3, self->buf, 2, 0));
	m[2].opcode = 5;
	EXPECT_EQ(-EINVAL, send_array(p->ws, m, 3, self->buf, 3, 0));
	m[2].opcode = WS_OP_CLOSE;
	EXPECT_EQ(-EINVAL, send_array(p->ws, m, 4, self->buf, 4, 0));
	m[2].opcode = 0;
	m[2].flags = END | WS_MSG_RSV1;
	EXPECT_EQ(-EINVAL, send_array(p->ws, m, 3, self->buf, 3, 0));
	m[2].flags = END;
	m[1].len = 70000;
	EXPECT_EQ(-EMSGSIZE, send_array(p->ws, m, 3, self->buf, 70002, 0));
	m[1].len = 1;
	EXPECT_EQ(-EFAULT, send_array(p->ws, m, 3, (void *)8, 3, 0));
	ASSERT_EQ(3, send_array(p->ws, m, 3, "abc", 3, 0));
	EXPECT_TRUE(expect_frame(p, BINARY, "a", 1));
	EXPECT_TRUE(expect_frame(p, BINARY, "b", 1));
	EXPECT_TRUE(expect_frame(p, BINARY, "c", 1));
	EXPECT_TRUE(expect_silence(p));
}

/* The last bytes before a page that is not there. */
TEST_F(batch, bad_memory)
{
	static const struct ws_msg good[] = {
		{ .len = 6, .flags = END }, { .len = 7, .flags = END },
	};
	static const struct ws_msg bad[] = {
		{ .len = 13, .flags = END }, { .len = 5, .flags = END },
	};
	long page = sysconf(_SC_PAGESIZE);
	struct pair *p = &self->p;
	char *two, *at;

	two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, two);
	ASSERT_EQ(0, mprotect(two + page, page, PROT_NONE));
	at = two + page - 13;
	memcpy(at, pattern(0, 13), 13);
	ASSERT_EQ(13, send_array(p->ws, good, 2, at, 13, 0));
	EXPECT_TRUE(expect_frame(p, BINARY, pattern(0, 6), 6));
	EXPECT_TRUE(expect_frame(p, BINARY, pattern(6, 7), 7));
	EXPECT_EQ(-EFAULT, send_array(p->ws, bad, 2, at, 18, 0));
	EXPECT_TRUE(expect_silence(p));
	ASSERT_EQ(13, send_array(p->ws, good, 2, at, 13, 0));
	EXPECT_TRUE(expect_frame(p, BINARY, pattern(0, 6), 6));
	EXPECT_TRUE(expect_frame(p, BINARY, pattern(6, 7), 7));
	munmap(two, 2 * page);
}

/* The most that one call takes, again and again; the buffer fills up. */
TEST_F(batch, send_full)
{
	struct ws_msg m[WS_BATCH_MAX];
	struct pair *p = &self->p;
	int i, sent = 0, size = 65536 / WS_BATCH_MAX;
	ssize_t n;

	for (i = 0; i < WS_BATCH_MAX; i++)
		m[i] = (struct ws_msg){ .len = size, .flags = END };
	for (;;) {
		n = send_array(p->ws, m, WS_BATCH_MAX, pattern(0, 65536),
			       65536, MSG_DONTWAIT);
		if (n == -EAGAIN)
			break;
		ASSERT_EQ(65536, n);
		sent++;
	}
	ASSERT_LT(0, sent);
	for (; sent; sent--)
		for (i = 0; i < WS_BATCH_MAX; i++)
			ASSERT_TRUE(expect_frame(p, BINARY,
						 pattern(i * size, size),
						 size));
	ASSERT_EQ(65536, send_array(p->ws, m, WS_BATCH_MAX, pattern(0, 65536),
				    65536, MSG_DONTWAIT));
	for (i = 0; i < WS_BATCH_MAX; i++)
		ASSERT_TRUE(expect_frame(p, BINARY, pattern(i * size, size),
					 size));
}

TEST_HARNESS_MAIN
