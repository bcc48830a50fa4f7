// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sizes exactly at the limits of sending: of headers, of pages, of frames and of
 * calls. What is sent arrives, in the frames that the documentation says.
 */
#include "kselftest_harness.h"
#include "ws_ways.h"

#include <limits.h>
#include <sys/uio.h>

FIXTURE(edges)
{
	struct pair p;
};

FIXTURE_VARIANT(edges)
{
	__u32 role;
};

FIXTURE_VARIANT_ADD(edges, server) { WS_ROLE_SERVER };
FIXTURE_VARIANT_ADD(edges, client) { WS_ROLE_CLIENT };

FIXTURE_SETUP(edges)
{
	ASSERT_TRUE(pair_open(&self->p, AF_INET, variant->role));
}

FIXTURE_TEARDOWN(edges)
{
	pair_close(&self->p);
}

/* Around a byte, two bytes and eight of length, around pages and fragments. */
static const size_t sizes[] = {
	0, 1, 7, 8, 31, 32, 63, 64, 124, 125, 126, 127, 128, 255, 256, 257,
	4080, 4081, 4082, 4083, 4084, 4085, 4086, 4094, 4095, 4096, 4097,
	8192, 32753, 32754, 32755, 32767, 32768, 32769, 65534, 65535, 65536,
};

/* One frame each, and as many bytes and messages are counted. */
TEST_F(edges, one_frame)
{
	struct pair *p = &self->p;
	uint64_t bytes = 0;
	int room = 1 << 20;
	size_t i, len;

	setsockopt(p->ws, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		len = sizes[i];
		ASSERT_EQ((ssize_t)len, ws_send(p->ws, WS_OP_TEXT,
						pattern(i, len), len, 0));
		ASSERT_TRUE(expect_frame(p, TEXT, pattern(i, len), len));
		ASSERT_EQ((ssize_t)len, ws_send(p->ws, WS_OP_TEXT,
						pattern(i, len), len,
						MSG_MORE));
		ASSERT_TRUE(expect_frame(p, F_TEXT, pattern(i, len), len));
		ASSERT_EQ((ssize_t)len, ws_send(p->ws, 0, pattern(i, len), len,
						0));
		ASSERT_TRUE(expect_frame(p, CONT, pattern(i, len), len));
		bytes += 3 * len;
	}
	EXPECT_EQ(bytes, ws_get_info(p->ws).tx_bytes);
	EXPECT_EQ(2 * ARRAY_SIZE(sizes), ws_get_info(p->ws).tx_messages);
	EXPECT_EQ(3 * ARRAY_SIZE(sizes), ws_get_info(p->ws).tx_calls);
	EXPECT_TRUE(expect_silence(p));
}

/* A frame has 256 KiB at most; the rest is a fragment of its own. */
TEST_F(edges, largest_frame)
{
	static const int over[] = { -1, 0, 1 };
	const size_t most = 256 * 1024;
	struct pair *p = &self->p;
	int room = 4 << 20;
	size_t i;

	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_SNDBUFFORCE, &room,
				sizeof(room)));
	for (i = 0; i < ARRAY_SIZE(over); i++) {
		size_t len = most + over[i];
		struct drain d = { .p = p, .len = len };

		ASSERT_EQ(0, pthread_create(&d.thread, NULL, drain_message, &d));
		EXPECT_EQ((ssize_t)len, ws_send(p->ws, WS_OP_BINARY,
						pattern(0, len), len, 0));
		pthread_join(d.thread, NULL);
		EXPECT_TRUE(d.ok);
		EXPECT_EQ(over[i] > 0 ? 2 : 1, d.frames);
	}
}

/* Of a little room a call that waits makes frames of 64 KiB all the same. */
TEST_F(edges, least_frame_of_who_waits)
{
	struct pair p;
	int i;

	ASSERT_TRUE(pair_open_small(&p, AF_INET, variant->role));
	for (i = -1; i < 2; i++) {
		size_t len = 3 * 65536 + i;
		struct drain d = { .p = &p, .len = len };

		ASSERT_EQ(0, pthread_create(&d.thread, NULL, drain_message, &d));
		EXPECT_EQ((ssize_t)len, ws_send(p.ws, WS_OP_BINARY,
						pattern(0, len), len, 0));
		pthread_join(d.thread, NULL);
		EXPECT_TRUE(d.ok);
		EXPECT_EQ(i > 0 ? 4 : 3, d.frames);
	}
	pair_close(&p);
}

/* One that does not wait takes at least 4 KiB, or all, or nothing. */
TEST_F(edges, least_frame_of_who_does_not)
{
	static const size_t lengths[] = { 4096, 4095, 4097, 70000 };
	struct frame f;
	struct pair p;
	int least = 0;
	size_t i, at;

	ASSERT_TRUE(pair_open_small(&p, AF_INET, variant->role));
	/* The least that there is, so that there is never room for more. */
	ASSERT_EQ(0, setsockopt(p.ws, SOL_SOCKET, SO_SNDBUF, &least,
				sizeof(least)));
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t len = lengths[i], sent[200];
		int calls = 0, c;
		ssize_t n;

		do {
			n = ws_send(p.ws, WS_OP_BINARY, pattern(0, len), len,
				    MSG_DONTWAIT);
			if (n < 0)
				break;
			sent[calls++] = n;
			ASSERT_LE(len < 4096 ? len : 4096, (size_t)n);
			if (len == 70000)
				EXPECT_GT(65536, n);
		} while (calls < 200);
		EXPECT_EQ(-EAGAIN, n);
		ASSERT_LT(0, calls);
		/* A short one leaves its message open. */
		for (at = 0, c = 0; c < calls; c++) {
			ASSERT_TRUE(read_frame(&p, &f));
			EXPECT_EQ(sent[c], f.len);
			EXPECT_EQ(at ? 0 : WS_OP_BINARY, f.first & 15);
			EXPECT_EQ(sent[c] == len, !!(f.first & FIN));
			at = f.first & FIN ? 0 : 1;
			free(f.data);
		}
		ASSERT_TRUE(poll_for(p.ws, POLLOUT, WS_TEST_MS));
		if (!at)
			continue;
		EXPECT_EQ(0, ws_send(p.ws, 0, "", 0, 0));
		EXPECT_TRUE(expect_frame(&p, CONT, "", 0));
	}
	pair_close(&p);
}

/* Of one byte each: as many pieces of memory as a call may have, and one more. */
TEST_F(edges, pieces_of_memory)
{
	static const __u32 modes[] = { 0, WS_F_RECORDS, WS_F_BATCH };
	struct ws_msg m = { .len = IOV_MAX - 8, .opcode = WS_OP_TEXT,
			    .flags = END };
	struct pair *p = &self->p;
	char text[IOV_MAX + 1];
	struct iovec iov[IOV_MAX + 1];
	int i, skip;

	memcpy(text, &m, sizeof(m));
	memcpy(text + 8, pattern(0, IOV_MAX), IOV_MAX - 7);
	for (i = 0; i <= IOV_MAX; i++)
		iov[i] = (struct iovec){ text + i, 1 };
	for (i = 0; i < 3; i++) {
		skip = modes[i] & WS_F_RECORDS ? 0 : 8;
		ASSERT_EQ(0, set_flags(p->ws, modes[i]));
		EXPECT_EQ(-1, writev(p->ws, iov, IOV_MAX + 1));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(skip ? 1 : -1, writev(p->ws, iov + 9, 1));
		if (skip)
			EXPECT_TRUE(expect_frame(p, BINARY, text + 9, 1));
		ASSERT_EQ(IOV_MAX - skip,
			  writev(p->ws, iov + skip, IOV_MAX - skip));
		EXPECT_TRUE(expect_frame(p, skip ? BINARY : TEXT, text + 8,
					 IOV_MAX - 8));
	}
	EXPECT_TRUE(expect_silence(p));
}

/* Records at the edges of what is built in one go, one call for each and all. */
TEST_F(edges, records)
{
	static const size_t few[] = { 0, 1, 125, 126, 255, 256, 257, 4095, 4096,
				      4097, 5000 };
	struct pair *p = &self->p;
	size_t i, n = 0, room = 0;
	char *buf;
	int pass;

	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		room += WS_RECORD_SIZE(sizes[i]);
	buf = malloc(room);
	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, set_flags(p->ws, WS_F_RECORDS));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct ws_msg m = { .len = sizes[i], .flags = END };

		ASSERT_EQ((ssize_t)m.len,
			  send_record(p->ws, m, pattern(i, m.len), 0));
		ASSERT_TRUE(expect_frame(p, BINARY, pattern(i, m.len), m.len));
	}
	/* Together, and each of them first. */
	for (pass = 0; pass < (int)ARRAY_SIZE(few); pass++) {
		for (n = 0, i = 0; i < ARRAY_SIZE(few); i++) {
			size_t at = (pass + i) % ARRAY_SIZE(few);
			struct ws_msg m = { .len = few[at], .flags = END };

			m.opcode = i & 1 ? WS_OP_TEXT : 0;
			n += put_record(buf + n, m, pattern(at, m.len));
		}
		ASSERT_EQ((ssize_t)n, write(p->ws, buf, n));
		for (i = 0; i < ARRAY_SIZE(few); i++) {
			size_t at = (pass + i) % ARRAY_SIZE(few);

			ASSERT_TRUE(expect_frame(p, i & 1 ? TEXT : BINARY,
						 pattern(at, few[at]),
						 few[at]));
		}
	}
	free(buf);
}

/* Records of every padding, cut at every byte but those of the head. */
TEST_F(edges, cut_records)
{
	struct pair *p = &self->p;
	unsigned char buf[64];
	size_t len, cut, n, got;
	struct frame f;

	ASSERT_EQ(0, set_flags(p->ws, WS_F_RECORDS));
	for (len = 0; len < 17; len++) {
		struct ws_msg m = { .len = len, .opcode = WS_OP_TEXT,
				    .flags = END };

		n = put_record(buf, m, pattern(0, len));
		for (cut = 8; cut < n; cut++) {
			ASSERT_EQ((ssize_t)cut, write(p->ws, buf, cut));
			/* Padding and what follows in one call, too. */
			n += put_record(buf + n, m, pattern(0, len));
			ASSERT_EQ((ssize_t)(n - cut),
				  write(p->ws, buf + cut, n - cut));
			n /= 2;
			for (got = 0, f.first = 0; !(f.first & FIN);) {
				ASSERT_TRUE(read_frame(p, &f));
				ASSERT_TRUE(is_pattern(f.data, got, f.len));
				got += f.len;
				free(f.data);
			}
			ASSERT_EQ(len, got);
			ASSERT_TRUE(expect_frame(p, TEXT, pattern(0, len),
						 len));
		}
	}
}

/* Arrays of the most messages and of the most bytes. */
TEST_F(edges, arrays)
{
	static const size_t few[] = { 0, 1, 125, 126, 255, 256, 257, 4095, 4096,
				      4097, 12000, 32768 };
	struct ws_msg m[WS_BATCH_MAX];
	struct pair *p = &self->p;
	size_t len, i, j, at;

	ASSERT_EQ(0, set_flags(p->ws, WS_F_BATCH));
	for (i = 0; i < WS_BATCH_MAX; i++)
		m[i] = (struct ws_msg){ .flags = END };
	ASSERT_EQ(0, send_array(p->ws, m, WS_BATCH_MAX, "", 0, 0));
	for (i = 0; i < WS_BATCH_MAX; i++)
		ASSERT_TRUE(expect_frame(p, BINARY, "", 0));
	/* 64 KiB and no more, in one message of two or in many. */
	for (i = 0; i < 2; i++) {
		m[0].len = 65536 - i;
		m[1].len = i;
		ASSERT_EQ(65536, send_array(p->ws, m, 2, pattern(0, 65536),
					    65536, 0));
		ASSERT_TRUE(expect_frame(p, BINARY, pattern(0, 65536 - i),
					 65536 - i));
		ASSERT_TRUE(expect_frame(p, BINARY, pattern(65536 - i, i), i));
		m[0].len++;
		EXPECT_EQ(-EMSGSIZE, send_array(p->ws, m, 2, pattern(0, 65537),
						65537, 0));
	}
	/* Every size before and behind every other. */
	for (i = 0; i < ARRAY_SIZE(few); i++) {
		for (len = 0, j = 0; j < ARRAY_SIZE(few); j++) {
			m[2 * j].len = few[i] > 32000 ? 9 : few[i] / 3;
			m[2 * j + 1].len = few[j] > 12000 ? 13 : few[j];
			len += m[2 * j].len + m[2 * j + 1].len;
		}
		if (len > 65536)
			continue;
		ASSERT_EQ((ssize_t)len,
			  send_array(p->ws, m, 2 * ARRAY_SIZE(few),
				     pattern(0, len), len, 0));
		for (at = 0, j = 0; j < 2 * ARRAY_SIZE(few); at += m[j++].len)
			ASSERT_TRUE(expect_frame(p, BINARY,
						 pattern(at, m[j].len),
						 m[j].len));
	}
	/* One is a message for the call, whose length it does not say. */
	m[0].len = 1000;
	ASSERT_EQ(3, send_array(p->ws, m, 1, "abc", 3, 0));
	EXPECT_TRUE(expect_frame(p, BINARY, "abc", 3));
	EXPECT_TRUE(expect_silence(p));
}

/* What is several messages, or none, cannot be sent without a copy. */
TEST_F(edges, zerocopy_of_many)
{
	struct ws_msg m[3] = { { 1, WS_OP_TEXT, END, 0 },
			       { 1, WS_OP_TEXT, END, 0 },
			       { 1, WS_OP_TEXT, END, 0 } };
	struct pair *p = &self->p;
	int n;

	ASSERT_EQ(0, set_flags(p->ws, WS_F_BATCH));
	for (n = 2; n < 4; n++)
		EXPECT_EQ(-EOPNOTSUPP, send_array(p->ws, m, n, "abc", n,
						  MSG_ZEROCOPY));
	m[0].opcode = WS_OP_PING;
	EXPECT_EQ(-EOPNOTSUPP, send_array(p->ws, m, 1, "a", 1, MSG_ZEROCOPY));
	ASSERT_EQ(0, set_flags(p->ws, WS_F_RECORDS));
	m[0].opcode = WS_OP_TEXT;
	EXPECT_EQ(-EOPNOTSUPP, send_record(p->ws, m[0], "a", MSG_ZEROCOPY));
	EXPECT_TRUE(expect_silence(p));
	EXPECT_EQ(0, (int)ws_get_info(p->ws).tx_messages);
}

/* Control frames of the most bytes, in records and arrays too. */
TEST_F(edges, control)
{
	static const __u8 opcodes[] = { WS_OP_PING, WS_OP_PONG };
	struct ws_msg m[2] = { { .flags = END }, { .flags = END } };
	struct pair *p = &self->p;
	char reason[124] = { 0 };
	size_t i, len;

	wire_own_pongs(p, "of records and arrays");
	for (len = 124; len < 126; len++) {
		for (i = 0; i < 2; i++) {
			m[1].opcode = opcodes[i];
			m[1].len = len;
			ASSERT_EQ(0, set_flags(p->ws, WS_F_RECORDS));
			ASSERT_EQ((ssize_t)len,
				  send_record(p->ws, m[1], pattern(i, len), 0));
			ASSERT_EQ(0, set_flags(p->ws, WS_F_BATCH));
			ASSERT_EQ((ssize_t)len,
				  send_array(p->ws, m, 2, pattern(i, len), len,
					     0));
			EXPECT_TRUE(expect_frame(p, FIN | opcodes[i],
						 pattern(i, len), len));
			EXPECT_TRUE(expect_frame(p, BINARY, "", 0));
			EXPECT_TRUE(expect_frame(p, FIN | opcodes[i],
						 pattern(i, len), len));
		}
	}
	memcpy(reason, pattern(0, 123), 123);
	m[1] = (struct ws_msg){ .opcode = WS_OP_CLOSE, .flags = END,
				.code = 4999, .len = 123 };
	ASSERT_EQ(123, send_array(p->ws, m, 2, reason, 123, 0));
	EXPECT_TRUE(expect_frame(p, BINARY, "", 0));
	EXPECT_TRUE(expect_close(p, 4999, reason));
}

/* Lowest and highest of the codes that may be sent, by records. */
TEST_F(edges, codes)
{
	static const int good[] = { 0, 1000, 1003, 1005, 1007, 1014, 3000,
				    4999 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		struct ws_msg m = { .opcode = WS_OP_CLOSE, .flags = END,
				    .code = good[i] };
		struct pair p;

		ASSERT_TRUE(pair_open(&p, AF_INET, variant->role));
		ASSERT_EQ(0, set_flags(p.ws, WS_F_RECORDS));
		EXPECT_EQ(0, send_record(p.ws, m, "", 0));
		EXPECT_TRUE(expect_close(&p, good[i] ?: 1005, ""));
		EXPECT_EQ(good[i] ?: 1005, ws_get_info(p.ws).close_sent);
		EXPECT_EQ(WS_STATE_CLOSE_SENT, ws_get_info(p.ws).state);
		pair_close(&p);
	}
}

TEST_HARNESS_MAIN
