// SPDX-License-Identifier: GPL-2.0-only
/*
 * MSG_PEEK, empty messages and buffers of nothing, for each way to read: what
 * is shown is still there, and what is empty is a message all the same.
 */
#include "kselftest_harness.h"
#include "ws_reader.h"

#include <sys/ioctl.h>

FIXTURE(empty)
{
	struct pair p;
};

FIXTURE_VARIANT(empty)
{
	__u32 role;
	enum reader by;
};

READER_VARIANTS(empty);

FIXTURE_SETUP(empty)
{
	ASSERT_TRUE(pair_open(&self->p, AF_INET, variant->role));
	ASSERT_TRUE(reader_set(&self->p, variant->by, (struct ws_config){}));
	ASSERT_TRUE(reader_begin(&self->p, variant->by));
}

FIXTURE_TEARDOWN(empty)
{
	pair_close(&self->p);
}

struct counted {
	__u64 messages, bytes, calls;
};

static struct counted counted(struct pair *p)
{
	struct ws_info info = ws_get_info(p->ws);

	return (struct counted){ info.rx_messages, info.rx_bytes,
				 info.rx_calls };
}

static bool counts_are(struct pair *p, struct counted c)
{
	struct counted now = counted(p);

	return !memcmp(&now, &c, sizeof(now)) ||
	       complain("%llu messages, %llu bytes, %llu calls, not %llu, %llu, %llu",
			now.messages, now.bytes, now.calls, c.messages, c.bytes,
			c.calls);
}

/* It is there: shown twice, then read, then gone. */
static bool shown_and_read(struct pair *p, enum reader by, const struct want *w,
			   int n)
{
	struct counted c = counted(p);
	int i;

	for (i = 0; i < 2; i++)
		if (!reader_gets(p, by, w, n, false, MSG_PEEK))
			return complain("^^^ MSG_PEEK %d", i);
	if (poll_now(p->ws, POLLIN) != POLLIN || !counts_are(p, c))
		return complain("after MSG_PEEK");
	if (!reader_gets(p, by, w, n, false, 0) || !reader_idle(p, by) ||
	    poll_now(p->ws, POLLIN))
		return complain("^^^ the read");
	for (i = 0; i < n; i++)
		c.bytes += w[i].len;
	c.messages += n;
	c.calls += reads_many(by) ? 1 : n;
	return counts_are(p, c);
}

TEST_F(empty, one_frame)
{
	static const size_t lens[] = { 0, 1, 2, 7, 8, 125, 126, 1024, 1025,
				       4096, 5000 };
	struct pair *p = &self->p;
	size_t i;
	int op;

	for (op = WS_OP_TEXT; op <= WS_OP_BINARY; op++) {
		for (i = 0; i < ARRAY_SIZE(lens); i++) {
			struct want w = { op, pattern(i, lens[i]), lens[i] };

			ASSERT_TRUE(raw_frame(p, FIN | op, w.data, w.len));
			ASSERT_TRUE(settle(p));
			ASSERT_TRUE(shown_and_read(p, variant->by, &w, 1)) {
				TH_LOG("opcode %d, %zu bytes", op, w.len);
			}
		}
	}
}

/* Empty from three frames, of which none has a byte; PINGs among them. */
TEST_F(empty, fragments)
{
	struct pair *p = &self->p;
	int op, pings;

	for (op = WS_OP_TEXT; op <= WS_OP_BINARY; op++) {
		for (pings = 0; pings < 2; pings++) {
			struct want w = { op, "", 0 };
			struct bytes b = { 0 };

			bytes_frame(&b, p, op, "", 0);
			if (pings)
				bytes_frame(&b, p, PING, "", 0);
			bytes_frame(&b, p, F_CONT, "", 0);
			if (pings)
				bytes_frame(&b, p, PING, "!", 1);
			bytes_frame(&b, p, CONT, "", 0);
			ASSERT_TRUE(raw_send_bytes(p, &b));
			ASSERT_TRUE(settle(p));
			ASSERT_TRUE(shown_and_read(p, variant->by, &w, 1));
			if (!pings)
				continue;
			ASSERT_TRUE(expect_frame(p, PONG, "", 0));
			ASSERT_TRUE(expect_frame(p, PONG, "!", 1));
		}
	}
}

/* A last fragment, or a first one, or one in the middle that has nothing. */
TEST_F(empty, fragments_with_others)
{
	static const char *const parts[][4] = {
		{ "", "ab", "c", "abc" }, { "a", "", "c", "ac" },
		{ "a", "b", "", "ab" },
	};
	struct pair *p = &self->p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		const char *const *s = parts[i];
		struct want w = { WS_OP_TEXT, s[3], strlen(s[3]) };
		struct bytes b = { 0 };

		bytes_frame(&b, p, F_TEXT, s[0], strlen(s[0]));
		bytes_frame(&b, p, F_CONT, s[1], strlen(s[1]));
		bytes_frame(&b, p, CONT, s[2], strlen(s[2]));
		ASSERT_TRUE(raw_send_bytes(p, &b));
		ASSERT_TRUE(settle(p));
		ASSERT_TRUE(shown_and_read(p, variant->by, &w, 1)) {
			TH_LOG("%s", s[3]);
		}
	}
}

/* Many in one segment, empty ones at each place. */
TEST_F(empty, among_others)
{
	static const struct want w[] = {
		{ WS_OP_TEXT, "", 0 }, { WS_OP_TEXT, "x", 1 },
		{ WS_OP_BINARY, "", 0 }, { WS_OP_BINARY, "", 0 },
		{ WS_OP_BINARY, "yz", 2 }, { WS_OP_TEXT, "", 0 },
	};
	struct pair *p = &self->p;
	size_t first, i;

	for (first = 0; first < ARRAY_SIZE(w); first++) {
		struct bytes b = { 0 };

		for (i = first; i < ARRAY_SIZE(w); i++) {
			bytes_frame(&b, p, FIN | w[i].opcode, w[i].data,
				    w[i].len);
			if (i == 3)
				bytes_frame(&b, p, PONG, "", 0);
		}
		ASSERT_TRUE(raw_send_bytes(p, &b));
		ASSERT_TRUE(settle(p));
		ASSERT_TRUE(shown_and_read(p, variant->by, w + first,
					   ARRAY_SIZE(w) - first)) {
			TH_LOG("from the message %zu on", first);
		}
	}
}

/* The smallest buffer that takes it, and each that is smaller. */
TEST_F(empty, no_room)
{
	bool records = variant->by == BY_RECORDS;
	enum reader by = variant->by;
	struct pair *p = &self->p;
	struct given g;
	size_t room;
	int peek;

	for (peek = MSG_PEEK; peek >= 0; peek -= MSG_PEEK) {
		if (peek) {
			ASSERT_TRUE(raw_frame(p, TEXT, "", 0));
			ASSERT_TRUE(settle(p));
		}
		for (room = 0; records && room < 8; room++)
			EXPECT_EQ(-EINVAL, reader_call(p, by, room, peek).n);
		g = reader_call(p, by, records ? 8 : 0, peek);
		EXPECT_EQ(records ? 8 : 0, g.n);
		EXPECT_EQ(MSG_EOR, g.flags);
		ASSERT_EQ(1, g.count);
		EXPECT_EQ(0, g.m[0].len);
	}
	EXPECT_TRUE(reader_idle(p, by));
}

/* Nothing is taken of a message that has bytes, and that is not its end. */
TEST_F(empty, no_room_for_a_byte)
{
	bool records = variant->by == BY_RECORDS;
	struct want w = { WS_OP_BINARY, "123", 3 };
	enum reader by = variant->by;
	struct pair *p = &self->p;
	struct counted c;
	struct given g;
	size_t room;
	int peek;

	ASSERT_TRUE(raw_frame(p, BINARY, "123", 3));
	ASSERT_TRUE(settle(p));
	c = counted(p);
	for (peek = MSG_PEEK; peek >= 0; peek -= MSG_PEEK) {
		for (room = 0; records && room < 16; room++)
			EXPECT_EQ(-EINVAL, reader_call(p, by, room, peek).n);
		if (records)
			continue;
		g = reader_call(p, by, 0, peek);
		EXPECT_EQ(0, g.n);
		EXPECT_EQ(0, g.flags);
		if (sees_opcodes(by)) {
			ASSERT_EQ(1, g.count);
			EXPECT_EQ(WS_OP_BINARY, g.m[0].opcode);
			EXPECT_EQ(0, g.m[0].len);
			EXPECT_EQ(0, g.m[0].flags & WS_MSG_END);
		}
	}
	EXPECT_TRUE(counts_are(p, c));
	EXPECT_TRUE(shown_and_read(p, by, &w, 1));
}

/* An empty one and a full one, and room for the first only. */
TEST_F(empty, room_for_the_empty_one)
{
	static const struct want w[] = {
		{ WS_OP_TEXT, "", 0 }, { WS_OP_TEXT, "abc", 3 },
	};
	bool records = variant->by == BY_RECORDS;
	enum reader by = variant->by;
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	struct given g;
	int peek;

	bytes_frame(&b, p, TEXT, "", 0);
	bytes_frame(&b, p, TEXT, "abc", 3);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	for (peek = MSG_PEEK; peek >= 0; peek -= MSG_PEEK) {
		g = reader_call(p, by, records ? 23 : 0, peek);
		EXPECT_EQ(records ? 8 : 0, g.n);
		EXPECT_EQ(MSG_EOR, g.flags);
		ASSERT_EQ(1, g.count);
		EXPECT_EQ(0, g.m[0].len);
		if (reads_many(by))
			EXPECT_EQ(WS_MSG_END | WS_MSG_MORE, g.m[0].flags);
	}
	EXPECT_TRUE(shown_and_read(p, by, w + 1, 1));
}

/* A part that is shown is a part that is still there. */
TEST_F(empty, parts)
{
	bool records = variant->by == BY_RECORDS;
	enum reader by = variant->by;
	struct pair *p = &self->p;
	struct given g;
	int peek, at;

	ASSERT_TRUE(raw_frame(p, TEXT, pattern(0, 20), 20));
	ASSERT_TRUE(settle(p));
	for (at = 0; at < 16; at += 8) {
		for (peek = MSG_PEEK; peek >= 0; peek -= MSG_PEEK) {
			g = reader_call(p, by, records ? 16 : 8, peek);
			ASSERT_EQ(records ? 16 : 8, g.n);
			EXPECT_EQ(0, g.flags);
			ASSERT_EQ(1, g.count);
			EXPECT_EQ(8, g.m[0].len);
			EXPECT_EQ(0, g.m[0].flags & WS_MSG_END);
			if (sees_opcodes(by))
				EXPECT_EQ(WS_OP_TEXT, g.m[0].opcode);
			EXPECT_TRUE(is_pattern(g.at[0], at, 8));
			EXPECT_EQ(0, ws_get_info(p->ws).rx_messages);
		}
	}
	EXPECT_TRUE(reader_gets_one(p, by, WS_OP_TEXT, pattern(16, 4), 4));
	EXPECT_EQ(1, ws_get_info(p->ws).rx_messages);
	EXPECT_EQ(20, ws_get_info(p->ws).rx_bytes);
	EXPECT_EQ(3, ws_get_info(p->ws).rx_calls);
	EXPECT_TRUE(reader_idle(p, by));
}

/* FIONREAD says what a call would give, and an empty message has no bytes. */
TEST_F(empty, fionread)
{
	static const size_t lens[] = { 0, 1, 7, 8, 125, 1024, 1025 };
	enum reader by = variant->by;
	struct pair *p = &self->p;
	size_t i;
	int n;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		size_t len = lens[i];

		ASSERT_TRUE(raw_frame(p, BINARY, pattern(0, len), len));
		ASSERT_TRUE(settle(p));
		n = -1;
		ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
		EXPECT_EQ(reader_room(by, len), n);
		ASSERT_TRUE(reader_gets_one(p, by, WS_OP_BINARY,
					    pattern(0, len), len));
		ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
		EXPECT_EQ(0, n);
	}
}

TEST_HARNESS_MAIN
