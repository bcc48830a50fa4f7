// SPDX-License-Identifier: GPL-2.0-only
/*
 * Line coverage of ws.ko on kernels without CONFIG_GCOV_KERNEL, which are all
 * that one downloads. ws.ko is built with gcc's --coverage and linked between
 * the two halves of ws_cov_ends.c, so that it knows what gcc left in its
 * section; this module keeps the counts over the end of ws.ko, whose last
 * functions count too, and shows them in /proc/ws_cov:
 *
 *	file PATH VERSION STAMP CHECKSUM
 *	fn IDENT LINES_CHECKSUM CFG_CHECKSUM COUNT...
 *
 * A function that has not run has no line. Whatever is written to the file sets
 * all counts to 0.
 */
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "ws_cov.h"

/* libgcov's structures as gcc 12 and 13 lay them out. */
#define COV_KINDS	8

struct cov_counts {
	unsigned int n;
	s64 *v;
};

struct cov_fn {
	const struct cov_info *key;
	unsigned int ident;
	unsigned int lines_checksum;
	unsigned int cfg_checksum;
	struct cov_counts counts[];
};

struct cov_info {
	unsigned int version;
	struct cov_info *next;
	unsigned int stamp;
	unsigned int checksum;
	const char *file;
	void *merge[COV_KINDS];		/* functions */
	unsigned int nfn;
	const struct cov_fn * const *fn;
};

static DEFINE_MUTEX(lock);	/* guards the rest */
static struct module *owner;
static const void * const *first;
static const void * const *last;
static char *kept;
static size_t kept_size;

void __gcov_merge_add(s64 *v, unsigned int n)
{
}
EXPORT_SYMBOL_GPL(__gcov_merge_add);

/**
 * ws_cov_begin() - ws.ko is there
 * @mod: it
 * @from: behind the pointers that gcc left, and what comes before them
 * @to: the same at their end
 */
void ws_cov_begin(struct module *mod, const void * const *from,
		  const void * const *to)
{
	mutex_lock(&lock);
	owner = mod;
	first = from;
	last = to;
	mutex_unlock(&lock);
}
EXPORT_SYMBOL_GPL(ws_cov_begin);

static bool has_run(const struct cov_fn *fn)
{
	unsigned int k;

	for (k = 0; k < fn->counts[0].n; k++)
		if (fn->counts[0].v[k])
			return true;
	return false;
}

static size_t print_all(char *buf, size_t size)
{
	const void * const *at;
	size_t n = 0;
	unsigned int i, k;

	for (at = first; at < last; at++) {
		const struct cov_info *info = *at;

		if (!info)
			continue;
		n += scnprintf(buf + n, size - n, "file %s %u %u %u\n",
			       info->file, info->version, info->stamp,
			       info->checksum);
		for (i = 0; i < info->nfn; i++) {
			const struct cov_fn *fn = info->fn[i];

			if (!fn || fn->key != info || !has_run(fn))
				continue;
			n += scnprintf(buf + n, size - n, "fn %u %u %u",
				       fn->ident, fn->lines_checksum,
				       fn->cfg_checksum);
			for (k = 0; k < fn->counts[0].n; k++)
				n += scnprintf(buf + n, size - n, " %lld",
					       fn->counts[0].v[k]);
			n += scnprintf(buf + n, size - n, "\n");
		}
	}
	return n;
}

static void reset_all(void)
{
	const void * const *at;
	unsigned int i;

	kvfree(kept);
	kept = NULL;
	kept_size = 0;
	for (at = first; at < last; at++) {
		const struct cov_info *info = *at;

		for (i = 0; info && i < info->nfn; i++) {
			const struct cov_fn *fn = info->fn[i];

			if (fn && fn->key == info)
				memset(fn->counts[0].v, 0,
				       fn->counts[0].n * sizeof(s64));
		}
	}
}

#define PRINTED		SZ_1M

/* What was counted so far, also when ws.ko is loaded a second time. */
static void keep(void)
{
	const size_t size = PRINTED;
	char *buf;

	buf = kvmalloc(kept_size + size, GFP_KERNEL);
	if (!buf)
		return;
	if (kept_size)
		memcpy(buf, kept, kept_size);
	kvfree(kept);
	kept = buf;
	kept_size += print_all(buf + kept_size, size);
	first = NULL;
	last = NULL;
	owner = NULL;
}

/* Before the module's init function; after its exit function. */
static int on_module(struct notifier_block *nb, unsigned long event,
		     void *data)
{
	struct module *mod = data;
	unsigned int i;

	if (event == MODULE_STATE_COMING && !strcmp(mod->name, "ws"))
		for (i = 0; i < mod->num_kp; i++)
			if (!strcmp(mod->kp[i].name, "cov"))
				mod->kp[i].ops->set(NULL, &mod->kp[i]);
	mutex_lock(&lock);
	if (event == MODULE_STATE_GOING && mod == owner)
		keep();
	mutex_unlock(&lock);
	return NOTIFY_OK;
}

static struct notifier_block notifier = { .notifier_call = on_module };

/* Of a module that is loaded, what it has counted until now. */
static int cov_show(struct seq_file *seq, void *unused)
{
	char *buf = kvmalloc(PRINTED, GFP_KERNEL);

	if (!buf)
		return -ENOMEM;
	mutex_lock(&lock);
	if (kept)
		seq_write(seq, kept, kept_size);
	if (owner)
		seq_write(seq, buf, print_all(buf, PRINTED));
	mutex_unlock(&lock);
	kvfree(buf);
	return 0;
}

static int cov_open(struct inode *inode, struct file *file)
{
	return single_open_size(file, cov_show, NULL, PRINTED);
}

static ssize_t cov_write(struct file *file, const char __user *from, size_t len,
			 loff_t *pos)
{
	mutex_lock(&lock);
	reset_all();
	mutex_unlock(&lock);
	return len;
}

static const struct proc_ops cov_ops = {
	.proc_open = cov_open,
	.proc_read = seq_read,
	.proc_write = cov_write,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
};

static int __init cov_init(void)
{
	if (!proc_create("ws_cov", 0644, NULL, &cov_ops))
		return -ENOMEM;
	return register_module_notifier(&notifier);
}

static void __exit cov_exit(void)
{
	remove_proc_entry("ws_cov", NULL);
	unregister_module_notifier(&notifier);
	kvfree(kept);
}

module_init(cov_init);
module_exit(cov_exit);
MODULE_DESCRIPTION("Line coverage of ws.ko");
MODULE_LICENSE("GPL");
