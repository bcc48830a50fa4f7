/* SPDX-License-Identifier: MIT */
/* Answering messages that libkws returns. */
#ifndef KWS_ECHO_LIBRARY_H
#define KWS_ECHO_LIBRARY_H

#include <errno.h>
#include <sys/cdefs.h>

#include "echo.h"

/* So many bytes are gathered for one send(); then the peer has to read. */
#define ENOUGH_PENDING	65536

int library_open(struct server *s, struct peer *p,
		 const struct kws_result *result);
enum next library_writable(struct server *s, struct peer *p);
int library_keep_alive(struct server *s, struct peer *p);
void library_ping(struct peer *p);
int library_finish(struct peer *p, size_t *unsent);
void library_close(struct peer *p);

/* In the kernel, pending bytes have to go before the next message can. */
static inline size_t enough_pending(struct kws_conn *conn)
{
	return kws_is_kernel(conn) ? 1 : ENOUGH_PENDING;
}

/* Answers messages with themselves or with empty ones. */
static __always_inline enum next
answer_messages(struct server *s, struct peer *p, bool empty)
{
	struct kws_conn *conn = p->state;
	struct kws_message m;
	int r;

	while ((r = kws_recv(conn, &m)) > 0) {
		struct ws_msg msg = { .opcode = m.opcode };

		if (m.opcode == WS_OP_CLOSE)
			return NEXT_CLOSE;
		if (kws_send(conn, &msg, m.data, empty ? 0 : m.len, 0))
			return NEXT_CLOSE;
		s->messages++;
		s->bytes += m.len;
		if (kws_pending(conn) >= enough_pending(conn))
			return NEXT_WRITE;
	}
	/* kws_recv() has sent the gathered bytes before it read the socket. */
	if (r < 0 && errno == EAGAIN)
		return kws_pending(conn) ? NEXT_WRITE : NEXT_READ;
	return r < 0 && errno == EINTR ? NEXT_READ : NEXT_CLOSE;
}

#endif /* KWS_ECHO_LIBRARY_H */
