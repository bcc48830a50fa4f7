// SPDX-License-Identifier: MIT
/* The streams of permessage-deflate, RFC 7692 section 7.2, with zlib. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "deflate.h"

/* The end of a sync flush, which a message leaves out, section 7.2.1. */
static const u8 tail[4] = { 0x00, 0x00, 0xff, 0xff };

#define ROOM_MIN	64		/* zlib needs at least 7 for a flush */

/*
 * zlib has no raw streams with a window of 256 bytes. Those that it makes with
 * 512 bytes fit: it never looks back further than the window less MIN_LOOKAHEAD
 * (262) bytes, here 250. Received streams are read with 9, too, because a
 * larger window can read those of every smaller one.
 */
static int get_zlib_bits(unsigned int bits)
{
	return bits < 9 ? 9 : bits;
}

/**
 * deflate_new() - make the compression of one connection
 * @params: the agreed parameters, with all defaults filled in
 * @role: our side
 *
 * Contexts are made when they are first needed.
 *
 * Return: the compression, for deflate_free(), or NULL with ENOMEM.
 */
struct deflate *deflate_new(const struct kws_deflate *params, u32 role)
{
	struct deflate *d = calloc(1, sizeof(*d));
	struct direction *server, *client;

	if (!d)
		return NULL;
	server = role == WS_ROLE_SERVER ? &d->tx : &d->rx;
	client = role == WS_ROLE_SERVER ? &d->rx : &d->tx;
	d->params = *params;
	server->bits = get_zlib_bits(params->server_max_window_bits);
	server->forget = params->server_no_context_takeover;
	client->bits = get_zlib_bits(params->client_max_window_bits);
	client->forget = params->client_no_context_takeover;
	return d;
}

static void end_tx(struct deflate *d)
{
	if (d->tx.live)
		deflateEnd(&d->tx.z);
	d->tx.live = false;
}

static void end_rx(struct deflate *d)
{
	if (d->rx.live)
		inflateEnd(&d->rx.z);
	d->rx.live = false;
}

/**
 * deflate_free() - free both directions
 * @d: may be NULL
 */
void deflate_free(struct deflate *d)
{
	if (!d)
		return;
	end_tx(d);
	end_rx(d);
	free(d->out.data);
	free(d);
}

/* Makes room for output, twice as much each time, up to @most bytes. */
static int grow_buffer(struct buffer *b, size_t first, u64 most)
{
	size_t size = b->size ? b->size * 2 : first;
	u8 *data;

	if (b->size - b->to >= ROOM_MIN || b->size == most)
		return 0;
	if (size < ROOM_MIN * 2)
		size = ROOM_MIN * 2;
	if (size > most)
		size = most;
	data = realloc(b->data, size);
	if (!data)
		return -1;
	b->data = data;
	b->size = size;
	return 0;
}

static unsigned int clamp_uint(size_t n)
{
	return n < UINT_MAX ? n : UINT_MAX;
}

static int start_tx(struct deflate *d)
{
	int r;

	if (d->tx.live)
		return 0;
	memset(&d->tx.z, 0, sizeof(d->tx.z));
	r = deflateInit2(&d->tx.z, d->params.level, Z_DEFLATED, -d->tx.bits,
			 d->params.memory, Z_DEFAULT_STRATEGY);
	errno = ENOMEM;
	d->tx.live = r == Z_OK;
	return d->tx.live ? 0 : -1;
}

/**
 * deflate_pack() - compress a message or a fragment of one
 * @d: the connection's compression
 * @data: the payload
 * @len: its length
 * @fin: this ends the message
 * @out: an empty buffer, filled; the caller frees it, also after a failure
 *
 * Every fragment ends with a sync flush: the peer can inflate all of it.
 *
 * Return: 0, or -1 with ENOMEM; then call deflate_forget().
 */
int deflate_pack(struct deflate *d, const void *data, size_t len, bool fin,
		 struct buffer *out)
{
	z_stream *z = &d->tx.z;
	unsigned int room;

	if (start_tx(d))
		return -1;
	z->next_in = (u8 *)data;
	do {
		unsigned int now = clamp_uint(len);

		z->avail_in = now;
		do {
			if (grow_buffer(out, len / 2, SIZE_MAX))
				return -1;
			room = clamp_uint(out->size - out->to);
			z->next_out = out->data + out->to;
			z->avail_out = room;
			deflate(z, Z_SYNC_FLUSH);
			out->to += room - z->avail_out;
		} while (!z->avail_out);
		len -= now;
	} while (len);
	if (!fin)
		return 0;
	/* No data since the last flush: section 7.2.3.6. */
	if (out->to < sizeof(tail)) {
		out->data[0] = 0;
		out->to = 1;
	} else {
		out->to -= sizeof(tail);
	}
	if (d->tx.forget)
		end_tx(d);
	return 0;
}

/**
 * deflate_forget() - the bytes compressed last will not be sent
 * @d: the connection's compression
 *
 * Later messages refer neither to them nor to anything before.
 */
void deflate_forget(struct deflate *d)
{
	if (d->tx.forget)
		end_tx(d);
	else if (d->tx.live)
		deflateReset(&d->tx.z);
}

static enum unpacked start_rx(struct deflate *d)
{
	if (d->rx.live)
		return UNPACK_GOOD;
	memset(&d->rx.z, 0, sizeof(d->rx.z));
	if (inflateInit2(&d->rx.z, -d->rx.bits) != Z_OK)
		return UNPACK_NO_MEMORY;
	d->rx.live = true;
	return UNPACK_GOOD;
}

/*
 * Inflates all of the input. *@ended: the input ended with the last block
 * (BFINAL). Data after that block continues with the same window, which
 * inflateReset() would drop.
 */
static enum unpacked inflate_all(z_stream *z, const u8 *data, size_t len,
				 u64 limit, struct buffer *out, bool *ended)
{
	/* With one byte more than the limit, too much is detected. */
	u64 most = limit < SIZE_MAX ? limit + 1 : SIZE_MAX;
	size_t first = len < most / 4 ? len * 4 : most;
	unsigned int now, room;
	int r;

	z->next_in = (u8 *)data;
	z->avail_in = 0;
	do {
		now = clamp_uint(len);
		z->avail_in = now;
		if (grow_buffer(out, first, most))
			return UNPACK_NO_MEMORY;
		room = clamp_uint(out->size - out->to);
		z->next_out = out->data + out->to;
		z->avail_out = room;
		r = inflate(z, Z_SYNC_FLUSH);
		out->to += room - z->avail_out;
		len -= now - z->avail_in;
		if (out->to > limit)
			return UNPACK_TOO_BIG;
		if (r == Z_MEM_ERROR)
			return UNPACK_NO_MEMORY;
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR)
			return UNPACK_CORRUPT;
		*ended = r == Z_STREAM_END;
		if (*ended)
			inflateResetKeep(z);
	} while (len || (r == Z_OK && !z->avail_out));
	return UNPACK_GOOD;
}

/**
 * deflate_unpack() - inflate a message
 * @d: the connection's compression
 * @data: the payload of all its frames
 * @len: its length
 * @limit: the most bytes that it may inflate to
 * @out: an empty buffer, filled; never larger than @limit and a byte
 *
 * Two violations are accepted because they do no harm: an empty payload, which
 * some peers send for the second of two empty messages, and the missing byte
 * behind a block with BFINAL (section 7.2.3.4).
 *
 * Return: UNPACK_GOOD, or the fault; then the stream is unusable.
 */
enum unpacked deflate_unpack(struct deflate *d, const void *data, size_t len,
			     u64 limit, struct buffer *out)
{
	z_stream *z = &d->rx.z;
	enum unpacked r;
	bool ended;

	if (!len)
		return UNPACK_GOOD;
	r = start_rx(d);
	if (r == UNPACK_GOOD)
		r = inflate_all(z, data, len, limit, out, &ended);
	if (r == UNPACK_GOOD && !ended) {
		r = inflate_all(z, tail, sizeof(tail), limit, out, &ended);
		/* 128: at the end of a block, with no input left. */
		if (r == UNPACK_GOOD && (ended || !(z->data_type & 128) ||
					 z->data_type & 7))
			r = UNPACK_CORRUPT;
	}
	if (d->rx.forget)
		end_rx(d);
	return r;
}
