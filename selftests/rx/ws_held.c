// SPDX-License-Identifier: GPL-2.0-only
/*
 * Readiness while the socket lock is held for as long as its owner likes, over
 * a page fault. The poller is another process that was given the socket. It may
 * not learn everything at once, but must never sleep for the lock: its other
 * sockets are in the same epoll set. TCP's own poll() takes no lock.
 */
#include "kselftest_harness.h"
#include "ws_stall.h"
#include "ws_test.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* Shared with the poller. */
struct seen {
	int calls;		/* that have returned */
	uint32_t events;	/* of the held socket, all that were seen */
};

FIXTURE(held)
{
	struct pair p;
	struct pair other;	/* in the same epoll set */
	struct holder holder;
	struct seen *seen;
	pid_t poller;
};

FIXTURE_VARIANT(held)
{
	const char *tls;
};

FIXTURE_VARIANT_ADD(held, tcp) { NULL };
FIXTURE_VARIANT_ADD(held, tls12) { "1.2" };
FIXTURE_VARIANT_ADD(held, tls13) { "1.3" };

FIXTURE_SETUP(held)
{
	memset(self, 0, sizeof(*self));
	if (variant->tls)
		setenv("WS_TEST_TLS", variant->tls, 1);
	self->seen = mmap(NULL, sizeof(*self->seen), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->seen);
	ASSERT_TRUE(pair_open(&self->p, AF_INET, WS_ROLE_SERVER));
	ASSERT_TRUE(pair_open(&self->other, AF_INET, WS_ROLE_SERVER));
}

FIXTURE_TEARDOWN(held)
{
	holder_end(&self->holder);
	if (self->poller > 0) {
		kill(self->poller, SIGKILL);
		waitpid(self->poller, NULL, 0);
	}
	pair_close(&self->p);
	pair_close(&self->other);
	munmap(self->seen, sizeof(*self->seen));
}

static void called(struct seen *seen)
{
	__atomic_add_fetch(&seen->calls, 1, __ATOMIC_RELEASE);
}

/* The calls that must return while the lock is held. */
#define LOCKED_CALLS	5

/* Waits for @want of the held socket, after other socket's message. */
static void poller(struct seen *seen, int held, int other, uint32_t want)
{
	struct epoll_event ev = { .events = want, .data.fd = held };
	int ep = epoll_create1(0);

	poll_now(held, POLLIN | POLLOUT);
	called(seen);
	epoll_ctl(ep, EPOLL_CTL_ADD, held, &ev);
	called(seen);
	epoll_wait(ep, &ev, 1, 0);
	called(seen);
	ev = (struct epoll_event){ .events = EPOLLIN, .data.fd = other };
	epoll_ctl(ep, EPOLL_CTL_ADD, other, &ev);
	called(seen);
	while (epoll_wait(ep, &ev, 1, -1) == 1 && ev.data.fd != other)
		seen->events |= ev.events;
	called(seen);
	epoll_ctl(ep, EPOLL_CTL_DEL, other, NULL);
	/* Level-triggered, and one at a time: each has its own wait. */
	for (want &= ~seen->events; want; want &= ~seen->events) {
		ev = (struct epoll_event){ .events = want, .data.fd = held };
		epoll_ctl(ep, EPOLL_CTL_MOD, held, &ev);
		if (epoll_wait(ep, &ev, 1, -1) != 1)
			break;
		seen->events |= ev.events;
	}
	called(seen);
}

static bool poller_calls(struct seen *seen, int calls)
{
	uint64_t end = now_ms() + WS_TEST_MS;

	while (__atomic_load_n(&seen->calls, __ATOMIC_ACQUIRE) < calls) {
		if (now_ms() > end)
			return complain("the poller is in its call %d",
					seen->calls + 1);
		usleep(1000);
	}
	return true;
}

static bool poll_while_held(struct pair *held, struct pair *other,
			    struct seen *seen, pid_t *pid, uint32_t want)
{
	*pid = fork();
	if (*pid < 0)
		return complain("fork: %s", strerror(errno));
	if (!*pid) {
		poller(seen, held->ws, other->ws, want);
		_exit(0);
	}
	return raw_frame(other, TEXT, "other", 5) &&
	       poller_calls(seen, LOCKED_CALLS);
}

/* Nothing was called on the socket before, and its message is there. */
TEST_F_TIMEOUT(held, first_poll_of_a_message, 60)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "before", 6));
	ASSERT_TRUE(settle(p));
	ASSERT_TRUE(holder_start(&self->holder, p->ws, HOLD_OPTION));
	EXPECT_TRUE(poll_while_held(p, &self->other, self->seen,
				    &self->poller, EPOLLIN | EPOLLOUT));
	holder_end(&self->holder);
	EXPECT_TRUE(poller_calls(self->seen, LOCKED_CALLS + 1));
	EXPECT_TRUE(expect_text(p->ws, "before"));
}

/* ... and the message comes while the lock is held. */
TEST_F_TIMEOUT(held, first_poll, 60)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(holder_start(&self->holder, p->ws, HOLD_OPTION));
	EXPECT_TRUE(poll_while_held(p, &self->other, self->seen,
				    &self->poller, EPOLLIN | EPOLLOUT));
	ASSERT_TRUE(raw_frame(p, TEXT, "meanwhile", 9));
	usleep(50000);
	holder_end(&self->holder);
	EXPECT_TRUE(poller_calls(self->seen, LOCKED_CALLS + 1));
	EXPECT_TRUE(expect_text(p->ws, "meanwhile"));
}

TEST_F_TIMEOUT(held, started, 60)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	ASSERT_TRUE(holder_start(&self->holder, p->ws, HOLD_OPTION));
	EXPECT_TRUE(poll_while_held(p, &self->other, self->seen,
				    &self->poller, EPOLLIN | EPOLLOUT));
	ASSERT_TRUE(raw_frame(p, TEXT, "meanwhile", 9));
	usleep(50000);
	holder_end(&self->holder);
	EXPECT_TRUE(poller_calls(self->seen, LOCKED_CALLS + 1));
	EXPECT_TRUE(expect_text(p->ws, "meanwhile"));
}

/* A sender copies its message. Then there is room, and the poller is told. */
TEST_F_TIMEOUT(held, by_a_sender, 60)
{
	struct pair *p = &self->p;
	struct frame f;

	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	ASSERT_TRUE(holder_start(&self->holder, p->ws, HOLD_SEND));
	EXPECT_TRUE(poll_while_held(p, &self->other, self->seen,
				    &self->poller, EPOLLIN | EPOLLOUT));
	ASSERT_TRUE(raw_frame(p, TEXT, "meanwhile", 9));
	holder_end(&self->holder);
	EXPECT_TRUE(poller_calls(self->seen, LOCKED_CALLS + 1));
	EXPECT_TRUE(expect_text(p->ws, "meanwhile"));
	ASSERT_TRUE(read_frame(p, &f));
	EXPECT_EQ(HOLD_BYTES, f.len);
	free(f.data);
}

/* A reader copies its message, and another one follows it. */
TEST_F_TIMEOUT(held, by_a_reader, 60)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, BINARY, pattern(0, HOLD_BYTES), HOLD_BYTES));
	ASSERT_TRUE(settle(p));
	ASSERT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
	ASSERT_TRUE(holder_start(&self->holder, p->ws, HOLD_RECV));
	EXPECT_TRUE(poll_while_held(p, &self->other, self->seen,
				    &self->poller, EPOLLIN | EPOLLOUT));
	ASSERT_TRUE(raw_frame(p, TEXT, "the next", 8));
	holder_end(&self->holder);
	EXPECT_TRUE(poller_calls(self->seen, LOCKED_CALLS + 1));
	EXPECT_TRUE(expect_text(p->ws, "the next"));
}

TEST_HARNESS_MAIN
