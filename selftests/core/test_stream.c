// SPDX-License-Identifier: GPL-2.0-only
/*
 * The core's functions together: every vector of vectors.h whole, one byte
 * at a time and cut at every place, and random messages there and back.
 */
#include "core_test.h"
#include "stream.h"
#include "vectors.h"

/* Rules that a stream alone can break: each must stand in a vector. */
static const enum ws_rule rules_of_streams[] = {
	WS_RULE_RSV, WS_RULE_OPCODE, WS_RULE_LENGTH, WS_RULE_UNMASKED,
	WS_RULE_MASKED, WS_RULE_CONTROL_LENGTH, WS_RULE_CONTROL_FRAGMENT,
	WS_RULE_CONTINUATION, WS_RULE_INTERLEAVED, WS_RULE_CLOSE_LENGTH,
	WS_RULE_CLOSE_CODE, WS_RULE_CLOSE_UTF8, WS_RULE_UTF8, WS_RULE_TOO_BIG,
};

static u8 *vector_bytes(const struct vector *v, size_t *n)
{
	u8 *p;

	*n = vector_decode(NULL, v->in);
	p = malloc(*n ? *n : 1);
	if (!p)
		abort();
	vector_decode(p, v->in);
	return p;
}

static void start(struct stream *s, const struct vector *v)
{
	stream_init(s, v->role, v->rsv,
		    v->max_message ? v->max_message : WS_MAX_MESSAGE_DEFAULT);
}

static void finish(struct stream *s, const struct vector *v, const char *how,
		   size_t cut)
{
	const char *got = stream_end(s);

	CHECK_MSG(!strcmp(got, v->want), "%s, %s %zu: \"%s\", not \"%s\"",
		  v->name, how, cut, got, v->want);
	stream_free(s);
}

static void stream__vectors_whole(void)
{
	struct stream s;
	size_t i, n;

	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		u8 *p = vector_bytes(&vectors[i], &n);

		start(&s, &vectors[i]);
		stream_feed(&s, p, n);
		finish(&s, &vectors[i], "whole", n);
		free(p);
	}
}

/* How much of the middle of long streams comes at once; more where it is slow. */
#ifndef LONG_STEP
#define LONG_STEP	1
#endif

static void stream__vectors_byte_by_byte(void)
{
	struct stream s;
	size_t i, n, at, step;

	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		u8 *p = vector_bytes(&vectors[i], &n);

		start(&s, &vectors[i]);
		for (at = 0; at < n; at += step) {
			u8 *one;

			step = at > 300 && at + 300 + LONG_STEP < n ?
				LONG_STEP : 1;
			one = exact(p + at, step);
			stream_feed(&s, one, step);
			free(one);
		}
		finish(&s, &vectors[i], "bytes", n);
		free(p);
	}
}

/* Long payloads are cut everywhere near their ends and here and there. */
static void stream__vectors_every_cut(void)
{
	struct stream s;
	size_t i, n, cut;

	for (i = 0; i < ARRAY_SIZE(vectors); i++) {
		u8 *p = vector_bytes(&vectors[i], &n);

		for (cut = 0; cut <= n; cut++) {
			u8 *one, *two;

			if (cut > 300 && cut + 300 < n && cut % 997)
				continue;
			one = exact(p, cut);
			two = exact(p + cut, n - cut);
			start(&s, &vectors[i]);
			stream_feed(&s, one, cut);
			stream_feed(&s, two, n - cut);
			finish(&s, &vectors[i], "cut", cut);
			free(one);
			free(two);
		}
		free(p);
	}
}

static void stream__vectors_break_every_rule(void)
{
	size_t i, k;

	for (i = 0; i < ARRAY_SIZE(rules_of_streams); i++) {
		enum ws_rule rule = rules_of_streams[i];
		unsigned int found = 0;
		char word[32];

		snprintf(word, sizeof(word), "!%s@", ws_rule_name(rule));
		for (k = 0; k < ARRAY_SIZE(vectors); k++)
			if (strstr(vectors[k].want, word))
				found++;
		CHECK_MSG(found, "%s", word);
	}
}

/* Small numbers that repeat: failures can be run again. */
static u32 next(u32 *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* One message of "x" in random fragments, written with ws_hdr_build(). */
static size_t write_message(u8 *p, char *log, u32 role, u32 *seed)
{
	size_t fragments = 1 + next(seed) % 4, total = 0, at = 0, i, k;
	bool text = next(seed) & 1;
	char filler[64];

	memset(filler, 'x', sizeof(filler));
	for (i = 0; i < fragments; i++) {
		u32 r = next(seed) % 16;
		struct ws_hdr hdr = {
			.len = r == 0 ? 126 : r == 1 ? 700 : r == 2 ? 0 : r,
			.key = next(seed) * 2654435761u,
			.opcode = i ? WS_OP_CONT
				    : text ? WS_OP_TEXT : WS_OP_BINARY,
			.fin = i == fragments - 1,
			.masked = role == WS_ROLE_SERVER,
		};

		if (!hdr.masked)
			hdr.key = 0;
		at += ws_hdr_build(p + at, &hdr);
		for (k = 0; k < hdr.len; k++)
			p[at + k] = 'x';
		ws_mask_copy(p + at, p + at, hdr.len, hdr.key);
		at += hdr.len;
		total += hdr.len;
	}
	if (total > 64)
		sprintf(log, "%s[%zu]", text ? "text" : "binary", total);
	else
		sprintf(log, "%s(%.*s)", text ? "text" : "binary", (int)total,
			filler);
	return at;
}

static void stream__random_there_and_back(void)
{
	static u8 wire[64 * 1024];
	u32 seed = 1, round;

	for (round = 0; round < 2000; round++) {
		u32 role = round & 1 ? WS_ROLE_CLIENT : WS_ROLE_SERVER;
		size_t n = 0, at = 0, log_len = 0;
		char want[2048] = "";
		struct stream s;
		const char *got;
		int messages;

		for (messages = 1 + next(&seed) % 8; messages; messages--) {
			if (log_len)
				want[log_len++] = ' ';
			n += write_message(wire + n, want + log_len, role,
					   &seed);
			log_len += strlen(want + log_len);
		}
		stream_init(&s, role, 0, WS_MAX_MESSAGE_DEFAULT);
		while (at < n) {
			size_t take = next(&seed) % 40;

			if (take > n - at)
				take = n - at;
			stream_feed(&s, wire + at, take);
			at += take;
		}
		got = stream_end(&s);
		CHECK_MSG(!strcmp(got, want), "round %u: \"%s\", not \"%s\"",
			  round, got, want);
		stream_free(&s);
	}
}

#define T(name) { #name, name }

const struct core_test stream_tests[] = {
	T(stream__vectors_whole),
	T(stream__vectors_byte_by_byte),
	T(stream__vectors_every_cut),
	T(stream__vectors_break_every_rule),
	T(stream__random_there_and_back),
	{ NULL, NULL },
};
