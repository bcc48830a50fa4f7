// SPDX-License-Identifier: GPL-2.0-only
/*
 * How a stream of records ends, by a Close or by a broken rule: what was before
 * it comes first, also when it comes in the same segment and has not been
 * scanned yet.
 */
#include "kselftest_harness.h"
#include "ws_reader.h"

#include <sys/ioctl.h>

FIXTURE(records_end)
{
	struct pair p;
	unsigned char buf[1 << 17];
};

FIXTURE_VARIANT(records_end)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(records_end, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(records_end, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(records_end)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
	ASSERT_EQ(0, set_flags(self->p.ws, WS_F_RECORDS));
}

FIXTURE_TEARDOWN(records_end)
{
	pair_close(&self->p);
}

#define END	WS_MSG_END
#define MORE	WS_MSG_MORE

/* The Close comes alone, and what was before it can still be answered. */
TEST_F(records_end, close)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	struct ws_msg m;
	int n;

	bytes_frame(&b, p, TEXT, "last", 4);
	bytes_close(&b, p, 4000, "reason");
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(16, read(p->ws, self->buf, 100));
	EXPECT_NE(NULL, record_is(self->buf, WS_OP_TEXT, END | MORE, "last", 4));
	ASSERT_EQ(16, write(p->ws, self->buf, 16));
	EXPECT_TRUE(expect_frame(p, TEXT, "last", 4));
	ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
	EXPECT_EQ(16, n);
	ASSERT_EQ(16, recv(p->ws, self->buf, 100, MSG_PEEK));
	/* Not a byte of the reason fits: it is still there then. */
	ASSERT_EQ(-1, read(p->ws, self->buf, 8));
	EXPECT_EQ(EINVAL, errno);
	ASSERT_EQ(16, read(p->ws, self->buf, 100));
	EXPECT_NE(NULL, record_is(self->buf, WS_OP_CLOSE, END, "reason", 6));
	memcpy(&m, self->buf, sizeof(m));
	EXPECT_EQ(4000, m.code);
	EXPECT_TRUE(expect_close(p, 4000, ""));
	EXPECT_EQ(0, read(p->ws, self->buf, 100));
}

/* A Close that is read in pieces; FIONREAD tells of what is left. */
TEST_F(records_end, close_in_pieces)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	int n;

	bytes_close(&b, p, 4000, "a longer reason");
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
	EXPECT_EQ(24, n);
	ASSERT_EQ(16, read(p->ws, self->buf, 16));
	EXPECT_NE(NULL, record_is(self->buf, WS_OP_CLOSE, 0, "a longer", 8));
	ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
	EXPECT_EQ(16, n);
	ASSERT_EQ(16, read(p->ws, self->buf, 100));
	EXPECT_NE(NULL, record_is(self->buf, WS_OP_CLOSE, END, " reason", 7));
	ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
	EXPECT_EQ(0, n);
	EXPECT_EQ(0, read(p->ws, self->buf, 100));
}

/* Everything before a fault, then the fault, then the end. */
TEST_F(records_end, fault)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_frame(&b, p, TEXT, "good", 4);
	bytes_frame(&b, p, TEXT, "\xc0\xaf", 2);
	bytes_frame(&b, p, TEXT, "never", 5);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(16, read(p->ws, self->buf, 100));
	EXPECT_NE(NULL, record_is(self->buf, WS_OP_TEXT, END | MORE, "good", 4));
	EXPECT_EQ(-1, read(p->ws, self->buf, 100));
	EXPECT_EQ(EILSEQ, errno);
	EXPECT_EQ(0, read(p->ws, self->buf, 100));
	EXPECT_TRUE(expect_close(p, 1007, ""));
}

static int fault_behind(struct pair *p, unsigned char *buf, size_t size,
			struct bytes *b, size_t before)
{
	if (!send_unscanned(p, b) ||
	    recv(p->ws, buf, size, 0) != (ssize_t)before ||
	    msg_at(buf + before - 16).flags != (WS_MSG_END | WS_MSG_MORE))
		return 0;
	return recv(p->ws, buf, size, 0) < 0 ? errno : 0;
}

TEST_F(records_end, too_big)
{
	struct bytes b = { 0 };

	bytes_frame(&b, &self->p, BINARY, "second", 6);
	bytes_frame(&b, &self->p, BINARY, pattern(1, 1001), 1001);
	EXPECT_EQ(EMSGSIZE, fault_behind(&self->p, self->buf,
					 sizeof(self->buf), &b, 32));
	EXPECT_TRUE(expect_close(&self->p, 1009, ""));
}

TEST_F(records_end, not_text)
{
	struct bytes b = { 0 };

	bytes_frame(&b, &self->p, BINARY, "second", 6);
	bytes_frame(&b, &self->p, TEXT, "\xc0\xaf", 2);
	EXPECT_EQ(EILSEQ, fault_behind(&self->p, self->buf,
				       sizeof(self->buf), &b, 32));
	EXPECT_TRUE(expect_close(&self->p, 1007, ""));
}

TEST_F(records_end, reserved_bit)
{
	struct bytes b = { 0 };

	bytes_frame(&b, &self->p, BINARY, "second", 6);
	bytes_frame(&b, &self->p, BINARY | 0x40, "third", 5);
	EXPECT_EQ(EPROTO, fault_behind(&self->p, self->buf,
				       sizeof(self->buf), &b, 32));
	EXPECT_TRUE(expect_close(&self->p, 1002, ""));
}

TEST_F(records_end, close_behind)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_close(&b, p, 4000, "");
	ASSERT_TRUE(send_unscanned(p, &b));
	ASSERT_EQ(16, recv(p->ws, self->buf, sizeof(self->buf), 0));
	EXPECT_EQ(WS_MSG_END | WS_MSG_MORE, msg_at(self->buf).flags);
	ASSERT_EQ(8, recv(p->ws, self->buf, sizeof(self->buf), 0));
	EXPECT_EQ(4000, msg_at(self->buf).code);
	EXPECT_TRUE(expect_close(p, 4000, ""));
}

TEST_HARNESS_MAIN
