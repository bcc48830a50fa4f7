// SPDX-License-Identifier: MIT
/*
 * The strongest echo in user space that we can write, to compare with: reads
 * of 64 KiB, every frame unmasked by AVX2 and made a reply where it lies, in
 * one pass, and all replies sent by one send(). It takes unfragmented text
 * and binary frames that fit one read; a connection with anything else is
 * libkws's from there on, see echo_user.c.
 */
#include "echo_fast.h"

#include <sys/cdefs.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/*
 * Moves and unmasks. @dst is at or before @src and may overlap it: every
 * load is behind all stores before it.
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

typedef void (*unmask_fn)(u8 *dst, const u8 *src, size_t n, u32 key);

/* Inlined with a constant @move: no call a frame. */
static __always_inline enum fast
echo_frames(struct frames *f, u64 max, unmask_fn move)
{
	u8 *p = f->in, *end = f->in + f->in_len, *out = f->in + 4;
	enum fast r = FAST_MORE;

	f->out = out;
	while (end - p >= 2) {
		size_t len = p[1] & 0x7f, head = 6;
		u8 first = p[0];
		u32 key;

		/* The answer to a PING: that something came is all. */
		if (first == 0x8a && len <= WS_CTRL_MAX && p[1] & 0x80) {
			if (end - p < head + len)
				break;
			p += head + len;
			continue;
		}
		/* FIN, no reserved bits, text or binary, and a mask. */
		if ((first != 0x81 && first != 0x82) || !(p[1] & 0x80) ||
		    len == 127) {
			r = FAST_OTHER;
			break;
		}
		if (end - p < (len == 126 ? 8 : 6))
			break;
		if (len == 126) {
			len = p[2] << 8 | p[3];
			head = 8;
			if (len < 126) {
				r = FAST_OTHER;
				break;
			}
		}
		if (len > max || len > FAST_MAX) {
			r = FAST_OTHER;
			break;
		}
		memcpy(&key, p + head - 4, 4);
		if (end - p < head + len) {
			if (first == 0x81 && ws_utf8(WS_UTF8_OK, p + head,
						     end - p - head, key) ==
			    WS_UTF8_BAD)
				r = FAST_OTHER;
			break;
		}
		if (first == 0x81 &&
		    ws_utf8(WS_UTF8_OK, p + head, len, key) != WS_UTF8_OK) {
			r = FAST_OTHER;
			break;
		}
		/* The key's four bytes are what the reply is shorter by. */
		out[0] = first;
		out[1] = p[1] & 0x7f;
		if (head == 8) {
			out[2] = len >> 8;
			out[3] = len;
		}
		move(out + head - 4, p + head, len, key);
		out += head - 4 + len;
		p += head + len;
		f->messages++;
		f->bytes += len;
	}
	f->out_len = out - f->out;
	f->left = p;
	f->left_len = end - p;
	return r;
}

#if defined(__x86_64__)
__attribute__((target("avx2")))
static enum fast echo_frames_avx2(struct frames *f, u64 max)
{
	return echo_frames(f, max, unmask_wide);
}
#endif

static bool has_avx2(void)
{
	static int avx2 = -1;

#if defined(__x86_64__)
	if (avx2 < 0)
		avx2 = !!__builtin_cpu_supports("avx2");
#endif
	return avx2 > 0;
}

#if defined(__x86_64__)
__attribute__((target("avx2")))
static void unmask_avx2(u8 *p, size_t n, u32 key)
{
	unmask_wide(p, p, n, key);
}
#endif

/**
 * fast_unmask() - unmask in place
 * @p: the bytes
 * @n: how many
 * @key: key whose first byte belongs to the first of them
 */
void fast_unmask(u8 *p, size_t n, u32 key)
{
#if defined(__x86_64__)
	if (has_avx2()) {
		unmask_avx2(p, n, key);
		return;
	}
#endif
	unmask(p, p, n, key);
}

/**
 * fast_echo() - make replies of all whole frames
 * @f: @f->in and @f->in_len: what has been read. The replies are made in the
 *	same memory, @f->out_len bytes at @f->out; what is not used yet stays at
 *	@f->left.
 * @max: the largest message accepted
 *
 * Return: FAST_MORE, or FAST_OTHER when what is left is not for us.
 */
enum fast fast_echo(struct frames *f, u64 max)
{
#if defined(__x86_64__)
	if (has_avx2())
		return echo_frames_avx2(f, max);
#endif
	return echo_frames(f, max, unmask);
}
