// SPDX-License-Identifier: GPL-2.0-only
/*
 * io_uring's sends and splices on a ws socket do what the calls do. Sends
 * that do not copy are in ws_zc_uring.c.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <liburing.h>

FIXTURE(uring_send)
{
	struct pair p;
	struct io_uring ring;
};

FIXTURE_SETUP(uring_send)
{
	ASSERT_TRUE(pair_open(&self->p, AF_INET, WS_ROLE_SERVER));
	ASSERT_EQ(0, io_uring_queue_init(8, &self->ring, 0));
}

FIXTURE_TEARDOWN(uring_send)
{
	io_uring_queue_exit(&self->ring);
	pair_close(&self->p);
}

/* Result of the one request that is in the ring. */
static int run(struct io_uring *ring)
{
	struct __kernel_timespec ts = { .tv_sec = WS_TEST_MS / 1000 };
	struct io_uring_cqe *cqe;
	int res;

	io_uring_submit(ring);
	if (io_uring_wait_cqe_timeout(ring, &cqe, &ts))
		return -ETIME;
	res = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return res;
}

TEST_F(uring_send, send)
{
	struct { struct ws_msg m; char data[8]; } r[2] = {
		{ { 3, WS_OP_TEXT, WS_MSG_END, 0 }, "abc" },
		{ { 8, WS_OP_BINARY, WS_MSG_END, 0 }, "12345678" },
	};

	ASSERT_EQ(0, set_flags(self->p.ws, WS_F_RECORDS));
	io_uring_prep_send(io_uring_get_sqe(&self->ring), self->p.ws, r,
			   sizeof(r), 0);
	ASSERT_EQ((int)sizeof(r), run(&self->ring));
	ASSERT_TRUE(expect_frame(&self->p, TEXT, "abc", 3));
	ASSERT_TRUE(expect_frame(&self->p, BINARY, "12345678", 8));
	ASSERT_EQ(0, set_flags(self->p.ws, 0));
	io_uring_prep_send(io_uring_get_sqe(&self->ring), self->p.ws, "xy", 2,
			   0);
	ASSERT_EQ(2, run(&self->ring));
	ASSERT_TRUE(expect_frame(&self->p, BINARY, "xy", 2));
}

TEST_F(uring_send, sendmsg)
{
	char control[CMSG_SPACE(sizeof(struct ws_msg))] = "";
	struct ws_msg m = { .opcode = WS_OP_TEXT };
	struct iovec iov = { "text", 4 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

	cm->cmsg_level = SOL_WS;
	cm->cmsg_type = WS_MSG;
	cm->cmsg_len = CMSG_LEN(sizeof(m));
	memcpy(CMSG_DATA(cm), &m, sizeof(m));
	io_uring_prep_sendmsg(io_uring_get_sqe(&self->ring), self->p.ws, &msg,
			      0);
	ASSERT_EQ(4, run(&self->ring));
	ASSERT_TRUE(expect_frame(&self->p, TEXT, "text", 4));
}

/* Through a pipe, into the socket and out of it. */
TEST_F(uring_send, splice)
{
	char buf[16];
	int ends[2];

	ASSERT_EQ(0, pipe(ends));
	ASSERT_EQ(5, write(ends[1], "piped", 5));
	io_uring_prep_splice(io_uring_get_sqe(&self->ring), ends[0], -1,
			     self->p.ws, -1, 5, 0);
	ASSERT_EQ(5, run(&self->ring));
	ASSERT_TRUE(raw_frame(&self->p, TEXT, "reply", 5));
	io_uring_prep_splice(io_uring_get_sqe(&self->ring), self->p.ws, -1,
			     ends[1], -1, 16, 0);
	ASSERT_EQ(5, run(&self->ring));
	ASSERT_EQ(5, read(ends[0], buf, sizeof(buf)));
	EXPECT_EQ(0, memcmp(buf, "reply", 5));
	close(ends[0]);
	close(ends[1]);
}

/* More than the socket has room for: io_uring goes on until all is out. */
TEST_F(uring_send, large)
{
	size_t len = 4 << 20, record = WS_RECORD_SIZE(len);
	char *data = calloc(1, record);
	struct ws_msg m = { len, WS_OP_BINARY, WS_MSG_END, 0 };
	struct io_uring_sqe *sqe;
	uint64_t got = 0;
	bool last = false;

	ASSERT_NE(NULL, data);
	ASSERT_EQ(0, set_flags(self->p.ws, WS_F_RECORDS));
	memcpy(data, &m, sizeof(m));
	memset(data + sizeof(m), 'x', len);
	sqe = io_uring_get_sqe(&self->ring);
	io_uring_prep_send(sqe, self->p.ws, data, record, MSG_WAITALL);
	io_uring_submit(&self->ring);
	while (!last) {
		struct frame f = { 0 };

		ASSERT_TRUE(read_frame(&self->p, &f));
		last = f.first & FIN;
		got += f.len;
		free(f.data);
	}
	EXPECT_EQ(len, got);
	EXPECT_EQ((int)record, run(&self->ring));
	free(data);
}

TEST_HARNESS_MAIN
