// SPDX-License-Identifier: MIT
/* permessage-deflate: who offers what, what is answered and agreed on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kws.h"
#include "test.h"

#define PMD	"permessage-deflate"
#define S_NO	"server_no_context_takeover"
#define C_NO	"client_no_context_takeover"
#define S_MAX	"server_max_window_bits"
#define C_MAX	"client_max_window_bits"

static const struct kws_deflate any;

/**
 * struct offers - what a client asks for and what a server makes of it
 * @own: the server's wishes, NULL for no compression
 * @offers: values of Sec-WebSocket-Extensions; "\n" begins another header line
 * @answer: the server's, "" for none, NULL for status 400
 * @agreed: see agreement()
 */
static const struct offers {
	const char *name;
	const struct kws_deflate *own;
	const char *offers;
	const char *answer;
	const char *agreed;
} offers[] = {
#define OWN(...) &(const struct kws_deflate){ __VA_ARGS__ }
	{ "no offer", &any, "", "", "none" },
	{ "no wish", NULL, PMD, "", "none" },
	{ "the plain offer", &any, PMD, PMD, "--15/15" },
	{ "in capitals", &any, "PerMessage-Deflate", PMD, "--15/15" },
	{ "all parameters", &any, PMD "; " S_NO "; " C_NO "; " S_MAX "=10; "
	  C_MAX "=9", PMD "; " S_NO "; " C_NO "; " S_MAX "=10; " C_MAX "=9",
	  "sc10/9" },
	{ "what browsers offer", &any, PMD "; " C_MAX, PMD, "--15/15" },
	{ "quoted values", &any, PMD "; " S_MAX "=\"12\";" C_MAX "=\"1\\1\"",
	  PMD "; " S_MAX "=12; " C_MAX "=11", "--12/11" },
	{ "white space everywhere", &any, " \t" PMD "\t; " S_MAX " = 12 ;" S_NO
	  " ,", PMD "; " S_NO "; " S_MAX "=12", "s-12/15" },
	{ "window 8", &any, PMD "; " S_MAX "=8; " C_MAX "=8",
	  PMD "; " S_MAX "=8; " C_MAX "=8", "--8/8" },
	{ "window 15 is confirmed", &any, PMD "; " S_MAX "=15; " C_MAX "=15",
	  PMD "; " S_MAX "=15", "--15/15" },
	{ "window 7", &any, PMD "; " S_MAX "=7", "", "none" },
	{ "window 16", &any, PMD "; " S_MAX "=16", "", "none" },
	{ "window 09", &any, PMD "; " S_MAX "=09", "", "none" },
	{ "window 1", &any, PMD "; " C_MAX "=1", "", "none" },
	{ "window 010", &any, PMD "; " C_MAX "=010", "", "none" },
	{ "window a", &any, PMD "; " C_MAX "=a", "", "none" },
	{ "window -9", &any, PMD "; " S_MAX "=-9", "", "none" },
	{ "a very long value", &any, PMD "; " S_MAX
	  "=1000000000000000000000000000000000000000000000", "", "none" },
	{ "the server's window without a value", &any, PMD "; " S_MAX, "",
	  "none" },
	{ "a flag with a value", &any, PMD "; " S_NO "=1", "", "none" },
	{ "the other flag with a value", &any, PMD "; " C_NO "=true", "",
	  "none" },
	{ "a flag twice", &any, PMD "; " S_NO "; " S_NO, "", "none" },
	{ "a window twice", &any, PMD "; " S_MAX "=9; " S_MAX "=9", "",
	  "none" },
	{ "a window twice, once without a value", &any, PMD "; " C_MAX "=9; "
	  C_MAX, "", "none" },
	{ "an unknown parameter", &any, PMD "; mode=fast", "", "none" },
	{ "twenty parameters", &any, PMD
	  ";a;b;c;d;e;f;g;h;i;j;k;l;m;n;o;p;q;r;s;t", "", "none" },
	{ "a declined offer, then a good one", &any, PMD "; mode=fast, " PMD "; "
	  S_NO ", " PMD, PMD "; " S_NO, "s-15/15" },
	{ "in two header lines", &any, PMD "; " S_MAX "=7\n" PMD "; " C_NO,
	  PMD "; " C_NO, "-c15/15" },
	{ "other extensions", &any, "x-webkit-deflate-frame, mux; max=4, "
	  PMD ", bbf; a=\"b\"", PMD, "--15/15" },
	{ "only other extensions", &any, "permessage-bzip2, permessage-deflat",
	  "", "none" },
	{ "the server's flags", OWN(.server_no_context_takeover = 1,
				    .client_no_context_takeover = 1), PMD,
	  PMD "; " S_NO "; " C_NO, "sc15/15" },
	{ "the server's own window", OWN(.server_max_window_bits = 10), PMD,
	  PMD "; " S_MAX "=10", "--10/15" },
	{ "the client wants a smaller one", OWN(.server_max_window_bits = 10),
	  PMD "; " S_MAX "=9", PMD "; " S_MAX "=9", "--9/15" },
	{ "the client allows a larger one", OWN(.server_max_window_bits = 10),
	  PMD "; " S_MAX "=11", PMD "; " S_MAX "=10", "--10/15" },
	{ "a limit for the client", OWN(.client_max_window_bits = 10),
	  PMD "; " C_MAX, PMD "; " C_MAX "=10", "--15/10" },
	{ "below the client's hint", OWN(.client_max_window_bits = 10),
	  PMD "; " C_MAX "=12", PMD "; " C_MAX "=10", "--15/10" },
	{ "above the client's hint", OWN(.client_max_window_bits = 10),
	  PMD "; " C_MAX "=9", PMD "; " C_MAX "=9", "--15/9" },
	{ "a limit that the client does not know",
	  OWN(.client_max_window_bits = 10), PMD, "", "none" },
	{ "the first offer that knows it", OWN(.client_max_window_bits = 10),
	  PMD "; " S_NO ", " PMD "; " C_MAX, PMD "; " C_MAX "=10", "--15/10" },
	{ "no list: an empty parameter", &any, PMD ";", NULL, NULL },
	{ "no list: no value", &any, PMD "; " S_MAX "=", NULL, NULL },
	{ "no list: an empty value", &any, PMD "; " S_MAX "=\"\"", NULL, NULL },
	{ "no list: an open quote", &any, PMD "; " S_MAX "=\"10", NULL, NULL },
	{ "no list: a backslash at the end", &any, PMD "; a=\"1\\", NULL,
	  NULL },
	{ "no list: a quoted space", &any, PMD "; a=\"1 0\"", NULL, NULL },
	{ "no list: two words", &any, PMD " " S_NO, NULL, NULL },
	{ "no list: text behind a quote", &any, PMD "; a=\"1\"0", NULL, NULL },
	{ "no list: a parameter alone", &any, "=1", NULL, NULL },
	{ "no list, behind a good offer", &any, PMD ", ;", NULL, NULL },
	{ "no list, even where nobody wants one", NULL, "a b", NULL, NULL },
#undef OWN
};

/* "none", or flags and windows as in "sc15/15". */
static void agreement(const struct kws_deflate *d, char *text)
{
	if (!d)
		strcpy(text, "none");
	else
		sprintf(text, "%c%c%u/%u",
			d->server_no_context_takeover ? 's' : '-',
			d->client_no_context_takeover ? 'c' : '-',
			d->server_max_window_bits, d->client_max_window_bits);
}

/* The values, "\n" between them, as header lines. */
static void header_lines(const char *values, char *lines)
{
	*lines = '\0';
	while (*values) {
		size_t n = strcspn(values, "\n");

		lines += sprintf(lines, "Sec-WebSocket-Extensions: %.*s\r\n",
				 (int)n, values);
		values += n + (values[n] == '\n');
	}
}

static bool offers_good(const struct offers *o)
{
	struct kws_options options = { .deflate = o->own };
	struct kws_handshake *hs = kws_handshake_server(&options);
	const struct kws_result *out = kws_handshake_result(hs);
	char text[1024], answer[1024], lines[512], *p;
	char agreed[32], wanted[256];
	int ends[2], got, error;
	bool good;

	header_lines(o->offers, lines);
	sprintf(text, "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
		"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", lines);
	stream_pair(ends);
	put(ends[1], text, strlen(text));
	got = kws_handshake_step(hs, ends[0]);
	error = errno;
	answer[get(ends[1], answer, sizeof(answer) - 1)] = '\0';
	p = strstr(answer, "Sec-WebSocket-Extensions:");
	if (!o->answer) {
		good = got == -1 && error == EPROTO && out->status == 400;
	} else {
		header_lines(o->answer, wanted);
		agreement(out->deflate, agreed);
		good = got == 1 && !strcmp(agreed, o->agreed) &&
			!p == !*o->answer &&
			(!p || !strncmp(p, wanted, strlen(wanted))) &&
			(!p || !strstr(p + 1, "Sec-WebSocket-Ext"));
	}
	if (!good)
		note("step %d (%s), status %d; answer: %s", got,
		     strerror(error), out->status, p);
	kws_handshake_free(hs);
	close(ends[0]);
	close(ends[1]);
	return good;
}

/**
 * struct answer - what a server says to a client's offer
 * @own: the client's wishes, @count of them
 * @offer: what it offers
 * @answer: as struct offers
 * @agreed: see agreement(); NULL for a failure
 */
static const struct answer {
	const char *name;
	const struct kws_deflate *own;
	unsigned int count;
	const char *offer;
	const char *answer;
	const char *agreed;
} answers[] = {
#define OWN(...) (const struct kws_deflate[]){ __VA_ARGS__ }
#define PLAIN	&any, 0, PMD "; " C_MAX
	{ "nothing", PLAIN, "", "none" },
	{ "yes", PLAIN, PMD, "--15/15" },
	{ "yes, in capitals", PLAIN, "PERMESSAGE-DEFLATE", "--15/15" },
	{ "all parameters", PLAIN, PMD "; " S_NO ";" C_NO ";" S_MAX "=\"8\"; "
	  C_MAX "=9", "sc8/9" },
	{ "nothing was offered", NULL, 0, "", PMD, NULL },
	{ "an empty list", PLAIN, " ", NULL },
	{ "another extension", PLAIN, "permessage-bzip2", NULL },
	{ "another one, too", PLAIN, PMD ", mux", NULL },
	{ "twice", PLAIN, PMD ", " PMD, NULL },
	{ "twice in two lines", PLAIN, PMD "\n" PMD, NULL },
	{ "no list", PLAIN, PMD ";", NULL },
	{ "no list behind it", PLAIN, PMD ", =", NULL },
	{ "an unknown parameter", PLAIN, PMD "; x", NULL },
	{ "a flag twice", PLAIN, PMD "; " C_NO "; " C_NO, NULL },
	{ "a flag with a value", PLAIN, PMD "; " C_NO "=1", NULL },
	{ "our window without a value", PLAIN, PMD "; " C_MAX, NULL },
	{ "its window without a value", PLAIN, PMD "; " S_MAX, NULL },
	{ "window 7", PLAIN, PMD "; " S_MAX "=7", NULL },
	{ "window 16", PLAIN, PMD "; " C_MAX "=16", NULL },
	{ "a leading zero", PLAIN, PMD "; " C_MAX "=08", NULL },
	{ "the server resets, as asked", OWN({ .server_no_context_takeover = 1 }),
	  0, PMD "; " S_NO "; " C_MAX, PMD "; " S_NO, "s-15/15" },
	{ "the server does not", OWN({ .server_no_context_takeover = 1 }),
	  0, PMD "; " S_NO "; " C_MAX, PMD, NULL },
	{ "we reset, whatever it says", OWN({ .client_no_context_takeover = 1 }),
	  0, PMD "; " C_NO "; " C_MAX, PMD, "-c15/15" },
	{ "its window, as asked", OWN({ .server_max_window_bits = 10 }), 0,
	  PMD "; " S_MAX "=10; " C_MAX, PMD "; " S_MAX "=10", "--10/15" },
	{ "a smaller one", OWN({ .server_max_window_bits = 10 }), 0,
	  PMD "; " S_MAX "=10; " C_MAX, PMD "; " S_MAX "=8", "--8/15" },
	{ "a larger one", OWN({ .server_max_window_bits = 10 }), 0,
	  PMD "; " S_MAX "=10; " C_MAX, PMD "; " S_MAX "=11", NULL },
	{ "any", OWN({ .server_max_window_bits = 10 }), 0,
	  PMD "; " S_MAX "=10; " C_MAX, PMD, NULL },
	{ "our hint", OWN({ .client_max_window_bits = 10 }), 0,
	  PMD "; " C_MAX "=10", PMD, "--15/10" },
	{ "less than our hint", OWN({ .client_max_window_bits = 10 }), 0,
	  PMD "; " C_MAX "=10", PMD "; " C_MAX "=9", "--15/9" },
	{ "more than our hint", OWN({ .client_max_window_bits = 10 }), 0,
	  PMD "; " C_MAX "=10", PMD "; " C_MAX "=11", NULL },
	{ "the second offer", OWN({ .server_max_window_bits = 10 }, { 0 }), 2,
	  PMD "; " S_MAX "=10; " C_MAX ", " PMD "; " C_MAX, PMD, "--15/15" },
	{ "the first of two", OWN({ .server_max_window_bits = 10 },
				  { .client_no_context_takeover = 1 }), 2,
	  PMD "; " S_MAX "=10; " C_MAX ", " PMD "; " C_NO "; " C_MAX,
	  PMD "; " S_MAX "=9", "--9/15" },
#undef OWN
};

/* libkws is the server, too: only its extension is written by hand. */
static bool answer_good(const struct answer *a)
{
	struct kws_options ours = { .deflate = a->own,
				    .deflate_count = a->count };
	char lines[512], agreed[32];
	struct kws_options theirs = { .headers = lines };
	struct kws_handshake *client, *server;
	const struct kws_result *out;
	const char *offer;
	int ends[2], got;
	bool good;

	header_lines(a->answer, lines);
	client = kws_handshake_client("ws://x/", &ours);
	server = kws_handshake_server(&theirs);
	out = kws_handshake_result(client);
	stream_pair(ends);
	kws_handshake_step(client, ends[0]);
	good = kws_handshake_step(server, ends[1]) == 1;
	got = kws_handshake_step(client, ends[0]);
	offer = kws_handshake_header(server, "Sec-WebSocket-Extensions");
	agreement(out->deflate, agreed);
	good = good && !strcmp(offer ? offer : "", a->offer) &&
		(a->agreed ? got == 1 && !strcmp(agreed, a->agreed) :
		 got == -1 && errno == EPROTO);
	if (!good)
		note("step %d (%s), offer %s, agreed %s", got,
		     out->error ? out->error : "", offer, agreed);
	kws_handshake_free(client);
	kws_handshake_free(server);
	close(ends[0]);
	close(ends[1]);
	return good;
}

static void test_options(void)
{
	static const struct kws_deflate wrong[] = {
		{ .server_max_window_bits = 7 },
		{ .client_max_window_bits = 16 },
		{ .level = 10 },
		{ .memory = 10 },
	};
	struct kws_options options = { 0 };
	struct kws_handshake *hs;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		options.deflate = &wrong[i];
		result(!kws_handshake_server(&options) && errno == EINVAL,
		       "options: deflate out of range (%zu)", i);
	}
	options.deflate = &any;
	options.deflate_count = 9;
	result(!kws_handshake_client("ws://x/", &options) && errno == EINVAL,
	       "options: too many offers");
	options.deflate = NULL;
	options.deflate_count = 1;
	result(!kws_handshake_client("ws://x/", &options) && errno == EINVAL,
	       "options: a count of nothing");

	options.deflate = &any;
	options.deflate_count = 0;
	hs = kws_handshake_server(&options);
	result(hs && !kws_handshake_result(hs)->deflate,
	       "options: nothing is agreed on before the request");
	kws_handshake_free(hs);
}

void test_negotiation(void)
{
	size_t i;

	for (i = 0; i < sizeof(offers) / sizeof(offers[0]); i++)
		result(offers_good(&offers[i]), "offer: %s", offers[i].name);
	for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++)
		result(answer_good(&answers[i]), "answer: %s", answers[i].name);
	test_options();
}
