// SPDX-License-Identifier: GPL-2.0-only
/*
 * WS_F_CLOSE and a fault: reading the errno does not send the Close. Replies to
 * the messages before the fault still go out, and the Close with the code of
 * the rule follows when the program ends the connection.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#define MANY	200

FIXTURE(replies)
{
	struct pair p;
};

FIXTURE_VARIANT(replies)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(replies, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(replies, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

/* An attached pair with WS_F_CLOSE and more of @cfg. */
static bool open_with(struct pair *p, int family, __u32 role,
		      struct ws_config cfg)
{
	cfg.role = role;
	cfg.flags |= WS_F_CLOSE;
	return pair_open(p, family, role) &&
	       (!ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)) ||
		complain("WS_CONFIG: %s", strerror(errno)));
}

FIXTURE_SETUP(replies)
{
	ASSERT_TRUE(open_with(&self->p, variant->family, variant->role,
			      (struct ws_config){ .max_message = 1000 }));
}

FIXTURE_TEARDOWN(replies)
{
	pair_close(&self->p);
}

/* A question and a bad frame in one segment; both are read. */
static bool read_fault(struct pair *p, int first, const void *data, size_t len,
		       int err)
{
	struct bytes b = { 0 };
	bool ok;

	bytes_frame(&b, p, TEXT, "question", 8);
	bytes_frame(&b, p, first, data, len);
	ok = raw_send_bytes(p, &b) && settle(p) &&
		expect_text(p->ws, "question") && expect_error(p->ws, err) &&
		expect_eof(p->ws) && expect_silence(p);
	bytes_free(&b);
	return ok;
}

static bool reply(struct pair *p)
{
	ssize_t n = ws_send(p->ws, WS_OP_TEXT, "answer", 6, 0);

	if (n != 6)
		return complain("the reply: %zd", n);
	return expect_frame(p, TEXT, "answer", 6) && expect_silence(p);
}

static bool close_ws(struct pair *p)
{
	int fd = p->ws;

	p->ws = -1;
	return !close(fd);
}

/* To the byte, as a server. */
TEST(wire)
{
	static const unsigned char in[] = {
		0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d,
		0x7f, 0x9f, 0x4d, 0x51, 0x58,
		0x83, 0x80, 0x12, 0x34, 0x56, 0x78,
	};
	static const unsigned char out[] = {
		0x81, 0x05, 0x48, 0x65, 0x6c, 0x6c, 0x6f,
		0x88, 0x02, 0x03, 0xea,
	};
	unsigned char got[sizeof(out)];
	struct pair p;

	ASSERT_TRUE(open_with(&p, AF_INET, WS_ROLE_SERVER,
			      (struct ws_config){ 0 }));
	ASSERT_TRUE(raw_send(&p, in, sizeof(in)));
	ASSERT_TRUE(settle(&p));
	ASSERT_TRUE(expect_text(p.ws, "Hello"));
	ASSERT_TRUE(expect_error(p.ws, EPROTO));
	ASSERT_EQ(5, ws_send(p.ws, WS_OP_TEXT, "Hello", 5, 0));
	ASSERT_TRUE(close_ws(&p));
	ASSERT_EQ(7, recv(p.raw, got, 7, MSG_WAITALL));
	ASSERT_EQ(4, recv(p.raw, got + 7, 4, MSG_WAITALL));
	EXPECT_EQ(0, memcmp(got, out, sizeof(out)));
	EXPECT_TRUE(expect_fin(&p));
	pair_close(&p);
}

/* What WS_INFO and poll() say between the fault and the Close. */
TEST_F(replies, state)
{
	struct pair *p = &self->p;
	struct ws_info info;

	ASSERT_TRUE(read_fault(p, FIN | 3, "", 0, EPROTO));
	info = ws_get_info(p->ws);
	EXPECT_EQ(WS_STATE_FAILED, info.state);
	EXPECT_EQ(WS_RULE_OPCODE, info.rule);
	EXPECT_EQ(0, info.close_sent);
	EXPECT_TRUE(poll_now(p->ws, POLLOUT) & POLLOUT);
	ASSERT_TRUE(reply(p));
	ASSERT_EQ(0, shutdown(p->ws, SHUT_WR));
	EXPECT_EQ(1002, ws_get_info(p->ws).close_sent);
	EXPECT_EQ(WS_STATE_FAILED | WS_STATE_CLOSE_SENT,
		  ws_get_info(p->ws).state);
}

TEST_F(replies, then_shutdown)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(read_fault(p, FIN | 3, "", 0, EPROTO));
	ASSERT_TRUE(reply(p));
	ASSERT_EQ(0, shutdown(p->ws, SHUT_WR));
	EXPECT_TRUE(expect_close(p, 1002, ""));
	EXPECT_TRUE(expect_fin(p));
	EXPECT_EQ(-EPIPE, ws_send(p->ws, WS_OP_TEXT, "a", 1, 0));
	EXPECT_TRUE(expect_eof(p->ws));
}

TEST_F(replies, then_shutdown_of_both)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(read_fault(p, TEXT, "ab\xffyz", 5, EILSEQ));
	ASSERT_TRUE(reply(p));
	ASSERT_EQ(0, shutdown(p->ws, SHUT_RDWR));
	EXPECT_TRUE(expect_close(p, 1007, ""));
	EXPECT_TRUE(expect_fin(p));
}

TEST_F(replies, then_close)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(read_fault(p, BINARY, pattern(0, 1001), 1001, EMSGSIZE));
	ASSERT_TRUE(reply(p));
	ASSERT_TRUE(close_ws(p));
	EXPECT_TRUE(expect_close(p, 1009, ""));
	EXPECT_TRUE(expect_fin(p));
}

/* A reply in fragments may still be open then. */
TEST_F(replies, then_close_inside_a_message)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(read_fault(p, FIN | 3, "", 0, EPROTO));
	ASSERT_EQ(3, ws_send(p->ws, WS_OP_TEXT, "ans", 3, MSG_MORE));
	ASSERT_TRUE(close_ws(p));
	EXPECT_TRUE(expect_frame(p, F_TEXT, "ans", 3));
	EXPECT_TRUE(expect_close(p, 1002, ""));
	EXPECT_TRUE(expect_fin(p));
}

/* The program's own Close has the code that the program gives it. */
TEST_F(replies, then_a_close_of_its_own)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(read_fault(p, FIN | 3, "", 0, EPROTO));
	ASSERT_TRUE(reply(p));
	ASSERT_EQ(3, ws_send_close(p->ws, 4000, "why"));
	EXPECT_TRUE(expect_close(p, 4000, "why"));
	EXPECT_TRUE(expect_fin(p));
	EXPECT_EQ(-EPIPE, ws_send(p->ws, WS_OP_TEXT, "a", 1, 0));
	EXPECT_EQ(0, shutdown(p->ws, SHUT_WR));
}

/* A Close of ours before the fault stays the only one. */
TEST_F(replies, after_our_close)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, ws_send_close(p->ws, 1000, ""));
	ASSERT_TRUE(raw_frame(p, FIN | 3, "", 0));
	EXPECT_TRUE(expect_error(p->ws, EPROTO));
	ASSERT_TRUE(close_ws(p));
	EXPECT_TRUE(expect_close(p, 1000, ""));
	EXPECT_TRUE(expect_fin(p));
}

/* A rule that no Close goes out for: FIN behind the replies. */
TEST_F(replies, truncated)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_frame(&b, p, TEXT, "question", 8);
	bytes_frame(&b, p, TEXT, "half", 4);
	ASSERT_TRUE(raw_send(p, b.p, b.n - 2));
	bytes_free(&b);
	ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	ASSERT_TRUE(expect_text(p->ws, "question"));
	ASSERT_TRUE(expect_error(p->ws, EPROTO));
	ASSERT_TRUE(expect_silence(p));
	ASSERT_TRUE(reply(p));
	ASSERT_EQ(0, shutdown(p->ws, SHUT_WR));
	EXPECT_TRUE(expect_fin(p));
	EXPECT_EQ(0, ws_get_info(p->ws).close_sent);
}

TEST_F_TIMEOUT(replies, assembly_timeout, 60)
{
	struct pair p;

	ASSERT_TRUE(open_with(&p, variant->family, variant->role,
			      (struct ws_config){ .assembly_timeout = 300 }));
	ASSERT_TRUE(raw_frame(&p, TEXT, "question", 8));
	ASSERT_TRUE(raw_send(&p, "\x81", 1));
	ASSERT_TRUE(expect_text(p.ws, "question"));
	ASSERT_TRUE(expect_error(p.ws, ETIMEDOUT));
	ASSERT_TRUE(expect_silence(&p));
	ASSERT_TRUE(reply(&p));
	ASSERT_TRUE(close_ws(&p));
	EXPECT_TRUE(expect_close(&p, 1008, ""));
	EXPECT_TRUE(expect_fin(&p));
	pair_close(&p);
}

/*
 * The limits on time are not in force between the fault and the Close: neither
 * for the program, which may be slow, nor for a peer that says no more.
 */
TEST_F_TIMEOUT(replies, no_limit_of_time, 60)
{
	struct pair p;

	ASSERT_TRUE(open_with(&p, variant->family, variant->role,
			      (struct ws_config){ .ping_interval = 100,
						  .ping_timeout = 100,
						  .close_timeout = 100 }));
	ASSERT_TRUE(raw_frame(&p, FIN | 3, "", 0));
	ASSERT_TRUE(expect_error(p.ws, EPROTO));
	usleep(800000);
	ASSERT_TRUE(reply(&p));
	ASSERT_TRUE(close_ws(&p));
	EXPECT_TRUE(expect_close(&p, 1002, ""));
	EXPECT_TRUE(expect_fin(&p));
	pair_close(&p);
}

/* What still comes is thrown away, and does not close the window. */
TEST_F_TIMEOUT(replies, much_after_the_fault, 60)
{
	struct pair *p = &self->p;
	struct sender s;

	ASSERT_TRUE(read_fault(p, FIN | 3, "", 0, EPROTO));
	ASSERT_TRUE(sender_start(&s, p, BINARY, 4 << 20));
	EXPECT_TRUE(sender_join(&s));
	ASSERT_TRUE(reply(p));
	ASSERT_TRUE(close_ws(p));
	EXPECT_TRUE(expect_close(p, 1002, ""));
}

/* Records: all that was read goes back as it is after the fault was read. */
TEST_F(replies, records)
{
	static char buf[(MANY + 1) * WS_RECORD_SIZE(8)];
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	struct ws_config cfg;
	char text[9];
	size_t at = 0;
	ssize_t n;
	int i;

	cfg = ws_get_config(p->ws);
	cfg.flags |= WS_F_RECORDS;
	ASSERT_EQ(0, ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)));
	for (i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "%08d", i);
		bytes_frame(&b, p, TEXT, text, 8);
	}
	bytes_frame(&b, p, FIN | 3, "", 0);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	while ((n = recv(p->ws, buf + at, sizeof(buf) - at, 0)) > 0)
		at += n;
	EXPECT_EQ(-1, n);
	EXPECT_EQ(EPROTO, errno);
	ASSERT_EQ(MANY * WS_RECORD_SIZE(8), at);
	ASSERT_EQ(at, send(p->ws, buf, at, MSG_NOSIGNAL));
	ASSERT_TRUE(close_ws(p));
	for (i = 0; i < MANY; i++) {
		snprintf(text, sizeof(text), "%08d", i);
		ASSERT_TRUE(expect_frame(p, TEXT, text, 8));
	}
	EXPECT_TRUE(expect_close(p, 1002, ""));
	EXPECT_TRUE(expect_fin(p));
	bytes_free(&b);
}

/* Not read yet, with the flag or without: shutdown() sends the same code. */
TEST_F(replies, shutdown_before_the_fault_is_read)
{
	struct pair *p = &self->p, q;

	ASSERT_TRUE(pair_open(&q, variant->family, variant->role));
	ASSERT_TRUE(raw_frame(p, TEXT, "ab\xffyz", 5));
	ASSERT_TRUE(raw_frame(&q, TEXT, "ab\xffyz", 5));
	ASSERT_TRUE(settle(p) && settle(&q));
	ASSERT_EQ(0, shutdown(p->ws, SHUT_WR));
	ASSERT_EQ(0, shutdown(q.ws, SHUT_WR));
	EXPECT_TRUE(expect_close(p, 1007, ""));
	EXPECT_TRUE(expect_close(&q, 1007, ""));
	EXPECT_TRUE(expect_error(p->ws, EILSEQ));
	EXPECT_TRUE(expect_error(q.ws, EILSEQ));
	EXPECT_TRUE(expect_fin(p));
	EXPECT_TRUE(expect_fin(&q));
	pair_close(&q);
}

TEST_HARNESS_MAIN
