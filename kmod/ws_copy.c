// SPDX-License-Identifier: GPL-2.0-only
/*
 * Unmasking on the way to the reader: one pass straight to user memory, in
 * the kernel's own user-access section. The bytes in TCP's queue are never
 * written to: their pages may belong to a sender, a capture or a file.
 */
#include <linux/uaccess.h>

#include "ws.h"

/* For readers that are not plain user memory (splice, kernel callers). */
#define WS_BOUNCE	512

struct ws_u64 {
	u64 v;
} __packed;

/*
 * No call may be made between begin and end, hence the open loop. A fault
 * ends it: pages that are merely absent have been brought in by then.
 * Return: bytes written; fewer than @n when user memory is bad.
 */
static u32 unmask_to_user(u8 __user *to, const u8 *from, u32 n, u32 key)
{
	u64 wide = (u64)key << 32 | key;
	u32 done = 0;

	if (!user_write_access_begin(to, n))
		return 0;
	for (; n - done >= 32; done += 32) {
		const struct ws_u64 *w = (const struct ws_u64 *)(from + done);

		unsafe_put_user(w[0].v ^ wide, (u64 __user *)(to + done), out);
		unsafe_put_user(w[1].v ^ wide, (u64 __user *)(to + done + 8),
				out);
		unsafe_put_user(w[2].v ^ wide, (u64 __user *)(to + done + 16),
				out);
		unsafe_put_user(w[3].v ^ wide, (u64 __user *)(to + done + 24),
				out);
	}
	for (; n - done >= 8; done += 8) {
		const struct ws_u64 *w = (const struct ws_u64 *)(from + done);

		unsafe_put_user(w->v ^ wide, (u64 __user *)(to + done), out);
	}
	for (; done < n; done++) {
		u8 c = from[done] ^ ((const u8 *)&wide)[done & 3];

		unsafe_put_user(c, to + done, out);
	}
out:
	user_write_access_end();
	return done;
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

/**
 * ws_copy_unmask() - unmask bytes of the queue into the reader's buffer
 * @to: the buffer; advanced
 * @p: where the bytes are
 * @n: how many, no more than @to has room for
 * @key: key whose first byte belongs to @p[0]; 0 copies
 *
 * May sleep on user memory.
 *
 * Return: 0 or -EFAULT.
 */
int ws_copy_unmask(struct iov_iter *to, const u8 *p, u32 n, u32 key)
{
	if (!key)
		return copy_to_iter(p, n, to) == n ? 0 : -EFAULT;

	while (n) {
		size_t run = n;
		u8 __user *user = ws_compat_iter_user(to, &run);
		u32 done;

		if (!user)
			return unmask_bounce(to, p, n, key);
		done = unmask_to_user(user, p, run, key);
		iov_iter_advance(to, done);
		if (done != run)
			return -EFAULT;
		key = ws_key_rotate(key, run);
		p += run;
		n -= run;
	}
	return 0;
}
