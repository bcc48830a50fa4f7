// SPDX-License-Identifier: GPL-2.0-only
/* What the bytes of an input mean: see fuzz.h. */
#include "fuzz.h"

bool input_parse(struct input *in, const u8 *data, size_t size)
{
	static const u64 limits[] = { WS_MAX_MESSAGE_NONE, 125, 1000, 4 };
	size_t head;

	if (size < INPUT_HEAD)
		return false;
	in->n_pieces = data[1] & INPUT_PIECES;
	head = INPUT_HEAD + in->n_pieces;
	if (size < head)
		return false;
	in->role = data[0] & 1 ? WS_ROLE_CLIENT : WS_ROLE_SERVER;
	in->rsv = data[0] & 2 ? WS_RSV1 : 0;
	in->max_message = limits[data[0] >> 2 & 3];
	in->pieces = data + INPUT_HEAD;
	in->stream = data + head;
	in->n = size - head;
	return true;
}

/* How long the i-th piece is when so many bytes are left: maybe empty. */
size_t input_piece(const struct input *in, unsigned int i, size_t left)
{
	size_t n = left;

	if (in->n_pieces)
		n = in->pieces[i % in->n_pieces];
	/* A stream in pieces of nothing would never end. */
	if (!n && i % 16 == 15)
		n = 1;
	return n < left ? n : left;
}

void input_start(const struct input *in, struct stream *s)
{
	stream_init(s, in->role, in->rsv, in->max_message);
}

/* Each piece is an allocation of its own: one byte beyond it is seen. */
void input_feed_pieces(const struct input *in, struct stream *s)
{
	size_t at = 0;
	unsigned int i;

	for (i = 0; at < in->n; i++) {
		size_t n = input_piece(in, i, in->n - at);
		u8 *piece = malloc(n ? n : 1);

		if (!piece)
			DIE("no memory");
		memcpy(piece, in->stream + at, n);
		stream_feed(s, piece, n);
		free(piece);
		at += n;
	}
}
