// SPDX-License-Identifier: GPL-2.0-only
/*
 * When ws_ctrl_run() looks at a socket: now, or at a time. All sockets share a
 * few shards, each of which has one timer, one work and one lock, so that what
 * is due at about the same time costs one wake-up; and a socket pays for it
 * with a list node.
 *
 * A shard keeps its times in a wheel without cascades, as the kernel's timers
 * do: the farther, the coarser, and never early. The timer is armed for the
 * first bucket that has anybody in it, and not at all when there is none.
 *
 * Those who are due run one after another, first come, first served, and each
 * has one place, whatever its peer sends. So nobody may keep the others
 * waiting: ws_ctrl_run() waits for no lock and for no room. Where it would, on
 * top of kTLS and to reset a connection, a work of the socket's own does it.
 */
#include <linux/bitops.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/timer.h>
#include <linux/wait.h>

#include "ws.h"

#define SHARDS_MAX	16
/* The wheel reaches 63 * 8^4 jiffies ahead; who is due later looks early. */
#define LEVELS		5
#define LEVEL_SHIFT	3
#define BUCKETS		64

/**
 * struct shard - a share of the sockets
 * @lock: guards all of it; softirq context takes it, and the innermost one
 *	but for those of timers and works
 * @ready: who is due, &struct ws_sched
 * @wheel: who is due later
 * @full: which buckets of @wheel have somebody, or had
 * @clock: all buckets up to this time have been emptied into @ready
 * @alarm: when @timer is due, if it is @armed
 * @running: whom @work is looking at, or NULL
 * @waiting: how many wait in ws_sched_stop()
 * @done: where they do
 * @armed: @timer will come
 * @timer: for the first bucket
 * @work: goes through @ready
 */
struct shard {
	spinlock_t lock;	/* see above */
	struct list_head ready;
	struct list_head wheel[LEVELS][BUCKETS];
	u64 full[LEVELS];
	u32 clock;
	u32 alarm;
	struct ws_ctx *running;
	unsigned int waiting;
	wait_queue_head_t done;
	bool armed;
	struct timer_list timer;
	struct work_struct work;
};

static struct shard *shards;
static unsigned int nshards;

/* One work for each shard, which sleeps for nothing but memory. */
static struct workqueue_struct *shard_wq;
/* Works of single sockets, which may sleep for long. */
static struct workqueue_struct *sleeper_wq;

static struct shard *shard_of(const struct ws_ctx *ctx)
{
	return &shards[ctx->sched.shard];
}

static bool is_ready(const struct shard *sh, const struct ws_sched *s)
{
	return !list_empty(&s->node) && !after(s->at, sh->clock);
}

/* Into the wheel, for a time after @clock. */
static void put(struct shard *sh, struct ws_sched *s, u32 due)
{
	unsigned int level = 0, shift = 0;
	u32 from, n;

	for (;;) {
		from = sh->clock >> shift;
		n = (due - (from << shift) + BIT(shift) - 1) >> shift;
		if (n < BUCKETS || level == LEVELS - 1)
			break;
		level++;
		shift += LEVEL_SHIFT;
	}
	n = min_t(u32, n, BUCKETS - 1);
	s->at = (from + n) << shift;
	list_move_tail(&s->node, &sh->wheel[level][(from + n) % BUCKETS]);
	sh->full[level] |= BIT_ULL((from + n) % BUCKETS);
}

/* Whose time has come is ready. */
static void turn(struct shard *sh, u32 now)
{
	unsigned int level;

	for (level = 0; level < LEVELS; level++) {
		unsigned int shift = level * LEVEL_SHIFT;
		u32 from = sh->clock >> shift;
		u32 n = (now - (from << shift)) >> shift;
		u64 passed = n < BUCKETS ? BIT_ULL(n) - 1 : U64_MAX;

		passed = rol64(passed, (from + 1) % BUCKETS) & sh->full[level];
		sh->full[level] &= ~passed;
		for (; passed; passed &= passed - 1)
			list_splice_tail_init(&sh->wheel[level][__ffs64(passed)],
					      &sh->ready);
	}
	sh->clock = now;
}

static void arm(struct shard *sh, u32 at)
{
	unsigned long now = jiffies;

	if (sh->armed && !before(at, sh->alarm))
		return;
	sh->armed = true;
	sh->alarm = at;
	/* A timer comes no sooner than one jiffy after its time. */
	mod_timer(&sh->timer, now + (s32)(at - (u32)now) - 1);
}

/* For the first bucket that has anybody. */
static void arm_next(struct shard *sh)
{
	unsigned int level;

	for (level = 0; level < LEVELS; level++) {
		unsigned int shift = level * LEVEL_SHIFT;
		u32 from = (sh->clock >> shift) + 1;

		if (sh->full[level])
			arm(sh, (from + __ffs64(ror64(sh->full[level],
						      from % BUCKETS))) <<
				shift);
	}
}

static void ring(struct timer_list *timer)
{
	struct shard *sh = container_of(timer, struct shard, timer);

	spin_lock(&sh->lock);
	sh->armed = false;
	turn(sh, jiffies);
	arm_next(sh);
	if (!list_empty(&sh->ready))
		queue_work(shard_wq, &sh->work);
	spin_unlock(&sh->lock);
}

static void run(struct ws_ctx *ctx)
{
	if (ctx->tls)
		queue_work(sleeper_wq, &ctx->tls->work);
	else
		ws_ctrl_run(ctx);
}

static void run_ready(struct work_struct *work)
{
	struct shard *sh = container_of(work, struct shard, work);

	spin_lock_bh(&sh->lock);
	while (!list_empty(&sh->ready)) {
		struct ws_sched *s = list_first_entry(&sh->ready,
						      struct ws_sched, node);

		list_del_init(&s->node);
		sh->running = container_of(s, struct ws_ctx, sched);
		spin_unlock_bh(&sh->lock);

		run(sh->running);
		cond_resched();

		spin_lock_bh(&sh->lock);
		sh->running = NULL;
		if (unlikely(sh->waiting))
			wake_up_all(&sh->done);
	}
	spin_unlock_bh(&sh->lock);
}

/**
 * ws_sched_tls_work() - ws_ctrl_run() for a socket that has kTLS below
 * @work: &ws_tls::work
 */
void ws_sched_tls_work(struct work_struct *work)
{
	ws_ctrl_run(container_of(work, struct ws_tls, work)->ctx);
}

/**
 * ws_sched_sleeper() - queue a work that may sleep for long
 * @work: which; has a reference on the module
 * @delay: jiffies
 */
void ws_sched_sleeper(struct delayed_work *work, u32 delay)
{
	queue_delayed_work(sleeper_wq, work, delay);
}

/* With the lock. */
static void make_ready(struct shard *sh, struct ws_ctx *ctx)
{
	struct ws_sched *s = &ctx->sched;

	if (s->off || is_ready(sh, s))
		return;
	if (ctx->tls) {
		list_del_init(&s->node);
		queue_work(sleeper_wq, &ctx->tls->work);
		return;
	}
	s->at = sh->clock;
	list_move_tail(&s->node, &sh->ready);
	queue_work(shard_wq, &sh->work);
}

/**
 * ws_sched_now() - have ws_ctrl_run() look at a socket
 * @ctx: the socket
 *
 * What was done before this, it will see. Any context that keeps the socket
 * attached.
 */
void ws_sched_now(struct ws_ctx *ctx)
{
	struct shard *sh = shard_of(ctx);

	spin_lock_bh(&sh->lock);
	make_ready(sh, ctx);
	spin_unlock_bh(&sh->lock);
}

static void sched_for(struct ws_ctx *ctx, u32 delay, bool sooner)
{
	struct shard *sh = shard_of(ctx);
	struct ws_sched *s = &ctx->sched;
	u32 now, due;

	spin_lock_bh(&sh->lock);
	now = jiffies;
	due = now + delay;
	if (!delay) {
		make_ready(sh, ctx);
	} else if (!s->off && !(sooner && !list_empty(&s->node) &&
				!after(s->at, due))) {
		/* Nobody is in a bucket that would be passed over. */
		if (!sh->armed || before(now, sh->alarm))
			sh->clock = now;
		put(sh, s, due);
		arm(sh, s->at);
	}
	spin_unlock_bh(&sh->lock);
}

/**
 * ws_sched_at() - have ws_ctrl_run() look at a socket later, not sooner
 * @ctx: the socket
 * @delay: jiffies
 *
 * Whatever was asked for before is forgotten. Any context that keeps the
 * socket attached.
 */
void ws_sched_at(struct ws_ctx *ctx, u32 delay)
{
	sched_for(ctx, delay, false);
}

/**
 * ws_sched_by() - have ws_ctrl_run() look at a socket later, or sooner
 * @ctx: the socket
 * @delay: jiffies
 *
 * Unless it will look sooner anyway. Any context that keeps the socket
 * attached.
 */
void ws_sched_by(struct ws_ctx *ctx, u32 delay)
{
	sched_for(ctx, delay, true);
}

/**
 * ws_sched_attach() - a new socket
 * @ctx: the socket
 */
void ws_sched_attach(struct ws_ctx *ctx)
{
	/* Nobody outside knows the hash. */
	ctx->sched.shard = reciprocal_scale(ctx->sk->sk_hash, nshards);
	INIT_LIST_HEAD(&ctx->sched.node);
}

/**
 * ws_sched_stop() - never look at a socket again
 * @ctx: the socket
 * @self: it is ws_ctrl_run() who calls
 *
 * Waits for ws_ctrl_run() to end, unless @self. Process context, without the
 * socket lock.
 */
void ws_sched_stop(struct ws_ctx *ctx, bool self)
{
	struct shard *sh = shard_of(ctx);

	spin_lock_bh(&sh->lock);
	ctx->sched.off = true;
	list_del_init(&ctx->sched.node);
	/* On top of kTLS it may be about to queue the work that calls. */
	if (sh->running == ctx && (!self || ctx->tls)) {
		sh->waiting++;
		wait_event_cmd(sh->done, sh->running != ctx,
			       spin_unlock_bh(&sh->lock),
			       spin_lock_bh(&sh->lock));
		sh->waiting--;
	}
	spin_unlock_bh(&sh->lock);
	if (!ctx->tls)
		return;
	if (self)
		cancel_work(&ctx->tls->work);
	else
		cancel_work_sync(&ctx->tls->work);
}

static void init_shard(struct shard *sh)
{
	int level, i;

	spin_lock_init(&sh->lock);
	INIT_LIST_HEAD(&sh->ready);
	for (level = 0; level < LEVELS; level++)
		for (i = 0; i < BUCKETS; i++)
			INIT_LIST_HEAD(&sh->wheel[level][i]);
	sh->clock = jiffies;
	init_waitqueue_head(&sh->done);
	timer_setup(&sh->timer, ring, 0);
	INIT_WORK(&sh->work, run_ready);
}

/**
 * ws_sched_init() - when the module is loaded
 *
 * Return: 0 or -ENOMEM.
 */
int ws_sched_init(void)
{
	unsigned int i;

	nshards = min_t(unsigned int, num_online_cpus(), SHARDS_MAX);
	shards = kvcalloc(nshards, sizeof(*shards), GFP_KERNEL);
	if (!shards)
		return -ENOMEM;
	for (i = 0; i < nshards; i++)
		init_shard(&shards[i]);
	shard_wq = alloc_workqueue("ws", WQ_UNBOUND, 0);
	if (!shard_wq)
		goto no_wq;
	sleeper_wq = alloc_workqueue("ws_sleeper", WQ_UNBOUND, 0);
	if (!sleeper_wq)
		goto no_sleeper;
	return 0;

no_sleeper:
	destroy_workqueue(shard_wq);
no_wq:
	kvfree(shards);
	return -ENOMEM;
}

/**
 * ws_sched_exit() - when there is no socket any more
 *
 * Waits for works that end the last ones.
 */
void ws_sched_exit(void)
{
	unsigned int i;

	for (i = 0; i < nshards; i++)
		ws_compat_timer_stop(&shards[i].timer);
	destroy_workqueue(shard_wq);
	destroy_workqueue(sleeper_wq);
	kvfree(shards);
}
