/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Private declarations of the ws module, grouped by the file they live in.
 * Includes point one way: core <- lower <- ctrl <- rx, tx <- ulp.
 */
#ifndef _WS_H
#define _WS_H

#include <linux/bvec.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/net.h>
#include <linux/random.h>
#include <linux/refcount.h>
#include <linux/workqueue.h>
#include <net/sock.h>
#include <net/tcp.h>

#include "compat/compat.h"
#include "core/core.h"
#include "ws_account.h"
#include "ws_ctx.h"
#include "ws_lower.h"
#include "ws_tls.h"
#include "ws_lock.h"
#include "ws_plain.h"
#include "ws_rx.h"
#include "ws_tx.h"
#include "ws_stats.h"

/* ws_ulp.c */
int ws_ulp_init(void);
void ws_ulp_exit(void);
int ws_ulp_attach(struct sock *sk, const struct ws_config *cfg);
void ws_ulp_end(struct ws_ctx *ctx, long timeout);

/* ws_attach.c */
int ws_attach_init(void);
void ws_attach_exit(void);

/* ws_ctrl.c */
struct ws_pong {
	struct ws_pong *next;
	u8 len;
	u8 data[];
};

void ws_ctrl_ping(struct ws_ctx *ctx, const u8 *p, u8 len);
void ws_ctrl_close(struct ws_ctx *ctx, u16 code);
void ws_ctrl_answer(struct ws_ctx *ctx);
void ws_ctrl_fin(struct ws_ctx *ctx);
void ws_ctrl_pong_done(struct ws_ctx *ctx);
bool ws_ctrl_pending(const struct ws_ctx *ctx);
void ws_ctrl_kick(struct ws_ctx *ctx);
void ws_ctrl_now(struct ws_ctx *ctx);
void ws_ctrl_run(struct ws_ctx *ctx);
void ws_ctrl_release_cb(struct sock *sk);
void ws_ctrl_write_space(struct sock *sk);
int ws_ctrl_shutdown(struct socket *sock, int how);

/* ws_timer.c */

/*
 * How often a message of which a part waits for the rest is looked at: when
 * memory gets short nothing need arrive here, and no callback tells.
 */
#define WS_PRESSURE_TIME	HZ

void ws_timer_fire(struct timer_list *timer);
void ws_timer_by(struct ws_ctx *ctx, u32 delay);
u32 ws_timer_left(u32 since, u32 limit);
enum ws_rule ws_timer_run(struct ws_ctx *ctx, u32 *next);
void ws_timer_excuse(struct ws_ctx *ctx);
void ws_timer_opened(struct ws_ctx *ctx);
void ws_timer_closing(struct ws_ctx *ctx);
void ws_timer_start(struct ws_ctx *ctx);

/* Does the time matter to this socket? */
static inline bool ws_timer_watches(const struct ws_ctx *ctx)
{
	return ctx->cfg.ping_interval || ctx->cfg.assembly_timeout ||
	       ctx->tx.close != WS_CLOSE_NONE;
}

/* ws_linger.c */
bool ws_linger_over(const struct ws_ctx *ctx);
bool ws_linger_start(struct ws_ctx *ctx);
long ws_linger_wait(struct ws_ctx *ctx, long timeout);
void ws_linger_arrived(struct ws_ctx *ctx);
void ws_linger_check(struct ws_ctx *ctx);
void ws_linger_detach(struct ws_ctx *ctx);
void ws_linger_stop(struct ws_ctx *ctx);
u32 ws_linger_left(const struct ws_ctx *ctx);

/* ws_poll.c */
__poll_t ws_poll(struct file *file, struct socket *sock,
		 struct poll_table_struct *wait);
int ws_peek_len(struct socket *sock);
int ws_set_rcvlowat(struct sock *sk, int val);

/* ws_sockopt.c */
extern const struct ws_config ws_config_default;

void ws_config_set(struct ws_ctx *ctx, const struct ws_config *cfg);
int ws_config_get(struct ws_config *cfg, sockptr_t optval, unsigned int optlen);
int ws_config_apply(struct ws_ctx *ctx, const struct ws_config *cfg);
int ws_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval,
		  unsigned int optlen);
int ws_getsockopt(struct sock *sk, int level, int optname, char __user *optval,
		  int __user *optlen);

#endif /* _WS_H */
