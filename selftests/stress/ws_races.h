/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of ws_races share; see ws_races.c. */
#ifndef _WS_RACES_H
#define _WS_RACES_H

#include "ws_test.h"

#define THREADS		10
#define PAIRS		3
#define ENDS		(PAIRS * 2)
/* The descriptors that everybody uses; dup2() puts others in their place. */
#define FIRST_FD	200

/* Between threads. */
#define get(x)		__atomic_load_n(&(x), __ATOMIC_RELAXED)
#define set(x, v)	__atomic_store_n(&(x), v, __ATOMIC_RELAXED)

struct racer {
	pthread_t thread;
	uint32_t seed;
	unsigned long done;
};

/* All of them, and what they pass descriptors through. */
struct race {
	struct racer racers[THREADS];
	bool begun, over;
	int unix_sv[2];
};

extern struct race the_race;

/* A new pair in the place of an old one; one of its ends may stay plain. */
bool refill(struct racer *r, int number);
/* A thread: one act after the other, until the race is over. */
void *take_part(void *racer);

/* Many pairs that end at a bad moment, in random ways; of @seed. */
#define ENDING_PAIRS	24
bool end_pairs(uint32_t *seed);
/* Ends by exit, with everything open, or closed and lingering; a status. */
int live_in_a_namespace(uint32_t seed);

#endif /* _WS_RACES_H */
