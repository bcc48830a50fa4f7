// SPDX-License-Identifier: GPL-2.0-only
/*
 * Not the module: a stand-in with one fault at a time, to see that the debug
 * kernels and the runner find it. Loaded as "ws" so that the runner treats it
 * as it treats the module.
 */
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/refcount.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/vmalloc.h>

static char *fault = "";
module_param(fault, charp, 0);

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);
static DEFINE_SPINLOCK(mixed);
static void __rcu *pointer;

static void plant_leak(void)
{
	void *memory = kmalloc(100, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(memory);
}

static void plant_use_after_free(void)
{
	char *memory = kzalloc(100, GFP_KERNEL);

	if (!memory)
		return;
	kfree(memory);
	OPTIMIZER_HIDE_VAR(memory);
	READ_ONCE(memory[3]);
}

static void plant_heap_bounds(void)
{
	char *memory = kzalloc(100, GFP_KERNEL);
	unsigned int index = 100;

	if (!memory)
		return;
	OPTIMIZER_HIDE_VAR(index);
	READ_ONCE(memory[index]);
	kfree(memory);
}

static void plant_vmalloc_bounds(void)
{
	char *memory = vzalloc(100);
	unsigned int index = 100;

	if (!memory)
		return;
	OPTIMIZER_HIDE_VAR(index);
	READ_ONCE(memory[index]);
	vfree(memory);
}

static void plant_double_free(void)
{
	char *memory = kzalloc(100, GFP_KERNEL);

	kfree(memory);
	OPTIMIZER_HIDE_VAR(memory);
	kfree(memory);
}

static void plant_bounds(void)
{
	unsigned int table[4];
	unsigned int index = ARRAY_SIZE(table);

	OPTIMIZER_HIDE_VAR(index);
	WRITE_ONCE(table[index], 1);
}

static void plant_shift(void)
{
	unsigned int by = 40;
	int value = 1;

	OPTIMIZER_HIDE_VAR(by);
	value <<= by;
	OPTIMIZER_HIDE_VAR(value);
}

static void plant_lock_order(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);

	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

/* A lock that softirqs take, taken with softirqs on. */
static void plant_lock_context(void)
{
	local_bh_disable();
	lockdep_softirq_enter();
	spin_lock(&mixed);
	spin_unlock(&mixed);
	lockdep_softirq_exit();
	local_bh_enable();

	spin_lock(&mixed);
	spin_unlock(&mixed);
}

static void plant_rcu(void)
{
	void *value = rcu_dereference(pointer);

	OPTIMIZER_HIDE_VAR(value);
}

static void plant_sleep(void)
{
	rcu_read_lock();
	might_sleep();
	rcu_read_unlock();
}

static void plant_refcount(void)
{
	refcount_t count = REFCOUNT_INIT(0);

	refcount_inc(&count);
}

static void planted_timer(struct timer_list *timer)
{
}

/* The checker stops the timer when it complains: nothing is left to run. */
static void plant_free_timer(void)
{
	struct timer_list *timer = kzalloc(sizeof(*timer), GFP_KERNEL);

	if (!timer)
		return;
	timer_setup(timer, planted_timer, 0);
	mod_timer(timer, jiffies + 10 * HZ);
	kfree(timer);
}

static void plant_list(void)
{
	struct list_head head = LIST_HEAD_INIT(head);
	struct list_head one, two;

	list_add(&one, &head);
	one.prev = &two;
	list_add(&two, &one);
	list_del(&one);
}

static int plant_write(void *shared)
{
	while (!kthread_should_stop()) {
		++*(unsigned long *)shared;
		barrier();
		cond_resched();
	}
	return 0;
}

/* Plain writes of one thread, plain reads of another. */
static void plant_race(void)
{
	static unsigned long shared;
	unsigned long until = jiffies + 4 * HZ;
	struct task_struct *writer;

	writer = kthread_run(plant_write, &shared, "planted");
	if (IS_ERR(writer))
		return;
	while (time_before(jiffies, until) && shared != ULONG_MAX) {
		barrier();
		cond_resched();
	}
	kthread_stop(writer);
}

static const struct {
	const char *name;
	void (*plant)(void);
} faults[] = {
	{ "sleep", plant_sleep },
	{ "lock-order", plant_lock_order },
	{ "lock-context", plant_lock_context },
	{ "rcu", plant_rcu },
	{ "use-after-free", plant_use_after_free },
	{ "heap-bounds", plant_heap_bounds },
	{ "vmalloc-bounds", plant_vmalloc_bounds },
	{ "double-free", plant_double_free },
	{ "bounds", plant_bounds },
	{ "shift", plant_shift },
	{ "refcount", plant_refcount },
	{ "free-timer", plant_free_timer },
	{ "list", plant_list },
	{ "leak", plant_leak },
	{ "race", plant_race },
};

static int __init planted_init(void)
{
	unsigned int i;

	if (!*fault)
		return 0;
	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		if (strcmp(faults[i].name, fault))
			continue;
		pr_info("planting %s\n", fault);
		faults[i].plant();
		return 0;
	}
	return -EINVAL;
}

static void __exit planted_exit(void)
{
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("Faults for the debug kernel to find");
MODULE_LICENSE("GPL");
