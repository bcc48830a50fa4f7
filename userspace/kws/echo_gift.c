// SPDX-License-Identifier: MIT
/*
 * kws echo --bench: a connection whose messages are answered by large ones,
 * from a file or from memory. By the kernel's framing without a copy, in user
 * space as it is commonly done (read, frame, write), with framing_raw without
 * a frame. The socket blocks: that is enough for a client that waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd.h"
#include "core.h"
#include "echo.h"
#include "echo_uring.h"
#include "../../selftests/bench/load/requests.h"

/* A part of the file that user space reads at once. */
#define PART		65536

/**
 * gift_wanted() - does a client ask for large answers?
 * @target: of the request
 * @gift: filled
 */
bool gift_wanted(const char *target, struct gift *gift)
{
	memset(gift, 0, sizeof(*gift));
	if (!target)
		return false;
	if (sscanf(target, "/" BENCH_FILE "%zu", &gift->bytes) == 1)
		gift->count = 1;
	else
		sscanf(target, "/" BENCH_MEMORY "%zu,%u", &gift->bytes,
		       &gift->count);
	gift->memory = gift->count && target[1] == *BENCH_MEMORY;
	return gift->bytes && gift->bytes <= GIFT_MAX && gift->count;
}

/* The file that all have in common, and the same in memory. */
static int prepare(struct server *s, size_t bytes)
{
	size_t i;

	if (s->gift_bytes >= bytes)
		return 0;
	if (s->gift_bytes) {
		errno = EBUSY;
		return -1;
	}
	s->gift_file = memfd_create("gift", MFD_CLOEXEC);
	if (s->gift_file < 0 || ftruncate(s->gift_file, bytes))
		return -1;
	s->gift = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		       s->gift_file, 0);
	if (s->gift == MAP_FAILED)
		return -1;
	for (i = 0; i < bytes; i++)
		s->gift[i] = bench_pattern(i);
	s->gift_bytes = bytes;
	return 0;
}

static int gift_open(struct server *s, struct peer *p,
		     const struct kws_result *result)
{
	int one = 1;

	signal(SIGPIPE, SIG_IGN);
	if (prepare(s, p->gift.bytes))
		return -1;
	if (s->framing->kernel && kws_attach(p->fd, WS_ROLE_SERVER,
					     result->surplus,
					     result->surplus_len))
		return -1;
	fcntl(p->fd, F_SETFL, 0);
	return p->gift.memory ? setsockopt(p->fd, SOL_SOCKET, SO_ZEROCOPY,
					   &one, sizeof(one)) : 0;
}

/* The end of a transfer ends the message: there is one. */
static int send_file(struct server *s, struct peer *p)
{
	size_t len = p->gift.bytes;
	off_t at = 0;

	while (at < len) {
		ssize_t n = sendfile(p->fd, s->gift_file, &at, len - at);

		if (n <= 0 || (s->framing->kernel && at < len))
			return -1;
	}
	return 0;
}

static int send_all(int fd, const void *data, size_t len)
{
	return send(fd, data, len, MSG_NOSIGNAL) == len ? 0 : -1;
}

static size_t put_header(struct server *s, size_t len)
{
	struct ws_hdr hdr = {
		.fin = true, .opcode = WS_OP_BINARY, .len = len,
	};

	return ws_hdr_build((u8 *)s->buffer, &hdr);
}

static int read_and_send(struct server *s, struct peer *p)
{
	size_t had = put_header(s, p->gift.bytes), at = 0;

	while (at < p->gift.bytes) {
		size_t want = p->gift.bytes - at;
		ssize_t n;

		if (want > PART - had)
			want = PART - had;
		n = pread(s->gift_file, s->buffer + had, want, at);
		if (n <= 0 || send_all(p->fd, s->buffer, had + n))
			return -1;
		had = 0;
		at += n;
	}
	return 0;
}

/* What the error queue says of payloads that are no longer needed. */
static void forget_completions(int fd)
{
	char control[128];
	struct msghdr msg = { .msg_control = control };

	do {
		msg.msg_controllen = sizeof(control);
	} while (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0);
}

static int send_referenced(struct server *s, struct peer *p)
{
	struct pollfd waits = { .fd = p->fd };
	unsigned int i = 0;

	while (i < p->gift.count) {
		ssize_t n = send(p->fd, s->gift, p->gift.bytes,
				 MSG_ZEROCOPY | MSG_NOSIGNAL);

		if (n == p->gift.bytes)
			i++;
		else if (n >= 0 || errno != ENOBUFS || poll(&waits, 1, 1000) != 1)
			return -1;
		forget_completions(p->fd);
	}
	return 0;
}

static int send_copied(struct server *s, struct peer *p)
{
	size_t head = put_header(s, p->gift.bytes);
	struct iovec iov[] = {
		{ s->buffer, head }, { s->gift, p->gift.bytes },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	unsigned int i;

	for (i = 0; i < p->gift.count; i++)
		if (sendmsg(p->fd, &msg, MSG_NOSIGNAL) != head + p->gift.bytes)
			return -1;
	return 0;
}

/* All at once; two completions a message. */
static int send_by_ring(struct server *s, struct peer *p)
{
	struct io_uring *ring = &s->uring->gifts;
	unsigned int due = p->gift.count, i;
	struct io_uring_cqe *cqe;
	int r = 0;

	for (i = 0; i < p->gift.count; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

		if (!sqe)
			return -1;
		io_uring_prep_send_zc(sqe, p->fd, s->gift, p->gift.bytes,
				      MSG_NOSIGNAL | MSG_WAITALL, 0);
		/* In their order, though a socket without room blocks. */
		sqe->flags |= i + 1 < p->gift.count ? IOSQE_IO_LINK : 0;
	}
	io_uring_submit(ring);
	while (due) {
		if (io_uring_wait_cqe(ring, &cqe))
			return -1;
		if (!(cqe->flags & IORING_CQE_F_NOTIF) &&
		    cqe->res != p->gift.bytes)
			r = -1;
		due -= !(cqe->flags & IORING_CQE_F_MORE);
		io_uring_cqe_seen(ring, cqe);
	}
	return r;
}

static int give(struct server *s, struct peer *p)
{
	bool user = s->framing == &framing_user;

	if (!p->gift.memory)
		return user ? read_and_send(s, p) : send_file(s, p);
	if (user)
		return send_copied(s, p);
	return s->uring ? send_by_ring(s, p) : send_referenced(s, p);
}

/* One read is one request: a client that waits sends no more. */
static enum next gift_step(struct server *s, struct peer *p)
{
	ssize_t n;

	if (p->gift.memory)
		forget_completions(p->fd);
	n = recv(p->fd, s->buffer, s->buffer_size, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return NEXT_READ;
	if (n <= 0)
		return NEXT_CLOSE;
	s->messages += p->gift.count;
	s->bytes += p->gift.count * p->gift.bytes;
	if (!give(s, p))
		return NEXT_READ;
	complain("a large answer was not sent: %s", strerror(errno));
	return NEXT_CLOSE;
}

const struct framing framing_gift = {
	.name = "large answers",
	.open = gift_open,
	.step = gift_step,
	.close = peer_close,
};
