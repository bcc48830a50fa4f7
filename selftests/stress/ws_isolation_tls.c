// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attacks by sockets that are held, and on what kTLS takes beside TCP's own
 * memory, see ws_isolation.h.
 */
#include "ws_isolation.h"
#include "ws_machine.h"
#include "ws_stall.h"

/*
 * Sockets whose lock is held for ever, and for each of which the kernel has
 * something to do. Whatever sleeps for such a lock stays asleep.
 */
#define HELD		300
/* Seconds for all of it; a try takes a moment. */
#define HELD_SECONDS	60

/* Whether WS_INFO of this socket sleeps: then something of the module's does. */
struct asker {
	int fd;
	bool done;
};

static void *ask(void *arg)
{
	struct asker *asker = arg;

	ws_get_info(asker->fd);
	__atomic_store_n(&asker->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static bool is_stuck(int fd)
{
	/* Whoever asks may never come back. */
	struct asker *asker = calloc(1, sizeof(*asker));
	pthread_attr_t attr;
	pthread_t thread;
	int i, err;

	asker->fd = fd;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attr, ask, asker);
	pthread_attr_destroy(&attr);
	for (i = 0; !err && i < 30; i++) {
		if (__atomic_load_n(&asker->done, __ATOMIC_ACQUIRE))
			return false;
		usleep(1000);
	}
	return true;
}

/*
 * The moment at which the lock is taken is a matter of luck: between a look at
 * it and the wait for it.
 */
static bool hold_one(struct pair *p, struct holder *h, struct bytes *pings)
{
	int try;

	for (try = 0; try < 4; try++) {
		if (!holder_launch(h, p->ws, HOLD_OPTION, rand() % 3000) ||
		    send(p->raw, pings->p, pings->n, MSG_NOSIGNAL) < 0 ||
		    !stall_reached(&h->stall, WS_TEST_MS))
			return false;
		if (!test_tls() || is_stuck(p->ws))
			return true;
		if (try < 3)
			holder_end(h);
	}
	return true;
}

bool arm_held(void)
{
	/* What FUSE gives everybody. */
	return file_write("/proc/sys/vm/unprivileged_userfaultfd", "1");
}

bool attack_held(struct attacker *a)
{
	static struct holder h[HELD];
	static struct pair p[HELD];
	uint64_t end = now_ms() + HELD_SECONDS * 1000;
	struct bytes pings = { 0 };
	int i;

	if (!net_own() || !become_user(ATTACKER_UID) || !pairs_open(p, HELD))
		return false;
	for (i = 0; i < 64; i++)
		bytes_frame(&pings, &p[0], PING, "x", 1);
	for (i = 0; i < HELD && now_ms() < end; i++) {
		poll_now(p[i].ws, POLLIN);
		if (!hold_one(&p[i], &h[i], &pings))
			return false;
	}
	complain("%d sockets are held", i);
	begun(a);
	for (;;)
		pause();
}

/*
 * Messages that do not end, on sockets that nobody reads, each after one that
 * was read: as much as the kernel will read ahead for one user. What it does not
 * waits in TCP's queues, and must not bring TCP to its own limit.
 */
#define AHEAD		90
#define AHEAD_READ	(2 << 20)
#define AHEAD_SENT	(AHEAD_READ / 2 + 300000)
bool attack_ahead(struct attacker *a)
{
	static const char head[14] = { (char)0x82, (char)0xff, 0, 0, 0, 0, 1 };
	static struct pair p[AHEAD];
	size_t sent[AHEAD] = { 0 };
	int i, idle = 0;

	if (!net_own() || !become_user(ATTACKER_UID) || !pairs_open(p, AHEAD))
		return false;
	for (i = 0; i < AHEAD; i++) {
		poll_now(p[i].ws, POLLIN);
		if (!pass_message(&p[i], AHEAD_READ))
			return false;
		if (send(p[i].raw, head, sizeof(head), 0) != sizeof(head))
			return complain("peer's send: %s", strerror(errno));
	}
	while (idle < 20) {
		idle++;
		for (i = 0; i < AHEAD; i++) {
			ssize_t n;

			if (sent[i] > AHEAD_SENT)
				continue;
			n = send(p[i].raw, pattern(0, 50000), 50000,
				 MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n <= 0)
				continue;
			sent[i] += n;
			idle = 0;
		}
		usleep(20000);
	}
	complain("%lld pages are read ahead", ws_stat("WsCurrTlsPages"));
	begun(a);
	for (;;)
		pause();
}
