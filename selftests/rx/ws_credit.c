// SPDX-License-Identifier: GPL-2.0-only
/*
 * How much of an incomplete message waits for the rest: 64 KiB, or half of what
 * has been read of this connection. One byte more, and it comes in pieces. Not
 * with kTLS, where what is read ahead is bounded otherwise.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#define LEAST		65536
#define ANNOUNCED	1000000

FIXTURE(credit)
{
	struct pair p;
};

FIXTURE_VARIANT(credit)
{
	__u32 role;
	size_t fragment;	/* length of the frames that it comes in */
};

FIXTURE_VARIANT_ADD(credit, server) { WS_ROLE_SERVER, ANNOUNCED };
FIXTURE_VARIANT_ADD(credit, client) { WS_ROLE_CLIENT, ANNOUNCED };
FIXTURE_VARIANT_ADD(credit, fragments) { WS_ROLE_SERVER, 65000 };

FIXTURE_SETUP(credit)
{
	ASSERT_TRUE(pair_open(&self->p, AF_INET, variant->role));
	ASSERT_EQ(0, poll_now(self->p.ws, POLLIN));
}

FIXTURE_TEARDOWN(credit)
{
	pair_close(&self->p);
}

/* Payload @from to @to of a message that goes on; a mask of zeros. */
static bool send_part(struct pair *p, size_t fragment, size_t from, size_t to)
{
	unsigned char head[14], key[4] = { 0 };

	while (from < to) {
		size_t n = fragment - from % fragment;

		if (from % fragment == 0 &&
		    !raw_send(p, head,
			      frame_header(head, from ? F_CONT : F_BINARY,
					   fragment, p->role == WS_ROLE_SERVER ?
					   key : NULL)))
			return false;
		n = n < to - from ? n : to - from;
		if (!raw_send(p, pattern(from, n), n))
			return false;
		from += n;
	}
	return settle(p);
}

/* Nothing of it can be read, and poll() says so. */
static bool waits(struct pair *p)
{
	char byte;
	ssize_t n;

	if (poll_now(p->ws, POLLIN))
		return complain("poll() says that there is something");
	n = ws_recv(p->ws, &byte, 1, MSG_DONTWAIT).n;
	return n == -EAGAIN || complain("%zd", n);
}

/* All that is there can be read, and it is not the end of the message. */
static bool is_given(struct pair *p, size_t len)
{
	static char buf[ANNOUNCED];
	struct got got;

	if (poll_for(p->ws, POLLIN, WS_TEST_MS) != POLLIN)
		return complain("poll() does not tell of it");
	got = ws_recv(p->ws, buf, sizeof(buf), MSG_DONTWAIT);
	if (got.n != (ssize_t)len || got.flags || got.m.flags ||
	    !is_pattern(buf, 0, len))
		return complain("%zd of %zu, flags %x", got.n, len, got.flags);
	return true;
}

/* Exactly as much as may wait, then a byte. */
static bool at_the_bound(struct pair *p, size_t fragment, size_t most)
{
	return send_part(p, fragment, 0, most - 1) && waits(p) &&
	       send_part(p, fragment, most - 1, most) && waits(p) &&
	       send_part(p, fragment, most, most + 1) &&
	       is_given(p, most + 1);
}

/* What any connection may have. */
TEST_F(credit, least)
{
	EXPECT_TRUE(at_the_bound(&self->p, variant->fragment, LEAST));
}

/* What has been read counts, half of it; and what has not does not. */
TEST_F(credit, half_of_what_was_read)
{
	struct pair *p = &self->p;
	int i;

	for (i = 0; i < 9; i++) {
		ASSERT_TRUE(raw_frame(p, BINARY, pattern(i, 30001), 30001));
		ASSERT_TRUE(expect_message(p->ws, WS_OP_BINARY,
					   pattern(i, 30001), 30001));
	}
	EXPECT_TRUE(at_the_bound(p, variant->fragment, 9 * 30001 / 2));
}

/* Little that was read takes nothing away. */
TEST_F(credit, little_was_read)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(pass_message(p, 60000));
	EXPECT_TRUE(at_the_bound(p, variant->fragment, LEAST));
}

/* A program that has chosen a size for its receive buffer has it used. */
TEST_F(credit, chosen_buffer)
{
	struct pair p;

	ASSERT_TRUE(pair_open_rcvbuf(&p, AF_INET, variant->role, 200000, 0, 0));
	ASSERT_EQ(0, poll_now(p.ws, POLLIN));
	ASSERT_TRUE(send_part(&p, variant->fragment, 0, LEAST + 10000));
	EXPECT_TRUE(waits(&p));
	pair_close(&p);
}

TEST_HARNESS_MAIN
