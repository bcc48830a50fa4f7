/* SPDX-License-Identifier: GPL-2.0-only */
/* What the state of the receiving direction means. */
#ifndef _WS_RX_H
#define _WS_RX_H

#include "ws_transport.h"

/* Is it too late for another role? The first I/O may have been a poll(). */
static inline bool ws_rx_is_settled(const struct ws_ctx *ctx)
{
	return ctx->rx.started || READ_ONCE(ctx->rx.wanted);
}

/* Does a part of a message wait in the queue for the rest? Socket lock. */
static inline bool ws_rx_parked(const struct ws_ctx *ctx)
{
	const struct ws_rx *rx = &ctx->rx;

	return rx->payload && !rx->complete && rx->stop == WS_STOP_NONE;
}

/*
 * Do unread bytes keep the peer from sending? Looks at this socket alone: at
 * bytes that a reader could have and at the window that they leave.
 */
static inline bool ws_rx_stalls_peer(const struct ws_ctx *ctx)
{
	const struct ws_rx *rx = &ctx->rx;

	return (rx->complete || rx->payload) && ws_below_stalls_peer(ctx);
}

/*
 * Would a reader get anything but EAGAIN? The end of TCP's stream is for the
 * caller to see. Without the lock the answer is a hint.
 */
static inline bool ws_rx_readable(const struct ws_ctx *ctx)
{
	const struct ws_rx *rx = &ctx->rx;

	if (READ_ONCE(rx->complete))
		return true;
	if (READ_ONCE(rx->stop) != WS_STOP_NONE)
		return !ws_tls_awaits(ctx);
	/*
	 * data_race(): poll() asks without the lock, and asks again when woken.
	 */
	return READ_ONCE(rx->payload) && data_race(ws_below_pressed(ctx));
}

#endif /* _WS_RX_H */
