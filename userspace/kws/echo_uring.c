// SPDX-License-Identifier: MIT
/*
 * kws echo --engine=uring: the ring, and connections outside the fast lane,
 * which are polled and served as with epoll: in their handshake, at their end,
 * and those whose framing has no ring_ops.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "cmd.h"
#include "echo_uring.h"

#define ENTRIES		1024
#define COMPLETIONS	8192

/* Completions without a connection; pointers are larger than these. */
#define FOR_NOBODY	0
#define FOR_LISTENER	8
#define FOR_SIGNALS	16

/**
 * uring_entry() - get an entry for a request, submitting others if need be
 * @u: the ring
 *
 * Return: the entry.
 */
struct io_uring_sqe *uring_entry(struct uring *u)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&u->ring)))
		io_uring_submit(&u->ring);
	return sqe;
}

/**
 * uring_tag() - mark a prepared request as one of a connection
 * @sqe: the request
 * @p: the connection
 * @op: its kind
 */
void uring_tag(struct io_uring_sqe *sqe, struct peer *p, enum op op)
{
	io_uring_sqe_set_data64(sqe, (uintptr_t)p | op);
	p->lane->pending++;
}

/**
 * uring_cancel() - cancel all requests of a connection
 * @u: the ring
 * @p: the connection
 *
 * Their last completions arrive later.
 */
void uring_cancel(struct uring *u, struct peer *p)
{
	struct io_uring_sqe *sqe = uring_entry(u);

	io_uring_prep_cancel_fd(sqe, p->fd, IORING_ASYNC_CANCEL_ALL);
	io_uring_sqe_set_data64(sqe, FOR_NOBODY);
}

static void watch_fd(struct uring *u, int fd, uint64_t data)
{
	struct io_uring_sqe *sqe = uring_entry(u);

	io_uring_prep_poll_add(sqe, fd, POLLIN);
	io_uring_sqe_set_data64(sqe, data);
}

/**
 * uring_wait() - peer_wait() with a ring
 * @s: the server
 * @p: the connection
 * @events: EPOLLIN or EPOLLOUT, which are POLLIN and POLLOUT
 *
 * Return: 0, or -1 with ENOMEM.
 */
int uring_wait(struct server *s, struct peer *p, uint32_t events)
{
	struct lane *lane = p->lane;
	struct io_uring_sqe *sqe;

	if (!lane) {
		lane = calloc(1, sizeof(*lane));
		if (!lane)
			return -1;
		p->lane = lane;
	}
	if (lane->events == events)
		return 0;
	/* The old poll completes as cancelled; the new one counts. */
	if (lane->events)
		uring_cancel(s->uring, p);
	lane->events = events;
	sqe = uring_entry(s->uring);
	io_uring_prep_poll_add(sqe, p->fd, events);
	uring_tag(sqe, p, OP_POLL);
	return 0;
}

/**
 * uring_begin() - after the handshake: enter the fast lane, if there is one
 * @s: the server
 * @p: the connection
 *
 * Return: true when the ring serves the connection.
 */
bool uring_begin(struct server *s, struct peer *p)
{
	const struct ring_ops *ops = p->framing->ring;

	if (!ops)
		return false;
	/* A request on a non-blocking socket would end with EAGAIN. */
	fcntl(p->fd, F_SETFL, 0);
	p->lane->fast = true;
	if (ops->enter)
		ops->enter(p, &p->lane->left);
	if (p->lane->left.data)
		uring_surplus(s, p);
	uring_settle(s, p);
	return true;
}

static void free_peer(struct uring *u, struct peer *p)
{
	struct peer **at = &u->starved;

	for (; p->lane->starved && *at; at = &(*at)->lane->next_starved) {
		if (*at == p) {
			*at = p->lane->next_starved;
			break;
		}
	}
	uring_free_chunks(u, p->lane);
	p->framing->close(p);
	drop_held(&p->lane->left);
	free(p->lane);
	free(p);
}

/**
 * uring_forget() - close and free a connection
 * @s: the server
 * @p: the connection; closed after the last completion of its requests
 */
void uring_forget(struct server *s, struct peer *p)
{
	p->lane->gone = true;
	if (p->lane->pending)
		uring_cancel(s->uring, p);
	else
		free_peer(s->uring, p);
}

static void handle_peer(struct server *s, struct io_uring_cqe *cqe)
{
	struct peer *p = (void *)(uintptr_t)(cqe->user_data & ~7ULL);
	enum op op = cqe->user_data & 7;
	struct lane *lane = p->lane;

	if (!(cqe->flags & IORING_CQE_F_MORE))
		lane->pending--;
	switch (op) {
	case OP_POLL:
		if (cqe->res == -ECANCELED || lane->gone)
			break;
		lane->events = 0;
		peer_serve(s, p);
		return;
	case OP_RECV:
		uring_received(s, p, cqe->res, cqe->flags);
		break;
	case OP_SEND:
		if (!uring_sent(s, p, cqe->res))
			break;
		peer_drop(s, p);
		return;
	}
	if (lane->gone && !lane->pending)
		free_peer(s->uring, p);
	else if (!lane->gone && lane->fast)
		uring_settle(s, p);
}

/* Returns false when the server has to end. */
static bool handle_completion(struct server *s, struct io_uring_cqe *cqe)
{
	switch (cqe->user_data) {
	case FOR_NOBODY:
		break;
	case FOR_SIGNALS:
		return false;
	case FOR_LISTENER:
		accept_all(s);
		if (s->crowded)
			peers_make_room(s);
		watch_fd(s->uring, s->listener, FOR_LISTENER);
		break;
	default:
		handle_peer(s, cqe);
	}
	return true;
}

/**
 * uring_run() - serve until a signal arrives
 * @s: the server
 */
void uring_run(struct server *s)
{
	struct uring *u = s->uring;
	bool going = true;

	watch_fd(u, s->listener, FOR_LISTENER);
	watch_fd(u, s->signals, FOR_SIGNALS);
	while (going) {
		int timeout = stats_due(s, peers_sweep(s));
		struct __kernel_timespec ts = {
			.tv_sec = timeout / 1000,
			.tv_nsec = timeout % 1000 * 1000000LL,
		};
		struct io_uring_cqe *cqe;
		unsigned int head, n = 0;

		io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1,
						 timeout < 0 ? NULL : &ts,
						 NULL);
		io_uring_for_each_cqe(&u->ring, head, cqe) {
			going = handle_completion(s, cqe) && going;
			n++;
		}
		io_uring_cq_advance(&u->ring, n);
		uring_feed(s);
	}
}

/**
 * uring_open() - create the ring
 * @s: the server
 *
 * Return: 0, or -1 after saying why.
 */
int uring_open(struct server *s)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_SINGLE_ISSUER |
			IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
		.cq_entries = COMPLETIONS,
	};
	struct uring *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return -1;
	s->uring = u;
	r = io_uring_queue_init_params(ENTRIES, &u->ring, &params);
	if (!r)
		r = uring_buffers(u);
	if (r) {
		complain(r == -EINVAL ?
			 "io_uring of this kernel is too old: Linux 6.1 is needed" :
			 "cannot use io_uring: %s", strerror(-r));
		return -1;
	}
	u->bundles = params.features & IORING_FEAT_RECVSEND_BUNDLE;
	u->control.msg_controllen = CMSG_SPACE(sizeof(struct ws_msg));
	s->engine = u->bundles ? ", io_uring" :
		", io_uring without bundles, which Linux 6.10 has";
	return 0;
}

/**
 * uring_close() - free the ring
 * @s: the server, which serves no more
 */
void uring_close(struct server *s)
{
	io_uring_queue_exit(&s->uring->ring);
	free(s->uring);
	s->uring = NULL;
}
