// SPDX-License-Identifier: MIT
/* The client's side: writes the request, checks the answer; section 4.1. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "handshake.h"
#include "list.h"
#include "url.h"

/* Returns "a, b", an empty string for no list, or NULL with errno. */
static char *join_protocols(const char *const *protocols)
{
	const char *const *p;
	size_t size = 1;
	char *list;

	for (p = protocols; p && *p; p++) {
		if (!list_token_ok(*p)) {
			errno = EINVAL;
			return NULL;
		}
		size += strlen(*p) + 2;
	}
	list = calloc(1, size);
	for (p = protocols; list && p && *p; p++) {
		if (*list)
			strcat(list, ", ");
		strcat(list, *p);
	}
	return list;
}

static int write_request(struct kws_handshake *hs, const struct url *url)
{
	const char *headers = hs->options.headers;
	char *protocols = join_protocols(hs->options.protocols);
	char *extensions;
	bool some, more;
	int r;

	if (!protocols)
		return -1;
	extensions = extensions_offer(&hs->options);
	if (!extensions) {
		free(protocols);
		return -1;
	}
	some = *protocols;
	more = *extensions;
	r = handshake_out(hs, "GET %s HTTP/1.1\r\nHost: %s\r\n"
			  "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			  "Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n"
			  "%s%s%s%s%s%s%s\r\n", url->target, url->authority,
			  hs->key,
			  some ? "Sec-WebSocket-Protocol: " : "", protocols,
			  some ? "\r\n" : "",
			  more ? "Sec-WebSocket-Extensions: " : "", extensions,
			  more ? "\r\n" : "", headers ? headers : "");
	free(extensions);
	free(protocols);
	return r;
}

/* Makes TLS the first step of the handshake. */
static int begin_tls(struct kws_handshake *hs, const char *host)
{
	struct kws_tls *given = hs->options.tls, *tls = given;

	if (given && !given->client) {
		errno = EINVAL;
		return -1;
	}
	if (!tls)
		tls = kws_tls_new(WS_ROLE_CLIENT, NULL, NULL);
	if (!tls)
		return -1;
	hs->tls = tls_new(tls, host);
	hs->state = HANDSHAKE_TLS;
	if (!given)
		kws_tls_free(tls);
	return hs->tls ? 0 : -1;
}

/**
 * kws_handshake_client() - start to ask a server for an upgrade
 * @url: ws://host[:port][/path][?query], or wss://; the caller connects
 * @options: of the handshake, or NULL; its pointers must stay valid until
 *	kws_handshake_free()
 *
 * This does no I/O: call kws_handshake_step().
 *
 * Return: the handshake, for kws_handshake_free(), or NULL with
 * EINVAL (the address or an option), EIO or ENOMEM; for wss:// without
 * options->tls also with an errno of kws_tls_new().
 */
struct kws_handshake *kws_handshake_client(const char *url,
					   const struct kws_options *options)
{
	struct kws_handshake *hs = NULL;
	struct url parts;

	if (url_parse(url, &parts))
		goto out_free_parts;
	hs = handshake_new(true, options);
	if (hs && (key_new(hs->key) || write_request(hs, &parts) ||
		   (parts.secure && begin_tls(hs, parts.host)))) {
		kws_handshake_free(hs);
		hs = NULL;
	}
out_free_parts:
	url_free(&parts);
	return hs;
}

static int check_protocol(struct kws_handshake *hs)
{
	const struct head *h = &hs->head;
	const char *answer = head_value(h, "Sec-WebSocket-Protocol");
	const char *const *p;

	if (!answer)
		return 1;
	for (p = hs->options.protocols; p && *p; p++) {
		if (!strcmp(*p, answer) &&
		    head_count(h, "Sec-WebSocket-Protocol") == 1) {
			hs->result.protocol = *p;
			return 1;
		}
	}
	return handshake_fail(hs, EPROTO,
			      "the server chose a subprotocol that was not offered");
}

static int check_extensions(struct kws_handshake *hs)
{
	char *answer = head_join(&hs->head, "Sec-WebSocket-Extensions");
	const char *why;
	int r;

	if (!answer && errno)
		return handshake_fail(hs, ENOMEM, "out of memory");
	r = extensions_check(answer, &hs->options, &hs->deflate, &why);
	free(answer);
	if (r < 0)
		return handshake_fail(hs, EPROTO, why);
	if (r)
		hs->result.deflate = &hs->deflate;
	return 1;
}

/**
 * response_check() - check a complete answer, section 4.1
 * @hs: the handshake
 *
 * Return: 1 when the upgrade is done, or -1.
 */
int response_check(struct kws_handshake *hs)
{
	const struct head *h = &hs->head;
	char accept[ACCEPT_SIZE];
	const char *answer;

	hs->result.status = h->parser.status_code;
	if (hs->result.status != 101) {
		hs->result.location = head_value(h, "Location");
		return handshake_fail(hs, ECONNREFUSED,
				      "the server answered with another status");
	}
	if (h->parser.http_major != 1 || h->parser.http_minor < 1)
		return handshake_fail(hs, EPROTO, "the answer is not HTTP/1.1");
	answer = head_value(h, "Upgrade");
	if (!answer || head_count(h, "Upgrade") != 1 ||
	    strcasecmp(answer, "websocket"))
		return handshake_fail(hs, EPROTO,
				      "the answer's Upgrade header is not websocket");
	if (!head_has_token(h, "Connection", "upgrade"))
		return handshake_fail(hs, EPROTO,
				      "the answer's Connection header does not name Upgrade");
	if (key_accept(hs->key, accept))
		return handshake_fail(hs, EIO, "SHA-1 is not available");
	answer = head_value(h, "Sec-WebSocket-Accept");
	if (!answer || head_count(h, "Sec-WebSocket-Accept") != 1 ||
	    strcmp(answer, accept))
		return handshake_fail(hs, EPROTO,
				      "the answer's Sec-WebSocket-Accept is wrong");
	if (check_extensions(hs) < 0 || check_protocol(hs) < 0)
		return -1;
	hs->state = HANDSHAKE_DONE;
	return 1;
}
