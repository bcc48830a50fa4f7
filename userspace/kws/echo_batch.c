// SPDX-License-Identifier: MIT
/*
 * Echo with framing in the kernel, many messages in one call: sendmsg() takes
 * the control message that recvmsg() gave.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "echo_batch.h"
#include "echo_send.h"

/**
 * struct unsent_batch - messages that the socket had no room for
 * @count: messages
 * @flags: MSG_MORE if the last one is not complete
 * @len: payload bytes
 * @msgs: the messages; a part of the first one may be out
 * @data: their payload
 *
 * It is the state of a connection, NULL while nothing is unsent.
 */
struct unsent_batch {
	unsigned int count;
	int flags;
	size_t len;
	struct ws_msg msgs[WS_BATCH_MAX];
	char data[];
};

/**
 * batch_open() - framing::open
 * @s: the server
 * @p: the connection
 * @result: of its handshake
 *
 * Return: 0, or -1 with errno.
 */
int batch_open(struct server *s, struct peer *p,
	       const struct kws_result *result)
{
	if (kernel_attach(s, p, result))
		return -1;
	return kws_set_flags(p->fd, WS_F_BATCH | (s->uring ? WS_F_CLOSE : 0));
}

/*
 * Skips @done bytes that are out. Messages that end there are out, too, empty
 * ones among them; of the next message a part may be.
 */
static void skip_sent(struct ws_msg **msgs, unsigned int *count, size_t done)
{
	while (*count && (*msgs)->len <= done) {
		done -= (*msgs)->len;
		(*msgs)++;
		(*count)--;
	}
	if (*count)
		(*msgs)->len -= done;
}

static enum next hold_batch(struct peer *p, const struct ws_msg *msgs,
			    unsigned int count, const char *data, size_t len,
			    int flags)
{
	struct unsent_batch *b = malloc(sizeof(*b) + len);

	if (!b)
		return NEXT_CLOSE;
	b->count = count;
	b->flags = flags;
	b->len = len;
	memcpy(b->msgs, msgs, count * sizeof(*msgs));
	memcpy(b->data, data, len);
	p->state = b;
	return NEXT_WRITE;
}

/**
 * batch_writable() - framing::writable
 * @s: the server
 * @p: the connection
 *
 * Return: NEXT_READ when all is out.
 */
enum next batch_writable(struct server *s, struct peer *p)
{
	struct unsent_batch *b = p->state;

	(void)s;
	while (b->count) {
		struct ws_msg *first = b->msgs;
		ssize_t n = kws_batch_send(p->fd, b->data, b->len, b->msgs,
					   b->count, b->flags);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ?
				NEXT_WRITE : NEXT_CLOSE;
		skip_sent(&first, &b->count, n);
		memmove(b->msgs, first, b->count * sizeof(*first));
		b->len -= n;
		memmove(b->data, b->data + n, b->len);
	}
	free(b);
	p->state = NULL;
	return NEXT_READ;
}

/**
 * batch_send() - send a received batch, hold what the socket has no room for
 * @p: the connection
 * @msg: as batch_receive() filled it, with the length of the payload set
 * @flags: MSG_MORE if the last message is not complete
 *
 * Return: NEXT_READ when all is out.
 */
enum next batch_send(struct peer *p, struct msghdr *msg, int flags)
{
	struct cmsghdr *cm = CMSG_FIRSTHDR(msg);
	struct ws_msg *m = (struct ws_msg *)CMSG_DATA(cm);
	unsigned int count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(*m);
	const char *data = msg->msg_iov->iov_base;
	size_t len = msg->msg_iov->iov_len;
	ssize_t n = sendmsg(p->fd, msg, MSG_NOSIGNAL | flags);

	if (n == len)
		return NEXT_READ;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return NEXT_CLOSE;
	if (n < 0)
		return hold_batch(p, m, count, data, len, flags);
	skip_sent(&m, &count, n);
	return hold_batch(p, m, count, data + n, len - n, flags);
}

static void count_batch(struct server *s, const struct batch *b, size_t len)
{
	unsigned int i;

	s->bytes += len;
	for (i = 0; i < b->count; i++)
		s->messages += b->msgs[i].flags & WS_MSG_END;
}

/* The control message goes back as it is. */
static enum next echo_batch(struct server *s, struct peer *p, ssize_t *got)
{
	struct iovec iov = { s->buffer, BATCH_BYTES };
	union batch_control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct batch b;
	enum next next = batch_receive(p, &msg, &b, got);

	if (next != NEXT_WRITE)
		return next;
	if (s->stats)
		count_batch(s, &b, *got);
	iov.iov_len = *got;
	return batch_send(p, &msg, b.flags);
}

static enum next batch_readable(struct server *s, struct peer *p)
{
	return answer_batches(s, p, echo_batch);
}

/**
 * batch_close() - framing::close
 * @p: the connection
 */
void batch_close(struct peer *p)
{
	free(p->state);
	close(p->fd);
}

const struct framing framing_batch = {
	.name = "kernel, batches",
	.kernel = true,
	.open = batch_open,
	.readable = batch_readable,
	.writable = batch_writable,
	.keep_alive = kernel_keep_alive,
	.close = batch_close,
};
