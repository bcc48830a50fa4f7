// SPDX-License-Identifier: GPL-2.0-only
/*
 * References of pages and of the module: nothing is left after any life of a
 * socket. A memfd can be sealed against writes only when nobody has a reference
 * on one of its pages, so one that was kept is seen.
 */
#include "kselftest_harness.h"
#include "ws_ways.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>

#ifndef F_ADD_SEALS
#define F_ADD_SEALS	1033
#define F_SEAL_WRITE	8
#endif

#define SIZE	(1 << 20)

FIXTURE(refs)
{
	struct pair p;
	int file;
	char *map;
	int held;
};

FIXTURE_VARIANT(refs)
{
	__u32 role;
	bool zerocopy;		/* MSG_ZEROCOPY of the file's memory */
};

FIXTURE_VARIANT_ADD(refs, sendfile) { WS_ROLE_SERVER, false };
FIXTURE_VARIANT_ADD(refs, sendfile_client) { WS_ROLE_CLIENT, false };
FIXTURE_VARIANT_ADD(refs, zerocopy) { WS_ROLE_SERVER, true };
FIXTURE_VARIANT_ADD(refs, zerocopy_client) { WS_ROLE_CLIENT, true };

static int module_refs(void)
{
	FILE *f = fopen("/sys/module/ws/refcnt", "r");
	int n = -1;

	if (f && fscanf(f, "%d", &n) != 1)
		n = -1;
	if (f)
		fclose(f);
	return n;
}

FIXTURE_SETUP(refs)
{
	int one = 1;

	signal(SIGPIPE, SIG_IGN);
	/* What went before may take a while to end. */
	wait_until(!module_refs());
	self->held = module_refs();
	self->file = memfd_create("pages", MFD_ALLOW_SEALING);
	ASSERT_LE(0, self->file);
	ASSERT_EQ(SIZE, write(self->file, pattern(0, SIZE), SIZE));
	self->map = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->file, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_TRUE(pair_open_small(&self->p, AF_INET, variant->role));
	ASSERT_EQ(0, setsockopt(self->p.ws, SOL_SOCKET, SO_ZEROCOPY, &one,
				sizeof(one)));
}

FIXTURE_TEARDOWN(refs)
{
	pair_close(&self->p);
	close(self->file);
}

/* Does anybody have a reference on a page of the file, or on the module? */
static bool nothing_is_left(int fd, char *map, int held)
{
	munmap(map, SIZE);
	if (!wait_until(!fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)))
		return complain("pages are held: %s", strerror(errno));
	/* TCP's own end may take a while, where the peer has not closed. */
	return wait_until(module_refs() <= held) ||
	       complain("the module is used %d times, not %d", module_refs(),
			held);
}

/* Sends of the file what there is room for; bytes. */
static size_t send_some(struct pair *p, int file, const char *map, bool zc,
			size_t at, size_t len)
{
	off_t off = at;
	ssize_t n;

	if (zc)
		n = ws_send(p->ws, 0, map + at, len, MSG_ZEROCOPY);
	else
		n = sendfile(p->ws, file, &off, len);
	return n > 0 ? n : 0;
}

#define SEND(at, len) \
	send_some(&self->p, self->file, self->map, variant->zerocopy, at, len)

/*
 * Until there is no room; a frame is then under way, as a call that may wait takes
 * more than there is room for, and the message is open.
 */
static size_t send_full(struct pair *p, int file, const char *map, bool zc)
{
	struct timeval tv = { .tv_usec = 100000 };
	size_t at = 0, n;

	setsockopt(p->ws, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	do {
		n = send_some(p, file, map, zc, at, SIZE - at);
		at += n;
		if (!n)
			usleep(20000);
	} while (n || poll_now(p->ws, POLLOUT) & POLLOUT);
	return at;
}

#define SEND_FULL() \
	send_full(&self->p, self->file, self->map, variant->zerocopy)

static bool read_bytes(struct pair *p, size_t len)
{
	struct frame f;
	size_t at = 0;

	while (at < len) {
		if (!read_frame(p, &f))
			return complain("%zu of %zu bytes", at, len);
		if (f.first == CLOSE || !is_pattern(f.data, at, f.len))
			return complain("wrong bytes at %zu", at);
		at += f.len;
		free(f.data);
	}
	return at == len || complain("%zu bytes, not %zu", at, len);
}

/* poll() would return for completions of MSG_ZEROCOPY, too. */
static bool hangs_up(int fd)
{
	return wait_until(poll_now(fd, POLLHUP) & POLLHUP);
}

/*
 * A limit has passed: the pages are given back at once, although the socket is
 * still open, and the module when it is closed.
 */
static bool ended_by_limit(struct pair *p, enum ws_rule rule, int file, char *map,
			   int held)
{
	if (!hangs_up(p->ws) || ws_get_info(p->ws).rule != rule)
		return complain("rule %d, not %d", ws_get_info(p->ws).rule, rule);
	close(p->raw);
	p->raw = -1;
	munmap(map, SIZE);
	if (!wait_until(!fcntl(file, F_ADD_SEALS, F_SEAL_WRITE)))
		return complain("pages are held: %s", strerror(errno));
	pair_close(p);
	return wait_until(module_refs() <= held) ||
	       complain("the module is used %d times, not %d", module_refs(),
			held);
}

#define NOTHING_IS_LEFT() \
	EXPECT_TRUE(nothing_is_left(self->file, self->map, self->held))

/* All of it arrives. */
TEST_F(refs, read)
{
	struct pair *p = &self->p;

	ASSERT_EQ(5000, SEND(0, 5000));
	EXPECT_TRUE(read_bytes(p, 5000));
	EXPECT_LT(self->held, module_refs());
	pair_close(p);
	NOTHING_IS_LEFT();
}

/* A frame is under way, and all of it arrives later. */
TEST_F(refs, read_later)
{
	struct pair *p = &self->p;
	size_t len = SEND_FULL();

	ASSERT_LT(0, len);
	EXPECT_TRUE(read_bytes(p, len));
	EXPECT_TRUE(poll_for(p->ws, POLLOUT, WS_TEST_MS) & POLLOUT);
	/* While the connection lives. */
	munmap(self->map, SIZE);
	EXPECT_TRUE(wait_until(!fcntl(self->file, F_ADD_SEALS, F_SEAL_WRITE)));
	pair_close(p);
	EXPECT_TRUE(wait_until(module_refs() <= self->held));
}

/* The peer resets, and the program does nothing but close, much later. */
TEST_F(refs, reset_by_the_peer)
{
	struct pair *p = &self->p;

	ASSERT_LT(0, SEND_FULL());
	close_reset(&p->raw);
	EXPECT_TRUE(hangs_up(p->ws));
	EXPECT_EQ(-ECONNRESET, ws_recv(p->ws, self->map, 1, 0).n);
	EXPECT_EQ(-EPIPE, ws_send(p->ws, 0, "x", 1, 0));
	munmap(self->map, SIZE);
	EXPECT_TRUE(wait_until(!fcntl(self->file, F_ADD_SEALS, F_SEAL_WRITE)));
	EXPECT_LT(self->held, module_refs());
	pair_close(p);
	EXPECT_TRUE(wait_until(module_refs() <= self->held));
}

TEST_F(refs, reset_by_us)
{
	struct pair *p = &self->p;

	ASSERT_LT(0, SEND_FULL());
	close_reset(&p->ws);
	EXPECT_TRUE(poll_for(p->raw, POLLHUP, WS_TEST_MS));
	pair_close(p);
	NOTHING_IS_LEFT();
}

/* close(), and the peer reads; its answer is the end. */
TEST_F(refs, closed_and_read)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	size_t len = SEND_FULL();

	ASSERT_LT(0, len);
	close(p->ws);
	p->ws = -1;
	EXPECT_LT(self->held, module_refs());
	EXPECT_TRUE(read_bytes(p, len));
	EXPECT_TRUE(expect_close(p, 1001, ""));
	bytes_close(&b, p, 1001, "");
	ASSERT_TRUE(raw_send_bytes(p, &b));
	shutdown(p->raw, SHUT_WR);
	EXPECT_TRUE(expect_fin(p));
	pair_close(p);
	NOTHING_IS_LEFT();
}

/* close(), and the time to linger is over although the peer reads nothing. */
TEST_F(refs, closed_and_not_read)
{
	long long lingering = ws_stat("WsCurrLingering");
	struct pair *p = &self->p;

	ASSERT_EQ(0, set_close_timeout(p->ws, 300));
	ASSERT_LT(0, SEND_FULL());
	close(p->ws);
	p->ws = -1;
	EXPECT_TRUE(stat_becomes("WsCurrLingering", lingering));
	/* Nothing waits in TCP any more once the peer has gone. */
	close_reset(&p->raw);
	NOTHING_IS_LEFT();
}

/* The limit for the peer's answer is over while a frame is under way. */
TEST_F(refs, close_timeout)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, set_close_timeout(p->ws, 300));
	ASSERT_LT(0, SEND_FULL());
	ASSERT_EQ(0, shutdown(p->ws, SHUT_WR));
	EXPECT_TRUE(ended_by_limit(p, WS_RULE_CLOSE_TIMEOUT, self->file, self->map,
				   self->held));
}

/* The same for the answer to a PING. */
TEST_F(refs, ping_timeout)
{
	struct ws_config cfg = { .role = variant->role, .ping_interval = 200,
				 .ping_timeout = 200 };
	struct pair *p = &self->p;

	ASSERT_LT(0, SEND_FULL());
	ASSERT_EQ(0, ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)));
	EXPECT_TRUE(ended_by_limit(p, WS_RULE_PING_TIMEOUT, self->file, self->map,
				   self->held));
}

/* Calls that are refused keep no page: what was found of them is given back. */
TEST_F(refs, refused)
{
	struct pair *p = &self->p;
	size_t i;

	/* The end of the file is mapped, and nothing behind it; in one frame. */
	ASSERT_EQ(0, ftruncate(self->file, SIZE / 2));
	for (i = 1; i < 15; i++)
		EXPECT_EQ(-EFAULT, ws_send(p->ws, 0, self->map + SIZE / 2 -
					   4096 * i, 4096 * i + 1,
					   MSG_ZEROCOPY));
	EXPECT_EQ(-EINVAL, ws_send(p->ws, 5, self->map, 5000, MSG_ZEROCOPY));
	EXPECT_EQ(-EOPNOTSUPP, ws_send(p->ws, WS_OP_PING, self->map, 100,
				       MSG_ZEROCOPY));
	EXPECT_TRUE(expect_silence(p));
	EXPECT_EQ(0, ws_get_info(p->ws).tx_bytes);
	munmap(self->map, SIZE);
	EXPECT_TRUE(wait_until(!fcntl(self->file, F_ADD_SEALS, F_SEAL_WRITE)));
	ASSERT_EQ(4, ws_send(p->ws, WS_OP_TEXT, "next", 4, 0));
	EXPECT_TRUE(expect_frame(p, TEXT, "next", 4));
}

/* Nothing can be sent any more: pages of a later call are not kept either. */
TEST_F(refs, after_the_close)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, ws_send_close(p->ws, 1000, ""));
	EXPECT_EQ(0, SEND(0, 50000));
	munmap(self->map, SIZE);
	EXPECT_TRUE(wait_until(!fcntl(self->file, F_ADD_SEALS, F_SEAL_WRITE)));
	EXPECT_TRUE(expect_close(p, 1000, ""));
	EXPECT_TRUE(expect_silence(p));
}

/* Pages through a pipe: moved, then the socket and the pipe end. */
TEST_F(refs, spliced)
{
	struct pair *p = &self->p;
	loff_t off = 0;
	int fd[2], i;

	ASSERT_EQ(0, pipe(fd));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(8000, splice(self->file, &off, fd[1], NULL, 8000,
				       0));
		ASSERT_EQ(8000, splice(fd[0], NULL, p->ws, NULL, 8000,
				       i < 2 ? SPLICE_F_MORE : 0));
	}
	close(fd[0]);
	close(fd[1]);
	EXPECT_TRUE(read_bytes(p, 24000));
	EXPECT_EQ(1, ws_get_info(p->ws).tx_messages);
	pair_close(p);
	NOTHING_IS_LEFT();
}

TEST_HARNESS_MAIN
