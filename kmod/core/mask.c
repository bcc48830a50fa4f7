// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Masking, RFC 6455 section 5.3. */
#include "core.h"

static inline u64 load64(const u8 *p)
{
	u64 w;

	memcpy(&w, p, 8);
	return w;
}

static inline void store64(u8 *p, u64 w)
{
	memcpy(p, &w, 8);
}

/**
 * ws_mask_copy() - copy and mask, or unmask, in one pass
 * @dst: where to; may be @src itself, may not overlap it otherwise
 * @src: where from
 * @n: bytes
 * @key: key whose first byte belongs to @src[0]; 0 copies
 *
 * Neither pointer needs an alignment. Not for user memory.
 */
void ws_mask_copy(u8 *dst, const u8 *src, size_t n, u32 key)
{
	u64 wide = (u64)key << 32 | key;

	/* Four values and no array: that would go by way of the stack. */
	for (; n >= 32; n -= 32, dst += 32, src += 32) {
		u64 a = load64(src), b = load64(src + 8);
		u64 c = load64(src + 16), d = load64(src + 24);

		store64(dst, a ^ wide);
		store64(dst + 8, b ^ wide);
		store64(dst + 16, c ^ wide);
		store64(dst + 24, d ^ wide);
	}
	for (; n >= 8; n -= 8, dst += 8, src += 8)
		store64(dst, load64(src) ^ wide);
	if (n & 4) {
		u32 w;

		memcpy(&w, src, 4);
		w ^= key;
		memcpy(dst, &w, 4);
		src += 4;
		dst += 4;
	}
	/* Up to three are left, and the key is at its first byte again. */
	for (n &= 3; n; n--) {
		u8 first;

		memcpy(&first, &key, 1);
		*dst++ = *src++ ^ first;
		key = ws_key_rotate(key, 1);
	}
}
