/* SPDX-License-Identifier: GPL-2.0-only */
/* Alerts that the application's TLS library sends and asks for. */
#ifndef _WS_TLS_ALERT_H
#define _WS_TLS_ALERT_H

#include "ws_sink.h"

int ws_tls_alert(struct ws_ctx *ctx, struct msghdr *msg, size_t len);
int ws_tls_recv_alert(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		      struct ws_got *got);

/* A sendmsg() with control messages: see ws_tls_alert(). */
static inline int ws_tls_take_alert(struct ws_ctx *ctx, struct msghdr *msg,
				    size_t len)
{
	return ctx->tls ? ws_tls_alert(ctx, msg, len) : -ENOMSG;
}

#endif /* _WS_TLS_ALERT_H */
