// SPDX-License-Identifier: GPL-2.0-only
/*
 * kTLS on both ends of a pair, without a handshake: both are given the same
 * fixed keys. The test then sends and receives plain text on either end.
 */
#include <linux/tls.h>

#include "ws_test.h"

#ifndef SOL_TLS
#define SOL_TLS		282
#endif

const char *test_tls(void)
{
	const char *version = getenv("WS_TEST_TLS");

	return version && *version ? version : NULL;
}

union keys {
	struct tls_crypto_info info;
	struct tls12_crypto_info_aes_gcm_128 gcm;
	struct tls12_crypto_info_aes_gcm_256 gcm256;
	struct tls12_crypto_info_chacha20_poly1305 chacha;
};

/* "1.2", "1.3" or, for other ciphers, "1.3-aes256", "1.3-chacha20". */
static socklen_t make_keys(union keys *keys, const char *version, int sender)
{
	memset(keys, 0, sizeof(*keys));
	keys->info.version = !strncmp(version, "1.2", 3) ? TLS_1_2_VERSION :
							   TLS_1_3_VERSION;
	if (strstr(version, "chacha20")) {
		keys->info.cipher_type = TLS_CIPHER_CHACHA20_POLY1305;
		memset(keys->chacha.key, 'k' + sender,
		       sizeof(keys->chacha.key));
		memset(keys->chacha.iv, 'i', sizeof(keys->chacha.iv));
		return sizeof(keys->chacha);
	}
	if (strstr(version, "aes256")) {
		keys->info.cipher_type = TLS_CIPHER_AES_GCM_256;
		memset(keys->gcm256.key, 'k' + sender,
		       sizeof(keys->gcm256.key));
		memset(keys->gcm256.salt, 's', sizeof(keys->gcm256.salt));
		memset(keys->gcm256.iv, 'i', sizeof(keys->gcm256.iv));
		return sizeof(keys->gcm256);
	}
	keys->info.cipher_type = TLS_CIPHER_AES_GCM_128;
	memset(keys->gcm.key, 'k' + sender, sizeof(keys->gcm.key));
	memset(keys->gcm.salt, 's', sizeof(keys->gcm.salt));
	memset(keys->gcm.iv, 'i', sizeof(keys->gcm.iv));
	return sizeof(keys->gcm);
}

int tls_keys(int fd, const char *version, bool server, int directions)
{
	union keys keys;
	socklen_t len;

	len = make_keys(&keys, version, server);
	if ((directions & TLS_SENDS) &&
	    setsockopt(fd, SOL_TLS, TLS_TX, &keys, len))
		return -errno;
	len = make_keys(&keys, version, !server);
	if ((directions & TLS_RECEIVES) &&
	    setsockopt(fd, SOL_TLS, TLS_RX, &keys, len))
		return -errno;
	return 0;
}

int tls_start(int fd, const char *version, bool server, int directions)
{
	if (setsockopt(fd, SOL_TCP, TCP_ULP, "tls", 3))
		return -errno;
	return tls_keys(fd, version, server, directions);
}

bool pair_secure(struct pair *p, const char *version)
{
	bool server = p->role == WS_ROLE_SERVER;
	int err = tls_start(p->ws, version, server, TLS_BOTH);

	if (!err)
		err = tls_start(p->raw, version, !server, TLS_BOTH);
	return !err || complain("TLS %s: %s", version, strerror(-err));
}

ssize_t tls_send(int fd, int type, const void *data, size_t len)
{
	union {
		char buf[CMSG_SPACE(1)];
		struct cmsghdr align;
	} control = { .buf = { 0 } };
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	c->cmsg_level = SOL_TLS;
	c->cmsg_type = TLS_SET_RECORD_TYPE;
	c->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(c) = type;
	n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

int tls_recv(int fd, void *data, size_t len)
{
	union {
		char buf[CMSG_SPACE(1)];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = data, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t n;

	n = recvmsg(fd, &msg, 0);
	if (n < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	if (c && c->cmsg_level == SOL_TLS &&
	    c->cmsg_type == TLS_GET_RECORD_TYPE)
		return *CMSG_DATA(c);
	return 0;
}
