// SPDX-License-Identifier: MIT
/* User-space framing: what comes in, and what is answered. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kws.h"
#include "test.h"

static const struct stream streams[] = {
#define IN(text) text, sizeof(text) - 1
	{ "text", WS_ROLE_SERVER,
	  IN("\x81\x82" MASKED "hi"),
	  "T\"hi\"-", "" },
	{ "a mask", WS_ROLE_SERVER,
	  IN("\x82\x85\x01\x02\x03\x04\x60\x60\x60\x60\x64"),
	  "B\"abcde\"-", "" },
	{ "empty messages", WS_ROLE_SERVER,
	  IN("\x81\x80" MASKED "\x82\x80" MASKED),
	  "T\"\"B\"\"-", "" },
	{ "fragments", WS_ROLE_SERVER,
	  IN("\x01\x81" MASKED "a\x00\x81" MASKED "b\x80\x81" MASKED "c"),
	  "T\"abc\"-", "" },
	{ "PING between fragments", WS_ROLE_SERVER,
	  IN("\x01\x81" MASKED "a\x89\x82" MASKED "pp\x80\x81" MASKED "b"),
	  "T\"ab\"-", "8a027070" },
	{ "PONG is swallowed", WS_ROLE_SERVER,
	  IN("\x8a\x81" MASKED "x\x81\x81" MASKED "a"),
	  "T\"a\"-", "" },
	{ "Close", WS_ROLE_SERVER,
	  IN("\x81\x81" MASKED "a\x88\x85" MASKED "\003\350bye"),
	  "T\"a\"C1000\"bye\".", "880203e8" },
	{ "Close without a code", WS_ROLE_SERVER,
	  IN("\x88\x80" MASKED),
	  "C1005\"\".", "8800" },
	{ "nothing after Close", WS_ROLE_SERVER,
	  IN("\x88\x80" MASKED "\x81\x81" MASKED "a"),
	  "C1005\"\".", "8800" },
	{ "client role", WS_ROLE_CLIENT,
	  IN("\x81\x02hi"),
	  "T\"hi\"-", "" },
	{ "RSV1", WS_ROLE_SERVER,
	  IN("\x81\x81" MASKED "a\xc1\x81" MASKED "b"),
	  "T\"a\"EPROTO.", "880203ea" },
	{ "opcode 3", WS_ROLE_SERVER,
	  IN("\x83\x80" MASKED),
	  "EPROTO.", "880203ea" },
	{ "no mask", WS_ROLE_SERVER,
	  IN("\x81\001a"),
	  "EPROTO.", "880203ea" },
	{ "a mask from a server", WS_ROLE_CLIENT,
	  IN("\x81\x81" MASKED "a"),
	  "EPROTO.", NULL },
	{ "a long PING", WS_ROLE_SERVER,
	  IN("\x89\xfe"),
	  "EPROTO.", "880203ea" },
	{ "a PING without FIN", WS_ROLE_SERVER,
	  IN("\x09\x80"),
	  "EPROTO.", "880203ea" },
	{ "continuation of nothing", WS_ROLE_SERVER,
	  IN("\x80\x80" MASKED),
	  "EPROTO.", "880203ea" },
	{ "a message in a message", WS_ROLE_SERVER,
	  IN("\x01\x80" MASKED "\x81\x80" MASKED),
	  "EPROTO.", "880203ea" },
	{ "a length not in its shortest form", WS_ROLE_SERVER,
	  IN("\x82\xfe\x00\x7d"),
	  "EPROTO.", "880203ea" },
	{ "a length of 2^63", WS_ROLE_SERVER,
	  IN("\x82\xff\x80\0\0\0\0\0\0\0"),
	  "EPROTO.", "880203ea" },
	{ "a Close of one byte", WS_ROLE_SERVER,
	  IN("\x88\x81" MASKED "\x03"),
	  "EPROTO.", "880203ea" },
	{ "Close code 1005", WS_ROLE_SERVER,
	  IN("\x88\x82" MASKED "\x03\xed"),
	  "EPROTO.", "880203ea" },
	{ "Close reason not UTF-8", WS_ROLE_SERVER,
	  IN("\x88\x83" MASKED "\x03\xe8\xff"),
	  "EILSEQ.", "880203ef" },
	{ "text not UTF-8", WS_ROLE_SERVER,
	  IN("\x81\x85" MASKED "ab\xff"),
	  "EILSEQ.", "880203ef" },
	{ "text that ends inside a character", WS_ROLE_SERVER,
	  IN("\x81\x81" MASKED "\xc3"),
	  "EILSEQ.", "880203ef" },
	{ "a character in two fragments", WS_ROLE_SERVER,
	  IN("\x01\x81" MASKED "\xc3\x80\x81" MASKED "\xa4"),
	  "T\"\xc3\xa4\"-", "" },
	{ "binary need not be UTF-8", WS_ROLE_SERVER,
	  IN("\x82\x81" MASKED "\xff"),
	  "B\"\xff\"-", "" },
	{ "more than the limit", WS_ROLE_SERVER,
	  IN("\x82\xfe\x04\x01" MASKED),
	  "EMSGSIZE.", "880203f1" },
	{ "more than the limit in fragments", WS_ROLE_SERVER,
	  IN("\x02\x81" MASKED "a\x80\xfe\x04\x00" MASKED),
	  "EMSGSIZE.", "880203f1" },
#undef IN
};

static const char *error_name(int error)
{
	switch (error) {
	case EAGAIN:
		return "-";
	case EBADMSG:
		return "EBADMSG";
	case EPROTO:
		return "EPROTO";
	case EILSEQ:
		return "EILSEQ";
	case EMSGSIZE:
		return "EMSGSIZE";
	}
	return strerror(error);
}

/* Appends what one kws_recv() gives; false when there is no more. */
static bool tell(struct kws_conn *c, char **story)
{
	struct kws_message m;
	int r = kws_recv(c, &m);

	if (r == 0)
		*story += sprintf(*story, ".");
	else if (r < 0)
		*story += sprintf(*story, "%s", error_name(errno));
	else if (m.opcode == WS_OP_CLOSE)
		*story += sprintf(*story, "C%u\"%.*s\"", m.code, (int)m.len,
				  (char *)m.data);
	else
		*story += sprintf(*story, "%c\"%.*s\"",
				  m.opcode == WS_OP_TEXT ? 'T' : 'B',
				  (int)m.len, (char *)m.data);
	return r > 0 || (r < 0 && errno != EAGAIN);
}

static bool hex_is(const char *hex, const unsigned char *bytes, size_t len)
{
	size_t i;
	char two[3];

	if (strlen(hex) != 2 * len)
		return false;
	for (i = 0; i < len; i++) {
		sprintf(two, "%02x", bytes[i]);
		if (memcmp(two, hex + 2 * i, 2))
			return false;
	}
	return true;
}

/* The stream cut at @cut; 0 gives all of it as the handshake's surplus. */
static bool cut_good(const struct stream *s, size_t cut)
{
	char story[512] = "", *p = story;
	unsigned char out[512];
	struct kws_conn *c;
	int ends[2];
	size_t n;
	bool good;

	stream_pair(ends);
	c = kws_open(ends[0], s->role, s->in, cut ? 0 : s->len, KWS_USER);
	kws_max_message(c, 1024);
	kws_deflate(c, s->deflate);
	if (cut) {
		put(ends[1], s->in, cut);
		while (tell(c, &p))
			;
		/* The end of the first part is not part of the story. */
		if (cut < s->len && p > story && p[-1] == '-')
			p--;
		if (cut < s->len)
			put(ends[1], s->in + cut, s->len - cut);
	}
	if (cut < s->len && (p == story || p[-1] != '.'))
		while (tell(c, &p))
			;
	*p = '\0';
	n = get(ends[1], out, sizeof(out));
	good = !strcmp(story, s->story) && (!s->out || hex_is(s->out, out, n));
	if (!good)
		note("cut at %zu: %s, %zu bytes sent", cut, story, n);
	kws_close(c);
	close(ends[1]);
	return good;
}

/* Whether the story is the same wherever the stream is cut. */
bool stream_good(const struct stream *s)
{
	bool good = true;
	size_t cut;

	for (cut = 0; cut <= s->len; cut++)
		good = cut_good(s, cut) && good;
	return good;
}

static void test_end_of_file(void)
{
	static const struct {
		const char *name;
		const char *in;
		size_t len;
		int want;
		unsigned int rule;
	} cases[] = {
		{ "between messages", "\x81\x80" MASKED, 6, 0, 0 },
		{ "inside a header", "\x81", 1, -1, WS_RULE_TRUNCATED },
		{ "inside a payload", "\x81\x85" MASKED "ab", 8, -1,
		  WS_RULE_TRUNCATED },
		{ "inside a message", "\x01\x80" MASKED, 6, -1,
		  WS_RULE_TRUNCATED },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct kws_message m;
		struct ws_info info;
		struct kws_conn *c;
		int ends[2], r;

		stream_pair(ends);
		c = kws_open(ends[0], WS_ROLE_SERVER, NULL, 0, KWS_USER);
		put(ends[1], cases[i].in, cases[i].len);
		shutdown(ends[1], SHUT_WR);
		while ((r = kws_recv(c, &m)) > 0 || (r < 0 && errno == EAGAIN))
			;
		result(r == cases[i].want && (!r || errno == EPROTO) &&
		       !kws_info(c, &info) && info.rule == cases[i].rule &&
		       kws_recv(c, &m) == 0, "end of file %s", cases[i].name);
		kws_close(c);
		close(ends[1]);
	}
}

/* A masked frame of @n bytes that are a pattern; returns its size. */
static size_t make_frame(unsigned char *p, size_t n, unsigned char first)
{
	static const unsigned char key[4] = { 0x9a, 0x01, 0xfe, 0x37 };
	size_t i, h;

	p[0] = first;
	if (n < 126) {
		p[1] = 0x80 | n;
		h = 2;
	} else if (n < 65536) {
		p[1] = 0x80 | 126;
		p[2] = n >> 8;
		p[3] = n;
		h = 4;
	} else {
		p[1] = 0x80 | 127;
		for (i = 0; i < 8; i++)
			p[2 + i] = (unsigned long long)n >> (56 - 8 * i);
		h = 10;
	}
	memcpy(p + h, key, 4);
	h += 4;
	for (i = 0; i < n; i++)
		p[h + i] = (unsigned char)(i * 13 + (i >> 7)) ^ key[i & 3];
	return h + n;
}

static bool pattern_ok(const unsigned char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != (unsigned char)(i * 13 + (i >> 7)))
			return false;
	return true;
}

/* Sends in parts of @part and receives @n bytes as one message. */
static bool length_good(size_t n, size_t part, bool two_fragments)
{
	unsigned char *bytes = malloc(2 * n + 64);
	struct kws_message m;
	struct kws_conn *c;
	size_t len, done = 0;
	int ends[2], r = -1;
	bool good;

	stream_pair(ends);
	c = kws_open(ends[0], WS_ROLE_SERVER, NULL, 0, KWS_USER);
	len = make_frame(bytes, n, two_fragments ? 0x02 : 0x82);
	if (two_fragments)
		len += make_frame(bytes + len, n, 0x80);
	while (r < 0) {
		ssize_t sent = len > done ? send(ends[1], bytes + done,
			part < len - done ? part : len - done, 0) : 0;

		if (sent > 0)
			done += sent;
		r = kws_recv(c, &m);
		if (r < 0 && errno != EAGAIN)
			break;
	}
	good = r == 1 && m.opcode == WS_OP_BINARY && done == len &&
		m.len == (two_fragments ? 2 * n : n) && pattern_ok(m.data, n) &&
		(!two_fragments || pattern_ok((unsigned char *)m.data + n, n));
	if (!good)
		note("%zu bytes in parts of %zu: %d", n, part, r);
	kws_close(c);
	close(ends[1]);
	free(bytes);
	return good;
}

static void test_lengths(void)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 127, 65535, 65536,
					200000, 1 << 20, 5 << 20 };
	bool good = true;
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		result(length_good(sizes[i], 1 << 16, false) &&
		       length_good(sizes[i], 1448, false) &&
		       length_good(sizes[i], 100003, true),
		       "a message of %zu bytes", sizes[i]);
	/* Every length of the vector loops, at many alignments. */
	for (i = 0; i < 700; i++)
		good = good && length_good(i, 1 << 16, true);
	result(good, "messages of 0 to 700 bytes in two fragments");
}

void test_frames(void)
{
	size_t i;

	for (i = 0; i < sizeof(streams) / sizeof(streams[0]); i++)
		result(stream_good(&streams[i]), "frames: %s", streams[i].name);
	test_end_of_file();
	test_lengths();
}
