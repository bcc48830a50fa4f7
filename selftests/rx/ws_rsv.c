// SPDX-License-Identifier: GPL-2.0-only
/*
 * The first reserved bit, which permessage-deflate uses (RFC 7692 section 6):
 * passed on when WS_CONFIG allows it, a broken rule otherwise.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#define RSV1	0x40
#define RSV2	0x20

FIXTURE(rsv)
{
	struct pair p;
};

FIXTURE_VARIANT(rsv)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(rsv, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(rsv, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(rsv)
{
	struct ws_config cfg = {
		.role = variant->role,
		.rsv = WS_RSV1,
	};

	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
	ASSERT_EQ(0, ws_set(self->p.ws, WS_CONFIG, &cfg, sizeof(cfg)));
}

FIXTURE_TEARDOWN(rsv)
{
	pair_close(&self->p);
}

static ssize_t send_flags(int fd, int opcode, int msg_flags, const void *data,
			  size_t len, int flags)
{
	struct ws_msg m = { .opcode = opcode, .flags = msg_flags };
	char control[CMSG_SPACE(sizeof(m))] = { 0 };
	struct iovec iov = { (void *)data, len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	cmsg->cmsg_level = SOL_WS;
	cmsg->cmsg_type = WS_MSG;
	cmsg->cmsg_len = CMSG_LEN(sizeof(m));
	memcpy(CMSG_DATA(cmsg), &m, sizeof(m));
	n = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

/* What is compressed is not text yet: any bytes will do. */
TEST_F(rsv, received)
{
	struct pair *p = &self->p;
	char buf[16];
	struct got got;

	EXPECT_EQ(WS_RSV1, ws_get_config(p->ws).rsv);
	ASSERT_TRUE(raw_frame(p, TEXT | RSV1, "\xff\xfe\x80", 3));
	ASSERT_TRUE(raw_frame(p, TEXT, "plain", 5));
	ASSERT_TRUE(raw_frame(p, BINARY | RSV1, "", 0));
	got = ws_recv(p->ws, buf, sizeof(buf), 0);
	EXPECT_EQ(3, got.n);
	EXPECT_EQ(WS_OP_TEXT, got.m.opcode);
	EXPECT_EQ(WS_MSG_END | WS_MSG_RSV1, got.m.flags);
	got = ws_recv(p->ws, buf, sizeof(buf), 0);
	EXPECT_EQ(5, got.n);
	EXPECT_EQ(WS_MSG_END, got.m.flags);
	got = ws_recv(p->ws, buf, sizeof(buf), 0);
	EXPECT_EQ(0, got.n);
	EXPECT_EQ(WS_OP_BINARY, got.m.opcode);
	EXPECT_EQ(WS_MSG_END | WS_MSG_RSV1, got.m.flags);
}

/* The bit is on the first frame; every piece of the message tells of it. */
TEST_F(rsv, received_in_fragments_and_pieces)
{
	struct pair *p = &self->p;
	char buf[4];
	struct got got;

	ASSERT_TRUE(raw_frame(p, F_TEXT | RSV1, "\xff\xff\xff", 3));
	ASSERT_TRUE(raw_frame(p, PING, "", 0));
	ASSERT_TRUE(raw_frame(p, CONT, "\xff\xff\xff", 3));
	got = ws_recv(p->ws, buf, sizeof(buf), MSG_PEEK);
	EXPECT_EQ(WS_MSG_RSV1, got.m.flags);
	got = ws_recv(p->ws, buf, sizeof(buf), 0);
	EXPECT_EQ(4, got.n);
	EXPECT_EQ(WS_MSG_RSV1, got.m.flags);
	got = ws_recv(p->ws, buf, sizeof(buf), 0);
	EXPECT_EQ(2, got.n);
	EXPECT_EQ(WS_MSG_END | WS_MSG_RSV1, got.m.flags);
}

TEST_F(rsv, elsewhere_is_refused)
{
	static const int first[] = {
		TEXT | RSV2, TEXT | RSV1 | RSV2, BINARY | 0x10,
		PING | RSV1, PONG | RSV1, CLOSE | RSV1, CONT | RSV1,
	};
	struct ws_config cfg = { .role = variant->role, .rsv = WS_RSV1 };
	long long errors = ws_stat("WsErrRsv");
	struct ws_info info;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(first); i++) {
		struct pair p;

		ASSERT_TRUE(pair_open(&p, variant->family, variant->role));
		ASSERT_EQ(0, ws_set(p.ws, WS_CONFIG, &cfg, sizeof(cfg)));
		if (first[i] == (CONT | RSV1))
			ASSERT_TRUE(raw_frame(&p, F_TEXT | RSV1, "x", 1));
		ASSERT_TRUE(raw_frame(&p, first[i], "", 0));
		EXPECT_TRUE(expect_error(p.ws, EPROTO)) {
			TH_LOG("first byte 0x%x", first[i]);
		}
		EXPECT_TRUE(expect_close(&p, 1002, ""));
		info = ws_get_info(p.ws);
		EXPECT_EQ(WS_RULE_RSV, info.rule);
		pair_close(&p);
	}
	EXPECT_EQ(errors + (long long)ARRAY_SIZE(first), ws_stat("WsErrRsv"));
}

/* The setting counts when the frame comes. */
TEST_F(rsv, not_allowed)
{
	struct ws_config cfg = { .role = variant->role };
	struct pair *p = &self->p;

	ASSERT_EQ(0, ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)));
	ASSERT_TRUE(raw_frame(p, TEXT, "before", 6));
	ASSERT_TRUE(raw_frame(p, TEXT | RSV1, "x", 1));
	EXPECT_TRUE(expect_text(p->ws, "before"));
	EXPECT_EQ(-EINVAL, send_flags(p->ws, WS_OP_TEXT, WS_MSG_RSV1, "x", 1,
				      0));
	EXPECT_TRUE(expect_error(p->ws, EPROTO));
	EXPECT_TRUE(expect_close(p, 1002, ""));
}

TEST_F(rsv, sent)
{
	struct pair *p = &self->p;

	EXPECT_EQ(1, send_flags(p->ws, WS_OP_TEXT, WS_MSG_RSV1, "a", 1, 0));
	EXPECT_TRUE(expect_frame(p, TEXT | RSV1, "a", 1));
	EXPECT_EQ(1, send_flags(p->ws, WS_OP_TEXT, WS_MSG_END, "b", 1, 0));
	EXPECT_TRUE(expect_frame(p, TEXT, "b", 1));
	EXPECT_EQ(0, send_flags(p->ws, 0, WS_MSG_RSV1, "", 0, 0));
	EXPECT_TRUE(expect_frame(p, BINARY | RSV1, "", 0));
	/* Only the first frame says so, whatever the others' calls say. */
	EXPECT_EQ(1, send_flags(p->ws, WS_OP_TEXT, WS_MSG_RSV1, "c", 1,
				MSG_MORE));
	EXPECT_EQ(1, send_flags(p->ws, WS_OP_TEXT, WS_MSG_RSV1, "d", 1,
				MSG_MORE));
	EXPECT_EQ(1, send_flags(p->ws, 0, 0, "e", 1, 0));
	EXPECT_TRUE(expect_frame(p, F_TEXT | RSV1, "c", 1));
	EXPECT_TRUE(expect_frame(p, F_CONT, "d", 1));
	EXPECT_TRUE(expect_frame(p, CONT, "e", 1));
}

TEST_F(rsv, send_errors)
{
	struct pair *p = &self->p;

	EXPECT_EQ(-EINVAL, send_flags(p->ws, WS_OP_PING, WS_MSG_RSV1, "", 0,
				      0));
	EXPECT_EQ(-EINVAL, send_flags(p->ws, WS_OP_CLOSE, WS_MSG_RSV1, "", 0,
				      0));
	/* A bit that may mean something to a later kernel. */
	EXPECT_EQ(-EINVAL, send_flags(p->ws, WS_OP_TEXT, 0x80, "", 0, 0));
	/* A message that began without the bit cannot get it. */
	EXPECT_EQ(1, send_flags(p->ws, WS_OP_TEXT, 0, "a", 1, MSG_MORE));
	EXPECT_EQ(-EINVAL, send_flags(p->ws, WS_OP_TEXT, WS_MSG_RSV1, "b", 1,
				      0));
	EXPECT_EQ(1, send_flags(p->ws, WS_OP_TEXT, 0, "b", 1, 0));
	EXPECT_TRUE(expect_frame(p, F_TEXT, "a", 1));
	EXPECT_TRUE(expect_frame(p, CONT, "b", 1));
}

TEST_HARNESS_MAIN
