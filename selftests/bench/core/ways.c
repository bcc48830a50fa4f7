// SPDX-License-Identifier: GPL-2.0-only
/* What is timed: kws beside memcpy() and the strongest loop of user space. */
#include <immintrin.h>
#include <time.h>

#include "bench.h"
#include "compat/avx2.h"

/* userspace/libkws/simd.c: in place, AVX2 where there is AVX2. */
void kws_mask(u8 *p, size_t n, u32 key);

bool have_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}

/* Of this thread: others may use the processor meanwhile. */
u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

/*
 * What kernel_fpu_begin() and the way back to user space add to a call: the
 * registers of the task are saved once and restored once. The upper halves
 * are dirty, as those of a task that uses AVX2 itself can be.
 */
__attribute__((target("avx2,xsave,xsavec")))
double xsave_cost(void)
{
	static __m512i area[256];
	const u64 features = 0xe7;	/* x87, SSE, AVX, AVX-512 */
	unsigned int rounds = 100000, i;
	u64 start = now_ns();

	for (i = 0; i < rounds; i++) {
		asm volatile("vpcmpeqd %%ymm15, %%ymm15, %%ymm15"
			     : : : "xmm15");
		_xsavec64(area, features);
		_xrstor64(area, features);
	}
	start = now_ns() - start;
	_mm256_zeroupper();
	return (double)start / rounds;
}

static bool run_memcpy(const struct job *j, u8 *to, const u8 *frame)
{
	memcpy(to, frame + j->header, j->n);
	return true;
}

static bool run_copy(const struct job *j, u8 *to, const u8 *frame)
{
	ws_mask_copy(to, frame + j->header, j->n, j->hdr.key);
	return true;
}

/* As in the module: whole vectors, and the rest by words. */
static bool run_vector(const struct job *j, u8 *to, const u8 *frame)
{
	const u8 *p = frame + j->header;
	size_t done;

	done = j->n - ws_avx2_unmask(to, p, j->n, j->hdr.key);
	ws_mask_copy(to + done, p + done, j->n - done, j->hdr.key);
	return true;
}

static bool run_two_pass(const struct job *j, u8 *to, const u8 *frame)
{
	memcpy(to, frame + j->header, j->n);
	kws_mask(to, j->n, j->hdr.key);
	return true;
}

static bool run_utf8(const struct job *j, u8 *to, const u8 *frame)
{
	(void)to;
	return ws_utf8(WS_UTF8_OK, frame + j->header, j->n, j->hdr.key) ==
	       WS_UTF8_OK;
}

static bool run_two_pass_utf8(const struct job *j, u8 *to, const u8 *frame)
{
	run_two_pass(j, to, frame);
	return ws_utf8(WS_UTF8_OK, to, j->n, 0) == WS_UTF8_OK;
}

/* All that a receiver does with a frame, as wslay does. */
static bool run_frame(const struct job *j, u8 *to, const u8 *frame)
{
	u32 role = j->hdr.masked ? WS_ROLE_SERVER : WS_ROLE_CLIENT;
	struct ws_seq seq = {};
	struct ws_hdr hdr;
	int n;

	n = ws_hdr_parse(frame, j->frame, &hdr);
	if (n <= 0 || ws_seq_check(&seq, &hdr, role, 0, 1 << 30))
		return false;
	ws_seq_frame(&seq, &hdr);
	if (hdr.opcode == WS_OP_TEXT &&
	    ws_utf8(WS_UTF8_OK, frame + n, hdr.len, hdr.key) != WS_UTF8_OK)
		return false;
	ws_mask_copy(to, frame + n, hdr.len, hdr.key);
	return true;
}

const struct way way_memcpy = {
	.name = "memcpy", .run = run_memcpy, .raw = true,
};

const struct way way_copy = { .name = "kws copy", .run = run_copy };
const struct way way_vector = { .name = "kws AVX2 copy", .run = run_vector };
const struct way way_frame = { .name = "kws frame", .run = run_frame };
const struct way way_two_pass = { .name = "AVX2 2-pass", .run = run_two_pass };
const struct way way_two_pass_utf8 = {
	.name = "AVX2 2-pass, UTF-8", .run = run_two_pass_utf8,
};

const struct way way_utf8 = {
	.name = "kws UTF-8", .run = run_utf8, .no_copy = true,
};
