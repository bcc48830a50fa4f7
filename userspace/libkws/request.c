// SPDX-License-Identifier: MIT
/* The server's side: checks the request, writes the answer; section 4.2. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "handshake.h"

static const char *get_status_text(int status)
{
	switch (status) {
	case 400:
		return "Bad Request";
	case 401:
		return "Unauthorized";
	case 403:
		return "Forbidden";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 408:
		return "Request Timeout";
	case 426:
		return "Upgrade Required";
	case 429:
		return "Too Many Requests";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	}
	return status < 500 ? "Refused" : "Server Error";
}

/* Returns the header lines that a status requires. */
static const char *get_status_lines(int status)
{
	switch (status) {
	case 405:
		return "Allow: GET\r\n";
	case 426:
		return "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
	}
	return "";
}

/**
 * request_refuse() - answer with a status of 400 to 599
 * @hs: the handshake; fails with @error once the answer is out
 * @status: the HTTP status
 * @error: errno for the caller
 * @why: a static string, for the caller and for the body of the answer
 *
 * Return: 1 (an answer has to be sent), or -1.
 */
int request_refuse(struct kws_handshake *hs, int status, int error,
		   const char *why)
{
	hs->result.status = status;
	hs->result.error = why;
	hs->error = error;
	hs->next = HANDSHAKE_FAILED;
	if (handshake_out(hs, "HTTP/1.1 %d %s\r\n%sConnection: %sclose\r\n"
			  "Content-Type: text/plain\r\n"
			  "Content-Length: %zu\r\n\r\n%s\n", status,
			  get_status_text(status), get_status_lines(status),
			  status == 426 ? "Upgrade, " : "",
			  strlen(why) + 1, why))
		return -1;
	return 1;
}

static int accept_request(struct kws_handshake *hs)
{
	const char *headers = hs->options.headers;
	const char *protocol = hs->result.protocol;
	bool deflate = hs->result.deflate;
	char accept[ACCEPT_SIZE];

	if (key_accept(head_value(&hs->head, "Sec-WebSocket-Key"), accept))
		return handshake_fail(hs, EIO, "SHA-1 is not available");
	hs->result.status = 101;
	hs->next = HANDSHAKE_DONE;
	if (handshake_out(hs, "HTTP/1.1 101 Switching Protocols\r\n"
			  "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			  "Sec-WebSocket-Accept: %s\r\n%s%s%s%s%s%s%s\r\n",
			  accept,
			  protocol ? "Sec-WebSocket-Protocol: " : "",
			  protocol ? protocol : "", protocol ? "\r\n" : "",
			  deflate ? "Sec-WebSocket-Extensions: " : "",
			  deflate ? hs->extension : "", deflate ? "\r\n" : "",
			  headers ? headers : ""))
		return -1;
	return 1;
}

/* Sets result.protocol. Returns 0, or the HTTP status of the refusal. */
static int choose_protocol(struct kws_handshake *hs)
{
	const struct kws_options *o = &hs->options;
	const char *offered = hs->result.offered;
	const char *const *p;
	const char *chosen;
	int status = 0;

	if (o->choose) {
		chosen = o->choose(o->arg, &hs->result, &status);
		if (status)
			return status;
		/* Section 4.2.2: it must be one of the offered ones. */
		if (chosen && (!offered || !list_has(offered, chosen,
						     strlen(chosen), false)))
			return 500;
		hs->result.protocol = chosen;
		return 0;
	}
	for (p = o->protocols; offered && p && *p; p++) {
		if (list_has(offered, *p, strlen(*p), false)) {
			hs->result.protocol = *p;
			break;
		}
	}
	return 0;
}

/* Returns 0, or as request_refuse(). */
static int choose_extension(struct kws_handshake *hs)
{
	char *offers = head_join(&hs->head, "Sec-WebSocket-Extensions");
	int r;

	if (!offers && errno)
		return handshake_fail(hs, ENOMEM, "out of memory");
	r = extensions_accept(offers, &hs->options, &hs->deflate,
			      hs->extension);
	free(offers);
	if (r < 0)
		return request_refuse(hs, 400, EPROTO,
				      "Sec-WebSocket-Extensions is not a list of extensions");
	if (r)
		hs->result.deflate = &hs->deflate;
	return 0;
}

/*
 * A path or, as for a proxy, a complete URI (RFC 9112 section 3.2); neither has
 * a fragment (RFC 6455 section 3).
 */
static bool is_valid_target(const char *target)
{
	if (strchr(target, '#'))
		return false;
	return *target == '/' || !strncasecmp(target, "http://", 7) ||
	       !strncasecmp(target, "https://", 8);
}

/* Checks the rules of HTTP itself. Returns 0, or as request_refuse(). */
static int check_http(struct kws_handshake *hs)
{
	const struct head *h = &hs->head;

	if (h->parser.http_major != 1 || h->parser.http_minor < 1)
		return request_refuse(hs, 505, EPROTO, "HTTP/1.1 is needed");
	if (h->parser.method != HTTP_GET)
		return request_refuse(hs, 405, EPROTO, "the method must be GET");
	if (!is_valid_target(h->target.at))
		return request_refuse(hs, 400, EPROTO,
				      "the target must be a path or a URI");
	if (head_count(h, "Host") != 1)
		return request_refuse(hs, 400, EPROTO,
				      "there must be one Host header");
	if (head_count(h, "Transfer-Encoding") ||
	    (head_count(h, "Content-Length") && h->parser.content_length))
		return request_refuse(hs, 400, EPROTO,
				      "the request must have no body");
	return 0;
}

/**
 * request_check() - check a complete request, section 4.2.1
 * @hs: the handshake
 *
 * Return: 1 when an answer has to be sent, or -1.
 */
int request_check(struct kws_handshake *hs)
{
	const struct head *h = &hs->head;
	const char *key, *version;
	int r;

	hs->result.target = h->target.at;
	hs->result.host = head_value(h, "Host");
	hs->result.origin = head_value(h, "Origin");
	r = check_http(hs);
	if (r)
		return r;
	if (!head_has_token(h, "Upgrade", "websocket"))
		return request_refuse(hs, 426, EPROTO,
				      "this is a WebSocket server: the Upgrade header must name websocket");
	if (!head_has_token(h, "Connection", "upgrade"))
		return request_refuse(hs, 400, EPROTO,
				      "the Connection header must name Upgrade");
	version = head_value(h, "Sec-WebSocket-Version");
	if (!version || head_count(h, "Sec-WebSocket-Version") != 1 ||
	    strcmp(version, "13"))
		return request_refuse(hs, 426, EPROTO,
				      "Sec-WebSocket-Version must be 13");
	key = head_value(h, "Sec-WebSocket-Key");
	if (!key || head_count(h, "Sec-WebSocket-Key") != 1 || !key_ok(key))
		return request_refuse(hs, 400, EPROTO,
				      "Sec-WebSocket-Key must be 16 bytes in base64");

	hs->offered = head_join(h, "Sec-WebSocket-Protocol");
	if (!hs->offered && errno)
		return handshake_fail(hs, ENOMEM, "out of memory");
	hs->result.offered = hs->offered;
	r = choose_extension(hs);
	if (r)
		return r;
	r = choose_protocol(hs);
	if (r == 500)
		return request_refuse(hs, 500, EINVAL,
				      "the server chose a subprotocol that was not offered");
	if (r)
		return request_refuse(hs, r, EACCES,
				      "the server does not want this request");
	return accept_request(hs);
}
