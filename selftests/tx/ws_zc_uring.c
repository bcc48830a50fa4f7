// SPDX-License-Identifier: GPL-2.0-only
/* io_uring's sends that do not copy: SEND_ZC, by address and from buffers. */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <linux/io_uring.h>

#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT	25
#endif

#define ENTRIES	32

/* As much of a ring as a test needs that does one thing after the other. */
struct ring {
	int fd;
	char *map;
	size_t map_len;
	struct io_uring_sqe *sqes;
	struct io_uring_params par;
};

static bool ring_open(struct ring *r)
{
	size_t cq;

	memset(r, 0, sizeof(*r));
	r->fd = syscall(__NR_io_uring_setup, ENTRIES, &r->par);
	if (r->fd < 0)
		return complain("io_uring_setup: %s", strerror(errno));
	r->map_len = r->par.sq_off.array + ENTRIES * sizeof(__u32);
	cq = r->par.cq_off.cqes +
	     r->par.cq_entries * sizeof(struct io_uring_cqe);
	if (cq > r->map_len)
		r->map_len = cq;
	r->map = mmap(NULL, r->map_len, PROT_READ | PROT_WRITE, MAP_SHARED,
		      r->fd, IORING_OFF_SQ_RING);
	r->sqes = mmap(NULL, ENTRIES * sizeof(*r->sqes),
		       PROT_READ | PROT_WRITE, MAP_SHARED, r->fd,
		       IORING_OFF_SQES);
	if (r->map == MAP_FAILED || r->sqes == MAP_FAILED)
		return complain("mmap: %s", strerror(errno));
	return true;
}

static void ring_close(struct ring *r)
{
	munmap(r->map, r->map_len);
	munmap(r->sqes, ENTRIES * sizeof(*r->sqes));
	close(r->fd);
}

static __u32 *ring_at(struct ring *r, __u32 off)
{
	return (__u32 *)(r->map + off);
}

static bool ring_submit(struct ring *r, const struct io_uring_sqe *sqe)
{
	__u32 tail = *ring_at(r, r->par.sq_off.tail);
	__u32 at = tail & (ENTRIES - 1);

	r->sqes[at] = *sqe;
	ring_at(r, r->par.sq_off.array)[at] = at;
	__atomic_store_n(ring_at(r, r->par.sq_off.tail), tail + 1,
			 __ATOMIC_RELEASE);
	return syscall(__NR_io_uring_enter, r->fd, 1, 0, 0, NULL, 0) == 1 ||
	       complain("io_uring_enter: %s", strerror(errno));
}

/* The next completion, or false after WS_TEST_MS. */
static bool ring_next(struct ring *r, struct io_uring_cqe *cqe)
{
	uint64_t end = now_ms() + WS_TEST_MS;
	__u32 *head = ring_at(r, r->par.cq_off.head);

	for (;;) {
		__u32 tail = __atomic_load_n(ring_at(r, r->par.cq_off.tail),
					     __ATOMIC_ACQUIRE);

		if (*head != tail)
			break;
		if (now_ms() > end)
			return complain("no completion");
		syscall(__NR_io_uring_enter, r->fd, 0, 0,
			IORING_ENTER_GETEVENTS, NULL, 0);
		usleep(1000);
	}
	*cqe = ((struct io_uring_cqe *)(r->map + r->par.cq_off.cqes))
		[*head & (r->par.cq_entries - 1)];
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return true;
}

struct user {
	struct pair p;
	struct ring r;
	char *buf;
};

FIXTURE(uring)
{
	struct user u;
};

FIXTURE_VARIANT(uring)
{
	__u32 role;
	bool fixed;
};

FIXTURE_VARIANT_ADD(uring, server)
{
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(uring, server_fixed)
{
	.role = WS_ROLE_SERVER,
	.fixed = true,
};

FIXTURE_VARIANT_ADD(uring, client)
{
	.role = WS_ROLE_CLIENT,
};

FIXTURE_VARIANT_ADD(uring, client_fixed)
{
	.role = WS_ROLE_CLIENT,
	.fixed = true,
};

FIXTURE_SETUP(uring)
{
	struct iovec iov = { .iov_len = PATTERN_MAX };

	ASSERT_TRUE(pair_open_rcvbuf(&self->u.p, AF_INET, variant->role, 0,
				     20000, 0));
	ASSERT_TRUE(ring_open(&self->u.r));
	self->u.buf = mmap(NULL, PATTERN_MAX, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->u.buf);
	memcpy(self->u.buf, pattern(0, PATTERN_MAX), PATTERN_MAX);
	iov.iov_base = self->u.buf;
	ASSERT_EQ(0, syscall(__NR_io_uring_register, self->u.r.fd,
			     IORING_REGISTER_BUFFERS, &iov, 1));
}

FIXTURE_TEARDOWN(uring)
{
	ring_close(&self->u.r);
	munmap(self->u.buf, PATTERN_MAX);
	pair_close(&self->u.p);
}

static bool send_zc(struct user *u, bool fixed, size_t off,
		    size_t len, int flags)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_SEND_ZC,
		.fd = u->p.ws,
		.addr = (uintptr_t)u->buf + off,
		.len = len,
		.msg_flags = flags,
		.ioprio = fixed ? IORING_RECVSEND_FIXED_BUF : 0,
	};

	return ring_submit(&u->r, &sqe);
}

/* The result first, then word that the buffer is free. */
TEST_F(uring, send_zc)
{
	static const size_t sizes[] = { 1, 1000, 4096, 65536, 300000, 700000 };
	long long before = ws_stat("WsTxReferenced");
	struct io_uring_cqe cqe;
	size_t i, sum = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct drain d = {
			.p = &self->u.p, .from = i * 777, .len = sizes[i],
		};

		ASSERT_EQ(0, pthread_create(&d.thread, NULL, drain_message, &d));
		ASSERT_TRUE(send_zc(&self->u, variant->fixed, d.from, d.len,
				    MSG_WAITALL));
		ASSERT_TRUE(ring_next(&self->u.r, &cqe));
		EXPECT_EQ((int)sizes[i], cqe.res);
		ASSERT_EQ(IORING_CQE_F_MORE, cqe.flags & IORING_CQE_F_MORE);
		ASSERT_TRUE(ring_next(&self->u.r, &cqe));
		EXPECT_EQ(IORING_CQE_F_NOTIF, cqe.flags);
		ASSERT_EQ(0, pthread_join(d.thread, NULL));
		EXPECT_TRUE(d.ok);
		sum += sizes[i];
	}
	EXPECT_EQ((long long)(variant->role == WS_ROLE_SERVER ? sum : 0),
		  ws_stat("WsTxReferenced") - before);
}

/*
 * Sends until there is no room; how many buffers are not free yet. With the
 * low mark TCP takes only a part of the last frame.
 */
static int fill(struct user *u, bool fixed, size_t *bytes)
{
	int calls = 0, busy = 0, lowat = 10000;
	struct io_uring_cqe cqe;

	setsockopt(u->p.ws, SOL_TCP, TCP_NOTSENT_LOWAT, &lowat, 4);
	for (*bytes = 0; calls < 8; calls++) {
		if (!send_zc(u, fixed, *bytes, 100000,
			     MSG_DONTWAIT | MSG_MORE))
			return -1;
		busy++;
		do {
			if (!ring_next(&u->r, &cqe))
				return -1;
			if (cqe.flags & IORING_CQE_F_NOTIF)
				busy--;
		} while (cqe.flags & IORING_CQE_F_NOTIF);
		if (!(cqe.flags & IORING_CQE_F_MORE))
			busy--;
		if (cqe.res <= 0)
			break;
		*bytes += cqe.res;
	}
	return busy;
}

static bool all_free(struct user *u, int busy)
{
	struct io_uring_cqe cqe;

	for (; busy; busy--) {
		if (!ring_next(&u->r, &cqe))
			return false;
		if (!(cqe.flags & IORING_CQE_F_NOTIF))
			return complain("no notification: %d", cqe.res);
	}
	return true;
}

/* The peer resets: all buffers come back although nobody sends or closes. */
TEST_F(uring, reset)
{
	struct pair *p = &self->u.p;
	size_t bytes;
	int busy;

	busy = fill(&self->u, variant->fixed, &bytes);
	ASSERT_LE(0, busy);
	if (variant->role == WS_ROLE_SERVER)
		EXPECT_LT(0, busy);
	/* What the call set going is over; see zc.reset. */
	usleep(test_patience(200000));
	close_reset(&p->raw);
	EXPECT_TRUE(all_free(&self->u, busy));
}

/* close(): what was sent arrives, and then the buffers come back. */
TEST_F(uring, close)
{
	struct pair *p = &self->u.p;
	size_t bytes, at = 0;
	struct frame f;
	int busy;

	busy = fill(&self->u, variant->fixed, &bytes);
	ASSERT_LE(0, busy);
	ASSERT_EQ(0, close(p->ws));
	p->ws = -1;
	while (at < bytes) {
		ASSERT_TRUE(read_frame(p, &f));
		ASSERT_TRUE(is_pattern(f.data, at, f.len));
		at += f.len;
		free(f.data);
	}
	EXPECT_EQ(bytes, at);
	EXPECT_TRUE(expect_close(p, 1001, ""));
	EXPECT_TRUE(all_free(&self->u, busy));
}

TEST_HARNESS_MAIN
