/* SPDX-License-Identifier: GPL-2.0-only */
/* Vector registers, where the module uses them (compat/vector.h). */
#ifndef _WS_VECTOR_H
#define _WS_VECTOR_H

#include "compat/vector.h"

/* Shorter copies are not worth the begin and end, even with registers free. */
#define WS_VECTOR_RUN		1024
/* At most so many bytes with preemption off. */
#define WS_VECTOR_SECTION	(8 << 10)

#if WS_VECTOR
bool ws_vector_pays(u64 ahead);
u32 ws_vector_unmask(u8 __user *to, const u8 *from, u32 n, u32 key);

/* Between these nothing may sleep, and a page that is not there is a fault. */
static inline void ws_vector_begin(void)
{
	ws_compat_fpu_begin();
	pagefault_disable();
}

static inline void ws_vector_end(void)
{
	pagefault_enable();
	kernel_fpu_end();
}
#else
static inline bool ws_vector_pays(u64 ahead)
{
	return false;
}

static inline u32 ws_vector_unmask(u8 __user *to, const u8 *from, u32 n,
				   u32 key)
{
	return 0;
}

static inline void ws_vector_begin(void)
{
}

static inline void ws_vector_end(void)
{
}
#endif

#endif /* _WS_VECTOR_H */
