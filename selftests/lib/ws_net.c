// SPDX-License-Identifier: GPL-2.0-only
/* Network devices and queues, see ws_net.h. */
#include <arpa/inet.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/veth.h>

#include "ws_net.h"
#include "ws_test.h"

struct request {
	struct nlmsghdr nlh;
	char data[1024];
};

static void *put(struct request *r, const void *data, size_t len)
{
	void *at = (char *)r + NLMSG_ALIGN(r->nlh.nlmsg_len);

	if (len)
		memcpy(at, data, len);
	r->nlh.nlmsg_len = NLMSG_ALIGN(r->nlh.nlmsg_len) + len;
	return at;
}

static struct rtattr *attr(struct request *r, int type, const void *data,
			   size_t len)
{
	struct rtattr rta = { .rta_type = type, .rta_len = RTA_LENGTH(len) };
	void *at = put(r, &rta, sizeof(rta));

	put(r, data, len);
	return at;
}

/* What has been put since then is inside it. */
static void end_nest(struct request *r, struct rtattr *nest)
{
	r->nlh.nlmsg_len = NLMSG_ALIGN(r->nlh.nlmsg_len);
	nest->rta_len = (char *)r + r->nlh.nlmsg_len - (char *)nest;
}

static bool do_request(struct request *r, int type, int flags,
		       const char *what)
{
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
	struct {
		struct nlmsghdr nlh;
		struct nlmsgerr err;
		char echo[1024];
	} answer;
	bool ok = false;
	ssize_t n = -1;

	r->nlh.nlmsg_type = type;
	r->nlh.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	if (send(fd, r, r->nlh.nlmsg_len, 0) > 0)
		n = recv(fd, &answer, sizeof(answer), 0);
	if (n < (ssize_t)NLMSG_LENGTH(sizeof(answer.err)))
		complain("%s: %s", what, strerror(errno));
	else if (answer.nlh.nlmsg_type != NLMSG_ERROR || answer.err.error)
		complain("%s: %s", what, strerror(-answer.err.error));
	else
		ok = true;
	close(fd);
	return ok;
}

bool net_veth(const char *name, const char *peer)
{
	struct request r = { .nlh.nlmsg_len = NLMSG_HDRLEN };
	struct rtattr *info, *data, *other;
	struct ifinfomsg ifi = { 0 };

	put(&r, &ifi, sizeof(ifi));
	attr(&r, IFLA_IFNAME, name, strlen(name) + 1);
	info = attr(&r, IFLA_LINKINFO, NULL, 0);
	attr(&r, IFLA_INFO_KIND, "veth", 5);
	data = attr(&r, IFLA_INFO_DATA, NULL, 0);
	other = attr(&r, VETH_INFO_PEER, &ifi, sizeof(ifi));
	attr(&r, IFLA_IFNAME, peer, strlen(peer) + 1);
	end_nest(&r, other);
	end_nest(&r, data);
	end_nest(&r, info);
	return do_request(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "veth");
}

bool net_move(const char *name, int ns_fd)
{
	struct ifinfomsg ifi = { .ifi_index = if_nametoindex(name) };
	struct request r = { .nlh.nlmsg_len = NLMSG_HDRLEN };

	put(&r, &ifi, sizeof(ifi));
	attr(&r, IFLA_NET_NS_FD, &ns_fd, sizeof(ns_fd));
	return do_request(&r, RTM_NEWLINK, 0, "another namespace");
}

static void set_address(struct ifreq *ifr, const char *address)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };

	inet_pton(AF_INET, address, &sin.sin_addr);
	memcpy(&ifr->ifr_addr, &sin, sizeof(sin));
}

bool net_up(const char *name, const char *address, int mtu)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0), err = 0;
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	if (mtu) {
		ifr.ifr_mtu = mtu;
		err |= ioctl(fd, SIOCSIFMTU, &ifr);
	}
	set_address(&ifr, address);
	err |= ioctl(fd, SIOCSIFADDR, &ifr);
	set_address(&ifr, "255.255.255.0");
	err |= ioctl(fd, SIOCSIFNETMASK, &ifr);
	ifr.ifr_flags = IFF_UP;
	err |= ioctl(fd, SIOCSIFFLAGS, &ifr);
	if (err)
		complain("%s: %s", name, strerror(errno));
	close(fd);
	return !err;
}

static uint32_t percent(int n)
{
	return n * (UINT32_MAX / 100);
}

bool net_hurt(const char *name, const struct net_hurt *hurt)
{
	int64_t delay = hurt->delay * 1000000LL;
	int64_t jitter = hurt->jitter * 1000000LL;
	struct tc_netem_reorder reorder = {
		.probability = percent(hurt->reorder),
	};
	struct tc_netem_qopt opt = {
		.limit = 10000,
		.loss = percent(hurt->loss),
		.duplicate = percent(hurt->duplicate),
		.gap = hurt->reorder ? 1 : 0,
	};
	struct tcmsg tcm = {
		.tcm_ifindex = if_nametoindex(name),
		.tcm_parent = TC_H_ROOT,
		.tcm_handle = TC_H_MAKE(1 << 16, 0),
	};
	struct request r = { .nlh.nlmsg_len = NLMSG_HDRLEN };
	struct rtattr *options;

	put(&r, &tcm, sizeof(tcm));
	attr(&r, TCA_KIND, "netem", 6);
	options = attr(&r, TCA_OPTIONS, &opt, sizeof(opt));
	attr(&r, TCA_NETEM_LATENCY64, &delay, sizeof(delay));
	attr(&r, TCA_NETEM_JITTER64, &jitter, sizeof(jitter));
	if (hurt->reorder)
		attr(&r, TCA_NETEM_REORDER, &reorder, sizeof(reorder));
	end_nest(&r, options);
	return do_request(&r, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE,
			  "netem");
}

bool net_ethtool(const char *name, uint32_t command, uint32_t value)
{
	struct ethtool_value data = { .cmd = command, .data = value };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), err;
	struct ifreq ifr = { .ifr_data = (void *)&data };

	snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
	err = ioctl(fd, SIOCETHTOOL, &ifr);
	if (err)
		complain("ethtool %x of %s: %s", command, name,
			 strerror(errno));
	close(fd);
	return !err;
}

/* /proc/net/tcp gives the state in its fourth column. */
static bool all_said(void)
{
	FILE *f = fopen("/proc/net/tcp", "r");
	unsigned int state;
	bool said = f;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%*s %*s %*s %x", &state) == 1)
			said &= state != 0x04 && state != 0x09 && state != 0x0b;
	if (f)
		fclose(f);
	return said;
}

bool net_goodbye(void)
{
	uint64_t end = now_ms() + 3 * WS_TEST_MS;

	while (!all_said()) {
		if (now_ms() > end)
			return complain("a FIN is not acknowledged");
		usleep(20000);
	}
	return true;
}
