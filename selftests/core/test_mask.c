// SPDX-License-Identifier: GPL-2.0-only
/* Tests of kmod/core/mask.c: RFC 6455 section 5.3. */
#include "core_test.h"

static const u8 key_bytes[4] = { 0xa1, 0x02, 0x73, 0xf4 };

static u32 key_at(unsigned int phase)
{
	u8 b[4];
	u32 key;
	int i;

	for (i = 0; i < 4; i++)
		b[i] = key_bytes[(phase + i) & 3];
	memcpy(&key, b, 4);
	return key;
}

static void key_rotate__every_phase(void)
{
	unsigned int from, by;

	for (from = 0; from < 4; from++) {
		for (by = 0; by < 70; by++)
			CHECK(ws_key_rotate(key_at(from), by) ==
			      key_at(from + by));
		CHECK(ws_key_rotate(key_at(from), 0x7fffffffffffffffULL) ==
		      key_at(from + 3));
		CHECK(ws_key_rotate(key_at(from), 0x100000002ULL) ==
		      key_at(from + 2));
	}
	CHECK(ws_key_rotate(0, 3) == 0);
}

/* Guards around the target: not one byte more is written. */
static void one_copy(unsigned int phase, unsigned int dst_off,
		     unsigned int src_off, size_t n)
{
	u8 src[160], dst[160];
	size_t i;

	for (i = 0; i < sizeof(src); i++)
		src[i] = i * 7 + 3;
	memset(dst, 0xee, sizeof(dst));
	ws_mask_copy(dst + dst_off, src + src_off, n, key_at(phase));
	for (i = 0; i < sizeof(dst); i++) {
		u8 want = 0xee;

		if (i >= dst_off && i < dst_off + n) {
			size_t at = i - dst_off;

			want = src[src_off + at] ^ key_bytes[(phase + at) & 3];
		}
		if (dst[i] != want) {
			core_failed(__FILE__, __LINE__,
				    "phase %u dst %u src %u n %zu byte %zu",
				    phase, dst_off, src_off, n, i);
			return;
		}
	}
}

static void mask_copy__phase_alignment_length(void)
{
	unsigned int phase, dst_off, src_off;
	size_t n;

	for (n = 0; n <= 130; n++)
		for (phase = 0; phase < 4; phase++)
			for (dst_off = 0; dst_off < 8; dst_off++)
				for (src_off = 0; src_off < 8; src_off++)
					one_copy(phase, dst_off, src_off, n);
}

static void mask_copy__in_place(void)
{
	unsigned int phase, off;
	u8 buf[160];
	size_t n, i;

	for (n = 0; n <= 130; n++) {
		for (phase = 0; phase < 4; phase++) {
			for (off = 0; off < 8; off++) {
				for (i = 0; i < sizeof(buf); i++)
					buf[i] = i;
				ws_mask_copy(buf + off, buf + off, n,
					     key_at(phase));
				for (i = 0; i < n; i++)
					CHECK(buf[off + i] == ((off + i) ^
					      key_bytes[(phase + i) & 3]));
				for (i = 0; i < off; i++)
					CHECK(buf[i] == i);
				for (i = off + n; i < sizeof(buf); i++)
					CHECK(buf[i] == i);
			}
		}
	}
}

static void mask_copy__reads_no_byte_more(void)
{
	size_t n;

	for (n = 0; n <= 130; n++) {
		u8 zero[130] = { 0 };
		u8 *src = exact(zero, n), *dst = exact(zero, n);

		ws_mask_copy(dst, src, n, key_at(1));
		if (n)
			CHECK(dst[n - 1] == key_bytes[n & 3]);
		free(src);
		free(dst);
	}
}

static void mask_copy__zero_key_copies(void)
{
	u8 src[100], dst[100];
	size_t i;

	for (i = 0; i < sizeof(src); i++)
		src[i] = i ^ 0x5a;
	ws_mask_copy(dst, src, sizeof(src), 0);
	CHECK(!memcmp(dst, src, sizeof(src)));
}

/* Any two pieces give what one call gives. */
static void mask_copy__every_split(void)
{
	u8 src[100], whole[100], parts[100];
	size_t i, cut;

	for (i = 0; i < sizeof(src); i++)
		src[i] = i * 11;
	ws_mask_copy(whole, src, sizeof(src), key_at(0));
	for (cut = 0; cut <= sizeof(src); cut++) {
		ws_mask_copy(parts, src, cut, key_at(0));
		ws_mask_copy(parts + cut, src + cut, sizeof(src) - cut,
			     ws_key_rotate(key_at(0), cut));
		CHECK_MSG(!memcmp(parts, whole, sizeof(whole)), "cut %zu", cut);
	}
}

#define T(name) { #name, name }

const struct core_test mask_tests[] = {
	T(key_rotate__every_phase),
	T(mask_copy__phase_alignment_length),
	T(mask_copy__in_place),
	T(mask_copy__reads_no_byte_more),
	T(mask_copy__zero_key_copies),
	T(mask_copy__every_split),
	{ NULL, NULL },
};
