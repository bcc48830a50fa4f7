// SPDX-License-Identifier: GPL-2.0-only
/* Messages that take too long to be complete: ws_config::assembly_timeout. */
#include "kselftest_harness.h"
#include "ws_test.h"

FIXTURE(assembly)
{
	struct pair p;
};

FIXTURE_VARIANT(assembly)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(assembly, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(assembly, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(assembly)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
}

FIXTURE_TEARDOWN(assembly)
{
	pair_close(&self->p);
}

/* A message that comes too slowly, and what was complete before it. */
TEST_F_TIMEOUT(assembly, too_slow, 60)
{
	struct pair *p = &self->p;
	long long slow = ws_stat("WsErrAssemblyTimeout");
	uint64_t begin;
	struct bytes b = { 0 };
	struct ws_info info;
	size_t i, before;

	ASSERT_TRUE(pair_start(p, (struct ws_config){ .assembly_timeout = 500 }));
	bytes_frame(&b, p, TEXT, "quick", 5);
	before = b.n;
	bytes_frame(&b, p, BINARY, pattern(0, 1000), 1000);
	ASSERT_TRUE(raw_send(p, b.p, before));
	usleep(700000);
	begin = now_ms();
	for (i = before; ws_stat("WsErrAssemblyTimeout") == slow && i < b.n &&
	     now_ms() - begin < WS_TEST_MS; i++) {
		ASSERT_TRUE(raw_send(p, b.p + i, 1));
		usleep(20000);
	}
	bytes_free(&b);
	/* The limit passes although a complete message has not been read. */
	EXPECT_TRUE(expect_text(p->ws, "quick"));
	EXPECT_TRUE(expect_error(p->ws, ETIMEDOUT));
	EXPECT_LE(250, now_ms() - begin);
	EXPECT_TRUE(in_time(begin, 4000));
	EXPECT_TRUE(expect_close(p, 1008, ""));
	info = ws_get_info(p->ws);
	EXPECT_EQ(WS_RULE_ASSEMBLY_TIMEOUT, info.rule);
	EXPECT_EQ(before, info.fault_offset);
	EXPECT_EQ(slow + 1, ws_stat("WsErrAssemblyTimeout"));
}

/* One byte of a header is the beginning of something. */
TEST_F_TIMEOUT(assembly, of_a_byte, 60)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(pair_start(p, (struct ws_config){ .assembly_timeout = 300 }));
	ASSERT_TRUE(raw_send(p, "\x81", 1));
	EXPECT_TRUE(expect_error(p->ws, ETIMEDOUT));
	EXPECT_TRUE(expect_close(p, 1008, ""));
}

/* A header that comes in two parts, and a message that is complete then. */
TEST_F_TIMEOUT(assembly, of_a_byte_in_time, 60)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	ASSERT_TRUE(pair_start(p, (struct ws_config){
		.assembly_timeout = test_patience(300) }));
	bytes_frame(&b, p, TEXT, "in two parts", 12);
	ASSERT_TRUE(raw_send(p, b.p, 1));
	ASSERT_TRUE(settle(p));
	ASSERT_TRUE(raw_send(p, b.p + 1, b.n - 1));
	bytes_free(&b);
	EXPECT_TRUE(expect_text(p->ws, "in two parts"));
	usleep(test_patience(700000));
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
	EXPECT_EQ(0, ws_get_info(p->ws).rule);
}

/* Between fragments the time goes on, PINGs or not. */
TEST_F_TIMEOUT(assembly, of_fragments, 60)
{
	struct ws_config cfg = { .assembly_timeout = 500,
				 .ping_interval = 60000 };
	struct pair *p = &self->p;
	int i;

	ASSERT_TRUE(pair_start(p, cfg));
	ASSERT_TRUE(raw_frame(p, F_TEXT, "a", 1));
	for (i = 0; i < 8; i++) {
		usleep(100000);
		raw_frame(p, PING, "", 0);
	}
	EXPECT_TRUE(expect_error(p->ws, ETIMEDOUT));
}

/* Many messages, each in time, and long silence between them. */
TEST_F_TIMEOUT(assembly, in_time, 60)
{
	struct pair *p = &self->p;
	int i;

	ASSERT_TRUE(pair_start(p, (struct ws_config){
		.assembly_timeout = test_patience(1500) }));
	for (i = 0; i < 8; i++) {
		ASSERT_TRUE(raw_frame(p, F_TEXT, "a", 1));
		usleep(360000);
		ASSERT_TRUE(raw_frame(p, CONT, "b", 1));
		ASSERT_TRUE(expect_text(p->ws, "ab"));
		if (i % 4 == 3)
			usleep(test_patience(2000000));
	}
	EXPECT_EQ(0, ws_get_info(p->ws).rule);
}

/* Time does not count while the peer cannot send because the program does not read. */
TEST(waits_for_the_reader)
{
	struct ws_config cfg = { .assembly_timeout = test_patience(2000) };
	static char buf[1 << 16];
	struct sender s;
	struct pair p;
	uint64_t at = 0;

	ASSERT_TRUE(pair_open_rcvbuf(&p, AF_INET, WS_ROLE_SERVER, 16384, 0,
				     1448));
	ASSERT_EQ(0, ws_set(p.ws, WS_CONFIG, &cfg, sizeof(cfg)));
	ASSERT_EQ(0, poll_now(p.ws, POLLIN));
	ASSERT_TRUE(sender_start(&s, &p, BINARY, 1 << 18));
	usleep(test_patience(4500000));
	while (at < 1 << 18) {
		struct got got = ws_recv(p.ws, buf, sizeof(buf), 0);

		ASSERT_LT(0, got.n);
		ASSERT_TRUE(is_pattern(buf, at, got.n));
		at += got.n;
	}
	EXPECT_TRUE(sender_join(&s));
	EXPECT_EQ(0, ws_get_info(p.ws).rule);
	pair_close(&p);
}

TEST_HARNESS_MAIN
