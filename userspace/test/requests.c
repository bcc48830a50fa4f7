// SPDX-License-Identifier: MIT
/* The server's side: a table of requests and what comes of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kws.h"
#include "test.h"

#define GET	"GET /chat HTTP/1.1\r\nHost: a.example\r\n"
#define UP	"Upgrade: websocket\r\n"
#define CON	"Connection: Upgrade\r\n"
#define KEY	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
#define V13	"Sec-WebSocket-Version: 13\r\n"
#define END	"\r\n"

static const char *const spoken[] = { "v2.chat", "v1.chat", NULL };

/**
 * struct request - a request and its fate
 * @status: what is answered
 * @error: errno of the step, 0 for an upgrade
 * @protocol: what is agreed on
 * @surplus: how many bytes at the end are frames
 */
static const struct request {
	const char *name;
	const char *text;
	int status;
	int error;
	const char *protocol;
	size_t surplus;
} requests[] = {
	{ "the example of RFC 6455", GET UP CON KEY V13 END, 101 },
	{ "any case, any order", "GET / HTTP/1.1\r\nSEC-WEBSOCKET-VERSION: 13\r\n"
	  "connection: uPGRADE\r\nupgrade: WebSocket\r\n"
	  "sec-websocket-key:dGhlIHNhbXBsZSBub25jZQ==\r\nHOST: x\r\n" END,
	  101 },
	{ "Connection is a list", GET UP "Connection: keep-alive, Upgrade\r\n"
	  KEY V13 END, 101 },
	{ "Connection in two lines", GET UP "Connection: keep-alive\r\n" CON
	  KEY V13 END, 101 },
	{ "Upgrade is a list", GET "Upgrade: h2c, websocket\r\n" CON KEY V13
	  END, 101 },
	{ "white space around values", GET UP CON
	  "Sec-WebSocket-Key: \t dGhlIHNhbXBsZSBub25jZQ== \t \r\n" V13 END, 101 },
	{ "empty elements in lists", GET "Upgrade: ,, websocket ,\r\n"
	  "Connection: , ,Upgrade\r\n" KEY V13 END, 101 },
	{ "Upgrade in two lines", GET "Upgrade: h2c\r\n" UP CON KEY V13 END,
	  101 },
	{ "a whole URI", "GET http://a.example/chat HTTP/1.1\r\nHost: a.example\r\n"
	  UP CON KEY V13 END, 101 },
	{ "bytes that are not ASCII", GET UP CON KEY V13
	  "Cookie: \xc3\xa4\xff\r\n" END, 101 },
	{ "bits in the padding of the key", GET UP CON
	  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZR==\r\n" V13 END, 101 },
	{ "a target that is no path", "GET * HTTP/1.1\r\nHost: x\r\n" UP CON
	  KEY V13 END, 400, EPROTO },
	{ "a target without a slash", "GET chat HTTP/1.1\r\nHost: x\r\n" UP
	  CON KEY V13 END, 400, EBADMSG },
	{ "a fragment", "GET /chat#here HTTP/1.1\r\nHost: x\r\n" UP CON KEY
	  V13 END, 400, EPROTO },
	{ "HTTP/1.2", "GET / HTTP/1.2\r\nHost: x\r\n" UP CON KEY V13 END,
	  400, EBADMSG },
	{ "HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, EBADMSG },
	{ "HTTP/1.0", "GET / HTTP/1.0\r\nHost: x\r\n" UP CON KEY V13 END,
	  505, EPROTO },
	{ "POST", "POST / HTTP/1.1\r\nHost: x\r\n" UP CON KEY V13 END,
	  405, EPROTO },
	{ "not a method", "GRAB / HTTP/1.1\r\nHost: x\r\n" UP CON KEY V13 END,
	  400, EBADMSG },
	{ "TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, EBADMSG },
	{ "no Host", "GET / HTTP/1.1\r\n" UP CON KEY V13 END, 400, EPROTO },
	{ "two Hosts", GET "Host: b.example\r\n" UP CON KEY V13 END,
	  400, EPROTO },
	{ "a browser that wants a page", GET "Accept: text/html\r\n" END,
	  426, EPROTO },
	{ "another upgrade", GET "Upgrade: h2c\r\n" CON KEY V13 END,
	  426, EPROTO },
	{ "websocket is a part of a token", GET "Upgrade: websockets\r\n" CON
	  KEY V13 END, 426, EPROTO },
	{ "no Connection", GET UP KEY V13 END, 400, EPROTO },
	{ "Connection: close", GET UP "Connection: close\r\n" KEY V13 END,
	  400, EPROTO },
	{ "no version", GET UP CON KEY END, 426, EPROTO },
	{ "version 8", GET UP CON KEY "Sec-WebSocket-Version: 8\r\n" END,
	  426, EPROTO },
	{ "version 13, 8", GET UP CON KEY "Sec-WebSocket-Version: 13, 8\r\n"
	  END, 426, EPROTO },
	{ "version 013", GET UP CON KEY "Sec-WebSocket-Version: 013\r\n" END,
	  426, EPROTO },
	{ "two versions", GET UP CON KEY V13 V13 END, 426, EPROTO },
	{ "no key", GET UP CON V13 END, 400, EPROTO },
	{ "an empty key", GET UP CON "Sec-WebSocket-Key:\r\n" V13 END,
	  400, EPROTO },
	{ "two keys", GET UP CON KEY KEY V13 END, 400, EPROTO },
	{ "a key of 15 bytes", GET UP CON
	  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA\r\n" V13 END, 400, EPROTO },
	{ "a key of 17 bytes", GET UP CON
	  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=\r\n" V13 END,
	  400, EPROTO },
	{ "a key that is not base64", GET UP CON
	  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25j*Q==\r\n" V13 END,
	  400, EPROTO },
	{ "a body", GET UP CON KEY V13 "Content-Length: 3\r\n" END "abc",
	  400, EPROTO },
	{ "two lengths", GET UP CON KEY V13 "Content-Length: 0\r\n"
	  "Content-Length: 0\r\n" END, 400, EBADMSG },
	{ "a length that is no number", GET UP CON KEY V13
	  "Content-Length: +0\r\n" END, 400, EBADMSG },
	{ "length and chunks", GET UP CON KEY V13 "Content-Length: 3\r\n"
	  "Transfer-Encoding: chunked\r\n" END, 400, EBADMSG },
	{ "an empty body", GET UP CON KEY V13 "Content-Length: 0\r\n" END, 101 },
	{ "a chunked body", GET UP CON KEY V13 "Transfer-Encoding: chunked\r\n"
	  END "0\r\n\r\n", 400, EPROTO },
	{ "a folded line", GET UP CON KEY V13 "X: a\r\n b\r\n" END,
	  400, EBADMSG },
	{ "a lone CR", GET UP CON KEY V13 "X: a\rY: b\r\n" END, 400, EBADMSG },
	{ "a lone LF", "GET / HTTP/1.1\nHost: x\n" UP CON KEY V13 "\n",
	  400, EBADMSG },
	{ "a line without a colon", GET UP CON KEY V13 "nothing\r\n" END,
	  400, EBADMSG },
	{ "a line without a name", GET UP CON KEY V13 ": a\r\n" END,
	  400, EBADMSG },
	{ "space before the colon", GET UP CON KEY V13 "X : a\r\n" END,
	  400, EBADMSG },
	{ "a subprotocol of ours", GET UP CON KEY V13
	  "Sec-WebSocket-Protocol: v1.chat\r\n" END, 101, 0, "v1.chat" },
	{ "our order decides", GET UP CON KEY V13
	  "Sec-WebSocket-Protocol: v0.chat, v1.chat ,v2.chat\r\n" END,
	  101, 0, "v2.chat" },
	{ "subprotocols in two lines", GET UP CON KEY V13
	  "Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: v1.chat\r\n"
	  END, 101, 0, "v1.chat" },
	{ "subprotocols have a case", GET UP CON KEY V13
	  "Sec-WebSocket-Protocol: V1.CHAT\r\n" END, 101 },
	{ "extensions are not taken", GET UP CON KEY V13
	  "Sec-WebSocket-Extensions: permessage-deflate\r\n" END, 101 },
	{ "frames behind the request", GET UP CON KEY V13 END
	  "\201\2001234", 101, 0, NULL, 6 },
};

#define ACCEPTED "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"

static bool has(const char *text, const char *part)
{
	return strstr(text, part);
}

/* @first bytes, then @step at a time. */
static bool request_good(const struct request *r, size_t first, size_t step)
{
	static const struct kws_options options = { .protocols = spoken };
	struct kws_handshake *hs = kws_handshake_server(&options);
	const struct kws_result *out = kws_handshake_result(hs);
	size_t len = strlen(r->text), i, n;
	char answer[1024] = "", line[64];
	int ends[2], got = 0;
	bool good;

	/* Some texts hold NULs. */
	if (!strcmp(r->name, "TLS"))
		len = 11;
	stream_pair(ends);
	for (i = 0; i < len && !got; i += n) {
		n = i ? step : first;
		if (n > len - i)
			n = len - i;
		put(ends[1], r->text + i, n);
		got = kws_handshake_step(hs, ends[0]);
	}
	good = r->error ? got == -1 && errno == r->error : got == 1;
	answer[get(ends[1], answer, sizeof(answer) - 1)] = '\0';
	sprintf(line, "HTTP/1.1 %d ", r->status);
	good = good && out->status == r->status &&
		!strncmp(answer, line, strlen(line)) &&
		!out->error == !r->error;
	if (good && r->status == 101) {
		good = (strstr(r->text, "jZR==") ||
			has(answer, ACCEPTED)) &&
			!has(answer, "Extensions") &&
			!strcmp(answer + strlen(answer) - 4, "\r\n\r\n") &&
			!strcmp(r->protocol ? r->protocol : "-",
				out->protocol ? out->protocol : "-") &&
			!!r->protocol == has(answer, "Sec-WebSocket-Protocol");
		/* In small steps the frames are still in the socket. */
		if (first == len)
			good = good && out->surplus_len == r->surplus &&
				!memcmp(out->surplus, r->text + len - r->surplus,
					r->surplus);
	}
	if (r->status == 426)
		good = good && has(answer, "Sec-WebSocket-Version: 13\r\n") &&
			has(answer, "Upgrade: websocket\r\n");
	if (!good)
		note("step %d (%s), status %d, %s; answer: %.40s", got,
		     strerror(errno), out->status, out->error, answer);
	kws_handshake_free(hs);
	close(ends[0]);
	close(ends[1]);
	return good;
}

static void test_limits(void)
{
	struct kws_options options = { .head_max = 256 };
	struct kws_handshake *hs = kws_handshake_server(&options);
	char text[300], answer[512];
	int ends[2], got;

	stream_pair(ends);
	memset(text, 'a', sizeof(text));
	memcpy(text, "GET /", 5);
	put(ends[1], text, sizeof(text));
	got = kws_handshake_step(hs, ends[0]);
	result(got == -1 && errno == EMSGSIZE &&
	       kws_handshake_result(hs)->status == 431, "request: a long head");
	kws_handshake_free(hs);
	get(ends[0], text, sizeof(text));

	get(ends[1], answer, sizeof(answer));
	options.timeout_ms = 30;
	got = kws_accept(ends[0], &options, &hs);
	result(got == -1 && errno == ETIMEDOUT &&
	       kws_handshake_result(hs)->status == 408 &&
	       get(ends[1], answer, sizeof(answer)) > 20 &&
	       !memcmp(answer, "HTTP/1.1 408 ", 13), "request: too slow");
	kws_handshake_free(hs);

	close(ends[1]);
	options.timeout_ms = 0;
	got = kws_accept(ends[0], &options, &hs);
	result(got == -1 && errno == ECONNRESET, "request: peer goes away");
	kws_handshake_free(hs);
	close(ends[0]);

	options.head_max = 100;
	result(!kws_handshake_server(&options) && errno == EINVAL,
	       "options: head_max out of range");
	options.head_max = 0;
	options.headers = "A: b\r\n\r\nC: d\r\n";
	result(!kws_handshake_server(&options) && errno == EINVAL,
	       "options: headers with an empty line");
}

static const char *choose(void *arg, const struct kws_result *request,
			  int *status)
{
	if (!strcmp(request->target, "/forbidden"))
		*status = 403;
	return arg;
}

static void test_choose(void)
{
	static const struct {
		const char *target;
		const char *choice;
		int status;
	} cases[] = {
		{ "/", "b", 101 },
		{ "/", NULL, 101 },
		{ "/", "not-offered", 500 },
		{ "/forbidden", NULL, 403 },
	};
	char text[512], answer[512] = "";
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kws_options options = {
			.choose = choose,
			.arg = (void *)cases[i].choice,
			.headers = "X-More: yes\r\n",
		};
		struct kws_handshake *hs;
		int ends[2], got;
		bool good;

		stream_pair(ends);
		put(ends[1], text, sprintf(text, "GET %s HTTP/1.1\r\nHost: x\r\n"
					   "%sSec-WebSocket-Protocol: a, b\r\n\r\n",
					   cases[i].target, UP CON KEY V13));
		got = kws_accept(ends[0], &options, &hs);
		get(ends[1], answer, sizeof(answer) - 1);
		good = !got == (cases[i].status == 101) &&
			kws_handshake_result(hs)->status == cases[i].status;
		result(good && (got || has(answer, "X-More: yes\r\n")),
		       "request: choose %s for %s", cases[i].choice,
		       cases[i].target);
		kws_handshake_free(hs);
		close(ends[0]);
		close(ends[1]);
	}
}

/* Whole, byte by byte, and cut in two at every place. */
static bool request_good_cut(const struct request *r)
{
	size_t len = strlen(r->text), cut;

	if (len < 11)
		len = 11;
	if (!request_good(r, len, len) || !request_good(r, 1, 1))
		return false;
	for (cut = 1; cut < len; cut++)
		if (!request_good(r, cut, len))
			return false;
	return true;
}

/* More lines than anybody needs, each of them short. */
static void test_flood(void)
{
	struct kws_handshake *hs = kws_handshake_server(NULL);
	char text[4096], *p = text;
	int ends[2], got, i;

	p += sprintf(p, "GET / HTTP/1.1\r\nHost: x\r\n");
	for (i = 0; i < 200; i++)
		p += sprintf(p, "A: b\r\n");
	p += sprintf(p, UP CON KEY V13 END);
	stream_pair(ends);
	put(ends[1], text, p - text);
	got = kws_handshake_step(hs, ends[0]);
	result(got == -1 && errno == EMSGSIZE &&
	       kws_handshake_result(hs)->status == 431,
	       "request: 200 header lines");
	kws_handshake_free(hs);
	close(ends[0]);
	close(ends[1]);
}

void test_requests(void)
{
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		result(request_good_cut(&requests[i]), "request: %s",
		       requests[i].name);
	test_flood();
	test_limits();
	test_choose();
}
