// SPDX-License-Identifier: MIT
/*
 * Each message is answered with large ones, from a file or from memory: by the
 * kernel's framing without a copy, in user space as it is usually done (read,
 * frame, write), with framing_raw without a frame. Sending blocks, which is
 * good enough for one client that waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
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
#include "echo_send.h"
#include "requests.h"
#include "server.h"

/* A part of the file that user space reads at once. */
#define PART		65536

/* The largest answer, and the number of answers that the ring sends at once. */
#define DOWNLOAD_MAX	(64u << 20)
#define RING_ENTRIES	64

/**
 * struct download - a connection of framing_download
 * @unsent: empty; for bytes_close()
 * @bytes: of each answer
 * @count: answers to a message
 * @memory: from memory, else from a file
 */
struct download {
	struct held unsent;
	size_t bytes;
	unsigned int count;
	bool memory;
};

/* The payload of all answers: in a file, and mapped. */
static struct {
	int file;
	size_t bytes;
	char *memory;
	struct io_uring ring;
} payload;

static bool parse_request(const char *target, struct download *d)
{
	memset(d, 0, sizeof(*d));
	if (sscanf(target, "/" BENCH_FILE "%zu", &d->bytes) == 1)
		d->count = 1;
	else
		sscanf(target, "/" BENCH_MEMORY "%zu,%u", &d->bytes, &d->count);
	d->memory = d->count && target[1] == *BENCH_MEMORY;
	return d->bytes && d->bytes <= DOWNLOAD_MAX && d->count;
}

/**
 * wants_download() - does a request ask for large answers?
 * @target: of the request
 */
bool wants_download(const char *target)
{
	struct download d;

	return parse_request(target, &d);
}

static int prepare_payload(const struct server *s, size_t bytes)
{
	size_t i;

	if (payload.bytes >= bytes)
		return 0;
	if (payload.bytes) {
		errno = EBUSY;
		return -1;
	}
	if (s->uring && io_uring_queue_init(RING_ENTRIES, &payload.ring, 0))
		return -1;
	payload.file = memfd_create("download", MFD_CLOEXEC);
	if (payload.file < 0 || ftruncate(payload.file, bytes))
		return -1;
	payload.memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			      payload.file, 0);
	if (payload.memory == MAP_FAILED)
		return -1;
	for (i = 0; i < bytes; i++)
		payload.memory[i] = bench_pattern(i);
	payload.bytes = bytes;
	return 0;
}

static int download_open(struct server *s, struct peer *p,
			 const struct kws_result *result)
{
	struct download *d;
	int one = 1;

	errno = EOPNOTSUPP;
	if (result->tls)
		return -1;
	d = calloc(1, sizeof(*d));
	p->state = d;
	if (!d)
		return -1;
	parse_request(result->target, d);
	signal(SIGPIPE, SIG_IGN);
	if (prepare_payload(s, d->bytes))
		return -1;
	if (s->framing->kernel && kws_attach(p->fd, WS_ROLE_SERVER,
					     result->surplus,
					     result->surplus_len))
		return -1;
	fcntl(p->fd, F_SETFL, 0);
	return d->memory ? setsockopt(p->fd, SOL_SOCKET, SO_ZEROCOPY, &one,
				      sizeof(one)) : 0;
}

/* One sendfile() is one message; a short one ended it too early. */
static int send_file(struct server *s, int fd, const struct download *d)
{
	size_t len = d->bytes;
	off_t at = 0;

	while (at < len) {
		ssize_t n = sendfile(fd, payload.file, &at, len - at);

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

static int read_and_send(struct server *s, int fd, const struct download *d)
{
	size_t had = put_header(s, d->bytes), at = 0;

	while (at < d->bytes) {
		size_t want = d->bytes - at;
		ssize_t n;

		if (want > PART - had)
			want = PART - had;
		n = pread(payload.file, s->buffer + had, want, at);
		if (n <= 0 || send_all(fd, s->buffer, had + n))
			return -1;
		had = 0;
		at += n;
	}
	return 0;
}

/* Drops the notices that the kernel no longer needs a payload. */
static void drop_completions(int fd)
{
	char control[128];
	struct msghdr msg = { .msg_control = control };

	do {
		msg.msg_controllen = sizeof(control);
	} while (recvmsg(fd, &msg, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0);
}

static int send_referenced(int fd, const struct download *d)
{
	struct pollfd waits = { .fd = fd };
	unsigned int i = 0;

	while (i < d->count) {
		ssize_t n = send(fd, payload.memory, d->bytes,
				 MSG_ZEROCOPY | MSG_NOSIGNAL);

		if (n == d->bytes)
			i++;
		else if (n >= 0 || errno != ENOBUFS || poll(&waits, 1, 1000) != 1)
			return -1;
		drop_completions(fd);
	}
	return 0;
}

static int send_copied(struct server *s, int fd, const struct download *d)
{
	size_t head = put_header(s, d->bytes);
	struct iovec iov[] = {
		{ s->buffer, head }, { payload.memory, d->bytes },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	unsigned int i;

	for (i = 0; i < d->count; i++)
		if (sendmsg(fd, &msg, MSG_NOSIGNAL) != head + d->bytes)
			return -1;
	return 0;
}

/* All at once; each message has two completions. */
static int send_by_ring(int fd, const struct download *d)
{
	struct io_uring *ring = &payload.ring;
	unsigned int due = d->count, i;
	struct io_uring_cqe *cqe;
	int r = 0;

	for (i = 0; i < d->count; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);

		if (!sqe)
			return -1;
		io_uring_prep_send_zc(sqe, fd, payload.memory, d->bytes,
				      MSG_NOSIGNAL | MSG_WAITALL, 0);
		/* Keeps the order, although sending blocks. */
		sqe->flags |= i + 1 < d->count ? IOSQE_IO_LINK : 0;
	}
	io_uring_submit(ring);
	while (due) {
		if (io_uring_wait_cqe(ring, &cqe))
			return -1;
		if (!(cqe->flags & IORING_CQE_F_NOTIF) &&
		    cqe->res != d->bytes)
			r = -1;
		due -= !(cqe->flags & IORING_CQE_F_MORE);
		io_uring_cqe_seen(ring, cqe);
	}
	return r;
}

static int send_answers(struct server *s, struct peer *p)
{
	const struct download *d = p->state;

	if (!d->memory)
		return s->framing == &framing_user ?
			read_and_send(s, p->fd, d) : send_file(s, p->fd, d);
	if (s->framing == &framing_user)
		return send_copied(s, p->fd, d);
	return s->uring ? send_by_ring(p->fd, d) : send_referenced(p->fd, d);
}

/* One read is one request: a client that waits sends no more. */
static enum next download_readable(struct server *s, struct peer *p)
{
	const struct download *d = p->state;
	ssize_t n;

	if (d->memory)
		drop_completions(p->fd);
	n = recv(p->fd, s->buffer, s->buffer_size, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return NEXT_READ;
	if (n <= 0)
		return NEXT_CLOSE;
	s->messages += d->count;
	s->bytes += d->count * d->bytes;
	if (!send_answers(s, p))
		return NEXT_READ;
	complain("a large answer was not sent: %s", strerror(errno));
	return NEXT_CLOSE;
}

const struct framing framing_download = {
	.name = "large answers",
	.open = download_open,
	.readable = download_readable,
	.close = bytes_close,
};
