// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Masking, RFC 6455 section 5.3. */
#include "core.h"

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
		u64 a = ws_load64(src), b = ws_load64(src + 8);
		u64 c = ws_load64(src + 16), d = ws_load64(src + 24);

		ws_store64(dst, a ^ wide);
		ws_store64(dst + 8, b ^ wide);
		ws_store64(dst + 16, c ^ wide);
		ws_store64(dst + 24, d ^ wide);
	}
	for (; n >= 8; n -= 8, dst += 8, src += 8)
		ws_store64(dst, ws_load64(src) ^ wide);
	if (n & 4) {
		ws_store32(dst, ws_load32(src) ^ key);
		src += 4;
		dst += 4;
	}
	/* Up to three are left, and the key is at its first byte again. */
	for (n &= 3; n; n--) {
		*dst++ = *src++ ^ *(const u8 *)&key;
		key = ws_key_rotate(key, 1);
	}
}
