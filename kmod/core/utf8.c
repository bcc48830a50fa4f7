// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * UTF-8 as it arrives, RFC 6455 section 8.1 and RFC 3629 section 4: an
 * invalid sequence is noticed at its first wrong byte.
 */
#include "core.h"

/*
 * States, each named for what may come next. TAIL1 to TAIL3 count plain
 * continuation bytes (80..BF); the others narrow the first continuation byte
 * so that overlong forms, surrogates and values above U+10FFFF have no way in.
 *
 * A state is the place, in bits, of its successor in the words of the table
 * below: the next state is the byte's word shifted down by the state. That is
 * one instruction from state to state and no branch; the words are looked up
 * ahead of it. Bits above the lowest six are the places of other states.
 */
enum {
	OK = WS_UTF8_OK,
	TAIL1 = 6,
	TAIL2 = 12,
	TAIL3 = 18,
	AFTER_E0 = 24,	/* A0..BF, then TAIL1 */
	AFTER_ED = 30,	/* 80..9F, then TAIL1 */
	AFTER_F0 = 36,	/* 90..BF, then TAIL2 */
	AFTER_F4 = 42,	/* 80..8F, then TAIL2 */
	BAD = 48,	/* for good */
	STATES = 63,
};

#define AT(state, next)	((u64)(next) << (state))
/* A byte that begins a character: wrong inside one. */
#define LEAD(next)	(AT(OK, next) | AT(TAIL1, BAD) | AT(TAIL2, BAD) | \
			 AT(TAIL3, BAD) | AT(AFTER_E0, BAD) | \
			 AT(AFTER_ED, BAD) | AT(AFTER_F0, BAD) | \
			 AT(AFTER_F4, BAD) | AT(BAD, BAD))
/* One that goes on with a character. */
#define TAIL(e0, ed, f0, f4) \
			(AT(OK, BAD) | AT(TAIL1, OK) | AT(TAIL2, TAIL1) | \
			 AT(TAIL3, TAIL2) | AT(AFTER_E0, e0) | \
			 AT(AFTER_ED, ed) | AT(AFTER_F0, f0) | \
			 AT(AFTER_F4, f4) | AT(BAD, BAD))

static const u64 table[256] = {
	[0x00 ... 0x7f] = LEAD(OK),
	[0x80 ... 0x8f] = TAIL(BAD, TAIL1, BAD, TAIL2),
	[0x90 ... 0x9f] = TAIL(BAD, TAIL1, TAIL2, BAD),
	[0xa0 ... 0xbf] = TAIL(TAIL1, BAD, TAIL2, BAD),
	[0xc0 ... 0xc1] = LEAD(BAD),
	[0xc2 ... 0xdf] = LEAD(TAIL1),
	[0xe0] = LEAD(AFTER_E0),
	[0xe1 ... 0xec] = LEAD(TAIL2),
	[0xed] = LEAD(AFTER_ED),
	[0xee ... 0xef] = LEAD(TAIL2),
	[0xf0] = LEAD(AFTER_F0),
	[0xf1 ... 0xf3] = LEAD(TAIL3),
	[0xf4] = LEAD(AFTER_F4),
	[0xf5 ... 0xff] = LEAD(BAD),
};

#define NOT_ASCII	0x8080808080808080ULL

static inline u64 step(u64 s, u8 c)
{
	return table[c] >> (s & STATES);
}

/*
 * @words words, unmasked. Taking their bytes from memory is faster than
 * shifting them out of a register: the one shift a byte is what limits it.
 */
static inline u64 steps(u64 s, const u64 *w, unsigned int words)
{
	const u8 *p = (const u8 *)w, *end = p + words * 8;

	for (; p != end; p += 8) {
		s = step(s, p[0]);
		s = step(s, p[1]);
		s = step(s, p[2]);
		s = step(s, p[3]);
		s = step(s, p[4]);
		s = step(s, p[5]);
		s = step(s, p[6]);
		s = step(s, p[7]);
	}
	return s & STATES;
}

/**
 * ws_utf8() - go on checking text
 * @state: what the last call returned, WS_UTF8_OK at the start of a message
 * @p: the next bytes, still masked when @key is not 0
 * @n: how many
 * @key: masking key whose first byte belongs to @p[0], or 0
 *
 * Runs of ASCII go by 32 bytes at a time.
 *
 * Return: WS_UTF8_BAD as soon as the text cannot be UTF-8 any more, whatever
 * follows; WS_UTF8_OK at the end of a character; another value inside one.
 */
u8 ws_utf8(u8 state, const u8 *p, size_t n, u32 key)
{
	u64 wide = (u64)key << 32 | key;
	u64 s = state;

	if (state == WS_UTF8_BAD)
		return state;

	for (; n >= 32; n -= 32, p += 32) {
		u64 a = ws_load64(p) ^ wide, b = ws_load64(p + 8) ^ wide;
		u64 c = ws_load64(p + 16) ^ wide, d = ws_load64(p + 24) ^ wide;

		if (s != OK || ((a | b | c | d) & NOT_ASCII)) {
			u64 w[4] = { a, b, c, d };

			s = steps(s, w, 4);
			if (s == BAD)
				return WS_UTF8_BAD;
		}
	}
	for (; n >= 8; n -= 8, p += 8) {
		u64 w = ws_load64(p) ^ wide;

		if (s != OK || (w & NOT_ASCII))
			s = steps(s, &w, 1);
	}
	for (; n; n--) {
		s = step(s, *p++ ^ *(const u8 *)&key) & STATES;
		key = ws_key_rotate(key, 1);
	}
	return s == BAD ? WS_UTF8_BAD : s;
}
