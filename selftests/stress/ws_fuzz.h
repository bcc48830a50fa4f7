/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of ws_fuzz share; see ws_fuzz.c. */
#ifndef _WS_FUZZ_H
#define _WS_FUZZ_H

#include "ws_test.h"

#ifndef __aligned
#define __aligned(x)	__attribute__(( \
				aligned(x)))
#endif
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/*
 * Every decision of a run is taken from the bytes of its recipe, in order, and
 * when they are used up from numbers that @rest begins. So a run can be told
 * again, and a recipe that was worth something can be changed a little.
 */
struct dice {
	const uint8_t *p;
	size_t n;
	size_t at;
	uint64_t rest;
};

/* 0 to @sides - 1. */
uint32_t roll(struct dice *d, uint32_t sides);
uint64_t roll64(struct dice *d);
/* One in @n times. */
bool chance(struct dice *d, uint32_t n);
/* A size that is often near a border. */
size_t roll_size(struct dice *d, size_t max);

#define ARENA		(1 << 18)

/* What a run works on. The two ends are used by one thread or by several. */
struct world {
	struct pair p;
	int other;		/* a second descriptor of p.ws, or -1 */
	int epoll;
	int pipe[2];
	int file;		/* memory file of ARENA bytes ... */
	unsigned char *map;	/* ... that is mapped here */
	unsigned char *arena;	/* ARENA bytes of buffer for each thread ... */
	unsigned char *wall;	/* ... and a page without access behind them */
};

bool world_open(struct world *w, struct dice *d, bool valid);
void world_close(struct world *w);

/* One random call on the attached end, or on @fd as if it were. */
void fuzz_call(struct world *w, int fd, struct dice *d);
/* One random act of the peer. */
void fuzz_peer(struct world *w, struct dice *d);
/* A valid stream, both ways, every byte of which is compared. */
bool fuzz_valid(struct world *w, struct dice *d);

/* What the watchdog looks at: main thread and second thread. */
extern struct watched {
	const char *what;
	uint64_t since;
} watched[2];
extern __thread int thread_number;
/* What this thread does from now on, NULL for nothing. */
void doing(const char *what);
extern unsigned long long fuzz_calls;

#endif /* _WS_FUZZ_H */
