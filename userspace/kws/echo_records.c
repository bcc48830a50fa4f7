// SPDX-License-Identifier: MIT
/*
 * Echo with framing in the kernel, as a stream of records: the result of one
 * recv() is the argument of one send().
 */
#include <stdlib.h>

#include "echo_records.h"
#include "echo_ring.h"

/**
 * records_open() - framing::open
 * @s: the server
 * @p: the connection
 * @result: of its handshake
 *
 * Return: 0, or -1 with errno.
 */
int records_open(struct server *s, struct peer *p,
		 const struct kws_result *result)
{
	if (kernel_attach(s, p, result) ||
	    kws_set_flags(p->fd, WS_F_RECORDS | (s->uring ? WS_F_CLOSE : 0)))
		return -1;
	p->state = calloc(1, sizeof(struct held));
	return p->state ? 0 : -1;
}

static void count_records(struct server *s, const char *records, size_t len)
{
	struct kws_record r;
	size_t at = 0;

	while (kws_record_next(records, len, &at, &r) > 0) {
		s->messages += r.msg.flags & WS_MSG_END &&
			r.msg.opcode != WS_OP_CLOSE;
		s->bytes += r.msg.len;
	}
}

static size_t echo_records(struct server *s, char *records, size_t len)
{
	if (s->stats)
		count_records(s, records, len);
	return len;
}

static enum next records_readable(struct server *s, struct peer *p)
{
	return answer_records(s, p, echo_records);
}

static int answer_ring(struct server *s, struct peer *p, struct answer *a)
{
	(void)p;
	echo_records(s, a->data, a->len);
	return 0;
}

static const struct ring_ops records_ring = {
	.answer = answer_ring,
};

const struct framing framing_records = {
	.name = "kernel, records",
	.kernel = true,
	.ring = &records_ring,
	.open = records_open,
	.readable = records_readable,
	.writable = bytes_writable,
	.keep_alive = kernel_keep_alive,
	.close = bytes_close,
};
