/* SPDX-License-Identifier: GPL-2.0-only */
/* Network devices and queues, by rtnetlink: the guest has no tc. */
#ifndef _WS_NET_H
#define _WS_NET_H

#include <stdbool.h>
#include <stdint.h>

/* What sch_netem does; percentages, milliseconds. 0 is "not at all". */
struct net_hurt {
	int loss;
	int duplicate;
	int reorder;
	int delay;
	int jitter;
};

/* All in the calling thread's namespace; false and a complaint. */
bool net_veth(const char *name, const char *peer);
bool net_move(const char *name, int ns_fd);
bool net_up(const char *name, const char *address, int mtu);
bool net_hurt(const char *name, const struct net_hurt *hurt);
/* An ETHTOOL_S... command with a value. */
bool net_ethtool(const char *name, uint32_t command, uint32_t value);
/* Waits until no closed TCP socket waits for an ACK; of the process's. */
bool net_goodbye(void);

#endif /* _WS_NET_H */
