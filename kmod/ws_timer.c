// SPDX-License-Identifier: GPL-2.0-only
/*
 * Time: keepalive, and the limits on messages and on the closing handshake.
 *
 * Each socket has a timer, as TCP has for keepalive. Nothing is armed anew when
 * bytes come: the timer fires when the earliest limit can have passed, and
 * ws_ctrl_run() then looks at the times that TCP and the scanner noted and arms
 * it for what remains. A socket that asked for no limit has it idle. All of it
 * needs the socket lock, in any context; times are tcp_jiffies32.
 */
#include <linux/random.h>

#include "ws.h"

/*
 * Have ws_ctrl_run() look at a socket after @delay jiffies, or sooner. On kTLS
 * any context that keeps the context.
 */
void ws_timer_by(struct ws_ctx *ctx, u32 delay)
{
	unsigned long at = jiffies + delay;

	if (timer_pending(&ctx->timer) &&
	    time_before_eq(READ_ONCE(ctx->timer.expires), at))
		return;
	sk_reset_timer(ctx->sk, &ctx->timer, at);
}

/*
 * Softirq context. The timer has a reference on the socket, but the context can
 * have left it; then its memory is still there, as ws_timer_stop() waits.
 */
void ws_timer_fire(struct timer_list *timer)
{
	struct ws_ctx *ctx = container_of(timer, struct ws_ctx, timer);
	struct sock *sk = ctx->sk;

	bh_lock_sock(sk);
	if (ws_ctx_get(sk) == ctx) {
		if (ctx->tls)
			ws_tls_late(ctx);
		ws_ctrl_now(ctx);
	}
	bh_unlock_sock(sk);
	sock_put(sk);
}

static u32 jiffies_of(u32 ms)
{
	return max_t(u32, msecs_to_jiffies(ms), 1);
}

/* What is left of @limit milliseconds from @since on: jiffies, 0 when over. */
u32 ws_timer_left(u32 since, u32 limit)
{
	u32 gone = tcp_jiffies32 - since;

	limit = jiffies_of(limit);
	return gone < limit ? limit - gone : 0;
}

/* Milliseconds of silence until the next PING. */
static u32 ping_interval(const struct ws_ctx *ctx)
{
	u32 ms = ctx->cfg.ping_interval;

	return ms - ((u64)(ms / 8) * ctx->time.jitter >> 8);
}

/* A PING or Close is wanted: the peer's time to answer it begins. */
static void ask(struct ws_ctx *ctx)
{
	const struct tcp_sock *tp = tcp_sk(ctx->sk);
	struct ws_time *time = &ctx->time;

	time->asked = tcp_jiffies32;
	time->una = tp->snd_una;
	time->behind = tp->snd_una != tp->write_seq || ctx->tx.nseg;
}

/*
 * No answer came in time. But while the question waits behind data that the
 * peer takes, however slowly, the time to answer it has not begun; and a peer
 * whose window the reader keeps shut cannot answer. Return: false when it is
 * too late.
 */
static bool answer_may_come(struct ws_ctx *ctx)
{
	const struct tcp_sock *tp = tcp_sk(ctx->sk);
	struct ws_time *time = &ctx->time;
	bool moved = tp->snd_una != time->una;

	time->una = tp->snd_una;
	if (ws_rx_unread(ctx))
		return true;
	if (time->ping == WS_PING_WANTED ||
	    ctx->tx.close == WS_CLOSE_WANTED ||
	    before(tp->snd_una, time->end)) {
		time->behind = moved;
		return moved;
	}
	if (!time->behind)
		return false;
	time->behind = false;
	return true;
}

/* Return: jiffies until the next look, 0 when the answer is overdue. */
static u32 answer(struct ws_ctx *ctx, u32 limit)
{
	struct ws_time *time = &ctx->time;
	u32 left = ws_timer_left(time->asked, limit);

	if (!left && answer_may_come(ctx)) {
		time->asked = tcp_jiffies32;
		left = jiffies_of(limit);
	}
	return left;
}

/* TCP's note may be so old that it looks like one of the future. */
static u32 last_heard(struct ws_ctx *ctx)
{
	u32 heard = inet_csk(ctx->sk)->icsk_ack.lrcvtime;
	struct ws_time *time = &ctx->time;

	if (!before(heard, time->base) && !after(heard, tcp_jiffies32))
		time->base = heard;
	return time->base;
}

/* Return: jiffies until the next look, 0 when the peer is dead. */
static u32 keep_alive(struct ws_ctx *ctx)
{
	u32 heard = last_heard(ctx), left, ms = ctx->cfg.ping_interval;
	struct ws_time *time = &ctx->time;

	if (time->ping != WS_PING_NONE && !before(heard, time->asked))
		time->ping = WS_PING_NONE;
	if (time->ping == WS_PING_NONE) {
		left = ws_timer_left(heard, ping_interval(ctx));
		/* By the time of an answer alone: not worth coming back for. */
		if (left > HZ / 50 || (left && ws_timer_left(heard, ms - ms / 8)))
			return left;
		ask(ctx);
		time->ping = WS_PING_WANTED;
		time->jitter = get_random_u32();
	}
	left = answer(ctx, ctx->cfg.ping_timeout);
	/* Sooner, for an answer makes the next PING due. */
	return min(left, jiffies_of(ping_interval(ctx)));
}

/* Return: jiffies until the next look, 0 when the message took too long. */
static u32 assembly(struct ws_ctx *ctx)
{
	u32 left = ws_timer_left(ctx->rx.opened, ctx->cfg.assembly_timeout);

	if (!left && ws_rx_unread(ctx)) {
		ctx->rx.opened = tcp_jiffies32;
		left = jiffies_of(ctx->cfg.assembly_timeout);
	}
	return left;
}

static enum ws_rule expired(struct ws_ctx *ctx, enum ws_rule rule)
{
	ctx->rx.state |= WS_STATE_FAILED;
	ctx->rx.rule = rule;
	ws_stats_inc(ctx, WS_MIB_ERR + rule - 1);
	return rule;
}

/**
 * ws_timer_run() - look at what time it is
 * @ctx: the socket
 * @next: lowered to the number of jiffies after which to look again
 *
 * May ask for a PING, which goes out with the next ws_tx_flush(), and end the
 * received stream with WS_RULE_ASSEMBLY_TIMEOUT.
 *
 * Return: WS_RULE_NONE, or the limit for which the caller must end TCP.
 */
enum ws_rule ws_timer_run(struct ws_ctx *ctx, u32 *next)
{
	const struct ws_settings *cfg = &ctx->cfg;
	struct ws_rx *rx = &ctx->rx;
	u32 left;

	ws_owned_by_me(ctx);
	if (ctx->rx.lingers) {
		*next = ws_linger_left(ctx) ?: WS_TIME_NEVER;
		return WS_RULE_NONE;
	}
	if (ws_rx_parked(ctx)) {
		if (tcp_under_memory_pressure(ctx->sk))
			ws_rx_wake(ctx);
		*next = WS_PRESSURE_TIME;
	}
	if (!ctx->rx.started || rx->stop != WS_STOP_NONE || ws_lower_done(ctx) ||
	    ctx->sk->sk_state == TCP_CLOSE)
		return WS_RULE_NONE;
	/* For the program to take; the connection may live on. */
	if (ctx->sk->sk_err) {
		*next = HZ;
		return WS_RULE_NONE;
	}

	if (ctx->tx.close != WS_CLOSE_NONE) {
		left = answer(ctx, cfg->close_timeout);
		if (!left)
			return expired(ctx, WS_RULE_CLOSE_TIMEOUT);
		*next = min(*next, left);
		return WS_RULE_NONE;
	}
	if (cfg->ping_interval) {
		left = keep_alive(ctx);
		if (!left)
			return expired(ctx, WS_RULE_PING_TIMEOUT);
		*next = min(*next, left);
	}
	if (cfg->assembly_timeout && rx->open) {
		left = assembly(ctx);
		if (left) {
			*next = min(*next, left);
		} else {
			ws_rx_fault(ctx, WS_RULE_ASSEMBLY_TIMEOUT);
			ws_rx_wake(ctx);
		}
	} else if (cfg->assembly_timeout && *next != WS_TIME_NEVER) {
		/* A message that begins meanwhile must not wait for a PING. */
		*next = min(*next, jiffies_of(cfg->assembly_timeout));
	}
	return WS_RULE_NONE;
}

/*
 * Reading has opened a window that was shut. What the peer owes, it can only
 * send from now on.
 */
void ws_timer_excuse(struct ws_ctx *ctx)
{
	ctx->time.base = tcp_jiffies32;
	ctx->time.asked = tcp_jiffies32;
	ctx->rx.opened = tcp_jiffies32;
}

/* A message has begun and is not complete. */
void ws_timer_opened(struct ws_ctx *ctx)
{
	ctx->rx.open = true;
	ctx->rx.opened = tcp_jiffies32;
	if (ctx->cfg.assembly_timeout && !ctx->rx.lingers)
		ws_timer_by(ctx, jiffies_of(ctx->cfg.assembly_timeout));
}

/* Our Close will be sent, and must be answered; it is not yet in the queue. */
void ws_timer_closing(struct ws_ctx *ctx)
{
	ask(ctx);
	ws_ctrl_now(ctx);
}

/* Times in WS_CONFIG begin, or begin anew. The caller has ws_ctrl_run() look. */
void ws_timer_start(struct ws_ctx *ctx)
{
	ctx->time.base = tcp_jiffies32;
	ctx->rx.opened = tcp_jiffies32;
	ctx->time.ping = WS_PING_NONE;
	ask(ctx);
	ctx->time.jitter = get_random_u32();
}
