// SPDX-License-Identifier: GPL-2.0-only
/*
 * Room to receive: what keeps the peer's window from closing while there is
 * nothing that a reader would take. Any context that has the socket lock, where
 * nothing else is said.
 */
#include "ws.h"

/*
 * Drop what no reader will ask for. With nothing to deliver, what lies before
 * the scanner is control frames and headers. On an idle connection this keeps
 * PINGs from filling the queue.
 */
void ws_rx_trim(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;

	if (!rx->complete && !rx->payload && rx->stop == WS_STOP_NONE &&
	    rx->head.seq != rx->scan.seq)
		ws_lower_consume(ctx, &rx->scan);
}

/*
 * Throw away all that has come: the socket will not be read any more.
 * Process context; sleeps.
 */
void ws_rx_end(struct ws_ctx *ctx)
{
	s64 most = READ_ONCE(ctx->sk->sk_rcvbuf);
	struct ws_rx *rx = &ctx->rx;

	WRITE_ONCE(rx->stop, WS_STOP_OVER);
	do {
		u64 at = rx->consumed;

		ws_rx_scan(ctx);
		/* Records can be empty, and never end. */
		most -= rx->consumed - at + SZ_1K;
		cond_resched();
	} while (most > 0 && ws_lower_more(ctx) && !signal_pending(current));
}

/*
 * A peer waits until it can send a full segment, or half of the largest window
 * it has been offered (RFC 9293 section 3.8.6.2.1); the timer that would break
 * the tie starts anew with every ACK. The window that the next ACK offers is
 * the one it has unless a full segment can be added (section 3.8.6.2.2).
 */
static bool window_small(const struct ws_ctx *ctx)
{
	const struct sock *sk = ctx->sk;
	const struct tcp_sock *tp = tcp_sk(sk);
	int rcvbuf = READ_ONCE(sk->sk_rcvbuf);
	u32 window, space;

	if (atomic_read(&sk->sk_rmem_alloc) > rcvbuf - (rcvbuf >> 3))
		return true;
	window = tcp_receive_window(tp);
	space = max(tcp_space(sk), 0);
	if (window + inet_csk(sk)->icsk_ack.rcv_mss <= space)
		window = max(window, min(space, tp->rcv_ssthresh));
	return window < min_t(u32, tp->advmss, tp->rcv_ssthresh / 2);
}

/*
 * Is an incomplete message to be given to the reader? A message that the
 * receive buffer cannot hold whole must be read in pieces, or the peer's window
 * stays closed forever: so pieces it is when the buffer is nearly full, or the
 * window too small for the peer to go on. They are also given beyond
 * ws_rx_credit(), and when the machine or the memory cgroup is short of memory
 * for TCP. Without the lock the answer is a hint.
 */
bool ws_rx_pressed(const struct ws_ctx *ctx)
{
	if (tcp_under_memory_pressure(ctx->sk))
		return true;
	if (ctx->tls)
		return ws_tls_full(ctx);
	/* A program that has chosen a size for its receive buffer has it used. */
	return (READ_ONCE(ctx->rx.payload) > ws_rx_credit(ctx) &&
		!(ctx->sk->sk_userlocks & SOCK_RCVBUF_LOCK)) ||
	       window_small(ctx);
}

/*
 * Can the peer not send because the reader does not read? Looks at this socket
 * alone: at bytes that a reader could have and at the window that they leave.
 */
bool ws_rx_unread(const struct ws_ctx *ctx)
{
	const struct ws_rx *rx = &ctx->rx;

	if (!rx->complete && !rx->payload)
		return false;
	return ctx->tls ? ws_tls_unread(ctx) : window_small(ctx);
}

/*
 * Keep a few unread bytes from shutting the window. See ws_lower_stash(). More
 * than a few are given to the reader in pieces.
 */
void ws_rx_relieve(struct ws_ctx *ctx)
{
	struct ws_rx *rx = &ctx->rx;
	u32 end = ws_lower_end(ctx);

	if (ctx->tls)
		return;
	rx->cramped = false;
	if (rx->complete || rx->stop != WS_STOP_NONE || end == rx->base ||
	    end == rx->head.seq || end - rx->head.seq > WS_STASH_MAX ||
	    !ws_rx_pressed(ctx))
		return;
	if (ws_lower_stash(ctx, end) == -ENOMEM)
		rx->cramped = true;
}
