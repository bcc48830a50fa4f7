/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What kmod/core needs of its surroundings: the fixed-width names, which come
 * from the kernel, anywhere else from the C library and the uapi types; and
 * words at any address.
 */
#ifndef _WS_CORE_PORT_H
#define _WS_CORE_PORT_H

#include <linux/types.h>

#ifdef __KERNEL__

#include <linux/compiler.h>
#include <linux/string.h>

#else

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef WS_CORE_HAVE_TYPES
typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
#endif

#ifndef likely
#define likely(x)	__builtin_expect(!!(x), 1)
#define unlikely(x)	__builtin_expect(!!(x), 0)
#endif

#endif /* __KERNEL__ */

/*
 * The compiler's memcpy() makes one instruction of each. The kernel's own is
 * called for each in User Mode Linux, which is built without the compiler's.
 */
static inline u32 ws_load32(const void *p)
{
	u32 w;

	__builtin_memcpy(&w, p, 4);
	return w;
}

static inline u64 ws_load64(const void *p)
{
	u64 w;

	__builtin_memcpy(&w, p, 8);
	return w;
}

static inline void ws_store32(void *p, u32 w)
{
	__builtin_memcpy(p, &w, 4);
}

static inline void ws_store64(void *p, u64 w)
{
	__builtin_memcpy(p, &w, 8);
}

#endif /* _WS_CORE_PORT_H */
