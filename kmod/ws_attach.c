// SPDX-License-Identifier: GPL-2.0-only
/*
 * WS_ATTACH, a socket option of level SOL_IP: the way in for sockets that
 * carry kTLS. A socket has one ULP, and theirs is TLS; a socket option of our
 * own level does not reach a module before the socket is the module's. So it
 * is one of netfilter's, which any module may register, and which reaches
 * sockets of both address families.
 */
#include <linux/module.h>
#include <linux/netfilter.h>
#include <net/tls.h>

#include "ws_ctx.h"
#include "ws_sys.h"

/*
 * TCP has a ULP already: it must be kTLS in software, with both keys set. kTLS
 * in a device is untested and refused.
 */
static int check_tls(const struct sock *sk)
{
	const struct tls_context *tls = tls_get_ctx(sk);

	if (strcmp(inet_csk(sk)->icsk_ulp_ops->name, "tls"))
		return -EEXIST;
	if (sk->sk_prot->setsockopt == ws_setsockopt)
		return -EEXIST;
	/* kTLS has begun to close it. */
	if (!tls)
		return -ENOTCONN;
	if (tls->tx_conf == TLS_HW || tls->rx_conf == TLS_HW)
		return -EOPNOTSUPP;
	if (tls->tx_conf != TLS_SW || tls->rx_conf != TLS_SW)
		return -ENOKEY;
	/*
	 * The only sign that the kernel lays these structures out differently.
	 */
	if (tls_sw_ctx_rx(tls)->strp.sk != sk ||
	    tls_sw_ctx_tx(tls)->tx_work.sk != sk)
		return -EOPNOTSUPP;
	return 0;
}

/* Without kTLS WS_ATTACH is TCP_ULP, then WS_CONFIG. */
static int attach_tcp(struct sock *sk, const struct ws_config *cfg)
{
	char name[] = "ws";
	struct ws_ctx *ctx;
	int err;

	err = READ_ONCE(sk->sk_prot)->setsockopt(sk, SOL_TCP, TCP_ULP,
						 KERNEL_SOCKPTR(name),
						 sizeof(name) - 1);
	if (err || !cfg)
		return err;
	/* NULL if a foreign user has replaced sk_user_data meanwhile. */
	ctx = ws_ctx_get(sk);
	return ctx ? ws_config_apply(ctx, cfg) : -EBADFD;
}

static int ws_attach(struct sock *sk, int optname, sockptr_t optval,
		     unsigned int optlen)
{
	struct ws_config cfg = ws_config_default;
	bool tcp;
	int err;

	if (!sk_fullsock(sk) || sk->sk_type != SOCK_STREAM ||
	    sk->sk_protocol != IPPROTO_TCP || !sk->sk_socket)
		return -EOPNOTSUPP;
	if (optlen) {
		err = ws_config_get(&cfg, optval, optlen);
		if (err)
			return err;
	}

	lock_sock(sk);
	tcp = !inet_csk(sk)->icsk_ulp_ops;
	err = tcp ? 0 : check_tls(sk);
	if (!tcp && !err)
		err = ws_ulp_attach(sk, &cfg);
	release_sock(sk);
	return tcp ? attach_tcp(sk, optlen ? &cfg : NULL) : err;
}

static struct nf_sockopt_ops attach_ops = {
	.pf = PF_INET,
	.set_optmin = WS_ATTACH,
	.set_optmax = WS_ATTACH + 1,
	.set = ws_attach,
	.owner = THIS_MODULE,
};

int __init ws_attach_init(void)
{
	return nf_register_sockopt(&attach_ops);
}

void __exit ws_attach_exit(void)
{
	nf_unregister_sockopt(&attach_ops);
}
