// SPDX-License-Identifier: MIT
/* kws_recv() and kws_send() with framing in the kernel. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "conn.h"

/* Room for one struct ws_msg as a control message. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(struct ws_msg))];
};

/* Receives behind the bytes in @c->rx. Returns how many, or -1. */
static ssize_t receive_piece(struct kws_conn *c, struct ws_msg *piece,
			     int *flags)
{
	struct buffer *b = &c->rx;
	struct iovec iov = { b->data + b->to, b->size - b->to };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cm;
	ssize_t n;

	memset(piece, 0, sizeof(*piece));
	n = recvmsg(c->fd, &msg, 0);
	if (n < 0)
		return -1;
	cm = CMSG_FIRSTHDR(&msg);
	if (cm && cm->cmsg_level == SOL_WS && cm->cmsg_type == WS_MSG)
		memcpy(piece, CMSG_DATA(cm), sizeof(*piece));
	*flags = msg.msg_flags;
	return n;
}

/**
 * kernel_recv() - kws_recv() with framing in the kernel
 * @c: the connection
 * @m: the message
 *
 * The kernel returns a message in pieces when it is larger than our buffer or
 * than the receive buffer of the socket; here they are joined.
 *
 * Return: 1, 0 or -1.
 */
int kernel_recv(struct kws_conn *c, struct kws_message *m)
{
	struct buffer *b = &c->rx;
	struct ws_msg piece;
	int flags;
	ssize_t n;

	if (c->ended) {
		kernel_flush(c);
		return 0;
	}
	if (kws_pending(c) && kernel_flush(c) && errno != EAGAIN &&
	    errno != EPIPE)
		return -1;
	if (c->message_done) {
		c->message_done = false;
		b->to = 0;
		/* A large message must not keep its memory forever. */
		if (b->size > GROW_MAX) {
			free(b->data);
			memset(b, 0, sizeof(*b));
		}
	}
	for (;;) {
		if (buffer_reserve(b, b->to ? b->to : READ_SIZE))
			return -1;
		n = receive_piece(c, &piece, &flags);
		if (n < 0)
			return -1;
		if (!n && !piece.opcode)
			return 0;
		b->to += n;
		if (flags & MSG_EOR)
			break;
	}
	c->message_done = true;
	c->compressed = piece.flags & WS_MSG_RSV1;
	m->data = b->data;
	m->len = b->to;
	m->opcode = piece.opcode;
	m->code = piece.code;
	return 1;
}

/* Returns how many bytes were sent, or -1, as sendmsg(). */
static ssize_t send_piece(struct kws_conn *c, const struct ws_msg *message,
			  const void *data, size_t len, int flags)
{
	struct iovec iov = { (void *)data, len };
	union control control = { 0 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	cm->cmsg_level = SOL_WS;
	cm->cmsg_type = WS_MSG;
	cm->cmsg_len = CMSG_LEN(sizeof(*message));
	memcpy(CMSG_DATA(cm), message, sizeof(*message));
	do {
		n = sendmsg(c->fd, &msg, flags | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	return n;
}

/**
 * kernel_flush() - send pending bytes
 * @c: the connection
 *
 * Return: 0 when all is out, or -1.
 */
int kernel_flush(struct kws_conn *c)
{
	struct buffer *b = &c->tx;

	while (c->tx_waiting) {
		ssize_t n = send_piece(c, &c->tx_msg, b->data + b->from,
				       b->to - b->from, c->tx_flags);

		if (n < 0)
			return -1;
		b->from += n;
		c->tx_waiting = b->from < b->to;
	}
	b->from = 0;
	b->to = 0;
	if (c->deflate) {
		free(b->data);
		memset(b, 0, sizeof(*b));
	}
	return 0;
}

/**
 * kernel_fail() - send a Close and drop received data
 * @c: the connection
 * @code: the status code
 *
 * Does not wait for room; kws_close() tries again.
 */
void kernel_fail(struct kws_conn *c, u16 code)
{
	c->tx_msg = (struct ws_msg){ .opcode = WS_OP_CLOSE, .code = code };
	c->tx_flags = MSG_DONTWAIT;
	c->tx_waiting = true;
	c->tx.from = 0;
	c->tx.to = 0;
	c->ended = true;
	kernel_flush(c);
}

/**
 * kernel_send() - kws_send() with framing in the kernel
 * @c: the connection
 * @msg: opcode and code
 * @data: payload
 * @len: payload bytes
 * @flags: MSG_MORE or 0
 *
 * Return: 0, or -1; with EAGAIN nothing was accepted.
 */
ssize_t kernel_send(struct kws_conn *c, const struct ws_msg *msg,
		    const void *data, size_t len, int flags)
{
	struct buffer *b = &c->tx;
	size_t done = 0;
	ssize_t n;

	if (kernel_flush(c))
		return -1;
	do {
		n = send_piece(c, msg, (const u8 *)data + done, len - done,
			       flags);
		if (n > 0)
			done += n;
	} while (n >= 0 && done < len);
	if (n >= 0)
		return 0;
	if (errno != EAGAIN || buffer_reserve(b, len - done))
		return -1;
	if (len)
		memcpy(b->data, (const u8 *)data + done, len - done);
	b->to = len - done;
	c->tx_msg = *msg;
	c->tx_flags = flags;
	c->tx_waiting = true;
	return 0;
}
