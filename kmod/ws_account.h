/* SPDX-License-Identifier: GPL-2.0-only */
/* What one user causes in one memory cgroup. */
#ifndef _WS_ACCOUNT_H
#define _WS_ACCOUNT_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/uidgid.h>
#include <linux/workqueue.h>

struct sock;

/**
 * struct ws_account - what is limited or queued for one user in one cgroup
 * @node: in the table of all accounts
 * @uid: the user, as the socket's file has it
 * @memcg: the memory cgroup that the socket is charged to, only compared
 * @refs: how many hold it; the table's lock
 * @lingering: sockets that linger after close()
 * @pages: pages that kTLS sockets have read ahead
 * @wq: where the works of kTLS sockets run; NULL for other sockets, whose
 *	account is another one
 * @free: frees it, as the last reference may be dropped by a work of @wq
 */
struct ws_account {
	struct hlist_node node;
	kuid_t uid;
	const void *memcg;
	unsigned int refs;
	atomic_t lingering;
	atomic_long_t pages;
	struct workqueue_struct *wq;
	struct work_struct free;
};

struct ws_account *ws_account_get(struct sock *sk, bool queue);
void ws_account_put(struct ws_account *account);
void ws_account_run(struct ws_account *account, struct work_struct *work);
int ws_account_init(void);
void ws_account_exit(void);

#endif /* _WS_ACCOUNT_H */
