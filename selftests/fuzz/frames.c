// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mutator that knows where frames begin, so that streams of many frames
 * come about: it adds, drops, repeats and alters frames, and writes text that
 * is right or almost right. Every other time libFuzzer's own mutations are
 * taken. None of it uses the core.
 */
#include "fuzz.h"

#define FRAMES	64

struct frames {
	u8 *p;			/* the stream */
	size_t n;		/* its length */
	size_t room;
	size_t at[FRAMES + 1];	/* where frames begin; the last: the end */
	unsigned int count;
	bool masked;
};

static const struct {
	const char *bytes;
	u8 n;
} snippets[] = {
	{ "\xc2\x80", 2 }, { "\xdf\xbf", 2 }, { "\xe0\xa0\x80", 3 },
	{ "\xed\x9f\xbf", 3 }, { "\xee\x80\x80", 3 }, { "\xef\xbf\xbf", 3 },
	{ "\xf0\x90\x80\x80", 4 }, { "\xf1\x80\x80\x80", 4 },
	{ "\xf3\xbf\xbf\xbf", 4 }, { "\xf4\x8f\xbf\xbf", 4 },
	{ "\xc1\xbf", 2 }, { "\xe0\x9f\xbf", 3 }, { "\xed\xa0\x80", 3 },
	{ "\xf0\x8f\xbf\xbf", 4 }, { "\xf4\x90\x80\x80", 4 }, { "\x80", 1 },
	{ "\xc3", 1 }, { "\xe2\x82", 2 }, { "plain text", 10 },
	{ "\x03\xe8", 2 }, { "\x03\xf4", 2 }, { "\x0b\xb8", 2 }, { "\0", 1 },
};

static u32 below(u32 *seed, u32 n)
{
	*seed = *seed * 1664525 + 1013904223;
	return (*seed >> 8) % n;
}

static size_t header_size(const u8 *p)
{
	size_t n = 2;

	n += (p[1] & 0x7f) == 126 ? 2 : (p[1] & 0x7f) == 127 ? 8 : 0;
	return n + (p[1] & 0x80 ? 4 : 0);
}

/* The frame's size as its header has it, but no more than there is. */
static size_t frame_size(const u8 *p, size_t n)
{
	u64 len = 0;
	size_t i, head;

	if (n < 2)
		return n;
	head = header_size(p);
	if (n < head)
		return n;
	len = p[1] & 0x7f;
	if (len >= 126)
		for (i = 0, len = 0; i < (p[1] & 1 ? 8 : 2); i++)
			len = len << 8 | p[2 + i];
	return len > n - head ? n : head + len;
}

static void find_frames(struct frames *f)
{
	size_t at = 0;

	f->count = 0;
	while (at < f->n && f->count < FRAMES) {
		f->at[f->count++] = at;
		at += frame_size(f->p + at, f->n - at);
	}
	f->at[f->count] = at;
}

/* A frame: mostly as it should be. */
static size_t make_frame(const struct frames *f, u8 *p, u32 *seed)
{
	static const u8 ops[] = { 0x81, 0x01, 0x82, 0x02, 0x00, 0x80, 0x80,
				  0x89, 0x8a, 0x88, 0xc1, 0x41 };
	bool masked = f->masked ^ !below(seed, 64);
	u32 len = below(seed, 2) ? below(seed, 12) : below(seed, 140);
	size_t n = 2, i;
	u8 key[4] = { 0 };

	p[0] = below(seed, 16) ? ops[below(seed, sizeof(ops))]
			       : below(seed, 256);
	p[1] = len;
	if (len > 125 || !below(seed, 32)) {
		p[1] = 126;
		p[2] = 0;
		p[3] = len;
		n = 4;
	}
	if (masked) {
		p[1] |= 0x80;
		for (i = 0; i < 4; i++)
			key[i] = below(seed, 256);
		memcpy(p + n, key, 4);
		n += 4;
	}
	for (i = 0; i < len; i++)
		p[n + i] = 'a' + i % 26;
	if ((p[0] & 0x0f) == WS_OP_CLOSE && len >= 2 && below(seed, 8)) {
		p[n] = 3;
		p[n + 1] = 0xe8 + below(seed, 16);
	}
	for (i = 0; i < len; i++)
		p[n + i] ^= key[i & 3];
	return n + len;
}

/* Puts n bytes where a frame begins. */
static void insert(struct frames *f, size_t at, const u8 *p, size_t n)
{
	if (n > f->room - f->n)
		return;
	memmove(f->p + at + n, f->p + at, f->n - at);
	memcpy(f->p + at, p, n);
	f->n += n;
}

/* Writes a snippet into a frame's payload, masked as the frame is. */
static void write_text(struct frames *f, unsigned int which, u32 *seed)
{
	u8 *frame = f->p + f->at[which];
	size_t size = f->at[which + 1] - f->at[which];
	unsigned int s = below(seed, sizeof(snippets) / sizeof(snippets[0]));
	size_t head, at, i;

	if (size < 2 || size <= header_size(frame))
		return;
	head = header_size(frame);
	at = below(seed, size - head);
	for (i = 0; i < snippets[s].n && head + at + i < size; i++) {
		u8 key = 0;

		if (frame[1] & 0x80)
			key = frame[head - 4 + ((at + i) & 3)];
		frame[head + at + i] = snippets[s].bytes[i] ^ key;
	}
}

static void change(struct frames *f, u32 *seed)
{
	unsigned int which = f->count ? below(seed, f->count) : 0;
	size_t from = f->at[which], size;
	u8 frame[512];

	size = f->count ? f->at[which + 1] - from : 0;
	switch (f->count ? below(seed, 8) : 0) {
	case 0:
	case 1:
		size = make_frame(f, frame, seed);
		insert(f, f->at[below(seed, f->count + 1)], frame, size);
		break;
	case 2:
		memmove(f->p + from, f->p + from + size, f->n - from - size);
		f->n -= size;
		break;
	case 3:
		if (size > sizeof(frame))
			break;
		memcpy(frame, f->p + from, size);
		insert(f, f->at[below(seed, f->count + 1)], frame, size);
		break;
	case 4:
		f->p[from] ^= 1 << below(seed, 8);
		break;
	default:
		write_text(f, which, seed);
	}
}

size_t fuzz_mutate(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	struct frames f = { 0 };
	u32 random = seed;
	struct input in;
	int i;

	if (below(&random, 2) || !input_parse(&in, data, size))
		return libfuzzer_mutate(data, size, max_size);
	f.p = data + (in.stream - data);
	f.n = in.n;
	f.room = max_size - (in.stream - data);
	f.masked = in.role == WS_ROLE_SERVER;
	for (i = 1 + below(&random, 4); i; i--) {
		find_frames(&f);
		change(&f, &random);
	}
	return f.n + (in.stream - data);
}
