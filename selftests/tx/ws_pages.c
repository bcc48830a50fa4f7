// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages of frames that were sent, on a connection that lives on: however a
 * message goes out, its pages go with it. Those of connections that end are
 * counted by ws_lives.
 */
#include "kselftest_harness.h"
#include "ws_machine.h"
#include "ws_ways.h"

/* Sent each time; a third of it must not be missing afterwards. */
#define BYTES	(16 << 20)
#define ROUNDS	4

enum kind {
	SMALL,		/* fits a page */
	LARGE,		/* several pages */
	PARTS,		/* with MSG_MORE */
	RECORDS,
	ARRAY,
	CONTROL,
	ANSWERS,	/* PONGs */
};

FIXTURE(pages)
{
	struct pair p;
};

FIXTURE_VARIANT(pages)
{
	__u32 role;
	enum kind kind;
};

FIXTURE_VARIANT_ADD(pages, small) { WS_ROLE_SERVER, SMALL };
FIXTURE_VARIANT_ADD(pages, small_client) { WS_ROLE_CLIENT, SMALL };
FIXTURE_VARIANT_ADD(pages, large) { WS_ROLE_SERVER, LARGE };
FIXTURE_VARIANT_ADD(pages, large_client) { WS_ROLE_CLIENT, LARGE };
FIXTURE_VARIANT_ADD(pages, parts) { WS_ROLE_SERVER, PARTS };
FIXTURE_VARIANT_ADD(pages, records) { WS_ROLE_SERVER, RECORDS };
FIXTURE_VARIANT_ADD(pages, records_client) { WS_ROLE_CLIENT, RECORDS };
FIXTURE_VARIANT_ADD(pages, array) { WS_ROLE_SERVER, ARRAY };
FIXTURE_VARIANT_ADD(pages, array_client) { WS_ROLE_CLIENT, ARRAY };
FIXTURE_VARIANT_ADD(pages, control) { WS_ROLE_CLIENT, CONTROL };
FIXTURE_VARIANT_ADD(pages, answers) { WS_ROLE_SERVER, ANSWERS };

FIXTURE_SETUP(pages)
{
	ASSERT_TRUE(pair_open(&self->p, AF_INET, variant->role));
	ASSERT_EQ(0, set_flags(self->p.ws, variant->kind == RECORDS ?
			       WS_F_RECORDS : variant->kind == ARRAY ?
			       WS_F_BATCH : 0));
}

FIXTURE_TEARDOWN(pages)
{
	pair_close(&self->p);
}

/* The frames of one or a few messages; returns payload bytes, or 0. */
static size_t send_some(struct pair *p, enum kind kind)
{
	struct ws_msg m = { 3000, WS_OP_BINARY, END, 0 };
	struct ws_msg two[] = { m, m };
	struct bytes b = { 0 };
	int i;

	switch (kind) {
	case SMALL:
		return ws_send(p->ws, 0, pattern(0, 3000), 3000, 0) == 3000 &&
		       expect_frame(p, BINARY, pattern(0, 3000), 3000) ? 3000 : 0;
	case LARGE:
		return ws_send(p->ws, 0, pattern(0, 50000), 50000, 0) == 50000 &&
		       expect_frame(p, BINARY, pattern(0, 50000), 50000) ?
		       50000 : 0;
	case PARTS:
		return ws_send(p->ws, 0, pattern(0, 3000), 3000, MSG_MORE) ==
		       3000 &&
		       ws_send(p->ws, 0, pattern(0, 100), 100, 0) == 100 &&
		       expect_frame(p, F_BINARY, pattern(0, 3000), 3000) &&
		       expect_frame(p, CONT, pattern(0, 100), 100) ? 3100 : 0;
	case RECORDS:
		return send_record(p->ws, m, pattern(0, 3000), 0) == 3000 &&
		       expect_frame(p, BINARY, pattern(0, 3000), 3000) ? 3000 : 0;
	case ARRAY:
		return send_array(p->ws, two, 2, pattern(0, 6000), 6000, 0) ==
		       6000 &&
		       expect_frame(p, BINARY, pattern(0, 3000), 3000) &&
		       expect_frame(p, BINARY, pattern(3000, 3000), 3000) ?
		       6000 : 0;
	case CONTROL:
		for (i = 0; i < 16; i++)
			if (ws_send(p->ws, WS_OP_PING, pattern(0, 125), 125,
				    0) != 125 ||
			    !expect_frame(p, PING, pattern(0, 125), 125))
				return 0;
		return 16 * 125;
	default:
		for (i = 0; i < 16; i++)
			bytes_frame(&b, p, PING, pattern(0, 125), 125);
		if (!raw_send_bytes(p, &b))
			return 0;
		for (i = 0; i < 16; i++)
			if (!expect_frame(p, PONG, pattern(0, 125), 125))
				return 0;
		return 16 * 125;
	}
}

/* Other things take memory, too, but not again and again. */
TEST_F_TIMEOUT(pages, come_back, 120)
{
	int bytes = variant->kind < CONTROL ? BYTES : BYTES / 4;
	long long before, now, missing = bytes;
	int round, sent;
	size_t n;

	ASSERT_EQ(0, poll_now(self->p.ws, POLLIN));
	ASSERT_NE(0, send_some(&self->p, variant->kind));
	for (round = 0; round < ROUNDS && missing >= bytes / 3; round++) {
		before = file_number("/proc/meminfo", "MemFree:");
		for (sent = 0; sent < bytes; sent += n) {
			n = send_some(&self->p, variant->kind);
			ASSERT_NE(0, n);
		}
		now = file_number("/proc/meminfo", "MemFree:");
		missing = (before - now) * 1024;
	}
	EXPECT_GT(bytes / 3, missing);
}

TEST_HARNESS_MAIN
