// SPDX-License-Identifier: MIT
/*
 * Echo with framing in the kernel: a received message is sent with the control
 * message it came with. One buffer serves all connections; a message larger
 * than the buffer passes through in pieces.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "echo_burst.h"
#include "echo_ring.h"
#include "echo_send.h"

/**
 * struct kernel_peer - a connection of framing_kernel
 * @unsent: payload that the socket had no room for
 * @msg: the message it belongs to
 * @flags: MSG_MORE if more of that message follows
 * @burst: whether messages come in groups
 */
struct kernel_peer {
	struct held unsent;
	struct ws_msg msg;
	int flags;
	struct burst burst;
};

/**
 * kernel_attach() - let the kernel do the framing
 * @s: the server
 * @p: the connection
 * @result: of its handshake
 *
 * Return: 0, or -1 with errno: ENOKEY without kTLS.
 */
int kernel_attach(struct server *s, struct peer *p,
		  const struct kws_result *result)
{
	struct ws_config config = {
		.max_message = s->max_message,
		/* A ring receives more while replies are still unsent. */
		.flags = s->uring ? WS_F_CLOSE : 0,
	};

	errno = ENOKEY;
	if ((result->tls && !result->ktls) ||
	    kws_attach(p->fd, WS_ROLE_SERVER, result->surplus,
		       result->surplus_len))
		return -1;
	if (config.max_message || config.flags)
		return setsockopt(p->fd, SOL_WS, WS_CONFIG, &config,
				  sizeof(config));
	return 0;
}

/**
 * kernel_keep_alive() - framing::keep_alive: let the kernel send PINGs
 * @s: the server
 * @p: a connection with framing in the kernel
 *
 * Return: 0 or -1.
 */
int kernel_keep_alive(struct server *s, struct peer *p)
{
	struct ws_config config;
	socklen_t len = sizeof(config);

	if (getsockopt(p->fd, SOL_WS, WS_CONFIG, &config, &len))
		return -1;
	config.ping_interval = s->ping_ms;
	return setsockopt(p->fd, SOL_WS, WS_CONFIG, &config, len);
}

static int kernel_open(struct server *s, struct peer *p,
		       const struct kws_result *result)
{
	if (kernel_attach(s, p, result))
		return -1;
	p->state = calloc(1, sizeof(struct kernel_peer));
	return p->state ? 0 : -1;
}

static enum next kernel_writable(struct server *s, struct peer *p)
{
	struct kernel_peer *k = p->state;
	struct iovec iov = { k->unsent.data, k->unsent.len };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

	(void)s;
	cm->cmsg_level = SOL_WS;
	cm->cmsg_type = WS_MSG;
	cm->cmsg_len = CMSG_LEN(sizeof(k->msg));
	memcpy(CMSG_DATA(cm), &k->msg, sizeof(k->msg));
	do {
		ssize_t n = sendmsg(p->fd, &msg, MSG_NOSIGNAL | k->flags);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ?
				NEXT_WRITE : NEXT_CLOSE;
		iov.iov_base = (char *)iov.iov_base + n;
		iov.iov_len -= n;
		if (iov.iov_len) {
			memmove(k->unsent.data, iov.iov_base, iov.iov_len);
			iov.iov_base = k->unsent.data;
		}
		k->unsent.len = iov.iov_len;
	} while (k->unsent.len);
	drop_held(&k->unsent);
	return NEXT_READ;
}

/* Sends what was received; @msg still has its control message. */
static enum next send_back(struct peer *p, struct msghdr *msg, size_t len)
{
	int more = msg->msg_flags & MSG_EOR ? 0 : MSG_MORE;
	struct cmsghdr *cm = CMSG_FIRSTHDR(msg);
	struct kernel_peer *k;
	ssize_t n;

	msg->msg_iov->iov_len = len;
	n = sendmsg(p->fd, msg, MSG_NOSIGNAL | more);
	if (n == len)
		return NEXT_READ;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return NEXT_CLOSE;
	if (n < 0)
		n = 0;
	k = p->state;
	memcpy(&k->msg, CMSG_DATA(cm), sizeof(k->msg));
	k->flags = more;
	if (hold_bytes(&k->unsent, (char *)msg->msg_iov->iov_base + n, len - n))
		return NEXT_CLOSE;
	return NEXT_WRITE;
}

/* Echoes one message or piece; NEXT_READ when all of it is out. */
static enum next echo_one(struct server *s, struct peer *p, bool *empty)
{
	struct iovec iov = { s->buffer, s->buffer_size };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n;
	enum next next = receive_one(s, p, &msg, &n, empty);

	if (next != NEXT_WRITE)
		return next;
	return send_back(p, &msg, n);
}

static enum next kernel_readable(struct server *s, struct peer *p)
{
	struct kernel_peer *k = p->state;

	return answer_wakeup(&k->burst, s, p, echo_one);
}

static const struct ring_ops kernel_ring = {
	.messages = true,
};

const struct framing framing_kernel = {
	.name = "kernel",
	.kernel = true,
	.ring = &kernel_ring,
	.open = kernel_open,
	.readable = kernel_readable,
	.writable = kernel_writable,
	.keep_alive = kernel_keep_alive,
	.close = bytes_close,
};

static int plain_open(struct server *s, struct peer *p,
		      const struct kws_result *result)
{
	if (kernel_attach(s, p, result))
		return -1;
	p->state = calloc(1, sizeof(struct held));
	return p->state ? 0 : -1;
}

/*
 * One message without a control message: everything goes out as binary, and a
 * message larger than the buffer, or than the room of the socket, as several.
 * A return value of 0 may be the end or an empty message; both end it here.
 */
static enum next plain_readable(struct server *s, struct peer *p)
{
	ssize_t n = recv(p->fd, s->buffer, s->buffer_size, 0);

	if (n <= 0)
		return n && (errno == EAGAIN || errno == EINTR) ? NEXT_READ :
								  NEXT_CLOSE;
	s->messages++;
	s->bytes += n;
	return send_or_hold(p, p->state, s->buffer, n);
}

const struct framing framing_plain = {
	.name = "kernel, without control messages",
	.kernel = true,
	.open = plain_open,
	.readable = plain_readable,
	.writable = bytes_writable,
	.keep_alive = kernel_keep_alive,
	.close = bytes_close,
};
