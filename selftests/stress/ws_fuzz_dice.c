// SPDX-License-Identifier: GPL-2.0-only
/* Decisions from the bytes of a recipe, and what a thread is at. */
#include "ws_fuzz.h"

unsigned long long fuzz_calls;
struct watched watched[2];
__thread int thread_number;

void doing(const char *what)
{
	__atomic_store_n(&watched[thread_number].since, now_ms(),
			 __ATOMIC_RELAXED);
	__atomic_store_n(&watched[thread_number].what, what, __ATOMIC_RELEASE);
}

uint64_t roll64(struct dice *d)
{
	d->rest ^= d->rest << 13;
	d->rest ^= d->rest >> 7;
	d->rest ^= d->rest << 17;
	return d->rest;
}

uint32_t roll(struct dice *d, uint32_t sides)
{
	uint32_t v;

	if (d->at >= d->n)
		return (roll64(d) >> 16) % sides;
	v = d->p[d->at++];
	if (sides > 256 && d->at < d->n)
		v = v << 8 | d->p[d->at++];
	return v % sides;
}

bool chance(struct dice *d, uint32_t n)
{
	return !roll(d, n);
}

size_t roll_size(struct dice *d, size_t max)
{
	static const uint32_t borders[] = {
		0, 1, 2, 8, 125, 126, 127, 255, 512, 1448, 4082, 4096, 8192,
		65535, 65536, 66000,
	};
	size_t v = borders[roll(d, 16)];

	switch (roll(d, 4)) {
	case 0:
		v += roll(d, 5);
		break;
	case 1:
		v -= roll(d, 5);
		break;
	case 2:
		v = roll(d, 300);
		break;
	}
	return v % (max + 1);
}
