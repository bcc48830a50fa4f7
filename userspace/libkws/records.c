// SPDX-License-Identifier: MIT
/* Many messages in one call: records in the stream, and batches. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "kws.h"

/* Room for a batch's array of struct ws_msg as a control message. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(WS_BATCH_MAX * sizeof(struct ws_msg))];
};

/**
 * kws_set_flags() - choose how a socket passes messages
 * @fd: a socket with framing in the kernel
 * @flags: WS_F_RECORDS, WS_F_BATCH or neither; WS_F_CLOSE
 *
 * Other settings do not change.
 *
 * Return: 0, or -1: EBUSY when a message is half received or half sent.
 */
int kws_set_flags(int fd, uint32_t flags)
{
	struct ws_config config;
	socklen_t len = sizeof(config);

	memset(&config, 0, sizeof(config));
	if (getsockopt(fd, SOL_WS, WS_CONFIG, &config, &len))
		return -1;
	config.flags = flags;
	return setsockopt(fd, SOL_WS, WS_CONFIG, &config, len);
}

/**
 * kws_record_next() - walk through received records
 * @buf: received bytes, at any alignment
 * @len: how many, a multiple of 8
 * @at: offset of the record, 0 at first; moved to the next record
 * @record: filled
 *
 * Return: 1 for a record, 0 at the end, -1 with EBADMSG for an incomplete
 * record: recv() did not return these bytes.
 */
int kws_record_next(const void *buf, size_t len, size_t *at,
		    struct kws_record *record)
{
	size_t left = *at < len ? len - *at : 0;
	const char *p = (const char *)buf + *at;

	if (!left)
		return 0;
	errno = EBADMSG;
	if (left < sizeof(record->msg))
		return -1;
	memcpy(&record->msg, p, sizeof(record->msg));
/* A length of nearly 2^32 must not wrap where size_t has 32 bits. */
	if (record->msg.len > left ||
	    kws_record_size(record->msg.len) > left)
		return -1;
	record->data = (void *)(p + sizeof(record->msg));
	*at += kws_record_size(record->msg.len);
	return 1;
}

/**
 * kws_record_put() - build records to be sent
 * @buf: the buffer for them
 * @size: its size
 * @at: end of the records so far, 0 at first; moved behind the new record
 * @msg: of the new record: opcode, flags with or without WS_MSG_END, code, len
 * @data: @msg->len bytes, or NULL if they are already at @at + 8
 *
 * Return: 0, or -1 with ENOBUFS when it does not fit.
 */
int kws_record_put(void *buf, size_t size, size_t *at,
		   const struct ws_msg *msg, const void *data)
{
	size_t left = *at < size ? size - *at : 0;
	char *p = (char *)buf + *at;
	size_t need;

	errno = ENOBUFS;
	if (msg->len > left)
		return -1;
	need = kws_record_size(msg->len);
	if (need > left)
		return -1;
	memcpy(p, msg, sizeof(*msg));
	if (data && msg->len)
		memcpy(p + sizeof(*msg), data, msg->len);
	memset(p + sizeof(*msg) + msg->len, 0,
	       need - sizeof(*msg) - msg->len);
	*at += need;
	return 0;
}

/**
 * kws_batch_recv() - receive all available messages that fit
 * @fd: a socket with WS_F_BATCH
 * @buf: for their payloads, back to back
 * @size: its size
 * @msgs: filled with opcode, flags, code and length of each
 * @count: room in @msgs; set to the number of messages, 0 for the end
 * @flags: MSG_DONTWAIT, MSG_PEEK; set to msg_flags. Without MSG_EOR the batch
 *	is one message, which the next batch continues.
 *
 * Return: bytes of payload, or -1.
 */
ssize_t kws_batch_recv(int fd, void *buf, size_t size, struct ws_msg *msgs,
		       unsigned int *count, int *flags)
{
	unsigned int room = *count < WS_BATCH_MAX ? *count : WS_BATCH_MAX;
	struct iovec iov = { buf, size };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_LEN(room * sizeof(*msgs)),
	};
	struct cmsghdr *cm;
	ssize_t n;

	*count = 0;
	n = recvmsg(fd, &msg, *flags);
	if (n < 0)
		return -1;
	*flags = msg.msg_flags;
	cm = CMSG_FIRSTHDR(&msg);
	if (!cm || cm->cmsg_level != SOL_WS || cm->cmsg_type != WS_MSG)
		return n;
	*count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(*msgs);
	memcpy(msgs, CMSG_DATA(cm), *count * sizeof(*msgs));
	return n;
}

/**
 * kws_batch_send() - send many messages
 * @fd: a socket with WS_F_BATCH
 * @buf: their payloads, back to back
 * @len: how many bytes, the sum of all ws_msg::len
 * @msgs: opcode, flags, code and length of each
 * @count: how many, 1 to WS_BATCH_MAX
 * @flags: as for sendmsg(); MSG_MORE with one message only
 *
 * Two or more messages have at most 64 KiB of payload, and are sent all or not
 * at all. A single message may be sent in part, as by sendmsg() in ws(7).
 *
 * Return: bytes sent, or -1.
 */
ssize_t kws_batch_send(int fd, const void *buf, size_t len,
		       const struct ws_msg *msgs, unsigned int count,
		       int flags)
{
	struct iovec iov = { (void *)buf, len };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = CMSG_SPACE(count * sizeof(*msgs)),
	};
	struct cmsghdr *cm;

	if (!count || count > WS_BATCH_MAX) {
		errno = EINVAL;
		return -1;
	}
	control.align.cmsg_level = SOL_WS;
	control.align.cmsg_type = WS_MSG;
	control.align.cmsg_len = CMSG_LEN(count * sizeof(*msgs));
	cm = CMSG_FIRSTHDR(&msg);
	memcpy(CMSG_DATA(cm), msgs, count * sizeof(*msgs));
	return sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
}
