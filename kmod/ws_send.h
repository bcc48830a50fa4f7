/* SPDX-License-Identifier: GPL-2.0-only */
/* sendmsg(). */
#ifndef _WS_SEND_H
#define _WS_SEND_H

#include "compat/compat.h"
#include "ws_zc.h"

/* ws_send.c */

/* Flags of struct ws_msg. */
#define WS_MSG_KNOWN	(WS_MSG_END | WS_MSG_RSV1 | WS_MSG_MORE)

/**
 * struct ws_request - what the caller of sendmsg() asks for
 * @zc: for a call whose payload need not be copied, or NULL
 * @len: payload bytes
 * @code: for a Close
 * @opcode: 0 for "the message that is open, or the socket's default"
 * @rsv: WS_RSV1 or 0
 * @more: the message goes on after this
 */
struct ws_request {
	struct ws_zc *zc;
	size_t len;
	u16 code;
	u8 opcode;
	u8 rsv;
	bool more;
};

int ws_request_set(struct ws_request *req, const struct ws_msg *m);
int ws_send_wait(struct ws_ctx *ctx, bool *mine, long *timeo);

/*
 * How many of @want bytes can be sent in one frame, or in frames built
 * together, after ws_send_wait(). @timeo is 0 when the caller does not wait.
 */
static inline size_t ws_send_room(const struct ws_ctx *ctx, size_t want,
				  long timeo)
{
	int room;

	if (likely(want <= WS_FRAME_MIN_NB))
		return want;
	room = clamp(sk_stream_wspace(ctx->sk),
		     timeo ? WS_FRAME_MIN : WS_FRAME_MIN_NB, WS_FRAME_MAX);
	return min_t(size_t, want, room);
}

ssize_t ws_send_frame(struct ws_ctx *ctx, struct msghdr *msg, size_t left,
		      const struct ws_request *req, long timeo);
void ws_send_done(struct ws_ctx *ctx, bool mine, int err, long *timeo);
int ws_send_opcode(const struct ws_ctx *ctx, u8 open, struct ws_request *req);
int ws_send_body(const struct ws_request *req, struct iov_iter *from, u8 *body);
void ws_send_closing(struct ws_ctx *ctx, const struct ws_request *req,
		     bool behind);
int ws_send_control(struct ws_ctx *ctx, struct msghdr *msg,
		    const struct ws_request *req, bool *mine, long *timeo);

/* ws_send_records.c */
ssize_t ws_send_records(struct ws_ctx *ctx, struct msghdr *msg, long *timeo);

/* ws_send_array.c */
ssize_t ws_send_array(struct ws_ctx *ctx, struct msghdr *msg,
		      const struct ws_msg *msgs, u32 n, long *timeo);

/* ws_sendmsg.c */
int ws_sendmsg(struct sock *sk, struct msghdr *msg, size_t len);
void ws_splice_eof(struct socket *sock);

/* ws_sendpage.c */
int ws_sendpage(struct sock *sk, struct page *page, int offset, size_t size,
		int flags);

#endif /* _WS_SEND_H */
