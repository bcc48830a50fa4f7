// SPDX-License-Identifier: MIT
/*
 * The fast lane of kws echo --engine=uring: a multishot receive into buffers
 * that the kernel picks, and the reply sent out of the same buffer.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "echo_uring.h"

static char *buffer_at(struct uring *u, unsigned int buffer)
{
	return u->memory + (size_t)buffer * URING_BUFFER;
}

static void give(struct uring *u, unsigned int buffer)
{
	unsigned int place = u->tail++ % URING_BUFFERS;

	u->order[place] = buffer;
	u->place[buffer] = place;
	u->free++;
	io_uring_buf_ring_add(u->buffers, buffer_at(u, buffer), URING_BUFFER,
			      buffer, URING_BUFFERS - 1, 0);
	io_uring_buf_ring_advance(u->buffers, 1);
}

/**
 * uring_buffers() - make the receive buffers
 * @u: the ring
 *
 * Return: 0 or a negative errno.
 */
int uring_buffers(struct uring *u)
{
	struct io_uring_buf_reg reg = { .ring_entries = URING_BUFFERS };
	size_t ring_size = URING_BUFFERS * sizeof(struct io_uring_buf);
	size_t size = (size_t)URING_BUFFERS * URING_BUFFER;
	unsigned int i;
	int r;

	u->buffers = mmap(NULL, ring_size, PROT_READ | PROT_WRITE,
			  MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	u->memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			 MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
	if (u->buffers == MAP_FAILED || u->memory == MAP_FAILED)
		return -ENOMEM;
	reg.ring_addr = (uintptr_t)u->buffers;
	r = io_uring_register_buf_ring(&u->ring, &reg, 0);
	if (r)
		return r;
	io_uring_buf_ring_init(u->buffers);
	for (i = 0; i < URING_BUFFERS; i++)
		give(u, i);
	return 0;
}

static void drop_chunk(struct uring *u, struct chunk *c)
{
	int buffer = c->buffer;

	if (c->heap) {
		free(c->heap);
		free(c);
	}
	if (buffer >= 0)
		give(u, buffer);
}

/**
 * uring_free_chunks() - the queue of a connection will not be sent
 * @u: the ring
 * @lane: the connection's, with no send in flight
 */
void uring_free_chunks(struct uring *u, struct lane *lane)
{
	struct chunk *c;

	while ((c = lane->first)) {
		lane->first = c->next;
		drop_chunk(u, c);
	}
}

static void queue_chunk(struct lane *lane, struct chunk *c)
{
	c->next = NULL;
	if (lane->first)
		lane->last->next = c;
	else
		lane->first = c;
	lane->last = c;
	lane->chunks++;
}

static void send_first(struct uring *u, struct peer *p)
{
	struct chunk *c = p->lane->first;
	struct io_uring_sqe *sqe = uring_entry(u);

	if (c->message) {
		c->iov.iov_base = c->data;
		c->iov.iov_len = c->len;
		c->msg.msg_iov = &c->iov;
		c->msg.msg_iovlen = 1;
		io_uring_prep_sendmsg(sqe, p->fd, &c->msg,
				      MSG_NOSIGNAL | c->flags);
	} else {
		io_uring_prep_send(sqe, p->fd, c->data, c->len, MSG_NOSIGNAL);
	}
	uring_tag(sqe, p, OP_SEND);
	p->lane->sending = true;
}

/**
 * uring_sent() - a send has completed
 * @s: the server
 * @p: the connection
 * @res: bytes taken or a negative errno
 *
 * Return: 0, or -1 when the connection is over.
 */
int uring_sent(struct server *s, struct peer *p, int res)
{
	struct lane *lane = p->lane;
	struct chunk *c = lane->first;

	lane->sending = false;
	if (lane->gone)
		return 0;
	if (res < 0 && res != -EAGAIN && res != -EINTR)
		return -1;
	if (res > 0) {
		c->data += res;
		c->len -= res;
	}
	/* A short one goes on; an empty message took no bytes to be sent. */
	if (c->len || res < 0)
		return 0;
	lane->first = c->next;
	lane->chunks--;
	drop_chunk(s->uring, c);
	return 0;
}

static void receive(struct uring *u, struct peer *p)
{
	struct io_uring_sqe *sqe = uring_entry(u);

	if (p->framing->messages) {
		io_uring_prep_recvmsg_multishot(sqe, p->fd, &u->control, 0);
	} else {
		io_uring_prep_recv_multishot(sqe, p->fd, NULL, 0, 0);
		if (u->bundles)
			sqe->ioprio |= IORING_RECVSEND_BUNDLE;
	}
	io_uring_sqe_set_flags(sqe, IOSQE_BUFFER_SELECT);
	sqe->buf_group = 0;
	uring_tag(sqe, p, OP_RECV);
	p->lane->receiving = true;
	p->lane->stopping = false;
}

/* Bytes in a receive buffer, or copied behind what was left of the last. */
static void answer_bytes(struct server *s, struct peer *p, int buffer,
			 char *data, size_t len)
{
	struct uring *u = s->uring;
	struct answer a = { .data = data, .len = len };
	struct chunk *c = buffer >= 0 ? &u->chunks[buffer] : NULL;

	if (p->left || buffer < 0) {
		char *joined = realloc(p->left, p->left_len + len);

		c = calloc(1, sizeof(*c));
		if (!joined || !c) {
			free(c);
			p->lane->ended = true;
			goto out;
		}
		memcpy(joined + p->left_len, data, len);
		a.data = joined;
		a.len = p->left_len + len;
		c->heap = joined;
		p->left = NULL;
		p->left_len = 0;
	} else {
		c->heap = NULL;
	}
	c->message = false;
	c->buffer = c->heap ? -1 : buffer;
	if (p->framing->answer(s, p, &a))
		p->lane->ended = true;
	c->data = a.data;
	c->len = a.len;
	if (c->heap && buffer >= 0)
		give(u, buffer);
	if (c->len)
		queue_chunk(p->lane, c);
	else
		drop_chunk(u, c);
	return;
out:
	if (buffer >= 0)
		give(u, buffer);
}

/* The message in a buffer; NULL when it is the end. */
static struct ws_msg *message_of(struct uring *u, struct chunk *c, int len)
{
	struct io_uring_recvmsg_out *out;
	struct cmsghdr *cm;
	struct ws_msg *m;

	out = io_uring_recvmsg_validate(buffer_at(u, c->buffer), len,
					&u->control);
	if (!out || out->controllen < CMSG_LEN(sizeof(*m)))
		return NULL;
	cm = io_uring_recvmsg_cmsg_firsthdr(out, &u->control);
	if (!cm)
		return NULL;
	m = (struct ws_msg *)CMSG_DATA(cm);
	c->flags = out->flags & MSG_EOR ? 0 : MSG_MORE;
	c->data = io_uring_recvmsg_payload(out, &u->control);
	c->len = io_uring_recvmsg_payload_length(out, len, &u->control);
	c->msg.msg_control = cm;
	c->msg.msg_controllen = CMSG_SPACE(sizeof(*m));
	return m->opcode == WS_OP_CLOSE ? NULL : m;
}

static void answer_message(struct server *s, struct peer *p, int buffer,
			   int len)
{
	struct uring *u = s->uring;
	struct chunk *c = &u->chunks[buffer];

	memset(c, 0, sizeof(*c));
	c->buffer = buffer;
	c->message = true;
	if (!message_of(u, c, len)) {
		p->lane->ended = true;
		give(u, buffer);
		return;
	}
	s->messages += !c->flags;
	s->bytes += c->len;
	if (p->ack)
		c->len = 0;
	if (p->ack && c->flags)
		give(u, buffer);
	else
		queue_chunk(p->lane, c);
}

static void starve(struct uring *u, struct peer *p)
{
	if (p->lane->starved)
		return;
	p->lane->starved = true;
	p->lane->next_starved = u->starved;
	u->starved = p;
}

/* The buffers of a completion, one or a bundle of them. */
static void take_buffers(struct server *s, struct peer *p, int res,
			 unsigned int flags)
{
	struct uring *u = s->uring;
	unsigned int buffer = flags >> IORING_CQE_BUFFER_SHIFT;
	unsigned int place = u->place[buffer];
	struct lane *lane = p->lane;

	do {
		int n = res < URING_BUFFER ? res : URING_BUFFER;

		buffer = u->order[place++ % URING_BUFFERS];
		u->free--;
		res -= n;
		if (lane->gone || lane->ended || (!n && !p->framing->messages))
			give(u, buffer);
		else if (!p->framing->messages)
			answer_bytes(s, p, buffer, buffer_at(u, buffer), n);
		else
			answer_message(s, p, buffer, n);
	} while (res > 0);
}

/**
 * uring_received() - a completion of the multishot receive
 * @s: the server
 * @p: the connection
 * @res: bytes, or a negative errno
 * @flags: of the completion
 */
void uring_received(struct server *s, struct peer *p, int res,
		    unsigned int flags)
{
	struct lane *lane = p->lane;

	if (!(flags & IORING_CQE_F_MORE))
		lane->receiving = false;
	if (flags & IORING_CQE_F_BUFFER)
		take_buffers(s, p, res > 0 ? res : 0, flags);
	if (res == -ENOBUFS)
		starve(s->uring, p);
	else if ((!res && !(flags & IORING_CQE_F_BUFFER)) ||
		 (res == 0 && !p->framing->messages) ||
		 (res < 0 && res != -ECANCELED && res != -EAGAIN &&
		  res != -EINTR))
		lane->ended = true;
}

/**
 * uring_surplus() - answer what came with the handshake
 * @s: the server
 * @p: the connection, in the fast lane
 */
void uring_surplus(struct server *s, struct peer *p)
{
	answer_bytes(s, p, -1, NULL, 0);
}

/* The receive is armed, unless there is too much to be sent. */
static void mind_receive(struct uring *u, struct peer *p)
{
	struct lane *lane = p->lane;
	bool enough = lane->chunks >= URING_CHUNKS || p->other || lane->ended;

	if (lane->receiving && enough && !lane->stopping) {
		struct io_uring_sqe *sqe = uring_entry(u);

		io_uring_prep_cancel64(sqe, (uintptr_t)p | OP_RECV, 0);
		io_uring_sqe_set_data64(sqe, 0);
		lane->stopping = true;
	}
	if (!lane->receiving && !enough && !lane->starved)
		receive(u, p);
}

/**
 * uring_settle() - what a connection in the fast lane does next
 * @s: the server
 * @p: the connection; it may be gone afterwards
 */
void uring_settle(struct server *s, struct peer *p)
{
	struct lane *lane = p->lane;

	if (lane->first && !lane->sending)
		send_first(s->uring, p);
	mind_receive(s->uring, p);
	if (lane->first || lane->receiving || !(lane->ended || p->other))
		return;
	/* All is out and nothing more comes: on with the usual calls. */
	lane->fast = false;
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
	if (lane->ended && !p->other)
		peer_leave(s, p);
	else
		peer_serve(s, p);
}

/**
 * uring_feed() - there may be buffers again for those that found none
 * @s: the server
 */
void uring_feed(struct server *s)
{
	struct uring *u = s->uring;

	while (u->starved && u->free) {
		struct peer *p = u->starved;

		u->starved = p->lane->next_starved;
		p->lane->starved = false;
		/* One of them takes one at least; the others come again. */
		if (p->lane->fast && !p->lane->gone)
			uring_settle(s, p);
	}
}
