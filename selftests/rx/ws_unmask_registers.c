// SPDX-License-Identifier: GPL-2.0-only
/* See ws_unmask_registers.h. */
#include "ws_unmask_registers.h"

#ifdef __x86_64__
#include <sys/syscall.h>

/* One of these for each of sixteen registers. */
#define EACH(insn)	".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n" \
			insn "\n.endr\n"
#define LOAD_AVX	EACH("vmovdqu \\r*32(%[regs]), %%ymm\\r")
#define STORE_AVX	EACH("vmovdqu %%ymm\\r, \\r*32(%[regs])")
#define LOAD_SSE	EACH("movdqu \\r*32(%[regs]), %%xmm\\r")
#define STORE_SSE	EACH("movdqu %%xmm\\r, \\r*32(%[regs])")
#define CLOBBERS	"rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", \
			"xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", \
			"xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", \
			"xmm15"

long recv_registers(int fd, void *buf, size_t len, int flags,
		    unsigned char *regs)
{
	register long r10 asm("r10") = flags;
	register long r8 asm("r8") = 0;
	register long r9 asm("r9") = 0;
	long n = SYS_recvfrom;

	if (__builtin_cpu_supports("avx2"))
		asm volatile(LOAD_AVX "syscall\n" STORE_AVX "vzeroupper\n"
			     : "+a" (n)
			     : "D" ((long)fd), "S" (buf), "d" (len), "r" (r10),
			       "r" (r8), "r" (r9), [regs] "r" (regs)
			     : CLOBBERS);
	else
		asm volatile(LOAD_SSE "syscall\n" STORE_SSE
			     : "+a" (n)
			     : "D" ((long)fd), "S" (buf), "d" (len), "r" (r10),
			       "r" (r8), "r" (r9), [regs] "r" (regs)
			     : CLOBBERS);
	return n;
}
#endif
