// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmasking on the way to the reader's memory, of lengths at which the module
 * may choose another loop: every byte right and none beside them written,
 * whatever the addresses, and memory that is absent, or that must not be
 * written, met in the middle.
 */
#include "kselftest_harness.h"
#include "ws_test.h"
#include "ws_unmask_registers.h"

#include <sys/mman.h>
#include <sys/uio.h>

#define ROOM	(256 << 10)
#define GUARD	192

static const size_t sizes[] = {
	1, 31, 32, 33, 127, 129, 1023, 1024, 1025, 1056, 8191, 8192, 8193,
	16383, 16384, 16385, 16415, 24576, 24703, 65536, 65571, 131077,
};

FIXTURE(unmask)
{
	struct pair p;
	unsigned char *room;
	long page;
};

FIXTURE_VARIANT(unmask)
{
	__u32 role;
};

FIXTURE_VARIANT_ADD(unmask, server)
{
	.role = WS_ROLE_SERVER,
};

/* No key: the kernel's own copy. */
FIXTURE_VARIANT_ADD(unmask, client)
{
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(unmask)
{
	self->page = sysconf(_SC_PAGESIZE);
	self->room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->room);
	ASSERT_TRUE(pair_open_rcvbuf(&self->p, AF_INET, variant->role, ROOM, 0,
				     0));
}

FIXTURE_TEARDOWN(unmask)
{
	pair_close(&self->p);
	munmap(self->room, ROOM);
}

/*
 * A message that is all there, @shift bytes further in the buffers that hold
 * it than its own frame would lie.
 */
static bool message(struct pair *p, size_t len, size_t shift)
{
	struct bytes b = { 0 };
	char scrap[128];

	bytes_frame(&b, p, BINARY, pattern(0, shift), shift);
	bytes_frame(&b, p, BINARY, pattern(len, len), len);
	if (!raw_send_bytes(p, &b) || !settle(p))
		return false;
	return recv(p->ws, scrap, sizeof(scrap), 0) == (ssize_t)shift ||
	       complain("the first message is missing");
}

static bool is_blank(const unsigned char *p, size_t n)
{
	while (n--)
		if (*p++ != 0xa5)
			return complain("written to beside the buffer");
	return true;
}

/* Reads a message to @to and looks at all that lies around. */
static bool read_to(struct pair *p, unsigned char *to, size_t len)
{
	ssize_t n;

	memset(to - GUARD, 0xa5, GUARD + len + GUARD);
	n = recv(p->ws, to, len + GUARD, MSG_DONTWAIT);
	if (n != (ssize_t)len)
		return complain("%zd of %zu bytes: %s", n, len,
				strerror(errno));
	return is_pattern(to, len, len) && is_blank(to - GUARD, GUARD) &&
	       is_blank(to + len, GUARD);
}

TEST_F(unmask, every_size_and_address)
{
	static const size_t offsets[] = {
		0, 1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 24, 31, 32, 63,
	};
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (k = 0; k < ARRAY_SIZE(offsets); k++) {
			/* Source and destination go by steps of their own. */
			ASSERT_TRUE(message(&self->p, sizes[i],
					    (k * 7 + i) % 33));
			ASSERT_TRUE(read_to(&self->p, self->room + GUARD +
							      offsets[k],
					    sizes[i]))
				TH_LOG("size %zu, offset %zu", sizes[i],
				       offsets[k]);
		}
	}
}

TEST_F(unmask, peek_and_parts)
{
	struct pair *p = &self->p;
	size_t len = 100001, at, n;

	ASSERT_TRUE(message(p, len, 5));
	ASSERT_EQ((ssize_t)len, recv(p->ws, self->room, ROOM, MSG_PEEK));
	EXPECT_TRUE(is_pattern(self->room, len, len));
	/* The key turns with every part. */
	for (at = 0; at < len; at += n) {
		n = 16384 + at % 1000 + 3;
		if (n > len - at)
			n = len - at;
		ASSERT_EQ((ssize_t)n, recv(p->ws, self->room + at % 7, n, 0));
		ASSERT_TRUE(is_pattern(self->room + at % 7, len + at, n));
	}
}

TEST_F(unmask, segments)
{
	static const size_t lens[] = {
		1, 1024, 8191, 0, 3, 2000, 16384, 5, 1023, 30000, 64,
	};
	enum { SEGMENTS = ARRAY_SIZE(lens) };
	unsigned char *at = self->room + GUARD;
	struct iovec iov[SEGMENTS];
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = SEGMENTS };
	size_t i, len = 0;

	memset(self->room, 0xa5, ROOM);
	for (i = 0; i < SEGMENTS; i++) {
		iov[i].iov_base = at;
		iov[i].iov_len = lens[i];
		at += lens[i] + 77;
		len += lens[i];
	}
	ASSERT_TRUE(message(&self->p, len, 9));
	ASSERT_EQ((ssize_t)len, recvmsg(self->p.ws, &msg, 0));
	EXPECT_EQ(MSG_EOR, msg.msg_flags & (MSG_EOR | MSG_TRUNC));
	at = self->room + GUARD;
	for (i = 0; i < SEGMENTS; i++) {
		EXPECT_TRUE(is_pattern(at, len, lens[i]));
		EXPECT_TRUE(is_blank(at + lens[i], 77));
		len += lens[i];
		at += lens[i] + 77;
	}
}

/* Pages that no one has touched, and pages that are gone again. */
TEST_F(unmask, absent_pages)
{
	size_t len = 128 << 10, i;
	unsigned char *fresh;
	int round;

	for (round = 0; round < 4; round++) {
		fresh = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		ASSERT_NE(MAP_FAILED, fresh);
		/* Without huge pages there is no such advice to take. */
		madvise(fresh, ROOM, MADV_NOHUGEPAGE);
		if (round & 1) {
			memset(fresh, 0x11, ROOM);
			for (i = 0; i < ROOM; i += (2 + round) * self->page)
				ASSERT_EQ(0, madvise(fresh + i, self->page,
						     MADV_DONTNEED));
		}
		ASSERT_TRUE(message(&self->p, len, round));
		ASSERT_EQ((ssize_t)len, recv(self->p.ws, fresh + round * 5,
					     len, MSG_DONTWAIT));
		EXPECT_TRUE(is_pattern(fresh + round * 5, len, len));
		munmap(fresh, ROOM);
	}
}

/* Shared with a child: written by copying the page. */
TEST_F(unmask, copied_pages)
{
	size_t len = 100000, i;
	pid_t child;
	int ready[2];
	char c;

	memset(self->room, 0x22, ROOM);
	ASSERT_EQ(0, pipe(ready));
	child = fork();
	ASSERT_GE(child, 0);
	if (!child) {
		close(ready[1]);
		if (read(ready[0], &c, 1) != 1)
			_exit(1);
		for (i = 0; i < ROOM; i++)
			if (self->room[i] != 0x22)
				_exit(2);
		_exit(0);
	}
	ASSERT_TRUE(message(&self->p, len, 3));
	ASSERT_EQ((ssize_t)len, recv(self->p.ws, self->room + 100, len, 0));
	EXPECT_TRUE(is_pattern(self->room + 100, len, len));
	ASSERT_EQ(1, write(ready[1], "", 1));
	ASSERT_EQ(child, waitpid(child, &ready[0], 0));
	EXPECT_EQ(0, ready[0]);
	close(ready[1]);
}

/*
 * A page that must not be written, at every place that matters: recv() fails
 * and the message is still there, whole.
 */
TEST_F(unmask, forbidden_page)
{
	static const int forbidden[] = { PROT_NONE, PROT_READ };
	static const size_t lens[] = { 3000, 16384, 50001, 131072 };
	struct pair *p = &self->p;
	unsigned char *good;
	size_t i, k, page;

	good = malloc(ROOM);
	ASSERT_NE(NULL, good);
	for (i = 0; i < 4; i++) {
		size_t start = self->page - 13 - i;
		size_t last = (start + lens[i] - 1) / self->page;

		ASSERT_TRUE(message(p, lens[i], i));
		for (page = 0; page <= last; page++) {
			for (k = 0; k < 2; k++) {
				unsigned char *at = self->room +
						    page * self->page;

				ASSERT_EQ(0, mprotect(at, self->page,
						      forbidden[k]));
				EXPECT_EQ(-1, recv(p->ws, self->room + start,
						   lens[i], MSG_DONTWAIT));
				EXPECT_EQ(EFAULT, errno);
				ASSERT_EQ(0, mprotect(at, self->page,
						      PROT_READ | PROT_WRITE));
			}
		}
		EXPECT_EQ(0, ws_get_info(p->ws).state & WS_STATE_FAILED);
		ASSERT_EQ((ssize_t)lens[i], recv(p->ws, good, ROOM, 0));
		ASSERT_TRUE(is_pattern(good, lens[i], lens[i]));
	}
	free(good);
}

#define RECORDS	48

/* Messages of which many come in one call, and some in a later one. */
static bool send_records(struct pair *p, size_t *lens, __u32 *seed)
{
	struct bytes b = { 0 };
	size_t i;

	for (i = 0; i < RECORDS; i++) {
		lens[i] = next_random(seed) % (i % 8 ? 2500 : 6000);
		bytes_frame(&b, p, BINARY, pattern(i, lens[i]), lens[i]);
	}
	return raw_send_bytes(p, &b) && settle(p);
}

/* Returns how many of them are right, from number @first on; -1. */
static int check_records(const unsigned char *at, size_t n,
			 const size_t *lens, int first)
{
	int i = first;

	while (n) {
		struct ws_msg m;

		memcpy(&m, at, sizeof(m));
		if (i == RECORDS || m.len != lens[i] ||
		    m.opcode != WS_OP_BINARY || !(m.flags & WS_MSG_END) ||
		    !is_pattern(at + sizeof(m), i, m.len)) {
			complain("record %d is not right", i);
			return -1;
		}
		at += WS_RECORD_SIZE(m.len);
		n -= WS_RECORD_SIZE(m.len);
		i++;
	}
	return i - first;
}

/* Each round with other memory: good, absent here and there, forbidden. */
TEST_F(unmask, records)
{
	struct ws_config cfg = ws_get_config(self->p.ws);
	__u32 seed = 7;
	int round;

	cfg.flags |= WS_F_RECORDS;
	ASSERT_EQ(0, ws_set(self->p.ws, WS_CONFIG, &cfg, sizeof(cfg)));
	memset(self->room, 0x33, ROOM);
	for (round = 0; round < 40; round++) {
		unsigned char *bad = self->room + round / 4 * 2 * self->page;
		unsigned char *to = self->room + round % 11;
		size_t lens[RECORDS], size = 30000 + round * 3000;
		bool forbidden = round % 4 == 3;
		int done = 0, good;
		ssize_t n;

		ASSERT_TRUE(send_records(&self->p, lens, &seed));
		if (round % 4 == 2)
			ASSERT_EQ(0, madvise(bad, 3 * self->page,
					     MADV_DONTNEED));
		if (forbidden)
			ASSERT_EQ(0, mprotect(bad, self->page, PROT_NONE));
		while (done < RECORDS) {
			n = recv(self->p.ws, to, size, MSG_DONTWAIT);
			if (forbidden) {
				ASSERT_EQ(0, mprotect(bad, self->page,
						      PROT_READ | PROT_WRITE));
				forbidden = false;
				if (n < 0) {
					ASSERT_EQ(EFAULT, errno);
					continue;
				}
				EXPECT_LT(to, bad);
			}
			ASSERT_GT(n, 0);
			good = check_records(to, n, lens, done);
			ASSERT_GT(good, 0)
				TH_LOG("round %d", round);
			done += good;
		}
	}
}

/* Beyond the end of what a process may have, and nothing at all. */
TEST_F(unmask, wild_address)
{
	struct pair *p = &self->p;
	size_t len = 65537;

	ASSERT_TRUE(message(p, len, 1));
	EXPECT_EQ(-1, recv(p->ws, NULL, len, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, recv(p->ws, (void *)~0xfffUL, len, 0));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, recv(p->ws, (void *)(1UL << (sizeof(long) * 8 - 1)), len,
			   0));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ((ssize_t)len, recv(p->ws, self->room, len, 0));
	EXPECT_TRUE(is_pattern(self->room, len, len));
}

#ifdef __x86_64__
/* The task's own registers are as they were, also after a fault. */
TEST_F(unmask, registers)
{
	unsigned char want[REGISTERS_SIZE], regs[REGISTERS_SIZE];
	struct pair *p = &self->p;
	size_t i, len;

	for (i = 0; i < sizeof(want); i++)
		want[i] = i * 37 + 11;
	for (len = 1000; len <= 128 << 10; len = len * 2 + 3) {
		ASSERT_TRUE(message(p, len, 2));
		ASSERT_EQ(0, mprotect(self->room, self->page, PROT_READ));
		memcpy(regs, want, sizeof(regs));
		EXPECT_EQ(-EFAULT, recv_registers(p->ws, self->room, len, 0,
						  regs));
		EXPECT_EQ(0, memcmp(regs, want, sizeof(regs)));
		ASSERT_EQ(0, mprotect(self->room, self->page,
				      PROT_READ | PROT_WRITE));
		EXPECT_EQ((long)len, recv_registers(p->ws, self->room, ROOM, 0,
						    regs));
		EXPECT_EQ(0, memcmp(regs, want, sizeof(regs)));
		EXPECT_TRUE(is_pattern(self->room, len, len));
	}
}

/* Waits in the call: there the registers are another task's meanwhile. */
TEST_F(unmask, registers_of_a_sleeper)
{
	unsigned char want[REGISTERS_SIZE], regs[REGISTERS_SIZE];
	struct pair *p = &self->p;
	size_t i, round, len = 150000;
	struct sender s;

	for (i = 0; i < sizeof(want); i++)
		want[i] = i * 53 + 7;
	for (round = 0; round < 20; round++) {
		memcpy(regs, want, sizeof(regs));
		ASSERT_TRUE(sender_start(&s, p, BINARY, len));
		EXPECT_EQ((long)len, recv_registers(p->ws, self->room, len,
						    MSG_WAITALL, regs));
		EXPECT_EQ(0, memcmp(regs, want, sizeof(regs)));
		ASSERT_TRUE(sender_join(&s));
		EXPECT_TRUE(is_pattern(self->room, 0, len));
	}
}
#endif

TEST_HARNESS_MAIN
