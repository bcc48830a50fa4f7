/* SPDX-License-Identifier: GPL-2.0-only */
/* What happens outside of system calls. */
#ifndef _WS_EVENT_H
#define _WS_EVENT_H

#include "ws_ctx.h"

void ws_event_run(struct ws_ctx *ctx);
void ws_event_now(struct ws_ctx *ctx);
void ws_event_send(struct ws_ctx *ctx);
void ws_event_begin(struct ws_ctx *ctx);
void ws_event_start(struct ws_ctx *ctx);
void ws_event_want(struct ws_ctx *ctx);
void ws_event_wake(struct ws_ctx *ctx);
void ws_event_left(struct ws_ctx *ctx);
void ws_event_news(struct ws_ctx *ctx);

/* A recvmsg() is over: on TCP there is nothing that it has left. */
static inline void ws_event_leave(struct ws_ctx *ctx)
{
	if (ctx->tls)
		ws_event_left(ctx);
}

/* The callbacks of an attached socket. */
void ws_event_timer(struct timer_list *timer);
void ws_event_work(struct work_struct *work);
void ws_event_data_ready(struct sock *sk);
void ws_event_write_space(struct sock *sk);
void ws_event_release_cb(struct sock *sk);

#endif /* _WS_EVENT_H */
