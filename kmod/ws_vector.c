// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmasking to user memory with AVX2, on x86-64. The registers are the
 * task's: they are saved when the kernel first uses them in a system call and
 * restored on the way back to user space, whatever was done in between.
 */
#include <linux/instrumented.h>

#include "core/core.h"
#include "ws_vector.h"

/*
 * Saving and restoring takes 160 ns on an EPYC ("make bench-core"), as long
 * as the scalar loop needs for 6 KiB that lie in the cache. With them 8 KiB
 * take 234 ns against 191 of words, 16 KiB 323 against 429, 64 KiB 1,321
 * against 2,231. With bytes that no cache has, two runs disagreed which of
 * them is ahead, by up to 14 % either way.
 */
#define WS_VECTOR_CALL		(16 << 10)

/*
 * Is ws_vector_unmask() faster than words, for copies of WS_VECTOR_RUN, when
 * this system call will copy @ahead bytes? A task that has slept in this call,
 * or that was here before in this call, has its registers saved; a task of the
 * kernel has none.
 */
bool ws_vector_pays(u64 ahead)
{
	if (ahead < WS_VECTOR_CALL && !ws_compat_registers_saved())
		return false;
	return ws_compat_has_avx2();
}

/*
 * No call may be made between the user-access begin and end. Nothing here
 * sleeps: a page that is not there ends it, and the caller's words bring it
 * in. Return: how many bytes of the section are left.
 */
static u32 section(u8 __user *to, const u8 *from, u32 n, u32 key)
{
	u32 left = n;

	instrument_copy_to_user(to, from, n);
	ws_vector_begin();
	if (user_write_access_begin(to, n)) {
		left = ws_compat_unmask_user(to, from, n, key);
		user_write_access_end();
	}
	ws_vector_end();
	return left;
}

/*
 * Unmask @n bytes into user memory; @key's first byte belongs to @from[0].
 * Process context; does not sleep. Return: how many bytes are done, a multiple
 * of 4: all but a few at the end, or those before a page that is not there or
 * may not be written.
 */
u32 ws_vector_unmask(u8 __user *to, const u8 *from, u32 n, u32 key)
{
	u32 done = 0, left = 0;

	while (n - done >= 32 && left < 32) {
		u32 part = min_t(u32, n - done, WS_VECTOR_SECTION);

		left = section(to + done, from + done, part, key);
		done += part - left;
	}
	return done;
}
