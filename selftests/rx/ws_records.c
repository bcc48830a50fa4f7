// SPDX-License-Identifier: GPL-2.0-only
/* Many messages in one call as a stream of records: WS_F_RECORDS. */
#include "kselftest_harness.h"
#include "ws_test.h"

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

static int set_flags(int fd, __u32 flags)
{
	struct ws_config cfg = ws_get_config(fd);

	cfg.flags = flags;
	return ws_set(fd, WS_CONFIG, &cfg, sizeof(cfg));
}

FIXTURE_SETUP(records)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
	ASSERT_EQ(0, set_flags(self->p.ws, WS_F_RECORDS));
}

FIXTURE_TEARDOWN(records)
{
	pair_close(&self->p);
}

/*
 * The record at @p says this, has this payload and zeros behind it. Returns
 * what follows it, or NULL.
 */
static const unsigned char *record(const unsigned char *p, int opcode,
				   int flags, const void *data, size_t len)
{
	static const unsigned char zeros[8];
	struct ws_msg m;

	if (!p)
		return NULL;
	memcpy(&m, p, sizeof(m));
	p += sizeof(m);
	if (m.opcode != opcode || m.flags != flags || m.len != len ||
	    (opcode != WS_OP_CLOSE && m.code)) {
		complain("record: opcode %d flags %d len %u code %u, not %d %d %zu",
			 m.opcode, m.flags, m.len, m.code, opcode, flags, len);
		return NULL;
	}
	if (memcmp(p, data, len) || memcmp(p + len, zeros, -len & 7)) {
		complain("record of %zu bytes: wrong payload or padding", len);
		return NULL;
	}
	return p + WS_RECORD_SIZE(len) - sizeof(m);
}

static size_t put_record(void *to, int opcode, int flags, const void *data,
			 size_t len)
{
	struct ws_msg m = { .len = len, .opcode = opcode, .flags = flags };

	memcpy(to, &m, sizeof(m));
	memcpy(to + sizeof(m), data, len);
	memset(to + sizeof(m) + len, '#', -len & 7);
	return WS_RECORD_SIZE(len);
}

#define END	WS_MSG_END
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
	bytes_free(&b);
	ASSERT_TRUE(settle(p));
	ASSERT_EQ((ssize_t)total, read(p->ws, self->buf, sizeof(self->buf)));
	for (i = 0; i < 300; i++) {
		at = record(at, i & 1 ? WS_OP_TEXT : WS_OP_BINARY,
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
	bytes_free(&b);
	ASSERT_TRUE(settle(p));
	/* 40 bytes a record. */
	for (n = 40; next < 20; n += 7) {
		ASSERT_EQ(n / 40 * 40 < (20 - next) * 40 ? n / 40 * 40 :
			  (20 - next) * 40, recv(p->ws, self->buf, n, 0));
		at = self->buf;
		for (i = 0; i < n / 40 && next < 20; i++, next++) {
			at = record(at, WS_OP_BINARY,
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
	EXPECT_NE(NULL, record(self->buf, WS_OP_TEXT, MORE, "01234567", 8));
	EXPECT_EQ(-EBUSY, set_flags(p->ws, 0));
	ASSERT_EQ(16, recv(p->ws, self->buf, 16, 0));
	EXPECT_NE(NULL, record(self->buf, WS_OP_TEXT, MORE, "89abcdef", 8));
	ASSERT_EQ(32, recv(p->ws, self->buf, 32, 0));
	EXPECT_NE(NULL, record(record(self->buf, WS_OP_TEXT, END | MORE,
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
	bytes_free(&b);
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(24, read(p->ws, self->buf, 100));
	EXPECT_NE(NULL, record(record(self->buf, WS_OP_TEXT, END | MORE,
				      "abcd", 4),
			       WS_OP_BINARY, END, "", 0));
	EXPECT_TRUE(expect_frame(p, PONG, "?", 1));
	EXPECT_TRUE(expect_frame(p, PONG, "!", 1));
	EXPECT_TRUE(expect_frame(p, PONG, ".", 1));
	ASSERT_TRUE(raw_frame(p, CONT, "yet", 3));
	ASSERT_EQ(16, read(p->ws, self->buf, 100));
	EXPECT_NE(NULL, record(self->buf, WS_OP_BINARY, END, "notyet", 6));
}

/* The Close comes alone, and what was before it can still be answered. */
TEST_F(records, close)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	struct ws_msg m;
	int n;

	bytes_frame(&b, p, TEXT, "last", 4);
	bytes_close(&b, p, 4000, "reason");
	ASSERT_TRUE(raw_send_bytes(p, &b));
	bytes_free(&b);
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(16, read(p->ws, self->buf, 100));
	EXPECT_NE(NULL, record(self->buf, WS_OP_TEXT, END | MORE, "last", 4));
	ASSERT_EQ(16, write(p->ws, self->buf, 16));
	EXPECT_TRUE(expect_frame(p, TEXT, "last", 4));
	ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
	EXPECT_EQ(16, n);
	ASSERT_EQ(16, recv(p->ws, self->buf, 100, MSG_PEEK));
	/* Not a byte of the reason fits: it is still there then. */
	ASSERT_EQ(-1, read(p->ws, self->buf, 8));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(16, read(p->ws, self->buf, 100));
	EXPECT_NE(NULL, record(self->buf, WS_OP_CLOSE, END, "reason", 6));
	memcpy(&m, self->buf, sizeof(m));
	EXPECT_EQ(4000, m.code);
	EXPECT_TRUE(expect_close(p, 4000, ""));
	EXPECT_EQ(0, read(p->ws, self->buf, 100));
}

/* A Close that is read in pieces; FIONREAD tells of what is left. */
TEST_F(records, close_in_pieces)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	int n;

	bytes_close(&b, p, 4000, "a longer reason");
	ASSERT_TRUE(raw_send_bytes(p, &b));
	bytes_free(&b);
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
	EXPECT_EQ(24, n);
	ASSERT_EQ(16, read(p->ws, self->buf, 16));
	EXPECT_NE(NULL, record(self->buf, WS_OP_CLOSE, 0, "a longer", 8));
	ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
	EXPECT_EQ(16, n);
	ASSERT_EQ(16, read(p->ws, self->buf, 100));
	EXPECT_NE(NULL, record(self->buf, WS_OP_CLOSE, END, " reason", 7));
	ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
	EXPECT_EQ(0, n);
	EXPECT_EQ(0, read(p->ws, self->buf, 100));
}

/* Everything before a fault, then the fault, then the end. */
TEST_F(records, fault)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_frame(&b, p, TEXT, "good", 4);
	bytes_frame(&b, p, TEXT, "\xc0\xaf", 2);
	bytes_frame(&b, p, TEXT, "never", 5);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	bytes_free(&b);
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(16, read(p->ws, self->buf, 100));
	EXPECT_NE(NULL, record(self->buf, WS_OP_TEXT, END | MORE, "good", 4));
	EXPECT_EQ(-1, read(p->ws, self->buf, 100));
	EXPECT_EQ(EILSEQ, errno);
	EXPECT_EQ(0, read(p->ws, self->buf, 100));
	EXPECT_TRUE(expect_close(p, 1007, ""));
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
	EXPECT_NE(NULL, record(record(self->buf, WS_OP_TEXT, END | MORE,
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
	bytes_free(&b);
	ASSERT_TRUE(settle(&self->p));
	/* The second record's payload runs into the bad page. */
	p = two + page - 48 - 24;
	ASSERT_EQ(48, read(self->p.ws, p, 200));
	EXPECT_NE(NULL, record(p, WS_OP_BINARY, END | MORE, pattern(0, 40),
			       40));
	EXPECT_EQ(-1, read(self->p.ws, two + page - 16, 200));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, read(self->p.ws, two + page, 200));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(96, read(self->p.ws, self->buf, 200));
	EXPECT_NE(NULL, record(record(self->buf, WS_OP_BINARY, END | MORE,
				      pattern(1, 40), 40),
			       WS_OP_BINARY, END, pattern(2, 40), 40));

	/* And the other way: the first record is good, the second is not. */
	put_record(p, WS_OP_BINARY, END, pattern(0, 40), 40);
	put_record(self->buf, WS_OP_BINARY, END, pattern(1, 40), 40);
	memcpy(p + 48, self->buf, 24);
	ASSERT_EQ(48, write(self->p.ws, p, 96));
	EXPECT_EQ(-1, write(self->p.ws, p + 48, 48));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(48, write(self->p.ws, self->buf, 48));
	EXPECT_TRUE(expect_frame(&self->p, BINARY, pattern(0, 40), 40));
	EXPECT_TRUE(expect_frame(&self->p, BINARY, pattern(1, 40), 40));
	munmap(two, 2 * page);
}

TEST_F(records, send_many)
{
	struct pair *p = &self->p;
	size_t n = 0;
	int i;

	for (i = 0; i < 300; i++)
		n += put_record(self->buf + n, i % 3, END, pattern(i, i), i);
	ASSERT_EQ((ssize_t)n, write(p->ws, self->buf, n));
	for (i = 0; i < 300; i++)
		ASSERT_TRUE(expect_frame(p, i % 3 == 1 ? TEXT : BINARY,
					 pattern(i, i), i));
	EXPECT_EQ(300, ws_get_info(p->ws).tx_messages);
	EXPECT_EQ(1, ws_get_info(p->ws).tx_calls);
}

/* A record can be cut anywhere but in its head. */
TEST_F(records, send_cut)
{
	struct pair *p = &self->p;
	struct frame f;
	size_t n, got;
	ssize_t cut;

	n = put_record(self->buf, WS_OP_TEXT, END, "hello", 5);
	n += put_record(self->buf + n, WS_OP_BINARY, END, "x", 1);
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
TEST_F(records, send_control)
{
	struct pair *p = &self->p;
	size_t n;
	struct ws_msg m = { .len = 3, .opcode = WS_OP_CLOSE, .flags = END,
			    .code = 4001 };

	wire_own_pongs(p, "in a record");
	n = put_record(self->buf, WS_OP_TEXT, 0, "ab", 2);
	n += put_record(self->buf + n, WS_OP_PING, END, "ping", 4);
	n += put_record(self->buf + n, WS_OP_TEXT, 0, "", 0);
	n += put_record(self->buf + n, 0, END, "cd", 2);
	n += put_record(self->buf + n, WS_OP_PONG, END, "", 0);
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
TEST_F(records, send_wrong)
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
		n = put_record(self->buf, WS_OP_TEXT, END, "ok", 2);
		memcpy(self->buf + n, &wrong[i], sizeof(wrong[i]));
		ASSERT_EQ(16, write(p->ws, self->buf, 24));
		ASSERT_EQ(-1, write(p->ws, self->buf + n, 8));
		ASSERT_EQ(EINVAL, errno);
		ASSERT_TRUE(expect_frame(p, TEXT, "ok", 2));
	}
	EXPECT_TRUE(expect_silence(p));
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
	bytes_free(&b);
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(5, write(fd[1], "first", 5));
	ASSERT_EQ(72, splice(p->ws, NULL, fd[1], NULL, 80, 0));
	ASSERT_EQ(77, read(fd[0], self->buf, sizeof(self->buf)));
	EXPECT_EQ(0, memcmp(self->buf, "first", 5));
	at = self->buf + 5;
	for (i = 0; i < 3; i++)
		at = (void *)record(at, WS_OP_BINARY, END | MORE,
				    pattern(i, 13), 13);
	EXPECT_NE(NULL, at);
	/* A piece, the rest of that message, and the Close. */
	ASSERT_EQ(4096, splice(p->ws, NULL, fd[1], NULL, 4100, 0));
	ASSERT_EQ(4096, read(fd[0], self->buf, sizeof(self->buf)));
	EXPECT_NE(NULL, record(self->buf, WS_OP_BINARY, MORE, pattern(0, 4088),
			       4088));
	ASSERT_EQ(4920, splice(p->ws, NULL, fd[1], NULL, 9000, 0));
	ASSERT_EQ(16, splice(p->ws, NULL, fd[1], NULL, 9000, 0));
	ASSERT_EQ(4936, read(fd[0], self->buf, sizeof(self->buf)));
	at = (void *)record(self->buf, WS_OP_BINARY, END | MORE,
			    pattern(4088, 4912), 4912);
	EXPECT_NE(NULL, record(at, WS_OP_CLOSE, END, "reason", 6));
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
	bytes_free(&b);
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(256, readv(p->ws, iov, 16));
	for (i = 0; i < 16; i++)
		EXPECT_NE(NULL, record(self->buf + 16 * i, WS_OP_BINARY,
				       END | MORE, pattern(i, 8), 8));
	ASSERT_EQ(16, read(p->ws, self->buf, 100));
}

/* Much more than the send buffer, without waiting: every byte, in order. */
TEST_F(records, send_full)
{
	const size_t big = 3000000, size = WS_RECORD_SIZE(big);
	unsigned char *rec = malloc(size + 16);
	size_t at = 0, got = 0, total;
	struct pair *p = &self->p;
	bool fin = false;
	struct frame f;

	ASSERT_NE(NULL, rec);
	put_record(rec, WS_OP_BINARY, END, "", 0);
	((struct ws_msg *)rec)->len = big;
	memcpy(rec + 8, pattern(0, PATTERN_MAX), PATTERN_MAX);
	memcpy(rec + 8 + PATTERN_MAX, pattern(PATTERN_MAX, PATTERN_MAX),
	       PATTERN_MAX);
	memcpy(rec + 8 + 2 * PATTERN_MAX,
	       pattern(2 * PATTERN_MAX, big - 2 * PATTERN_MAX),
	       big - 2 * PATTERN_MAX);
	total = size + put_record(rec + size, WS_OP_TEXT, END, "end", 3);
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

/* Any messages, any number of them a call, from anywhere. */
TEST_F_TIMEOUT(records, send_chance, 120)
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
			n += put_record(all + n, m[i].opcode, m[i].flags,
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
TEST_F_TIMEOUT(records, little_room, 60)
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
	while (len < 256 * 1024 - 112) {
		const struct ws_msg m = { .len = 100, .opcode = WS_OP_BINARY,
					  .flags = WS_MSG_END };

		memcpy(all + len, &m, sizeof(m));
		memset(all + len + 8, 'x', 104);
		len += WS_RECORD_SIZE(100);
	}
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
