/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef _WS_COV_H
#define _WS_COV_H

#include <linux/module.h>

void ws_cov_begin(struct module *mod, const void * const *from,
		  const void * const *to);

/* Named in the tables that gcc makes; only libgcov would call it. */
void __gcov_merge_add(s64 *v, unsigned int n);

#endif /* _WS_COV_H */
