// SPDX-License-Identifier: GPL-2.0-only
/*
 * The rules of RFC 6455 for the frames that the attached end sends, byte by
 * byte and in pieces of any size. Payloads of messages are passed over.
 */
#include <stdarg.h>

#include "ws_wire.h"

#define HASH_START	14695981039346656037ULL
#define HASH_STEP	1099511628211ULL

static bool is_control(const struct wire_half *h)
{
	return h->head[0] & 8;
}

static unsigned int opcode(const struct wire_half *h)
{
	return h->head[0] & 15;
}

static bool is_masked(const struct wire_half *h)
{
	return h->head[1] & 128;
}

static unsigned int extended(const struct wire_half *h)
{
	switch (h->head[1] & 127) {
	case 126:
		return 2;
	case 127:
		return 8;
	}
	return 0;
}

/* The length and the key; RFC 6455 section 5.2. */
static void decode(struct wire_half *h)
{
	unsigned int i, n = extended(h);

	h->left = n ? 0 : h->head[1] & 127;
	for (i = 0; i < n; i++)
		h->left = h->left * 256 + h->head[2 + i];
	memset(h->key, 0, sizeof(h->key));
	if (is_masked(h))
		memcpy(h->key, h->head + 2 + n, 4);
	h->hash = HASH_START;
	h->phase = 0;
}

/* One byte of a header; true when that is complete. */
static bool add_to_head(struct wire_half *h, unsigned char byte)
{
	if (!h->have)
		h->start = h->at;
	h->head[h->have++] = byte;
	h->at++;
	if (h->have < 2 ||
	    h->have < 2 + extended(h) + (is_masked(h) ? 4 : 0))
		return false;
	decode(h);
	h->payload = true;
	return true;
}

/* Takes what belongs to the payload; returns how many bytes that were. */
static size_t skip_payload(struct wire_half *h, const unsigned char *data,
			   size_t len)
{
	size_t i;

	if (len > h->left)
		len = h->left;
	for (i = 0; i < len && is_control(h); i++)
		h->hash = (h->hash ^ data[i] ^ h->key[h->phase++ % 4]) *
			  HASH_STEP;
	h->left -= len;
	h->at += len;
	return len;
}

static void next_frame(struct wire_half *h)
{
	if (!is_control(h))
		h->message = !(h->head[0] & FIN);
	else if (opcode(h) == WS_OP_CLOSE)
		h->closed = true;
	h->have = 0;
	h->payload = false;
}

/* A peer whose frames the module may not answer at all. */
static bool is_wrong(const struct wire *w, const struct wire_half *h)
{
	return is_masked(h) != w->server ||
	       (is_control(h) && (h->left > 125 || !(h->head[0] & FIN)));
}

void wire_sent(struct wire *w, const void *data, size_t len)
{
	struct wire_half *h = &w->in;
	const unsigned char *p = data;
	size_t n;

	while (len && !w->any_pong && !h->closed) {
		n = 1;
		if (h->payload)
			n = skip_payload(h, p, len);
		else if (add_to_head(h, *p) && is_wrong(w, h))
			w->any_pong = true;
		p += n;
		len -= n;
		if (!h->payload || h->left)
			continue;
		if (opcode(h) == WS_OP_PING)
			w->hashes[w->pings++ % WIRE_PINGS] = h->hash;
		next_frame(h);
	}
}

__printf(2, 3)
static bool breach(struct wire *w, const char *fmt, ...)
{
	const struct wire_half *h = &w->out;
	char what[128];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	w->broken = true;
	return complain("on the wire: %s; frame %02x %02x at byte %llu", what,
			h->head[0], h->head[1], 0ULL + h->start);
}

/*
 * Keys are random: one of zeros or two alike in a row are chance once in a
 * life, not twice.
 */
static bool check_key(struct wire *w)
{
	const struct wire_half *h = &w->out;
	static const unsigned char zero[4];

	if (!memcmp(h->key, zero, 4) && ++w->zero_keys > 1)
		return breach(w, "mask of zeros number %u in %u frames",
			      w->zero_keys, w->frames + 1);
	if (w->frames && !memcmp(h->key, w->last_key, 4) && ++w->same_keys > 1)
		return breach(w, "mask like the last one, number %u in %u frames",
			      w->same_keys, w->frames + 1);
	memcpy(w->last_key, h->key, 4);
	w->frames++;
	return true;
}

static bool check_control(struct wire *w)
{
	const struct wire_half *h = &w->out;

	if (!(h->head[0] & FIN))
		return breach(w, "a control frame that is a fragment");
	if (h->left > 125)
		return breach(w, "a control frame of %llu bytes", 0ULL + h->left);
	if (opcode(h) > WS_OP_PONG)
		return breach(w, "an unknown opcode");
	if (opcode(h) == WS_OP_CLOSE && h->left == 1)
		return breach(w, "a Close with half a code");
	return true;
}

static bool check_data(struct wire *w)
{
	const struct wire_half *h = &w->out;

	if (opcode(h) > WS_OP_BINARY)
		return breach(w, "an unknown opcode");
	if (opcode(h) == WS_OP_CONT && !h->message)
		return breach(w, "a continuation of nothing");
	if (opcode(h) != WS_OP_CONT && h->message)
		return breach(w, "a message inside of another");
	return true;
}

static bool check_header(struct wire *w)
{
	struct wire_half *h = &w->out;
	unsigned int n = extended(h);
	/* RFC 7692: only on the first frame of a message. */
	unsigned int rsv = is_control(h) || opcode(h) == WS_OP_CONT ? 0 : w->rsv;

	if (h->closed)
		return breach(w, "a frame after the Close");
	if (h->head[0] & 0x70 & ~rsv)
		return breach(w, "a reserved bit");
	if (is_masked(h) == w->server)
		return breach(w, w->server ? "a server's frame with a mask" :
					     "a client's frame without a mask");
	if (n && h->left < (n == 2 ? 126 : 65536))
		return breach(w, "%llu as a length of %u bytes",
			      0ULL + h->left, n);
	if (h->left >> 63)
		return breach(w, "a length of 64 bits");
	if (is_masked(h) && !check_key(w))
		return false;
	return is_control(h) ? check_control(w) : check_data(w);
}

/* In the order of the PINGs; some may be left out (section 5.5.3). */
static bool check_pong(struct wire *w)
{
	unsigned int i = w->answered;

	if (w->any_pong)
		return true;
	if (w->pings - i > WIRE_PINGS)
		i = w->pings - WIRE_PINGS;
	for (; i < w->pings; i++) {
		if (w->hashes[i % WIRE_PINGS] != w->out.hash)
			continue;
		w->answered = i + 1;
		return true;
	}
	return breach(w, "a PONG that no PING asks for: %u PINGs, the first %u answered",
		      w->pings, w->answered);
}

bool wire_received(struct wire *w, const void *data, size_t len)
{
	struct wire_half *h = &w->out;
	const unsigned char *p = data;
	size_t n;

	while (len && !w->broken) {
		n = 1;
		if (h->payload)
			n = skip_payload(h, p, len);
		else if (add_to_head(h, *p) && !check_header(w))
			return false;
		p += n;
		len -= n;
		if (!h->payload || h->left)
			continue;
		if (opcode(h) == WS_OP_PONG && !check_pong(w))
			return false;
		next_frame(h);
	}
	return true;
}

bool wire_ended(struct wire *w)
{
	if (w->broken || (!w->out.have && !w->out.payload))
		return true;
	return breach(w, "FIN, and %llu bytes of payload are missing",
		      0ULL + w->out.left);
}
