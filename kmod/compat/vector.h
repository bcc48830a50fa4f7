/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * AVX2 in the kernel: on x86-64, and in User Mode Linux on it (X86_64 but not
 * X86) where that says how to store to user memory (selftests/vm/uml.patch).
 * It runs the instructions of the machine below, so what is measured there is
 * what runs here; only saving the registers, 160 ns, it never does.
 */
#ifndef _WS_COMPAT_VECTOR_H
#define _WS_COMPAT_VECTOR_H

#include <linux/types.h>

#if defined(CONFIG_X86_64) && (defined(CONFIG_X86) || \
			       defined(WS_HAVE_USER_WINDOW))
#define WS_VECTOR	1

#include <asm/asm.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "core.h"

#ifndef CONFIG_X86
/* User Mode Linux gives only memory that is there. */
#undef _ASM_EXTABLE_UA
#define _ASM_EXTABLE_UA(...)
#endif

#include "avx2.h"

#ifdef CONFIG_X86

/* A task that has slept in its system call has its registers saved. */
static inline bool ws_compat_registers_saved(void)
{
	return test_thread_flag(TIF_NEED_FPU_LOAD);
}

static inline bool ws_compat_has_avx2(void)
{
	return boot_cpu_has(X86_FEATURE_AVX2) &&
	       boot_cpu_has(X86_FEATURE_OSXSAVE) && irq_fpu_usable();
}

/* No control word of the registers is used, hence no mask. */
static inline void ws_compat_fpu_begin(void)
{
	kernel_fpu_begin_mask(0);
}

/*
 * In a user-access section, with page faults disabled: ws_avx2_unmask() to
 * user memory. Return: how many bytes are left; 32 or more after a fault.
 */
static __always_inline unsigned long
ws_compat_unmask_user(u8 __user *to, const u8 *from, unsigned long n, u32 key)
{
	return ws_avx2_unmask((__force void *)to, from, n, key);
}

#else /* User Mode Linux */

/* They never are, hence short calls do without; as on hardware most do. */
static inline bool ws_compat_registers_saved(void)
{
	return false;
}

/* It knows of what the host's /proc/cpuinfo shows, and OSXSAVE is not there. */
static inline bool ws_compat_has_avx2(void)
{
	return boot_cpu_has(X86_FEATURE_AVX2);
}

/* Does nothing. An interrupt ends where it began: there is no preemption. */
static inline void ws_compat_fpu_begin(void)
{
	kernel_fpu_begin();
}

static __always_inline unsigned long
ws_compat_unmask_user(u8 __user *to, const u8 *from, unsigned long n, u32 key)
{
	while (n >= 32) {
		u32 part = min(n, PAGE_SIZE - offset_in_page(to)) & ~31UL;

		if (part) {
			void *at = user_window_at(to, part, true);

			if (!at)
				break;
			ws_avx2_unmask(at, from, part, key);
		} else {
			u8 across[32];

			part = sizeof(across);
			ws_mask_copy(across, from, part, key);
			if (__copy_to_user(to, across, part))
				break;
		}
		to += part;
		from += part;
		n -= part;
	}
	return n;
}

#endif

#else

#define WS_VECTOR	0

static inline unsigned long ws_compat_unmask_user(u8 __user *to,
						  const u8 *from,
						  unsigned long n, u32 key)
{
	return n;
}

#endif

#endif /* _WS_COMPAT_VECTOR_H */
