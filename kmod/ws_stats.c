// SPDX-License-Identifier: GPL-2.0-only
/* /proc/net/ws_stat: counters of one network namespace. */
#include <linux/percpu.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <net/net_namespace.h>
#include <net/netns/generic.h>

#include "core/core.h"
#include "ws_stats.h"

struct ws_net {
	struct ws_mibs __percpu *mibs;
};

static unsigned int ws_net_id __read_mostly;

static const char * const ws_mib_names[WS_MIB_ERR] = {
	[WS_MIB_CURR]		= "WsCurrSockets",
	[WS_MIB_CURR_TLS_PAGES]	= "WsCurrTlsPages",
	[WS_MIB_ATTACHED]	= "WsAttached",
	[WS_MIB_ATTACHED_TLS]	= "WsAttachedTls",
	[WS_MIB_TLS_ERROR]	= "WsTlsErrors",
	[WS_MIB_RX_MESSAGES]	= "WsRxMessages",
	[WS_MIB_RX_BYTES]	= "WsRxBytes",
	[WS_MIB_RX_PIECES]	= "WsRxPieces",
	[WS_MIB_RX_PING]	= "WsRxPing",
	[WS_MIB_RX_PONG]	= "WsRxPong",
	[WS_MIB_RX_CLOSE]	= "WsRxClose",
	[WS_MIB_TX_MESSAGES]	= "WsTxMessages",
	[WS_MIB_TX_BYTES]	= "WsTxBytes",
	[WS_MIB_TX_REFERENCED]	= "WsTxReferenced",
	[WS_MIB_TX_PING]	= "WsTxPing",
	[WS_MIB_TX_PONG]	= "WsTxPong",
	[WS_MIB_TX_CLOSE]	= "WsTxClose",
	[WS_MIB_PONG_DROPPED]	= "WsPongDropped",
	[WS_MIB_NO_MEMORY]	= "WsNoMemory",
	[WS_MIB_LINGER]		= "WsCurrLingering",
	[WS_MIB_LINGER_DROPPED]	= "WsLingerDropped",
};

/* Where the events of a socket are counted; it keeps its network namespace. */
struct ws_mibs __percpu *ws_stats_of(const struct sock *sk)
{
	struct ws_net *wn = net_generic(sock_net(sk), ws_net_id);

	return wn->mibs;
}

static int ws_stats_show(struct seq_file *seq, void *unused)
{
	struct ws_net *wn = net_generic(seq->private, ws_net_id);
	int cpu, i;

	for (i = 0; i < WS_MIB_MAX; i++) {
		unsigned long sum = 0;

		for_each_possible_cpu(cpu)
			sum += READ_ONCE(per_cpu_ptr(wn->mibs, cpu)->v[i]);
		if (i < WS_MIB_ERR)
			seq_printf(seq, "%-24s\t%lu\n", ws_mib_names[i], sum);
		else
			seq_printf(seq, "WsErr%-19s\t%lu\n",
				   ws_rule_name(i - WS_MIB_ERR + 1), sum);
	}
	return 0;
}

static int __net_init ws_net_init(struct net *net)
{
	struct ws_net *wn = net_generic(net, ws_net_id);

	wn->mibs = alloc_percpu(struct ws_mibs);
	if (!wn->mibs)
		return -ENOMEM;
	if (!proc_create_net_single("ws_stat", 0444, net->proc_net,
				    ws_stats_show, NULL)) {
		free_percpu(wn->mibs);
		return -ENOMEM;
	}
	return 0;
}

static void __net_exit ws_net_exit(struct net *net)
{
	struct ws_net *wn = net_generic(net, ws_net_id);

	remove_proc_entry("ws_stat", net->proc_net);
	free_percpu(wn->mibs);
}

static struct pernet_operations ws_net_ops = {
	.init = ws_net_init,
	.exit = ws_net_exit,
	.id = &ws_net_id,
	.size = sizeof(struct ws_net),
};

int __init ws_stats_init(void)
{
	return register_pernet_subsys(&ws_net_ops);
}

void ws_stats_exit(void)
{
	unregister_pernet_subsys(&ws_net_ops);
}
