/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between the kernels that the module builds for, as named
 * helpers. The WS_HAVE_* answers come from probes.mk.
 */
#ifndef _WS_COMPAT_H
#define _WS_COMPAT_H

#include <asm/ioctls.h>
#include <linux/bvec.h>
#include <linux/highmem.h>
#include <linux/netdevice.h>
#include <linux/skbuff.h>
#include <linux/sockios.h>
#include <linux/uio.h>
#include <net/sock.h>
#include <net/tcp.h>

#ifdef WS_HAVE_SENDPAGE
/* Where a route has no scatter-gather tcp_sendpage_locked() would sleep. */
static __maybe_unused noinline int
ws_compat_tcp_send_copy(struct sock *sk, struct bio_vec *bv, unsigned int n,
			size_t len, int flags)
{
	struct msghdr msg = { .msg_flags = flags };

	iov_iter_bvec(&msg.msg_iter, WRITE, bv, n, len);
	return tcp_sendmsg_locked(sk, &msg, len);
}
#endif

/*
 * Hand segments of pages to TCP by reference. Needs the socket lock, sleeps for
 * memory if sk_allocation allows it, never waits for room in the send buffer.
 * @more is MSG_MORE of the caller. Unless they are @shared the pages are never
 * written again, and a receiver on loopback may have them.
 *
 * Return: bytes taken, or a negated errno.
 */
static inline int ws_compat_tcp_send_pages(struct sock *sk, struct bio_vec *bv,
					   unsigned int n, size_t len,
					   bool more, bool shared)
{
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (more ? MSG_MORE : 0) |
		    (shared ? 0 : MSG_NO_SHARED_FRAGS);
#ifdef WS_HAVE_SENDPAGE
	int done = 0;

	if (unlikely(!(sk->sk_route_caps & NETIF_F_SG)))
		return ws_compat_tcp_send_copy(sk, bv, n, len, flags);
	for (; n; n--, bv++) {
		int notlast = n > 1 ? MSG_MORE | MSG_SENDPAGE_NOTLAST : 0;
		int ret = tcp_sendpage_locked(sk, bv->bv_page, bv->bv_offset,
					      bv->bv_len, flags | notlast);

		if (ret < 0)
			return done ? done : ret;
		done += ret;
		if (ret < bv->bv_len)
			break;
	}
	return done;
#else
	struct msghdr msg = { .msg_flags = flags | MSG_SPLICE_PAGES };

	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, bv, n, len);
	return tcp_sendmsg_locked(sk, &msg, len);
#endif
}

static inline bool ws_compat_zc_is_tcps(const struct ubuf_info *uarg)
{
#ifdef WS_HAVE_UBUF_OPS
	return uarg->ops == &msg_zerocopy_ubuf_ops;
#else
	return uarg->callback == msg_zerocopy_callback;
#endif
}

/*
 * The same for pages whose owner @uarg notifies when TCP no longer needs them.
 * Does not use up the caller's reference on it.
 */
static inline int ws_compat_tcp_send_zc(struct sock *sk, struct bio_vec *bv,
					unsigned int n, size_t len, bool more,
					struct ubuf_info *uarg)
{
	struct msghdr msg = {
		.msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL | MSG_ZEROCOPY |
			     (more ? MSG_MORE : 0),
		.msg_ubuf = uarg,
	};
	bool tcps = ws_compat_zc_is_tcps(uarg);
	u16 calls = tcps ? uarg_to_msgzc(uarg)->len : 0;
	int ret;

	iov_iter_bvec(&msg.msg_iter, WRITE, bv, n, len);
	ret = tcp_sendmsg_locked(sk, &msg, len);
	/* Older TCPs give the caller's number back when they take nothing. */
	if (ret < 0 && tcps && uarg_to_msgzc(uarg)->len != calls) {
		uarg_to_msgzc(uarg)->len = calls;
		atomic_inc(&sk->sk_zckey);
	}
	return ret;
}

/*
 * A completion number for a call of @size bytes, or NULL: of @last if that has
 * room for one more, which needs the socket lock.
 */
static inline struct ubuf_info *ws_compat_zc_alloc(struct sock *sk, size_t size,
						   struct ubuf_info *last)
{
#ifdef WS_HAVE_ZC_DEVMEM
	return msg_zerocopy_realloc(sk, size, last, false);
#else
	return msg_zerocopy_realloc(sk, size, last);
#endif
}

/* Tell that bytes were copied; the caller's reference stays. */
static inline void ws_compat_zc_copied(struct ubuf_info *uarg)
{
	net_zcopy_get(uarg);
#ifdef WS_HAVE_UBUF_OPS
	uarg->ops->complete(NULL, uarg, false);
#else
	uarg->callback(NULL, uarg, false);
#endif
}

/*
 * splice() and sendfile() come with MSG_SPLICE_PAGES, or else page by page to
 * proto.sendpage, which passes that flag on; MSG_SENDPAGE_NOTLAST then says
 * that the next page is about to come.
 */
#ifdef WS_HAVE_SENDPAGE
#define WS_COMPAT_MSG_PAGES	0x8000000
#define WS_COMPAT_MSG_NOTLAST	MSG_SENDPAGE_NOTLAST
#else
#define WS_COMPAT_MSG_PAGES	MSG_SPLICE_PAGES
#define WS_COMPAT_MSG_NOTLAST	0
#endif

/*
 * The page-sending entries in a copy of a protocol's tables; @sendpage is for
 * proto.sendpage, where that exists.
 */
static __always_inline void
ws_compat_set_sendpage(struct proto *prot, struct proto_ops *ops,
		       int (*sendpage)(struct sock *sk, struct page *page,
				       int offset, size_t size, int flags))
{
#ifdef WS_HAVE_SENDPAGE
	prot->sendpage = sendpage;
	ops->sendpage_locked = NULL;
#endif
	ops->sendmsg_locked = NULL;
}

/*
 * proto.recvmsg. WS_COMPAT_RECVMSG_ENTRY() makes @entry of @fn, which has the
 * older form, with @addr_len.
 */
#ifdef WS_HAVE_ADDR_LEN
#define WS_COMPAT_RECVMSG_ENTRY(entry, fn)				\
static int entry(struct sock *sk, struct msghdr *msg, size_t len,	\
		 int flags, int *addr_len)				\
{									\
	return fn(sk, msg, len, flags, addr_len);			\
}									\
static_assert(true)

static inline int ws_compat_recvmsg(const struct proto *prot, struct sock *sk,
				    struct msghdr *msg, size_t len, int flags,
				    int *addr_len)
{
	return prot->recvmsg(sk, msg, len, flags, addr_len);
}
#else
#define WS_COMPAT_RECVMSG_ENTRY(entry, fn)				\
static int entry(struct sock *sk, struct msghdr *msg, size_t len,	\
		 int flags)						\
{									\
	int addr_len = 0;						\
									\
	return fn(sk, msg, len, flags, &addr_len);			\
}									\
static_assert(true)

static inline int ws_compat_recvmsg(const struct proto *prot, struct sock *sk,
				    struct msghdr *msg, size_t len, int flags,
				    int *addr_len)
{
	return prot->recvmsg(sk, msg, len, flags);
}
#endif

/* proto.ioctl: its argument is a user address in the older form. */
#ifdef WS_HAVE_IOCTL_KARG
#define WS_COMPAT_IOCTL_ARG	int *

static inline int ws_compat_ioctl_put(int *karg, int value)
{
	*karg = value;
	return 0;
}
#else
#define WS_COMPAT_IOCTL_ARG	unsigned long

static inline int ws_compat_ioctl_put(unsigned long arg, int value)
{
	return put_user(value, (int __user *)arg);
}
#endif

/*
 * The user memory at the front of @iter, at most *@len bytes of it; *@len is
 * set to how much it is. NULL for any other memory, for an empty segment, and
 * where words cannot be stored at any address.
 */
static inline u8 __user *ws_compat_iter_user(const struct iov_iter *iter,
					     size_t *len)
{
	u8 __user *base = NULL;
	size_t run = *len;

	/* A vector that is used up has no segment. */
	if (!IS_ENABLED(CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS) ||
	    !iov_iter_count(iter))
		return NULL;
	if (iter_is_ubuf(iter)) {
		base = (u8 __user *)iter->ubuf + iter->iov_offset;
	} else if (iter_is_iovec(iter)) {
#ifdef WS_HAVE_ITER_IOV
		base = (u8 __user *)iter_iov_addr(iter);
		run = iter_iov_len(iter);
#else
		base = (u8 __user *)iter->iov->iov_base + iter->iov_offset;
		run = iter->iov->iov_len - iter->iov_offset;
#endif
	}
	*len = min(*len, min(run, iov_iter_count(iter)));
	return *len ? base : NULL;
}

/*
 * Byte @*off of a page fragment of *@size bytes. Where pages need mapping, one
 * page is mapped; *@off and *@size are then made those of that page's share.
 */
static inline const u8 *ws_compat_frag_map(const skb_frag_t *frag, u32 *off,
					   u32 *size)
{
	u32 at = skb_frag_off(frag) + *off;
	u32 left = *size - *off;

	if (!IS_ENABLED(CONFIG_HIGHMEM))
		return (u8 *)page_address(skb_frag_page(frag)) +
		       skb_frag_off(frag);
	*off = 0;
	*size = min_t(u32, left, PAGE_SIZE - offset_in_page(at));
	return (u8 *)kmap_local_page(skb_frag_page(frag) +
				     (at >> PAGE_SHIFT)) + offset_in_page(at);
}

static inline void ws_compat_frag_unmap(const u8 *p)
{
	kunmap_local(p);
}

/* The memory cgroup that a socket's buffers are charged to; only to compare. */
static inline const void *ws_compat_sk_memcg(const struct sock *sk)
{
#ifdef CONFIG_MEMCG
	return sk->sk_memcg;
#else
	return NULL;
#endif
}

/* False for device memory, which no copy can read. */
static inline bool ws_compat_skb_readable(const struct sk_buff *skb)
{
#ifdef WS_HAVE_UNREADABLE
	return skb_frags_readable(skb);
#else
	return true;
#endif
}

#endif /* _WS_COMPAT_H */
