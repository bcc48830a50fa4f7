// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmasking on the way to the reader: one pass straight to user memory, in
 * the kernel's own user-access section. The bytes in TCP's queue are never
 * written to: their pages may belong to a sender, a capture or a file.
 */
#include <linux/uaccess.h>

#include "compat/compat.h"
#include "core/core.h"
#include "ws_unmask.h"
#include "ws_vector.h"

/* For destinations that are not user memory (splice, kernel callers). */
#define WS_BOUNCE	512

/*
 * No call may be made between begin and end, hence the open loop. A fault
 * ends it: pages that are merely absent have been brought in by then.
 * Return: bytes written; fewer than @n when user memory is bad.
 */
static u32 unmask_words(u8 __user *to, const u8 *from, u32 n, u32 key)
{
	u64 wide = (u64)key << 32 | key;
	u8 __user *start = to;

	if (!user_write_access_begin(to, n))
		return 0;
	for (; n >= 32; n -= 32, from += 32, to += 32) {
		unsafe_put_user(ws_load64(from) ^ wide, (u64 __user *)to, out);
		unsafe_put_user(ws_load64(from + 8) ^ wide,
				(u64 __user *)(to + 8), out);
		unsafe_put_user(ws_load64(from + 16) ^ wide,
				(u64 __user *)(to + 16), out);
		unsafe_put_user(ws_load64(from + 24) ^ wide,
				(u64 __user *)(to + 24), out);
	}
	for (; n >= 8; n -= 8, from += 8, to += 8)
		unsafe_put_user(ws_load64(from) ^ wide, (u64 __user *)to, out);
	if (n & 4) {
		unsafe_put_user(ws_load32(from) ^ key, (u32 __user *)to, out);
		from += 4;
		to += 4;
	}
	for (n &= 3; n; n--, from++, to++) {
		unsafe_put_user((u8)(*from ^ *(const u8 *)&key), to, out);
		key = ws_key_rotate(key, 1);
	}
out:
	user_write_access_end();
	return to - start;
}

static int unmask_bounce(struct iov_iter *to, const u8 *p, u32 n, u32 key)
{
	u8 bounce[WS_BOUNCE];

	while (n) {
		u32 part = min_t(u32, n, WS_BOUNCE);

		ws_mask_copy(bounce, p, part, key);
		if (copy_to_iter(bounce, part, to) != part)
			return -EFAULT;
		key = ws_key_rotate(key, part);
		p += part;
		n -= part;
	}
	return 0;
}

/*
 * Unmask @n bytes of the queue into the reader's buffer, which has room for
 * them; @key's first byte belongs to @p[0], 0 copies. This system call will
 * copy @ahead bytes, if the buffer has room for them; these and others. May
 * sleep on user memory. Return: 0 or -EFAULT.
 */
int ws_unmask_copy(struct iov_iter *to, const u8 *p, u32 n, u32 key, u64 ahead)
{
	if (!key)
		return copy_to_iter(p, n, to) == n ? 0 : -EFAULT;

	ahead = min_t(u64, ahead, iov_iter_count(to));
	while (n) {
		size_t run = n;
		u8 __user *user = ws_compat_iter_user(to, &run);
		u32 done = 0;

		if (!user)
			return unmask_bounce(to, p, n, key);
		/*
		 * It stops for a page that is absent; words go on from there.
		 */
		if (run >= WS_VECTOR_RUN && ws_vector_pays(ahead))
			done = ws_vector_unmask(user, p, run, key);
		if (done < run)
			done += unmask_words(user + done, p + done, run - done,
					     key);
		iov_iter_advance(to, done);
		if (done != run)
			return -EFAULT;
		key = ws_key_rotate(key, run);
		p += run;
		n -= run;
	}
	return 0;
}
