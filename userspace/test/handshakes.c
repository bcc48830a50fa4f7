// SPDX-License-Identifier: MIT
/* Opening handshakes: tables of what the peer says and what comes of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/evp.h>

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
	  "connection: uPGRADE\r\nupgrade: WebSocket\r\nsec-websocket-key:"
	  "dGhlIHNhbXBsZSBub25jZQ==\r\nHOST: x\r\n" END, 101 },
	{ "Connection is a list", GET UP "Connection: keep-alive, Upgrade\r\n"
	  KEY V13 END, 101 },
	{ "Connection in two lines", GET UP "Connection: keep-alive\r\n" CON
	  KEY V13 END, 101 },
	{ "Upgrade is a list", GET "Upgrade: h2c, websocket\r\n" CON KEY V13
	  END, 101 },
	{ "white space around values", GET UP CON
	  "Sec-WebSocket-Key: \t dGhlIHNhbXBsZSBub25jZQ== \t \r\n" V13 END, 101 },
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
	{ "an empty body", GET UP CON KEY V13 "Content-Length: 0\r\n" END, 101 },
	{ "a chunked body", GET UP CON KEY V13 "Transfer-Encoding: chunked\r\n"
	  END "0\r\n\r\n", 400, EPROTO },
	{ "a folded line", GET UP CON KEY V13 "X: a\r\n b\r\n" END,
	  400, EBADMSG },
	{ "a lone CR", GET UP CON KEY V13 "X: a\rY: b\r\n" END, 400, EBADMSG },
	{ "a lone LF", "GET / HTTP/1.1\nHost: x\n" UP CON KEY V13 "\n",
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
	  "\x81\x80" "1234", 101, 0, NULL, 6 },
};

static bool has(const char *text, const char *part)
{
	return strstr(text, part);
}

static bool request_good(const struct request *r, size_t step)
{
	static const struct kws_options options = { .protocols = spoken };
	struct kws_handshake *hs = kws_handshake_server(&options);
	const struct kws_result *out = kws_handshake_result(hs);
	size_t len = strlen(r->text), i;
	char answer[1024] = "", line[64];
	int ends[2], got = 0;
	bool good;

	/* Some texts hold NULs. */
	if (!strcmp(r->name, "TLS"))
		len = 11;
	stream_pair(ends);
	for (i = 0; i < len && !got; i += step) {
		put(ends[1], r->text + i, step < len - i ? step : len - i);
		got = kws_handshake_step(hs, ends[0]);
	}
	good = r->error ? got == -1 && errno == r->error : got == 1;
	answer[get(ends[1], answer, sizeof(answer) - 1)] = '\0';
	sprintf(line, "HTTP/1.1 %d ", r->status);
	good = good && out->status == r->status &&
		!strncmp(answer, line, strlen(line)) &&
		!out->error == !r->error;
	if (good && r->status == 101) {
		good = has(answer, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") &&
			!has(answer, "Extensions") &&
			!strcmp(answer + strlen(answer) - 4, "\r\n\r\n") &&
			!strcmp(r->protocol ? r->protocol : "-",
				out->protocol ? out->protocol : "-") &&
			!!r->protocol == has(answer, "Sec-WebSocket-Protocol");
		/* In small steps the frames are still in the socket. */
		if (step == len)
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
	struct kws_options options = { .head_max = 256, .timeout_ms = 30 };
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
	got = kws_accept(ends[0], &options, &hs);
	result(got == -1 && errno == ETIMEDOUT &&
	       kws_handshake_result(hs)->status == 408 &&
	       get(ends[1], answer, sizeof(answer)) > 20 &&
	       !memcmp(answer, "HTTP/1.1 408 ", 13), "request: too slow");
	kws_handshake_free(hs);

	close(ends[1]);
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

		stream_pair(ends);
		put(ends[1], text, sprintf(text, "GET %s HTTP/1.1\r\nHost: x\r\n"
					   "%sSec-WebSocket-Protocol: a, b\r\n\r\n",
					   cases[i].target, UP CON KEY V13));
		got = kws_accept(ends[0], &options, &hs);
		get(ends[1], answer, sizeof(answer) - 1);
		result(got == (cases[i].status == 101 ? 0 : -1) &&
		       kws_handshake_result(hs)->status == cases[i].status &&
		       (got || has(answer, "X-More: yes\r\n")),
		       "request: choose %s for %s", cases[i].choice,
		       cases[i].target);
		kws_handshake_free(hs);
		close(ends[0]);
		close(ends[1]);
	}
}

void test_requests(void)
{
	size_t i;

	for (i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const struct request *r = &requests[i];

		result(request_good(r, strlen(r->text) > 11 ?
				    strlen(r->text) : 11) &&
		       request_good(r, 1) && request_good(r, 7),
		       "request: %s", r->name);
	}
	test_limits();
	test_choose();
}

#define OK101	"HTTP/1.1 101 Switching Protocols\r\n"
#define ACCEPT	"Sec-WebSocket-Accept: @\r\n"

/**
 * struct response - an answer and what a client makes of it
 * @text: "@" stands for the right Sec-WebSocket-Accept
 */
static const struct response {
	const char *name;
	const char *text;
	int status;
	int error;
	const char *protocol;
	const char *location;
	size_t surplus;
} responses[] = {
	{ "an upgrade", OK101 UP CON ACCEPT END, 101 },
	{ "any case", "HTTP/1.1 101 Whatever\r\nUPGRADE: WebSocket\r\n"
	  "CONNECTION: foo, UPGRADE\r\nsec-websocket-accept:@\r\n" END, 101 },
	{ "frames behind the answer", OK101 UP CON ACCEPT END "\x81\x02hi",
	  101, 0, NULL, NULL, 4 },
	{ "an interim answer first", "HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n"
	  OK101 UP CON ACCEPT END, 101 },
	{ "HTTP/1.0", "HTTP/1.0 101 Switching Protocols\r\n" UP CON ACCEPT END,
	  101, EPROTO },
	{ "no Upgrade", OK101 CON ACCEPT END, 101, EPROTO },
	{ "another Upgrade", OK101 "Upgrade: h2c\r\n" CON ACCEPT END,
	  101, EPROTO },
	{ "no Connection", OK101 UP ACCEPT END, 101, EPROTO },
	{ "no Accept", OK101 UP CON END, 101, EPROTO },
	{ "a wrong Accept", OK101 UP CON
	  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" END,
	  101, EPROTO },
	{ "two Accepts", OK101 UP CON ACCEPT ACCEPT END, 101, EPROTO },
	{ "an extension", OK101 UP CON ACCEPT
	  "Sec-WebSocket-Extensions: permessage-deflate\r\n" END, 101, EPROTO },
	{ "a subprotocol that we offered", OK101 UP CON ACCEPT
	  "Sec-WebSocket-Protocol: v1.chat\r\n" END, 101, 0, "v1.chat" },
	{ "one that we did not", OK101 UP CON ACCEPT
	  "Sec-WebSocket-Protocol: v3.chat\r\n" END, 101, EPROTO },
	{ "two subprotocols", OK101 UP CON ACCEPT
	  "Sec-WebSocket-Protocol: v1.chat, v2.chat\r\n" END, 101, EPROTO },
	{ "a redirect", "HTTP/1.1 302 Found\r\nLocation: ws://b.example/\r\n"
	  "Content-Length: 5\r\n" END "hello", 302, ECONNREFUSED, NULL,
	  "ws://b.example/" },
	{ "unauthorized", "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic\r\n"
	  END, 401, ECONNREFUSED },
	{ "a page", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" END
	  "1\r\na\r\n0\r\n\r\n", 200, ECONNREFUSED },
	{ "not HTTP", "SSH-2.0-OpenSSH_9.2\r\n", 0, EBADMSG },
	{ "nonsense", "HTTP/1.1 abc\r\n" END, 0, EBADMSG },
};

/* The right accept value for the request's key, computed on its own. */
static void accept_of(const char *request, char *accept)
{
	static const char head[] = "Sec-WebSocket-Key: ";
	const char *key = strstr(request, head) + sizeof(head) - 1;
	unsigned char digest[EVP_MAX_MD_SIZE];
	char text[128];
	int n;

	n = sprintf(text, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
	EVP_Digest(text, n, digest, NULL, EVP_sha1(), NULL);
	EVP_EncodeBlock((unsigned char *)accept, digest, 20);
}

static bool response_good(const struct response *r, size_t step)
{
	static const struct kws_options options = { .protocols = spoken };
	struct kws_handshake *hs = kws_handshake_client("ws://a.example/x",
							&options);
	const struct kws_result *out = kws_handshake_result(hs);
	char request[1024], text[1024], accept[64], *p = text;
	const char *from = r->text;
	int ends[2], got;
	size_t i, len;
	bool good;

	stream_pair(ends);
	got = kws_handshake_step(hs, ends[0]);
	request[get(ends[1], request, sizeof(request) - 1)] = '\0';
	accept_of(request, accept);
	for (; *from; from++)
		p += *from == '@' ? sprintf(p, "%s", accept) :
			sprintf(p, "%c", *from);
	len = p - text;
	for (i = 0; i < len && !got; i += step) {
		put(ends[1], text + i, step < len - i ? step : len - i);
		got = kws_handshake_step(hs, ends[0]);
	}
	good = r->error ? got == -1 && errno == r->error : got == 1;
	good = good && out->status == r->status &&
		!strcmp(r->protocol ? r->protocol : "-",
			out->protocol ? out->protocol : "-") &&
		!strcmp(r->location ? r->location : "-",
			out->location ? out->location : "-") &&
		(step < len || r->error || out->surplus_len == r->surplus);
	if (!good)
		note("step %d (%s), status %d, %s", got, strerror(errno),
		     out->status, out->error);
	kws_handshake_free(hs);
	close(ends[0]);
	close(ends[1]);
	return good;
}

void test_responses(void)
{
	size_t i;

	for (i = 0; i < sizeof(responses) / sizeof(responses[0]); i++)
		result(response_good(&responses[i], 1024) &&
		       response_good(&responses[i], 1) &&
		       response_good(&responses[i], 5), "response: %s",
		       responses[i].name);
}

static const struct {
	const char *url;
	int error;
	const char *request;
} urls[] = {
	{ "ws://a.example", 0, "GET / HTTP/1.1\r\nHost: a.example\r\n" },
	{ "WS://a.example/", 0, "GET / HTTP/1.1\r\nHost: a.example\r\n" },
	{ "ws://a.example:81/b/c?d=e", 0,
	  "GET /b/c?d=e HTTP/1.1\r\nHost: a.example:81\r\n" },
	{ "ws://a.example?d", 0, "GET /?d HTTP/1.1\r\nHost: a.example\r\n" },
	{ "ws://[::1]:9/", 0, "GET / HTTP/1.1\r\nHost: [::1]:9\r\n" },
	{ "ws://[::1]", 0, "GET / HTTP/1.1\r\nHost: [::1]\r\n" },
	{ "wss://a.example/", EPROTONOSUPPORT },
	{ "http://a.example/", EINVAL },
	{ "ws:/a.example/", EINVAL },
	{ "ws:///path", EINVAL },
	{ "ws://a.example:0/", EINVAL },
	{ "ws://a.example:65536/", EINVAL },
	{ "ws://a.example:8a/", EINVAL },
	{ "ws://[::1", EINVAL },
	{ "ws://[::1]x/", EINVAL },
	{ "ws://user@a.example/", EINVAL },
	{ "ws://a.example/#here", EINVAL },
	{ "ws://a.example/a b", EINVAL },
	{ "ws://a.example/\r\nX: y", EINVAL },
	{ "", EINVAL },
};

void test_urls(void)
{
	char text[1024];
	size_t i;

	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		struct kws_handshake *hs;
		bool good = true;
		int ends[2];

		errno = 0;
		hs = kws_handshake_client(urls[i].url, NULL);
		if (!hs || urls[i].error) {
			result(!hs && errno == urls[i].error, "address %zu", i);
			kws_handshake_free(hs);
			continue;
		}
		stream_pair(ends);
		good = kws_handshake_step(hs, ends[0]) == 0;
		text[get(ends[1], text, sizeof(text) - 1)] = '\0';
		result(good && !strncmp(text, urls[i].request,
					strlen(urls[i].request)),
		       "address %zu", i);
		kws_handshake_free(hs);
		close(ends[0]);
		close(ends[1]);
	}
}
