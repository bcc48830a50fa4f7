/* SPDX-License-Identifier: MIT */
/* Unmasking as fast as user space can. */
#ifndef KWS_ECHO_UNMASK_H
#define KWS_ECHO_UNMASK_H

#include <sys/cdefs.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core.h"

/*
 * Moves and unmasks. @dst is at or before @src and may overlap it: every
 * load comes after all stores before it.
 */
static __always_inline void
unmask(u8 *dst, const u8 *src, size_t n, u32 key)
{
	u64 wide = (u64)key << 32 | key, w;
	u8 bytes[4];
	size_t i;

	for (; n >= 8; n -= 8, dst += 8, src += 8) {
		memcpy(&w, src, 8);
		w ^= wide;
		memcpy(dst, &w, 8);
	}
	if (!n)
		return;
	memcpy(bytes, &key, 4);
	for (i = 0; i < n; i++)
		dst[i] = src[i] ^ bytes[i & 3];
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static __always_inline void
unmask_wide(u8 *dst, const u8 *src, size_t n, u32 key)
{
	const __m256i k = _mm256_set1_epi32(key);

	for (; n >= 128; n -= 128, dst += 128, src += 128) {
		const __m256i *from = (const __m256i *)src;
		__m256i *to = (__m256i *)dst;
		__m256i a = _mm256_loadu_si256(from);
		__m256i b = _mm256_loadu_si256(from + 1);
		__m256i c = _mm256_loadu_si256(from + 2);
		__m256i d = _mm256_loadu_si256(from + 3);

		_mm256_storeu_si256(to, _mm256_xor_si256(a, k));
		_mm256_storeu_si256(to + 1, _mm256_xor_si256(b, k));
		_mm256_storeu_si256(to + 2, _mm256_xor_si256(c, k));
		_mm256_storeu_si256(to + 3, _mm256_xor_si256(d, k));
	}
	for (; n >= 32; n -= 32, dst += 32, src += 32) {
		__m256i a = _mm256_loadu_si256((const __m256i *)src);

		_mm256_storeu_si256((__m256i *)dst, _mm256_xor_si256(a, k));
	}
	unmask(dst, src, n, key);
}
#endif

static inline bool has_avx2(void)
{
	static int avx2 = -1;

#if defined(__x86_64__)
	if (avx2 < 0)
		avx2 = !!__builtin_cpu_supports("avx2");
#endif
	return avx2 > 0;
}

#endif /* KWS_ECHO_UNMASK_H */
