// SPDX-License-Identifier: MIT
/*
 * The fastest echo in user space that we can write: reads of 64 KiB, each
 * frame unmasked by AVX2 and turned into its reply in place, in one pass, and
 * one send() for all replies. It takes unfragmented text and binary frames
 * that fit one read; echo_user.c hands a connection with any other frame over
 * to libkws.
 */
#include "echo_fast.h"
#include "echo_unmask.h"

typedef void (*unmask_fn)(u8 *dst, const u8 *src, size_t n, u32 key);

/* Inlined with a constant @move, so that no frame costs a call. */
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

		/* A PONG, which only shows that the peer is there. */
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
		/* The reply is shorter by the four bytes of the key. */
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

/**
 * fast_echo() - make replies of all complete frames
 * @f: @f->in and @f->in_len are the bytes read. The replies are made in the
 *	same memory, @f->out_len bytes at @f->out; bytes without a reply stay at
 *	@f->left.
 * @max: the largest message accepted
 *
 * Return: FAST_MORE, or FAST_OTHER when a frame at @f->left is for libkws.
 */
enum fast fast_echo(struct frames *f, u64 max)
{
#if defined(__x86_64__)
	if (has_avx2())
		return echo_frames_avx2(f, max);
#endif
	return echo_frames(f, max, unmask);
}
