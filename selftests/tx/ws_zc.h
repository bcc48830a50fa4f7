/* SPDX-License-Identifier: GPL-2.0-only */
/* A sender with MSG_ZEROCOPY, and the reports of its error queue. */
#ifndef _WS_ZC_H
#define _WS_ZC_H

#include <linux/errqueue.h>

#include "ws_test.h"

#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT	25
#endif

/* @calls and @copied: completions seen. */
struct sender_zc {
	struct pair p;
	char *buf;
	__u32 calls;
	int copied;
};

/* One report of the error queue: calls *@lo to *@hi are complete. */
static inline int read_report(int fd, __u32 *lo, __u32 *hi, bool *copied)
{
	char control[128];
	struct msghdr msg = {
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct sock_extended_err *err;
	struct cmsghdr *cmsg;

	if (recvmsg(fd, &msg, MSG_ERRQUEUE) < 0)
		return -errno;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (!cmsg)
		return -ENOMSG;
	err = (void *)CMSG_DATA(cmsg);
	if (err->ee_origin != SO_EE_ORIGIN_ZEROCOPY || err->ee_errno)
		return -EBADMSG;
	*lo = err->ee_info;
	*hi = err->ee_data;
	*copied = err->ee_code & SO_EE_CODE_ZEROCOPY_COPIED;
	return 0;
}

/* Waits until @want calls are complete; not one more, none twice. */
static inline bool completed(struct sender_zc *s, __u32 want)
{
	uint64_t end = now_ms() + WS_TEST_MS;
	bool seen[1024] = { false };
	__u32 i;

	for (i = 0; i < s->calls; i++)
		seen[i] = true;
	while (now_ms() < end) {
		bool copied = false;
		__u32 lo = 0, hi = 0;
		int err = read_report(s->p.ws, &lo, &hi, &copied);

		if (err == -EAGAIN) {
			if (s->calls == want)
				return true;
			poll_for(s->p.ws, 0, 100);
			continue;
		}
		if (err)
			return complain("error queue: %s", strerror(-err));
		s->copied += copied;
		for (i = lo; i <= hi; i++) {
			if (i >= want || seen[i])
				return complain("call %u of %u completed%s", i,
						want, i < want ? " twice" : "");
			seen[i] = true;
			s->calls++;
		}
	}
	return complain("%u of %u calls complete", s->calls, want);
}

/*
 * Sends 100000 bytes at a time until there is no room. With the low mark TCP
 * takes only a part of the last frame.
 */
static inline __u32 fill(struct sender_zc *s, size_t *bytes)
{
	int lowat = 10000;
	__u32 calls = 0;
	ssize_t n;

	setsockopt(s->p.ws, SOL_TCP, TCP_NOTSENT_LOWAT, &lowat, 4);
	*bytes = 0;
	while (*bytes < PATTERN_MAX / 2) {
		n = ws_send(s->p.ws, WS_OP_BINARY, s->buf + *bytes,
			    100000, MSG_ZEROCOPY | MSG_DONTWAIT | MSG_MORE);
		if (n <= 0)
			break;
		calls++;
		*bytes += n;
	}
	return calls;
}

#endif /* _WS_ZC_H */
