// SPDX-License-Identifier: MIT
/*
 * Echo with framing in the kernel, many messages a call: what one recv() gave
 * is what one send() takes, records or batches as they are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo.h"

/* Calls for one connection before it is the next one's turn. */
#define TURNS		8

/* What sendmsg() takes with more than one message. */
#define BATCH_BYTES	65536

union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(WS_BATCH_MAX * sizeof(struct ws_msg))];
};

static int records_open(struct server *s, struct peer *p,
			const struct kws_result *result)
{
	if (framing_kernel.open(s, p, result))
		return -1;
	return kws_set_flags(p->fd, WS_F_RECORDS | (s->uring ? WS_F_CLOSE : 0));
}

static void count_records(struct server *s, const char *buffer,
			  size_t len)
{
	struct kws_record r;
	size_t at = 0;

	while (kws_record_next(buffer, len, &at, &r) > 0) {
		s->messages += r.msg.flags & WS_MSG_END &&
			r.msg.opcode != WS_OP_CLOSE;
		s->bytes += r.msg.len;
	}
}

/* Replaces every message by an empty one, in place. */
static size_t make_acks(char *buffer, size_t len)
{
	struct kws_record r;
	size_t at = 0, to = 0;

	while (kws_record_next(buffer, len, &at, &r) > 0) {
		if (!(r.msg.flags & WS_MSG_END))
			continue;
		r.msg.len = 0;
		kws_record_put(buffer, len, &to, &r.msg, NULL);
	}
	return to;
}

/*
 * Nothing is looked at: a Close has been answered when it arrives here, and
 * sending it fails, as it has to when the connection is at its end; or with
 * WS_F_CLOSE it is the answer.
 */
static enum next records_step(struct server *s, struct peer *p)
{
	enum next next;
	int turns = 0;
	ssize_t n;

	if (p->rest) {
		next = peer_send_rest(p);
		if (next != NEXT_READ)
			return next;
	}
	do {
		n = recv(p->fd, s->buffer, s->buffer_size, 0);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ?
				NEXT_READ : NEXT_CLOSE;
		if (!n)
			return NEXT_CLOSE;
		if (s->stats)
			count_records(s, s->buffer, n);
		if (p->ack)
			n = make_acks(s->buffer, n);
		next = n ? peer_send(p, s->buffer, n) : NEXT_READ;
		/* A buffer that is not half full took all there was. */
	} while (next == NEXT_READ && n > s->buffer_size / 2 &&
		 ++turns < TURNS);
	return next;
}

static int records_answer(struct server *s, struct peer *p, struct answer *a)
{
	if (s->stats)
		count_records(s, a->data, a->len);
	if (p->ack)
		a->len = make_acks(a->data, a->len);
	return 0;
}

const struct framing framing_records = {
	.name = "kernel, records",
	.kernel = true,
	.open = records_open,
	.answer = records_answer,
	.step = records_step,
	.close = peer_close,
};

static int batch_open(struct server *s, struct peer *p,
		      const struct kws_result *result)
{
	if (framing_kernel.open(s, p, result))
		return -1;
	return kws_set_flags(p->fd, WS_F_BATCH | (s->uring ? WS_F_CLOSE : 0));
}

/**
 * struct batch - what the socket had no room for
 * @count: messages
 * @flags: MSG_MORE for a piece that does not end its message
 * @len: payload bytes, which are behind @msgs
 * @msgs: the messages; the first one may have begun to go out
 */
struct batch {
	unsigned int count;
	int flags;
	size_t len;
	struct ws_msg msgs[WS_BATCH_MAX];
	char data[];
};

/*
 * Messages that end at or before @done bytes are out, the empty ones among
 * them, too; of the next one perhaps the beginning.
 */
static void batch_advance(struct ws_msg **msgs, unsigned int *count,
			  size_t done)
{
	while (*count && (*msgs)->len <= done) {
		done -= (*msgs)->len;
		(*msgs)++;
		(*count)--;
	}
	if (*count)
		(*msgs)->len -= done;
}

static enum next batch_keep(struct peer *p, const struct ws_msg *msgs,
			    unsigned int count, const char *data, size_t len,
			    int flags)
{
	struct batch *b = malloc(sizeof(*b) + len);

	if (!b)
		return NEXT_CLOSE;
	b->count = count;
	b->flags = flags;
	b->len = len;
	memcpy(b->msgs, msgs, count * sizeof(*msgs));
	memcpy(b->data, data, len);
	p->rest = b;
	p->rest_len = len;
	return NEXT_WRITE;
}

static enum next batch_send_rest(struct peer *p)
{
	struct batch *b = p->rest;

	while (b->count) {
		struct ws_msg *first = b->msgs;
		ssize_t n = kws_batch_send(p->fd, b->data, b->len, b->msgs,
					   b->count, b->flags);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ?
				NEXT_WRITE : NEXT_CLOSE;
		batch_advance(&first, &b->count, n);
		memmove(b->msgs, first, b->count * sizeof(*first));
		b->len -= n;
		memmove(b->data, b->data + n, b->len);
	}
	free(b);
	p->rest = NULL;
	return NEXT_READ;
}

static size_t empty_all(struct ws_msg *msgs, unsigned int count)
{
	while (count--)
		msgs++->len = 0;
	return 0;
}

static void count_batch(struct server *s, const struct ws_msg *msgs,
			unsigned int count, size_t len)
{
	s->bytes += len;
	while (count--)
		s->messages += msgs++->flags & WS_MSG_END;
}

static enum next batch_send(struct peer *p, struct msghdr *msg, int flags)
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
		return batch_keep(p, m, count, data, len, flags);
	batch_advance(&m, &count, n);
	return batch_keep(p, m, count, data + n, len - n, flags);
}

/* The control message goes back as it came, in place. */
static enum next batch_echo(struct server *s, struct peer *p, ssize_t *got)
{
	struct iovec iov = { s->buffer, BATCH_BYTES };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cm;
	struct ws_msg *m;
	unsigned int count;
	int flags = 0;

	*got = recvmsg(p->fd, &msg, 0);
	if (*got < 0)
		return errno == EAGAIN || errno == EINTR ?
			NEXT_READ : NEXT_CLOSE;
	cm = CMSG_FIRSTHDR(&msg);
	if (!cm)
		return NEXT_CLOSE;
	m = (struct ws_msg *)CMSG_DATA(cm);
	count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(*m);
	if (m->opcode == WS_OP_CLOSE)
		return NEXT_CLOSE;
	if (!(msg.msg_flags & MSG_EOR))
		flags = MSG_MORE;
	if (s->stats)
		count_batch(s, m, count, *got);
	if (p->ack && flags)
		return NEXT_READ;
	iov.iov_len = p->ack ? empty_all(m, count) : *got;
	return batch_send(p, &msg, flags);
}

static enum next batch_step(struct server *s, struct peer *p)
{
	enum next next;
	int turns = 0;
	ssize_t n;

	if (p->rest) {
		next = batch_send_rest(p);
		if (next != NEXT_READ)
			return next;
	}
	do {
		next = batch_echo(s, p, &n);
	} while (next == NEXT_READ && n > BATCH_BYTES / 2 &&
		 ++turns < TURNS);
	return next;
}

const struct framing framing_batch = {
	.name = "kernel, batches",
	.kernel = true,
	.open = batch_open,
	.step = batch_step,
	.close = peer_close,
};
