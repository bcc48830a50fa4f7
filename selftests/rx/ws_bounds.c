// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exactly at a limit, one below it and one above, for each way to read:
 * max_message, the forms of a length, control frames, the reader's buffer.
 */
#include "kselftest_harness.h"
#include "ws_reader.h"

FIXTURE(bounds)
{
	struct pair p;
};

FIXTURE_VARIANT(bounds)
{
	__u32 role;
	enum reader by;
};

READER_VARIANTS(bounds);

static bool open_with(struct pair *p, __u32 role, enum reader by, __u64 max)
{
	return pair_open(p, AF_INET, role) &&
	       reader_set(p, by, (struct ws_config){ .max_message = max }) &&
	       reader_begin(p, by);
}

FIXTURE_SETUP(bounds)
{
	ASSERT_TRUE(open_with(&self->p, variant->role, variant->by, 0));
}

FIXTURE_TEARDOWN(bounds)
{
	pair_close(&self->p);
}

/* How the peer sends a message of so many bytes. */
enum shape {
	ALONE,
	BEHIND,			/* with another before it, in one segment */
	IN_TWO,			/* as two segments */
	FRAGMENTS,		/* of three, and a PONG among them */
	FRAGMENTS_ALONE,	/* each in a segment of its own */
	LAST_EMPTY,		/* a fragment, and an empty one */
	SHAPES
};

static bool send_in_shape(struct pair *p, enum shape how, int op, size_t len)
{
	size_t third = len / 3;
	struct bytes b = { 0 };
	bool ok = true;

	switch (how) {
	case ALONE:
	case BEHIND:
		if (how == BEHIND)
			bytes_frame(&b, p, BINARY, "first", 5);
		bytes_frame(&b, p, FIN | op, pattern(0, len), len);
		break;
	case IN_TWO:
		bytes_frame(&b, p, FIN | op, pattern(0, len), len);
		ok = raw_send(p, b.p, b.n - 1) && settle(p) &&
		     raw_send(p, b.p + b.n - 1, 1);
		bytes_free(&b);
		return ok && settle(p);
	case FRAGMENTS:
	case FRAGMENTS_ALONE:
		bytes_frame(&b, p, op, pattern(0, third), third);
		bytes_frame(&b, p, PONG, "", 0);
		if (how == FRAGMENTS_ALONE)
			ok = raw_send_bytes(p, &b) && settle(p);
		bytes_frame(&b, p, F_CONT, pattern(third, third), third);
		if (how == FRAGMENTS_ALONE)
			ok = ok && raw_send_bytes(p, &b) && settle(p);
		bytes_frame(&b, p, CONT, pattern(2 * third, len - 2 * third),
			    len - 2 * third);
		break;
	default:
		bytes_frame(&b, p, op, pattern(0, len), len);
		bytes_frame(&b, p, CONT, "", 0);
		break;
	}
	return raw_send_bytes(p, &b) && ok && settle(p);
}

/* What should come of it: all of it, or what is before it and the error. */
static bool comes(struct pair *p, enum reader by, enum shape shape, int op,
		  size_t len, bool too_big)
{
	const struct want w[] = {
		{ WS_OP_BINARY, "first", 5 }, { op, pattern(0, len), len },
	};
	bool first = shape == BEHIND;

	if (!too_big)
		return reader_gets(p, by, first ? w : w + 1, first ? 2 : 1,
				   false, 0) && reader_idle(p, by);
	return (!first || reader_gets(p, by, w, 1, true, 0)) &&
	       reader_ends(p, by, EMSGSIZE, 1009) &&
	       ws_get_info(p->ws).rule == WS_RULE_TOO_BIG;
}

/* At max_message a message is taken, beyond it is not. */
TEST_F_TIMEOUT(bounds, max_message, 120)
{
	static const size_t max[] = { 6, 125, 126, 1024 };
	long long big = ws_stat("WsErrTooBig");
	int shape, op, over;
	struct pair p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(max); i++) {
		for (shape = 0; shape < SHAPES; shape++) {
			op = (i + shape) & 1 ? WS_OP_TEXT : WS_OP_BINARY;
			ASSERT_TRUE(open_with(&p, variant->role, variant->by,
					      max[i]));
			for (over = -1; over < 2; over++) {
				ASSERT_TRUE(send_in_shape(&p, shape, op,
							  max[i] + over));
				ASSERT_TRUE(comes(&p, variant->by, shape, op,
						  max[i] + over, over > 0)) {
					TH_LOG("shape %d, %zu and %d", shape,
					       max[i], over);
				}
			}
			pair_close(&p);
		}
	}
	EXPECT_EQ(big + (long long)ARRAY_SIZE(max) * SHAPES,
		  ws_stat("WsErrTooBig"));
}

/* Nothing but empty messages, and those in as many frames as the peer likes. */
TEST_F(bounds, max_message_of_one)
{
	static const struct want w[] = {
		{ WS_OP_TEXT, "", 0 }, { WS_OP_BINARY, "x", 1 },
		{ WS_OP_TEXT, "y", 1 },
	};
	enum reader by = variant->by;
	struct bytes b = { 0 };
	struct pair p;

	ASSERT_TRUE(open_with(&p, variant->role, by, 1));
	bytes_frame(&b, &p, TEXT, "", 0);
	bytes_frame(&b, &p, BINARY, "x", 1);
	bytes_frame(&b, &p, F_TEXT, "", 0);
	bytes_frame(&b, &p, F_CONT, "y", 1);
	bytes_frame(&b, &p, CONT, "", 0);
	/* A control frame is no message. */
	bytes_frame(&b, &p, PING, "twelve bytes", 12);
	ASSERT_TRUE(raw_send_bytes(&p, &b));
	ASSERT_TRUE(settle(&p));
	EXPECT_TRUE(reader_gets(&p, by, w, 3, false, 0));
	EXPECT_TRUE(expect_frame(&p, PONG, "twelve bytes", 12));
	ASSERT_TRUE(raw_frame(&p, BINARY, "xy", 2));
	EXPECT_TRUE(reader_ends(&p, by, EMSGSIZE, 1009));
	pair_close(&p);
}

/* Where the form of a length changes, and lengths that each path knows. */
TEST_F_TIMEOUT(bounds, lengths, 120)
{
	static const size_t lens[] = { 1, 63, 64, 124, 125, 126, 127, 128,
		1023, 1024, 1025, 4095, 4096, 4097, 65534, 65535, 65536,
		65537 };
	enum reader by = variant->by;
	struct pair *p = &self->p;
	size_t i;
	int op;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		for (op = WS_OP_TEXT; op <= WS_OP_BINARY; op++) {
			struct want w[] = {
				{ op, pattern(i, lens[i]), lens[i] },
				{ op, pattern(1, lens[i]), lens[i] },
			};
			struct bytes b = { 0 };

			bytes_frame(&b, p, FIN | op, w[0].data, w[0].len);
			ASSERT_TRUE(raw_send_bytes(p, &b));
			ASSERT_TRUE(settle(p));
			ASSERT_TRUE(reader_gets(p, by, w, 1, false, 0)) {
				TH_LOG("%zu bytes alone", w[0].len);
			}
			if (w[0].len > 5000)
				continue;
			bytes_frame(&b, p, FIN | op, w[0].data, w[0].len);
			bytes_frame(&b, p, FIN | op, w[1].data, w[1].len);
			ASSERT_TRUE(raw_send_bytes(p, &b));
			ASSERT_TRUE(settle(p));
			ASSERT_TRUE(reader_gets(p, by, w, 2, false, 0)) {
				TH_LOG("%zu bytes twice", w[0].len);
			}
		}
	}
}

/* @pad bytes behind the header, so that it is long enough to be looked at. */
struct form {
	const char *name;
	const char *header;
	size_t size;
	size_t pad;
};

/* Section 5.2: the minimal number of bytes must be used. */
TEST_F_TIMEOUT(bounds, wrong_forms, 60)
{
	static const struct form forms[] = {
		{ "0 in 16 bits", "\x82\x7e\0\0", 4, 20 },
		{ "125 in 16 bits", "\x82\x7e\0\x7d", 4, 125 },
		{ "125 of text in 16 bits", "\x81\x7e\0\x7d", 4, 125 },
		{ "0 in 64 bits", "\x82\x7f\0\0\0\0\0\0\0\0", 10, 20 },
		{ "65535 in 64 bits", "\x82\x7f\0\0\0\0\0\0\xff\xff", 10, 20 },
		{ "2^63", "\x82\x7f\x80\0\0\0\0\0\0\0", 10, 20 },
	};
	static const struct want first = { WS_OP_BINARY, "first", 5 };
	enum reader by = variant->by;
	unsigned int behind;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(forms); i++) {
		for (behind = 0; behind < 2; behind++) {
			unsigned char key[4] = { 0 };
			struct bytes b = { 0 };
			struct ws_info info;
			struct pair p;
			size_t at;

			ASSERT_TRUE(open_with(&p, variant->role, by, 0));
			if (behind)
				bytes_frame(&b, &p, BINARY, "first", 5);
			at = b.n;
			bytes_raw(&b, forms[i].header, forms[i].size);
			if (variant->role == WS_ROLE_SERVER) {
				b.p[at + 1] |= 0x80;
				bytes_raw(&b, key, 4);
			}
			bytes_raw(&b, pattern(0, forms[i].pad), forms[i].pad);
			ASSERT_TRUE(raw_send_bytes(&p, &b));
			ASSERT_TRUE(settle(&p));
			if (behind)
				EXPECT_TRUE(reader_gets(&p, by, &first, 1, true, 0));
			EXPECT_TRUE(reader_ends(&p, by, EPROTO, 1002)) {
				TH_LOG("%s, behind %u", forms[i].name, behind);
			}
			info = ws_get_info(p.ws);
			EXPECT_EQ(WS_RULE_LENGTH, info.rule);
			EXPECT_EQ(at, info.fault_offset);
			pair_close(&p);
		}
	}
}

/* 125 bytes are a control frame, 126 are none. */
TEST_F(bounds, control_frames)
{
	static const struct want first = { WS_OP_TEXT, "first", 5 };
	enum reader by = variant->by;
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	size_t len;

	for (len = 124; len < 126; len++) {
		bytes_frame(&b, p, PING, pattern(len, len), len);
		bytes_frame(&b, p, PONG, pattern(len, len), len);
	}
	bytes_frame(&b, p, TEXT, "first", 5);
	bytes_frame(&b, p, PING, pattern(0, 126), 126);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	EXPECT_TRUE(expect_frame(p, PONG, pattern(124, 124), 124));
	EXPECT_TRUE(expect_frame(p, PONG, pattern(125, 125), 125));
	EXPECT_TRUE(reader_gets(p, by, &first, 1, true, 0));
	EXPECT_EQ(2, ws_get_info(p->ws).rx_pings);
	EXPECT_EQ(2, ws_get_info(p->ws).rx_pongs);
	EXPECT_TRUE(reader_ends(p, by, EPROTO, 1002));
	EXPECT_EQ(WS_RULE_CONTROL_LENGTH, ws_get_info(p->ws).rule);
	EXPECT_EQ(2, ws_get_info(p->ws).rx_pings);
}

/* A reason of 123 bytes, which is the longest, and in one call. */
TEST_F(bounds, close_of_125_bytes)
{
	bool told = variant->by != BY_READ && variant->by != BY_BATCH_BARE;
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	char reason[124];
	struct given g;

	memcpy(reason, pattern(0, 123), 123);
	reason[123] = 0;
	bytes_close(&b, p, 4999, reason);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(settle(p));
	g = reader_call(p, variant->by, variant->by == BY_RECORDS ? 136 : 123, 0);
	ASSERT_EQ(told ? (ssize_t)reader_room(variant->by, 123) : 0, g.n);
	EXPECT_EQ(told ? MSG_EOR : 0, g.flags);
	if (told) {
		ASSERT_EQ(1, g.count);
		EXPECT_EQ(WS_OP_CLOSE, g.m[0].opcode);
		EXPECT_EQ(WS_MSG_END, g.m[0].flags);
		EXPECT_EQ(4999, g.m[0].code);
		EXPECT_EQ(123, g.m[0].len);
		EXPECT_TRUE(is_pattern(g.at[0], 0, 123));
	}
	EXPECT_EQ(0, reader_call(p, variant->by, 100, 0).n);
	EXPECT_TRUE(expect_close(p, 4999, ""));
}

/* The buffer: as long as the message, shorter by one, longer by one. */
TEST_F(bounds, buffers)
{
	static const size_t lens[] = { 1, 8, 31, 64, 125, 126, 1024, 2000 };
	bool records = variant->by == BY_RECORDS;
	enum reader by = variant->by;
	struct pair *p = &self->p;
	struct given g;
	size_t i;
	int off;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		size_t len = lens[i], room = reader_room(by, len);

		for (off = -1; off < 2; off++) {
			bool whole = off >= 0;
			size_t part = records ? (room - 1) / 8 * 8 - 8 : len - 1;

			if (room + off < 16 && !whole)
				continue;
			ASSERT_TRUE(raw_frame(p, BINARY, pattern(0, len), len));
			ASSERT_TRUE(settle(p));
			g = reader_call(p, by, room + off, 0);
			ASSERT_EQ(whole ? (ssize_t)room :
				  (ssize_t)reader_room(by, part), g.n) {
				TH_LOG("%zu bytes, %d of room", len, off);
			}
			EXPECT_EQ(whole ? MSG_EOR : 0, g.flags);
			ASSERT_EQ(1, g.count);
			EXPECT_EQ(whole ? len : part, g.m[0].len);
			EXPECT_TRUE(is_pattern(g.at[0], 0, g.m[0].len));
			if (!whole)
				ASSERT_TRUE(reader_gets_one(p, by, WS_OP_BINARY,
							    pattern(part, len - part),
							    len - part));
		}
	}
	EXPECT_TRUE(reader_idle(p, by));
}

/* Two messages, and room for both or for all but a byte of both. */
TEST_F(bounds, buffers_for_two)
{
	static const size_t lens[] = { 8, 16, 40, 125, 126, 500 };
	enum reader by = variant->by;
	struct pair *p = &self->p;
	struct given g;
	size_t i;
	int off;

	if (!reads_many(by))
		return;
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		size_t len = lens[i], room = 2 * reader_room(by, len);

		for (off = -1; off < 2; off++) {
			int n = off < 0 ? 1 : 2;
			struct bytes b = { 0 };

			bytes_frame(&b, p, BINARY, pattern(0, len), len);
			bytes_frame(&b, p, BINARY, pattern(1, len), len);
			ASSERT_TRUE(raw_send_bytes(p, &b));
			ASSERT_TRUE(settle(p));
			g = reader_call(p, by, room + off, 0);
			ASSERT_EQ((ssize_t)room / 2 * n, g.n) {
				TH_LOG("%zu bytes, %d of room", len, off);
			}
			ASSERT_EQ(n, g.count);
			EXPECT_EQ(MSG_EOR, g.flags);
			EXPECT_EQ(WS_MSG_END | WS_MSG_MORE, g.m[0].flags);
			EXPECT_TRUE(is_pattern(g.at[0], 0, len));
			if (n == 2) {
				EXPECT_EQ(WS_MSG_END, g.m[1].flags);
				continue;
			}
			ASSERT_TRUE(reader_gets_one(p, by, WS_OP_BINARY,
						    pattern(1, len), len));
		}
	}
}

TEST_HARNESS_MAIN
