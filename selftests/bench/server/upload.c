// SPDX-License-Identifier: MIT
/*
 * Each message is answered with an empty one: framing in the kernel, and by
 * libkws. The calls are those of the echo server.
 */
#include <stdlib.h>
#include <sys/socket.h>

#include "echo_batch.h"
#include "echo_burst.h"
#include "echo_library.h"
#include "echo_records.h"
#include "server.h"

static int kernel_open(struct server *s, struct peer *p,
		       const struct kws_result *result)
{
	if (kernel_attach(s, p, result))
		return -1;
	p->state = calloc(1, sizeof(struct burst));
	return p->state ? 0 : -1;
}

/* A client that waits for its answer has room for it. */
static enum next send_empty(struct peer *p, struct msghdr *msg)
{
	msg->msg_iov->iov_len = 0;
	return sendmsg(p->fd, msg, MSG_NOSIGNAL) < 0 ? NEXT_CLOSE : NEXT_READ;
}

static enum next answer_message(struct server *s, struct peer *p, bool *empty)
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
	return msg.msg_flags & MSG_EOR ? send_empty(p, &msg) : NEXT_READ;
}

static enum next kernel_readable(struct server *s, struct peer *p)
{
	return answer_wakeup(p->state, s, p, answer_message);
}

static void kernel_close(struct peer *p)
{
	free(p->state);
	p->state = NULL;
	bytes_close(p);
}

const struct framing upload_kernel = {
	.name = "kernel, empty answers",
	.kernel = true,
	.open = kernel_open,
	.readable = kernel_readable,
	.close = kernel_close,
};

/* Replaces every message by an empty one, in place. */
static size_t make_acks(struct server *s, char *records, size_t len)
{
	struct kws_record r;
	size_t at = 0, to = 0;

	(void)s;
	while (kws_record_next(records, len, &at, &r) > 0) {
		if (!(r.msg.flags & WS_MSG_END))
			continue;
		r.msg.len = 0;
		kws_record_put(records, len, &to, &r.msg, NULL);
	}
	return to;
}

static enum next records_readable(struct server *s, struct peer *p)
{
	return answer_records(s, p, make_acks);
}

const struct framing upload_records = {
	.name = "kernel, records, empty answers",
	.kernel = true,
	.open = records_open,
	.readable = records_readable,
	.writable = bytes_writable,
	.close = bytes_close,
};

static enum next answer_empty(struct server *s, struct peer *p, ssize_t *got)
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
	unsigned int i;

	if (next != NEXT_WRITE)
		return next;
	if (b.flags)
		return NEXT_READ;
	for (i = 0; i < b.count; i++)
		b.msgs[i].len = 0;
	iov.iov_len = 0;
	return batch_send(p, &msg, 0);
}

static enum next batch_readable(struct server *s, struct peer *p)
{
	return answer_batches(s, p, answer_empty);
}

const struct framing upload_batch = {
	.name = "kernel, batches, empty answers",
	.kernel = true,
	.open = batch_open,
	.readable = batch_readable,
	.writable = batch_writable,
	.close = batch_close,
};

static enum next library_readable(struct server *s, struct peer *p)
{
	return answer_messages(s, p, true);
}

const struct framing upload_library = {
	.name = "libkws, empty answers",
	.any_tls = true,
	.open = library_open,
	.readable = library_readable,
	.writable = library_writable,
	.finish = library_finish,
	.close = library_close,
};
