// SPDX-License-Identifier: MIT
/* Peers that are not libkws: protocols, versions, HTTP and garbage. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"
#include "tls_ends.h"

#define STEPS	1000

/**
 * struct peering - OpenSSL on the other side
 * @server: that is what OpenSSL is
 * @alpn: of OpenSSL, see peer_new()
 * @version: the only one that it speaks, or 0
 * @error: errno of libkws, 0 when TLS is fine
 * @chosen: the protocol that OpenSSL sees
 */
static const struct peering {
	const char *name;
	bool server;
	const char *alpn;
	int version;
	int error;
	const char *chosen;
} peerings[] = {
	{ "a client without ALPN", false, NULL, 0, 0, "" },
	{ "a client of HTTP/1.1", false, "\x08http/1.1", 0, 0, "http/1.1" },
	{ "a client of HTTP/2 and 1.1", false, "\x02h2\x08http/1.1", 0, 0,
	  "http/1.1" },
	{ "a client of HTTP/2 only", false, "\x02h2", 0, EPROTO, NULL },
	{ "a client of TLS 1.2", false, NULL, TLS1_2_VERSION, 0, "" },
	{ "a client of TLS 1.3", false, NULL, TLS1_3_VERSION, 0, "" },
	{ "a client of TLS 1.1", false, NULL, TLS1_1_VERSION, EPROTO, NULL },
	{ "a server without ALPN", true, NULL, 0, 0, "" },
	{ "a server of HTTP/1.1", true, "http/1.1", 0, 0, "http/1.1" },
	{ "a server of HTTP/2", true, "h2", 0, EPROTO, NULL },
	{ "a server of TLS 1.2", true, NULL, TLS1_2_VERSION, 0, "" },
	{ "a server of TLS 1.3", true, NULL, TLS1_3_VERSION, 0, "" },
	{ "a server of TLS 1.1", true, NULL, TLS1_1_VERSION, ECONNABORTED, NULL },
};

static bool chose(SSL *ssl, const char *wanted)
{
	const unsigned char *name;
	unsigned int len;

	SSL_get0_alpn_selected(ssl, &name, &len);
	return len == strlen(wanted) && (!len || !memcmp(name, wanted, len));
}

/* The name that the client asked for, if OpenSSL is the server. */
static bool asked(SSL *ssl, bool server)
{
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);

	return !server || (name && !strcmp(name, "localhost"));
}

static void peer(const struct peering *p)
{
	struct kws_tls *tls = p->server ? tls_client("ca.pem") :
		tls_server("good");
	struct kws_options o = { .tls = tls };
	struct kws_handshake *hs;
	int ends[2], r = 0, error = 0, shaken = 0, i;
	bool good;
	SSL *ssl;

	stream_pair(ends);
	hs = p->server ? kws_handshake_client("wss://localhost/", &o) :
		kws_handshake_server(&o);
	ssl = peer_new(ends[1], p->server, p->alpn);
	if (p->version == TLS1_1_VERSION)
		SSL_set_cipher_list(ssl, "DEFAULT@SECLEVEL=0");
	if (p->version) {
		SSL_set_min_proto_version(ssl, p->version);
		SSL_set_max_proto_version(ssl, p->version);
	}
	for (i = 0; i < STEPS && r >= 0; i++) {
		if (!shaken)
			shaken = peer_shake(ssl);
		r = kws_handshake_step(hs, ends[0]);
		error = r < 0 ? errno : 0;
		/* After TLS this peer says nothing. */
		if (kws_handshake_result(hs)->tls && shaken == 1)
			break;
	}
	if (p->error)
		good = r < 0 && error == p->error &&
			kws_handshake_result(hs)->error;
	else
		good = shaken == 1 && !r && chose(ssl, p->chosen) &&
			asked(ssl, p->server);
	result(good, "tls: %s", p->name);
	if (!good)
		note("%d, %s, %s", r, strerror(error),
		     kws_handshake_result(hs)->error);
	peer_free(ssl);
	kws_handshake_free(hs);
	kws_tls_free(tls);
	close(ends[0]);
	close(ends[1]);
}

/* What a server of TLS is sent, and what it says then. */
static void strangers(void)
{
	static const struct {
		const char *name;
		const char *text;
		bool ends;
		int error;
		const char *answer;
	} rows[] = {
		{ "HTTP without TLS", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", false,
		  EBADMSG, "HTTP/1.1 400 " },
		{ "another method without TLS", "POST / HTTP/1.1\r\n\r\n", false,
		  EBADMSG, "HTTP/1.1 400 " },
		{ "garbage", "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b",
		  false, EPROTO, NULL },
		{ "nothing but the end", "", true, ECONNRESET, NULL },
		{ "the end within a record", "\x16\x03\x01", true, ECONNRESET,
		  NULL },
		{ "nothing", "", false, ETIMEDOUT, NULL },
		{ "a part of a record", "\x16\x03\x01\x02", false, ETIMEDOUT,
		  NULL },
	};
	struct kws_tls *tls = tls_server("good");
	struct kws_options o = { .tls = tls };
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct kws_handshake *hs;
		char answer[512] = "";
		int ends[2], r, error;
		bool good;

		/* A short time only where it is to pass. */
		o.timeout_ms = rows[i].error == ETIMEDOUT ? 20 : 0;
		hs = kws_handshake_server(&o);
		stream_pair(ends);
		put(ends[1], rows[i].text, strlen(rows[i].text));
		if (rows[i].ends)
			shutdown(ends[1], SHUT_WR);
		while (!(r = kws_handshake_step(hs, ends[0])))
			usleep(1000);
		error = errno;
		get(ends[1], answer, sizeof(answer) - 1);
		good = r < 0 && error == rows[i].error &&
			(!rows[i].answer || !strncmp(answer, rows[i].answer,
						     strlen(rows[i].answer)));
		result(good, "tls: a server is sent %s", rows[i].name);
		if (!good)
			note("%s: %s", strerror(error),
			     kws_handshake_result(hs)->error);
		kws_handshake_free(hs);
		close(ends[0]);
		close(ends[1]);
	}
	kws_tls_free(tls);
}

/* A client of TLS meets a server without. */
static void no_tls(void)
{
	struct kws_tls *tls = tls_client("ca.pem");
	struct kws_options o = { .tls = tls };
	struct kws_handshake *client = kws_handshake_client("wss://localhost/", &o);
	struct kws_handshake *server = kws_handshake_server(NULL);
	int ends[2], r;

	stream_pair(ends);
	r = kws_handshake_step(client, ends[1]);
	if (!r && kws_handshake_step(server, ends[0]) < 0)
		r = kws_handshake_step(client, ends[1]);
	result(r < 0 && errno == EPROTO &&
	       !strcmp(kws_handshake_result(client)->error,
		       "the peer does not speak TLS"),
	       "tls: a client meets a server without TLS");
	kws_handshake_free(client);
	kws_handshake_free(server);
	kws_tls_free(tls);
	close(ends[0]);
	close(ends[1]);
}

/* Where there can be no kTLS, who insists on it has no connection. */
static void no_ktls(void)
{
	struct kws_tls_options t = { .ktls = KWS_KTLS_ALWAYS };
	struct kws_tls *tls = kws_tls_new(WS_ROLE_CLIENT, &t, NULL);
	struct kws_options o = { .tls = tls };
	struct kws_handshake *hs = kws_handshake_client("wss://localhost/", &o);
	int ends[2], r;

	stream_pair(ends);
	r = kws_handshake_step(hs, ends[0]);
	result(r < 0 && errno == ENOKEY && kws_handshake_result(hs)->error,
	       "tls: kTLS always, on a socket without");
	kws_handshake_free(hs);
	kws_tls_free(tls);
	close(ends[0]);
	close(ends[1]);
}

void test_tls_peers(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(peerings) / sizeof(peerings[0]); i++)
		peer(&peerings[i]);
	strangers();
	no_tls();
	no_ktls();
}
