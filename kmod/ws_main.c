// SPDX-License-Identifier: GPL-2.0-only
/* Loading and unloading. */
#include <linux/module.h>

#include "ws.h"

static int __init ws_init(void)
{
	int err;

	err = ws_stats_init();
	if (err)
		return err;
	err = ws_ulp_init();
	if (err)
		ws_stats_exit();
	return err;
}

static void __exit ws_exit(void)
{
	ws_ulp_exit();
	ws_stats_exit();
}

module_init(ws_init);
module_exit(ws_exit);

MODULE_DESCRIPTION("WebSocket (RFC 6455) as a TCP upper-layer protocol");
MODULE_AUTHOR("the kWS authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
MODULE_ALIAS_TCP_ULP("ws");
