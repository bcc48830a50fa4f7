// SPDX-License-Identifier: GPL-2.0-only
/* io_uring's single receives: what a completion says of the socket. */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <liburing.h>

/* The flags of the completion say whether there is more to be read. */
static int receive_once(struct io_uring *ring, int fd, unsigned int *flags)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct __kernel_timespec ts = { .tv_sec = WS_TEST_MS / 1000 };
	struct io_uring_cqe *cqe;
	char buf[64];
	int n;

	io_uring_prep_recv(sqe, fd, buf, sizeof(buf), 0);
	io_uring_submit(ring);
	if (io_uring_wait_cqe_timeout(ring, &cqe, &ts))
		return -ETIME;
	n = cqe->res;
	*flags = cqe->flags;
	io_uring_cqe_seen(ring, cqe);
	return n;
}

/* Messages count, the bytes of one that is not complete do not. */
TEST(more_to_read)
{
	struct io_uring ring;
	struct bytes b = { 0 };
	unsigned int flags = 0;
	struct pair p;

	ASSERT_TRUE(pair_open(&p, AF_INET, WS_ROLE_SERVER));
	ASSERT_EQ(0, io_uring_queue_init(8, &ring, 0));
	bytes_frame(&b, &p, TEXT, "one", 3);
	bytes_frame(&b, &p, TEXT, "", 0);
	bytes_frame(&b, &p, TEXT, "three", 5);
	bytes_frame(&b, &p, F_TEXT, "begun", 5);
	ASSERT_TRUE(raw_send_bytes(&p, &b));
	ASSERT_TRUE(settle(&p));
	EXPECT_EQ(3, receive_once(&ring, p.ws, &flags));
	EXPECT_TRUE(flags & IORING_CQE_F_SOCK_NONEMPTY);
	EXPECT_EQ(0, receive_once(&ring, p.ws, &flags));
	EXPECT_TRUE(flags & IORING_CQE_F_SOCK_NONEMPTY);
	EXPECT_EQ(5, receive_once(&ring, p.ws, &flags));
	EXPECT_FALSE(flags & IORING_CQE_F_SOCK_NONEMPTY);
	bytes_frame(&b, &p, CONT, "", 0);
	bytes_close(&b, &p, 1000, "");
	ASSERT_TRUE(raw_send_bytes(&p, &b));
	ASSERT_TRUE(settle(&p));
	EXPECT_EQ(5, receive_once(&ring, p.ws, &flags));
	/* The Close. */
	EXPECT_TRUE(flags & IORING_CQE_F_SOCK_NONEMPTY);
	io_uring_queue_exit(&ring);
	pair_close(&p);
}

TEST_HARNESS_MAIN
