// SPDX-License-Identifier: GPL-2.0-only
/*
 * More than one scan may cost, WS_SCAN_BUDGET: frames of hardly more than a
 * header, and so many that the first look does not reach the end. What lies
 * behind them must be found although no call is made and no byte comes.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

/* A scan ends after 16384 of them, each of which costs as much as 64 bytes. */
#define FRAMES	20000

enum kind {
	PONGS,
	MESSAGES,
	FRAGMENTS,
};

FIXTURE(budget)
{
	struct pair p;
	struct bytes b;
};

FIXTURE_VARIANT(budget)
{
	__u32 role;
	enum kind kind;
};

FIXTURE_VARIANT_ADD(budget, pongs) { WS_ROLE_SERVER, PONGS };
FIXTURE_VARIANT_ADD(budget, pongs_client) { WS_ROLE_CLIENT, PONGS };
FIXTURE_VARIANT_ADD(budget, messages) { WS_ROLE_SERVER, MESSAGES };
FIXTURE_VARIANT_ADD(budget, messages_client) { WS_ROLE_CLIENT, MESSAGES };
FIXTURE_VARIANT_ADD(budget, fragments) { WS_ROLE_SERVER, FRAGMENTS };
FIXTURE_VARIANT_ADD(budget, fragments_client) { WS_ROLE_CLIENT, FRAGMENTS };

FIXTURE_SETUP(budget)
{
	int i;

	memset(self, 0, sizeof(*self));
	/* Room for all of it, so that it is there before the first I/O. */
	ASSERT_TRUE(pair_open_rcvbuf(&self->p, AF_INET, variant->role, 200000,
				     0, 0));
	for (i = 0; i < FRAMES; i++) {
		int first = variant->kind == PONGS ? PONG :
			    variant->kind == MESSAGES ? BINARY :
			    i ? F_CONT : F_BINARY;

		bytes_frame(&self->b, &self->p, first, "", 0);
	}
}

FIXTURE_TEARDOWN(budget)
{
	bytes_free(&self->b);
	pair_close(&self->p);
}

/* All of it is here before anything is looked at, which poll() begins. */
static bool look(struct pair *p, struct bytes *b)
{
	return raw_send_bytes(p, b) && settle(p) && poll_now(p->ws, POLLIN) >= 0;
}

/* poll() comes to say so, without another call. */
static bool becomes_rdhup(struct pair *p)
{
	return poll_for(p->ws, POLLRDHUP, WS_TEST_MS) & POLLRDHUP;
}

/* The messages before it; nothing but empty ones. Returns how many. */
static int read_messages(struct pair *p, int want)
{
	struct got got;
	char buf[8];
	int n = 0;

	while (n < want) {
		got = ws_recv(p->ws, buf, sizeof(buf), MSG_DONTWAIT);
		if (got.n || !(got.flags & MSG_EOR) ||
		    got.m.opcode != WS_OP_BINARY)
			break;
		n++;
	}
	return n;
}

/* Nobody reads, and the PING is answered. */
TEST_F_TIMEOUT(budget, ping, 60)
{
	struct pair *p = &self->p;

	bytes_frame(&self->b, p, PING, "behind", 6);
	ASSERT_TRUE(look(p, &self->b));
	EXPECT_TRUE(expect_frame(p, PONG, "behind", 6));
	EXPECT_EQ(1, (int)ws_get_info(p->ws).rx_pings);
}

/* A message, of which poll() tells where nothing could be read before it. */
TEST_F_TIMEOUT(budget, message, 60)
{
	int messages = variant->kind == MESSAGES ? FRAMES : 0;
	struct pair *p = &self->p;

	if (variant->kind == FRAGMENTS)
		bytes_frame(&self->b, p, CONT, "at last", 7);
	else
		bytes_frame(&self->b, p, BINARY, "at last", 7);
	ASSERT_TRUE(look(p, &self->b));
	EXPECT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
	EXPECT_EQ(messages, read_messages(p, messages));
	EXPECT_TRUE(expect_message(p->ws, WS_OP_BINARY, "at last", 7));
}

/* A Close, which ends the stream for poll() once what is before it is read. */
TEST_F_TIMEOUT(budget, close, 60)
{
	int messages = variant->kind == MESSAGES ? FRAMES : 0;
	struct pair *p = &self->p;

	if (variant->kind == FRAGMENTS) {
		bytes_frame(&self->b, p, CONT, "", 0);
		messages = 1;
	}
	bytes_close(&self->b, p, 1000, "bye");
	ASSERT_TRUE(look(p, &self->b));
	if (messages)
		ASSERT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
	EXPECT_EQ(messages, read_messages(p, messages));
	EXPECT_TRUE(becomes_rdhup(p));
	EXPECT_TRUE(expect_received_close(p->ws, 1000, "bye"));
	EXPECT_TRUE(expect_close(p, 1000, ""));
}

/* A broken rule. */
TEST_F_TIMEOUT(budget, fault, 60)
{
	int messages = variant->kind == MESSAGES ? FRAMES : 0;
	struct pair *p = &self->p;
	size_t at = self->b.n;

	bytes_frame(&self->b, p, 0x83, "", 0);
	ASSERT_TRUE(look(p, &self->b));
	if (messages)
		ASSERT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
	EXPECT_EQ(messages, read_messages(p, messages));
	EXPECT_TRUE(becomes_rdhup(p));
	EXPECT_TRUE(expect_error(p->ws, EPROTO));
	EXPECT_EQ(WS_RULE_OPCODE, ws_get_info(p->ws).rule);
	EXPECT_EQ(at, ws_get_info(p->ws).fault_offset);
}

/* The reader sleeps from before, and is woken for what lies at the end. */
static void *sleeping_reader(void *arg)
{
	struct pair *p = arg;

	return (void *)(uintptr_t)expect_message(p->ws, WS_OP_BINARY, "at last",
						 7);
}

TEST_F_TIMEOUT(budget, sleeper, 60)
{
	struct pair *p = &self->p;
	pthread_t reader;
	void *ok = NULL;

	if (variant->kind == MESSAGES)
		return;
	bytes_frame(&self->b, p, variant->kind == PONGS ? BINARY : CONT,
		    "at last", 7);
	ASSERT_EQ(0, pthread_create(&reader, NULL, sleeping_reader, p));
	ASSERT_TRUE(raw_send_bytes(p, &self->b));
	ASSERT_EQ(0, pthread_join(reader, &ok));
	EXPECT_NE(NULL, ok);
}

TEST_HARNESS_MAIN
