// SPDX-License-Identifier: MIT
/* Masking in place, with the widest available registers. */
#include "conn.h"

#if defined(__x86_64__)
#include <immintrin.h>

__attribute__((target("avx2")))
static void mask_avx2(u8 *p, size_t n, u32 key)
{
	const __m256i k = _mm256_set1_epi32(key);

	for (; n >= 128; n -= 128, p += 128) {
		__m256i *v = (__m256i *)p;
		__m256i a = _mm256_loadu_si256(v);
		__m256i b = _mm256_loadu_si256(v + 1);
		__m256i c = _mm256_loadu_si256(v + 2);
		__m256i d = _mm256_loadu_si256(v + 3);

		_mm256_storeu_si256(v, _mm256_xor_si256(a, k));
		_mm256_storeu_si256(v + 1, _mm256_xor_si256(b, k));
		_mm256_storeu_si256(v + 2, _mm256_xor_si256(c, k));
		_mm256_storeu_si256(v + 3, _mm256_xor_si256(d, k));
	}
	for (; n >= 32; n -= 32, p += 32) {
		__m256i a = _mm256_loadu_si256((__m256i *)p);

		_mm256_storeu_si256((__m256i *)p, _mm256_xor_si256(a, k));
	}
	ws_mask_copy(p, p, n, key);
}

/* Every x86-64 has SSE2. */
static void mask_sse2(u8 *p, size_t n, u32 key)
{
	const __m128i k = _mm_set1_epi32(key);

	for (; n >= 64; n -= 64, p += 64) {
		__m128i *v = (__m128i *)p;
		__m128i a = _mm_loadu_si128(v);
		__m128i b = _mm_loadu_si128(v + 1);
		__m128i c = _mm_loadu_si128(v + 2);
		__m128i d = _mm_loadu_si128(v + 3);

		_mm_storeu_si128(v, _mm_xor_si128(a, k));
		_mm_storeu_si128(v + 1, _mm_xor_si128(b, k));
		_mm_storeu_si128(v + 2, _mm_xor_si128(c, k));
		_mm_storeu_si128(v + 3, _mm_xor_si128(d, k));
	}
	ws_mask_copy(p, p, n, key);
}

static bool has_avx2(void)
{
	static int known = -1;

	/* Two threads may both test; the result is the same. */
	if (__atomic_load_n(&known, __ATOMIC_RELAXED) < 0)
		__atomic_store_n(&known, !!__builtin_cpu_supports("avx2"),
				 __ATOMIC_RELAXED);
	return __atomic_load_n(&known, __ATOMIC_RELAXED);
}

/**
 * kws_mask() - mask or unmask in place, RFC 6455 section 5.3
 * @p: the bytes, at any alignment
 * @n: how many
 * @key: key whose first byte belongs to @p[0]
 */
void kws_mask(u8 *p, size_t n, u32 key)
{
	if (!key)
		return;
	if (n >= 64 && has_avx2())
		mask_avx2(p, n, key);
	else if (n >= 64)
		mask_sse2(p, n, key);
	else
		ws_mask_copy(p, p, n, key);
}
#else
void kws_mask(u8 *p, size_t n, u32 key)
{
	if (key)
		ws_mask_copy(p, p, n, key);
}
#endif
