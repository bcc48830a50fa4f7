/* SPDX-License-Identifier: GPL-2.0-only */
/* Scanning, waking and sending, from callbacks and on behalf of calls. */
#ifndef _WS_EVENT_H
#define _WS_EVENT_H

#include "ws_ctx.h"

void ws_event_request(struct ws_ctx *ctx);
void ws_event_send(struct ws_ctx *ctx);
void ws_event_start_parser(struct ws_ctx *ctx);
void ws_event_want(struct ws_ctx *ctx);
void ws_event_wake(struct ws_ctx *ctx);
void ws_event_recv_done_tls(struct ws_ctx *ctx);
void ws_event_wake_others(struct ws_ctx *ctx);

/* A recvmsg() is over. On kTLS it may have left records without a report. */
static inline void ws_event_recv_done(struct ws_ctx *ctx)
{
	if (ctx->tls)
		ws_event_recv_done_tls(ctx);
}

/*
 * Callbacks on TCP. kTLS's own are record_ready() and tls_state_change() in
 * ws_tls.c; those of a socket that closes are in ws_linger.c and ws_close.c.
 */
void ws_event_timer(struct timer_list *timer);
void ws_event_work(struct work_struct *work);
void ws_event_data_ready(struct sock *sk);
void ws_event_write_space(struct sock *sk);
void ws_event_release_cb(struct sock *sk);

#endif /* _WS_EVENT_H */
