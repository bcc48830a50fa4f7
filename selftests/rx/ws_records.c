// SPDX-License-Identifier: GPL-2.0-only
/* Many messages in one call as a stream of records: WS_F_RECORDS. */
#include "kselftest_harness.h"
#include "ws_reader.h"
#include "ws_ways.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>

FIXTURE(records)
{
	struct pair p;
	unsigned char buf[1 << 17];
};

FIXTURE_VARIANT(records)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(records, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(records, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(records)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
	ASSERT_EQ(0, set_flags(self->p.ws, WS_F_RECORDS));
}

FIXTURE_TEARDOWN(records)
{
	pair_close(&self->p);
}

#define MORE	WS_MSG_MORE

/* All sizes that the padding can have, the empty message among them. */
TEST_F(records, many)
{
	const unsigned char *at = self->buf;
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	size_t total = 0;
	struct ws_info info;
	int i;

	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	for (i = 0; i < 300; i++) {
		bytes_frame(&b, p, i & 1 ? TEXT : BINARY, pattern(i, i), i);
		total += WS_RECORD_SIZE(i);
	}
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	ASSERT_EQ((ssize_t)total, read(p->ws, self->buf, sizeof(self->buf)));
	for (i = 0; i < 300; i++) {
		at = record_is(at, i & 1 ? WS_OP_TEXT : WS_OP_BINARY,
			       i < 299 ? END | MORE : END, pattern(i, i), i);
		ASSERT_NE(NULL, at);
	}
	ASSERT_EQ(-1, recv(p->ws, self->buf, 64, MSG_DONTWAIT));
	ASSERT_EQ(EAGAIN, errno);
	info = ws_get_info(p->ws);
	EXPECT_EQ(300, info.rx_messages);
	EXPECT_EQ(1, info.rx_calls);
	/* TLS tells of each of its records. */
	EXPECT_GE(test_tls() ? 6 : 2, info.wakeups);
}

/* What does not fit stays for the next call, whole. */
TEST_F(records, fit)
{
	struct pair *p = &self->p;
	const unsigned char *at;
	struct bytes b = { 0 };
	int next = 0, i, n;

	for (i = 0; i < 20; i++)
		bytes_frame(&b, p, BINARY, pattern(i, 30), 30);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	/* 40 bytes a record. */
	for (n = 40; next < 20; n += 7) {
		ASSERT_EQ(n / 40 * 40 < (20 - next) * 40 ? n / 40 * 40 :
			  (20 - next) * 40, recv(p->ws, self->buf, n, 0));
		at = self->buf;
		for (i = 0; i < n / 40 && next < 20; i++, next++) {
			at = record_is(at, WS_OP_BINARY,
				       next < 19 ? END | MORE : END,
				       pattern(next, 30), 30);
			ASSERT_NE(NULL, at);
		}
	}
}

/* A message that is larger than the buffer comes in pieces. */
TEST_F(records, pieces)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "0123456789abcdefghijk", 21));
	ASSERT_TRUE(raw_frame(p, BINARY, "b", 1));
	ASSERT_TRUE(settle(p));
	EXPECT_EQ(-1, recv(p->ws, self->buf, 7, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, recv(p->ws, self->buf, 15, 0));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(16, recv(p->ws, self->buf, 17, 0));
	EXPECT_NE(NULL, record_is(self->buf, WS_OP_TEXT, MORE, "01234567", 8));
	EXPECT_EQ(-EBUSY, set_flags(p->ws, 0));
	ASSERT_EQ(16, recv(p->ws, self->buf, 16, 0));
	EXPECT_NE(NULL, record_is(self->buf, WS_OP_TEXT, MORE, "89abcdef", 8));
	ASSERT_EQ(32, recv(p->ws, self->buf, 32, 0));
	EXPECT_NE(NULL, record_is(record_is(self->buf, WS_OP_TEXT, END | MORE,
					    "ghijk", 5),
				  WS_OP_BINARY, END, "b", 1));
	EXPECT_EQ(0, set_flags(p->ws, 0));
}

/* Fragments, with PINGs among them, are one message. */
TEST_F(records, fragments)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_frame(&b, p, PING, "?", 1);
	bytes_frame(&b, p, F_TEXT, "ab", 2);
	bytes_frame(&b, p, PING, "!", 1);
	bytes_frame(&b, p, F_CONT, "", 0);
	bytes_frame(&b, p, CONT, "cd", 2);
	bytes_frame(&b, p, PING, ".", 1);
	bytes_frame(&b, p, BINARY, "", 0);
	bytes_frame(&b, p, F_BINARY, "not", 3);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(24, read(p->ws, self->buf, 100));
	EXPECT_NE(NULL, record_is(record_is(self->buf, WS_OP_TEXT, END | MORE,
					    "abcd", 4),
				  WS_OP_BINARY, END, "", 0));
	EXPECT_TRUE(expect_frame(p, PONG, "?", 1));
	EXPECT_TRUE(expect_frame(p, PONG, "!", 1));
	EXPECT_TRUE(expect_frame(p, PONG, ".", 1));
	ASSERT_TRUE(raw_frame(p, CONT, "yet", 3));
	ASSERT_EQ(16, read(p->ws, self->buf, 100));
	EXPECT_NE(NULL, record_is(self->buf, WS_OP_BINARY, END, "notyet", 6));
}

TEST_F(records, peek_and_flags)
{
	struct pair *p = &self->p;
	int n;

	ASSERT_TRUE(raw_frame(p, TEXT, "a", 1));
	ASSERT_TRUE(raw_frame(p, TEXT, "b", 1));
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(32, recv(p->ws, self->buf, 100, MSG_PEEK));
	ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
	EXPECT_EQ(16, n);
	EXPECT_EQ(-1, recv(p->ws, self->buf, 100, MSG_TRUNC));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(32, recv(p->ws, self->buf, 100, MSG_WAITALL));
	EXPECT_NE(NULL, record_is(record_is(self->buf, WS_OP_TEXT, END | MORE,
					    "a", 1), WS_OP_TEXT, END, "b", 1));
	EXPECT_EQ(-EINVAL, set_flags(p->ws, WS_F_RECORDS | WS_F_BATCH));
	EXPECT_EQ(-EINVAL, set_flags(p->ws, 8));
	/* A control message would say the same again. */
	EXPECT_EQ(-EINVAL, ws_send(p->ws, WS_OP_TEXT, self->buf, 16, 0));
}

/* A bad page costs nothing that was not given. */
TEST_F(records, bad_memory)
{
	size_t page = sysconf(_SC_PAGESIZE);
	unsigned char *two, *p;
	struct bytes b = { 0 };
	int i;

	two = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, two);
	ASSERT_EQ(0, mprotect(two + page, page, PROT_NONE));
	for (i = 0; i < 3; i++)
		bytes_frame(&b, &self->p, BINARY, pattern(i, 40), 40);
	ASSERT_TRUE(raw_send_bytes(&self->p, &b));
	ASSERT_TRUE(settle(&self->p));
	/* The second record's payload runs into the bad page. */
	p = two + page - 48 - 24;
	ASSERT_EQ(48, read(self->p.ws, p, 200));
	EXPECT_NE(NULL, record_is(p, WS_OP_BINARY, END | MORE, pattern(0, 40),
				  40));
	EXPECT_EQ(-1, read(self->p.ws, two + page - 16, 200));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, read(self->p.ws, two + page, 200));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(96, read(self->p.ws, self->buf, 200));
	EXPECT_NE(NULL, record_is(record_is(self->buf, WS_OP_BINARY, END | MORE,
					    pattern(1, 40), 40),
				  WS_OP_BINARY, END, pattern(2, 40), 40));

	/* And the other way: the first record is good, the second is not. */
	put_record(p, (struct ws_msg){ 40, WS_OP_BINARY, END, 0 },
		   pattern(0, 40));
	put_record(self->buf, (struct ws_msg){ 40, WS_OP_BINARY, END, 0 },
		   pattern(1, 40));
	memcpy(p + 48, self->buf, 24);
	ASSERT_EQ(48, write(self->p.ws, p, 96));
	EXPECT_EQ(-1, write(self->p.ws, p + 48, 48));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(48, write(self->p.ws, self->buf, 48));
	EXPECT_TRUE(expect_frame(&self->p, BINARY, pattern(0, 40), 40));
	EXPECT_TRUE(expect_frame(&self->p, BINARY, pattern(1, 40), 40));
	munmap(two, 2 * page);
}

/* splice() moves records into a pipe, behind what that has already. */
TEST_F(records, splice)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	unsigned char *at;
	int fd[2], i;

	ASSERT_EQ(0, pipe(fd));
	for (i = 0; i < 3; i++)
		bytes_frame(&b, p, BINARY, pattern(i, 13), 13);
	bytes_frame(&b, p, BINARY, pattern(0, 9000), 9000);
	bytes_close(&b, p, 4000, "reason");
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(5, write(fd[1], "first", 5));
	ASSERT_EQ(72, splice(p->ws, NULL, fd[1], NULL, 80, 0));
	ASSERT_EQ(77, read(fd[0], self->buf, sizeof(self->buf)));
	EXPECT_EQ(0, memcmp(self->buf, "first", 5));
	at = self->buf + 5;
	for (i = 0; i < 3; i++)
		at = (void *)record_is(at, WS_OP_BINARY, END | MORE,
				       pattern(i, 13), 13);
	EXPECT_NE(NULL, at);
	/* A piece, the rest of that message, and the Close. */
	ASSERT_EQ(4096, splice(p->ws, NULL, fd[1], NULL, 4100, 0));
	ASSERT_EQ(4096, read(fd[0], self->buf, sizeof(self->buf)));
	EXPECT_NE(NULL, record_is(self->buf, WS_OP_BINARY, MORE, pattern(0, 4088),
				  4088));
	ASSERT_EQ(4920, splice(p->ws, NULL, fd[1], NULL, 9000, 0));
	ASSERT_EQ(16, splice(p->ws, NULL, fd[1], NULL, 9000, 0));
	ASSERT_EQ(4936, read(fd[0], self->buf, sizeof(self->buf)));
	at = (void *)record_is(self->buf, WS_OP_BINARY, END | MORE,
			       pattern(4088, 4912), 4912);
	EXPECT_NE(NULL, record_is(at, WS_OP_CLOSE, END, "reason", 6));
	close(fd[0]);
	close(fd[1]);
}

/* All of a vector is filled, and more is there: it ends where it ends. */
TEST_F(records, vector_is_full)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	struct iovec iov[16];
	int i;

	for (i = 0; i < 17; i++) {
		bytes_frame(&b, p, BINARY, pattern(i, 8), 8);
		if (i < 16)
			iov[i] = (struct iovec){ self->buf + 16 * i, 16 };
	}
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(256, readv(p->ws, iov, 16));
	for (i = 0; i < 16; i++)
		EXPECT_NE(NULL, record_is(self->buf + 16 * i, WS_OP_BINARY,
					  END | MORE, pattern(i, 8), 8));
	ASSERT_EQ(16, read(p->ws, self->buf, 100));
}

/* Any messages, cut anywhere, read into any buffers: all there, in order. */
TEST_F_TIMEOUT(records, chance, 120)
{
	unsigned char *all = malloc(1 << 20);
	uint64_t bytes = 0, count = 0;
	uint32_t seed = 7;
	int round, next;

	ASSERT_NE(NULL, all);
	ASSERT_EQ(0, fcntl(self->p.ws, F_SETFL, O_NONBLOCK));
	for (round = 0; round < 60; round++) {
		struct pair *p = &self->p;
		struct bytes b = { 0 };
		size_t sent = 0, got = 0, payload = 0, have = 0;
		int messages = 0, ended = 0;

		while (b.n < 40000) {
			size_t len = next_random(&seed) % 5 ?
				next_random(&seed) % 200 :
				next_random(&seed) % 6000;
			int left = next_random(&seed) % 4 ? 1 :
				next_random(&seed) % 5 + 1;
			int first = next_random(&seed) & 1 ? F_TEXT : F_BINARY;

			messages++;
			for (; left; left--, len /= 2, first = F_CONT) {
				bytes_frame(&b, p, first | (left == 1 ? FIN : 0),
					    pattern(payload, len), len);
				payload += len;
				if (next_random(&seed) % 8 == 0)
					bytes_frame(&b, p, PONG, "", 0);
			}
		}
		while (ended < messages) {
			size_t room = 16 + next_random(&seed) % 3000;
			struct ws_msg m;
			ssize_t n;

			if (sent < b.n) {
				size_t cut = 1 + next_random(&seed) % 5000;

				if (cut > b.n - sent)
					cut = b.n - sent;
				ASSERT_TRUE(raw_send(p, b.p + sent, cut));
				sent += cut;
				ASSERT_TRUE(next_random(&seed) & 1 || settle(p));
			}
			if (next_random(&seed) & 1) {
				struct iovec iov[3] = {
					{ all, room / 3 },
					{ all + room / 3, 5 },
					{ all + room / 3 + 5, room },
				};

				n = readv(p->ws, iov, 3);
			} else {
				n = read(p->ws, all, room);
			}
			if (n < 0 && errno == EAGAIN)
				continue;
			ASSERT_LT(0, n);
			ASSERT_EQ(0, n % 8);
			for (have = 0; have < (size_t)n;
			     have += WS_RECORD_SIZE(m.len)) {
				memcpy(&m, all + have, sizeof(m));
				ASSERT_TRUE(is_pattern(all + have + 8, got,
						       m.len));
				got += m.len;
				ended += m.flags & END ? 1 : 0;
			}
			ASSERT_EQ((size_t)n, have);
		}
		ASSERT_EQ(payload, got);
		ASSERT_EQ(messages, ended);
		bytes_free(&b);
		bytes += payload;
		count += messages;
		ASSERT_EQ(bytes, ws_get_info(p->ws).rx_bytes);
		ASSERT_EQ(count, ws_get_info(p->ws).rx_messages);
		ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &next));
		ASSERT_EQ(0, next);
	}
	free(all);
}

/* Unscanned text, a fragment, a longer header, no payload. */
TEST_F(records, mixture)
{
	static const int first[] = { TEXT, BINARY, BINARY, F_TEXT, CONT, TEXT };
	static const size_t len[] = { 40, 200, 0, 9, 3, 1 };
	const unsigned char *at = self->buf;
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	ssize_t n;
	int i;

	for (i = 0; i < 60; i++)
		bytes_frame(&b, p, first[i % 6], pattern(i, len[i % 6]),
			    len[i % 6]);
	ASSERT_TRUE(send_unscanned(p, &b));
	n = recv(p->ws, self->buf, sizeof(self->buf), 0);
	ASSERT_EQ(16 + 10 * (48 + 208 + 8 + 24 + 16), n);
	at += 16;
	for (i = 0; i < 60; i++) {
		struct ws_msg m = msg_at(at);

		if (i % 6 == 4)
			continue;
		ASSERT_EQ(len[i % 6] + (i % 6 == 3 ? 3 : 0), m.len);
		ASSERT_EQ(first[i % 6] & 3, m.opcode);
		ASSERT_EQ(i < 59 ? WS_MSG_END | WS_MSG_MORE : WS_MSG_END,
			  m.flags);
		ASSERT_EQ(0, memcmp(at + 8, pattern(i, len[i % 6]),
				    len[i % 6]));
		at += WS_RECORD_SIZE(m.len);
	}
	EXPECT_EQ(51, ws_get_info(p->ws).rx_messages);
}

/* What is not whole is no message, and says nothing of more. */
TEST_F(records, half_a_message)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_frame(&b, p, BINARY, "second", 6);
	b.n -= 3;
	ASSERT_TRUE(send_unscanned(p, &b));
	ASSERT_EQ(16, recv(p->ws, self->buf, sizeof(self->buf), MSG_PEEK));
	EXPECT_EQ(WS_MSG_END, msg_at(self->buf).flags);
	ASSERT_EQ(16, recv(p->ws, self->buf, sizeof(self->buf), 0));
	EXPECT_EQ(WS_MSG_END, msg_at(self->buf).flags);
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
}

/* Less room than there is: the rest is still there, and is told of. */
TEST_F(records, no_room)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	int i;

	for (i = 0; i < 9; i++)
		bytes_frame(&b, p, BINARY, "again", 5);
	ASSERT_TRUE(send_unscanned(p, &b));
	for (i = 0; i < 10; i += 2) {
		ASSERT_EQ(32, recv(p->ws, self->buf, 40, 0));
		EXPECT_EQ(WS_MSG_END | WS_MSG_MORE, msg_at(self->buf).flags);
		EXPECT_EQ(i < 8 ? WS_MSG_END | WS_MSG_MORE : WS_MSG_END,
			  msg_at(self->buf + 16).flags);
	}
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
}

TEST_HARNESS_MAIN
