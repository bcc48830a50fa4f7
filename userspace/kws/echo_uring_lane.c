// SPDX-License-Identifier: MIT
/*
 * The fast lane of kws echo --engine=uring: a multishot receive into buffers
 * that the kernel picks, and a reply sent from the same buffer.
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

/* Lets the kernel use a buffer again. */
static void return_buffer(struct uring *u, unsigned int buffer)
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
 * uring_buffers() - create the receive buffers
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
		return_buffer(u, i);
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
		return_buffer(u, buffer);
}

/**
 * uring_free_chunks() - drop the unsent chunks of a connection
 * @u: the ring
 * @lane: its lane, without a send in flight
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
 * @res: bytes sent or a negative errno
 *
 * Return: 0, or -1 when the connection has to end.
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
	/* A short send continues; an empty message completes with 0. */
	if (c->len || res < 0)
		return 0;
	lane->first = c->next;
	lane->chunks--;
	drop_chunk(s->uring, c);
	return 0;
}

static void arm_receive(struct uring *u, struct peer *p)
{
	struct io_uring_sqe *sqe = uring_entry(u);

	if (p->framing->ring->messages) {
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

/* Puts @a behind the bytes that were left before. Returns their memory. */
static char *join_left(struct lane *lane, struct answer *a)
{
	char *joined = realloc(lane->left.data, lane->left.len + a->len);

	if (!joined)
		return NULL;
	memcpy(joined + lane->left.len, a->data, a->len);
	a->data = joined;
	a->len += lane->left.len;
	lane->left.data = NULL;
	lane->left.len = 0;
	return joined;
}

/* Replaces received bytes by their reply, and holds those without one. */
static void make_answer(struct server *s, struct peer *p, struct answer *a)
{
	struct lane *lane = p->lane;
	int r = 1;

	if (lane->handover) {
		a->left = a->data;
		a->left_len = a->len;
		a->len = 0;
	} else {
		r = p->framing->ring->answer(s, p, a);
	}
	if (r >= 0 && a->left_len &&
	    hold_bytes(&lane->left, a->left, a->left_len))
		r = -1;
	lane->handover = r > 0;
	if (r < 0)
		lane->ended = true;
}

/* Answers bytes in a receive buffer, or with -1 only those left before. */
static void answer_bytes(struct server *s, struct peer *p, int buffer,
			 char *data, size_t len)
{
	struct uring *u = s->uring;
	struct answer a = { .data = data, .len = len };
	struct chunk *c = buffer >= 0 ? &u->chunks[buffer] : NULL;

	if (p->lane->left.data || buffer < 0) {
		c = calloc(1, sizeof(*c));
		if (c)
			c->heap = join_left(p->lane, &a);
		if (!c || !c->heap) {
			free(c);
			p->lane->ended = true;
			goto err_return_buffer;
		}
	} else {
		c->heap = NULL;
	}
	c->message = false;
	c->buffer = c->heap ? -1 : buffer;
	make_answer(s, p, &a);
	c->data = a.data;
	c->len = a.len;
	if (c->heap && buffer >= 0)
		return_buffer(u, buffer);
	if (c->len)
		queue_chunk(p->lane, c);
	else
		drop_chunk(u, c);
	return;

err_return_buffer:
	if (buffer >= 0)
		return_buffer(u, buffer);
}

/* Returns the message in a buffer; NULL at the end of the connection. */
static struct ws_msg *get_message(struct uring *u, struct chunk *c, int len)
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
	if (!get_message(u, c, len)) {
		p->lane->ended = true;
		return_buffer(u, buffer);
		return;
	}
	s->messages += !c->flags;
	s->bytes += c->len;
	queue_chunk(p->lane, c);
}

/* Waits for a buffer, until uring_feed(). */
static void queue_starved(struct uring *u, struct peer *p)
{
	if (p->lane->starved)
		return;
	p->lane->starved = true;
	p->lane->next_starved = u->starved;
	u->starved = p;
}

/* Answers the buffers of a completion, one or a bundle of them. */
static void answer_buffers(struct server *s, struct peer *p, int res,
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
		if (lane->gone || lane->ended ||
		    (!n && !p->framing->ring->messages))
			return_buffer(u, buffer);
		else if (!p->framing->ring->messages)
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
		answer_buffers(s, p, res > 0 ? res : 0, flags);
	if (res == -ENOBUFS)
		queue_starved(s->uring, p);
	else if ((!res && (!(flags & IORING_CQE_F_BUFFER) ||
			   !p->framing->ring->messages)) ||
		 (res < 0 && res != -ECANCELED && res != -EAGAIN &&
		  res != -EINTR))
		lane->ended = true;
}

/**
 * uring_surplus() - answer the bytes that came with the handshake
 * @s: the server
 * @p: the connection, in the fast lane, with these bytes in lane::left
 */
void uring_surplus(struct server *s, struct peer *p)
{
	answer_bytes(s, p, -1, NULL, 0);
}

/* Arms the receive, or cancels it while too much is unsent. */
static void update_receive(struct uring *u, struct peer *p)
{
	struct lane *lane = p->lane;
	bool enough = lane->chunks >= URING_CHUNKS || lane->handover ||
		lane->ended;

	if (lane->receiving && enough && !lane->stopping) {
		struct io_uring_sqe *sqe = uring_entry(u);

		io_uring_prep_cancel64(sqe, (uintptr_t)p | OP_RECV, 0);
		io_uring_sqe_set_data64(sqe, 0);
		lane->stopping = true;
	}
	if (!lane->receiving && !enough && !lane->starved)
		arm_receive(u, p);
}

/**
 * uring_settle() - start the next requests of a connection in the fast lane
 * @s: the server
 * @p: the connection; it may be gone afterwards
 */
void uring_settle(struct server *s, struct peer *p)
{
	struct lane *lane = p->lane;

	if (lane->first && !lane->sending)
		send_first(s->uring, p);
	update_receive(s->uring, p);
	if (lane->first || lane->receiving || !(lane->ended || lane->handover))
		return;
	/* All is out and no receive is armed: leave the fast lane. */
	lane->fast = false;
	fcntl(p->fd, F_SETFL, O_NONBLOCK);
	if (!lane->handover) {
		peer_leave(s, p);
		return;
	}
	p->framing->ring->leave(p, &lane->left);
	peer_serve(s, p);
}

/**
 * uring_feed() - serve starved connections, now that buffers are free
 * @s: the server
 */
void uring_feed(struct server *s)
{
	struct uring *u = s->uring;

	while (u->starved && u->free) {
		struct peer *p = u->starved;

		u->starved = p->lane->next_starved;
		p->lane->starved = false;
		/* It takes at least one buffer; the others are tried again. */
		if (p->lane->fast && !p->lane->gone)
			uring_settle(s, p);
	}
}
