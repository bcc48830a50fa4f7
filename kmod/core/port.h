/* SPDX-License-Identifier: GPL-2.0 OR MIT */
/*
 * What kmod/core needs of its surroundings: the fixed-width names and
 * nothing else. In the kernel they come from the kernel; anywhere else from
 * the C library and the uapi types.
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

#endif /* _WS_CORE_PORT_H */
