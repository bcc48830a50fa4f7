// SPDX-License-Identifier: MIT
/* TLS before the opening handshake: a table of certificates and addresses. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "test.h"
#include "tls_ends.h"

#define CA	"ca.pem"
#define SYSTEM	NULL
#define NOBODY	""

/**
 * struct meeting - a client meets a server
 * @certificate: the server's
 * @ca: whom the client trusts; NOBODY is asked with "insecure"
 * @url: where the client thinks it is
 * @error: the client's errno, 0 for an upgrade
 * @why: what it says
 */
static const struct meeting {
	const char *name;
	const char *certificate;
	const char *ca;
	const char *url;
	int error;
	const char *why;
} meetings[] = {
	{ "a name", "good", CA, "wss://localhost/" },
	{ "a name in other letters", "good", CA, "wss://LocalHost:1/x?y" },
	{ "a name with a dot at the end", "good", CA, "wss://localhost./" },
	{ "an address", "good", CA, "wss://127.0.0.1:9001/" },
	{ "an address of IPv6", "good", CA, "wss://[::1]/" },
	{ "a wildcard", "good", CA, "wss://a.example.test/" },
	{ "an RSA key", "rsa", CA, "wss://localhost/" },
	{ "a chain", "chain", CA, "wss://localhost/" },
	{ "a wildcard is one label", "good", CA, "wss://a.b.example.test/",
	  EKEYREJECTED, "hostname mismatch" },
	{ "a wildcard is not none", "good", CA, "wss://example.test/",
	  EKEYREJECTED, "hostname mismatch" },
	{ "another host", "other", CA, "wss://localhost/",
	  EKEYREJECTED, "hostname mismatch" },
	{ "another address", "good", CA, "wss://127.0.0.2/",
	  EKEYREJECTED, "IP address mismatch" },
	{ "an address that is a name", "other", CA, "wss://127.0.0.1/",
	  EKEYREJECTED, "IP address mismatch" },
	{ "the common name is none", "stranger", "stranger.pem",
	  "wss://a.example/", EKEYREJECTED, "hostname mismatch" },
	{ "expired", "expired", CA, "wss://localhost/",
	  EKEYREJECTED, "certificate has expired" },
	{ "signed by itself", "stranger", CA, "wss://localhost/",
	  EKEYREJECTED, "self-signed certificate" },
	{ "signed by itself, and trusted", "stranger", "stranger.pem",
	  "wss://localhost/" },
	{ "a root that is not the system's", "good", SYSTEM, "wss://localhost/",
	  EKEYREJECTED, "unable to get local issuer certificate" },
	{ "another root", "good", "stranger.pem", "wss://localhost/",
	  EKEYREJECTED, "unable to get local issuer certificate" },
	{ "insecure: another host", "other", NOBODY, "wss://localhost/" },
	{ "insecure: expired", "expired", NOBODY, "wss://localhost/" },
	{ "insecure: signed by itself", "stranger", NOBODY, "wss://localhost/" },
};

static bool agreed(const struct ends *e)
{
	const struct kws_result *a = kws_handshake_result(e->hs[0]);
	const struct kws_result *b = kws_handshake_result(e->hs[1]);

	/* A stream of AF_UNIX is nothing for kTLS. */
	return e->done[0] == 1 && e->done[1] == 1 && a->status == 101 &&
	       b->status == 101 && !strcmp(a->tls, "TLSv1.3") &&
	       !strcmp(b->tls, "TLSv1.3") && !strcmp(a->cipher, b->cipher) &&
	       !a->ktls && !b->ktls && a->ktls_error && b->ktls_error;
}

/* The server learns of a refusal by an alert. */
static bool refused(const struct ends *e, const struct meeting *m)
{
	const char *why = kws_handshake_result(e->hs[1])->error;

	if (e->done[1] == -1 && e->error[1] == m->error && why &&
	    !strcmp(why, m->why) && e->done[0] == -1 &&
	    e->error[0] == ECONNABORTED)
		return true;
	note("client: %s, %s; server: %s", strerror(e->error[1]),
	     why ? why : "-", strerror(e->error[0]));
	return false;
}

static void meet(const struct meeting *m, bool bytewise)
{
	struct kws_tls *server = tls_server(m->certificate);
	struct kws_tls *client = m->ca ? tls_client(m->ca) : NULL;
	struct ends e = { .relay = { -1, -1 } };
	int a[2], b[2];
	bool good;

	stream_pair(a);
	e.fds[0] = a[0];
	e.fds[1] = a[1];
	if (bytewise) {
		stream_pair(b);
		e.relay[0] = a[1];
		e.relay[1] = b[1];
		e.fds[1] = b[0];
	}
	good = ends_shake(&e, server, client, m->url);
	if (good)
		good = m->error ? refused(&e, m) : agreed(&e);
	result(good, "tls: %s%s", m->name, bytewise ? ", byte by byte" : "");
	kws_tls_free(server);
	kws_tls_free(client);
	ends_close(&e);
}

/* Options and files that make no sense. */
static void refuse_options(void)
{
	static const struct {
		const char *name;
		unsigned int role;
		const char *certificate;
		const char *key;
		const char *ca;
		int insecure;
		unsigned int ktls;
		int error;
	} rows[] = {
		{ "a server without a certificate", 0, NULL, NULL, .error = EINVAL },
		{ "a server without a key", 0, "good.pem", NULL, .error = EINVAL },
		{ "a client with a certificate", 1, "good.pem", "good.key",
		  .error = EINVAL },
		{ "a server that trusts somebody", 0, "good.pem", "good.key", CA,
		  .error = EINVAL },
		{ "an insecure server", 0, "good.pem", "good.key", NULL, 1,
		  .error = EINVAL },
		{ "a role that there is not", 2, .error = EINVAL },
		{ "a kTLS that there is not", 1, .ktls = 3, .error = EINVAL },
		{ "no certificate file", 0, "none.pem", "good.key", .error = ENOENT },
		{ "no key file", 0, "good.pem", "none.key", .error = ENOENT },
		{ "no file of roots", 1, .ca = "none.pem", .error = ENOENT },
		{ "a key as certificate", 0, "good.key", "good.key",
		  .error = EBADMSG },
		{ "a certificate as key", 0, "good.pem", "good.pem",
		  .error = EBADMSG },
		{ "another certificate's key", 0, "good.pem", "other.key",
		  .error = EBADMSG },
		{ "a key among the roots", 1, .ca = "good.key", .error = EBADMSG },
	};
	char files[3][4096];
	unsigned int i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *names[3] = { rows[i].certificate, rows[i].key,
					 rows[i].ca };
		struct kws_tls_options o = { .insecure = rows[i].insecure,
					     .ktls = rows[i].ktls };
		const char *why = NULL;
		struct kws_tls *tls;
		int j;

		for (j = 0; j < 3; j++)
			if (names[j])
				strcpy(files[j], certificate_file(names[j]));
		o.certificate = names[0] ? files[0] : NULL;
		o.key = names[1] ? files[1] : NULL;
		o.ca = names[2] ? files[2] : NULL;
		tls = kws_tls_new(rows[i].role, &o, &why);
		result(!tls && errno == rows[i].error && why,
		       "kws_tls_new(): %s", rows[i].name);
		kws_tls_free(tls);
	}
}

/* A context is for one role. */
static void refuse_roles(void)
{
	struct kws_tls *server = tls_server("good");
	struct kws_tls *client = tls_client(CA);
	struct kws_options for_server = { .tls = client };
	struct kws_options for_client = { .tls = server };
	struct kws_handshake *hs;

	hs = kws_handshake_server(&for_server);
	result(!hs && errno == EINVAL, "tls: a client's context in a server");
	hs = kws_handshake_client("wss://localhost/", &for_client);
	result(!hs && errno == EINVAL, "tls: a server's context in a client");
	hs = kws_handshake_client("ws://localhost/", &for_client);
	result(!!hs, "tls: without TLS the context does not matter");
	kws_handshake_free(hs);
	kws_tls_free(server);
	kws_tls_free(client);
}

void test_tls_handshakes(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(meetings) / sizeof(meetings[0]); i++)
		meet(&meetings[i], false);
	meet(&meetings[0], true);
	meet(&meetings[6], true);
	meet(&meetings[10], true);
	refuse_options();
	refuse_roles();
}
