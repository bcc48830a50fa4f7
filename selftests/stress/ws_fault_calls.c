// SPDX-License-Identifier: GPL-2.0-only
/* Calls of a life that are made again when a fault has made them fail. */
#include "ws_fault.h"

bool fault_by_chance;

bool fault_allows(struct life *l, int err)
{
	l->failures++;
	if (err != ENOMEM && err != ENOBUFS && err != EFAULT)
		return complain("a fault came out as %s", strerror(err));
	if (fault_by_chance)
		return l->failures < 10000 || complain("nothing works");
	return (fault_fired() && l->failures == 1) ||
	       complain("%s without a fault", strerror(err));
}

bool life_attach(struct life *l)
{
	int err;

	while ((err = ws_attach(l->p.ws)))
		if (!fault_allows(l, -err))
			return false;
	return true;
}

bool life_set(struct life *l, int opt, const void *val, socklen_t len)
{
	int err;

	while ((err = ws_set(l->p.ws, opt, val, len)))
		if (!fault_allows(l, -err))
			return complain("option %d", opt);
	return true;
}

bool life_info(struct life *l, struct ws_info *info)
{
	socklen_t len = sizeof(*info);

	while (getsockopt(l->p.ws, SOL_WS, WS_INFO, info, &len))
		if (!fault_allows(l, errno))
			return false;
	return true;
}

bool life_config(struct life *l, __u32 flags)
{
	struct ws_config cfg = {
		.role = l->p.role,
		.flags = flags,
		.ping_interval = l->ping ? WS_TIME_MIN : 0,
		.ping_timeout = l->ping ? WS_TEST_MS : 0,
	};

	return life_set(l, WS_CONFIG, &cfg, sizeof(cfg));
}
