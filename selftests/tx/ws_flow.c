// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sending to a peer that reads slowly: non-blocking calls that take a part,
 * timeouts, what EPOLLOUT promises, and files as a source.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/sendfile.h>
#include <sys/time.h>

#define MESSAGES	120

FIXTURE(flow)
{
	struct pair p;
};

FIXTURE_VARIANT(flow)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(flow, server)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(flow, client)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(flow)
{
	int small = 16 * 1024;

	ASSERT_TRUE(pair_open_rcvbuf(&self->p, variant->family, variant->role,
				     0, small, 1448));
	ASSERT_EQ(0, setsockopt(self->p.ws, SOL_SOCKET, SO_SNDBUF, &small,
				sizeof(small)));
}

FIXTURE_TEARDOWN(flow)
{
	pair_close(&self->p);
}

/* A message put together from its fragments; PINGs between are counted. */
static bool read_message(struct pair *p, int *opcode, struct bytes *b,
			 int *pings)
{
	struct frame f;

	*opcode = -1;
	do {
		if (!read_frame(p, &f))
			return false;
		if (f.first == PING) {
			(*pings)++;
			free(f.data);
			f.first = 0;
			continue;
		}
		if ((f.first & 0x7f) != (*opcode < 0 ? f.first & 3 : 0) ||
		    (*opcode < 0 && !(f.first & 3)))
			return complain("frame %02x, opcode %d", f.first,
					*opcode);
		if (*opcode < 0)
			*opcode = f.first & 0x0f;
		bytes_raw(b, f.data, f.len);
		free(f.data);
	} while (!(f.first & FIN));
	return true;
}

static size_t message_size(uint32_t *seed)
{
	uint32_t r = next_random(seed);

	switch (r % 4) {
	case 0:
		return r / 4 % 126;
	case 1:
		return r / 4 % 4000;
	case 2:
		return r / 4 % 70000;
	}
	return r / 4 % 300000;
}

struct reader {
	struct pair *p;
	pthread_t thread;
	bool ok;
};

/* Checks all the messages, and dawdles. */
static void *slow_reader(void *arg)
{
	struct reader *r = arg;
	uint32_t seed = 5;
	int i, opcode, pings = 0;

	for (i = 0; i < MESSAGES; i++) {
		size_t size = message_size(&seed);
		struct bytes b = { 0 };

		if (i % 8 == 0)
			usleep(2000);
		if (!read_message(r->p, &opcode, &b, &pings))
			return NULL;
		if (b.n != size || opcode != (i & 1 ? WS_OP_TEXT
						    : WS_OP_BINARY) ||
		    !is_pattern(b.p, i, size)) {
			complain("message %d: %zu bytes, not %zu", i, b.n,
				 size);
			return NULL;
		}
		bytes_free(&b);
	}
	r->ok = pings == MESSAGES / 10;
	if (!r->ok)
		complain("%d pings", pings);
	return NULL;
}

/*
 * A short count means: these bytes are on their way, the message is open,
 * send the rest. EPOLLOUT means that a send gets something done.
 */
TEST_F_TIMEOUT(flow, nonblocking, 90)
{
	struct reader r = { .p = &self->p };
	struct pair *p = &self->p;
	int i, shorts = 0, full = 0;
	uint32_t seed = 5;

	ASSERT_EQ(0, fcntl(p->ws, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, pthread_create(&r.thread, NULL, slow_reader, &r));
	for (i = 0; i < MESSAGES; i++) {
		size_t size = message_size(&seed), at = 0;
		bool polled = false;

		do {
			ssize_t n = ws_send(p->ws, at && i & 2 ? WS_OP_CONT :
					    i & 1 ? WS_OP_TEXT : WS_OP_BINARY,
					    pattern(i + at, size - at),
					    size - at, 0);

			if (n == -EAGAIN) {
				ASSERT_FALSE(polled);
				ASSERT_EQ(POLLOUT, poll_for(p->ws, POLLOUT,
							    WS_TEST_MS));
				polled = true;
				full++;
				continue;
			}
			ASSERT_LE(0, n);
			if (size)
				ASSERT_LT(0, n);
			polled = false;
			at += n;
			shorts += at < size;
		} while (at < size);
		while (i % 10 == 0 &&
		       ws_send(p->ws, WS_OP_PING, "?", 1, 0) == -EAGAIN)
			ASSERT_EQ(POLLOUT, poll_for(p->ws, POLLOUT,
						    WS_TEST_MS));
	}
	ASSERT_EQ(0, pthread_join(r.thread, NULL));
	EXPECT_TRUE(r.ok);
	/* Otherwise the test has not tested anything. */
	EXPECT_LT(0, shorts);
	EXPECT_LT(0, full);
	EXPECT_EQ(MESSAGES, ws_get_info(p->ws).tx_messages);
}

TEST_F_TIMEOUT(flow, blocking, 90)
{
	struct reader r = { .p = &self->p };
	struct pair *p = &self->p;
	uint32_t seed = 5;
	int i;

	ASSERT_EQ(0, pthread_create(&r.thread, NULL, slow_reader, &r));
	for (i = 0; i < MESSAGES; i++) {
		size_t size = message_size(&seed);

		ASSERT_EQ((ssize_t)size,
			  ws_send(p->ws, i & 1 ? WS_OP_TEXT : WS_OP_BINARY,
				  pattern(i, size), size, 0));
		if (i % 10 == 0)
			ASSERT_EQ(1, ws_send(p->ws, WS_OP_PING, "?", 1, 0));
	}
	ASSERT_EQ(0, pthread_join(r.thread, NULL));
	EXPECT_TRUE(r.ok);
}

/*
 * Fills the way to the peer until no ACK makes room any more; returns the
 * bytes that went.
 */
static size_t fill(int fd)
{
	size_t sent = 0;
	int full = 0;
	ssize_t n;

	/* EPOLLOUT comes with some room only, a send takes the last byte. */
	while (full < 2) {
		n = ws_send(fd, WS_OP_BINARY, pattern(sent, 30000), 30000,
			    MSG_DONTWAIT | MSG_MORE);
		if (n > 0) {
			sent += n;
			full = 0;
		} else if (n == -EAGAIN) {
			poll_for(fd, POLLOUT, 300);
			full++;
		} else {
			complain("not filled: %s", strerror(-n));
			break;
		}
	}
	return sent;
}

TEST_F(flow, epollout_is_the_truth)
{
	struct pair *p = &self->p;
	size_t sent, at = 0;
	struct frame f;

	EXPECT_EQ(POLLOUT, poll_now(p->ws, POLLOUT));
	sent = fill(p->ws);
	EXPECT_EQ(0, poll_now(p->ws, POLLOUT));
	EXPECT_EQ(-EAGAIN, ws_send(p->ws, WS_OP_CONT, "x", 1, MSG_DONTWAIT));
	while (at < sent) {
		ASSERT_TRUE(read_frame(p, &f));
		ASSERT_TRUE(is_pattern(f.data, at, f.len));
		at += f.len;
		free(f.data);
	}
	EXPECT_EQ(POLLOUT, poll_for(p->ws, POLLOUT, WS_TEST_MS));
	EXPECT_EQ(1, ws_send(p->ws, WS_OP_CONT, "x", 1, MSG_DONTWAIT));
	EXPECT_TRUE(expect_frame(p, CONT, "x", 1));
}

TEST_F(flow, sndtimeo)
{
	struct timeval tv = { .tv_usec = 200000 };
	struct pair *p = &self->p;
	uint64_t begin;

	fill(p->ws);
	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_SNDTIMEO, &tv,
				sizeof(tv)));
	begin = now_ms();
	EXPECT_EQ(-EAGAIN, ws_send(p->ws, WS_OP_CONT, "x", 1, 0));
	/* Ticks of a starved emulator come late and then many at a time. */
	EXPECT_LE(150, now_ms() - begin);
	EXPECT_TRUE(in_time(begin, 5000));
}

/* A long message whose time runs out: what went is said, and is whole. */
TEST_F(flow, sndtimeo_in_a_message)
{
	struct timeval tv = { .tv_usec = 200000 };
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	int opcode, pings = 0;
	ssize_t n;

	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_SNDTIMEO, &tv,
				sizeof(tv)));
	n = ws_send(p->ws, WS_OP_TEXT, pattern(0, 1 << 20), 1 << 20, 0);
	ASSERT_LT(0, n);
	ASSERT_GT(1 << 20, n);
	tv.tv_sec = WS_TEST_MS / 1000;
	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_SNDTIMEO, &tv,
				sizeof(tv)));
	/* The peer reads only now: its thread is this one. */
	while (b.n < (size_t)n) {
		struct frame f;

		ASSERT_TRUE(read_frame(p, &f));
		EXPECT_EQ(b.n ? F_CONT : F_TEXT, f.first);
		bytes_raw(&b, f.data, f.len);
		free(f.data);
	}
	ASSERT_EQ((size_t)n, b.n);
	ASSERT_TRUE(is_pattern(b.p, 0, n));
	bytes_free(&b);
	ASSERT_EQ(3, ws_send(p->ws, WS_OP_CONT, "end", 3, 0));
	EXPECT_TRUE(expect_frame(p, CONT, "end", 3));
	ASSERT_EQ(3, ws_send(p->ws, WS_OP_BINARY, "new", 3, 0));
	EXPECT_TRUE(read_message(p, &opcode, &b, &pings));
	EXPECT_EQ(WS_OP_BINARY, opcode);
	bytes_free(&b);
}

/* The Close waits for its turn behind what is half sent, and so does FIN. */
TEST_F(flow, close_behind_what_waits)
{
	struct pair *p = &self->p;
	size_t sent, at = 0;
	struct frame f;

	sent = fill(p->ws);
	ASSERT_EQ(0, close(p->ws));
	p->ws = -1;
	while (at < sent) {
		ASSERT_TRUE(read_frame(p, &f));
		ASSERT_TRUE(is_pattern(f.data, at, f.len));
		at += f.len;
		free(f.data);
	}
	EXPECT_TRUE(expect_close(p, 1001, ""));
	EXPECT_EQ(0, shutdown(p->raw, SHUT_WR));
	EXPECT_TRUE(expect_fin(p));
}

struct source {
	int from, to;
	size_t len;
	bool ok;
};

static void *send_file(void *arg)
{
	struct source *s = arg;
	size_t left = s->len;

	while (left) {
		ssize_t n = sendfile(s->to, s->from, NULL, left);

		if (n <= 0) {
			complain("sendfile: %s", strerror(errno));
			return NULL;
		}
		left -= n;
	}
	s->ok = ws_send(s->to, WS_OP_TEXT, "behind", 6, 0) == 6;
	return NULL;
}

/* sendfile(): the file as messages, whole and in order. */
TEST_F_TIMEOUT(flow, sendfile, 60)
{
	struct source s = { .to = self->p.ws, .len = 300000 };
	struct pair *p = &self->p;
	int opcode, pings = 0;
	struct bytes b = { 0 };
	pthread_t thread;
	size_t at = 0;

	s.from = open("/tmp", O_TMPFILE | O_RDWR, 0600);
	ASSERT_LE(0, s.from);
	ASSERT_EQ((ssize_t)s.len, write(s.from, pattern(0, s.len), s.len));
	ASSERT_EQ(0, lseek(s.from, 0, SEEK_SET));
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_file, &s));
	while (at < s.len) {
		ASSERT_TRUE(read_message(p, &opcode, &b, &pings));
		ASSERT_EQ(WS_OP_BINARY, opcode);
		ASSERT_TRUE(is_pattern(b.p, at, b.n));
		at += b.n;
		bytes_free(&b);
	}
	EXPECT_EQ(s.len, at);
	EXPECT_TRUE(expect_frame(p, TEXT, "behind", 6));
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(s.ok);
	close(s.from);
}

/* splice() from a pipe is the other way for pages to come in. */
TEST_F(flow, splice)
{
	struct pair *p = &self->p;
	int opcode, pings = 0, fd[2];
	struct bytes b = { 0 };
	size_t at = 0;

	ASSERT_EQ(0, pipe(fd));
	ASSERT_EQ(5000, write(fd[1], pattern(0, 5000), 5000));
	ASSERT_EQ(5000, splice(fd[0], NULL, p->ws, NULL, 5000, 0));
	while (at < 5000) {
		ASSERT_TRUE(read_message(p, &opcode, &b, &pings));
		ASSERT_TRUE(is_pattern(b.p, at, b.n));
		at += b.n;
		bytes_free(&b);
	}
	EXPECT_EQ(5000, at);
	close(fd[0]);
	close(fd[1]);
}

TEST_HARNESS_MAIN
