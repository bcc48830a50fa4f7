// SPDX-License-Identifier: GPL-2.0-only
/*
 * Not the module: a stand-in with one fault at a time, to see that the debug
 * kernel and the runner find it. Loaded as "ws" so that the runner treats it
 * as it treats the module.
 */
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>

static char *fault = "";
module_param(fault, charp, 0);

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

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

static void plant_sleep(void)
{
	rcu_read_lock();
	might_sleep();
	rcu_read_unlock();
}

static void plant_bounds(void)
{
	unsigned int table[4];
	unsigned int index = ARRAY_SIZE(table);

	OPTIMIZER_HIDE_VAR(index);
	WRITE_ONCE(table[index], 1);
}

static int __init planted_init(void)
{
	if (!strcmp(fault, "leak"))
		plant_leak();
	else if (!strcmp(fault, "use-after-free"))
		plant_use_after_free();
	else if (!strcmp(fault, "lock-order"))
		plant_lock_order();
	else if (!strcmp(fault, "sleep"))
		plant_sleep();
	else if (!strcmp(fault, "bounds"))
		plant_bounds();
	else if (*fault)
		return -EINVAL;
	return 0;
}

static void __exit planted_exit(void)
{
}

module_init(planted_init);
module_exit(planted_exit);
MODULE_DESCRIPTION("Faults for the debug kernel to find");
MODULE_LICENSE("GPL");
