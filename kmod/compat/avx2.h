/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The loop of ws_vector.c, in a file of its own so that "make bench-core" can
 * time the very instructions. No C of it runs between the user-access begin
 * and end but what is here.
 */
#ifndef _WS_COMPAT_AVX2_H
#define _WS_COMPAT_AVX2_H

#ifdef __KERNEL__
#include <asm/asm.h>
#include <linux/types.h>
/* The compiler knows no vector registers there. */
#define WS_AVX2_CLOBBERS
#else
#define _ASM_EXTABLE_UA(...)
#define WS_AVX2_CLOBBERS	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4",
#endif

/**
 * ws_avx2_unmask() - unmask 32 bytes at a time
 * @to: where to, at any alignment; a user address is one that was checked
 * @from: where from, at any alignment
 * @n: bytes
 * @key: key whose first byte belongs to @from[0]
 *
 * A fault at @to ends it. What was written of the 128 bytes with the fault
 * counts as not done.
 *
 * Return: how many bytes are left to do; less than 32 when none faulted. What
 * is done is a multiple of 4, so that @key stays as it is.
 */
static __always_inline unsigned long
ws_avx2_unmask(void *to, const void *from, unsigned long n, u32 key)
{
	asm volatile("	vmovd %[key], %%xmm0\n"
		     "	vpbroadcastd %%xmm0, %%ymm0\n"
		     "	cmp $128, %[n]\n"
		     "	jb 2f\n"
		     "1:\n"
		     "	vpxor (%[from]), %%ymm0, %%ymm1\n"
		     "	vpxor 32(%[from]), %%ymm0, %%ymm2\n"
		     "	vpxor 64(%[from]), %%ymm0, %%ymm3\n"
		     "	vpxor 96(%[from]), %%ymm0, %%ymm4\n"
		     "11:	vmovdqu %%ymm1, (%[to])\n"
		     "12:	vmovdqu %%ymm2, 32(%[to])\n"
		     "13:	vmovdqu %%ymm3, 64(%[to])\n"
		     "14:	vmovdqu %%ymm4, 96(%[to])\n"
		     "	sub $-128, %[from]\n"
		     "	sub $-128, %[to]\n"
		     "	add $-128, %[n]\n"
		     "	cmp $128, %[n]\n"
		     "	jae 1b\n"
		     "2:\n"
		     "	cmp $32, %[n]\n"
		     "	jb 3f\n"
		     "	vpxor (%[from]), %%ymm0, %%ymm1\n"
		     "15:	vmovdqu %%ymm1, (%[to])\n"
		     "	add $32, %[from]\n"
		     "	add $32, %[to]\n"
		     "	sub $32, %[n]\n"
		     "	jmp 2b\n"
		     "3:\n"
		     "	vzeroupper\n"
		     _ASM_EXTABLE_UA(11b, 3b)
		     _ASM_EXTABLE_UA(12b, 3b)
		     _ASM_EXTABLE_UA(13b, 3b)
		     _ASM_EXTABLE_UA(14b, 3b)
		     _ASM_EXTABLE_UA(15b, 3b)
		     : [to] "+r" (to), [from] "+r" (from), [n] "+r" (n)
		     : [key] "r" (key)
		     : WS_AVX2_CLOBBERS "cc", "memory");
	return n;
}

#endif /* _WS_COMPAT_AVX2_H */
