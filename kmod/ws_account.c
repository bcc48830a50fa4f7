// SPDX-License-Identifier: GPL-2.0-only
/*
 * Accounts: limits and workqueues are per user and memory cgroup, so that one
 * user's sockets neither use up another's share nor stand in another's queue. A
 * new network namespace brings no new one.
 *
 * Sockets that need neither, which are most, have no account.
 */
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <net/sock.h>

#include "ws_account.h"
#include "compat/compat.h"

/*
 * Works of an account that run at a time. On kTLS each may sleep for as long as
 * its own user keeps a socket locked.
 */
#define ACCOUNT_WORKS	32

/* Guards accounts and their refs. Nothing is allocated under it. */
static DEFINE_SPINLOCK(accounts_lock);
static DEFINE_HASHTABLE(accounts, 6);

/* Works that do not sleep for a user, and the end of accounts. */
static struct workqueue_struct *common_wq;

static void free_account(struct ws_account *account)
{
	if (account->wq)
		destroy_workqueue(account->wq);
	kfree(account);
}

static void free_later(struct work_struct *work)
{
	free_account(container_of(work, struct ws_account, free));
}

/* With a reference, or NULL. */
static struct ws_account *find_account(kuid_t uid, const void *memcg,
				       bool queue)
{
	struct ws_account *account;

	hash_for_each_possible(accounts, account, node, __kuid_val(uid)) {
		if (uid_eq(account->uid, uid) && account->memcg == memcg &&
		    !account->wq == !queue) {
			account->refs++;
			return account;
		}
	}
	return NULL;
}

static struct ws_account *create_account(kuid_t uid, const void *memcg,
					 bool queue)
{
	struct ws_account *account = kzalloc(sizeof(*account),
					     GFP_KERNEL_ACCOUNT);

	if (!account)
		return NULL;
	account->uid = uid;
	account->memcg = memcg;
	account->refs = 1;
	INIT_WORK(&account->free, free_later);
	if (queue)
		account->wq = alloc_workqueue("ws-%u", WQ_UNBOUND,
					      ACCOUNT_WORKS, __kuid_val(uid));
	if (!queue || account->wq)
		return account;
	kfree(account);
	return NULL;
}

/*
 * The account that the limits of @sk count for; with @queue the one for kTLS,
 * which counts apart. Process context; sleeps, maybe with the socket lock.
 * Return: with a reference, or NULL if there is no memory.
 */
struct ws_account *ws_account_get(struct sock *sk, bool queue)
{
	const void *memcg = ws_compat_sk_memcg(sk);
	struct ws_account *account, *fresh;
	kuid_t uid = sk->sk_uid;

	spin_lock_bh(&accounts_lock);
	account = find_account(uid, memcg, queue);
	spin_unlock_bh(&accounts_lock);
	if (account)
		return account;
	fresh = create_account(uid, memcg, queue);
	if (!fresh)
		return NULL;
	spin_lock_bh(&accounts_lock);
	account = find_account(uid, memcg, queue);
	if (!account)
		hash_add(accounts, &fresh->node, __kuid_val(uid));
	spin_unlock_bh(&accounts_lock);
	if (!account)
		return fresh;
	free_account(fresh);
	return account;
}

/* Give a reference back; the account may be freed, later. Any context. */
void ws_account_put(struct ws_account *account)
{
	spin_lock_bh(&accounts_lock);
	if (!--account->refs) {
		hash_del(&account->node);
		queue_work(common_wq, &account->free);
	}
	spin_unlock_bh(&accounts_lock);
}

/*
 * Queue a work, which holds a module reference: on the account's own queue, or
 * on a common one, whose works must not sleep for a user. Any context.
 */
void ws_account_run(struct ws_account *account, struct work_struct *work)
{
	queue_work(account->wq ?: common_wq, work);
}

/* When the module is loaded. Return: 0 or -ENOMEM. */
int ws_account_init(void)
{
	common_wq = alloc_workqueue("ws", WQ_UNBOUND, WQ_MAX_ACTIVE);
	return common_wq ? 0 : -ENOMEM;
}

/* When there is no socket any more. Waits for works that end the last ones. */
void ws_account_exit(void)
{
	destroy_workqueue(common_wq);
}
