// SPDX-License-Identifier: GPL-2.0-only
/* Payload patterns, and threads that send and read long messages of them. */
#include "ws_test.h"

#define PERIOD	251

const void *pattern(uint64_t at, size_t len)
{
	static char *text;
	size_t i;

	if (len > PATTERN_MAX)
		abort();
	if (!__atomic_load_n(&text, __ATOMIC_ACQUIRE)) {
		char *p = malloc(PATTERN_MAX + PERIOD), *none = NULL;

		if (!p)
			abort();
		for (i = 0; i < PATTERN_MAX + PERIOD; i++)
			p[i] = ' ' + i % PERIOD * 7 % 95;
		if (!__atomic_compare_exchange_n(&text, &none, p, false,
						 __ATOMIC_ACQ_REL,
						 __ATOMIC_ACQUIRE))
			free(p);
	}
	return text + at % PERIOD;
}

bool is_pattern(const void *data, uint64_t at, size_t len)
{
	const char *p = data;

	while (len) {
		size_t n = len < PATTERN_MAX ? len : PATTERN_MAX;

		if (memcmp(p, pattern(at, n), n))
			return false;
		p += n;
		at += n;
		len -= n;
	}
	return true;
}

static void *sender_thread(void *arg)
{
	unsigned char head[14], chunk[65536], key[4];
	struct sender *s = arg;
	bool masked = s->p->role == WS_ROLE_SERVER;
	uint64_t at;

	frame_key(key);
	s->ok = raw_send(s->p, head, frame_header(head, s->first, s->len,
						  masked ? key : NULL));
	for (at = 0; s->ok && at < s->len;) {
		size_t n = sizeof(chunk), i;

		if (n > s->len - at)
			n = s->len - at;
		memcpy(chunk, pattern(at, n), n);
		for (i = 0; masked && i < n; i++)
			chunk[i] ^= key[i % 4];
		s->ok = raw_send(s->p, chunk, n);
		at += n;
	}
	return NULL;
}

bool sender_start(struct sender *s, struct pair *p, int first, uint64_t len)
{
	*s = (struct sender){ .p = p, .first = first, .len = len };
	return !pthread_create(&s->thread, NULL, sender_thread, s);
}

bool sender_join(struct sender *s)
{
	return !pthread_join(s->thread, NULL) && s->ok;
}

bool pass_message(struct pair *p, uint64_t len)
{
	static char buf[65536];
	struct sender s;
	uint64_t at = 0;
	ssize_t n = 1;

	if (!sender_start(&s, p, BINARY, len))
		return complain("%s", strerror(errno));
	while (at < len && n > 0) {
		n = recv(p->ws, buf, sizeof(buf), 0);
		if (n > 0)
			at += n;
	}
	return sender_join(&s) && (at == len || complain("%zd", n));
}

void *drain_message(void *drain)
{
	struct drain *d = drain;
	struct frame f;
	size_t at = 0;

	do {
		if (!read_frame(d->p, &f))
			return NULL;
		if (!is_pattern(f.data, d->from + at, f.len)) {
			complain("wrong bytes from %zu on", at);
			return NULL;
		}
		at += f.len;
		d->frames++;
		free(f.data);
	} while (!(f.first & FIN));
	if (at == d->len)
		d->ok = true;
	else
		complain("%zu bytes of %zu", at, d->len);
	return NULL;
}
