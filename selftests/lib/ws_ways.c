// SPDX-License-Identifier: GPL-2.0-only
/* The ways to send and to end, see ws_ways.h. */
#include <sys/ioctl.h>

#include <linux/sockios.h>

#include "ws_ways.h"

size_t put_record(void *to, struct ws_msg m, const void *data)
{
	memcpy(to, &m, sizeof(m));
	memcpy((char *)to + sizeof(m), data, m.len);
	memset((char *)to + sizeof(m) + m.len, '#', -m.len & 7);
	return WS_RECORD_SIZE(m.len);
}

ssize_t send_record(int fd, struct ws_msg m, const void *data, int flags)
{
	char *record = malloc(WS_RECORD_SIZE(m.len));
	size_t size;
	ssize_t n;

	if (!record)
		abort();
	size = put_record(record, m, data);
	n = send(fd, record, size, flags | MSG_NOSIGNAL);
	n = n < 0 ? -errno : n;
	free(record);
	return n == (ssize_t)size ? (ssize_t)m.len : n;
}

ssize_t send_array(int fd, const struct ws_msg *m, int n, const void *buf,
		   size_t len, int flags)
{
	char control[CMSG_SPACE((WS_BATCH_MAX + 1) * sizeof(*m))] = { 0 };
	struct iovec iov = { (void *)buf, len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(n * sizeof(*m)),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	ssize_t ret;

	cmsg->cmsg_level = SOL_WS;
	cmsg->cmsg_type = WS_MSG;
	cmsg->cmsg_len = CMSG_LEN(n * sizeof(*m));
	memcpy(CMSG_DATA(cmsg), m, n * sizeof(*m));
	ret = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	return ret < 0 ? -errno : ret;
}

__u32 way_flags(enum way way)
{
	return way == BY_RECORD ? WS_F_RECORDS :
	       way == BY_ARRAY ? WS_F_BATCH : 0;
}

int way_code(enum way way)
{
	return way == BY_CLOSE ? 1001 : way < BY_SHUTDOWN ? 3333 : 1000;
}

int close_by(struct pair *p, enum way by, int flags)
{
	struct ws_msg m[] = {
		{ .len = 4, .opcode = WS_OP_TEXT, .flags = END },
		{ .opcode = WS_OP_CLOSE, .flags = END, .code = 3333 },
	};
	int fd = p->ws;
	ssize_t n;

	switch (by) {
	case BY_MESSAGE:
		return ws_send_close(fd, 3333, "");
	case BY_RECORD:
		return send_record(fd, m[1], "", flags);
	case BY_ARRAY:
		n = send_array(fd, m, 2, "last", 4, flags);
		return n == 4 ? 0 : n;
	case BY_SHUTDOWN:
		return shutdown(fd, SHUT_WR) ? -errno : 0;
	case BY_SHUTDOWN_BOTH:
		return shutdown(fd, SHUT_RDWR) ? -errno : 0;
	case BY_CLOSE:
		p->ws = -1;
		return close(fd) ? -errno : 0;
	}
	return -EINVAL;
}

bool expect_close_by(struct pair *p, enum way way)
{
	return (way != BY_ARRAY || expect_frame(p, TEXT, "last", 4)) &&
	       expect_close(p, way_code(way), "");
}

bool pair_open_small(struct pair *p, int family, __u32 role)
{
	int small = 16 * 1024;

	return pair_open_rcvbuf(p, family, role, 0, small, 1448) &&
	       !setsockopt(p->ws, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
}

#define FILL_MANY	16

int fill_way(int fd)
{
	__u32 flags = ws_get_config(fd).flags;
	struct ws_msg m[FILL_MANY];
	int n = 0, i, queued;
	ssize_t got;

	if (set_flags(fd, WS_F_BATCH))
		complain("not filled: WS_CONFIG");
	do {
		got = ws_send(fd, 0, pattern(n * FILL, FILL), FILL,
			      MSG_DONTWAIT);
		n += got == FILL;
		usleep(5000);
	} while (got == FILL && !ioctl(fd, SIOCOUTQ, &queued) && !queued);
	for (i = 0; i < FILL_MANY; i++)
		m[i] = (struct ws_msg){ .len = FILL, .flags = END };
	do {
		got = send_array(fd, m, FILL_MANY,
				 pattern(n * FILL, FILL * FILL_MANY),
				 FILL * FILL_MANY, MSG_DONTWAIT);
		if (got > 0)
			n += FILL_MANY;
		else if (got != -EAGAIN)
			complain("not filled: %zd", got);
		/* What the peer has taken meanwhile made room. */
		usleep(20000);
	} while (poll_now(fd, POLLOUT) & POLLOUT);
	set_flags(fd, flags);
	return n;
}

bool drain_way(struct pair *p, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (!expect_frame(p, BINARY, pattern(i * FILL, FILL), FILL))
			return complain("message %d of %d", i, n);
	return true;
}
