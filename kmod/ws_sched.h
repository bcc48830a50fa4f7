/* SPDX-License-Identifier: GPL-2.0-only */
/* When ws_ctrl_run() is to look at a socket: ws_sched.c. */
#ifndef _WS_SCHED_H
#define _WS_SCHED_H

#include <linux/list.h>
#include <linux/types.h>

struct delayed_work;
struct work_struct;
struct ws_ctx;

/**
 * struct ws_sched - one socket's place in the queue
 * @node: in a bucket of the wheel, in the list of those that are due, or in
 *	none
 * @at: the time that its bucket has, in jiffies
 * @shard: which of the wheels; for good
 * @off: ws_sched_stop() was here
 *
 * The shard's lock guards it.
 */
struct ws_sched {
	struct list_head node;
	u32 at;
	u16 shard;
	bool off;
};

int ws_sched_init(void);
void ws_sched_exit(void);
void ws_sched_attach(struct ws_ctx *ctx);
void ws_sched_now(struct ws_ctx *ctx);
void ws_sched_at(struct ws_ctx *ctx, u32 delay);
void ws_sched_by(struct ws_ctx *ctx, u32 delay);
void ws_sched_stop(struct ws_ctx *ctx, bool self);
void ws_sched_tls_work(struct work_struct *work);
void ws_sched_sleeper(struct delayed_work *work, u32 delay);

#endif /* _WS_SCHED_H */
