// SPDX-License-Identifier: GPL-2.0-only
/*
 * What happens without the application: PONGs, the closing handshake, and the
 * work that sends what softirq context found out.
 */
#include <linux/module.h>

#include "ws.h"

/**
 * ws_ctrl_pong_done() - forget the oldest PONG that waits
 * @tx: the sending direction, which has one
 */
void ws_ctrl_pong_done(struct ws_tx *tx)
{
	struct ws_pong *pong = tx->pong->next;

	if (pong == tx->pong)
		tx->pong = NULL;
	else
		tx->pong->next = pong->next;
	tx->npong--;
	kfree(pong);
}

/**
 * ws_ctrl_ping() - remember to answer a PING, RFC 6455 section 5.5.2
 * @ctx: the socket
 * @p: its payload, unmasked
 * @len: at most WS_CTRL_MAX
 *
 * At most WS_PONG_MAX answers wait; the oldest gives way, as section 5.5.3
 * allows. Any context that has the socket lock.
 */
void ws_ctrl_ping(struct ws_ctx *ctx, const u8 *p, u8 len)
{
	struct ws_tx *tx = &ctx->tx;
	struct ws_pong *pong;

	if (tx->close != WS_CLOSE_NONE)
		return;
	pong = kmalloc(struct_size(pong, data, len),
		       GFP_ATOMIC | __GFP_NOWARN | __GFP_ACCOUNT);
	if (!pong) {
		ws_stats_inc(ctx, WS_MIB_NO_MEMORY);
		ws_stats_inc(ctx, WS_MIB_PONG_DROPPED);
		return;
	}
	pong->len = len;
	memcpy(pong->data, p, len);
	pong->next = tx->pong ? tx->pong->next : pong;
	if (tx->pong)
		tx->pong->next = pong;
	tx->pong = pong;
	if (++tx->npong <= WS_PONG_MAX)
		return;
	ws_ctrl_pong_done(tx);
	ws_stats_inc(ctx, WS_MIB_PONG_DROPPED);
}

/**
 * ws_ctrl_close() - start or answer the closing handshake, section 7.1.2
 * @ctx: the socket
 * @code: status code; 1005 for a Close without one, 1006 for none at all
 *
 * Only the first call has an effect. No data frame follows. The Close goes
 * out with the next ws_tx_flush(). Any context that has the socket lock.
 */
void ws_ctrl_close(struct ws_ctx *ctx, u16 code)
{
	struct ws_tx *tx = &ctx->tx;

	if (tx->close != WS_CLOSE_NONE)
		return;
	if (code == 1006) {
		tx->close = WS_CLOSE_SENT;
		return;
	}
	tx->close = WS_CLOSE_WANTED;
	tx->close_code = code;
	ctx->info.state |= WS_STATE_CLOSE_SENT;
	ctx->time.ping = WS_PING_NONE;
}

/**
 * ws_ctrl_answer() - answer the peer's Close or fault if it is next, or was read
 * @ctx: the socket
 *
 * Does nothing after another Close of ours, as ws_ctrl_close(). Any context
 * that has the socket lock.
 */
void ws_ctrl_answer(struct ws_ctx *ctx)
{
	const struct ws_rx *rx = &ctx->rx;

	if ((rx->stop == WS_STOP_CLOSE && !rx->complete) ||
	    ctx->info.state & WS_STATE_CLOSE_RECEIVED)
		ws_ctrl_close(ctx, rx->close_code);
	else if (ctx->info.state & WS_STATE_FAILED)
		ws_ctrl_close(ctx, ws_rule_code(ctx->info.rule));
	else if (rx->stop == WS_STOP_FAULT && !rx->complete)
		ws_ctrl_close(ctx, ws_rule_code(rx->rule));
}

/**
 * ws_ctrl_fin() - end TCP's sending direction once the Close is out
 * @ctx: the socket
 *
 * The server ends TCP when both have sent a Close, either side when the other
 * broke a rule (section 7.1.1). Any context that has the socket lock.
 */
void ws_ctrl_fin(struct ws_ctx *ctx)
{
	if (ctx->tx.fin == WS_FIN_NONE)
		ctx->tx.fin = WS_FIN_WANTED;
}

/**
 * ws_ctrl_free() - forget the PONGs that wait
 * @ctx: the socket
 */
void ws_ctrl_free(struct ws_ctx *ctx)
{
	while (ctx->tx.pong)
		ws_ctrl_pong_done(&ctx->tx);
}

/**
 * ws_ctrl_pending() - is there anything for ws_ctrl_run() to do?
 * @ctx: the socket
 *
 * Without the lock the answer is a hint.
 */
bool ws_ctrl_pending(const struct ws_ctx *ctx)
{
	const struct ws_tx *tx = &ctx->tx;

	return READ_ONCE(ctx->rx.cramped) || READ_ONCE(tx->nseg) ||
	       READ_ONCE(tx->npong) ||
	       READ_ONCE(ctx->time.ping) == WS_PING_WANTED ||
	       READ_ONCE(tx->close) == WS_CLOSE_WANTED ||
	       (READ_ONCE(tx->fin) == WS_FIN_WANTED &&
		READ_ONCE(tx->close) == WS_CLOSE_SENT);
}

/**
 * ws_ctrl_kick() - have ws_ctrl_run() look if there is anything to send
 * @ctx: the socket
 *
 * Any context that has the socket lock, or sk_callback_lock as a reader.
 */
void ws_ctrl_kick(struct ws_ctx *ctx)
{
	if (unlikely(ws_ctrl_pending(ctx)))
		ws_sched_now(ctx);
}

/*
 * An owner can hold the lock for long, over a fault of its memory, and so can
 * who has been in a call of kTLS since before the attach. ws_lock() for who will
 * not wait.
 */
static bool try_lock(struct ws_ctx *ctx)
{
	struct sock *sk = ctx->sk;
	bool got;

	if (ctx->tls && !mutex_trylock(&ctx->tls->lock))
		return false;
	spin_lock_bh(&sk->sk_lock.slock);
	got = !sock_owned_by_user_nocheck(sk);
	if (got && !ctx->tls) {
		mutex_acquire(&sk->sk_lock.dep_map, 0, 1, _RET_IP_);
		sk->sk_lock.owned = 1;
	}
	spin_unlock_bh(&sk->sk_lock.slock);
	if (ctx->tls && (!got || ws_tls_sending(ctx))) {
		mutex_unlock(&ctx->tls->lock);
		return false;
	}
	return got;
}

/* Who holds a socket's lock is not waited for, but looked after so often. */
#define LOCKED_AGAIN	max(HZ / 50, 1)

/**
 * struct reset - a connection that is to be ended
 * @work: does it
 * @sk: TCP's socket, with a reference
 * @prot: its protocol without us
 *
 * Also has a reference on the module.
 */
struct reset {
	struct delayed_work work;
	struct sock *sk;
	const struct proto *prot;
};

static void reset_work(struct work_struct *work)
{
	struct reset *reset = container_of(to_delayed_work(work),
					   struct reset, work);

	/* data_race(): a hint; who has it at the next moment is waited for. */
	if (data_race(sock_owned_by_user_nocheck(reset->sk))) {
		ws_sched_sleeper(&reset->work, LOCKED_AGAIN);
		return;
	}
	/* As sock_diag does it: RST, and the error to the reader. */
	reset->prot->diag_destroy(reset->sk, ETIMEDOUT);
	sock_put(reset->sk);
	kfree(reset);
	/* ws_sched_exit() waits for us to return. */
	module_put(THIS_MODULE);
}

/*
 * TCP takes the socket lock for it; so a work does it, once. Return: jiffies
 * until the next look.
 */
static u32 give_up(struct ws_ctx *ctx)
{
	struct reset *reset;

	if (ctx->time.dead == WS_DEAD_RESET)
		return WS_TIME_NEVER;
	ctx->time.dead = WS_DEAD;
	reset = kmalloc(sizeof(*reset), GFP_KERNEL | __GFP_NOWARN);
	if (!reset)
		return HZ / 10;
	ctx->time.dead = WS_DEAD_RESET;
	INIT_DELAYED_WORK(&reset->work, reset_work);
	reset->sk = ctx->sk;
	reset->prot = ctx->slot->lower.prot;
	sock_hold(ctx->sk);
	__module_get(THIS_MODULE);
	ws_sched_sleeper(&reset->work, 0);
	return WS_TIME_NEVER;
}

/*
 * With the socket lock. What was asked for until now is done here; what is
 * asked for from here on makes the socket due again, whatever it was due for.
 */
static void run_locked(struct ws_ctx *ctx, u32 next)
{
	bool owed = ws_tx_owes(ctx);

	if (next != WS_TIME_NEVER)
		ws_sched_at(ctx, next);
	if (ctx->tls)
		ws_tls_pull(ctx);
	if (ctx->rx.cramped)
		ws_rx_relieve(ctx);
	/* When it is memory that lacks, not room, no ACK will call us. */
	if ((ws_tx_flush(ctx) == -EAGAIN && sk_stream_memory_free(ctx->sk)) ||
	    ctx->rx.cramped)
		ws_sched_by(ctx, HZ / 10);
	/* It may have lingered for nothing else. */
	if (ctx->time.lingers && owed && !ws_tx_owes(ctx))
		ctx->sk->sk_state_change(ctx->sk);
}

/**
 * ws_ctrl_run() - do what no system call will: send, find memory, give up
 * @ctx: the socket
 *
 * Process context, from ws_sched.c only, and for one socket at a time only
 * once. Waits for memory at most, unless kTLS is below. ws_ulp.c stops it
 * before the context goes; the context of a socket without a file goes here.
 */
void ws_ctrl_run(struct ws_ctx *ctx)
{
	u32 next = WS_TIME_NEVER;

	if (!try_lock(ctx)) {
		ws_sched_at(ctx, LOCKED_AGAIN);
		return;
	}
	ws_rx_scan_rest(ctx);
	if (ws_linger_detached(ctx)) {
		next = ws_linger_left(ctx);
		if (!next) {
			ws_ulp_end(ctx, 0);
			return;
		}
	} else if (ctx->time.dead || ws_timer_run(ctx, &next)) {
		next = give_up(ctx);
	}
	run_locked(ctx, next);
	ws_unlock(ctx);
}

/**
 * ws_ctrl_write_space() - sk_write_space of an attached socket
 * @sk: the socket
 *
 * Any context; not always with the socket lock. sk_callback_lock keeps the
 * context, and the socket from being due once ws_close() has stopped it.
 */
void ws_ctrl_write_space(struct sock *sk)
{
	void (*write_space)(struct sock *sk) = NULL;
	struct ws_ctx *ctx;

	read_lock_bh(&sk->sk_callback_lock);
	ctx = ws_ctx_get(sk);
	if (ctx) {
		write_space = ctx->slot->lower.write_space;
		ws_ctrl_kick(ctx);
	}
	read_unlock_bh(&sk->sk_callback_lock);
	if (write_space)
		write_space(sk);
}

/**
 * ws_ctrl_shutdown() - proto_ops.shutdown of an attached socket
 * @sock: the socket
 * @how: SHUT_RD, SHUT_WR or SHUT_RDWR
 *
 * SHUT_WR sends Close 1000 and leaves TCP open for the peer's answer; FIN
 * follows that (RFC 6455 section 7.1.1). SHUT_RDWR ends TCP as well.
 *
 * Return: 0 or a negated errno.
 */
int ws_ctrl_shutdown(struct socket *sock, int how)
{
	struct sock *sk = sock->sk;
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	if (how == SHUT_RD)
		return ctx->slot->lower.ops->shutdown(sock, how);

	ws_lock(ctx);
	if (sk->sk_state == TCP_CLOSE) {
		ws_unlock(ctx);
		return ctx->slot->lower.ops->shutdown(sock, how);
	}
	ws_rx_start(ctx);
	ws_rx_scan_rest(ctx);
	if (ctx->tx.close == WS_CLOSE_NONE)
		ws_timer_closing(ctx);
	ws_ctrl_answer(ctx);
	ws_ctrl_close(ctx, 1000);
	if (how == SHUT_RDWR)
		ws_ctrl_fin(ctx);
	ws_tx_flush(ctx);
	ws_ctrl_kick(ctx);
	/* Sleepers in sendmsg() and poll() look again. */
	sk->sk_state_change(sk);
	ws_unlock(ctx);
	return how == SHUT_WR ? 0 : ctx->slot->lower.ops->shutdown(sock,
								   SHUT_RD);
}
