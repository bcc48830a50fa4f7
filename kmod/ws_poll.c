// SPDX-License-Identifier: GPL-2.0-only
/* Readiness: poll(), SO_RCVLOWAT, FIONREAD. */
#include <linux/poll.h>

#include "ws_event.h"
#include "ws_rx.h"
#include "ws_sys.h"

/*
 * proto_ops.poll of an attached socket. EPOLLIN when recvmsg() would return
 * something, EPOLLOUT when sendmsg() could take something. Does not wait for
 * the socket lock. Return: EPOLL* bits.
 */
__poll_t ws_poll(struct file *file, struct socket *sock,
		 struct poll_table_struct *wait)
{
	struct sock *sk = sock->sk;
	struct ws_ctx *ctx = ws_ctx_get(sk);
	const struct ws_rx *rx;
	bool readable, ordinary;
	__poll_t mask;

	/* The order of attach: the tables may be seen before sk_user_data. */
	if (unlikely(!ctx))
		return ws_slot_of(sock)->saved.ops->poll(file, sock, wait);
	rx = &ctx->rx;
	sock_poll_wait(file, sock, wait);
	if (unlikely(!READ_ONCE(ctx->rx.started)))
		ws_event_want(ctx);
	mask = EPOLLOUT | EPOLLWRNORM;
	ordinary = ws_below_only_writable(ctx);
	if (unlikely(!ordinary))
		mask = ws_saved_of(ctx)->ops->poll(file, sock, NULL);

	/* TCP says so for any byte; its FIN and its errors stay as they are. */
	readable = ws_rx_readable(ctx) || ws_tls_is_late(ctx);
	if (readable)
		mask |= EPOLLIN | EPOLLRDNORM;
	else if (!ordinary && !(READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN))
		mask &= ~(EPOLLIN | EPOLLRDNORM);
	/* TLS can end when TCP has not. */
	if (!ordinary && ctx->tls && ws_below_over(ctx))
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (READ_ONCE(rx->stop) != WS_STOP_NONE && !READ_ONCE(rx->complete))
		mask |= EPOLLRDHUP;

	if (mask & EPOLLOUT &&
	    unlikely(READ_ONCE(ctx->tx.nseg) || READ_ONCE(ctx->tx.busy)) &&
	    ws_below_tx_blocked(ctx))
		mask &= ~(EPOLLOUT | EPOLLWRNORM);
	return mask;
}

/*
 * proto_ops.set_rcvlowat of an attached socket. A message is ready when it is
 * complete, and TCP must go on telling of every byte, whatever the mark.
 */
int ws_set_rcvlowat(struct sock *sk, int val)
{
	return 0;
}

/*
 * SIOCINQ (FIONREAD) of an attached socket. May sleep; takes the lock of the
 * context.
 * Return: payload bytes that the next recvmsg() would give.
 */
int ws_ioctl_inq(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);
	int len;

	if (unlikely(!ctx))
		return 0;
	ws_lock(ctx);
	ws_event_start_parser(ctx);
	len = ws_recv_len(ctx);
	ws_event_wake_others(ctx);
	ws_unlock(ctx);
	return len;
}

/* proto_ops.peek_len of an attached socket. Return: as ws_ioctl_inq(). */
int ws_peek_len(struct socket *sock)
{
	return ws_ioctl_inq(sock->sk);
}
