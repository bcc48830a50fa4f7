// SPDX-License-Identifier: GPL-2.0-only
/* Tests of kmod/core/hdr.c: RFC 6455 sections 5.1 to 5.5. */
#include "core_test.h"

/* Section 5.2, "Payload length": each edge of each of the three forms. */
static const struct {
	u64 len;
	u8 bytes[9];	/* length byte without MASK, then the extension */
	size_t n;
} lengths[] = {
	{ 0, { 0 }, 1 },
	{ 1, { 1 }, 1 },
	{ 125, { 125 }, 1 },
	{ 126, { 126, 0, 126 }, 3 },
	{ 127, { 126, 0, 127 }, 3 },
	{ 255, { 126, 0, 255 }, 3 },
	{ 256, { 126, 1, 0 }, 3 },
	{ 65535, { 126, 255, 255 }, 3 },
	{ 65536, { 127, 0, 0, 0, 0, 0, 1, 0, 0 }, 9 },
	{ 65537, { 127, 0, 0, 0, 0, 0, 1, 0, 1 }, 9 },
	{ 0x7fffffff, { 127, 0, 0, 0, 0, 127, 255, 255, 255 }, 9 },
	{ 0x80000000, { 127, 0, 0, 0, 0, 128, 0, 0, 0 }, 9 },
	{ 0xffffffff, { 127, 0, 0, 0, 0, 255, 255, 255, 255 }, 9 },
	{ 0x100000000, { 127, 0, 0, 0, 1, 0, 0, 0, 0 }, 9 },
	{ 0x0102030405060708, { 127, 1, 2, 3, 4, 5, 6, 7, 8 }, 9 },
	{ 0x7fffffffffffffff,
	  { 127, 127, 255, 255, 255, 255, 255, 255, 255 }, 9 },
};

static const u8 key_bytes[4] = { 0x37, 0xfa, 0x21, 0x3d };

static u32 test_key(void)
{
	u32 key;

	memcpy(&key, key_bytes, 4);
	return key;
}

/* Writes what the RFC asks for, without the core. */
static size_t expected_header(u8 *p, size_t i, u8 first, bool masked)
{
	size_t n = 1 + lengths[i].n;

	p[0] = first;
	memcpy(p + 1, lengths[i].bytes, lengths[i].n);
	if (masked) {
		p[1] |= 0x80;
		memcpy(p + n, key_bytes, 4);
		n += 4;
	}
	return n;
}

static void parse_one(size_t i, u8 first, bool masked)
{
	u8 wire[WS_HDR_MAX + 8];
	struct ws_hdr hdr;
	size_t n, cut;
	int ret;

	n = expected_header(wire, i, first, masked);
	for (cut = 0; cut < n; cut++) {
		u8 *p = exact(wire, cut);

		CHECK_MSG(!ws_hdr_parse(p, cut, &hdr),
			  "length %llu cut at %zu", lengths[i].len + 0ULL, cut);
		free(p);
	}
	/* Whatever follows the header does not change it. */
	memset(wire + n, 0xff, sizeof(wire) - n);
	for (cut = n; cut <= sizeof(wire); cut++) {
		u8 *p = exact(wire, cut);

		memset(&hdr, 0xaa, sizeof(hdr));
		ret = ws_hdr_parse(p, cut, &hdr);
		CHECK_MSG(ret == (int)n, "length %llu: %d",
			  lengths[i].len + 0ULL, ret);
		CHECK(hdr.len == lengths[i].len);
		CHECK(hdr.opcode == (first & 0x0f));
		CHECK(hdr.rsv == (first & 0x70));
		CHECK(hdr.fin == !!(first & 0x80));
		CHECK(hdr.masked == masked);
		CHECK(hdr.key == (masked ? test_key() : 0));
		free(p);
	}
}

static void hdr_parse__every_edge_and_cut(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		parse_one(i, 0x82, false);
		parse_one(i, 0x82, true);
	}
}

static void hdr_parse__every_first_byte(void)
{
	unsigned int first;
	u8 p[2] = { 0, 5 };
	struct ws_hdr hdr;

	for (first = 0; first < 256; first++) {
		p[0] = first;
		if ((first & 0x88) == 0x08) {
			CHECK(ws_hdr_parse(p, 2, &hdr) ==
			      -WS_RULE_CONTROL_FRAGMENT);
			continue;
		}
		parse_one(0, first, true);
		parse_one(2, first, false);
	}
}

/* Section 5.2: "the minimal number of bytes MUST be used". */
static void hdr_parse__not_minimal(void)
{
	static const u64 too_small16[] = { 0, 1, 125 };
	static const u64 too_small64[] = { 0, 1, 125, 126, 255, 65535 };
	struct ws_hdr hdr;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(too_small16); i++) {
		u8 p[4] = { 0x82, 126, 0, too_small16[i] };

		for (n = 0; n < 4; n++)
			CHECK(!ws_hdr_parse(p, n, &hdr));
		CHECK(ws_hdr_parse(p, 4, &hdr) == -WS_RULE_LENGTH);
		/* Known before the key is there. */
		p[1] |= 0x80;
		CHECK(ws_hdr_parse(p, 4, &hdr) == -WS_RULE_LENGTH);
	}
	for (i = 0; i < ARRAY_SIZE(too_small64); i++) {
		u8 p[10] = { 0x82, 127 };

		p[8] = too_small64[i] >> 8;
		p[9] = too_small64[i];
		for (n = 0; n < 10; n++)
			CHECK(!ws_hdr_parse(p, n, &hdr));
		CHECK(ws_hdr_parse(p, 10, &hdr) == -WS_RULE_LENGTH);
	}
}

/* Section 5.2: "the most significant bit MUST be 0". */
static void hdr_parse__63_bits(void)
{
	u8 p[10] = { 0x81, 127, 0x80 };
	struct ws_hdr hdr;

	CHECK(ws_hdr_parse(p, 10, &hdr) == -WS_RULE_LENGTH);
	memset(p + 2, 0xff, 8);
	CHECK(ws_hdr_parse(p, 10, &hdr) == -WS_RULE_LENGTH);
	p[2] = 0x7f;
	CHECK(ws_hdr_parse(p, 10, &hdr) == 10);
	CHECK(hdr.len == 0x7fffffffffffffffULL);
}

/* Section 5.5: control frames are short and whole; two bytes show it. */
static void hdr_parse__control(void)
{
	struct ws_hdr hdr;
	unsigned int op, len;

	for (op = 0x8; op <= 0xf; op++) {
		for (len = 0; len <= 127; len++) {
			u8 p[2] = { 0x80 | op, len };
			int want = len > 125 ? -WS_RULE_CONTROL_LENGTH : 2;

			CHECK(ws_hdr_parse(p, 2, &hdr) == want);
			p[0] = op;
			want = len > 125 ? -WS_RULE_CONTROL_LENGTH :
			       -WS_RULE_CONTROL_FRAGMENT;
			CHECK(ws_hdr_parse(p, 2, &hdr) == want);
		}
	}
}

static void hdr_build__every_edge(void)
{
	u8 want[WS_HDR_MAX], got[WS_HDR_MAX + 1];
	unsigned int i, masked, first;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (masked = 0; masked < 2; masked++) {
			for (first = 0; first < 256; first++) {
				struct ws_hdr hdr = {
					.len = lengths[i].len,
					.key = test_key(),
					.opcode = first & 0x0f,
					.rsv = first & 0x70,
					.fin = first & 0x80,
					.masked = masked,
				};
				size_t n;

				n = expected_header(want, i, first, masked);
				memset(got, 0x5a, sizeof(got));
				CHECK(ws_hdr_build(got, &hdr) == n);
				CHECK(!memcmp(got, want, n));
				CHECK(got[n] == 0x5a);
				CHECK(ws_hdr_size(hdr.len, masked) == n);
			}
		}
	}
}

static void op_is_control__all(void)
{
	unsigned int op;

	for (op = 0; op < 16; op++)
		CHECK(ws_op_is_control(op) == (op >= 8));
}

/* The sections' rules in the order in which one after the other applies. */
static enum ws_rule expected_rule(const struct ws_seq *seq,
				  const struct ws_hdr *hdr, u32 role, u8 rsv)
{
	bool first = hdr->opcode == 1 || hdr->opcode == 2;

	if (hdr->rsv & ~(first ? rsv : 0))
		return WS_RULE_RSV;
	if (role == WS_ROLE_SERVER && !hdr->masked)
		return WS_RULE_UNMASKED;
	if (role == WS_ROLE_CLIENT && hdr->masked)
		return WS_RULE_MASKED;
	if ((hdr->opcode >= 3 && hdr->opcode <= 7) || hdr->opcode >= 11)
		return WS_RULE_OPCODE;
	if (hdr->opcode >= 8)
		return WS_RULE_NONE;
	if (hdr->opcode == 0 && !seq->opcode)
		return WS_RULE_CONTINUATION;
	if (hdr->opcode != 0 && seq->opcode)
		return WS_RULE_INTERLEAVED;
	return WS_RULE_NONE;
}

static void every_bit(u8 op, u8 rsv, u8 allowed)
{
	unsigned int bits;

	for (bits = 0; bits < 32; bits++) {
		struct ws_hdr hdr = {
			.len = 3, .opcode = op, .rsv = rsv,
			.fin = bits & 1, .masked = bits & 2,
		};
		struct ws_seq seq = {
			.len = bits & 8 ? 7 : 0,
			.opcode = bits & 8 ? 1 + !!(bits & 16) : 0,
		};
		u32 role = bits & 4 ? WS_ROLE_CLIENT : WS_ROLE_SERVER;

		CHECK_MSG(ws_seq_check(&seq, &hdr, role, allowed, 100) ==
			  expected_rule(&seq, &hdr, role, allowed),
			  "op %u rsv %02x of %02x bits %u", op, rsv, allowed,
			  bits);
	}
}

/* RFC 7692 section 6: RSV1 on the first frame of a message, nowhere else. */
static void seq_check__every_combination(void)
{
	unsigned int op, rsv, allowed;

	for (op = 0; op < 16; op++)
		for (rsv = 0; rsv <= WS_RSV_MASK; rsv += 0x10)
			for (allowed = 0; allowed <= WS_RSV_MASK;
			     allowed += 0x10)
				every_bit(op, rsv, allowed);
}

/* The limit is on the whole message, and no sum wraps around. */
static void seq_check__limit(void)
{
	static const struct {
		u64 have, len, max;
		bool ok;
	} cases[] = {
		{ 0, 0, 1, true },
		{ 0, 1, 1, true },
		{ 0, 2, 1, false },
		{ 1, 0, 1, true },
		{ 1, 1, 1, false },
		{ 60, 40, 100, true },
		{ 60, 41, 100, false },
		{ 0, 0x7fffffffffffffff, WS_MAX_MESSAGE_NONE, true },
		{ 0, 0x7fffffffffffffff, 0x7fffffffffffffff, true },
		{ 0, 0x7fffffffffffffff, 0x7ffffffffffffffe, false },
		{ 0x7fffffffffffffff, 0x7fffffffffffffff,
		  WS_MAX_MESSAGE_NONE, true },
		{ 0xfffffffffffffffe, 1, WS_MAX_MESSAGE_NONE, true },
		{ 0xfffffffffffffffe, 2, WS_MAX_MESSAGE_NONE, false },
		{ 0xfffffffffffffffe, 0x7fffffffffffffff,
		  WS_MAX_MESSAGE_NONE, false },
		{ 0xffffffff, 1, 0xffffffff, false },
		/* The limit was lowered in the middle of the message. */
		{ 50, 0, 10, false },
		{ 50, 5, 10, false },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ws_seq seq = {
			.len = cases[i].have,
			.opcode = WS_OP_BINARY,
		};
		struct ws_hdr hdr = {
			.len = cases[i].len,
			.opcode = WS_OP_CONT,
			.masked = true,
		};
		enum ws_rule want = cases[i].ok ? WS_RULE_NONE
						: WS_RULE_TOO_BIG;

		CHECK_MSG(ws_seq_check(&seq, &hdr, WS_ROLE_SERVER, 0,
				       cases[i].max) == want, "case %zu", i);
		if (cases[i].have)
			continue;
		seq.opcode = 0;
		hdr.opcode = WS_OP_TEXT;
		CHECK_MSG(ws_seq_check(&seq, &hdr, WS_ROLE_SERVER, 0,
				       cases[i].max) == want, "case %zu", i);
	}
}

/* Control frames are no part of a message, so of no limit either. */
static void seq_check__control_has_no_limit(void)
{
	struct ws_seq seq = { .len = 9, .opcode = WS_OP_TEXT };
	struct ws_hdr hdr = { .len = 125, .opcode = WS_OP_PING, .fin = true };

	CHECK(!ws_seq_check(&seq, &hdr, WS_ROLE_CLIENT, 0, 10));
}

static void seq_frame__message(void)
{
	struct ws_seq seq = { 0 };
	struct ws_hdr hdr = { .len = 5, .opcode = WS_OP_TEXT };

	ws_seq_frame(&seq, &hdr);
	CHECK(seq.opcode == WS_OP_TEXT && seq.len == 5);
	hdr.opcode = WS_OP_PING;
	hdr.fin = true;
	ws_seq_frame(&seq, &hdr);
	CHECK(seq.opcode == WS_OP_TEXT && seq.len == 5);
	hdr.opcode = WS_OP_CONT;
	hdr.fin = false;
	hdr.len = 7;
	ws_seq_frame(&seq, &hdr);
	CHECK(seq.opcode == WS_OP_TEXT && seq.len == 12);
	hdr.len = 0;
	ws_seq_frame(&seq, &hdr);
	CHECK(seq.opcode == WS_OP_TEXT && seq.len == 12);
	hdr.fin = true;
	ws_seq_frame(&seq, &hdr);
	CHECK(seq.opcode == 0 && seq.len == 0);
	hdr.opcode = WS_OP_BINARY;
	hdr.len = 3;
	ws_seq_frame(&seq, &hdr);
	CHECK(seq.opcode == 0 && seq.len == 0);
	hdr.fin = false;
	ws_seq_frame(&seq, &hdr);
	CHECK(seq.opcode == WS_OP_BINARY && seq.len == 3);
}

#define T(name) { #name, name }

const struct core_test hdr_tests[] = {
	T(hdr_parse__every_edge_and_cut),
	T(hdr_parse__every_first_byte),
	T(hdr_parse__not_minimal),
	T(hdr_parse__63_bits),
	T(hdr_parse__control),
	T(hdr_build__every_edge),
	T(op_is_control__all),
	T(seq_check__every_combination),
	T(seq_check__limit),
	T(seq_check__control_has_no_limit),
	T(seq_frame__message),
	{ NULL, NULL },
};
