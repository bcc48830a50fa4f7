/* SPDX-License-Identifier: MIT */
/* Receiving and sending batches: many messages in one call. */
#ifndef KWS_ECHO_BATCH_H
#define KWS_ECHO_BATCH_H

#include <errno.h>
#include <sys/cdefs.h>
#include <sys/socket.h>

#include "echo.h"

/* Calls for one connection before the others get their turn. */
#define BATCH_TURNS	8

/* The most payload that sendmsg() accepts with more than one message. */
#define BATCH_BYTES	65536

union batch_control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(WS_BATCH_MAX * sizeof(struct ws_msg))];
};

/**
 * struct batch - messages with their payload
 * @msgs: the messages
 * @count: how many
 * @flags: MSG_MORE if the last one is not complete
 */
struct batch {
	struct ws_msg *msgs;
	unsigned int count;
	int flags;
};

int batch_open(struct server *s, struct peer *p,
	       const struct kws_result *result);
enum next batch_writable(struct server *s, struct peer *p);
enum next batch_send(struct peer *p, struct msghdr *msg, int flags);
void batch_close(struct peer *p);

/*
 * Receives a batch into @msg; @got is the result of recvmsg(). NEXT_WRITE: it
 * is there, and has to be answered.
 */
static __always_inline enum next
batch_receive(struct peer *p, struct msghdr *msg, struct batch *b, ssize_t *got)
{
	struct cmsghdr *cm;

	*got = recvmsg(p->fd, msg, 0);
	if (*got < 0)
		return errno == EAGAIN || errno == EINTR ?
			NEXT_READ : NEXT_CLOSE;
	cm = CMSG_FIRSTHDR(msg);
	if (!cm)
		return NEXT_CLOSE;
	b->msgs = (struct ws_msg *)CMSG_DATA(cm);
	b->count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(*b->msgs);
	b->flags = msg->msg_flags & MSG_EOR ? 0 : MSG_MORE;
	return b->msgs->opcode == WS_OP_CLOSE ? NEXT_CLOSE : NEXT_WRITE;
}

/* Answers one batch, and returns in @got how many bytes it had. */
typedef enum next (*answer_batch)(struct server *s, struct peer *p,
				  ssize_t *got);

/* Inlined with a constant @one. */
static __always_inline enum next
answer_batches(struct server *s, struct peer *p, answer_batch one)
{
	enum next next;
	int turns = 0;
	ssize_t n;

	do {
		next = one(s, p, &n);
	} while (next == NEXT_READ && n > BATCH_BYTES / 2 &&
		 ++turns < BATCH_TURNS);
	return next;
}

#endif /* KWS_ECHO_BATCH_H */
