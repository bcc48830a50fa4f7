// SPDX-License-Identifier: GPL-2.0 OR MIT
/*
 * UTF-8 as it arrives, RFC 6455 section 8.1 and RFC 3629 section 4: an
 * invalid sequence is noticed at its first wrong byte.
 */
#include "core.h"

/*
 * States, each named for what may come next. The first three count plain
 * continuation bytes (80..BF); the others narrow the first continuation byte
 * so that overlong forms, surrogates and values above U+10FFFF have no way in.
 */
enum {
	TAIL1 = 1,
	TAIL2,
	TAIL3,
	AFTER_E0,	/* A0..BF, then TAIL1 */
	AFTER_ED,	/* 80..9F, then TAIL1 */
	AFTER_F0,	/* 90..BF, then TAIL2 */
	AFTER_F4,	/* 80..8F, then TAIL2 */
};

static u8 lead(u8 c)
{
	if (c < 0x80)
		return WS_UTF8_OK;
	if (c < 0xc2)
		return WS_UTF8_BAD;
	if (c < 0xe0)
		return TAIL1;
	switch (c) {
	case 0xe0:
		return AFTER_E0;
	case 0xed:
		return AFTER_ED;
	case 0xf0:
		return AFTER_F0;
	case 0xf4:
		return AFTER_F4;
	}
	if (c < 0xf0)
		return TAIL2;
	return c < 0xf4 ? TAIL3 : WS_UTF8_BAD;
}

static u8 tail(u8 state, u8 c)
{
	if ((c & 0xc0) != 0x80)
		return WS_UTF8_BAD;

	switch (state) {
	case TAIL1:
		return WS_UTF8_OK;
	case TAIL2:
	case TAIL3:
		return state - 1;
	case AFTER_E0:
		return c >= 0xa0 ? TAIL1 : WS_UTF8_BAD;
	case AFTER_ED:
		return c < 0xa0 ? TAIL1 : WS_UTF8_BAD;
	case AFTER_F0:
		return c >= 0x90 ? TAIL2 : WS_UTF8_BAD;
	case AFTER_F4:
		return c < 0x90 ? TAIL2 : WS_UTF8_BAD;
	}
	return WS_UTF8_BAD;
}

/**
 * ws_utf8() - go on checking text
 * @state: what the last call returned, WS_UTF8_OK at the start of a message
 * @p: the next bytes, still masked when @key is not 0
 * @n: how many
 * @key: masking key whose first byte belongs to @p[0], or 0
 *
 * Runs of ASCII go by eight bytes at a time.
 *
 * Return: WS_UTF8_BAD as soon as the text cannot be UTF-8 any more, whatever
 * follows; WS_UTF8_OK at the end of a character; another value inside one.
 */
u8 ws_utf8(u8 state, const u8 *p, size_t n, u32 key)
{
	u64 wide = (u64)key << 32 | key;
	u8 bytes[4];
	size_t i = 0;

	if (state == WS_UTF8_BAD)
		return state;
	memcpy(bytes, &key, 4);

	while (i < n) {
		u8 c;

		/* i & 3 == 0 keeps the key in phase for a wide load. */
		while (state == WS_UTF8_OK && !(i & 3) && n - i >= 8) {
			u64 w;

			memcpy(&w, p + i, 8);
			if ((w ^ wide) & 0x8080808080808080ULL)
				break;
			i += 8;
		}
		if (i == n)
			break;
		c = p[i] ^ bytes[i & 3];
		i++;
		state = state == WS_UTF8_OK ? lead(c) : tail(state, c);
		if (state == WS_UTF8_BAD)
			return state;
	}
	return state;
}
