// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many threads send on one socket: neither frames nor messages interleave,
 * and each thread's messages keep their order.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <signal.h>
#include <sys/time.h>

#define THREADS		8
#define MESSAGES	40

FIXTURE(senders)
{
	struct pair p;
};

FIXTURE_VARIANT(senders)
{
	int family;
	__u32 role;
	int sndbuf;
};

FIXTURE_VARIANT_ADD(senders, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(senders, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_VARIANT_ADD(senders, server_small_buffer)
{
	.family = AF_INET6,
	.role = WS_ROLE_SERVER,
	.sndbuf = 8192,
};

FIXTURE_VARIANT_ADD(senders, client_small_buffer)
{
	.family = AF_INET,
	.role = WS_ROLE_CLIENT,
	.sndbuf = 8192,
};

FIXTURE_SETUP(senders)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
	if (variant->sndbuf)
		ASSERT_EQ(0, setsockopt(self->p.ws, SOL_SOCKET, SO_SNDBUF,
					&variant->sndbuf,
					sizeof(variant->sndbuf)));
}

FIXTURE_TEARDOWN(senders)
{
	pair_close(&self->p);
}

/* At the head of each message. */
struct head {
	uint32_t thread;
	uint32_t number;
	uint32_t len;		/* of the pattern that follows */
};

struct worker {
	pthread_t thread;
	int fd;
	uint32_t id;
	bool to_fail;		/* the test is about that */
	bool ok;
};

static size_t size_of(uint32_t *seed)
{
	uint32_t r = next_random(seed);

	return r % 8 == 0 ? r % 300000 : r % 8 < 3 ? r % 20000 : r % 500;
}

static void *sender(void *arg)
{
	static const size_t largest = sizeof(struct head) + 300000;
	struct worker *w = arg;
	uint32_t seed = w->id + 1, i;
	char *buf = malloc(largest);

	for (i = 0; i < MESSAGES; i++) {
		struct head h = { w->id, i, size_of(&seed) };
		size_t len = sizeof(h) + h.len;
		ssize_t n;

		memcpy(buf, &h, sizeof(h));
		memcpy(buf + sizeof(h), pattern(w->id + i, h.len), h.len);
		n = ws_send(w->fd, WS_OP_BINARY, buf, len, 0);
		if (n != (ssize_t)len) {
			if (!w->to_fail)
				complain("sender %u: %zd of %zu", w->id, n,
					 len);
			free(buf);
			return NULL;
		}
	}
	free(buf);
	w->ok = true;
	return NULL;
}

static void *pinger(void *arg)
{
	struct worker *w = arg;
	int i;

	for (i = 0; i < MESSAGES; i++)
		if (ws_send(w->fd, WS_OP_PING, "?", 1, 0) != 1)
			return NULL;
	w->ok = true;
	return NULL;
}

/* One message; its fragments are all its own. */
static bool read_one(struct pair *p, struct bytes *b, int *pings)
{
	bool open = false;
	struct frame f;

	for (;;) {
		if (!read_frame(p, &f))
			return false;
		if (f.first == PING) {
			(*pings)++;
			free(f.data);
			if (!open)
				return true;
			continue;
		}
		if ((f.first & 0x7f) != (open ? WS_OP_CONT : WS_OP_BINARY))
			return complain("frame %02x", f.first);
		bytes_raw(b, f.data, f.len);
		free(f.data);
		open = true;
		if (f.first & FIN)
			return true;
	}
}

static bool check_one(const struct bytes *b, uint32_t *next)
{
	struct head h;

	if (b->n < sizeof(h))
		return complain("message of %zu bytes", b->n);
	memcpy(&h, b->p, sizeof(h));
	if (h.thread >= THREADS || h.len + sizeof(h) != b->n)
		return complain("thread %u, %u in a message of %zu", h.thread,
				h.len, b->n);
	if (h.number != next[h.thread]++)
		return complain("thread %u: message %u", h.thread, h.number);
	return is_pattern(b->p + sizeof(h), h.thread + h.number, h.len) ||
	       complain("thread %u, message %u: wrong bytes", h.thread,
			h.number);
}

TEST_F_TIMEOUT(senders, never_interleave, 90)
{
	struct worker w[THREADS + 1] = { 0 };
	uint32_t next[THREADS] = { 0 };
	struct pair *p = &self->p;
	int i, pings = 0, messages = 0;

	for (i = 0; i <= THREADS; i++) {
		w[i].fd = p->ws;
		w[i].id = i;
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL,
					    i < THREADS ? sender : pinger,
					    &w[i]));
	}
	while (messages < THREADS * MESSAGES || pings < MESSAGES) {
		struct bytes b = { 0 };

		ASSERT_TRUE(read_one(p, &b, &pings));
		if (b.n) {
			ASSERT_TRUE(check_one(&b, next));
			messages++;
		}
		bytes_free(&b);
	}
	for (i = 0; i <= THREADS; i++) {
		ASSERT_EQ(0, pthread_join(w[i].thread, NULL));
		EXPECT_TRUE(w[i].ok);
	}
	EXPECT_EQ(THREADS * MESSAGES, ws_get_info(p->ws).tx_messages);
}

/* Senders that wait are let go when the socket's sending ends. */
TEST_F(senders, shutdown_frees_them)
{
	struct worker w[THREADS] = { 0 };
	struct pair *p = &self->p;
	uint64_t begin = now_ms();
	int i;

	for (i = 0; i < THREADS; i++) {
		w[i].fd = p->ws;
		w[i].id = i;
		w[i].to_fail = true;
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL, sender, &w[i]));
	}
	usleep(200000);
	ASSERT_EQ(0, shutdown(p->ws, SHUT_RDWR));
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(w[i].thread, NULL));
	EXPECT_TRUE(in_time(begin, 8000));
}

/* ... and when the peer is gone. */
TEST_F(senders, reset_frees_them)
{
	struct worker w[THREADS] = { 0 };
	struct pair *p = &self->p;
	uint64_t begin = now_ms();
	int i;

	for (i = 0; i < THREADS; i++) {
		w[i].fd = p->ws;
		w[i].id = i;
		w[i].to_fail = true;
		ASSERT_EQ(0, pthread_create(&w[i].thread, NULL, sender, &w[i]));
	}
	usleep(200000);
	close_reset(&p->raw);
	for (i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_join(w[i].thread, NULL));
	EXPECT_TRUE(in_time(begin, 8000));
}

/* A signal ends a send that waits, with nothing or with what is taken. */
TEST(signal_ends_it)
{
	struct itimerval in_100_ms = { .it_value.tv_usec = 100000 };
	struct itimerval often = { { 0, 100000 }, { 0, 100000 } };
	struct sigaction sa = { .sa_handler = on_signal };
	int room = 200000;
	struct pair p;
	ssize_t n;

	ASSERT_TRUE(pair_open_rcvbuf(&p, AF_INET, WS_ROLE_SERVER, 0, 4096,
				     1448));
	/* So that TCP does not find that there could be more. */
	ASSERT_EQ(0, setsockopt(p.ws, SOL_SOCKET, SO_SNDBUF, &room,
				sizeof(room)));
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &in_100_ms, NULL));
	/* The timer may be over before the send buffer is full. */
	do {
		n = ws_send(p.ws, WS_OP_BINARY, pattern(0, PATTERN_MAX),
			    PATTERN_MAX, MSG_DONTWAIT);
	} while (n > 0);
	ASSERT_EQ(-EAGAIN, n);
	/* The first signal may come before the call that it ends. */
	ASSERT_EQ(0, setitimer(ITIMER_REAL, &often, NULL));
	/* With a timeout of the socket it is EINTR, never a restart. */
	n = ws_send(p.ws, WS_OP_CONT, "x", 1, 0);
	EXPECT_EQ(-EINTR, n);
	pair_close(&p);
}

TEST_HARNESS_MAIN
