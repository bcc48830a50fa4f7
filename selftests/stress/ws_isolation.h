/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two users of one machine, each with a memory cgroup and a network namespace
 * of its own. One attacks, and the other measures how long things take on its
 * WebSockets and, turn by turn, the same on plain TCP or plain kTLS.
 */
#ifndef _WS_ISOLATION_H
#define _WS_ISOLATION_H

#include <stdbool.h>
#include <stdint.h>

#include "ws_test.h"

#define VICTIM_UID	2001
#define ATTACKER_UID	3001

enum measure {
	M_PONG,
	M_INPUT,
	M_CLOSE,
	M_TIMEOUT,
	MEASURES
};

enum kind {
	K_WS,
	K_PLAIN,
	KINDS
};

enum phase {
	ALONE,
	ATTACKED,
	PHASES
};

/* Turns of each measure; the median of them counts. */
#define ROUNDS		11
/* In place of microseconds: it did not happen within WS_TEST_MS. */
#define NEVER		UINT32_MAX

/* Shared with the victim's process. */
struct results {
	int phase;		/* PHASES: the end */
	int rounds[PHASES];	/* that are complete */
	uint32_t us[PHASES][MEASURES][KINDS][ROUNDS];
	uint32_t jitter[PHASES][ROUNDS];	/* of a sleep of 1 ms */
};

/* In a process of its own; root at first. Returns whether it could measure. */
bool victim_run(struct results *r);

/* One of the processes that attack; @n says which of them. */
struct attacker {
	int n;
	int processes;
	int ready;		/* a byte says that the attack has begun */
};

struct attack {
	const char *name;
	int processes;
	bool tls;		/* against kTLS */
	const char *memory_max;	/* of the attackers' cgroup */
	/* Before and after, for the machine's settings. */
	bool (*arm)(void);
	void (*disarm)(void);
	/* Calls begun() and goes on until it is killed; false if it could not. */
	bool (*run)(struct attacker *a);
	/*
	 * What a user may do without the module, and what it costs others: both
	 * kinds of the victim are measured against themselves under this.
	 */
	bool (*mild)(struct attacker *a);
};

void begun(struct attacker *a);

bool attack_held(struct attacker *a);
bool arm_held(void);
bool attack_memory(struct attacker *a);
bool arm_memory(void);
void disarm_memory(void);
bool attack_pressure(struct attacker *a);
bool arm_pressure(void);
void disarm_pressure(void);
bool attack_dear(struct attacker *a);
bool attack_pings(struct attacker *a);
bool attack_scan(struct attacker *a);
bool attack_busy(struct attacker *a);
bool attack_linger(struct attacker *a);
bool attack_ahead(struct attacker *a);

/* @n pairs by one listener, attached; with kTLS where the test has it. */
bool pairs_open(struct pair *p, int n);

#endif /* _WS_ISOLATION_H */
