// SPDX-License-Identifier: MIT
/*
 * Echo with the messages of libkws: compression, TLS by OpenSSL, and
 * connections that left framing_user. peer::state is the struct kws_conn.
 */
#include "echo_library.h"

/**
 * library_open() - framing::open
 * @s: the server
 * @p: the connection
 * @result: of its handshake
 *
 * Return: 0, or -1 with errno.
 */
int library_open(struct server *s, struct peer *p,
		 const struct kws_result *result)
{
	(void)result;
	p->state = kws_handshake_open(p->hs, p->fd, s->framing->kernel ?
				      KWS_KERNEL : KWS_USER);
	return p->state ? kws_max_message(p->state, s->max_message) : -1;
}

/**
 * library_writable() - framing::writable
 * @s: the server
 * @p: the connection
 *
 * Return: NEXT_READ when all is out.
 */
enum next library_writable(struct server *s, struct peer *p)
{
	(void)s;
	if (kws_pending(p->state) && kws_flush(p->state))
		return errno == EAGAIN ? NEXT_WRITE : NEXT_CLOSE;
	return NEXT_READ;
}

static enum next library_readable(struct server *s, struct peer *p)
{
	return answer_messages(s, p, false);
}

/**
 * library_keep_alive() - framing::keep_alive
 * @s: the server
 * @p: the connection
 *
 * Return: 0 or -1.
 */
int library_keep_alive(struct server *s, struct peer *p)
{
	return kws_is_kernel(p->state) ? kernel_keep_alive(s, p) :
		quiet_watch(s, p);
}

/**
 * library_ping() - framing::ping
 * @p: the connection
 */
void library_ping(struct peer *p)
{
	static const struct ws_msg msg = { .opcode = WS_OP_PING };

	kws_send(p->state, &msg, NULL, 0, 0);
}

/**
 * library_finish() - framing::finish
 * @p: the connection
 * @unsent: set
 *
 * Return: as kws_finish().
 */
int library_finish(struct peer *p, size_t *unsent)
{
	int r = kws_finish(p->state), error = errno;

	*unsent = kws_pending(p->state);
	errno = error;
	return r;
}

/**
 * library_close() - framing::close
 * @p: the connection
 */
void library_close(struct peer *p)
{
	kws_close(p->state);
}

const struct framing framing_library = {
	.name = "libkws",
	.any_tls = true,
	.open = library_open,
	.readable = library_readable,
	.writable = library_writable,
	.keep_alive = library_keep_alive,
	.ping = library_ping,
	.finish = library_finish,
	.close = library_close,
};
