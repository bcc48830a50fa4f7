// SPDX-License-Identifier: MIT
/*
 * Echo with framing in the kernel: a received message is sent with the very
 * control message it came with. One buffer serves all connections; a message
 * larger than it passes through in pieces.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo.h"

/* Every so many wake-ups a second message is looked for. */
#define LOOK_AGAIN	16

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(struct ws_msg))];
};

static int kernel_open(struct server *s, struct peer *p,
		       const struct kws_result *result)
{
	struct ws_config config = {
		.max_message = s->max_message,
		/* A ring reads on while the replies are still to be sent. */
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
 * kernel_ping() - keepalive by the kernel
 * @s: the server: how often
 * @fd: a socket with framing in the kernel
 *
 * Return: 0 or -1.
 */
int kernel_ping(const struct server *s, int fd)
{
	struct ws_config config;
	socklen_t len = sizeof(config);

	if (getsockopt(fd, SOL_WS, WS_CONFIG, &config, &len))
		return -1;
	config.ping_interval = s->ping_ms;
	return setsockopt(fd, SOL_WS, WS_CONFIG, &config, len);
}

static enum next send_rest(struct peer *p)
{
	struct iovec iov = { p->rest, p->rest_len };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

	cm->cmsg_level = SOL_WS;
	cm->cmsg_type = WS_MSG;
	cm->cmsg_len = CMSG_LEN(sizeof(p->rest_msg));
	memcpy(CMSG_DATA(cm), &p->rest_msg, sizeof(p->rest_msg));
	do {
		ssize_t n = sendmsg(p->fd, &msg, MSG_NOSIGNAL | p->rest_flags);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ?
				NEXT_WRITE : NEXT_CLOSE;
		iov.iov_base = (char *)iov.iov_base + n;
		iov.iov_len -= n;
		if (iov.iov_len) {
			memmove(p->rest, iov.iov_base, iov.iov_len);
			iov.iov_base = p->rest;
		}
		p->rest_len = iov.iov_len;
	} while (p->rest_len);
	free(p->rest);
	p->rest = NULL;
	return NEXT_READ;
}

/* What was received is sent as it is; msg still has its control message. */
static enum next send_back(struct peer *p, struct msghdr *msg, size_t len)
{
	int more = msg->msg_flags & MSG_EOR ? 0 : MSG_MORE;
	struct cmsghdr *cm = CMSG_FIRSTHDR(msg);
	ssize_t n;

	msg->msg_iov->iov_len = len;
	n = sendmsg(p->fd, msg, MSG_NOSIGNAL | more);
	if (n == len)
		return NEXT_READ;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return NEXT_CLOSE;
	if (n < 0)
		n = 0;
	memcpy(&p->rest_msg, CMSG_DATA(cm), sizeof(p->rest_msg));
	p->rest_flags = more;
	if (peer_keep_rest(p, (char *)msg->msg_iov->iov_base + n, len - n))
		return NEXT_CLOSE;
	return NEXT_WRITE;
}

/* One message or piece; NEXT_READ when it has been echoed. */
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
	struct ws_msg info;
	struct cmsghdr *cm;
	ssize_t n;

	n = recvmsg(p->fd, &msg, 0);
	if (n < 0) {
		*empty = true;
		return errno == EAGAIN || errno == EINTR ?
			NEXT_READ : NEXT_CLOSE;
	}
	cm = CMSG_FIRSTHDR(&msg);
	if (!cm)
		return NEXT_CLOSE;
	memcpy(&info, CMSG_DATA(cm), sizeof(info));
	/* The kernel has answered it. */
	if (info.opcode == WS_OP_CLOSE)
		return NEXT_CLOSE;
	s->messages += !!(msg.msg_flags & MSG_EOR);
	s->bytes += n;
	if (!p->ack)
		return send_back(p, &msg, n);
	return msg.msg_flags & MSG_EOR ? send_back(p, &msg, 0) : NEXT_READ;
}

/* Until there are no more; what is sent meanwhile shares packets. */
static enum next echo_burst(struct server *s, struct peer *p)
{
	int on = 1, off = 0;
	bool corked = p->burst, empty = false;
	enum next next;
	unsigned int n = 0;

	if (corked)
		setsockopt(p->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof(on));
	do {
		next = echo_one(s, p, &empty);
		n += !empty;
	} while (next == NEXT_READ && !empty);
	if (corked && next != NEXT_CLOSE)
		setsockopt(p->fd, IPPROTO_TCP, TCP_CORK, &off, sizeof(off));
	p->burst = n > 1;
	return next;
}

/*
 * Where messages come one by one, asking again only to hear EAGAIN would cost
 * a call for each: a connection is asked again as long as that pays, and from
 * time to time. epoll is level-triggered: nothing is missed.
 */
static enum next kernel_step(struct server *s, struct peer *p)
{
	bool empty;

	if (p->rest) {
		enum next next = send_rest(p);

		if (next != NEXT_READ)
			return next;
	}
	if (p->burst || ++p->turns % LOOK_AGAIN == 0)
		return echo_burst(s, p);
	return echo_one(s, p, &empty);
}

/*
 * One message and no control message: all go out as binary, and pieces of one
 * that does not fit, into our buffer or the socket's, as messages. 0 stands for
 * the end and for an empty message.
 */
static enum next plain_step(struct server *s, struct peer *p)
{
	ssize_t n;

	if (p->rest) {
		enum next next = peer_send_rest(p);

		if (next != NEXT_READ)
			return next;
	}
	n = recv(p->fd, s->buffer, s->buffer_size, 0);
	if (n <= 0)
		return n && (errno == EAGAIN || errno == EINTR) ? NEXT_READ :
								  NEXT_CLOSE;
	s->messages++;
	s->bytes += n;
	return peer_send(p, s->buffer, n);
}

const struct framing framing_kernel = {
	.name = "kernel",
	.kernel = true,
	.open = kernel_open,
	.messages = true,
	.step = kernel_step,
	.close = peer_close,
};

const struct framing framing_plain = {
	.name = "kernel, without control messages",
	.kernel = true,
	.open = kernel_open,
	.step = plain_step,
	.close = peer_close,
};
