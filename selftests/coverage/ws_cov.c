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
 */
#include <linux/list.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
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

			if (!fn || fn->key != info)
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

/* What was counted so far, also when ws.ko is loaded a second time. */
static void keep(void)
{
	const size_t size = 1 << 20;
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

static int show(struct seq_file *seq, void *unused)
{
	mutex_lock(&lock);
	if (kept)
		seq_write(seq, kept, kept_size);
	mutex_unlock(&lock);
	return 0;
}

static int __init cov_init(void)
{
	if (!proc_create_single("ws_cov", 0444, NULL, show))
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
