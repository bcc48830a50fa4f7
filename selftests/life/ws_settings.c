// SPDX-License-Identifier: GPL-2.0-only
/*
 * WS_CONFIG, member by member: when a change takes effect, for each way to
 * read, and that one that is refused changes nothing.
 */
#include "kselftest_harness.h"
#include "ws_reader.h"

FIXTURE(settings)
{
	struct pair p;
};

FIXTURE_VARIANT(settings)
{
	__u32 role;
	enum reader by;
};

READER_VARIANTS(settings);

FIXTURE_SETUP(settings)
{
	ASSERT_TRUE(pair_open(&self->p, AF_INET, variant->role));
	ASSERT_TRUE(reader_set(&self->p, variant->by, (struct ws_config){
				.max_message = 100, .rsv = WS_RSV1 }));
	ASSERT_TRUE(reader_begin(&self->p, variant->by));
}

FIXTURE_TEARDOWN(settings)
{
	pair_close(&self->p);
}

static const struct want first = { WS_OP_BINARY, "first", 5 };

static int change(struct pair *p, struct ws_config cfg)
{
	return ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg));
}

/* A message of @len, behind one that makes it be looked at later, perhaps. */
static bool send_behind(struct pair *p, int first_byte, size_t len)
{
	struct bytes b = { 0 };

	bytes_frame(&b, p, BINARY, "first", 5);
	bytes_frame(&b, p, first_byte, pattern(0, len), len);
	return raw_send_bytes(p, &b) && settle(p);
}

/* What came before the change is judged by what was in force then. */
TEST_F(settings, max_message_lowered)
{
	struct want w[] = { first, { WS_OP_BINARY, pattern(0, 100), 100 },
			    first, { WS_OP_BINARY, pattern(0, 10), 10 } };
	struct ws_config cfg = ws_get_config(self->p.ws);
	enum reader by = variant->by;
	struct pair *p = &self->p;

	ASSERT_TRUE(send_behind(p, BINARY, 100));
	cfg.max_message = 10;
	ASSERT_EQ(0, change(p, cfg));
	ASSERT_TRUE(send_behind(p, BINARY, 10));
	/* All four are there; the first two came under the old limit. */
	EXPECT_TRUE(reader_gets(p, by, w, 4, false, MSG_PEEK));
	EXPECT_TRUE(reader_gets(p, by, w, 4, false, 0));
	ASSERT_TRUE(send_behind(p, BINARY, 11));
	EXPECT_TRUE(reader_gets(p, by, w, 1, true, 0));
	EXPECT_TRUE(reader_ends(p, by, EMSGSIZE, 1009));
}

TEST_F(settings, max_message_raised)
{
	struct want w[] = { first, { WS_OP_BINARY, pattern(0, 2000), 2000 } };
	struct ws_config cfg = ws_get_config(self->p.ws);
	enum reader by = variant->by;
	struct pair *p = &self->p;

	cfg.max_message = 2000;
	ASSERT_EQ(0, change(p, cfg));
	ASSERT_TRUE(send_behind(p, BINARY, 2000));
	EXPECT_TRUE(reader_gets(p, by, w, 2, false, 0));
	/* What was too large when it came is too large for good. */
	ASSERT_TRUE(send_behind(p, BINARY, 2001));
	cfg.max_message = 3000;
	ASSERT_EQ(0, change(p, cfg));
	EXPECT_TRUE(reader_gets(p, by, w, 1, true, 0));
	EXPECT_TRUE(reader_ends(p, by, EMSGSIZE, 1009));
}

/* Of a message that has begun, the next frame is judged by the new limit. */
TEST_F(settings, max_message_in_a_message)
{
	struct want w = { WS_OP_TEXT, pattern(0, 60), 60 };
	struct ws_config cfg = ws_get_config(self->p.ws);
	enum reader by = variant->by;
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, F_TEXT, pattern(0, 60), 60));
	ASSERT_TRUE(settle(p));
	cfg.max_message = 60;
	ASSERT_EQ(0, change(p, cfg));
	ASSERT_TRUE(raw_frame(p, CONT, "", 0));
	ASSERT_TRUE(settle(p));
	EXPECT_TRUE(reader_gets(p, by, &w, 1, false, 0));
	ASSERT_TRUE(raw_frame(p, F_TEXT, pattern(0, 60), 60));
	ASSERT_TRUE(settle(p));
	ASSERT_TRUE(raw_frame(p, CONT, "x", 1));
	EXPECT_TRUE(reader_ends(p, by, EMSGSIZE, 1009));
}

/* The bit came while it was allowed, and then once more. */
TEST_F(settings, rsv_taken_back)
{
	struct ws_config cfg = ws_get_config(self->p.ws);
	enum reader by = variant->by;
	struct pair *p = &self->p;
	struct given g;
	int i;

	ASSERT_TRUE(send_behind(p, TEXT | 0x40, 9));
	cfg.rsv = 0;
	ASSERT_EQ(0, change(p, cfg));
	for (i = 0; i < 2; i += g.count) {
		g = reader_call(p, by, 1000, 0);
		ASSERT_LT(0, g.n);
		ASSERT_LT(0, g.count);
	}
	if (sees_opcodes(by))
		EXPECT_EQ(WS_MSG_END | WS_MSG_RSV1, g.m[g.count - 1].flags);
	ASSERT_TRUE(send_behind(p, TEXT | 0x40, 9));
	EXPECT_TRUE(reader_gets(p, by, &first, 1, true, 0));
	EXPECT_TRUE(reader_ends(p, by, EPROTO, 1002));
	EXPECT_EQ(WS_RULE_RSV, ws_get_info(p->ws).rule);
}

TEST_F(settings, rsv_given)
{
	struct want w[] = { first, { WS_OP_TEXT, pattern(0, 9), 9 } };
	struct ws_config cfg = ws_get_config(self->p.ws);
	enum reader by = variant->by;
	struct pair *p = &self->p;
	struct given g;

	cfg.rsv = 0;
	ASSERT_EQ(0, change(p, cfg));
	cfg.rsv = WS_RSV1;
	ASSERT_EQ(0, change(p, cfg));
	/* Its text is none before it is inflated. */
	ASSERT_TRUE(raw_frame(p, TEXT | 0x40, "\xff\xfe", 2));
	ASSERT_TRUE(settle(p));
	g = reader_call(p, by, 100, 0);
	ASSERT_EQ((ssize_t)reader_room(by, 2), g.n);
	if (sees_opcodes(by)) {
		EXPECT_EQ(WS_OP_TEXT, g.m[0].opcode);
		EXPECT_EQ(WS_MSG_END | WS_MSG_RSV1, g.m[0].flags);
	}
	cfg.rsv = 0;
	ASSERT_EQ(0, change(p, cfg));
	ASSERT_TRUE(send_behind(p, TEXT, 9));
	EXPECT_TRUE(reader_gets(p, by, w, 2, false, 0));
}

/* What is sent without an opcode, from the next call on. */
TEST_F(settings, send_opcode)
{
	struct ws_config cfg = ws_get_config(self->p.ws);
	unsigned char record[16] = { 1, 0, 0, 0, WS_OP_CONT, WS_MSG_END };
	struct pair *p = &self->p;
	ssize_t len;
	int i;

	record[8] = 'a';
	for (i = 0; i < 4; i++) {
		cfg.send_opcode = i == 3 ? 0 : 1 + (i & 1);
		ASSERT_EQ(0, change(p, cfg));
		EXPECT_EQ(i == 1 || i == 3 ? WS_OP_BINARY : WS_OP_TEXT,
			  ws_get_config(p->ws).send_opcode);
		len = variant->by == BY_RECORDS ? 16 : 1;
		ASSERT_EQ(len, write(p->ws, len == 1 ? (void *)"a" : record, len));
		EXPECT_TRUE(expect_frame(p, i & 1 ? BINARY : TEXT, "a", 1));
	}
}

/* The flags may change between two messages that are there. */
TEST_F(settings, flags)
{
	static const __u32 flags[] = { WS_F_RECORDS, WS_F_BATCH, 0,
				       WS_F_BATCH, WS_F_RECORDS, 0 };
	static const enum reader by[] = { BY_RECORDS, BY_BATCH, BY_MSG };
	struct ws_config cfg = ws_get_config(self->p.ws);
	struct pair *p = &self->p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		enum reader now = flags[i] & WS_F_RECORDS ? by[0] :
				  flags[i] ? by[1] : by[2];
		struct want w[] = { first, { WS_OP_TEXT, pattern(0, 9), 9 } };

		ASSERT_TRUE(send_behind(p, TEXT, 9));
		cfg.flags = flags[i];
		ASSERT_EQ(0, change(p, cfg));
		EXPECT_EQ(flags[i], ws_get_config(p->ws).flags);
		EXPECT_TRUE(reader_gets(p, now, w, 2, false, MSG_PEEK));
		EXPECT_TRUE(reader_gets(p, now, w, 2, false, 0));
	}
}

/* All that a refused change would have changed, in two ways. */
static bool unchanged(struct pair *p, const struct ws_config *old)
{
	struct ws_config now = ws_get_config(p->ws);

	return !memcmp(&now, old, sizeof(now)) ||
	       complain("changed: role %u flags %x max %llu opcode %u rsv %x times %u %u %u %u",
			now.role, now.flags, now.max_message, now.send_opcode,
			now.rsv, now.ping_interval, now.ping_timeout,
			now.assembly_timeout, now.close_timeout);
}

/* Every member is another one, and none is wrong by itself. */
static struct ws_config all_new(struct pair *p, enum reader by)
{
	return (struct ws_config){
		.role = p->role,
		.flags = reader_flags(by) ^ WS_F_CLOSE,
		.max_message = 7,
		.send_opcode = WS_OP_TEXT,
		.ping_interval = 100,
		.ping_timeout = 100,
		.assembly_timeout = 100,
		.close_timeout = 100,
	};
}

/* The old settings are what this socket goes by. */
static bool acts_as_before(struct pair *p, enum reader by)
{
	struct bytes b = { 0 };
	struct given g;

	/* rsv, and more than 7 bytes, at the old limit of 100. */
	if (!raw_frame(p, BINARY | 0x40, pattern(0, 100), 100) || !settle(p))
		return false;
	g = reader_call(p, by, 1000, 0);
	if (g.n != (ssize_t)reader_room(by, 100) || g.flags != MSG_EOR)
		return complain("%zd, not a message of 100", g.n);
	/* Neither PING nor a limit on a message that has begun. */
	if (!raw_frame(p, F_BINARY, "open", 4) || !expect_silence(p) ||
	    !expect_silence(p))
		return false;
	if (!raw_frame(p, CONT, "ed", 2) || !settle(p) ||
	    !reader_gets_one(p, by, WS_OP_BINARY, "opened", 6))
		return false;
	/* Without WS_F_CLOSE a fault is answered when it is read. */
	bytes_frame(&b, p, BINARY | 0x40, pattern(0, 101), 101);
	return raw_send_bytes(p, &b) && settle(p) &&
	       reader_ends(p, by, EMSGSIZE, 1009);
}

/* EBUSY: another role after the first I/O. */
TEST_F_TIMEOUT(settings, refused_role, 60)
{
	struct ws_config old = ws_get_config(self->p.ws);
	struct ws_config cfg = all_new(&self->p, variant->by);
	struct pair *p = &self->p;

	cfg.role = !p->role;
	ASSERT_EQ(-EBUSY, change(p, cfg));
	EXPECT_TRUE(unchanged(p, &old));
	EXPECT_TRUE(acts_as_before(p, variant->by));
}

/* EBUSY: other flags while a message has been read in part. */
TEST_F_TIMEOUT(settings, refused_in_a_message, 60)
{
	bool records = variant->by == BY_RECORDS;
	struct ws_config old = ws_get_config(self->p.ws);
	struct ws_config cfg = all_new(&self->p, variant->by);
	enum reader by = variant->by;
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, pattern(0, 16), 16));
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(records ? 16 : 8, reader_call(p, by, records ? 16 : 8, 0).n);
	ASSERT_EQ(-EBUSY, change(p, cfg));
	EXPECT_TRUE(unchanged(p, &old));
	ASSERT_TRUE(reader_gets_one(p, by, WS_OP_TEXT, pattern(8, 8), 8));
	EXPECT_TRUE(unchanged(p, &old));
	EXPECT_TRUE(acts_as_before(p, by));
	/* Now it is between two messages. */
	cfg = old;
	cfg.flags ^= WS_F_CLOSE;
	EXPECT_EQ(0, change(p, cfg));
}

/* EBUSY: other flags while a message has been sent in part. */
TEST_F_TIMEOUT(settings, refused_in_a_sent_message, 60)
{
	unsigned char record[16] = { 4, 0, 0, 0, WS_OP_BINARY };
	struct ws_config old = ws_get_config(self->p.ws);
	struct ws_config cfg = all_new(&self->p, variant->by);
	bool records = variant->by == BY_RECORDS;
	struct pair *p = &self->p;
	int at, cut[] = { 9, 13, 16 };
	size_t i;

	memcpy(record + 8, "part", 4);
	/* In the payload; in what is behind it; in the message. */
	for (i = 0, at = 0; i < ARRAY_SIZE(cut); at = cut[i++]) {
		if (records) {
			ASSERT_EQ(cut[i] - at, write(p->ws, record + at,
						     cut[i] - at));
		} else if (!i) {
			ASSERT_EQ(4, send(p->ws, "part", 4, MSG_MORE));
		}
		ASSERT_EQ(-EBUSY, change(p, cfg)) {
			TH_LOG("cut at %d", cut[i]);
		}
		EXPECT_TRUE(unchanged(p, &old));
		/* With the same flags the rest may change. */
		EXPECT_EQ(0, change(p, old));
	}
	record[5] = WS_MSG_END;
	ASSERT_EQ(records ? 16 : 4,
		  records ? write(p->ws, record, 16) : write(p->ws, "part", 4));
	/* In however many fragments. */
	for (at = 0; at < 8;) {
		struct frame f;

		ASSERT_TRUE(read_frame(p, &f));
		ASSERT_EQ(at ? WS_OP_CONT : WS_OP_BINARY, f.first & 15);
		ASSERT_EQ(at + f.len == 8 ? FIN : 0, f.first & FIN);
		at += f.len;
		free(f.data);
	}
	EXPECT_EQ(8, at);
	EXPECT_TRUE(acts_as_before(p, variant->by));
}

/* EINVAL, E2BIG, EFAULT: one member is wrong, all others are new. */
TEST_F_TIMEOUT(settings, refused_values, 60)
{
	static const struct {
		size_t at;
		__u32 value;
	} bad[] = {
		{ offsetof(struct ws_config, role), 2 },
		{ offsetof(struct ws_config, flags), 8 },
		{ offsetof(struct ws_config, flags), WS_F_RECORDS | WS_F_BATCH },
		{ offsetof(struct ws_config, send_opcode), 3 },
		{ offsetof(struct ws_config, rsv), 0x20 },
		{ offsetof(struct ws_config, rsv), WS_RSV1 | 0x80 },
		{ offsetof(struct ws_config, ping_interval), WS_TIME_MIN - 1 },
		{ offsetof(struct ws_config, ping_timeout), WS_TIME_MIN - 1 },
		{ offsetof(struct ws_config, assembly_timeout), WS_TIME_MIN - 1 },
		{ offsetof(struct ws_config, close_timeout), WS_TIME_MIN - 1 },
		{ offsetof(struct ws_config, close_timeout), WS_TIME_MAX + 1 },
		{ offsetof(struct ws_config, ping_timeout), WS_TIME_MAX + 1 },
	};
	struct ws_config old = ws_get_config(self->p.ws), cfg;
	struct pair *p = &self->p;
	char big[sizeof(cfg) + 1];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		cfg = all_new(p, variant->by);
		cfg.flags = old.flags;
		memcpy((char *)&cfg + bad[i].at, &bad[i].value, sizeof(__u32));
		EXPECT_EQ(-EINVAL, change(p, cfg)) {
			TH_LOG("case %zu", i);
		}
		EXPECT_TRUE(unchanged(p, &old));
	}
	cfg = all_new(p, variant->by);
	cfg.flags = old.flags;
	memcpy(big, &cfg, sizeof(cfg));
	big[sizeof(cfg)] = 1;
	EXPECT_EQ(-E2BIG, ws_set(p->ws, WS_CONFIG, big, sizeof(big)));
	EXPECT_EQ(-EINVAL, ws_set(p->ws, WS_CONFIG, big, 0));
	EXPECT_EQ(-EFAULT, ws_set(p->ws, WS_CONFIG, (void *)8, sizeof(cfg)));
	EXPECT_TRUE(unchanged(p, &old));
	EXPECT_TRUE(acts_as_before(p, variant->by));
}

TEST_HARNESS_MAIN
