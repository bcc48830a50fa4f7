// SPDX-License-Identifier: GPL-2.0-only
/* Socket options of level SOL_WS, and those of TCP that cannot go on. */
#include <linux/slab.h>

#include "ws_event.h"
#include "ws_limits.h"
#include "ws_scan.h"
#include "ws_sys.h"
#include "ws_tls.h"

/* The settings of a socket before WS_CONFIG. */
const struct ws_config ws_config_default = {
	.max_message = WS_MAX_MESSAGE_DEFAULT,
	.send_opcode = WS_OP_BINARY,
	.close_timeout = WS_CLOSE_TIMEOUT_DEFAULT,
};

/* Tell a socket what ws_config_get() filled in. Socket lock. */
void ws_config_set(struct ws_ctx *ctx, const struct ws_config *cfg)
{
	ctx->cfg = (struct ws_settings){
		.max_message = cfg->max_message,
		.ping_interval = cfg->ping_interval,
		.ping_timeout = cfg->ping_timeout,
		.assembly_timeout = cfg->assembly_timeout,
		.close_timeout = cfg->close_timeout,
		.role = cfg->role,
		.flags = cfg->flags,
		.send_opcode = cfg->send_opcode,
		.rsv1 = cfg->rsv == WS_RSV1,
	};
}

static void get_config(const struct ws_ctx *ctx, struct ws_config *cfg)
{
	const struct ws_settings *s = &ctx->cfg;

	*cfg = (struct ws_config){
		.role = s->role,
		.flags = s->flags,
		.max_message = s->max_message,
		.send_opcode = s->send_opcode,
		.rsv = s->rsv1 ? WS_RSV1 : 0,
		.ping_interval = s->ping_interval,
		.ping_timeout = s->ping_timeout,
		.assembly_timeout = s->assembly_timeout,
		.close_timeout = s->close_timeout,
	};
}

/* Members unknown to us must be 0, those unknown to the caller are. */
static int copy_config(struct ws_config *cfg, sockptr_t optval,
		       unsigned int optlen)
{
	unsigned int at;

	if (!optlen)
		return -EINVAL;
	memset(cfg, 0, sizeof(*cfg));
	if (copy_from_sockptr(cfg, optval,
			      min_t(unsigned int, optlen, sizeof(*cfg))))
		return -EFAULT;
	if (optlen > PAGE_SIZE)
		return -E2BIG;
	for (at = sizeof(*cfg); at < optlen; at++) {
		u8 byte;

		if (copy_from_sockptr_offset(&byte, optval, at, 1))
			return -EFAULT;
		if (byte)
			return -E2BIG;
	}
	return 0;
}

static bool bad_time(u32 ms)
{
	return ms && (ms < WS_TIME_MIN || ms > WS_TIME_MAX);
}

static int check_config(struct ws_config *cfg)
{
	if (cfg->role > WS_ROLE_CLIENT || cfg->rsv & ~WS_RSV1 ||
	    cfg->flags & ~(WS_F_RECORDS | WS_F_BATCH | WS_F_CLOSE) ||
	    !(~cfg->flags & (WS_F_RECORDS | WS_F_BATCH)))
		return -EINVAL;
	if (!cfg->max_message)
		cfg->max_message = WS_MAX_MESSAGE_DEFAULT;
	if (!cfg->send_opcode)
		cfg->send_opcode = WS_OP_BINARY;
	if (cfg->send_opcode > WS_OP_BINARY)
		return -EINVAL;
	if (bad_time(cfg->ping_interval) || bad_time(cfg->ping_timeout) ||
	    bad_time(cfg->assembly_timeout) || bad_time(cfg->close_timeout))
		return -EINVAL;
	if (!cfg->ping_timeout)
		cfg->ping_timeout = cfg->ping_interval;
	if (!cfg->close_timeout)
		cfg->close_timeout = WS_CLOSE_TIMEOUT_DEFAULT;
	return 0;
}

/* Has a part of a message been read or written, but not all of it? */
static bool in_message(const struct ws_ctx *ctx)
{
	return ctx->rx.head.opcode || ctx->rx.head.frame || ctx->tx.open ||
	       ctx->tx.rec_left || ctx->tx.rec_pad || ctx->tx.busy;
}

/*
 * Take settings from user space; @cfg gets the defaults, too. Return: 0 or a
 * negated errno, see &struct ws_config.
 */
int ws_config_get(struct ws_config *cfg, sockptr_t optval, unsigned int optlen)
{
	int err = copy_config(cfg, optval, optlen);

	return err ? err : check_config(cfg);
}

/*
 * Have settings of ws_config_get() take effect. May sleep; takes the lock of
 * the context. Return: 0, or -EBUSY and nothing has changed.
 */
int ws_config_apply(struct ws_ctx *ctx, const struct ws_config *cfg)
{
	int err = 0;

	ws_lock(ctx);
	if ((cfg->role != ctx->cfg.role && ws_rx_is_settled(ctx)) ||
	    (cfg->flags != ctx->cfg.flags && in_message(ctx))) {
		err = -EBUSY;
	} else {
		/* What came before is judged by what was in force. */
		ws_scan_rest(ctx);
		ws_config_set(ctx, cfg);
		if (ctx->rx.started) {
			ws_limits_start(ctx);
			ws_event_request(ctx);
		}
	}
	ws_unlock(ctx);
	return err;
}

static int set_config(struct ws_ctx *ctx, sockptr_t optval, unsigned int optlen)
{
	struct ws_config cfg;
	int err = ws_config_get(&cfg, optval, optlen);

	return err ? err : ws_config_apply(ctx, &cfg);
}

static int set_prefix(struct ws_ctx *ctx, sockptr_t optval, unsigned int optlen)
{
	struct ws_rx *rx = &ctx->rx;
	struct ws_prefix *prefix;
	int err = 0;

	if (!optlen)
		return -EINVAL;
	if (optlen > WS_RX_PREFIX_MAX)
		return -EMSGSIZE;
	prefix = kmalloc(struct_size(prefix, bytes, optlen),
			 GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
	if (!prefix)
		return -ENOMEM;
	prefix->len = optlen;
	prefix->stash = false;
	if (copy_from_sockptr(prefix->bytes, optval, optlen)) {
		kfree(prefix);
		return -EFAULT;
	}

	ws_lock(ctx);
	if (ws_rx_is_settled(ctx) || rx->prefix) {
		err = -EBUSY;
	} else {
		rx->prefix = prefix;
		rx->scan.seq = rx->base - optlen;
		rx->head.seq = rx->scan.seq;
		prefix = NULL;
	}
	ws_unlock(ctx);
	kfree(prefix);
	return err;
}

/*
 * proto.setsockopt of an attached socket. May sleep; takes the lock of the
 * context. On error nothing has changed.
 */
int ws_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval,
		  unsigned int optlen)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);

	if (unlikely(!ctx))
		return -EBADFD;
	if (level == SOL_WS && optname == WS_CONFIG)
		return set_config(ctx, optval, optlen);
	if (level == SOL_WS && optname == WS_RX_PREFIX)
		return set_prefix(ctx, optval, optlen);
	if (level == SOL_WS)
		return -ENOPROTOOPT;
	/* These would move TCP's sequence numbers under our feet. */
	if (level == SOL_TCP &&
	    (optname == TCP_REPAIR || optname == TCP_REPAIR_QUEUE ||
	     optname == TCP_QUEUE_SEQ))
		return -EOPNOTSUPP;
	/* kTLS would put its own tables back, and the keys are in use. */
	if (ws_tls_is_key(ctx, level, optname))
		return -EBUSY;
	return ws_saved_of(ctx)->prot->setsockopt(sk, level, optname, optval,
						  optlen);
}

static int get_struct(const void *value, int size, char __user *optval,
		      int __user *optlen)
{
	int len;

	if (get_user(len, optlen))
		return -EFAULT;
	if (len < 0)
		return -EINVAL;
	len = min(len, size);
	if (put_user(len, optlen) || copy_to_user(optval, value, len))
		return -EFAULT;
	return 0;
}

static u64 fault_offset(const struct ws_ctx *ctx)
{
	if (!(ctx->rx.state & WS_STATE_FAILED))
		return 0;
	switch (ctx->rx.rule) {
	case WS_RULE_PING_TIMEOUT:
	case WS_RULE_CLOSE_TIMEOUT:
		return ws_scan_offset(ctx);
	default:
		return ctx->rx.frame_at;
	}
}

static void get_info(const struct ws_ctx *ctx, struct ws_info *info)
{
	const struct ws_count *count = &ctx->info;
	const struct ws_rx *rx = &ctx->rx;

	*info = (struct ws_info){
		.role = ctx->cfg.role,
		.state = rx->state,
		.rule = rx->state & WS_STATE_FAILED ? rx->rule : WS_RULE_NONE,
		.close_sent = rx->state & WS_STATE_CLOSE_SENT ?
			ctx->tx.close_code : 0,
		.close_received = rx->state & WS_STATE_CLOSE_RECEIVED ?
			rx->close_code : 0,
		.fault_offset = fault_offset(ctx),
		.rx_messages = count->rx_messages,
		.rx_bytes = count->rx_bytes,
		.tx_messages = count->tx_messages,
		.tx_bytes = count->tx_bytes,
		.rx_pings = count->rx_pings,
		.tx_pongs = count->tx_pongs,
		.rx_pongs = count->rx_pongs,
		.wakeups = count->wakeups,
		.tx_pings = count->tx_pings,
		.rx_calls = count->rx_calls,
		.tx_calls = count->tx_calls,
	};
}

/*
 * proto.getsockopt of an attached socket. May sleep; takes the lock of the
 * context.
 */
int ws_getsockopt(struct sock *sk, int level, int optname, char __user *optval,
		  int __user *optlen)
{
	struct ws_ctx *ctx = ws_ctx_get(sk);
	struct ws_config cfg;
	struct ws_info info;
	int err;

	if (unlikely(!ctx))
		return -EBADFD;
	if (level == SOL_WS) {
		ws_lock(ctx);
		ws_scan_rest(ctx);
		get_config(ctx, &cfg);
		get_info(ctx, &info);
		ws_unlock(ctx);
		if (optname == WS_CONFIG)
			return get_struct(&cfg, sizeof(cfg), optval, optlen);
		if (optname == WS_INFO)
			return get_struct(&info, sizeof(info), optval, optlen);
		return -ENOPROTOOPT;
	}
	/* Would take bytes past us. */
	if (level == SOL_TCP && optname == TCP_ZEROCOPY_RECEIVE)
		return -EOPNOTSUPP;
	err = ws_saved_of(ctx)->prot->getsockopt(sk, level, optname, optval, optlen);
	/* See ws_tls_hook(); it begins with a struct tls_crypto_info. */
	if (!err && ws_tls_is_key(ctx, level, optname) &&
	    put_user(ws_tls_version(ctx), (u16 __user *)optval))
		return -EFAULT;
	return err;
}
