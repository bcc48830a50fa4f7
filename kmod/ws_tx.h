/* SPDX-License-Identifier: GPL-2.0-only */
/* Sending. Included by ws.h only. */
#ifndef _WS_TX_H
#define _WS_TX_H

/* ws_tx.c */

/*
 * Where frames are built. kTLS changes sk_allocation in softirq context for a
 * moment, by which sk_page_frag() goes, and our lock there does not stop it.
 */
static inline struct page_frag *ws_tx_frag(const struct ws_ctx *ctx)
{
	return ctx->tls ? &current->task_frag : sk_page_frag(ctx->sk);
}

static inline gfp_t ws_tx_gfp(const struct ws_ctx *ctx)
{
	return ctx->tls ? GFP_KERNEL : ctx->sk->sk_allocation;
}

/* Payload of a frame that fits a page. */
#define WS_TX_SMALL	(PAGE_SIZE - WS_HDR_MAX)

/* Is a frame on its way into TCP? */
static inline bool ws_tx_pending(const struct ws_tx *tx)
{
	return tx->cur < tx->nseg;
}

/* Bytes of that frame that TCP has not taken. */
static inline u32 ws_tx_left(struct ws_tx *tx)
{
	u32 len = 0;
	int i;

	for (i = tx->cur; i < tx->nseg; i++)
		len += ws_tx_runs(tx)[i].bv_len;
	return len;
}

static inline bool ws_tx_is_open(const struct sock *sk)
{
	return !(sk->sk_shutdown & SEND_SHUTDOWN) &&
	       ((1 << sk->sk_state) & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT));
}

/* TCP would take sk_err from the reader or writer it is meant for. */
static inline bool ws_tx_takes_bytes(const struct sock *sk)
{
	return likely(!sk->sk_err && ws_tx_is_open(sk));
}

void ws_tx_free(struct ws_ctx *ctx);
int ws_tx_push(struct ws_ctx *ctx, bool more);
int ws_tx_send_run(struct ws_ctx *ctx, struct page_frag *pfrag, u32 len,
		   bool more);
u32 ws_tx_end(struct ws_ctx *ctx);

/* ws_writer.c */
int ws_tx_add(struct ws_ctx *ctx, struct page *page, u32 offset, u32 len);
int ws_tx_add_frag(struct ws_ctx *ctx, struct page_frag *pfrag, u32 len);
int ws_tx_open(struct ws_ctx *ctx);
void ws_tx_seal(struct ws_tx *tx, struct ws_hdr *hdr, size_t head);
int ws_tx_control(struct ws_ctx *ctx, u8 opcode, void *body, u8 len);
void ws_tx_exit(void);
ssize_t ws_tx_append(struct ws_ctx *ctx, struct ws_hdr *hdr,
		     struct iov_iter *from);
int ws_tx_build(struct ws_ctx *ctx, struct ws_hdr *hdr, struct iov_iter *from);
int ws_tx_send_small(struct ws_ctx *ctx, struct ws_hdr *hdr,
		     struct iov_iter *from, bool more);

/* ws_tx_flush.c */
int ws_tx_flush(struct ws_ctx *ctx);
bool ws_tx_owes(const struct ws_ctx *ctx);
void ws_tx_wake(struct ws_ctx *ctx);
void ws_tx_abort(struct ws_ctx *ctx);

/* ws_zc.c */

/**
 * struct ws_zc - a sendmsg() that asks for its payload not to be copied
 * @uarg: who is told when the payload is not needed any more, or NULL
 * @size: the call's
 * @pages: references are taken; else the payload is copied after all
 * @notify: somebody wants to be told
 * @hold: the frame is to grow, see ws_zc_sendpage()
 */
struct ws_zc {
	struct ubuf_info *uarg;
	size_t size;
	bool pages;
	bool notify;
	bool hold;
};

/* Flags of sendmsg() that ask for it. */
#define WS_MSG_ZC	(MSG_ZEROCOPY | WS_COMPAT_MSG_PAGES)

void ws_zc_begin(struct ws_ctx *ctx, struct msghdr *msg, size_t len,
		 struct ws_zc *zc);
int ws_zc_build(struct ws_ctx *ctx, struct ws_hdr *hdr, struct iov_iter *from,
		struct ws_zc *zc);
void ws_zc_end(struct ws_zc *zc);
void ws_zc_seal(struct ws_ctx *ctx, bool fin);

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

/**
 * ws_send_room() - how much can be sent in one frame or run of frames
 * @ctx: the socket, after ws_send_wait()
 * @want: how much there is to send
 * @timeo: 0 when the caller does not wait
 *
 * Return: bytes, no more than @want.
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
void ws_send_closing(struct ws_ctx *ctx, const struct ws_request *req);
int ws_send_control(struct ws_ctx *ctx, struct msghdr *msg,
		    const struct ws_request *req, bool *mine, long *timeo);
int ws_sendmsg(struct sock *sk, struct msghdr *msg, size_t len);
void ws_splice_eof(struct socket *sock);

/* ws_batch_send.c */
ssize_t ws_batch_send_records(struct ws_ctx *ctx, struct msghdr *msg,
			      long *timeo);

/* ws_batch_array.c */
ssize_t ws_batch_send_array(struct ws_ctx *ctx, struct msghdr *msg,
			    const struct ws_msg *msgs, u32 n, long *timeo);

#endif /* _WS_TX_H */
