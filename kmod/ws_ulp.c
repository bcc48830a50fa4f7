// SPDX-License-Identifier: GPL-2.0-only
/*
 * The upper-layer protocol: attach, and the protocol tables.
 *
 * The tables of the socket are replaced by copies with our entries in them.
 * A copy is made once for each pair of tables met below (TCP over IPv4 and
 * over IPv6, each with and without kTLS) and kept until the module goes.
 * Everything below is called through the originals: few of TCP's functions are
 * exported everywhere.
 *
 * Two references keep the module: tcp_set_ulp() takes one that is given back
 * when the TCP socket dies, which may be in end_ctx(); ours, through the
 * owner of proto_ops, is given back by the socket layer after ops->release()
 * has returned. So no system call is in our code without one; and
 * ws_account_exit() waits for the works that close what lingers. On top of
 * kTLS, which is the ULP then, a third stands in for the first.
 */
#include <linux/module.h>
#include <linux/mutex.h>

#include "compat/compat.h"
#include "ws_event.h"
#include "ws_send.h"
#include "ws_stats.h"
#include "ws_sys.h"
#include "ws_transport.h"

/* IPv4 and IPv6, with and without kTLS, and room for as many others. */
#define WS_SLOTS	8

static DEFINE_MUTEX(slots_mutex);	/* guards slots and nslots */
static struct ws_slot *slots[WS_SLOTS];
static int nslots;

/* proto.recvmsg and proto.ioctl in the form that this kernel has. */
WS_COMPAT_RECVMSG_ENTRY(recvmsg_entry, ws_recvmsg);

static int ioctl_entry(struct sock *sk, int cmd, WS_COMPAT_IOCTL_ARG arg)
{
	if (cmd != SIOCINQ)
		return ws_slot_get(sk)->saved.prot->ioctl(sk, cmd, arg);
	return ws_compat_ioctl_put(arg, ws_ioctl_inq(sk));
}

static int ws_disconnect(struct sock *sk, int flags)
{
	return -EOPNOTSUPP;
}

static void fill_slot(struct ws_slot *slot, const struct ws_saved *saved)
{
	slot->saved = *saved;
	/* Its tables must stay where they are. */
	if (saved->tls)
		__module_get(saved->tls->owner);

	slot->prot = *saved->prot;
	slot->prot.close = ws_close;
	slot->prot.disconnect = ws_disconnect;
	slot->prot.sendmsg = ws_sendmsg;
	slot->prot.recvmsg = recvmsg_entry;
	slot->prot.setsockopt = ws_setsockopt;
	slot->prot.getsockopt = ws_getsockopt;
	slot->prot.ioctl = ioctl_entry;
	if (!saved->tls)
		slot->prot.release_cb = ws_event_release_cb;
	slot->prot.splice_eof = ws_splice_eof;
	slot->prot.bpf_bypass_getsockopt = NULL;

	slot->ops = *saved->ops;
	slot->ops.owner = THIS_MODULE;
	slot->ops.poll = ws_poll;
	slot->ops.shutdown = ws_shutdown;
	slot->ops.set_rcvlowat = ws_set_rcvlowat;
	slot->ops.peek_len = ws_peek_len;
	/* Ways to TCP's bytes that would pass us by. */
	slot->ops.mmap = sock_no_mmap;
	slot->ops.splice_read = NULL;
	slot->ops.splice_eof = ws_splice_eof;
	/*
	 * Some versions of kTLS read TCP's queue through it, and nothing else
	 * does.
	 */
	if (!saved->tls)
		slot->ops.read_sock = NULL;
	slot->ops.read_skb = NULL;
	slot->ops.set_peek_off = NULL;
	ws_compat_set_sendpage(&slot->prot, &slot->ops, ws_sendpage);
}

static struct ws_saved get_saved(const struct sock *sk)
{
	struct ws_saved saved = {
		.prot = sk->sk_prot,
		.ops = sk->sk_socket->ops,
		.data_ready = sk->sk_data_ready,
		.write_space = sk->sk_write_space,
		.state_change = sk->sk_state_change,
		.tls = inet_csk(sk)->icsk_ulp_ops,
	};

	if (saved.tls)
		ws_tls_get_saved(sk, &saved);
	return saved;
}

static const struct ws_slot *get_slot(const struct ws_saved *saved)
{
	struct ws_slot *slot = NULL;
	int i;

	mutex_lock(&slots_mutex);
	for (i = 0; i < nslots; i++) {
		if (!memcmp(&slots[i]->saved, saved, sizeof(*saved))) {
			slot = slots[i];
			goto out;
		}
	}
	if (nslots == WS_SLOTS)
		goto out;
	slot = kzalloc(sizeof(*slot), GFP_KERNEL);
	if (!slot)
		goto out;
	fill_slot(slot, saved);
	slots[nslots++] = slot;
out:
	mutex_unlock(&slots_mutex);
	return slot;
}

/*
 * SMC has a socket of TCP's below its own, to which it lets options through,
 * and whose sk_user_data is its own. When it has fallen back to TCP, its file
 * leads there.
 */
static bool has_own_file(const struct socket *sock)
{
	const struct file *file = READ_ONCE(sock->file);

	return file && file_inode(file) == SOCK_INODE((struct socket *)sock);
}

static int check_socket(const struct sock *sk)
{
	switch (sk->sk_state) {
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:	/* the peer's FIN may overtake the attach */
		break;
	case TCP_CLOSE:
	case TCP_LISTEN:
	case TCP_SYN_SENT:
	case TCP_SYN_RECV:
	case TCP_NEW_SYN_RECV:
		return -ENOTCONN;
	default:
		return -EPIPE;
	}
	if (sk->sk_shutdown & SEND_SHUTDOWN)
		return -EPIPE;
	if (tcp_sk(sk)->repair || !sk->sk_socket)
		return -EINVAL;
	if (!has_own_file(sk->sk_socket))
		return -EOPNOTSUPP;
	/* In use by sockmap, KCM, SMC or a kernel client. */
	if (sk->sk_user_data)
		return -EBUSY;
	return 0;
}

/*
 * Attach a socket on TCP, or on kTLS in both directions, with settings that
 * were checked. Process context, socket lock. Return: 0 or a negated errno.
 */
int ws_ulp_attach(struct sock *sk, const struct ws_config *cfg)
{
	const struct ws_slot *slot;
	struct ws_saved saved;
	struct ws_ctx *ctx;
	int err;

	sock_owned_by_me(sk);
	err = check_socket(sk);
	if (err)
		return err;
	saved = get_saved(sk);
	slot = get_slot(&saved);
	if (!slot)
		return -ENOMEM;
	ctx = ws_ctx_create(sk, &slot->saved);
	if (!ctx)
		return -ENOMEM;
	ws_config_set(ctx, cfg);

	write_lock_bh(&sk->sk_callback_lock);
	/*
	 * sockmap tests sk_user_data and changes callbacks under this lock
	 * only.
	 */
	saved = get_saved(sk);
	if (sk->sk_user_data || memcmp(&saved, &slot->saved, sizeof(saved))) {
		write_unlock_bh(&sk->sk_callback_lock);
		ws_ctx_free(ctx);
		return -EBUSY;
	}
	__module_get(THIS_MODULE);
	__rcu_assign_sk_user_data_with_flags(sk, ctx, SK_USER_DATA_NOCOPY);
	if (ctx->tls) {
		__module_get(THIS_MODULE);
		ws_stats_inc(ctx, WS_MIB_ATTACHED_TLS);
		ws_tls_hook(ctx);
	} else {
		sk->sk_data_ready = ws_event_data_ready;
	}
	sk->sk_write_space = ws_event_write_space;
	/* After sk_user_data: callers without a lock see the tables last. */
	smp_store_release(&sk->sk_prot, (struct proto *)&slot->prot);
	/* The same for calls that come by the socket's operations. */
	smp_store_release(&sk->sk_socket->ops, &slot->ops);
	write_unlock_bh(&sk->sk_callback_lock);

	/* Urgent bytes are part of the stream; each arrival must call us. */
	sock_set_flag(sk, SOCK_URGINLINE);
	WRITE_ONCE(sk->sk_rcvlowat, 1);
	/*
	 * tcp_set_ulp() has cleared it; io_uring tests it before a zero-copy
	 * send.
	 */
	set_bit(SOCK_SUPPORT_ZC, &sk->sk_socket->flags);
	ws_stats_inc(ctx, WS_MIB_ATTACHED);
	ws_stats_inc(ctx, WS_MIB_CURR);
	return 0;
}

/* Not __exit: also run when loading fails half-way. */
void ws_ulp_exit(void)
{
	while (nslots) {
		const struct ws_slot *slot = slots[--nslots];

		if (slot->saved.tls)
			module_put(slot->saved.tls->owner);
		kfree(slot);
	}
}
