// SPDX-License-Identifier: MIT
/* Echo with framing in user space. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "echo.h"
#include "echo_fast.h"

/* As much is gathered for one send(); more waits for the peer to read. */
#define ENOUGH_PENDING	65536

/* Dropped at a time, in pieces of 16 KiB; then it is somebody else's turn. */
#define FINISH_READS	16

/*
 * Without compression it begins in the fast lane, with the surplus unread; not
 * where OpenSSL stands between us and the socket.
 */
static int user_open(struct server *s, struct peer *p,
		     const struct kws_result *result)
{
	if (s->framing == &framing_user && !result->deflate &&
	    (!result->tls || result->ktls) && !(p->ack && s->uring) &&
	    result->surplus_len <= FAST_READ) {
		p->sink.on = p->ack;
		if (result->surplus_len &&
		    peer_keep_left(p, result->surplus, result->surplus_len))
			return -1;
		return 0;
	}
	p->conn = kws_handshake_open(p->hs, p->fd, s->framing->kernel ?
				     KWS_KERNEL : KWS_USER);
	return p->conn ? kws_max_message(p->conn, s->max_message) : -1;
}

/* In the kernel what is pending has to go before the next message can. */
static size_t enough(const struct peer *p)
{
	return kws_is_kernel(p->conn) ? 1 : ENOUGH_PENDING;
}

static enum next conn_step(struct server *s, struct peer *p)
{
	struct kws_message m;
	int r;

	if (kws_pending(p->conn) && kws_flush(p->conn))
		return errno == EAGAIN ? NEXT_WRITE : NEXT_CLOSE;
	while ((r = kws_recv(p->conn, &m)) > 0) {
		struct ws_msg msg = { .opcode = m.opcode };

		if (m.opcode == WS_OP_CLOSE)
			return NEXT_CLOSE;
		if (kws_send(p->conn, &msg, m.data, p->ack ? 0 : m.len, 0))
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

/* Leaves the fast lane, for good. */
static enum next leave_fast_lane(struct server *s, struct peer *p,
				 const void *left, size_t len)
{
	p->conn = kws_open(p->fd, WS_ROLE_SERVER, left, len, KWS_USER);
	if (!p->conn || kws_max_message(p->conn, s->max_message))
		return NEXT_CLOSE;
	return conn_step(s, p);
}

static enum next fast_frames(struct server *s, struct peer *p, size_t len)
{
	u64 max = s->max_message ? s->max_message : WS_MAX_MESSAGE_DEFAULT;
	struct frames f = { .in = (u8 *)s->buffer, .in_len = len };
	enum next next = NEXT_READ;
	enum fast r = fast_echo(&f, max);

	s->messages += f.messages;
	s->bytes += f.bytes;
	if (f.out_len)
		next = peer_send(p, (char *)f.out, f.out_len);
	if (next == NEXT_CLOSE)
		return next;
	if (r == FAST_OTHER && next == NEXT_READ)
		return leave_fast_lane(s, p, f.left, f.left_len);
	p->other = r == FAST_OTHER;
	if (f.left_len && peer_keep_left(p, f.left, f.left_len))
		return NEXT_CLOSE;
	return next;
}

/* The same with the bytes that were kept. */
static enum next leave_with_left(struct server *s, struct peer *p)
{
	void *left = p->left;
	size_t len = p->left_len;
	enum next next;

	p->left = NULL;
	p->left_len = 0;
	next = leave_fast_lane(s, p, left, len);
	free(left);
	return next;
}

/* Every message is answered by an empty one, all of a read by one send(). */
static enum next sink_frames(struct server *s, struct peer *p, size_t len)
{
	struct frames f = { .in = (u8 *)s->buffer, .in_len = len };
	enum next next = NEXT_READ;
	size_t i;

	p->other = fast_sink(s, &p->sink, &f) == FAST_OTHER;
	s->messages += f.messages;
	if (f.left_len && peer_keep_left(p, f.left, f.left_len))
		return NEXT_CLOSE;
	for (i = 0; i < f.messages; i++)
		memcpy(s->buffer + 2 * i, "\x82", 2);
	if (i)
		next = peer_send(p, s->buffer, 2 * i);
	return p->other && next == NEXT_READ ? leave_with_left(s, p) : next;
}

/* Bytes from before, then a read behind them. */
static enum next fast_step(struct server *s, struct peer *p)
{
	size_t had = p->left_len;
	enum next next;
	ssize_t n;

	if (p->rest) {
		next = peer_send_rest(p);
		if (next != NEXT_READ)
			return next;
	}
	if (p->other)
		return leave_with_left(s, p);
	if (had) {
		memcpy(s->buffer, p->left, had);
		free(p->left);
		p->left = NULL;
		p->left_len = 0;
	}
	n = recv(p->fd, s->buffer + had, s->read_size, 0);
	if (n > 0 || (had && n < 0 && errno == EAGAIN)) {
		had += n > 0 ? n : 0;
		return p->sink.on ? sink_frames(s, p, had) :
			fast_frames(s, p, had);
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return NEXT_READ;
	/* EIO: a record of TLS that is not data. */
	if ((n < 0 && errno != EIO) || p->sink.left)
		return NEXT_CLOSE;
	/* In the middle of a frame or not: libkws knows what to say. */
	return leave_fast_lane(s, p, s->buffer, had);
}

static int user_answer(struct server *s, struct peer *p, struct answer *a)
{
	u64 max = s->max_message ? s->max_message : WS_MAX_MESSAGE_DEFAULT;
	struct frames f = { .in = (u8 *)a->data, .in_len = a->len };

	if (p->other) {
		f.left = f.in;
		f.left_len = f.in_len;
	} else {
		p->other = fast_echo(&f, max) == FAST_OTHER;
	}
	s->messages += f.messages;
	s->bytes += f.bytes;
	a->data = (char *)f.out;
	a->len = f.out_len;
	return f.left_len ? peer_keep_left(p, f.left, f.left_len) : 0;
}

static enum next user_step(struct server *s, struct peer *p)
{
	return p->conn ? conn_step(s, p) : fast_step(s, p);
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
	free(p->left);
	if (p->conn)
		kws_close(p->conn);
	else
		peer_close(p);
}

const struct framing framing_user = {
	.name = "user space",
	.open = user_open,
	.answer = user_answer,
	.step = user_step,
	.finish = user_finish,
	.close = user_close,
};
