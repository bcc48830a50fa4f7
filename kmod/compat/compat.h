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
#include <linux/sockios.h>
#include <linux/uio.h>
#include <net/sock.h>
#include <net/tcp.h>

/* ws_ulp.c: the protocol below an attached socket. */
struct proto *ws_lower_prot(const struct sock *sk);

/*
 * Hand one run of a page to TCP by reference. Needs the socket lock, may
 * sleep for memory, never waits for room in the send buffer. The pages are
 * never written again, so a receiver on loopback may share them. @more is
 * MSG_MORE of the caller, @last says that no other run of the frame follows.
 *
 * Return: bytes taken, or a negated errno.
 */
static inline int ws_compat_tcp_send_page(struct sock *sk, struct page *page,
					  size_t off, size_t len, bool more,
					  bool last)
{
	int flags = MSG_DONTWAIT | MSG_NOSIGNAL |
		    (more || !last ? MSG_MORE : 0);
#ifdef WS_HAVE_SENDPAGE
	if (!last)
		flags |= MSG_SENDPAGE_NOTLAST;
	return tcp_sendpage_locked(sk, page, off, len,
				   flags | MSG_NO_SHARED_FRAGS);
#else
	struct msghdr msg = { .msg_flags = flags | MSG_SPLICE_PAGES |
					   MSG_NO_SHARED_FRAGS };
	struct bio_vec bv;

	bvec_set_page(&bv, page, len, off);
	iov_iter_bvec(&msg.msg_iter, ITER_SOURCE, &bv, 1, len);
	return tcp_sendmsg_locked(sk, &msg, len);
#endif
}

/* Take the page-sending entries out of a copy of a protocol's tables. */
static inline void ws_compat_no_sendpage(struct proto *prot,
					 struct proto_ops *ops)
{
#ifdef WS_HAVE_SENDPAGE
	prot->sendpage = NULL;
	/*
	 * Not ops->sendmsg_locked: tcp_sendpage_locked() falls back to it for
	 * routes without scatter-gather.
	 */
	ops->sendpage_locked = NULL;
#else
	ops->sendmsg_locked = NULL;
#endif
}

/* MSG_SENDPAGE_NOTLAST: more of the same file follows (sendfile). */
#ifdef WS_HAVE_SENDPAGE
#define WS_COMPAT_MSG_NOTLAST	MSG_SENDPAGE_NOTLAST
#else
#define WS_COMPAT_MSG_NOTLAST	0
#endif

/* proto.recvmsg: ours has the older form, with @addr_len, everywhere. */
int ws_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags,
	       int *addr_len);

#ifdef WS_HAVE_ADDR_LEN
static inline void ws_compat_set_recvmsg(struct proto *prot)
{
	prot->recvmsg = ws_recvmsg;
}

static inline int ws_compat_recvmsg(const struct proto *prot, struct sock *sk,
				    struct msghdr *msg, size_t len, int flags,
				    int *addr_len)
{
	return prot->recvmsg(sk, msg, len, flags, addr_len);
}
#else
static inline int ws_compat_recvmsg_entry(struct sock *sk, struct msghdr *msg,
					  size_t len, int flags)
{
	int addr_len = 0;

	return ws_recvmsg(sk, msg, len, flags, &addr_len);
}

static inline void ws_compat_set_recvmsg(struct proto *prot)
{
	prot->recvmsg = ws_compat_recvmsg_entry;
}

static inline int ws_compat_recvmsg(const struct proto *prot, struct sock *sk,
				    struct msghdr *msg, size_t len, int flags,
				    int *addr_len)
{
	return prot->recvmsg(sk, msg, len, flags);
}
#endif

/* proto.ioctl: @arg is a user address in the older form. */
int ws_ioctl_inq(struct sock *sk);

#ifdef WS_HAVE_IOCTL_KARG
static inline int ws_compat_ioctl(struct sock *sk, int cmd, int *karg)
{
	if (cmd != SIOCINQ)
		return ws_lower_prot(sk)->ioctl(sk, cmd, karg);
	*karg = ws_ioctl_inq(sk);
	return 0;
}
#else
static inline int ws_compat_ioctl(struct sock *sk, int cmd, unsigned long arg)
{
	if (cmd != SIOCINQ)
		return ws_lower_prot(sk)->ioctl(sk, cmd, arg);
	return put_user(ws_ioctl_inq(sk), (int __user *)arg);
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

	if (!IS_ENABLED(CONFIG_HAVE_EFFICIENT_UNALIGNED_ACCESS))
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
