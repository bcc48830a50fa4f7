// SPDX-License-Identifier: GPL-2.0-only
/* Loading and unloading. */
#include <linux/module.h>

#include "ws_account.h"
#include "ws_stats.h"
#include "ws_sys.h"
#include "ws_tx.h"

static int attach_default(struct sock *sk)
{
	return ws_ulp_attach(sk, &ws_config_default);
}

static struct tcp_ulp_ops ws_ulp_ops __read_mostly = {
	.name = "ws",
	.owner = THIS_MODULE,
	.init = attach_default,
};

static int __init ws_init(void)
{
	int err;

	err = ws_stats_init();
	if (err)
		return err;
	err = ws_ctx_init();
	if (err)
		goto err_exit_stats;
	err = ws_account_init();
	if (err)
		goto err_exit_ctx;
	err = tcp_register_ulp(&ws_ulp_ops);
	if (err)
		goto err_exit_account;
	err = IS_ENABLED(CONFIG_NETFILTER) ? ws_attach_init() : 0;
	if (!err)
		return 0;

	tcp_unregister_ulp(&ws_ulp_ops);
err_exit_account:
	ws_account_exit();
	/* A socket may have been attached meanwhile. */
	ws_tx_exit();
	ws_ulp_exit();
err_exit_ctx:
	ws_ctx_exit();
err_exit_stats:
	ws_stats_exit();
	return err;
}

static void __exit ws_exit(void)
{
	if (IS_ENABLED(CONFIG_NETFILTER))
		ws_attach_exit();
	tcp_unregister_ulp(&ws_ulp_ops);
	ws_account_exit();
	ws_tx_exit();
	ws_ulp_exit();
	ws_ctx_exit();
	ws_stats_exit();
}

module_init(ws_init);
module_exit(ws_exit);

MODULE_DESCRIPTION("WebSocket (RFC 6455) as a TCP upper-layer protocol");
MODULE_AUTHOR("the kWS authors");
MODULE_LICENSE("GPL");
MODULE_VERSION("0.1.0");
MODULE_ALIAS_TCP_ULP("ws");
