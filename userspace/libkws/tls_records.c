// SPDX-License-Identifier: MIT
/*
 * A socket with kTLS in both directions, without OpenSSL: data is received and
 * sent as without TLS, other types of records with a control message.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/tls.h>

#include "tls.h"

#ifndef SOL_TLS
#define SOL_TLS		282
#endif

/* RFC 8446 sections 4, 5.1 and 6. */
#define ALERT		21
#define HANDSHAKE	22
#define DATA		23
#define NEW_TICKET	4
#define KEY_UPDATE	24
#define WARNING		1
#define CLOSE_NOTIFY	0
#define USER_CANCELED	90

/* Records without data in one call; a peer with more only keeps us busy. */
#define NO_DATA_MAX	32

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(1)];
};

/* As recvmsg(). *type is 0 without a control message. */
static ssize_t receive_record(int fd, void *buf, size_t size, int flags,
			      int *type)
{
	struct iovec iov = { buf, size };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = recvmsg(fd, &msg, flags);
	struct cmsghdr *cm = n < 0 ? NULL : CMSG_FIRSTHDR(&msg);

	*type = 0;
	if (cm && cm->cmsg_level == SOL_TLS &&
	    cm->cmsg_type == TLS_GET_RECORD_TYPE)
		*type = *CMSG_DATA(cm);
	return n;
}

/* Handles a record that is not data. Returns 0 at the end, 1 if not, or -1. */
static int handle_record(int type, const unsigned char *body, ssize_t len)
{
	errno = EBADMSG;
	if (type == ALERT && len == 2) {
		if (body[1] == CLOSE_NOTIFY)
			return 0;
		if (body[1] == USER_CANCELED)
			return 1;
		errno = ECONNABORTED;
		return -1;
	}
	if (type != HANDSHAKE || len < 1)
		return -1;
	/* Also the HelloRequest of TLS 1.2, which may be ignored. */
	if (body[0] == NEW_TICKET || !body[0])
		return 1;
	if (body[0] == KEY_UPDATE)
		errno = EKEYEXPIRED;
	return -1;
}

/**
 * record_read() - recv() from a socket with kTLS
 * @fd: the socket
 * @buf: the buffer
 * @size: at least 1 byte
 * @flags: MSG_DONTWAIT or 0
 *
 * Session tickets are dropped: sessions are not resumed.
 *
 * Return: bytes, 0 for the end, or -1 with EBADMSG (a record that cannot be
 * decrypted or is not allowed here), ECONNABORTED (an alert), EKEYEXPIRED (the
 * peer asked for new keys, which kTLS does not have) or another of recvmsg().
 */
ssize_t record_read(int fd, void *buf, size_t size, int flags)
{
	int i;

	for (i = 0; i <= NO_DATA_MAX; i++) {
		int type, r;
		ssize_t n = receive_record(fd, buf, size, flags, &type);

		/* An empty record of data is not the end. */
		if (n < 0 || !type || (type == DATA && n))
			return n;
		r = type == DATA ? 1 : handle_record(type, buf, n);
		if (r <= 0)
			return r;
	}
	errno = EBADMSG;
	return -1;
}

/**
 * record_drop() - read and drop received data, without waiting
 * @fd: a socket, with kTLS or without
 *
 * Return: 0 at the end of TCP, otherwise as recv().
 */
ssize_t record_drop(int fd)
{
	char scrap[16384];
	ssize_t n;
	int type;

	n = receive_record(fd, scrap, sizeof(scrap), MSG_DONTWAIT, &type);
	return !n && type ? 1 : n;
}

/**
 * record_end() - send close_notify through kTLS
 * @fd: the socket
 * @flags: MSG_DONTWAIT or 0
 *
 * Return: 0 or -1.
 */
int record_end(int fd, int flags)
{
	unsigned char alert[2] = { WARNING, CLOSE_NOTIFY };
	struct iovec iov = { alert, sizeof(alert) };
	union control control = { 0 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

	cm->cmsg_level = SOL_TLS;
	cm->cmsg_type = TLS_SET_RECORD_TYPE;
	cm->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(cm) = ALERT;
	return sendmsg(fd, &msg, flags | MSG_NOSIGNAL) < 0 ? -1 : 0;
}
