// SPDX-License-Identifier: GPL-2.0-only
/* Readiness: poll(), SO_RCVLOWAT, FIONREAD. */
#include <linux/poll.h>

#include "ws.h"

/*
 * Does a frame under way, or a sender that sleeps, keep others from sending? A
 * sender may only look so for the moment of its call, and sends no wake-up at
 * its end. So while the socket is owned the answer is yes, and the owner looks
 * again when it releases the lock. Never waits for the owner.
 */
static bool tx_blocked(struct ws_ctx *ctx)
{
	struct ws_tx *tx = &ctx->tx;
	struct sock *sk = ctx->sk;
	bool blocked;

	if (likely(!READ_ONCE(tx->nseg) && !READ_ONCE(tx->busy)))
		return false;
	if (ctx->tls)
		return ws_tls_tx_blocked(ctx);
	spin_lock_bh(&sk->sk_lock.slock);
	blocked = READ_ONCE(tx->nseg) || READ_ONCE(tx->busy);
	if (blocked && sock_owned_by_user_nocheck(sk)) {
		WRITE_ONCE(tx->polled, true);
		WRITE_ONCE(ctx->rx.due, true);
	}
	spin_unlock_bh(&sk->sk_lock.slock);
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
		return ws_slot_of(sock)->lower.ops->poll(file, sock, wait);
	rx = &ctx->rx;
	sock_poll_wait(file, sock, wait);
	if (unlikely(!READ_ONCE(ctx->rx.started)))
		ws_rx_want(ctx);
	mask = EPOLLOUT | EPOLLWRNORM;
	ordinary = is_ordinary(ctx);
	if (unlikely(!ordinary))
		mask = ws_below(ctx)->ops->poll(file, sock, NULL);

	/* TCP says so for any byte; its FIN and its errors stay as they are. */
	readable = ws_rx_readable(ctx) || (ctx->tls && ws_tls_is_late(ctx));
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

/*
 * proto_ops.set_rcvlowat of an attached socket. A message is ready when it is
 * complete, and TCP must go on telling of every byte, whatever the mark.
 */
int ws_set_rcvlowat(struct sock *sk, int val)
{
	return 0;
}

/*
 * SIOCINQ (FIONREAD) of an attached socket. May sleep; takes the socket lock.
 * Return: payload bytes that the next recvmsg() would give.
 */
int ws_ioctl_inq(struct sock *sk)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);
	int len;

	if (unlikely(!ctx))
		return 0;
	ws_lock(ctx);
	ws_rx_start(ctx);
	len = ws_recv_len(ctx);
	ws_tls_tell(ctx);
	ws_unlock(ctx);
	return len;
}

/* proto_ops.peek_len of an attached socket. Return: as ws_ioctl_inq(). */
int ws_peek_len(struct socket *sock)
{
	return ws_ioctl_inq(sock->sk);
}
