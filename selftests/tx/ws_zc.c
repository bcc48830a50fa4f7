// SPDX-License-Identifier: GPL-2.0-only
/* MSG_ZEROCOPY: what is sent, and when the program hears of its pages. */
#include "kselftest_harness.h"
#include "ws_zc.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

FIXTURE(zc)
{
	struct sender_zc s;
};

FIXTURE_VARIANT(zc)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(zc, server4)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(zc, server6)
{
	.family = AF_INET6,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(zc, client4)
{
	.family = AF_INET,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(zc)
{
	int one = 1;

	/* Room for little at the peer: what is sent stays here for a while. */
	ASSERT_TRUE(pair_open_rcvbuf(&self->s.p, variant->family, variant->role,
				     0, 20000, 0));
	ASSERT_EQ(0, setsockopt(self->s.p.ws, SOL_SOCKET, SO_ZEROCOPY, &one,
				sizeof(one)));
	self->s.buf = mmap(NULL, PATTERN_MAX, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->s.buf);
	memcpy(self->s.buf, pattern(0, PATTERN_MAX), PATTERN_MAX);
}

FIXTURE_TEARDOWN(zc)
{
	munmap(self->s.buf, PATTERN_MAX);
	pair_close(&self->s.p);
}

/* One report for each call, whatever the number of frames. */
TEST_F(zc, completions)
{
	static const size_t sizes[] = {
		1, 100, 4096, 65536, 65000, 300000, PATTERN_MAX,
	};
	struct pair *p = &self->s.p;
	long long before = ws_stat("WsTxReferenced");
	size_t i, off, sum = 0;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct drain d = { .p = p, .len = sizes[i] };

		off = i & 1 && sizes[i] < PATTERN_MAX / 2 ? 26 * 7 : 0;
		memcpy(self->s.buf + off, pattern(0, sizes[i]), sizes[i]);
		ASSERT_EQ(0, pthread_create(&d.thread, NULL, drain_message, &d));
		ASSERT_EQ((ssize_t)sizes[i],
			  ws_send(p->ws, WS_OP_BINARY, self->s.buf + off,
				  sizes[i], MSG_ZEROCOPY));
		sum += sizes[i];
		ASSERT_EQ(0, pthread_join(d.thread, NULL));
		EXPECT_TRUE(d.ok);
		if (i & 1)
			EXPECT_TRUE(completed(&self->s, i + 1));
	}
	EXPECT_TRUE(completed(&self->s, i));
	EXPECT_EQ((long long)(variant->role == WS_ROLE_SERVER ? sum : 0),
		  ws_stat("WsTxReferenced") - before);
	/* An empty message has no pages; without SO_ZEROCOPY nobody asks. */
	ASSERT_EQ(0, ws_send(p->ws, WS_OP_TEXT, "", 0, MSG_ZEROCOPY));
	EXPECT_TRUE(expect_frame(p, TEXT, "", 0));
	i = 0;
	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_ZEROCOPY, &i, 4));
	ASSERT_EQ(2, ws_send(p->ws, WS_OP_TEXT, "no", 2, MSG_ZEROCOPY));
	EXPECT_TRUE(expect_frame(p, TEXT, "no", 2));
	EXPECT_EQ(-EOPNOTSUPP, ws_send(p->ws, WS_OP_PING, "?", 1,
				       MSG_ZEROCOPY));
	EXPECT_TRUE(completed(&self->s, ARRAY_SIZE(sizes)));
	EXPECT_TRUE(expect_silence(p));
}

/* The pages are not copied: who writes to them changes what is sent. */
TEST_F(zc, shares)
{
	size_t bytes, at = 0, new = 0, i;
	struct pair *p = &self->s.p;
	__u32 calls;
	struct frame f;

	calls = fill(&self->s, &bytes);
	ASSERT_LT(0, calls);
	memset(self->s.buf, 1, PATTERN_MAX);
	while (at < bytes) {
		ASSERT_TRUE(read_frame(p, &f));
		for (i = 0; i < f.len; i++)
			new += f.data[i] == 1;
		if (variant->role == WS_ROLE_CLIENT)
			ASSERT_TRUE(is_pattern(f.data, at, f.len));
		at += f.len;
		free(f.data);
	}
	EXPECT_EQ(bytes, at);
	EXPECT_EQ(variant->role == WS_ROLE_SERVER, new > 0);
	EXPECT_TRUE(completed(&self->s, calls));
	ASSERT_EQ(3, ws_send(p->ws, WS_OP_CONT, "end", 3, 0));
	EXPECT_TRUE(expect_frame(p, CONT, "end", 3));
}

/* A bad pointer takes no number and leaves nothing on the wire. */
TEST_F(zc, efault)
{
	struct pair *p = &self->s.p;
	size_t room = 65536;
	struct drain d = { .p = p, .len = 100 };
	char *end = self->s.buf + room;

	/* Unmapped: User Mode Linux reads what is there but protected. */
	ASSERT_EQ(0, munmap(end, room));
	EXPECT_EQ(-EFAULT, ws_send(p->ws, WS_OP_TEXT, end - 1, 2,
				   MSG_ZEROCOPY));
	EXPECT_EQ(-EFAULT, ws_send(p->ws, WS_OP_TEXT, end - 9000, 9001,
				   MSG_ZEROCOPY));
	EXPECT_EQ(-EFAULT, ws_send(p->ws, WS_OP_TEXT, end, 5, MSG_ZEROCOPY));
	EXPECT_TRUE(expect_silence(p));
	EXPECT_TRUE(completed(&self->s, 0));
	ASSERT_EQ(100, ws_send(p->ws, WS_OP_BINARY, self->s.buf, 100,
			       MSG_ZEROCOPY));
	drain_message(&d);
	EXPECT_TRUE(d.ok);
	EXPECT_TRUE(completed(&self->s, 1));
}

/* Pinned pages count against RLIMIT_MEMLOCK. */
TEST_F(zc, memlock)
{
	struct rlimit limit = { .rlim_cur = 65536, .rlim_max = 65536 };
	struct pair *p = &self->s.p;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		ssize_t n = 0;

		if (setrlimit(RLIMIT_MEMLOCK, &limit) || setuid(65534))
			_exit(2);
		n = ws_send(p->ws, WS_OP_BINARY, self->s.buf, 200000,
			    MSG_ZEROCOPY);
		if (n != -ENOBUFS)
			_exit(3);
		_exit(ws_send(p->ws, WS_OP_BINARY, self->s.buf, 20000,
			      MSG_ZEROCOPY) == 20000 ? 0 : 4);
	}
	ASSERT_LT(0, pid);
	EXPECT_TRUE(expect_frame(p, BINARY, pattern(0, 20000), 20000));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(completed(&self->s, 1));
}

/* close() with pages under way: all of it arrives, then the Close. */
TEST_F(zc, close)
{
	struct pair *p = &self->s.p;
	size_t bytes, at = 0;
	struct frame f;

	ASSERT_LT(0, fill(&self->s, &bytes));
	ASSERT_EQ(0, close(p->ws));
	p->ws = -1;
	while (at < bytes) {
		ASSERT_TRUE(read_frame(p, &f));
		ASSERT_TRUE(is_pattern(f.data, at, f.len));
		at += f.len;
		free(f.data);
	}
	EXPECT_EQ(bytes, at);
	EXPECT_TRUE(expect_close(p, 1001, ""));
}

/* The peer resets: every page comes back although nobody sends or closes. */
TEST_F(zc, reset)
{
	struct pair *p = &self->s.p;
	size_t bytes;
	__u32 calls;

	calls = fill(&self->s, &bytes);
	ASSERT_LT(0, calls);
	/* A part of a frame is left, and what the call set going is over. */
	usleep(test_patience(200000));
	EXPECT_EQ(0, poll_now(p->ws, POLLOUT) & POLLOUT);
	close_reset(&p->raw);
	EXPECT_TRUE(completed(&self->s, calls));
}

/* The same, but we are the one who resets. */
TEST_F(zc, reset_by_us)
{
	struct linger hard = { .l_onoff = 1 };
	struct pair *p = &self->s.p;
	size_t bytes;

	ASSERT_LT(0, fill(&self->s, &bytes));
	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_LINGER, &hard,
				sizeof(hard)));
	ASSERT_EQ(0, close(p->ws));
	p->ws = -1;
	while (read(p->raw, self->s.buf, PATTERN_MAX) > 0)
		;
	EXPECT_EQ(ECONNRESET, errno);
}

/* The sender is killed while it waits for room. */
TEST_F(zc, killed)
{
	struct pair *p = &self->s.p;
	size_t at = 0;
	struct frame f;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		for (;;)
			ws_send(p->ws, WS_OP_BINARY, self->s.buf, PATTERN_MAX,
				MSG_ZEROCOPY);
	}
	ASSERT_LT(0, pid);
	close(p->ws);
	p->ws = -1;
	ASSERT_EQ(POLLIN, poll_for(p->raw, POLLIN, WS_TEST_MS));
	usleep(test_patience(200000));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	for (;;) {
		ASSERT_TRUE(read_frame(p, &f));
		if (f.first == CLOSE)
			break;
		ASSERT_TRUE(is_pattern(f.data, at, f.len));
		at = f.first & FIN ? 0 : at + f.len;
		free(f.data);
	}
	free(f.data);
}

TEST_HARNESS_MAIN
