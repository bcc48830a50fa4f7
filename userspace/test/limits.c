// SPDX-License-Identifier: MIT
/* Compressed messages: fragments that are sent, limits, and what they cost. */
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "kws.h"
#include "test.h"

#define MIB	(1UL << 20)

static const struct kws_deflate keep = {
	.server_max_window_bits = 15, .client_max_window_bits = 15,
	.level = 1, .memory = 8, .threshold = 64,
};

static const struct kws_deflate forget = {
	.server_max_window_bits = 15, .client_max_window_bits = 15,
	.server_no_context_takeover = 1, .client_no_context_takeover = 1,
	.level = 1, .memory = 8, .threshold = 64,
};

static struct kws_conn *open_end(int fd, unsigned int role,
				 const struct kws_deflate *d)
{
	struct kws_conn *c = kws_open(fd, role, NULL, 0, KWS_USER);

	kws_deflate(c, d);
	return c;
}

/* The next message, whatever it takes. */
static int await(struct kws_conn *from, struct kws_conn *to,
		 struct kws_message *m)
{
	int r;

	do {
		if (from && kws_flush(from) && errno != EAGAIN)
			return -1;
		r = kws_recv(to, m);
	} while (r < 0 && errno == EAGAIN);
	return r;
}

static void test_fragments(void)
{
	static const struct ws_msg text = { .opcode = WS_OP_TEXT };
	static const struct ws_msg more = { .opcode = WS_OP_CONT };
	static const struct ws_msg binary = { .opcode = WS_OP_BINARY };
	static const struct ws_msg ping = { .opcode = WS_OP_PING };
	/* "a" flushed; nothing; what is left of an empty block; then again. */
	static const char wire[] =
		"\x41\x07\x4a\x04\x00\x00\x00\xff\xff\x89\x01p\x80\x01\x00"
		"\x42\x09\x4a\x04\x03\x00\x00\x00\x00\xff\xff\x80\x01\x00";
	struct kws_conn *s, *c;
	struct kws_message m;
	char bytes[64] = "";
	int ends[2], i;
	bool good;

	stream_pair(ends);
	s = open_end(ends[0], WS_ROLE_SERVER, &keep);
	good = !kws_send(s, &text, "a", 1, MSG_MORE) &&
		kws_send(s, &binary, "b", 1, 0) == -1 && errno == EINVAL &&
		!kws_send(s, &more, "", 0, MSG_MORE) &&
		!kws_send(s, &ping, "p", 1, 0) &&
		!kws_send(s, &more, "", 0, 0) &&
		!kws_send(s, &binary, "", 0, MSG_MORE) &&
		!kws_send(s, &more, "aaaaaa", 6, MSG_MORE) &&
		!kws_send(s, &more, "", 0, 0) && !kws_flush(s) &&
		get(ends[1], bytes, sizeof(bytes)) == sizeof(wire) - 1 &&
		!memcmp(bytes, wire, sizeof(wire) - 1);
	result(good, "fragments on the wire");
	kws_close(s);
	close(ends[1]);

	stream_pair(ends);
	s = open_end(ends[0], WS_ROLE_SERVER, &keep);
	c = open_end(ends[1], WS_ROLE_CLIENT, &keep);
	for (i = 0, good = true; i < 20; i++) {
		good = good && !kws_send(c, &text, "one ", 4, MSG_MORE) &&
			!kws_send(c, &text, "two ", i % 2 * 4, MSG_MORE) &&
			!kws_send(c, &ping, "", 0, 0) &&
			!kws_send(c, &more, "three", i % 3 ? 5 : 0, 0) &&
			!kws_send(c, &more, "four", 4, 0) &&
			await(c, s, &m) == 1 && m.opcode == WS_OP_TEXT &&
			m.len == 4 + i % 2 * 4 + (i % 3 ? 5 : 0) &&
			!memcmp(m.data, i % 2 ? "one two " : "one ", 4) &&
			await(c, s, &m) == 1 && m.opcode == WS_OP_BINARY &&
			m.len == 4;
	}
	result(good, "fragments of compressed messages");
	kws_close(s);
	kws_close(c);
}

static void test_utf8(void)
{
	static const char text[] = "\xc3\xa4\xe2\x82\xac";
	struct kws_conn *s, *c;
	struct kws_message m;
	struct ws_msg msg = { .opcode = WS_OP_TEXT };
	bool good = true;
	int ends[2];
	size_t i;

	stream_pair(ends);
	s = open_end(ends[0], WS_ROLE_SERVER, &keep);
	c = open_end(ends[1], WS_ROLE_CLIENT, &keep);
	for (i = 0; i < sizeof(text); i++)
		good = good && !kws_send(c, &msg, text, i, MSG_MORE) &&
			!kws_send(c, &msg, text + i, 5 - i, 0) &&
			await(c, s, &m) == 1 && m.len == 5 &&
			!memcmp(m.data, text, 5);
	result(good, "characters in two fragments, compressed");
	kws_close(s);
	kws_close(c);
}

/* Exactly the limit, and a byte more, inflated. */
static void test_limit(void)
{
	static const size_t limits[] = { 100, 5000, MIB };
	struct ws_msg msg = { .opcode = WS_OP_BINARY };
	char *data = calloc(1, MIB + 1);
	size_t i;

	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		struct kws_conn *s, *c;
		struct kws_message m;
		struct ws_info info;
		int ends[2];
		bool good;

		stream_pair(ends);
		s = open_end(ends[0], WS_ROLE_SERVER, &keep);
		c = open_end(ends[1], WS_ROLE_CLIENT, &keep);
		kws_max_message(s, limits[i]);
		good = !kws_send(c, &msg, data, limits[i], 0) &&
			await(c, s, &m) == 1 && m.len == limits[i] &&
			!kws_send(c, &msg, data, limits[i] + 1, 0) &&
			await(c, s, &m) == -1 && errno == EMSGSIZE &&
			!kws_info(s, &info) && info.rule == WS_RULE_TOO_BIG &&
			info.close_sent == 1009 && kws_recv(s, &m) == 0 &&
			await(NULL, c, &m) == 1 && m.opcode == WS_OP_CLOSE &&
			m.code == 1009;
		result(good, "a limit of %zu bytes, inflated", limits[i]);
		kws_close(s);
		kws_close(c);
	}
	free(data);
}

/* Stored blocks are longer than what they hold; the limit is for that. */
static void test_stored(void)
{
	static const unsigned char block[] = { 0, 25, 0, 0xe6, 0xff };
	/* Four blocks of 25 bytes, and the byte before the tail. */
	unsigned char bytes[6 + 121] = { 0xc2, 0x80 | 121 };
	struct kws_message m;
	struct kws_conn *c;
	int ends[2], i;

	stream_pair(ends);
	c = open_end(ends[0], WS_ROLE_SERVER, &keep);
	kws_max_message(c, 100);
	for (i = 0; i < 4; i++)
		memcpy(bytes + 6 + 30 * i, block, sizeof(block));
	put(ends[1], bytes, sizeof(bytes));
	result(await(NULL, c, &m) == 1 && m.len == 100,
	       "longer than the limit, but not inflated");
	kws_close(c);
	close(ends[1]);
}

static long peak_kib(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

/* A piece of a bomb: @n zeros, to be repeated as often as one likes. */
static size_t make_piece(unsigned char *out, size_t room, size_t n)
{
	unsigned char *zeros = calloc(1, n);
	z_stream z = { 0 };

	deflateInit2(&z, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
	z.next_in = zeros;
	z.avail_in = n;
	z.next_out = out;
	z.avail_out = room;
	deflate(&z, Z_FULL_FLUSH);
	deflateEnd(&z);
	free(zeros);
	return room - z.avail_out;
}

/*
 * A message of 1 MiB that stands for 1 GiB, in a process of its own. Returns
 * 0 if it ended in 1009 with less than @most_kib of memory more than before.
 */
static int explode(uint64_t max_message, long most_kib)
{
	unsigned char piece[2048], head[14] = { 0xc2, 0xff };
	size_t n = make_piece(piece, sizeof(piece), MIB), total = 1024 * n;
	size_t sent = 0;
	struct kws_message m;
	struct kws_conn *c;
	struct ws_info info;
	long before;
	int ends[2], r = -1, i;

	stream_pair(ends);
	c = open_end(ends[0], WS_ROLE_SERVER, &keep);
	kws_max_message(c, max_message);
	for (i = 0; i < 8; i++)
		head[2 + i] = total >> (56 - 8 * i);
	before = peak_kib();
	put(ends[1], head, sizeof(head));
	errno = EAGAIN;
	while (sent < total && r < 0 && errno == EAGAIN) {
		while (sent < total && send(ends[1], piece, n, 0) == n)
			sent += n;
		r = kws_recv(c, &m);
	}
	if (r != -1 || errno != EMSGSIZE || kws_info(c, &info) ||
	    info.close_sent != 1009 || info.rule != WS_RULE_TOO_BIG)
		return 1;
	if (total < MIB || total > 2 * MIB)
		return 2;
	return peak_kib() - before <= most_kib ? 0 : 3;
}

static void test_bomb(void)
{
	static const struct {
		uint64_t max_message;
		long most_kib;
	} cases[] = {
		{ MIB, 8 << 10 },
		{ 8 * MIB, 32 << 10 },
		/* The default: all sizes on the way, which ASan keeps. */
		{ 0, 192 << 10 },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int status = -1;
		pid_t pid = fork();

		if (!pid)
			_exit(explode(cases[i].max_message, cases[i].most_kib));
		waitpid(pid, &status, 0);
		result(!status, "1 MiB that inflates to 1 GiB, limit %llu",
		       (unsigned long long)cases[i].max_message);
		if (status)
			note("status %#x", status);
	}
}

/* Provided by ASan, which does not do mallinfo2(). */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t allocated(void)
{
	if (__sanitizer_get_current_allocated_bytes)
		return __sanitizer_get_current_allocated_bytes();
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* What two waiting connections have allocated for their messages. */
static size_t idle_cost(const struct kws_deflate *d)
{
	struct ws_msg msg = { .opcode = WS_OP_BINARY };
	char *data = calloc(1, 1000);
	struct kws_conn *s, *c;
	struct kws_message m;
	size_t before, cost;
	int ends[2], r = 0;

	stream_pair(ends);
	s = open_end(ends[0], WS_ROLE_SERVER, NULL);
	c = open_end(ends[1], WS_ROLE_CLIENT, d);
	before = allocated();
	kws_deflate(s, d);
	r = kws_send(c, &msg, data, 1000, 0) || await(c, s, &m) != 1 ||
		kws_send(s, &msg, m.data, m.len, 0) || kws_flush(s) ||
		kws_recv(s, &m) != -1;
	cost = allocated() - before;
	kws_close(c);
	c = NULL;
	free(data);
	kws_close(s);
	return r ? SIZE_MAX : cost;
}

static void test_memory(void)
{
	struct kws_deflate small = keep;
	size_t none = idle_cost(NULL), cost;

	/* The client's two contexts are part of it. */
	cost = idle_cost(&keep) - none;
	result(cost <= 2 * (268 + 40 + 2) * 1024, "memory of two contexts");
	note("%zu bytes on both sides", cost);
	small.server_max_window_bits = 10;
	small.client_max_window_bits = 10;
	small.memory = 3;
	cost = idle_cost(&small) - none;
	result(cost <= 2 * 32 * 1024, "memory of two small contexts");
	note("%zu bytes on both sides", cost);
	cost = idle_cost(&forget) - none;
	result(cost <= 1024, "memory without context takeover");
	note("%zu bytes on both sides", cost);
}

/* The sender is told to wait, and loses nothing by it. */
static void test_pressure(void)
{
	struct ws_msg msg = { .opcode = WS_OP_BINARY };
	unsigned char *data = malloc(400000);
	unsigned int sent = 0, got = 0, told = 0;
	struct kws_conn *s, *c;
	struct kws_message m;
	bool good = true;
	int ends[2], r;
	size_t i;

	stream_pair(ends);
	s = open_end(ends[0], WS_ROLE_SERVER, &keep);
	c = open_end(ends[1], WS_ROLE_CLIENT, &keep);
	while (good && got < 60) {
		while (sent < 60) {
			/* Half noise: it does not get much shorter. */
			for (i = 0; i < 400000; i++)
				data[i] = i % 2 ? sent : (i * i + sent) >> 7;
			if (kws_send(c, &msg, data, 400000, 0))
				break;
			sent++;
		}
		told += sent < 60 && errno == EAGAIN;
		kws_flush(c);
		r = kws_recv(s, &m);
		if (r < 0 && errno == EAGAIN)
			continue;
		good = r == 1 && m.len == 400000;
		for (i = 0; good && i < m.len; i++)
			good = ((unsigned char *)m.data)[i] == (i % 2 ? got :
				(i * i + got) >> 7 & 255);
		got++;
	}
	result(good && told, "a sender that has to wait");
	note("told %u times to wait", told);
	kws_close(s);
	kws_close(c);
	free(data);
}

void test_limits_of_deflate(void)
{
	test_fragments();
	test_utf8();
	test_limit();
	test_stored();
	test_bomb();
	test_memory();
	test_pressure();
}
