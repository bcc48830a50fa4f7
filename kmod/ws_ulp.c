// SPDX-License-Identifier: GPL-2.0-only
/*
 * The upper-layer protocol: attach, the protocol tables, and close.
 *
 * The tables of the socket are replaced by copies with our entries in them.
 * A copy is made once for each pair of tables met below (TCP over IPv4 and
 * over IPv6, each with and without kTLS) and kept until the module goes.
 * Everything below is called through the originals: few of TCP's functions are
 * exported everywhere.
 *
 * Two references keep the module: tcp_set_ulp() takes one that is given back
 * when the TCP socket dies, which may be inside ws_ulp_end(); ours, through
 * the owner of proto_ops, is given back by the socket layer after
 * ops->release() has returned. So no system call is in our code without one;
 * and ws_account_exit() waits for the works that close what lingers. On top of
 * kTLS, which is the ULP then, a third stands in for the first.
 */
#include <linux/module.h>
#include <linux/mutex.h>

#include "ws.h"

/* IPv4 and IPv6, with and without kTLS, and room for as many others. */
#define WS_SLOTS	8

/* Of its own, because kmalloc() would round up to twice the size. */
static struct kmem_cache *ctx_cache;

static DEFINE_MUTEX(slots_mutex);	/* guards slots and nslots */
static struct ws_slot *slots[WS_SLOTS];
static int nslots;

static void ws_close(struct sock *sk, long timeout);
static int ws_disconnect(struct sock *sk, int flags);

struct proto *ws_lower_prot(const struct sock *sk)
{
	return ws_slot_get(sk)->lower.prot;
}

static void fill_slot(struct ws_slot *slot, const struct ws_lower *lower)
{
	slot->lower = *lower;
	/* Its tables must stay where they are. */
	if (lower->tls)
		__module_get(lower->tls->owner);

	slot->prot = *lower->prot;
	slot->prot.close = ws_close;
	slot->prot.disconnect = ws_disconnect;
	slot->prot.sendmsg = ws_sendmsg;
	ws_compat_set_recvmsg(&slot->prot);
	slot->prot.setsockopt = ws_setsockopt;
	slot->prot.getsockopt = ws_getsockopt;
	slot->prot.ioctl = ws_compat_ioctl;
	if (!lower->tls)
		slot->prot.release_cb = ws_ctrl_release_cb;
	slot->prot.splice_eof = ws_splice_eof;
	slot->prot.bpf_bypass_getsockopt = NULL;

	slot->ops = *lower->ops;
	slot->ops.owner = THIS_MODULE;
	slot->ops.poll = ws_poll;
	slot->ops.shutdown = ws_ctrl_shutdown;
	slot->ops.set_rcvlowat = ws_set_rcvlowat;
	slot->ops.peek_len = ws_peek_len;
	/* Ways to TCP's bytes that would pass us by. */
	slot->ops.mmap = sock_no_mmap;
	slot->ops.splice_read = NULL;
	slot->ops.splice_eof = ws_splice_eof;
	/* Some kTLS gets at TCP's queue by it; nobody else calls it. */
	if (!lower->tls)
		slot->ops.read_sock = NULL;
	slot->ops.read_skb = NULL;
	slot->ops.set_peek_off = NULL;
	ws_compat_set_sendpage(&slot->prot, &slot->ops);
}

static struct ws_lower lower_of(const struct sock *sk)
{
	struct ws_lower lower = {
		.prot = sk->sk_prot,
		.ops = sk->sk_socket->ops,
		.data_ready = sk->sk_data_ready,
		.write_space = sk->sk_write_space,
		.state_change = sk->sk_state_change,
		.tls = inet_csk(sk)->icsk_ulp_ops,
	};

	if (lower.tls)
		ws_tls_lower(sk, &lower);
	return lower;
}

static const struct ws_slot *get_slot(const struct ws_lower *lower)
{
	struct ws_slot *slot = NULL;
	int i;

	mutex_lock(&slots_mutex);
	for (i = 0; i < nslots; i++) {
		if (!memcmp(&slots[i]->lower, lower, sizeof(*lower))) {
			slot = slots[i];
			goto out;
		}
	}
	if (nslots == WS_SLOTS)
		goto out;
	slot = kzalloc(sizeof(*slot), GFP_KERNEL);
	if (!slot)
		goto out;
	fill_slot(slot, lower);
	slots[nslots++] = slot;
out:
	mutex_unlock(&slots_mutex);
	return slot;
}

/*
 * SMC has a socket of TCP's below its own, to which it lets options through,
 * and whose sk_user_data is its own. When it has fallen back to TCP, its file
 * leads there.
 */
static bool has_own_file(const struct socket *sock)
{
	const struct file *file = READ_ONCE(sock->file);

	return file && file_inode(file) == SOCK_INODE((struct socket *)sock);
}

static int check_socket(const struct sock *sk)
{
	switch (sk->sk_state) {
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:	/* the peer's FIN may overtake the attach */
		break;
	case TCP_CLOSE:
	case TCP_LISTEN:
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
	case TCP_NEW_SYN_RECV:
		return -ENOTCONN;
	default:
		return -EPIPE;
	}
	if (sk->sk_shutdown & SEND_SHUTDOWN)
		return -EPIPE;
	if (tcp_sk(sk)->repair || !sk->sk_socket)
		return -EINVAL;
	if (!has_own_file(sk->sk_socket))
		return -EOPNOTSUPP;
	/* sockmap, KCM, SMC, a kernel client: somebody else's socket. */
	if (sk->sk_user_data)
		return -EBUSY;
	return 0;
}

static struct ws_ctx *create_ctx(struct sock *sk, const struct ws_lower *lower,
				 const struct ws_config *cfg)
{
	struct ws_ctx *ctx = kmem_cache_zalloc(ctx_cache, GFP_KERNEL_ACCOUNT);

	if (!ctx)
		return NULL;
	if (lower->tls) {
		ctx->tls = ws_tls_create(ctx, sk, lower);
		if (!ctx->tls) {
			kmem_cache_free(ctx_cache, ctx);
			return NULL;
		}
	}
	ctx->sk = sk;
	ctx->mibs = ws_stats_of(sk);
	timer_setup(&ctx->timer, ws_timer_fire, 0);
	ws_config_set(ctx, cfg);
	ctx->rx.base = ctx->tls ? 0 : tcp_sk(sk)->copied_seq;
	ctx->rx.scan.seq = ctx->rx.base;
	ctx->rx.head.seq = ctx->rx.base;
	return ctx;
}

static void free_ctx(struct ws_ctx *ctx)
{
	if (ctx->tls) {
		ws_tls_consume(ctx, ctx->tls->end);
		ws_tls_put(ctx->tls);
	}
	ws_lower_drop_prefix(ctx);
	kmem_cache_free(ctx_cache, ctx);
}

/*
 * Make a TCP socket, plain or with kTLS in both directions, one of ours, with
 * settings that were checked. Process context, socket lock. Return: 0 or a
 * negated errno.
 */
int ws_ulp_attach(struct sock *sk, const struct ws_config *cfg)
{
	const struct ws_slot *slot;
	struct ws_lower lower;
	struct ws_ctx *ctx;
	int err;

	sock_owned_by_me(sk);
	err = check_socket(sk);
	if (err)
		return err;
	lower = lower_of(sk);
	slot = get_slot(&lower);
	if (!slot)
		return -ENOMEM;
	ctx = create_ctx(sk, &slot->lower, cfg);
	if (!ctx)
		return -ENOMEM;

	write_lock_bh(&sk->sk_callback_lock);
	/* sockmap looks at it, and changes them, under this lock only. */
	lower = lower_of(sk);
	if (sk->sk_user_data || memcmp(&lower, &slot->lower, sizeof(lower))) {
		write_unlock_bh(&sk->sk_callback_lock);
		free_ctx(ctx);
		return -EBUSY;
	}
	__module_get(THIS_MODULE);
	__rcu_assign_sk_user_data_with_flags(sk, ctx, SK_USER_DATA_NOCOPY);
	if (ctx->tls) {
		__module_get(THIS_MODULE);
		ws_tls_hook(ctx);
	} else {
		sk->sk_data_ready = ws_rx_data_ready;
	}
	sk->sk_write_space = ws_ctrl_write_space;
	/* After sk_user_data: callers without a lock see the tables last. */
	smp_store_release(&sk->sk_prot, (struct proto *)&slot->prot);
	/* The same for calls that come by the socket's operations. */
	smp_store_release(&sk->sk_socket->ops, &slot->ops);
	write_unlock_bh(&sk->sk_callback_lock);

	/* Urgent bytes are part of the stream; every byte must be told of. */
	sock_set_flag(sk, SOCK_URGINLINE);
	WRITE_ONCE(sk->sk_rcvlowat, 1);
	/* tcp_set_ulp() has said that there is no zero-copy send for io_uring. */
	set_bit(SOCK_SUPPORT_ZC, &sk->sk_socket->flags);
	ws_stats_inc(ctx, WS_MIB_ATTACHED);
	if (ctx->tls)
		ws_stats_inc(ctx, WS_MIB_ATTACHED_TLS);
	ws_stats_inc(ctx, WS_MIB_CURR);
	return 0;
}

static int ws_disconnect(struct sock *sk, int flags)
{
	return -EOPNOTSUPP;
}

/*
 * What was accepted from the application must not be lost because the send
 * buffer is full: let TCP have it and go on in the background, as it does
 * with its own. At most a frame and WS_PONG_MAX PONGs. What there is no memory
 * for the timer tries again, and still finds room for it then.
 */
static void flush_for_close(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;
	int sndbuf = sk->sk_sndbuf;

	ws_ctrl_answer(ctx);
	ws_ctrl_close(ctx, 1001);
	WRITE_ONCE(sk->sk_sndbuf, INT_MAX / 2);
	WRITE_ONCE(tcp_sk(sk)->notsent_lowat, UINT_MAX);
	/* kTLS may still hold the end of a record, for its own close(). */
	if (ws_tx_flush(ctx) != -EAGAIN && !ctx->tls)
		WRITE_ONCE(sk->sk_sndbuf, sndbuf);
}

static void ask_for_rst(const struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;

	/* Not an atomic operation; softirq context sets flags, too. */
	if (ctx->tls)
		lock_sock(sk);
	sock_set_flag(sk, SOCK_LINGER);
	sk->sk_lingertime = 0;
	if (ctx->tls)
		release_sock(sk);
}

static bool asks_for_rst(const struct sock *sk)
{
	return sock_flag(sk, SOCK_LINGER) && !sk->sk_lingertime;
}

/*
 * sk_data_ready between ws_ulp_end() and TCP's close(), which answers bytes that
 * it finds unread by RST: that would overtake the Close.
 */
static void drop_data_ready(struct sock *sk)
{
	tcp_read_done(sk, tcp_inq(sk));
}

/* As TCP's own close(), but what comes until it has the lock is dropped. */
static void close_lower(struct sock *sk, const struct ws_lower *lower,
			long timeout, bool drop)
{
	sock_hold(sk);
	lower->prot->close(sk, timeout);
	if (drop) {
		write_lock_bh(&sk->sk_callback_lock);
		sk->sk_data_ready = lower->data_ready;
		write_unlock_bh(&sk->sk_callback_lock);
	}
	sock_put(sk);
}

/**
 * ws_ulp_end() - give the socket back to TCP and close it
 * @ctx: the socket, which has no file any more or is about to lose it; freed
 * @timeout: for TCP's close()
 *
 * Process context; takes over the socket lock from the caller.
 */
void ws_ulp_end(struct ws_ctx *ctx, long timeout)
{
	const struct ws_lower *lower = ws_below(ctx);
	struct sock *sk = ctx->sk;
	struct ws_tls *tls = ctx->tls;
	bool drop;

	/* The peer must not take the end of a cut frame for an orderly one. */
	if (ctx->tx.cut)
		ask_for_rst(ctx);
	ws_tx_abort(ctx);
	drop = !tls && !asks_for_rst(sk);
	/* Unread bytes would make TCP send RST, which overtakes the Close. */
	if (!asks_for_rst(sk))
		ws_rx_end(ctx);
	ws_linger_stop(ctx);
	if (tls && !asks_for_rst(sk))
		ws_tls_end(ctx);
	if (tls)
		lock_sock(sk);
	write_lock_bh(&sk->sk_callback_lock);
	if (tls)
		ws_tls_unhook(ctx);
	else
		sk->sk_data_ready = drop ? drop_data_ready : lower->data_ready;
	sk->sk_write_space = lower->write_space;
	sk->sk_state_change = lower->state_change;
	WRITE_ONCE(sk->sk_prot, lower->prot);
	rcu_assign_sk_user_data(sk, NULL);
	write_unlock_bh(&sk->sk_callback_lock);
	if (tls)
		release_sock(sk);
	ws_unlock(ctx);

	/* All that arms the timer or queues the work is gone, but these two. */
	sk_stop_timer_sync(sk, &ctx->timer);
	if (tls) {
		cancel_work_sync(&tls->work);
		sk_stop_timer_sync(sk, &ctx->timer);
	}
	free_ctx(ctx);
	close_lower(sk, lower, timeout, drop);
	/* The owner of our ops is put for us; this one was its predecessor. */
	module_put(lower->ops->owner);
	if (tls)
		module_put(THIS_MODULE);
}

/* The work may end it while the lock is let go. */
static void detach(struct ws_ctx *ctx)
{
	struct ws_tls *tls = ctx->tls;
	struct sock *sk = ctx->sk;

	if (tls) {
		refcount_inc(&tls->ref);
		ws_linger_detach(ctx);
		mutex_unlock(&tls->lock);
		ws_tls_put(tls);
		return;
	}
	sock_hold(sk);
	ws_linger_detach(ctx);
	release_sock(sk);
	sock_put(sk);
}

/*
 * Another user of the kernel has put its own sk_user_data in place of ours: the
 * context cannot be found any more. What it holds stays, and the module with it.
 */
static void close_lost(struct sock *sk, long timeout)
{
	const struct ws_slot *slot = ws_slot_get(sk);

	__module_get(THIS_MODULE);
	lock_sock(sk);
	WRITE_ONCE(sk->sk_prot, slot->lower.prot);
	release_sock(sk);
	slot->lower.prot->close(sk, timeout);
}

static void ws_close(struct sock *sk, long timeout)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (unlikely(!ctx)) {
		close_lost(sk, timeout);
		return;
	}
	ws_lock(ctx);
	ws_stats_add(ctx, WS_MIB_CURR, -1);
	if (!asks_for_rst(sk)) {
		ws_rx_start(ctx);
		ws_rx_scan_all(ctx);
		flush_for_close(ctx);
	}
	if (!asks_for_rst(sk) && ws_linger_start(ctx)) {
		if (timeout)
			timeout = ws_linger_wait(ctx, timeout);
		if (!ws_linger_over(ctx)) {
			detach(ctx);
			return;
		}
	}
	ws_ulp_end(ctx, timeout);
}

int __init ws_ulp_init(void)
{
	ctx_cache = KMEM_CACHE(ws_ctx, SLAB_ACCOUNT);
	return ctx_cache ? 0 : -ENOMEM;
}

/* Not __exit: also run when loading fails half-way. */
void ws_ulp_exit(void)
{
	kmem_cache_destroy(ctx_cache);
	while (nslots) {
		const struct ws_slot *slot = slots[--nslots];

		if (slot->lower.tls)
			module_put(slot->lower.tls->owner);
		kfree(slot);
	}
}
