// SPDX-License-Identifier: MIT
/*
 * The strongest taking of uploads in user space that we can write, to compare
 * with: large reads, every piece of a message unmasked by AVX2 where it lies
 * and then done with, no message put together, the answers of a read in one
 * send(). It takes unfragmented binary frames; a connection that brings
 * anything else is libkws's from there on, see echo_user.c.
 */
#include <string.h>

#include "echo.h"
#include "echo_fast.h"

/* Of a frame whose payload is worth going on with here. */
static bool is_simple(const struct ws_hdr *hdr, u64 max)
{
	return hdr->fin && hdr->masked && !hdr->rsv && hdr->len <= max &&
	       hdr->opcode == WS_OP_BINARY;
}

/* Payload that has come: all of it, or up to the end of the message. */
static size_t take(struct server *s, struct sink *k, u8 *p, size_t n)
{
	if (n > k->left)
		n = k->left;
	fast_unmask(p, n, k->key);
	k->key = ws_key_rotate(k->key, n);
	k->left -= n;
	s->bytes += n;
	return n;
}

/**
 * fast_sink() - take what was read
 * @s: the server
 * @k: where the connection stands
 * @f: @f->in and @f->in_len: what has been read; @f->left is set to what is
 *	not used yet, @f->messages to the number that has ended
 *
 * Return: FAST_MORE, or FAST_OTHER when what is left is not for us.
 */
enum fast fast_sink(struct server *s, struct sink *k, struct frames *f)
{
	u64 max = s->max_message ? s->max_message : WS_MAX_MESSAGE_DEFAULT;
	u8 *p = f->in, *end = f->in + f->in_len;
	enum fast r = FAST_MORE;

	while (p < end) {
		struct ws_hdr hdr;
		int size;

		if (!k->left) {
			size = ws_hdr_parse(p, end - p, &hdr);
			if (!size)
				break;
			if (size < 0 || !is_simple(&hdr, max)) {
				r = FAST_OTHER;
				break;
			}
			k->left = hdr.len;
			k->key = hdr.key;
			p += size;
		}
		p += take(s, k, p, end - p);
		f->messages += !k->left;
	}
	f->left = p;
	f->left_len = end - p;
	return r;
}
