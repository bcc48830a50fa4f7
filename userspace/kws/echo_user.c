// SPDX-License-Identifier: MIT
/* Echo with framing in user space, and the floor: bytes as they come. */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo.h"

/* As much is gathered for one send(); more waits for the peer to read. */
#define ENOUGH_PENDING	65536

/* Dropped at a time, in pieces of 16 KiB; then it is somebody else's turn. */
#define FINISH_READS	16

static int user_open(struct server *s, struct peer *p,
		     const struct kws_result *result)
{
	p->conn = kws_open(p->fd, WS_ROLE_SERVER, result->surplus,
			   result->surplus_len, s->framing == &framing_user ?
			   KWS_USER : KWS_KERNEL);
	if (!p->conn || kws_deflate(p->conn, result->deflate))
		return -1;
	return kws_max_message(p->conn, s->max_message);
}

/* In the kernel what is pending has to go before the next message can. */
static size_t enough(const struct peer *p)
{
	return kws_is_kernel(p->conn) ? 1 : ENOUGH_PENDING;
}

static enum next user_step(struct server *s, struct peer *p)
{
	struct kws_message m;
	int r;

	if (kws_pending(p->conn) && kws_flush(p->conn))
		return errno == EAGAIN ? NEXT_WRITE : NEXT_CLOSE;
	while ((r = kws_recv(p->conn, &m)) > 0) {
		struct ws_msg msg = { .opcode = m.opcode };

		if (m.opcode == WS_OP_CLOSE)
			return NEXT_CLOSE;
		if (kws_send(p->conn, &msg, m.data, m.len, 0))
			return NEXT_CLOSE;
		s->messages++;
		s->bytes += m.len;
		if (kws_pending(p->conn) >= enough(p))
			return NEXT_WRITE;
	}
	/* kws_recv() sent what was gathered before it looked for more. */
	if (r < 0 && errno == EAGAIN)
		return kws_pending(p->conn) ? NEXT_WRITE : NEXT_READ;
	return r < 0 && errno == EINTR ? NEXT_READ : NEXT_CLOSE;
}

/* As kws_finish(), without a struct kws_conn. */
static int finish_socket(int fd)
{
	char scrap[16384];
	int i;

	shutdown(fd, SHUT_WR);
	for (i = 0; i < FINISH_READS; i++) {
		ssize_t n = recv(fd, scrap, sizeof(scrap), MSG_DONTWAIT);

		if (!n)
			return 0;
		if (n < 0)
			return -1;
	}
	errno = EAGAIN;
	return -1;
}

/* Also after a handshake that came to nothing. */
static int user_finish(struct peer *p)
{
	return p->conn ? kws_finish(p->conn) : finish_socket(p->fd);
}

static void user_close(struct peer *p)
{
	if (p->conn)
		kws_close(p->conn);
	else
		close(p->fd);
}

const struct framing framing_user = {
	.name = "user space",
	.open = user_open,
	.step = user_step,
	.finish = user_finish,
	.close = user_close,
};

static enum next raw_send(struct peer *p, const char *data, size_t len)
{
	ssize_t n = send(p->fd, data, len, MSG_NOSIGNAL);

	if (n == len)
		return NEXT_READ;
	if (n < 0 && errno != EAGAIN)
		return NEXT_CLOSE;
	if (n < 0)
		n = 0;
	if (peer_keep_rest(p, data + n, len - n))
		return NEXT_CLOSE;
	return NEXT_WRITE;
}

static int raw_open(struct server *s, struct peer *p,
		    const struct kws_result *result)
{
	size_t len = result->surplus_len;

	(void)s;
	errno = EPIPE;
	return len && raw_send(p, result->surplus, len) == NEXT_CLOSE ? -1 : 0;
}

static enum next raw_step(struct server *s, struct peer *p)
{
	ssize_t n;

	if (p->rest) {
		void *rest = p->rest;
		size_t len = p->rest_len;
		enum next next;

		p->rest = NULL;
		next = raw_send(p, rest, len);
		free(rest);
		return next;
	}
	n = recv(p->fd, s->buffer, s->buffer_size, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ?
			NEXT_READ : NEXT_CLOSE;
	if (!n)
		return NEXT_CLOSE;
	s->messages++;
	s->bytes += n;
	return raw_send(p, s->buffer, n);
}

static void raw_close(struct peer *p)
{
	free(p->rest);
	close(p->fd);
}

const struct framing framing_raw = {
	.name = "none: bytes are echoed as they come",
	.open = raw_open,
	.step = raw_step,
	.close = raw_close,
};
