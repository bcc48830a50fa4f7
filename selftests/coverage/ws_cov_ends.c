// SPDX-License-Identifier: GPL-2.0-only
/*
 * Linked into ws.ko twice, before and behind its objects: the two pointers
 * enclose those that gcc leaves in the section, one for each object.
 */
#include "ws_cov.h"

#ifdef WS_COV_LAST
const void *ws_cov_last __section("ws_cov");
#else
extern const void *ws_cov_last;
static const void *ws_cov_first __section("ws_cov") __used;

/* No parameter, but a function that ws_cov.ko finds when ws.ko is loaded. */
static int begin(const char *value, const struct kernel_param *param)
{
	ws_cov_begin(THIS_MODULE, &ws_cov_first, &ws_cov_last);
	return 0;
}

static const struct kernel_param_ops ops = { .set = begin };

module_param_cb(cov, &ops, NULL, 0);
MODULE_PARM_DESC(cov, "not to be set");
#endif
