// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tests of kmod/core/utf8.c. The oracle is brute force: every character of
 * RFC 3629 is encoded by the table of its section 3, and the proper prefixes
 * of the results are all that may stand at the end of unfinished text.
 */
#include "core_test.h"

static const u8 key_bytes[4] = { 0x80, 0x3c, 0xff, 0x11 };

static u8 inside1[0x100], inside2[0x10000], inside3[0x1000000];
static u8 whole1[0x100], whole2[0x10000], whole3[0x1000000];

static size_t encode(u8 *p, u32 c)
{
	if (c < 0x80) {
		p[0] = c;
		return 1;
	}
	if (c < 0x800) {
		p[0] = 0xc0 | c >> 6;
		p[1] = 0x80 | (c & 0x3f);
		return 2;
	}
	if (c < 0x10000) {
		p[0] = 0xe0 | c >> 12;
		p[1] = 0x80 | (c >> 6 & 0x3f);
		p[2] = 0x80 | (c & 0x3f);
		return 3;
	}
	p[0] = 0xf0 | c >> 18;
	p[1] = 0x80 | (c >> 12 & 0x3f);
	p[2] = 0x80 | (c >> 6 & 0x3f);
	p[3] = 0x80 | (c & 0x3f);
	return 4;
}

static void build_oracle(void)
{
	u8 p[4];
	u32 c;

	for (c = 0; c <= 0x10ffff; c++) {
		size_t n;

		if (c >= 0xd800 && c <= 0xdfff)
			continue;
		n = encode(p, c);
		if (n == 1)
			whole1[p[0]] = 1;
		else
			inside1[p[0]] = 1;
		if (n == 2)
			whole2[p[0] << 8 | p[1]] = 1;
		else if (n > 2)
			inside2[p[0] << 8 | p[1]] = 1;
		if (n == 3)
			whole3[p[0] << 16 | p[1] << 8 | p[2]] = 1;
		else if (n > 3)
			inside3[p[0] << 16 | p[1] << 8 | p[2]] = 1;
	}
}

enum verdict { WHOLE, INSIDE, BAD };

static enum verdict verdict(u8 state)
{
	if (state == WS_UTF8_OK)
		return WHOLE;
	return state == WS_UTF8_BAD ? BAD : INSIDE;
}

static enum verdict expected(bool whole, bool inside)
{
	return whole ? WHOLE : inside ? INSIDE : BAD;
}

/*
 * Every sequence of up to three bytes, and every fourth byte behind every
 * three that may begin a character.
 */
static void utf8__every_sequence(void)
{
	u32 a, b, c, d;

	build_oracle();
	for (a = 0; a < 256; a++) {
		u8 p[4] = { a };
		u8 s1 = ws_utf8(WS_UTF8_OK, p, 1, 0);

		CHECK_MSG(verdict(s1) == expected(whole1[a], inside1[a]),
			  "%02x", a);
		if (verdict(s1) != INSIDE)
			continue;
		for (b = 0; b < 256; b++) {
			u32 i2 = a << 8 | b;
			u8 s2;

			p[1] = b;
			s2 = ws_utf8(WS_UTF8_OK, p, 2, 0);
			CHECK_MSG(verdict(s2) ==
				  expected(whole2[i2], inside2[i2]),
				  "%02x %02x", a, b);
			if (verdict(s2) != INSIDE)
				continue;
			for (c = 0; c < 256; c++) {
				u32 i3 = i2 << 8 | c;
				u8 s3;

				p[2] = c;
				s3 = ws_utf8(WS_UTF8_OK, p, 3, 0);
				CHECK_MSG(verdict(s3) ==
					  expected(whole3[i3], inside3[i3]),
					  "%02x %02x %02x", a, b, c);
				for (d = 0; d < 256 && verdict(s3) == INSIDE;
				     d++) {
					p[3] = d;
					CHECK(verdict(ws_utf8(WS_UTF8_OK, p, 4,
							      0)) ==
					      ((d & 0xc0) == 0x80 ? WHOLE
								  : BAD));
				}
			}
		}
	}
}

/* RFC 3629 section 4, from the text's start: one character, or none. */
static size_t character(const u8 *p, size_t n)
{
	u8 want[4];
	size_t len, i;
	u32 c;

	len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (len > n)
		return 0;
	c = len == 1 ? p[0] : p[0] & (0x7f >> len);
	for (i = 1; i < len; i++)
		c = c << 6 | (p[i] & 0x3f);
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return encode(want, c) == len && !memcmp(p, want, len) ? len : 0;
}

/* All two and three bytes, whatever the first of them are. */
static void utf8__every_two_and_three_bytes(void)
{
	size_t at, n, len;
	u32 c;

	for (n = 2; n <= 3; n++) {
		for (c = 0; c < 1u << 8 * n; c++) {
			u8 p[3] = { c >> 8 * (n - 1), c >> 8 * (n - 2), c };

			for (at = 0; at < n; at += len) {
				len = character(p + at, n - at);
				if (!len)
					break;
			}
			CHECK_MSG((ws_utf8(WS_UTF8_OK, p, n, 0) ==
				   WS_UTF8_OK) == (at == n), "%06x", c);
		}
	}
}

/* The other way round: no character is refused, wherever it is cut. */
static void utf8__every_character_every_cut(void)
{
	u32 c;

	/* The 21 bits of the longest form, beyond Unicode's end. */
	for (c = 0; c < 1 << 21; c++) {
		size_t n, cut;
		u8 p[4];

		n = encode(p, c);
		if ((c >= 0xd800 && c <= 0xdfff) || c > 0x10ffff) {
			CHECK(ws_utf8(WS_UTF8_OK, p, n, 0) == WS_UTF8_BAD);
			continue;
		}
		CHECK(ws_utf8(WS_UTF8_OK, p, n, 0) == WS_UTF8_OK);
		for (cut = 1; cut < n; cut++) {
			u8 s = ws_utf8(WS_UTF8_OK, p, cut, 0);

			CHECK(verdict(s) == INSIDE);
			CHECK(ws_utf8(s, p + cut, n - cut, 0) == WS_UTF8_OK);
		}
	}
}

static void utf8__bad_stays_bad(void)
{
	static const u8 text[] = "fine";

	CHECK(ws_utf8(WS_UTF8_BAD, text, 4, 0) == WS_UTF8_BAD);
	CHECK(ws_utf8(WS_UTF8_BAD, text, 0, 0) == WS_UTF8_BAD);
	CHECK(ws_utf8(WS_UTF8_OK, text, 0, 0) == WS_UTF8_OK);
	CHECK(ws_utf8(1, text, 0, 0) == 1);
}

static u32 key_at(size_t phase)
{
	u8 b[4];
	u32 key;
	int i;

	for (i = 0; i < 4; i++)
		b[i] = key_bytes[(phase + i) & 3];
	memcpy(&key, b, 4);
	return key;
}

/* Plain, masked, and in two pieces at every cut: always the same verdict. */
static void every_way(const u8 *text, size_t n, enum verdict want)
{
	u8 *plain = exact(text, n), *masked = exact(text, n);
	size_t cut, i;

	for (i = 0; i < n; i++)
		masked[i] ^= key_bytes[i & 3];
	for (cut = 0; cut <= n; cut++) {
		u8 s = ws_utf8(WS_UTF8_OK, plain, cut, 0);

		s = ws_utf8(s, plain + cut, n - cut, 0);
		CHECK_MSG(verdict(s) == want, "n %zu cut %zu", n, cut);

		s = ws_utf8(WS_UTF8_OK, masked, cut, key_at(0));
		s = ws_utf8(s, masked + cut, n - cut, key_at(cut));
		CHECK_MSG(verdict(s) == want, "masked, n %zu cut %zu", n, cut);
	}
	free(plain);
	free(masked);
}

/* The paths of 8 and 32 bytes at a time see every byte and no byte more. */
static void utf8__odd_one_at_every_place(void)
{
	static const struct {
		const char *bytes;
		enum verdict want;
	} odd[] = {
		{ "\xc3\xa9", WHOLE }, { "\xe2\x82\xac", WHOLE },
		{ "\xf0\x9f\x98\x80", WHOLE }, { "\xf4\x8f\xbf\xbf", WHOLE },
		{ "\x80", BAD }, { "\xff", BAD }, { "\xc0\xaf", BAD },
		{ "\xed\xa0\x80", BAD }, { "\xf4\x90\x80\x80", BAD },
		{ "\xe2\x82", BAD }, { "\xc3", BAD },
	};
	size_t i, n, at;
	u8 text[80];

	for (i = 0; i < ARRAY_SIZE(odd); i++) {
		size_t len = strlen(odd[i].bytes);

		for (n = len; n <= 72; n++) {
			for (at = 0; at + len <= n; at++) {
				bool end = at + len == n;
				enum verdict want = odd[i].want;

				memset(text, 'x', n);
				memcpy(text + at, odd[i].bytes, len);
				if (end && (i == 9 || i == 10))
					want = INSIDE;
				every_way(text, n, want);
			}
		}
	}
}

static void utf8__ascii_of_every_length(void)
{
	u8 text[200];
	size_t n;

	for (n = 0; n < sizeof(text); n++) {
		text[n] = n & 0x7f;
		every_way(text, n, WHOLE);
	}
}

/* The text that says hello in many scripts in the RFC's neighbourhood. */
static void utf8__mixed_text(void)
{
	static const char text[] =
		"Hello µ@ßöä κόσμε 𐀀�􏿽\x00 end";

	every_way((const u8 *)text, sizeof(text) - 1, WHOLE);
}

#define T(name) { #name, name }

const struct core_test utf8_tests[] = {
	T(utf8__every_sequence),
	T(utf8__every_two_and_three_bytes),
	T(utf8__every_character_every_cut),
	T(utf8__bad_stays_bad),
	T(utf8__odd_one_at_every_place),
	T(utf8__ascii_of_every_length),
	T(utf8__mixed_text),
	{ NULL, NULL },
};
