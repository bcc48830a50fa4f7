// SPDX-License-Identifier: MIT
/* Compressed messages against zlib itself, and what they cost. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "kws.h"
#include "test.h"

#define ROOM	(1 << 20)

static const unsigned char tail[] = { 0x00, 0x00, 0xff, 0xff };

/* Words, so that there is something to find again, from one seed on. */
static void fill(unsigned char *p, size_t n, unsigned int seed)
{
	size_t i = 0;

	while (i < n) {
		char word[32];
		int len;

		seed = seed * 1103515245 + 12345;
		len = sprintf(word, "{\"id\":%u,\"x\":%u},", seed >> 28,
			      seed >> 16 & 1023);
		if (len > n - i)
			len = n - i;
		memcpy(p + i, word, len);
		i += len;
	}
}

static void fill_noise(unsigned char *p, size_t n)
{
	uint64_t x = 88172645463325252ULL;
	size_t i;

	for (i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = x;
	}
}

/* Either end of a connection by hand: an unmasked or zero-masked frame. */
static size_t put_head(unsigned char *p, unsigned char first, size_t n,
		       bool masked)
{
	size_t h = 2, i;

	p[0] = first;
	p[1] = (masked ? 0x80 : 0) | (n < 126 ? n : n < 65536 ? 126 : 127);
	for (i = n < 126 ? 0 : n < 65536 ? 2 : 8; i; i--)
		p[h++] = (uint64_t)n >> (8 * (i - 1));
	if (masked) {
		memset(p + h, 0, 4);
		h += 4;
	}
	return h;
}

/* One frame of a server from @p; returns its size, payload at *@body. */
static size_t get_head(const unsigned char *p, const unsigned char **body,
		       size_t *n)
{
	size_t h = 2, bytes, i;

	*n = p[1];
	bytes = *n < 126 ? 0 : *n == 126 ? 2 : 8;
	for (i = 0, *n = bytes ? 0 : *n; i < bytes; i++)
		*n = *n << 8 | p[h++];
	*body = p + h;
	return h + *n;
}

/*
 * Inflates through a window of exactly the size: one byte of room at a time
 * makes zlib look into its window, and complain when that is too small.
 */
static size_t inflate_narrow(z_stream *z, const unsigned char *in, size_t n,
			     unsigned char *out)
{
	unsigned char *start = out;
	int r;

	z->next_in = (unsigned char *)in;
	z->avail_in = n;
	do {
		z->next_out = out;
		z->avail_out = 1;
		r = inflate(z, Z_SYNC_FLUSH);
		out += 1 - z->avail_out;
	} while (r == Z_OK && (z->avail_in || !z->avail_out));
	return r == Z_OK || r == Z_BUF_ERROR ? (size_t)(out - start) : SIZE_MAX;
}

static const size_t sizes[] = { 64, 100, 1, 5000, 0, 300, 70000, 64 };

#define MESSAGES	(sizeof(sizes) / sizeof(sizes[0]))

/* What a server sends is inflated by zlib with the window agreed on. */
static bool packs_good(const struct kws_deflate *d)
{
	static const struct ws_msg text = { .opcode = WS_OP_TEXT };
	unsigned char *plain = malloc(ROOM), *wire = malloc(ROOM);
	unsigned char *out = malloc(ROOM);
	struct kws_conn *c;
	bool good = true;
	z_stream z = { 0 };
	size_t i, n, got;
	int ends[2];

	stream_pair(ends);
	c = kws_open(ends[0], WS_ROLE_SERVER, NULL, 0, KWS_USER);
	kws_deflate(c, d);
	inflateInit2(&z, -d->server_max_window_bits);
	for (i = 0; i < MESSAGES && good; i++) {
		const unsigned char *body;

		fill(plain, sizes[i], 7);
		good = !kws_send(c, &text, plain, sizes[i], 0) && !kws_flush(c);
		get(ends[1], wire, ROOM);
		get_head(wire, &body, &n);
		if (sizes[i] < d->threshold) {
			good = good && wire[0] == 0x81 && n == sizes[i] &&
				!memcmp(body, plain, n);
			continue;
		}
		good = good && wire[0] == 0xc1 && n < sizes[i];
		got = good ? inflate_narrow(&z, body, n, out) : 0;
		got += inflate_narrow(&z, tail, sizeof(tail), out + got);
		good = good && got == sizes[i] && !memcmp(out, plain, got);
		if (d->server_no_context_takeover)
			inflateReset(&z);
	}
	inflateEnd(&z);
	kws_close(c);
	close(ends[1]);
	free(plain);
	free(wire);
	free(out);
	return good;
}

/* What zlib makes with the window agreed on is received by a server. */
static bool unpacks_good(const struct kws_deflate *d, int level)
{
	int bits = d->client_max_window_bits;
	unsigned char *plain = malloc(ROOM), *wire = malloc(ROOM);
	struct kws_message m;
	struct kws_conn *c;
	bool good = true;
	z_stream z = { 0 };
	size_t i, n, h;
	int ends[2];

	stream_pair(ends);
	c = kws_open(ends[0], WS_ROLE_SERVER, NULL, 0, KWS_USER);
	kws_deflate(c, d);
	deflateInit2(&z, level, Z_DEFLATED, bits < 9 ? -9 : -bits, 8,
		     Z_DEFAULT_STRATEGY);
	for (i = 0; i < MESSAGES && good; i++) {
		fill(plain, sizes[i], 7);
		z.next_in = plain;
		z.avail_in = sizes[i];
		z.next_out = wire + 64;
		z.avail_out = ROOM - 64;
		deflate(&z, Z_SYNC_FLUSH);
		n = ROOM - 64 - z.avail_out;
		/* Nothing new since the last flush: some send it as that. */
		n -= n ? sizeof(tail) : 0;
		h = put_head(wire, 0xc1, n, true);
		put(ends[1], wire, h);
		put(ends[1], wire + 64, n);
		while ((good = kws_recv(c, &m) == 1) == false &&
		       errno == EAGAIN)
			;
		good = good && m.opcode == WS_OP_TEXT && m.len == sizes[i] &&
			!memcmp(m.data, plain, m.len);
		if (d->client_no_context_takeover)
			deflateReset(&z);
	}
	deflateEnd(&z);
	kws_close(c);
	close(ends[1]);
	free(plain);
	free(wire);
	return good;
}

static void test_windows(void)
{
	unsigned int bits, forget, level;

	for (bits = 8; bits <= 15; bits++) {
		bool packs = true, unpacks = true;

		for (level = 1; level <= 9; level++)
			for (forget = 0; forget < 2; forget++) {
				struct kws_deflate d = {
					.server_max_window_bits = bits,
					.client_max_window_bits = bits,
					.server_no_context_takeover = forget,
					.client_no_context_takeover = forget,
					.level = level,
					.memory = 10 - level,
					.threshold = 64,
				};

				packs = packs && packs_good(&d);
				unpacks = unpacks && unpacks_good(&d, level);
			}
		result(packs, "window %u: zlib reads what is sent", bits);
		result(unpacks, "window %u: what zlib writes is read", bits);
	}
}

/* Until it is out on one side and in on the other. */
static bool arrives(struct kws_conn *from, struct kws_conn *to,
		    const unsigned char *data, size_t n)
{
	static const struct ws_msg binary = { .opcode = WS_OP_BINARY };
	struct kws_message m;
	int r;

	if (kws_send(from, &binary, data, n, 0))
		return false;
	do {
		if (kws_flush(from) && errno != EAGAIN)
			return false;
		r = kws_recv(to, &m);
	} while (r < 0 && errno == EAGAIN);
	return r == 1 && m.opcode == WS_OP_BINARY && m.len == n &&
		!memcmp(m.data, data, n);
}

/* Two connections of ours: every pair of windows, every takeover. */
static void test_pairs(void)
{
	unsigned char *data = malloc(ROOM);
	unsigned int way, i, j;
	size_t k;

	for (way = 0; way < 4; way++) {
		bool good = true;

		for (i = 8; i <= 15; i++)
			for (j = 8; j <= 15; j++) {
				struct kws_deflate d = {
					.server_max_window_bits = i,
					.client_max_window_bits = j,
					.server_no_context_takeover = way & 1,
					.client_no_context_takeover = way >> 1,
					.level = 1,
					.memory = 8,
					.threshold = 1,
				};
				struct kws_conn *s, *c;
				int ends[2];

				stream_pair(ends);
				s = kws_open(ends[0], WS_ROLE_SERVER, NULL, 0,
					     KWS_USER);
				c = kws_open(ends[1], WS_ROLE_CLIENT, NULL, 0,
					     KWS_USER);
				kws_deflate(s, &d);
				kws_deflate(c, &d);
				for (k = 0; k < MESSAGES && good; k++) {
					fill(data, sizes[k], k / 2);
					good = arrives(s, c, data, sizes[k]) &&
						arrives(c, s, data, sizes[k]);
				}
				kws_close(s);
				kws_close(c);
			}
		result(good, "all windows on both sides%s%s",
		       way & 1 ? ", the server resets" : "",
		       way & 2 ? ", the client resets" : "");
	}
	free(data);
}

/* Noise does not get shorter: it goes as it is, and nobody is confused. */
static void test_noise(void)
{
	static const struct kws_deflate d = {
		.server_max_window_bits = 15, .client_max_window_bits = 15,
		.level = 1, .memory = 8, .threshold = 64,
	};
	static const struct ws_msg binary = { .opcode = WS_OP_BINARY };
	unsigned char *data = malloc(ROOM), first[4] = { 0 };
	struct kws_conn *s, *c;
	bool good = true;
	int ends[2], i;

	stream_pair(ends);
	s = kws_open(ends[0], WS_ROLE_SERVER, NULL, 0, KWS_USER);
	kws_deflate(s, &d);
	fill_noise(data, 300);
	good = !kws_send(s, &binary, data, 300, 0) && !kws_flush(s) &&
		get(ends[1], first, 4) == 4 && first[0] == 0x82 &&
		first[1] == 126;
	kws_close(s);
	close(ends[1]);
	result(good, "noise is sent as it is");

	stream_pair(ends);
	s = kws_open(ends[0], WS_ROLE_SERVER, NULL, 0, KWS_USER);
	c = kws_open(ends[1], WS_ROLE_CLIENT, NULL, 0, KWS_USER);
	kws_deflate(s, &d);
	kws_deflate(c, &d);
	for (i = 0, good = true; i < 40; i++) {
		size_t n = 50 + 777 * i;

		if (i % 3)
			fill(data, n, i);
		else
			fill_noise(data, n);
		good = good && arrives(s, c, data, n) && arrives(c, s, data, n);
	}
	result(good, "noise and text in turn");
	kws_close(s);
	kws_close(c);
	free(data);
}

void test_packing(void)
{
	test_windows();
	test_pairs();
	test_noise();
}
