// SPDX-License-Identifier: MIT
/*
 * What the TLS connections of a program share: certificates, whom to trust,
 * and what is negotiated.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>

#include "tls.h"

/* RFC 7301 section 3.1, as it is on the wire. */
static const unsigned char protocols[] = "\x08http/1.1";
#define PROTOCOLS_LEN	(sizeof(protocols) - 1)

/* Before that OpenSSL keeps the keys to receive TLS 1.3 for itself. */
#define RECEIVES_13	0x30200000UL

/* What both OpenSSL and the kernel can give to each other. */
#define KTLS_CIPHERS	"ECDHE+AESGCM:ECDHE+CHACHA20"

bool tls_library_receives_13(void)
{
	return OpenSSL_version_num() >= RECEIVES_13;
}

/* The errno of what OpenSSL complains of, if it is a file's. */
static void set_errno(int other)
{
	unsigned long e = ERR_peek_error();

	errno = ERR_SYSTEM_ERROR(e) ? ERR_GET_REASON(e) : other;
	ERR_clear_error();
}

static int choose_protocol(SSL *ssl, const unsigned char **out,
			   unsigned char *out_len, const unsigned char *in,
			   unsigned int in_len, void *arg)
{
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, protocols, PROTOCOLS_LEN,
				  in, in_len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

/*
 * A connection with one direction in the kernel would be no use to the
 * framing there, and slower than one with none: OpenSSL would call the kernel
 * for every record.
 */
static void no_half_ktls(const SSL *ssl, int where, int value)
{
	(void)where;
	(void)value;
	/* A client's is its wish, until the server has answered. */
	if (SSL_version(ssl) == TLS1_3_VERSION)
		SSL_clear_options((SSL *)ssl, SSL_OP_ENABLE_KTLS);
	else
		SSL_set_options((SSL *)ssl, SSL_OP_ENABLE_KTLS);
}

static int set_ktls(SSL_CTX *ctx, enum kws_ktls ktls)
{
	if (ktls == KWS_KTLS_NEVER)
		return 0;
	SSL_CTX_set_options(ctx, SSL_OP_ENABLE_KTLS);
	if (ktls == KWS_KTLS_AUTO) {
		if (!tls_library_receives_13())
			SSL_CTX_set_info_callback(ctx, no_half_ktls);
		return 0;
	}
	if (SSL_CTX_set_cipher_list(ctx, KTLS_CIPHERS) != 1)
		return -1;
	if (!tls_library_receives_13() &&
	    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION) != 1)
		return -1;
	return 0;
}

static int set_server(SSL_CTX *ctx, const struct kws_tls_options *o,
		      const char **why)
{
	*why = "cannot read the certificate";
	if (SSL_CTX_use_certificate_chain_file(ctx, o->certificate) != 1)
		return -1;
	*why = "cannot read the key";
	if (SSL_CTX_use_PrivateKey_file(ctx, o->key, SSL_FILETYPE_PEM) != 1)
		return -1;
	*why = "the key is not that of the certificate";
	if (SSL_CTX_check_private_key(ctx) != 1)
		return -1;
	*why = "cannot set up TLS";
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	/* Nobody's connection can be read with a key that others share. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	return SSL_CTX_set_num_tickets(ctx, 0) == 1 ? 0 : -1;
}

static int set_client(SSL_CTX *ctx, const struct kws_tls_options *o,
		      const char **why)
{
	if (SSL_CTX_set_alpn_protos(ctx, protocols, PROTOCOLS_LEN))
		return -1;
	if (o->insecure)
		return 0;
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	*why = "cannot read the certificates to be trusted";
	if (o->ca)
		return SSL_CTX_load_verify_file(ctx, o->ca) == 1 ? 0 : -1;
	return SSL_CTX_set_default_verify_paths(ctx) == 1 ? 0 : -1;
}

static SSL_CTX *make_context(bool client, const struct kws_tls_options *o,
			     const char **why)
{
	SSL_CTX *ctx = SSL_CTX_new(client ? TLS_client_method() :
				   TLS_server_method());

	*why = "cannot set up TLS";
	if (!ctx)
		goto err;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
			    SSL_OP_NO_COMPRESSION |
			    SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
			 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    set_ktls(ctx, o->ktls) ||
	    (client ? set_client(ctx, o, why) : set_server(ctx, o, why)))
		goto err;
	return ctx;

err:
	set_errno(EBADMSG);
	SSL_CTX_free(ctx);
	return NULL;
}

/**
 * kws_tls_new() - what TLS needs, for any number of connections
 * @role: WS_ROLE_SERVER or WS_ROLE_CLIENT: our side
 * @options: how; may be NULL for a client
 * @why: set to a few words, a static string, when this fails; or NULL
 *
 * Connections that use it stay good when it is freed.
 *
 * Return: to be given to kws_options::tls, or NULL with EINVAL (options that
 * this side has no use for, or lacks), an errno of open(2), EBADMSG (a file
 * that does not hold what it should) or ENOMEM.
 */
struct kws_tls *kws_tls_new(unsigned int role,
			    const struct kws_tls_options *options,
			    const char **why)
{
	static const struct kws_tls_options none;
	bool client = role == WS_ROLE_CLIENT;
	const char *what = "wrong options";
	struct kws_tls *tls = NULL;

	if (!options)
		options = &none;
	if (role > WS_ROLE_CLIENT || options->ktls > KWS_KTLS_NEVER ||
	    client != !options->certificate || client != !options->key ||
	    (!client && (options->ca || options->insecure))) {
		errno = EINVAL;
		goto out;
	}
	what = "out of memory";
	tls = calloc(1, sizeof(*tls));
	if (!tls)
		goto out;
	tls->client = client;
	tls->insecure = options->insecure;
	tls->ktls = options->ktls;
	tls->ctx = make_context(client, options, &what);
	if (!tls->ctx) {
		int error = errno;

		free(tls);
		tls = NULL;
		errno = error;
	}
out:
	if (why)
		*why = tls ? NULL : what;
	return tls;
}

/**
 * kws_tls_free() - there will be no more new connections
 * @tls: may be NULL
 */
void kws_tls_free(struct kws_tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->ctx);
	free(tls);
}
