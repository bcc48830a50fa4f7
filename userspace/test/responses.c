// SPDX-License-Identifier: MIT
/* The client's side: tables of answers and of addresses. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/evp.h>

#include "kws.h"
#include "test.h"

#define UP	"Upgrade: websocket\r\n"
#define CON	"Connection: Upgrade\r\n"
#define END	"\r\n"

static const char *const spoken[] = { "v2.chat", "v1.chat", NULL };

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
	{ "two Upgrades", OK101 UP UP CON ACCEPT END, 101, EPROTO },
	{ "a list in Upgrade", OK101 "Upgrade: websocket, h2c\r\n" CON ACCEPT
	  END, 101, EPROTO },
	{ "Accept in the wrong case", OK101 UP CON
	  "Sec-WebSocket-Accept: S3PPLMBITXAQ9KYGZZHZRBK+XOO=\r\n" END,
	  101, EPROTO },
	{ "an empty Accept", OK101 UP CON "Sec-WebSocket-Accept:\r\n" END,
	  101, EPROTO },
	{ "many interim answers", "HTTP/1.1 100 Continue\r\n\r\n"
	  "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n"
	  OK101 UP CON ACCEPT END, 101 },
	{ "a folded line", OK101 UP CON "X: a\r\n b\r\n" ACCEPT END,
	  0, EBADMSG },
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
	{ "a redirect without a place", "HTTP/1.1 301 Moved\r\n" END,
	  301, ECONNREFUSED },
	{ "another version, please", "HTTP/1.1 426 Upgrade Required\r\n"
	  "Sec-WebSocket-Version: 8, 7\r\n" END, 426, ECONNREFUSED },
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

/* @first bytes, then @step at a time. */
static bool response_good(const struct response *r, size_t first, size_t step)
{
	static const struct kws_options options = { .protocols = spoken };
	struct kws_handshake *hs = kws_handshake_client("ws://a.example/x",
							&options);
	const struct kws_result *out = kws_handshake_result(hs);
	char request[1024], text[1024], accept[64], *p = text;
	const char *from = r->text;
	int ends[2], got;
	size_t i, n, len;
	bool good;

	stream_pair(ends);
	got = kws_handshake_step(hs, ends[0]);
	request[get(ends[1], request, sizeof(request) - 1)] = '\0';
	accept_of(request, accept);
	for (; *from; from++)
		p += *from == '@' ? sprintf(p, "%s", accept) :
			sprintf(p, "%c", *from);
	len = p - text;
	for (i = 0; i < len && !got; i += n) {
		n = i ? step : first;
		if (n > len - i)
			n = len - i;
		put(ends[1], text + i, n);
		got = kws_handshake_step(hs, ends[0]);
	}
	good = r->error ? got == -1 && errno == r->error : got == 1;
	good = good && out->status == r->status &&
		!strcmp(r->protocol ? r->protocol : "-",
			out->protocol ? out->protocol : "-") &&
		!strcmp(r->location ? r->location : "-",
			out->location ? out->location : "-") &&
		(first < len || r->error || out->surplus_len == r->surplus);
	if (!good)
		note("step %d (%s), status %d, %s", got, strerror(errno),
		     out->status, out->error);
	kws_handshake_free(hs);
	close(ends[0]);
	close(ends[1]);
	return good;
}

/* Whole, byte by byte, and cut in two at every place. */
static bool response_good_cut(const struct response *r)
{
	size_t cut;

	if (!response_good(r, 1024, 1024) || !response_good(r, 1, 1))
		return false;
	for (cut = 1; cut < strlen(r->text); cut++)
		if (!response_good(r, cut, 1024))
			return false;
	return true;
}

/* A client's handshake after its request is out, and the server's end. */
static struct kws_handshake *asked(const struct kws_options *options,
				   int ends[2])
{
	struct kws_handshake *hs = kws_handshake_client("ws://a.example/x",
							options);
	char request[1024];

	stream_pair(ends);
	kws_handshake_step(hs, ends[0]);
	get(ends[1], request, sizeof(request));
	return hs;
}

static void forget(struct kws_handshake *hs, const int ends[2])
{
	kws_handshake_free(hs);
	close(ends[0]);
	close(ends[1]);
}

static void test_bad_servers(void)
{
	static const char text[] = "HTTP/1.1 401 Unauthorized\r\n"
		"WWW-Authenticate: Basic realm=\"x\"\r\nX: y\r\n\r\n";
	struct kws_options options = { .head_max = 256 };
	struct kws_handshake *hs;
	char head[300];
	int ends[2], got;

	hs = asked(NULL, ends);
	put(ends[1], text, sizeof(text) - 1);
	got = kws_handshake_step(hs, ends[0]);
	result(got == -1 && errno == ECONNREFUSED &&
	       kws_handshake_result(hs)->status == 401 &&
	       !strcmp(kws_handshake_header(hs, "www-authenticate"),
		       "Basic realm=\"x\""), "response: what 401 asks for");
	forget(hs, ends);

	hs = asked(&options, ends);
	memset(head, 'a', sizeof(head));
	memcpy(head, OK101, sizeof(OK101) - 1);
	put(ends[1], head, sizeof(head));
	got = kws_handshake_step(hs, ends[0]);
	result(got == -1 && (errno == EMSGSIZE || errno == EBADMSG),
	       "response: a long head");
	forget(hs, ends);

	/* Long enough for the first step on a busy machine. */
	options.timeout_ms = 500;
	hs = asked(&options, ends);
	put(ends[1], OK101, sizeof(OK101) - 1);
	got = kws_handshake_step(hs, ends[0]);
	while (kws_handshake_timeout(hs) > 0)
		usleep(10000);
	result(!got && kws_handshake_timeout(hs) == 0 &&
	       kws_handshake_step(hs, ends[0]) == -1 && errno == ETIMEDOUT,
	       "response: too slow");
	forget(hs, ends);

	hs = asked(NULL, ends);
	put(ends[1], OK101, sizeof(OK101) - 1);
	shutdown(ends[1], SHUT_WR);
	got = kws_handshake_step(hs, ends[0]);
	result(got == -1 && errno == ECONNRESET,
	       "response: the end inside the head");
	forget(hs, ends);
}

void test_responses(void)
{
	size_t i;

	for (i = 0; i < sizeof(responses) / sizeof(responses[0]); i++)
		result(response_good_cut(&responses[i]), "response: %s",
		       responses[i].name);
	test_bad_servers();
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
	{ "wss://a.example/", 0, "\x16\x03\x01" },
	{ "WSS://a.example:81", 0, "\x16\x03\x01" },
	{ "wss:///path", EINVAL },
	{ "wsss://a.example/", EINVAL },
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
