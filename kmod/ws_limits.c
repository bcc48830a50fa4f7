// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keepalive, and the limits on messages, on the closing handshake and on
 * lingering: which has passed, and when the next one can pass. All of it needs
 * the lock of the context, in any context; times are tcp_jiffies32.
 */
#include <linux/random.h>
#include <net/tcp.h>

#include "ws_limits.h"
#include "ws_rx.h"
#include "ws_stats.h"
#include "ws_timer.h"

/*
 * Milliseconds that a socket lingers at most, whatever
 * ws_config::close_timeout.
 */
#define LINGER_TIME	60000

/* Milliseconds of silence until the next PING. */
static u32 ping_interval(const struct ws_ctx *ctx)
{
	u32 ms = ctx->cfg.ping_interval;

	return ms - ((u64)(ms / 8) * ctx->time.jitter >> 8);
}

/*
 * A PING or Close is wanted: the peer's time to answer it begins, but not
 * before what precedes it was acknowledged; @behind if that includes a frame
 * under way.
 */
static void start_waiting(struct ws_ctx *ctx, bool behind)
{
	const struct tcp_sock *tp = tcp_sk(ctx->sk);
	struct ws_time *time = &ctx->time;

	time->asked = tcp_jiffies32;
	time->una = tp->snd_una;
	time->behind = tp->snd_una != tp->write_seq || behind;
}

/*
 * No answer came in time. The time to answer has not begun while our PING or
 * Close waits behind data that the peer still acknowledges, and a peer whose
 * window is closed because the program does not read cannot answer. Return:
 * false when it is too late.
 */
static bool answer_may_come(struct ws_ctx *ctx)
{
	const struct tcp_sock *tp = tcp_sk(ctx->sk);
	struct ws_time *time = &ctx->time;
	bool moved = tp->snd_una != time->una;

	time->una = tp->snd_una;
	if (ws_rx_stalls_peer(ctx))
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

/* Return: jiffies until the next check, 0 when the answer is overdue. */
static u32 check_answer(struct ws_ctx *ctx, u32 limit)
{
	struct ws_time *time = &ctx->time;
	u32 left = ws_timer_left(time->asked, limit);

	if (!left && answer_may_come(ctx)) {
		time->asked = tcp_jiffies32;
		left = ws_timer_jiffies(limit);
	}
	return left;
}

/* TCP's time of the last arrival may be so old that the clock has wrapped. */
static u32 last_heard(struct ws_ctx *ctx)
{
	u32 heard = inet_csk(ctx->sk)->icsk_ack.lrcvtime;
	struct ws_time *time = &ctx->time;

	if (!before(heard, time->base) && !after(heard, tcp_jiffies32))
		time->base = heard;
	return time->base;
}

/* Return: jiffies until the next check, 0 when the peer is dead. */
static u32 keep_alive(struct ws_ctx *ctx)
{
	u32 heard = last_heard(ctx), left, ms = ctx->cfg.ping_interval;
	struct ws_time *time = &ctx->time;

	if (time->ping != WS_PING_NONE && !before(heard, time->asked))
		time->ping = WS_PING_NONE;
	if (time->ping == WS_PING_NONE) {
		left = ws_timer_left(heard, ping_interval(ctx));
		/*
		 * Due within 20 ms: send now. What was heard last was an
		 * answer, and to wait costs a second wake-up per PING.
		 */
		if (left > HZ / 50 || (left && ws_timer_left(heard, ms - ms / 8)))
			return left;
		start_waiting(ctx, ctx->tx.nseg);
		time->ping = WS_PING_WANTED;
		time->jitter = get_random_u32();
	}
	left = check_answer(ctx, ctx->cfg.ping_timeout);
	/* Sooner, for an answer makes the next PING due. */
	return min(left, ws_timer_jiffies(ping_interval(ctx)));
}

/* Return: jiffies until the next check, 0 when the message took too long. */
static u32 check_assembly(struct ws_ctx *ctx)
{
	u32 left = ws_timer_left(ctx->rx.opened, ctx->cfg.assembly_timeout);

	if (!left && ws_rx_stalls_peer(ctx)) {
		ctx->rx.opened = tcp_jiffies32;
		left = ws_timer_jiffies(ctx->cfg.assembly_timeout);
	}
	return left;
}

static enum ws_rule set_expired(struct ws_ctx *ctx, enum ws_rule rule)
{
	ctx->rx.state |= WS_STATE_FAILED;
	ctx->rx.rule = rule;
	ws_stats_inc(ctx, WS_MIB_ERR + rule - 1);
	return rule;
}

/* How long a socket may still linger: jiffies, 0 when its time is over. */
u32 ws_limits_linger_left(const struct ws_ctx *ctx)
{
	return ws_timer_left(ctx->time.asked,
			     min_t(u32, ctx->cfg.close_timeout, LINGER_TIME));
}

/*
 * Check the time limits, and lower @next to the number of jiffies until the
 * next check. May ask for a PING, which goes out with the next ws_tx_flush().
 * Return: WS_RULE_NONE; WS_RULE_ASSEMBLY_TIMEOUT, by which the caller must end
 * the received stream; or the limit for which it must end TCP.
 */
enum ws_rule ws_limits_run(struct ws_ctx *ctx, u32 *next)
{
	const struct ws_settings *cfg = &ctx->cfg;
	struct ws_rx *rx = &ctx->rx;
	u32 left;

	ws_owned_by_me(ctx);
	if (ctx->rx.lingers) {
		*next = ws_limits_linger_left(ctx) ?: WS_TIME_NEVER;
		return WS_RULE_NONE;
	}
	if (ws_rx_parked(ctx))
		*next = WS_PRESSURE_TIME;
	if (!ctx->rx.started || rx->stop != WS_STOP_NONE || ws_below_over(ctx) ||
	    ctx->sk->sk_state == TCP_CLOSE)
		return WS_RULE_NONE;
	/* The program will read the error; the connection may survive it. */
	if (ctx->sk->sk_err) {
		*next = HZ;
		return WS_RULE_NONE;
	}

	if (ctx->tx.close != WS_CLOSE_NONE) {
		left = check_answer(ctx, cfg->close_timeout);
		if (!left)
			return set_expired(ctx, WS_RULE_CLOSE_TIMEOUT);
		*next = min(*next, left);
		return WS_RULE_NONE;
	}
	if (cfg->ping_interval) {
		left = keep_alive(ctx);
		if (!left)
			return set_expired(ctx, WS_RULE_PING_TIMEOUT);
		*next = min(*next, left);
	}
	if (cfg->assembly_timeout && rx->open) {
		left = check_assembly(ctx);
		if (!left)
			return WS_RULE_ASSEMBLY_TIMEOUT;
		*next = min(*next, left);
	} else if (cfg->assembly_timeout && *next != WS_TIME_NEVER) {
		/* A message may begin before the next PING is due. */
		*next = min(*next, ws_timer_jiffies(cfg->assembly_timeout));
	}
	return WS_RULE_NONE;
}

/* Reading has opened a small window: the peer can send only from now on. */
void ws_limits_excuse(struct ws_ctx *ctx)
{
	ctx->time.base = tcp_jiffies32;
	ctx->time.asked = tcp_jiffies32;
	ctx->rx.opened = tcp_jiffies32;
}

/* A message has begun and is not complete. */
void ws_limits_opened(struct ws_ctx *ctx)
{
	ctx->rx.open = true;
	ctx->rx.opened = tcp_jiffies32;
	if (ctx->cfg.assembly_timeout && !ctx->rx.lingers)
		ws_timer_by(ctx, ws_timer_jiffies(ctx->cfg.assembly_timeout));
}

/*
 * Our Close must be answered; @behind if a frame under way precedes it. The
 * caller has ws_event_request() arm the timer.
 */
void ws_limits_closing(struct ws_ctx *ctx, bool behind)
{
	start_waiting(ctx, behind);
}

/* The times of WS_CONFIG start (again). The caller has ws_event_run() check. */
void ws_limits_start(struct ws_ctx *ctx)
{
	ctx->time.base = tcp_jiffies32;
	ctx->rx.opened = tcp_jiffies32;
	ctx->time.ping = WS_PING_NONE;
	start_waiting(ctx, ctx->tx.nseg);
	ctx->time.jitter = get_random_u32();
}
