// SPDX-License-Identifier: MIT
/* Compressed messages by hand: what RFC 7692 shows, and what it forbids. */
#include <stdio.h>
#include <string.h>
#include <linux/ws.h>

#include "kws.h"
#include "test.h"

#define COMMON	.level = 1, .memory = 8, .threshold = 64, \
	.server_max_window_bits = 15, .client_max_window_bits = 15

static const struct kws_deflate plain = { COMMON };
static const struct kws_deflate reset = {
	COMMON, .client_no_context_takeover = 1,
};

/* "Hello" as in section 7.2.3.1; and, after it, once more (7.2.3.2). */
#define HELLO	"\xf2\x48\xcd\xc9\xc9\x07\x00"
#define HEL	"\xf2\x48\xcd"
#define LO	"\xc9\xc9\x07\x00"
#define AGAIN	"\xf2\x00\x11\x00\x00"
/* An empty stored block that is not the last, and one of fixed codes. */
#define EMPTY	"\x00\x00\x00\xff\xff"
/* A message of one frame, below 126 bytes. */
#define TEXT(n)	"\xc1" n MASKED
#define BIN(n)	"\xc2" n MASKED

static const struct stream streams[] = {
#define IN(text) WS_ROLE_SERVER, text, sizeof(text) - 1
#define PLAIN	&plain
	{ "the example", IN(TEXT("\x87") HELLO), "T\"Hello\"-", "", PLAIN },
	{ "the example as two fragments",
	  IN("\x41\x83" MASKED HEL "\x80\x84" MASKED LO), "T\"Hello\"-", "", PLAIN },
	{ "the example twice, with context takeover",
	  IN(TEXT("\x87") HELLO TEXT("\x85") AGAIN),
	  "T\"Hello\"T\"Hello\"-", "", PLAIN },
	{ "the example in a stored block",
	  IN(TEXT("\x8b") "\000\005\000\372\377Hello\000"),
	  "T\"Hello\"-", "", PLAIN },
	{ "the example with BFINAL",
	  IN(TEXT("\x88") "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
	  "T\"Hello\"-", "", PLAIN },
	{ "the example in two blocks",
	  IN(TEXT("\x8d") "\xf2\x48\x05\x00\x00\x00\xff\xff\xca" LO), "T\"Hello\"-", "", PLAIN },
	{ "BFINAL without the byte behind it",
	  IN(TEXT("\x87") "\xf3\x48\xcd\xc9\xc9\x07\x00" TEXT("\x85") AGAIN),
	  "T\"Hello\"T\"Hello\"-", "", PLAIN },
	{ "blocks behind BFINAL",
	  IN(TEXT("\x8e") "\xf3\x48\xcd\xc9\xc9\x07\x00" HELLO),
	  "T\"HelloHello\"-", "", PLAIN },
	{ "the window outlives BFINAL",
	  IN(TEXT("\x88") "\xf3\x48\xcd\xc9\xc9\x07\x00\x00" TEXT("\x85") AGAIN),
	  "T\"Hello\"T\"Hello\"-", "", PLAIN },
	{ "no takeover: the example with BFINAL, twice",
	  IN(TEXT("\x88") "\xf3\x48\xcd\xc9\xc9\x07\x00\x00" TEXT("\x88")
	     "\xf3\x48\xcd\xc9\xc9\x07\x00\x00"),
	  "T\"Hello\"T\"Hello\"-", "", &reset },
	{ "no takeover: each for itself",
	  IN(TEXT("\x87") HELLO TEXT("\x87") HELLO),
	  "T\"Hello\"T\"Hello\"-", "", &reset },
	{ "no takeover, but done",
	  IN(TEXT("\x87") HELLO TEXT("\x85") AGAIN),
	  "T\"Hello\"EBADMSG.", "880203ef", &reset },
	{ "takeover across a message as it is",
	  IN(TEXT("\x87") HELLO "\x81\x81" MASKED "a" TEXT("\x85") AGAIN),
	  "T\"Hello\"T\"a\"T\"Hello\"-", "", PLAIN },
	{ "an empty message", IN(TEXT("\x81") "\x00" BIN("\x81") "\x00"),
	  "T\"\"B\"\"-", "", PLAIN },
	{ "an empty message, fixed codes", IN(BIN("\x82") "\x02\x00"),
	  "B\"\"-", "", PLAIN },
	{ "an empty message of no bytes", IN(TEXT("\x80") TEXT("\x87") HELLO),
	  "T\"\"T\"Hello\"-", "", PLAIN },
	{ "an empty message of no bytes in fragments",
	  IN("\x41\x80" MASKED "\x80\x80" MASKED), "T\"\"-", "", PLAIN },
	{ "empty blocks", IN(TEXT("\x96") EMPTY EMPTY EMPTY HELLO),
	  "T\"Hello\"-", "", PLAIN },
	{ "empty fragments around it",
	  IN("\x41\x80" MASKED "\x00\x87" MASKED HELLO "\x00\x80" MASKED
	     "\x80\x80" MASKED), "T\"Hello\"-", "", PLAIN },
	{ "PING and PONG between fragments",
	  IN("\x41\x83" MASKED HEL "\x89\x81" MASKED "p\x8a\x80" MASKED
	     "\x80\x84" MASKED LO),
	  "T\"Hello\"-", "8a0170", PLAIN },
	{ "not compressed", IN("\x81\x82" MASKED "hi"), "T\"hi\"-", "", PLAIN },
	{ "not compressed, not UTF-8", IN("\x81\x85" MASKED "ab\xff"),
	  "EILSEQ.", "880203ef", PLAIN },
	{ "Close after it", IN(TEXT("\x87") HELLO "\x88\x82" MASKED "\003\350"),
	  "T\"Hello\"C1000\"\".", "880203e8", PLAIN },
	{ "RSV1 where nothing was agreed on", IN(TEXT("\x87") HELLO),
	  "EPROTO.", "880203ea", NULL },
	{ "RSV1 on a continuation",
	  IN("\x41\x83" MASKED HEL "\xc0\x84" MASKED LO), "EPROTO.", "880203ea", PLAIN },
	{ "RSV1 on a continuation alone",
	  IN("\x01\x81" MASKED "a\xc0\x81" MASKED "b"),
	  "EPROTO.", "880203ea", PLAIN },
	{ "RSV1 on a PING", IN("\xc9\x80" MASKED), "EPROTO.", "880203ea",
	  PLAIN },
	{ "RSV1 on a Close", IN("\xc8\x80" MASKED), "EPROTO.", "880203ea",
	  PLAIN },
	{ "RSV2", IN("\xe1\x87" MASKED HELLO), "EPROTO.", "880203ea", PLAIN },
	{ "RSV3 alone", IN("\x91\x81" MASKED "a"), "EPROTO.", "880203ea",
	  PLAIN },
	{ "a reserved block type", IN(TEXT("\x82") "\x06\x00"),
	  "EBADMSG.", "880203ef", PLAIN },
	{ "a stored block of a wrong length",
	  IN(TEXT("\x87") "\000\001\000\000\000a\000"),
	  "EBADMSG.", "880203ef", PLAIN },
	{ "a distance too far back", IN(TEXT("\x85") AGAIN), "EBADMSG.",
	  "880203ef", PLAIN },
	{ "the end within a block", IN(TEXT("\x83") "\xf2\x48\xcd"),
	  "EBADMSG.", "880203ef", PLAIN },
	{ "the end within a stored block",
	  IN(TEXT("\x87") "\000\005\000\372\377He"), "EBADMSG.", "880203ef",
	  PLAIN },
	{ "a tail that was not left out",
	  IN(TEXT("\x8b") HELLO "\x00\x00\xff\xff"), "EBADMSG.", "880203ef",
	  PLAIN },
	{ "rubbish behind BFINAL",
	  IN(TEXT("\x8a") "\xf3\x48\xcd\xc9\xc9\x07\x00\xff\xff\xff"),
	  "EBADMSG.", "880203ef", PLAIN },
	{ "a good message before a bad one",
	  IN(TEXT("\x87") HELLO TEXT("\x81") "\x06\x81\x81" MASKED "a"),
	  "T\"Hello\"EBADMSG.", "880203ef", PLAIN },
	{ "text that is not UTF-8",
	  IN(TEXT("\x89") "\000\003\000\374\377a\377b\000"),
	  "EILSEQ.", "880203ef", PLAIN },
	{ "text that ends inside a character",
	  IN(TEXT("\x88") "\000\002\000\375\377a\303\000"),
	  "EILSEQ.", "880203ef", PLAIN },
	{ "binary need not be UTF-8",
	  IN(BIN("\x88") "\000\002\000\375\377a\377\000"),
	  "B\"a\xff\"-", "", PLAIN },
	{ "more than the limit, not compressed",
	  IN("\x82\xfe\x04\x01" MASKED), "EMSGSIZE.", "880203f1", PLAIN },
	{ "more than the limit for what is compressed",
	  IN("\xc2\xfe\x09\x01" MASKED), "EMSGSIZE.", "880203f1", PLAIN },
#undef PLAIN
#undef IN
};

static void test_misuse(void)
{
	static const struct kws_deflate wrong[] = {
		{ 0 },
		{ COMMON, .server_no_context_takeover = 1 },
		{ .level = 1, .memory = 8, .client_max_window_bits = 15,
		  .server_max_window_bits = 7 },
		{ .level = 0, .memory = 8, .client_max_window_bits = 15,
		  .server_max_window_bits = 15 },
	};
	struct kws_conn *c;
	int ends[2];

	stream_pair(ends);
	c = kws_open(ends[0], WS_ROLE_SERVER, NULL, 0, KWS_USER);
	result(kws_deflate(c, &wrong[0]) && kws_deflate(c, &wrong[2]) &&
	       kws_deflate(c, &wrong[3]), "deflate: wrong parameters");
	result(!kws_deflate(c, NULL), "deflate: nothing agreed on");
	result(!kws_deflate(c, &wrong[1]) && kws_deflate(c, &plain),
	       "deflate: only once");
	kws_close(c);
	kws_close(kws_open(ends[1], WS_ROLE_CLIENT, NULL, 0, KWS_USER));
}

static void test_rule(void)
{
	static const char bad[] = TEXT("\x87") HELLO TEXT("\x81") "\x06";
	struct kws_message m;
	struct ws_info info;
	struct kws_conn *c;
	int ends[2];

	stream_pair(ends);
	c = kws_open(ends[0], WS_ROLE_SERVER, bad, sizeof(bad) - 1, KWS_USER);
	kws_deflate(c, &plain);
	while (kws_recv(c, &m) > 0)
		;
	result(!kws_info(c, &info) && info.rule == KWS_RULE_DEFLATE &&
	       info.fault_offset == 13 && info.close_sent == 1007 &&
	       info.state == (WS_STATE_FAILED | WS_STATE_CLOSE_SENT) &&
	       !strcmp(kws_rule_text(info.rule), "Deflate"),
	       "deflate: the rule, and where it was broken");
	kws_close(c);
	kws_close(kws_open(ends[1], WS_ROLE_CLIENT, NULL, 0, KWS_USER));
}

void test_deflate(void)
{
	size_t i;

	for (i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		result(stream_good(&streams[i]), "deflate: %s",
		       streams[i].name);
	test_misuse();
	test_rule();
}
