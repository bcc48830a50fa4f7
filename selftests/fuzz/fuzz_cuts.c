// SPDX-License-Identifier: GPL-2.0-only
/*
 * However TCP cuts a stream, the same comes of it: messages, control frames,
 * Close, the rule that was broken and where, in both roles. The stream is
 * read whole, byte by byte, and in the pieces that the input asks for.
 */
#include "fuzz.h"

static void compare(struct stream *one, struct stream *other, const char *how)
{
	const char *a = stream_end(one), *b = stream_end(other);

	if (strcmp(a, b))
		DIE("whole: \"%s\", %s: \"%s\"", a, how, b);
	if (one->rule != other->rule || one->over != other->over ||
	    one->frame_at != other->frame_at)
		DIE("whole: rule %d at %llu, %s: rule %d at %llu", one->rule,
		    one->frame_at + 0ULL, how, other->rule,
		    other->frame_at + 0ULL);
	if (!one->over &&
	    (one->taken != other->taken || one->left != other->left ||
	     one->seq.len != other->seq.len ||
	     one->seq.opcode != other->seq.opcode))
		DIE("whole and %s leave off differently", how);
}

int fuzz_one(const u8 *data, size_t size)
{
	struct stream whole, pieces, bytes;
	struct input in;
	size_t i;

	if (!input_parse(&in, data, size))
		return 0;
	input_start(&in, &whole);
	stream_feed(&whole, in.stream, in.n);
	input_start(&in, &bytes);
	for (i = 0; i < in.n; i++)
		stream_feed(&bytes, in.stream + i, 1);
	compare(&whole, &bytes, "byte by byte");
	input_start(&in, &pieces);
	input_feed_pieces(&in, &pieces);
	compare(&whole, &pieces, "in pieces");
	stream_free(&whole);
	stream_free(&bytes);
	stream_free(&pieces);
	return 0;
}
