// SPDX-License-Identifier: GPL-2.0-only
/* Sending a stream of records, WS_F_RECORDS: many messages in one call. */
#include "kselftest_harness.h"
#include "ws_ways.h"

#include <fcntl.h>

FIXTURE(records_send)
{
	struct pair p;
	unsigned char buf[1 << 17];
};

FIXTURE_VARIANT(records_send)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(records_send, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(records_send, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(records_send)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
	ASSERT_EQ(0, set_flags(self->p.ws, WS_F_RECORDS));
}

FIXTURE_TEARDOWN(records_send)
{
	pair_close(&self->p);
}

static size_t put(void *to, int opcode, int flags, const void *data, size_t len)
{
	struct ws_msg m = { .len = len, .opcode = opcode, .flags = flags };

	return put_record(to, m, data);
}

TEST_F(records_send, many)
{
	struct pair *p = &self->p;
	size_t n = 0;
	int i;

	for (i = 0; i < 300; i++)
		n += put(self->buf + n, i % 3, END, pattern(i, i), i);
	ASSERT_EQ((ssize_t)n, write(p->ws, self->buf, n));
	for (i = 0; i < 300; i++)
		ASSERT_TRUE(expect_frame(p, i % 3 == 1 ? TEXT : BINARY,
					 pattern(i, i), i));
	EXPECT_EQ(300, ws_get_info(p->ws).tx_messages);
	EXPECT_EQ(1, ws_get_info(p->ws).tx_calls);
}

/* A record can be cut anywhere but in its head. */
TEST_F(records_send, cut)
{
	struct pair *p = &self->p;
	struct frame f;
	size_t n, got;
	ssize_t cut;

	n = put(self->buf, WS_OP_TEXT, END, "hello", 5);
	n += put(self->buf + n, WS_OP_BINARY, END, "x", 1);
	for (cut = 1; cut < 16; cut++) {
		ssize_t first = write(p->ws, self->buf, cut);

		if (cut < 8) {
			ASSERT_EQ(-1, first);
			ASSERT_EQ(EINVAL, errno);
			continue;
		}
		ASSERT_EQ(cut, first);
		ASSERT_EQ((ssize_t)n - cut,
			  write(p->ws, self->buf + cut, n - cut));
		for (got = 0; got < 5; got += f.len) {
			ASSERT_TRUE(read_frame(p, &f));
			ASSERT_EQ(0, memcmp(f.data, "hello" + got, f.len));
			free(f.data);
			if (f.first & FIN)
				break;
		}
		ASSERT_TRUE(expect_frame(p, BINARY, "x", 1));
	}
	/* The tail of a head is not taken. */
	ASSERT_EQ(16, write(p->ws, self->buf, 23));
	ASSERT_TRUE(expect_frame(p, TEXT, "hello", 5));
}

/* A message in fragments, control records, and the end. */
TEST_F(records_send, control)
{
	struct pair *p = &self->p;
	size_t n;
	struct ws_msg m = { .len = 3, .opcode = WS_OP_CLOSE, .flags = END,
			    .code = 4001 };

	wire_own_pongs(p, "in a record");
	n = put(self->buf, WS_OP_TEXT, 0, "ab", 2);
	n += put(self->buf + n, WS_OP_PING, END, "ping", 4);
	n += put(self->buf + n, WS_OP_TEXT, 0, "", 0);
	n += put(self->buf + n, 0, END, "cd", 2);
	n += put(self->buf + n, WS_OP_PONG, END, "", 0);
	ASSERT_EQ((ssize_t)n, write(p->ws, self->buf, n));
	EXPECT_TRUE(expect_frame(p, F_TEXT, "ab", 2));
	EXPECT_TRUE(expect_frame(p, PING, "ping", 4));
	EXPECT_TRUE(expect_frame(p, F_CONT, "", 0));
	EXPECT_TRUE(expect_frame(p, CONT, "cd", 2));
	EXPECT_TRUE(expect_frame(p, PONG, "", 0));

	memcpy(self->buf, &m, sizeof(m));
	memcpy(self->buf + 8, "bye\0\0\0\0\0", 8);
	/* Not in two halves. */
	EXPECT_EQ(-1, write(p->ws, self->buf, 12));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(16, write(p->ws, self->buf, 16));
	EXPECT_TRUE(expect_close(p, 4001, "bye"));
	EXPECT_EQ(-1, send(p->ws, self->buf, 16, MSG_NOSIGNAL));
	EXPECT_EQ(EPIPE, errno);
}

/* What is wrong is refused when it is its turn, and nothing of it is sent. */
TEST_F(records_send, wrong)
{
	static const struct ws_msg wrong[] = {
		{ .opcode = 3, .flags = END },
		{ .opcode = 11, .flags = END },
		{ .opcode = WS_OP_TEXT, .flags = END | 0x80 },
		{ .opcode = WS_OP_TEXT, .flags = END | WS_MSG_RSV1 },
		{ .opcode = WS_OP_PING, .flags = 0 },
		{ .opcode = WS_OP_CLOSE, .flags = END, .code = 1006 },
	};
	struct pair *p = &self->p;
	size_t n, i;

	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		n = put(self->buf, WS_OP_TEXT, END, "ok", 2);
		memcpy(self->buf + n, &wrong[i], sizeof(wrong[i]));
		ASSERT_EQ(16, write(p->ws, self->buf, 24));
		ASSERT_EQ(-1, write(p->ws, self->buf + n, 8));
		ASSERT_EQ(EINVAL, errno);
		ASSERT_TRUE(expect_frame(p, TEXT, "ok", 2));
	}
	EXPECT_TRUE(expect_silence(p));
}

/* Much more than the send buffer, without waiting: every byte, in order. */
TEST_F(records_send, full)
{
	const size_t big = 3000000, size = WS_RECORD_SIZE(big);
	unsigned char *rec = malloc(size + 16);
	size_t at = 0, got = 0, total;
	struct pair *p = &self->p;
	bool fin = false;
	struct frame f;

	ASSERT_NE(NULL, rec);
	put(rec, WS_OP_BINARY, END, "", 0);
	((struct ws_msg *)rec)->len = big;
	memcpy(rec + 8, pattern(0, PATTERN_MAX), PATTERN_MAX);
	memcpy(rec + 8 + PATTERN_MAX, pattern(PATTERN_MAX, PATTERN_MAX),
	       PATTERN_MAX);
	memcpy(rec + 8 + 2 * PATTERN_MAX,
	       pattern(2 * PATTERN_MAX, big - 2 * PATTERN_MAX),
	       big - 2 * PATTERN_MAX);
	total = size + put(rec + size, WS_OP_TEXT, END, "end", 3);
	ASSERT_EQ(0, fcntl(p->ws, F_SETFL, O_NONBLOCK));
	while (!fin || at < total) {
		ssize_t n = at < total ? write(p->ws, rec + at, total - at) : 0;

		if (n > 0)
			at += n;
		ASSERT_TRUE(n >= 0 || errno == EAGAIN);
		if (fin)
			continue;
		ASSERT_TRUE(read_frame(p, &f));
		ASSERT_TRUE(is_pattern(f.data, got, f.len));
		got += f.len;
		fin = f.first & FIN;
		free(f.data);
	}
	ASSERT_EQ(big, got);
	ASSERT_TRUE(expect_frame(p, TEXT, "end", 3));
	EXPECT_EQ(2, ws_get_info(p->ws).tx_messages);
	free(rec);
}

/* Any messages, any number of them a call, from anywhere. */
TEST_F_TIMEOUT(records_send, chance, 120)
{
	unsigned char *all = malloc(1 << 16);
	struct pair *p = &self->p;
	uint64_t bytes = 0, messages = 0;
	uint32_t seed = 11;
	int round, i;

	ASSERT_NE(NULL, all);
	for (round = 0; round < 300; round++) {
		size_t at = next_random(&seed) % 8, n = at;
		int count = 1 + next_random(&seed) % 30;
		struct ws_msg m[30];

		for (i = 0; i < count; i++) {
			m[i] = random_msg(&seed);
			n += put(all + n, m[i].opcode, m[i].flags,
				 pattern(i, m[i].len), m[i].len);
			bytes += m[i].len;
			if (n > 40000)
				count = i + 1;
		}
		ASSERT_EQ((ssize_t)(n - at), write(p->ws, all + at, n - at));
		for (i = 0; i < count; i++)
			ASSERT_TRUE(expect_frame(p, m[i].opcode == WS_OP_TEXT ?
						 TEXT : BINARY,
						 pattern(i, m[i].len),
						 m[i].len));
		messages += count;
		ASSERT_EQ(bytes, ws_get_info(p->ws).tx_bytes);
		ASSERT_EQ(messages, ws_get_info(p->ws).tx_messages);
	}
	free(all);
}

static void *reads_all(void *arg)
{
	static char skip[65536];
	const struct pair *p = arg;
	ssize_t n;

	do {
		n = recv(p->raw, skip, sizeof(skip), 0);
	} while (n > 0 || (n < 0 && errno == EAGAIN));
	return NULL;
}

/* What fits goes at once, though there is more that has to wait for room. */
TEST_F_TIMEOUT(records_send, little_room, 60)
{
	struct pair *p = &self->p;
	size_t len = 0, sent = 0;
	uint64_t begin;
	pthread_t thread;
	int room = 2048, waits = 0, stalls = 0;
	char *all;

	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_SNDBUF, &room,
				sizeof(room)));
	all = malloc(256 * 1024);
	while (len < 256 * 1024 - 112)
		len += put(all + len, WS_OP_BINARY, END, pattern(0, 100), 100);
	ASSERT_EQ(0, pthread_create(&thread, NULL, reads_all, p));
	while (sent < len) {
		ssize_t n = send(p->ws, all + sent, len - sent, MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			n = 0;
		ASSERT_LE(0, n);
		begin = now_ms();
		if (!n)
			ASSERT_EQ(POLLOUT, poll_for(p->ws, POLLOUT, WS_TEST_MS));
		waits += !n;
		stalls += !in_time(begin, 180);
		sent += n;
	}
	/* It took TCP's probe timer each time, for 4592 bytes. */
	EXPECT_LE(stalls, waits / 2);
	shutdown(p->raw, SHUT_RDWR);
	pthread_join(thread, NULL);
	free(all);
}

TEST_HARNESS_MAIN
