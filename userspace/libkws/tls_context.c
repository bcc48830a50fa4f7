// SPDX-License-Identifier: MIT
/*
 * Shared by the TLS connections of a program: certificates, trust, and what may
 * be negotiated.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/err.h>

#include "tls.h"

/* In the format of RFC 7301 section 3.1. */
static const unsigned char protocols[] = "\x08http/1.1";
#define PROTOCOLS_LEN	(sizeof(protocols) - 1)

/* Earlier versions of OpenSSL do not pass the keys to receive TLS 1.3 on. */
#define RECEIVES_13	0x30200000UL

/* The ciphers that OpenSSL can pass to the kernel. */
#define KTLS_CIPHERS	"ECDHE+AESGCM:ECDHE+CHACHA20"

bool tls_library_receives_13(void)
{
	return OpenSSL_version_num() >= RECEIVES_13;
}

/* Sets errno to the one of a file, if OpenSSL failed on a file. */
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
 * With one direction in the kernel the framing could not be there, and the
 * connection would be slower than without: OpenSSL would make a call for every
 * record.
 */
static void refuse_half_ktls(const SSL *ssl, int where, int value)
{
	(void)where;
	(void)value;
	/* On a client this is the wanted version until the server answers. */
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
			SSL_CTX_set_info_callback(ctx, refuse_half_ktls);
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
	/* No session tickets: their key would open many connections. */
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
		goto err_free_ctx;
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION |
			    SSL_OP_NO_COMPRESSION |
			    SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
			 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    set_ktls(ctx, o->ktls) ||
	    (client ? set_client(ctx, o, why) : set_server(ctx, o, why)))
		goto err_free_ctx;
	return ctx;

err_free_ctx:
	set_errno(EBADMSG);
	SSL_CTX_free(ctx);
	return NULL;
}

/**
 * kws_tls_new() - prepare TLS for any number of connections
 * @role: WS_ROLE_SERVER or WS_ROLE_CLIENT: our side
 * @options: of TLS; may be NULL for a client
 * @why: set to a static string after a failure; may be NULL
 *
 * Connections that use it stay valid when it is freed.
 *
 * Return: a value for kws_options::tls, or NULL with EINVAL (an option that
 * this side does not use, or a missing one), an errno of open(2), EBADMSG (a
 * file without the expected contents) or ENOMEM.
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
		goto out_set_why;
	}
	what = "out of memory";
	tls = calloc(1, sizeof(*tls));
	if (!tls)
		goto out_set_why;
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
out_set_why:
	if (why)
		*why = tls ? NULL : what;
	return tls;
}

/**
 * kws_tls_free() - free it when no more connections will be made
 * @tls: may be NULL
 */
void kws_tls_free(struct kws_tls *tls)
{
	if (!tls)
		return;
	SSL_CTX_free(tls->ctx);
	free(tls);
}
