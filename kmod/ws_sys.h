/* SPDX-License-Identifier: GPL-2.0-only */
/* System calls of an attached socket, but for sendmsg(); attach and close. */
#ifndef _WS_SYS_H
#define _WS_SYS_H

#include <linux/sockptr.h>

#include "ws_ctx.h"

/* ws_recv.c */
int ws_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags,
	       int *addr_len);
int ws_recv_len(struct ws_ctx *ctx);

/* ws_poll.c */
__poll_t ws_poll(struct file *file, struct socket *sock,
		 struct poll_table_struct *wait);
int ws_ioctl_inq(struct sock *sk);
int ws_peek_len(struct socket *sock);
int ws_set_rcvlowat(struct sock *sk, int val);

/* ws_sockopt.c */
extern const struct ws_config ws_config_default;

void ws_config_set(struct ws_ctx *ctx, const struct ws_config *cfg);
int ws_config_get(struct ws_config *cfg, sockptr_t optval, unsigned int optlen);
int ws_config_apply(struct ws_ctx *ctx, const struct ws_config *cfg);
int ws_setsockopt(struct sock *sk, int level, int optname, sockptr_t optval,
		  unsigned int optlen);
int ws_getsockopt(struct sock *sk, int level, int optname, char __user *optval,
		  int __user *optlen);

/* ws_close.c */
struct ws_ctx *ws_ctx_create(struct sock *sk, const struct ws_saved *saved);
void ws_ctx_free(struct ws_ctx *ctx);
int ws_ctx_init(void);
void ws_ctx_exit(void);
int ws_shutdown(struct socket *sock, int how);
void ws_close(struct sock *sk, long timeout);

/* ws_ulp.c */
int ws_ulp_attach(struct sock *sk, const struct ws_config *cfg);
void ws_ulp_exit(void);

/* ws_attach.c */
int ws_attach_init(void);
void ws_attach_exit(void);

#endif /* _WS_SYS_H */
