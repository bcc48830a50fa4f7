/* SPDX-License-Identifier: GPL-2.0-only */
/* Attaching a socket. */
#ifndef _WS_ULP_H
#define _WS_ULP_H

struct sock;
struct ws_config;

/* ws_ulp.c */
int ws_ulp_attach(struct sock *sk, const struct ws_config *cfg);
void ws_ulp_exit(void);

/* ws_attach.c */
int ws_attach_init(void);
void ws_attach_exit(void);

#endif /* _WS_ULP_H */
