/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzz targets share. But for fuzz_build, an input is
 *
 *	byte 0		bit 0: role of the reader (1: client), bit 1: RSV1 is
 *			allowed, bits 2 and 3: the largest message
 *	byte 1		bits 0 to 3: how many lengths of pieces follow
 *	lengths		a byte each; in turn, until the stream is used up
 *	stream		what the peer sends
 */
#ifndef _WS_FUZZ_H
#define _WS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "core.h"
#include "stream.h"

#define INPUT_HEAD	2
#define INPUT_PIECES	0x0f

struct input {
	u32 role;
	u8 rsv;
	u64 max_message;
	const u8 *pieces;
	size_t n_pieces;
	const u8 *stream;
	size_t n;
};

bool input_parse(struct input *in, const u8 *data, size_t size);
size_t input_piece(const struct input *in, unsigned int i, size_t left);

void input_start(const struct input *in, struct stream *s);
void input_feed_pieces(const struct input *in, struct stream *s);

/* What libFuzzer calls and what it offers, under names in our style. */
int fuzz_one(const u8 *data, size_t size) asm("LLVMFuzzerTestOneInput");
size_t fuzz_mutate(u8 *data, size_t size, size_t max_size, unsigned int seed)
	asm("LLVMFuzzerCustomMutator");
size_t libfuzzer_mutate(u8 *data, size_t size, size_t max_size)
	asm("LLVMFuzzerMutate");

/* Ends the run: libFuzzer keeps the input. */
#define DIE(...)							\
	do {								\
		fprintf(stderr, "%s:%d: ", __FILE__, __LINE__);		\
		fprintf(stderr, __VA_ARGS__);				\
		fputc('\n', stderr);					\
		abort();						\
	} while (0)

#endif /* _WS_FUZZ_H */
