// SPDX-License-Identifier: GPL-2.0-only
/*
 * A peer that breaks RFC 6455: first the messages that were complete, then
 * the errno once, then the end; the right code on the wire; and WS_INFO and
 * the statistics know why.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#define LIMIT	1000

struct offence {
	const char *name;
	int rule;
	int code;		/* 0: no Close goes out */
	int err;
	const char *counter;
	int first;		/* of the frame */
	size_t len;
	const char *body;	/* NULL: the pattern */
	bool wrong_mask;
	int open;		/* a fragment before it, if not 0 */
	const char *header;	/* instead of one made from the above */
	size_t header_len;
};

#define PROTO(n, r, c)							\
	.name = (n), .rule = WS_RULE_ ## r, .code = 1002, .err = EPROTO,	\
	.counter = "WsErr" c

static const struct offence offences[] = {
	{ PROTO("rsv1", RSV, "Rsv"), .first = TEXT | 0x40, .len = 3 },
	{ PROTO("rsv2 on a ping", RSV, "Rsv"), .first = PING | 0x20 },
	{ PROTO("opcode 3", OPCODE, "Opcode"), .first = FIN | 3, .len = 3 },
	{ PROTO("opcode 15", OPCODE, "Opcode"), .first = FIN | 15 },
	{ PROTO("16 bits for 125", LENGTH, "Length"),
	  .header = "\x82\xfe\x00\x7d....", .header_len = 8 },
	{ PROTO("64 bits for 65535", LENGTH, "Length"),
	  .header = "\x82\xff\0\0\0\0\0\0\xff\xff....", .header_len = 14 },
	{ PROTO("2^63", LENGTH, "Length"),
	  .header = "\x82\xff\x80\0\0\0\0\0\0\0....", .header_len = 14 },
	{ PROTO("ping of 126", CONTROL_LENGTH, "ControlLength"),
	  .first = PING, .len = 126 },
	{ PROTO("ping in fragments", CONTROL_FRAGMENT, "ControlFragment"),
	  .first = WS_OP_PING, .len = 1 },
	{ PROTO("continuation of nothing", CONTINUATION, "Continuation"),
	  .first = CONT, .len = 3 },
	{ PROTO("message in a message", INTERLEAVED, "Interleaved"),
	  .first = TEXT, .len = 3, .open = F_TEXT },
	{ PROTO("close of one byte", CLOSE_LENGTH, "CloseLength"),
	  .first = CLOSE, .len = 1 },
	{ PROTO("close 999", CLOSE_CODE, "CloseCode"), .first = CLOSE,
	  .len = 2, .body = "\x03\xe7" },
	{ PROTO("close 1005", CLOSE_CODE, "CloseCode"), .first = CLOSE,
	  .len = 2, .body = "\x03\xed" },
	{ PROTO("close 1006", CLOSE_CODE, "CloseCode"), .first = CLOSE,
	  .len = 5, .body = "\x03\xeexyz" },
	{ PROTO("close 5000", CLOSE_CODE, "CloseCode"), .first = CLOSE,
	  .len = 2, .body = "\x13\x88" },
	{ .name = "close, bad reason", .rule = WS_RULE_CLOSE_UTF8,
	  .code = 1007, .err = EILSEQ, .counter = "WsErrCloseUtf8",
	  .first = CLOSE, .len = 4, .body = "\x03\xe8\xc3(" },
	{ .name = "text is not UTF-8", .rule = WS_RULE_UTF8,
	  .code = 1007, .err = EILSEQ, .counter = "WsErrUtf8",
	  .first = TEXT, .len = 5, .body = "ab\xffyz" },
	{ .name = "text ends in a character", .rule = WS_RULE_UTF8,
	  .code = 1007, .err = EILSEQ, .counter = "WsErrUtf8",
	  .first = TEXT, .len = 4, .body = "ab\xe2\x82" },
	{ .name = "second fragment is not UTF-8", .rule = WS_RULE_UTF8,
	  .code = 1007, .err = EILSEQ, .counter = "WsErrUtf8",
	  .first = F_CONT, .len = 2, .body = "\xc0\x80", .open = F_TEXT },
	{ .name = "too big", .rule = WS_RULE_TOO_BIG,
	  .code = 1009, .err = EMSGSIZE, .counter = "WsErrTooBig",
	  .first = BINARY, .len = LIMIT + 1 },
	{ .name = "too big together", .rule = WS_RULE_TOO_BIG,
	  .code = 1009, .err = EMSGSIZE, .counter = "WsErrTooBig",
	  .first = CONT, .len = LIMIT - 9, .open = F_BINARY },
	{ .name = "wrong mask", .rule = WS_RULE_UNMASKED,
	  .code = 1002, .err = EPROTO, .counter = "WsErrUnmasked",
	  .first = TEXT, .len = 3, .wrong_mask = true },
};

FIXTURE(error)
{
	struct pair p;
};

FIXTURE_VARIANT(error)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(error, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(error, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(error)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
}

FIXTURE_TEARDOWN(error)
{
	pair_close(&self->p);
}

static void add_offence(struct bytes *b, const struct pair *p,
			const struct offence *o)
{
	struct pair other = *p;

	if (o->open)
		bytes_frame(b, p, o->open, pattern(0, 10), 10);
	if (o->header && p->role == WS_ROLE_SERVER) {
		bytes_raw(b, o->header, o->header_len);
	} else if (o->header) {
		/* Without the MASK bit and the key. */
		bytes_raw(b, o->header, o->header_len - 4);
		b->p[b->n - o->header_len + 4 + 1] &= 0x7f;
	} else {
		if (o->wrong_mask)
			other.role = !p->role;
		bytes_frame(b, &other, o->first,
			    o->body ? o->body : pattern(0, o->len), o->len);
	}
}

/* Two messages, a PING, and then it: all of them have their effect. */
static bool offend(struct pair *p, const struct offence *o, bool at_once,
		   uint64_t *at)
{
	long long before = ws_stat(o->counter);
	uint64_t offset, low;
	struct bytes b = { 0 };
	struct ws_info info;
	size_t i;

	if (ws_set_max(p, LIMIT))
		return complain("WS_CONFIG");
	bytes_frame(&b, p, TEXT, "one", 3);
	bytes_frame(&b, p, PING, "?", 1);
	bytes_frame(&b, p, BINARY, pattern(0, 300), 300);
	low = b.n;
	add_offence(&b, p, o);
	offset = b.n;
	for (i = 0; !at_once && i < b.n; i++)
		if (!raw_send(p, b.p + i, 1))
			return false;
	if (at_once && !raw_send(p, b.p, b.n))
		return false;
	bytes_free(&b);
	if (!settle(p) || !expect_text(p->ws, "one") ||
	    !expect_message(p->ws, WS_OP_BINARY, pattern(0, 300), 300) ||
	    !expect_error(p->ws, o->err) || !expect_eof(p->ws) ||
	    !expect_eof(p->ws))
		return false;
	if (!expect_frame(p, PONG, "?", 1) || !expect_close(p, o->code, "") ||
	    !expect_fin(p))
		return false;
	info = ws_get_info(p->ws);
	if (info.rule != (__u32)o->rule ||
	    !(info.state & WS_STATE_FAILED) || info.close_sent != o->code)
		return complain("WS_INFO: rule %u state %x close %u", info.rule,
				info.state, info.close_sent);
	if (info.fault_offset < low || info.fault_offset > offset)
		return complain("WS_INFO: fault at %llu, not %llu to %llu",
				0ULL + info.fault_offset, 0ULL + low,
				0ULL + offset);
	*at = info.fault_offset;
	if (ws_send(p->ws, WS_OP_TEXT, "a", 1, 0) != -EPIPE)
		return complain("a send after the fault");
	if (ws_stat(o->counter) != before + 1)
		return complain("%s did not go up by one", o->counter);
	return true;
}

/* The place of the fault does not depend on how TCP cut the stream. */
static bool same_place(int family, __u32 role, const struct offence *o,
		       uint64_t place)
{
	struct pair p;
	uint64_t at;
	bool ok;

	if (!pair_open(&p, family, role))
		return false;
	ok = offend(&p, o, true, &at);
	pair_close(&p);
	return ok && (at == place ||
		      complain("fault at %llu or at %llu", 0ULL + at,
			       0ULL + place));
}

static bool every_offence(int family, __u32 role, bool at_once)
{
	bool ok = true;
	uint64_t at;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(offences); i++) {
		struct offence o = offences[i];
		struct pair p;

		if (o.wrong_mask && role == WS_ROLE_CLIENT) {
			o.rule = WS_RULE_MASKED;
			o.counter = "WsErrMasked";
		}
		if (!pair_open(&p, family, role))
			return false;
		if (!offend(&p, &o, at_once, &at) ||
		    (!at_once && !same_place(family, role, &o, at)))
			ok = complain("^^^ %s", o.name);
		pair_close(&p);
	}
	return ok;
}

TEST_F_TIMEOUT(error, every_rule, 60)
{
	EXPECT_TRUE(every_offence(variant->family, variant->role, true));
}

TEST_F_TIMEOUT(error, every_rule_byte_by_byte, 90)
{
	EXPECT_TRUE(every_offence(variant->family, variant->role, false));
}

/* Section 8.1: text is judged as it comes, not only when it is all there. */
TEST_F(error, bad_text_is_noticed_at_once)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_frame(&b, p, TEXT, "ab\xed\xa0 and then much more", 24);
	ASSERT_TRUE(raw_send(p, b.p, b.n - 21));
	ASSERT_TRUE(settle(p));
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
	ASSERT_TRUE(raw_send(p, b.p + b.n - 21, 1));
	bytes_free(&b);
	EXPECT_TRUE(expect_error(p->ws, EILSEQ));
	EXPECT_TRUE(expect_close(p, 1007, ""));
}

/* A message that will be too big is refused before its payload comes. */
TEST_F(error, too_big_is_noticed_at_once)
{
	unsigned char head[14], key[4] = { 1, 2, 3, 4 };
	struct pair *p = &self->p;
	size_t n;

	n = frame_header(head, BINARY, WS_MAX_MESSAGE_DEFAULT + 1,
			 p->role == WS_ROLE_SERVER ? key : NULL);
	ASSERT_TRUE(raw_send(p, head, n));
	EXPECT_TRUE(expect_error(p->ws, EMSGSIZE));
	EXPECT_TRUE(expect_close(p, 1009, ""));
}

/* Characters may be cut by fragments and by segments. */
TEST_F(error, good_text_cut_anywhere)
{
	static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
	size_t len = sizeof(text) - 1, cut, i;
	struct pair *p = &self->p;

	for (cut = 0; cut <= len; cut++) {
		struct bytes b = { 0 };

		bytes_frame(&b, p, F_TEXT, text, cut);
		bytes_frame(&b, p, PING, "\xff", 1);
		bytes_frame(&b, p, CONT, text + cut, len - cut);
		for (i = 0; i < b.n; i++)
			ASSERT_TRUE(raw_send(p, b.p + i, 1));
		bytes_free(&b);
		EXPECT_TRUE(expect_text(p->ws, text));
	}
}

/* First bytes of characters that the second byte decides about. */
TEST(borders_of_utf8)
{
	static const struct {
		const char *text;
		bool good;
	} texts[] = {
		{ "\xe0\xa0\x80", true }, { "\xe0\x9f\xbf", false },
		{ "\xed\x9f\xbf", true }, { "\xed\xa0\x80", false },
		{ "\xf0\x90\x80\x80", true }, { "\xf0\x8f\xbf\xbf", false },
		{ "\xf4\x8f\xbf\xbf", true }, { "\xf4\x90\x80\x80", false },
		{ "\xf5\x80\x80\x80", false },
	};
	struct pair p;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		ASSERT_TRUE(pair_open(&p, AF_INET, WS_ROLE_SERVER));
		ASSERT_TRUE(raw_frame(&p, TEXT, texts[i].text,
				      strlen(texts[i].text)));
		EXPECT_TRUE(texts[i].good ? expect_text(p.ws, texts[i].text) :
			    expect_error(p.ws, EILSEQ));
		pair_close(&p);
	}
}

/* MSG_PEEK sees the error without using it up. */
TEST_F(error, peek)
{
	struct pair *p = &self->p;
	char buf[8];

	ASSERT_TRUE(raw_frame(p, FIN | 3, "", 0));
	EXPECT_EQ(-EPROTO, ws_recv(p->ws, buf, 8, MSG_PEEK).n);
	EXPECT_EQ(-EPROTO, ws_recv(p->ws, buf, 8, MSG_PEEK).n);
	EXPECT_TRUE(expect_silence(p));
	EXPECT_TRUE(expect_error(p->ws, EPROTO));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_TRUE(expect_close(p, 1002, ""));
}

/* Our own Close went first: no second one, but the errno all the same. */
TEST_F(error, after_our_close)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, ws_send_close(p->ws, 1000, ""));
	ASSERT_TRUE(raw_frame(p, FIN | 3, "", 0));
	EXPECT_TRUE(expect_error(p->ws, EPROTO));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_TRUE(expect_close(p, 1000, ""));
	EXPECT_TRUE(expect_fin(p));
}

/* Nonsense goes on and on: it is thrown away, the peer does not hang. */
TEST_F_TIMEOUT(error, much_after_the_fault, 60)
{
	struct pair *p = &self->p;
	struct sender s;

	ASSERT_TRUE(raw_frame(p, FIN | 3, "", 0));
	ASSERT_TRUE(sender_start(&s, p, BINARY, 4 << 20));
	EXPECT_TRUE(expect_error(p->ws, EPROTO));
	EXPECT_TRUE(sender_join(&s));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_TRUE(expect_close(p, 1002, ""));
}

/* FIN at a message's end and without a Close: the end, and nothing else. */
TEST_F(error, fin_between_messages)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "last", 4));
	ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	EXPECT_TRUE(expect_text(p->ws, "last"));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_EQ(WS_STATE_EOF, ws_get_info(p->ws).state);
	EXPECT_EQ(0, ws_get_info(p->ws).rule);
}

/* Section 7.1.5: FIN inside a frame or a message is a fault, 1006. */
TEST_F(error, truncated)
{
	long long before = ws_stat("WsErrTruncated");
	size_t cut;
	int n = 0;

	for (cut = 1; cut < 100; cut++) {
		struct bytes b = { 0 };
		struct pair p;

		ASSERT_TRUE(pair_open(&p, variant->family, variant->role));
		bytes_frame(&b, &p, TEXT, "whole", 5);
		n = b.n;
		bytes_frame(&b, &p, F_TEXT, "half", 4);
		if (n + cut > b.n)
			break;
		ASSERT_TRUE(raw_send(&p, b.p, n + cut));
		bytes_free(&b);
		ASSERT_EQ(0, shutdown(p.raw, SHUT_WR));
		EXPECT_TRUE(expect_text(p.ws, "whole"));
		EXPECT_TRUE(expect_error(p.ws, EPROTO)) {
			TH_LOG("cut at %zu", cut);
		}
		EXPECT_TRUE(expect_eof(p.ws));
		EXPECT_EQ(WS_RULE_TRUNCATED, ws_get_info(p.ws).rule);
		EXPECT_EQ(before + (long long)cut, ws_stat("WsErrTruncated"));
		pair_close(&p);
	}
	EXPECT_LT(5, cut);
}

/* RST: complete messages first. */
TEST_F(error, reset)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "last", 4));
	ASSERT_TRUE(settle(p));
	/* On kTLS a work starts the parser, and wakes the poller. */
	EXPECT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
	close_reset(&p->raw);
	ASSERT_TRUE(poll_for(p->ws, POLLHUP, WS_TEST_MS));
	EXPECT_TRUE(expect_text(p->ws, "last"));
	EXPECT_TRUE(expect_error(p->ws, ECONNRESET));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_EQ(-EPIPE, ws_send(p->ws, WS_OP_TEXT, "a", 1, 0));
}

/* A limit takes effect from the next frame on. */
TEST_F(error, limit_is_changed)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, BINARY, pattern(0, 50), 50));
	EXPECT_TRUE(expect_message(p->ws, WS_OP_BINARY, pattern(0, 50), 50));
	ASSERT_EQ(0, ws_set_max(p, 49));
	ASSERT_TRUE(raw_frame(p, BINARY, pattern(0, 49), 49));
	EXPECT_TRUE(expect_message(p->ws, WS_OP_BINARY, pattern(0, 49), 49));
	ASSERT_TRUE(raw_frame(p, BINARY, pattern(0, 50), 50));
	EXPECT_TRUE(expect_error(p->ws, EMSGSIZE));
	EXPECT_TRUE(expect_close(p, 1009, ""));
}

TEST_HARNESS_MAIN
