// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a socket says of itself: poll(), FIONREAD and the counters of WS_INFO
 * and /proc/net/ws_stat after each step of an exchange, to the last one; and
 * each broken rule, for each way to read.
 */
#include "kselftest_harness.h"
#include "ws_reader.h"

#include <sys/ioctl.h>
#include <linux/sockios.h>

FIXTURE(states)
{
	struct pair p;
};

FIXTURE_VARIANT(states)
{
	__u32 role;
	enum reader by;
};

READER_VARIANTS(states);

FIXTURE_SETUP(states)
{
	ASSERT_TRUE(pair_open(&self->p, AF_INET, variant->role));
	ASSERT_TRUE(reader_set(&self->p, variant->by, (struct ws_config){
				.max_message = 1000 }));
	ASSERT_TRUE(reader_begin(&self->p, variant->by));
}

FIXTURE_TEARDOWN(states)
{
	pair_close(&self->p);
}

#define EVENTS	(POLLIN | POLLOUT | POLLRDHUP | POLLERR | POLLHUP)

/* poll() says this, and both ioctls say so many bytes. */
static bool says(struct pair *p, int events, int bytes)
{
	int n = -1, m = -1;

	if (ioctl(p->ws, FIONREAD, &n) || ioctl(p->ws, SIOCINQ, &m))
		return complain("FIONREAD: %s", strerror(errno));
	return (poll_now(p->ws, EVENTS) == events && n == bytes && m == bytes) ||
	       complain("poll() is %x, FIONREAD %d and %d, not %x and %d",
			poll_now(p->ws, EVENTS), n, m, events, bytes);
}

static bool bytes_come(struct pair *p, struct bytes *b)
{
	return raw_send_bytes(p, b) && settle(p);
}

/* Nothing, a part, all, a part of it read, a Close, its end. */
TEST_F(states, poll_and_fionread)
{
	bool told = sees_opcodes(variant->by);
	bool records = variant->by == BY_RECORDS;
	enum reader by = variant->by;
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	EXPECT_TRUE(says(p, POLLOUT, 0));
	bytes_frame(&b, p, F_TEXT, pattern(0, 20), 20);
	ASSERT_TRUE(bytes_come(p, &b));
	EXPECT_TRUE(says(p, POLLOUT, 0));
	bytes_frame(&b, p, PING, "", 0);
	bytes_frame(&b, p, F_CONT, pattern(20, 9), 9);
	ASSERT_TRUE(bytes_come(p, &b));
	EXPECT_TRUE(says(p, POLLOUT, 0));
	bytes_frame(&b, p, CONT, "", 0);
	ASSERT_TRUE(bytes_come(p, &b));
	EXPECT_TRUE(says(p, POLLIN | POLLOUT, reader_room(by, 29)));
	ASSERT_EQ(records ? 24 : 16,
		  reader_call(p, by, records ? 24 : 16, MSG_PEEK).n);
	EXPECT_TRUE(says(p, POLLIN | POLLOUT, reader_room(by, 29)));
	ASSERT_EQ(records ? 24 : 16, reader_call(p, by, records ? 24 : 16, 0).n);
	EXPECT_TRUE(says(p, POLLIN | POLLOUT, reader_room(by, 13)));
	bytes_frame(&b, p, BINARY, pattern(0, 500), 500);
	bytes_close(&b, p, 3000, "a reason of 22 bytes..");
	ASSERT_TRUE(bytes_come(p, &b));
	EXPECT_TRUE(says(p, POLLIN | POLLOUT, reader_room(by, 13)));
	ASSERT_EQ((ssize_t)reader_room(by, 13),
		  reader_call(p, by, reader_room(by, 13), 0).n);
	EXPECT_TRUE(says(p, POLLIN | POLLOUT, reader_room(by, 500)));
	ASSERT_EQ((ssize_t)reader_room(by, 500), reader_call(p, by, 2000, 0).n);

	/* The Close is no data, but a record. */
	EXPECT_TRUE(says(p, POLLIN | POLLOUT | POLLRDHUP, records ? 32 : 0));
	EXPECT_EQ(0, ws_get_info(p->ws).state);
	ASSERT_EQ(records ? 16 : told ? 8 : 0,
		  reader_call(p, by, records ? 16 : 8, 0).n);
	EXPECT_EQ(POLLIN | POLLRDHUP,
		  poll_now(p->ws, POLLIN | POLLRDHUP | POLLERR));
	if (told) {
		struct given g;
		int n;

		ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
		EXPECT_EQ(records ? 24 : 0, n);
		g = reader_call(p, by, 200, 0);
		ASSERT_EQ(records ? 24 : 14, g.n);
		ASSERT_EQ(1, g.count);
		EXPECT_EQ(0, memcmp(g.at[0], " of 22 bytes..", 14));
		EXPECT_EQ(WS_MSG_END, g.m[0].flags);
		EXPECT_EQ(3000, g.m[0].code);
		EXPECT_EQ(MSG_EOR, g.flags);
		ASSERT_EQ(0, ioctl(p->ws, FIONREAD, &n));
		EXPECT_EQ(0, n);
	}
	EXPECT_EQ(0, reader_call(p, by, 100, 0).n);
	EXPECT_EQ(WS_STATE_CLOSE_RECEIVED | WS_STATE_CLOSE_SENT,
		  ws_get_info(p->ws).state & ~WS_STATE_EOF);
	EXPECT_TRUE(expect_frame(p, PONG, "", 0));
	EXPECT_TRUE(expect_close(p, 3000, ""));
}

static const char *const stats[] = {
	"WsCurrSockets", "WsCurrTlsPages", "WsAttached", "WsAttachedTls",
	"WsTlsErrors", "WsRxMessages", "WsRxBytes", "WsRxPieces", "WsRxPing",
	"WsRxPong", "WsRxClose", "WsTxMessages", "WsTxBytes", "WsTxReferenced",
	"WsTxPing", "WsTxPong", "WsTxClose", "WsPongDropped", "WsNoMemory",
	"WsCurrLingering", "WsLingerDropped", "WsErrRsv", "WsErrOpcode",
	"WsErrLength", "WsErrUnmasked", "WsErrMasked", "WsErrControlLength",
	"WsErrControlFragment", "WsErrContinuation", "WsErrInterleaved",
	"WsErrCloseLength", "WsErrCloseCode", "WsErrCloseUtf8", "WsErrUtf8",
	"WsErrTooBig", "WsErrTruncated", "WsErrStream", "WsErrPingTimeout",
	"WsErrAssemblyTimeout", "WsErrCloseTimeout",
};

#define NSTATS	ARRAY_SIZE(stats)

struct counters {
	long long stat[NSTATS];
	struct ws_info info;
};

static struct counters count_all(struct pair *p)
{
	struct counters c;
	long long value;
	char word[64];
	size_t i;
	FILE *f;

	/* First: it has what waits for a reader looked at. */
	c.info = ws_get_info(p->ws);
	memset(c.stat, -1, sizeof(c.stat));
	f = fopen("/proc/net/ws_stat", "r");
	while (f && fscanf(f, "%63s %lld", word, &value) == 2)
		for (i = 0; i < NSTATS; i++)
			if (!strcmp(stats[i], word))
				c.stat[i] = value;
	if (f)
		fclose(f);
	return c;
}

static void add(struct counters *c, const char *name, long long n)
{
	size_t i;

	for (i = 0; i < NSTATS; i++)
		if (!strcmp(stats[i], name)) {
			c->stat[i] += n;
			return;
		}
	complain("no counter %s", name);
}

/* All of them are what @c says; how often sleepers woke is not said. */
static bool all_are(struct pair *p, const struct counters *c)
{
	struct counters now = count_all(p);
	bool ok = true;
	size_t i;

	for (i = 0; i < NSTATS; i++)
		if (now.stat[i] != c->stat[i] &&
		    strcmp(stats[i], "WsCurrTlsPages"))
			ok = complain("%s is %lld, not %lld", stats[i],
				      now.stat[i], c->stat[i]);
	now.info.wakeups = c->info.wakeups;
	for (i = 0; i < sizeof(now.info); i += 4)
		if (memcmp((char *)&now.info + i, (char *)&c->info + i, 4))
			ok = complain("WS_INFO differs at %zu: %u, not %u", i,
				      *(__u32 *)((char *)&now.info + i),
				      *(__u32 *)((char *)&c->info + i));
	return ok;
}

/* Each event moves its own counters, and no others. */
TEST_F_TIMEOUT(states, counters, 60)
{
	static const struct want w[] = {
		{ WS_OP_TEXT, "one", 3 }, { WS_OP_BINARY, "", 0 },
	};
	unsigned char record[24] = { 5, 0, 0, 0, WS_OP_TEXT, WS_MSG_END };
	bool records = variant->by == BY_RECORDS;
	enum reader by = variant->by;
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	struct counters c;

	c = count_all(p);
	EXPECT_EQ(variant->role, c.info.role);
	/* Arrival alone. */
	bytes_frame(&b, p, PING, "?", 1);
	bytes_frame(&b, p, TEXT, "one", 3);
	bytes_frame(&b, p, PONG, "!", 1);
	bytes_frame(&b, p, PONG, "!", 1);
	bytes_frame(&b, p, BINARY, "", 0);
	ASSERT_TRUE(bytes_come(p, &b));
	ASSERT_TRUE(expect_frame(p, PONG, "?", 1));
	add(&c, "WsRxPing", 1);
	add(&c, "WsTxPong", 1);
	add(&c, "WsRxPong", 2);
	c.info.rx_pings++;
	c.info.tx_pongs++;
	c.info.rx_pongs += 2;
	EXPECT_TRUE(all_are(p, &c));
	EXPECT_TRUE(reader_gets(p, by, w, 2, false, MSG_PEEK));
	EXPECT_TRUE(all_are(p, &c));
	EXPECT_TRUE(reader_gets(p, by, w, 2, false, 0));
	add(&c, "WsRxMessages", 2);
	add(&c, "WsRxBytes", 3);
	c.info.rx_messages += 2;
	c.info.rx_bytes += 3;
	c.info.rx_calls += reads_many(by) ? 1 : 2;
	EXPECT_TRUE(all_are(p, &c));
	EXPECT_TRUE(reader_idle(p, by));
	EXPECT_TRUE(all_are(p, &c));

	/* A message in two pieces. */
	bytes_frame(&b, p, TEXT, pattern(0, 12), 12);
	ASSERT_TRUE(bytes_come(p, &b));
	ASSERT_EQ(records ? 16 : 8, reader_call(p, by, records ? 16 : 8, 0).n);
	add(&c, "WsRxBytes", 8);
	add(&c, "WsRxPieces", 1);
	c.info.rx_bytes += 8;
	c.info.rx_calls++;
	EXPECT_TRUE(all_are(p, &c));
	ASSERT_EQ(records ? 16 : 4, reader_call(p, by, 100, 0).n);
	add(&c, "WsRxBytes", 4);
	add(&c, "WsRxMessages", 1);
	c.info.rx_bytes += 4;
	c.info.rx_messages++;
	c.info.rx_calls++;
	EXPECT_TRUE(all_are(p, &c));

	/* One message out. */
	memcpy(record + 8, "reply", 5);
	ASSERT_EQ(records ? 16 : 5, records ? send(p->ws, record, 16, 0) :
		  send(p->ws, "reply", 5, 0));
	ASSERT_TRUE(expect_frame(p, records ? TEXT : BINARY, "reply", 5));
	add(&c, "WsTxMessages", 1);
	add(&c, "WsTxBytes", 5);
	c.info.tx_messages++;
	c.info.tx_bytes += 5;
	c.info.tx_calls++;
	EXPECT_TRUE(all_are(p, &c));

	/* A Close is counted when it comes; what it means, when it is read. */
	bytes_close(&b, p, 4001, "");
	ASSERT_TRUE(bytes_come(p, &b));
	add(&c, "WsRxClose", 1);
	EXPECT_TRUE(all_are(p, &c));
	ASSERT_EQ(records ? 8 : 0, reader_call(p, by, 100, MSG_PEEK).n);
	EXPECT_TRUE(all_are(p, &c));
	ASSERT_EQ(records ? 8 : 0, reader_call(p, by, 100, 0).n);
	ASSERT_TRUE(expect_close(p, 4001, ""));
	add(&c, "WsTxClose", 1);
	c.info.state = WS_STATE_CLOSE_SENT | WS_STATE_CLOSE_RECEIVED;
	c.info.close_sent = 4001;
	c.info.close_received = 4001;
	EXPECT_TRUE(all_are(p, &c));
}

struct broken {
	const char *counter;
	int rule, err, code;
	int first;		/* of the frame */
	const char *body;
	size_t len;
	int open;		/* of a fragment before it, if not 0 */
	bool other_mask;
};

#define FRAME(f, b, n)	.first = (f), .body = (b), .len = (n)
#define PROTO(name, r)						\
	.counter = "WsErr" name, .rule = WS_RULE_ ## r, .err = EPROTO, .code = 1002
#define NO_TEXT(name, r)						\
	.counter = "WsErr" name, .rule = WS_RULE_ ## r, .err = EILSEQ, .code = 1007

static const struct broken rules[] = {
	{ PROTO("Rsv", RSV), FRAME(TEXT | 0x10, "abc", 3) },
	{ PROTO("Rsv", RSV), FRAME(BINARY | 0x40, "abc", 3) },
	{ PROTO("Opcode", OPCODE), FRAME(FIN | 3, "abc", 3) },
	{ PROTO("Opcode", OPCODE), FRAME(FIN | 11, "abc", 3) },
	{ PROTO("ControlFragment", CONTROL_FRAGMENT), FRAME(WS_OP_PONG, "abc", 3) },
	{ PROTO("Continuation", CONTINUATION), FRAME(CONT, "abc", 3) },
	{ PROTO("Interleaved", INTERLEAVED), FRAME(BINARY, "abc", 3), .open = F_TEXT },
	{ PROTO("CloseLength", CLOSE_LENGTH), FRAME(CLOSE, "a", 1) },
	{ PROTO("CloseCode", CLOSE_CODE), FRAME(CLOSE, "\x03\xec", 2) },
	{ NO_TEXT("CloseUtf8", CLOSE_UTF8), FRAME(CLOSE, "\x03\xe8\x80", 3) },
	{ NO_TEXT("Utf8", UTF8), FRAME(TEXT, "ab\xed\xa0\x80xyz", 8) },
	{ NO_TEXT("Utf8", UTF8), FRAME(TEXT, "ab\xe2\x82", 4) },
	{ NO_TEXT("Utf8", UTF8), FRAME(CONT, "\x80", 1), .open = F_TEXT },
	{ PROTO("", NONE), FRAME(TEXT, "abc", 3), .other_mask = true },
};

/* Errno, Close, rule, counter and the very byte, behind a message or alone. */
TEST_F_TIMEOUT(states, broken_rules, 120)
{
	static const struct want before = { WS_OP_BINARY, "before", 6 };
	enum reader by = variant->by;
	size_t i, at;
	int behind;

	for (i = 0; i < 2 * ARRAY_SIZE(rules); i++) {
		struct broken r = rules[i / 2];
		struct bytes b = { 0 };
		struct pair p, other;
		struct counters c;

		behind = i & 1;
		if (r.other_mask) {
			r.rule = variant->role == WS_ROLE_SERVER ?
				WS_RULE_UNMASKED : WS_RULE_MASKED;
			r.counter = variant->role == WS_ROLE_SERVER ?
				"WsErrUnmasked" : "WsErrMasked";
		}
		ASSERT_TRUE(pair_open(&p, AF_INET, variant->role));
		ASSERT_TRUE(reader_set(&p, by, (struct ws_config){}));
		ASSERT_TRUE(reader_begin(&p, by));
		c = count_all(&p);
		if (behind)
			bytes_frame(&b, &p, BINARY, "before", 6);
		if (r.open)
			bytes_frame(&b, &p, r.open, "open", 4);
		at = b.n;
		other = p;
		if (r.other_mask)
			other.role = !p.role;
		bytes_frame(&b, &other, r.first, r.body, r.len);
		/* So that no path finds it too short to look at. */
		bytes_frame(&b, &p, TEXT, "never", 5);
		ASSERT_TRUE(bytes_come(&p, &b));
		if (behind) {
			EXPECT_TRUE(reader_gets(&p, by, &before, 1, true, 0));
			add(&c, "WsRxMessages", 1);
			add(&c, "WsRxBytes", 6);
			c.info.rx_messages++;
			c.info.rx_bytes += 6;
			c.info.rx_calls++;
		}
		EXPECT_TRUE(says(&p, POLLIN | POLLOUT | POLLRDHUP, 0));
		add(&c, r.counter, 1);
		EXPECT_TRUE(all_are(&p, &c));
		EXPECT_TRUE(reader_ends(&p, by, r.err, r.code)) {
			TH_LOG("%s, behind %d", r.counter, behind);
		}
		add(&c, "WsTxClose", 1);
		c.info.state = WS_STATE_FAILED | WS_STATE_CLOSE_SENT;
		c.info.rule = r.rule;
		c.info.close_sent = r.code;
		c.info.fault_offset = at;
		EXPECT_TRUE(all_are(&p, &c)) {
			TH_LOG("%s, behind %d", r.counter, behind);
		}
		EXPECT_EQ(-1, send(p.ws, "a", 1, MSG_NOSIGNAL));
		EXPECT_EQ(EPIPE, errno);
		pair_close(&p);
		ASSERT_TRUE(stat_becomes("WsCurrLingering", 0));
	}
}

TEST_HARNESS_MAIN
