// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of a test's peer, with the checker behind them. The linker puts these
 * functions in the place of the C library's, see the Makefile; what they do not
 * know they pass on as it is.
 */
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "ws_wire_streams.h"

#ifndef SOL_TLS
#define SOL_TLS		282
#endif
#define TLS_DATA	23

/* What takes no bytes of the stream. */
#define PASSED_OVER	(MSG_PEEK | MSG_ERRQUEUE | MSG_OOB)

ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags)
{
	struct stream *s = len && !(flags & PASSED_OVER) ? wire_peer(fd) : NULL;
	ssize_t n;

	wire_reading(s);
	if (flags & MSG_TRUNC)
		wire_blind(s);
	n = __real_recv(fd, buf, len, flags);
	if (s)
		wire_has_read(fd, s, buf, n);
	return n;
}

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
	struct stream *s = len ? wire_peer(fd) : NULL;
	ssize_t n;

	wire_reading(s);
	n = __real_read(fd, buf, len);
	if (s)
		wire_has_read(fd, s, buf, n);
	return n;
}

static bool is_data(struct msghdr *msg)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_TLS && *CMSG_DATA(c) != TLS_DATA)
			return false;
	return true;
}

/* Of peers it only reads TLS records, into one piece of memory. */
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct stream *s = flags & PASSED_OVER ? NULL : wire_peer(fd);
	ssize_t n;

	wire_reading(s);
	if (s && msg->msg_iovlen != 1)
		wire_blind(s);
	n = __real_recvmsg(fd, msg, flags);
	if (s)
		wire_has_read(fd, s, msg->msg_iovlen ? msg->msg_iov->iov_base : NULL,
			      n < 0 || !is_data(msg) ? -1 : n);
	return n;
}

ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
	struct stream *s = wire_peer(fd);
	struct wire_undo undo;
	ssize_t n;

	if (s)
		wire_sending(s, buf, len, &undo);
	n = __real_send(fd, buf, len, flags);
	if (s)
		wire_has_sent(s, buf, len, n, &undo);
	wire_plain_sent(wire_attached(fd), n);
	return n;
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	struct stream *s = wire_peer(fd);
	struct wire_undo undo;
	ssize_t n;

	if (s)
		wire_sending(s, buf, len, &undo);
	n = __real_write(fd, buf, len);
	if (s)
		wire_has_sent(s, buf, len, n, &undo);
	wire_plain_sent(wire_attached(fd), n);
	return n;
}

/* A PONG of the program's own? */
static bool has_pong(const struct msghdr *msg)
{
	struct msghdr *m = (struct msghdr *)msg;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_WS && c->cmsg_type == WS_MSG &&
		    c->cmsg_len >= CMSG_LEN(sizeof(struct ws_msg)) &&
		    ((struct ws_msg *)CMSG_DATA(c))->opcode == WS_OP_PONG)
			return true;
	return false;
}

/* Of peers only TLS records of other types are sent by it. */
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct stream *s = wire_attached(fd);
	ssize_t n;

	if (s && has_pong(msg))
		wire_any_pong(s);
	wire_any_pong(wire_peer(fd));
	n = __real_sendmsg(fd, msg, flags);
	wire_plain_sent(s, n);
	return n;
}

ssize_t __wrap_sendfile(int out, int in, off_t *at, size_t len)
{
	ssize_t n;

	wire_any_pong(wire_peer(out));
	n = __real_sendfile(out, in, at, len);
	wire_plain_sent(wire_attached(out), n);
	return n;
}

ssize_t __wrap_splice(int in, off_t *at_in, int out, off_t *at_out, size_t len,
		      unsigned int flags)
{
	ssize_t n;

	wire_any_pong(wire_peer(out));
	wire_blind(wire_peer(in));
	n = __real_splice(in, at_in, out, at_out, len, flags);
	wire_plain_sent(wire_attached(out), n);
	return n;
}

static bool is_attach(int level, int opt, const void *val, socklen_t len)
{
	return (level == SOL_IP && opt == WS_ATTACH) ||
	       (level == SOL_TCP && opt == TCP_ULP && len >= 2 &&
		!memcmp(val, "ws", 2));
}

/* A prefix has come from the peer before all that it sends here. */
static void prefix_set(struct stream *s, const void *val, socklen_t len)
{
	if (s->w.in.at)
		s->w.any_pong = true;
	wire_sent(&s->w, val, len);
}

static void config_set(struct stream *s, const struct ws_config *cfg)
{
	s->w.server = cfg->role == WS_ROLE_SERVER;
	s->w.rsv |= cfg->rsv & 0x70;
}

static void option_set(struct stream *s, int level, int opt, const void *val,
		       socklen_t len)
{
	bool attach = is_attach(level, opt, val, len);

	if (attach)
		s->attached = true;
	if (level == SOL_WS && opt == WS_RX_PREFIX)
		prefix_set(s, val, len);
	if (((attach && level == SOL_IP) || (level == SOL_WS && opt == WS_CONFIG)) &&
	    len >= offsetof(struct ws_config, rsv) + sizeof(__u32))
		config_set(s, val);
}

int __wrap_setsockopt(int fd, int level, int opt, const void *val, socklen_t len)
{
	struct stream *s = wire_attached(fd);
	int ret = __real_setsockopt(fd, level, opt, val, len);
	int err = errno;

	if (!ret && wire_take(s)) {
		option_set(s, level, opt, val, len);
		wire_put(s);
	}
	/* Both ends are attached: none is a peer that reads frames. */
	if (!ret && wire_peer(fd) && is_attach(level, opt, val, len))
		wire_blind(wire_peer(fd));
	errno = err;
	return ret;
}

int __wrap_close(int fd)
{
	wire_forget(fd);
	return __real_close(fd);
}

/* A peer with two descriptors is read behind our back. */
int __wrap_dup(int fd)
{
	int copy = __real_dup(fd);

	wire_blind(wire_peer(fd));
	if (copy >= 0 && copy < WIRE_DESCRIPTORS && wire_attached(fd))
		wire_assign(copy, wire_lookup(fd));
	return copy;
}

int __wrap_dup2(int fd, int other)
{
	wire_blind(wire_peer(fd));
	if (fd != other)
		wire_forget(other);
	return __real_dup2(fd, other);
}
