/* SPDX-License-Identifier: GPL-2.0-only */
/* The life of a connection after close(). */
#ifndef _WS_LINGER_H
#define _WS_LINGER_H

#include <linux/workqueue.h>

#include "ws_ctx.h"

/**
 * struct ws_linger - a socket that lingers
 * @ctx: the socket
 * @sock: replaces the socket of the file: TCP uses it when it lacks room or
 *	memory to send, kTLS reads TCP's queue through it
 * @account: counts it
 * @work: closes it
 * @detached: it has no file any more
 * @ended: @work has been queued, once
 *
 * The lock of the context guards all of it.
 */
struct ws_linger {
	struct ws_ctx *ctx;
	struct socket *sock;
	struct ws_account *account;
	struct work_struct work;
	bool detached;
	bool ended;
};

bool ws_linger_over(const struct ws_ctx *ctx);
bool ws_linger_start(struct ws_ctx *ctx, work_func_t end);
long ws_linger_wait(struct ws_ctx *ctx, long timeout);
void ws_linger_arrived(struct ws_ctx *ctx);
void ws_linger_check(struct ws_ctx *ctx);
void ws_linger_detach(struct ws_ctx *ctx);
void ws_linger_stop(struct ws_ctx *ctx);

#endif /* _WS_LINGER_H */
