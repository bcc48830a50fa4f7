// SPDX-License-Identifier: GPL-2.0-only
/* Readiness: poll(), SO_RCVLOWAT, FIONREAD. */
#include <linux/poll.h>

#include "ws.h"

/*
 * Is somebody's frame in the way? Who sends just now may look so for a moment,
 * and tells nobody when it is over; so this asks under the lock. Whoever is in
 * the way for longer calls ws_tx_wake() at the end.
 */
static bool tx_blocked(struct ws_ctx *ctx)
{
	struct ws_tx *tx = &ctx->tx;
	bool blocked;

	if (likely(!READ_ONCE(tx->nseg) && !READ_ONCE(tx->busy)))
		return false;
	ws_lock(ctx);
	blocked = tx->nseg || tx->busy;
	ws_unlock(ctx);
	return blocked;
}

/*
 * Is this a socket of which TCP has only to say that there is room? As
 * tcp_poll() finds it; what it says of readers does not matter.
 */
static bool is_ordinary(const struct ws_ctx *ctx)
{
	const struct sock *sk = ctx->sk;

	if (ctx->tls || inet_sk_state_load(sk) != TCP_ESTABLISHED ||
	    READ_ONCE(sk->sk_shutdown) || READ_ONCE(tcp_sk(sk)->urg_data) ||
	    !__sk_stream_is_writeable(sk, 1))
		return false;
	/* As in tcp_poll(): errors are set before the state. */
	smp_rmb();
	return !READ_ONCE(sk->sk_err) &&
	       skb_queue_empty_lockless(&sk->sk_error_queue);
}

/**
 * ws_poll() - proto_ops.poll of an attached socket
 * @file: as for proto_ops.poll
 * @sock: the socket
 * @wait: as for proto_ops.poll
 *
 * EPOLLIN when recvmsg() would return something, EPOLLOUT when sendmsg()
 * could take something. Sleeps only for the socket lock: the first time, and
 * when somebody is sending.
 *
 * Return: EPOLL* bits.
 */
__poll_t ws_poll(struct file *file, struct socket *sock,
		 struct poll_table_struct *wait)
{
	struct sock *sk = sock->sk;
	struct ws_ctx *ctx = ws_ctx_get(sk);
	const struct ws_rx *rx = &ctx->rx;
	bool readable, ordinary;
	__poll_t mask;

	if (unlikely(!READ_ONCE(rx->started))) {
		ws_lock(ctx);
		ws_rx_start(ctx);
		ws_unlock(ctx);
	}
	sock_poll_wait(file, sock, wait);
	mask = EPOLLOUT | EPOLLWRNORM;
	ordinary = is_ordinary(ctx);
	if (unlikely(!ordinary))
		mask = ctx->slot->lower.ops->poll(file, sock, NULL);

	/* TCP says so for any byte; its FIN and its errors stay as they are. */
	readable = ws_rx_readable(ctx);
	if (readable)
		mask |= EPOLLIN | EPOLLRDNORM;
	else if (!ordinary && !(READ_ONCE(sk->sk_shutdown) & RCV_SHUTDOWN))
		mask &= ~(EPOLLIN | EPOLLRDNORM);
	/* TLS can end when TCP has not. */
	if (!ordinary && ctx->tls && ws_lower_done(ctx))
		mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
	if (READ_ONCE(rx->stop) != WS_STOP_NONE && !READ_ONCE(rx->complete))
		mask |= EPOLLRDHUP;

	if (mask & EPOLLOUT && tx_blocked(ctx))
		mask &= ~(EPOLLOUT | EPOLLWRNORM);
	return mask;
}

/**
 * ws_set_rcvlowat() - proto_ops.set_rcvlowat of an attached socket
 * @sk: the socket
 * @val: ignored: a message is ready when it is complete
 *
 * TCP must go on telling of every byte, whatever the mark.
 */
int ws_set_rcvlowat(struct sock *sk, int val)
{
	return 0;
}

/**
 * ws_ioctl_inq() - SIOCINQ (FIONREAD) of an attached socket
 * @sk: the socket
 *
 * May sleep; takes the socket lock.
 *
 * Return: payload bytes that the next recvmsg() would give.
 */
int ws_ioctl_inq(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);
	int len;

	ws_lock(ctx);
	ws_rx_start(ctx);
	len = ws_recv_len(ctx);
	ws_tls_tell(ctx);
	ws_unlock(ctx);
	return len;
}

/**
 * ws_peek_len() - proto_ops.peek_len of an attached socket
 * @sock: the socket
 *
 * Return: as ws_ioctl_inq().
 */
int ws_peek_len(struct socket *sock)
{
	return ws_ioctl_inq(sock->sk);
}
