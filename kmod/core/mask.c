// SPDX-License-Identifier: GPL-2.0 OR MIT
/* Masking, RFC 6455 section 5.3. */
#include "core.h"

/**
 * ws_key_rotate() - the key as it stands after @n more payload bytes
 * @key: key whose first byte belongs to the current payload byte
 * @n: payload bytes to go on by
 *
 * Return: the key whose first byte belongs to the byte @n further on.
 */
u32 ws_key_rotate(u32 key, u64 n)
{
	unsigned int shift = (n & 3) * 8;

	if (!shift)
		return key;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return key >> shift | key << (32 - shift);
#else
	return key << shift | key >> (32 - shift);
#endif
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
	u8 bytes[4];
	size_t i;

	for (; n >= 32; n -= 32, dst += 32, src += 32) {
		u64 w[4];

		memcpy(w, src, 32);
		w[0] ^= wide;
		w[1] ^= wide;
		w[2] ^= wide;
		w[3] ^= wide;
		memcpy(dst, w, 32);
	}
	for (; n >= 8; n -= 8, dst += 8, src += 8) {
		u64 w;

		memcpy(&w, src, 8);
		w ^= wide;
		memcpy(dst, &w, 8);
	}
	memcpy(bytes, &key, 4);
	for (i = 0; i < n; i++)
		dst[i] = src[i] ^ bytes[i & 3];
}
