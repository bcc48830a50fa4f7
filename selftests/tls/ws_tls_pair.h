/* SPDX-License-Identifier: GPL-2.0-only */
/* A pair of sockets over kTLS, for tests about that. */
#ifndef _WS_TLS_PAIR_H
#define _WS_TLS_PAIR_H

#include "kselftest_harness.h"
#include "ws_test.h"

FIXTURE(tls) {
	struct pair p;
};

FIXTURE_VARIANT(tls) {
	const char *version;
	__u32 role;
};

FIXTURE_VARIANT_ADD(tls, v12_server) { "1.2", WS_ROLE_SERVER };
FIXTURE_VARIANT_ADD(tls, v13_client) { "1.3", WS_ROLE_CLIENT };

FIXTURE_SETUP(tls)
{
	setenv("WS_TEST_TLS", variant->version, 1);
	ASSERT_TRUE(pair_open(&self->p, AF_INET, variant->role));
}

FIXTURE_TEARDOWN(tls)
{
	pair_close(&self->p);
}

#endif /* _WS_TLS_PAIR_H */
