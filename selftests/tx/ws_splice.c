// SPDX-License-Identifier: GPL-2.0-only
/* sendfile() and splice() to a socket, and splice() from it. */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>

FIXTURE(splice)
{
	struct pair p;
	char *buf;
};

FIXTURE_VARIANT(splice)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(splice, server4)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(splice, server6)
{
	.family = AF_INET6,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(splice, client4)
{
	.family = AF_INET,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(splice)
{
	/* Room for little at the peer: what is sent stays here for a while. */
	ASSERT_TRUE(pair_open_rcvbuf(&self->p, variant->family, variant->role,
				     0, 20000, 0));
	self->buf = mmap(NULL, PATTERN_MAX, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->buf);
	memcpy(self->buf, pattern(0, PATTERN_MAX), PATTERN_MAX);
}

FIXTURE_TEARDOWN(splice)
{
	munmap(self->buf, PATTERN_MAX);
	pair_close(&self->p);
}

static int temp_file(size_t len)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);

	if (fd < 0)
		fd = memfd_create("ws_zc", 0);
	if (fd < 0 || write(fd, pattern(0, len), len) != (ssize_t)len ||
	    lseek(fd, 0, SEEK_SET)) {
		complain("temporary file: %s", strerror(errno));
		return -1;
	}
	return fd;
}

/* The file's pages go out as they are, in frames of a good size. */
TEST_F(splice, sendfile)
{
	struct drain d = { .p = &self->p, .len = 500000 };
	long long before = ws_stat("WsTxReferenced");
	off_t at = 0;
	int fd;

	fd = temp_file(d.len);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pthread_create(&d.thread, NULL, drain_message, &d));
	while (at < (off_t)d.len) {
		ssize_t n = sendfile(self->p.ws, fd, &at, d.len - at);

		ASSERT_LT(0, n);
		/* A short one ends the message; the drain would say so. */
		ASSERT_EQ((off_t)d.len, at);
	}
	ASSERT_EQ(0, pthread_join(d.thread, NULL));
	EXPECT_TRUE(d.ok);
	EXPECT_EQ(variant->role == WS_ROLE_SERVER ? 500000 : 0,
		  ws_stat("WsTxReferenced") - before);
	if (variant->role == WS_ROLE_SERVER)
		EXPECT_GE(12, d.frames);
	EXPECT_EQ(1, ws_get_info(self->p.ws).tx_messages);
	EXPECT_EQ(500000, ws_get_info(self->p.ws).tx_bytes);
	close(fd);
}

/* A message that begins with @opcode, in as many frames as there are. */
static bool expect_pieces(struct pair *p, int opcode, uint64_t from,
			  size_t len, bool fin)
{
	size_t at = 0;
	struct frame f;

	do {
		if (!read_frame(p, &f))
			return false;
		if (f.first != ((at ? 0 : opcode) |
				(fin && at + f.len == len ? FIN : 0)) ||
		    !is_pattern(f.data, from + at, f.len))
			return complain("frame %02x of %zu at %zu", f.first,
					f.len, at);
		at += f.len;
		free(f.data);
	} while (at < len);
	return at == len || complain("%zu bytes of %zu", at, len);
}

/* A file longer than asked for, or shorter. */
TEST_F(splice, file_ends)
{
	struct pair *p = &self->p;
	off_t at;
	int fd;

	fd = temp_file(6000);
	ASSERT_LE(0, fd);
	at = 0;
	ASSERT_EQ(5000, sendfile(p->ws, fd, &at, 5000));
	EXPECT_TRUE(expect_pieces(p, F_BINARY, 0, 5000, true));
	at = 100;
	ASSERT_EQ(5900, sendfile(p->ws, fd, &at, 20000));
	EXPECT_TRUE(expect_pieces(p, F_BINARY, 100, 5900, false));
	EXPECT_TRUE(expect_frame(p, CONT, "", 0));
	at = 0;
	ASSERT_EQ(1, ws_send(p->ws, WS_OP_TEXT, "<", 1, MSG_MORE));
	ASSERT_EQ(10, sendfile(p->ws, fd, &at, 10));
	EXPECT_TRUE(expect_frame(p, F_TEXT, "<", 1));
	EXPECT_TRUE(expect_frame(p, CONT, pattern(0, 10), 10));
	close(fd);
}

/* Who writes to the file changes what has not arrived: nothing was copied. */
TEST_F(splice, file_is_shared)
{
	struct pair *p = &self->p;
	char new[3000];
	int fd;

	memset(new, '#', sizeof(new));
	fd = temp_file(sizeof(new));
	ASSERT_LE(0, fd);
	ASSERT_EQ((ssize_t)sizeof(new), sendfile(p->ws, fd, NULL, sizeof(new)));
	ASSERT_EQ((ssize_t)sizeof(new), pwrite(fd, new, sizeof(new), 0));
	EXPECT_TRUE(expect_frame(p, BINARY, variant->role == WS_ROLE_SERVER ?
				 new : pattern(0, sizeof(new)), sizeof(new)));
	close(fd);
}

/* Pieces that begin and end anywhere in their pages. */
TEST_F(splice, pieces)
{
	static const size_t sizes[] = { 1, 4096, 5000, 60000, 3, 8191, 65536 };
	struct pair *p = &self->p;
	size_t i, at = 1;
	int fd[2];

	ASSERT_EQ(0, pipe(fd));
	ASSERT_LE(1 << 17, fcntl(fd[1], F_SETPIPE_SZ, 1 << 17));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct iovec iov = { self->buf + at, sizes[i] };
		struct drain d = { .p = p, .len = sizes[i] };

		memcpy(self->buf + at, pattern(0, sizes[i]), sizes[i]);
		ASSERT_EQ((ssize_t)sizes[i], vmsplice(fd[1], &iov, 1, 0));
		ASSERT_EQ(0, pthread_create(&d.thread, NULL, drain_message, &d));
		ASSERT_EQ((ssize_t)sizes[i], splice(fd[0], NULL, p->ws, NULL,
						    sizes[i], 0));
		ASSERT_EQ(0, pthread_join(d.thread, NULL));
		EXPECT_TRUE(d.ok);
		if (variant->role == WS_ROLE_SERVER)
			EXPECT_GE(3, d.frames);
		at += sizes[i];
	}
	EXPECT_EQ(ARRAY_SIZE(sizes), ws_get_info(p->ws).tx_messages);
	close(fd[0]);
	close(fd[1]);
}

/* From the socket into a pipe and back: a message a call, whole. */
TEST_F(splice, through_a_pipe)
{
	static const size_t sizes[] = { 1, 5000, 60000, 15000 };
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	size_t i, at;
	ssize_t n;
	int fd[2];

	ASSERT_EQ(0, pipe(fd));
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		bytes_frame(&b, p, BINARY, pattern(i, sizes[i]), sizes[i]);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	bytes_free(&b);
	ASSERT_TRUE(settle(p));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		for (at = 0; at < sizes[i]; at += n) {
			struct drain d = { .p = p, .from = i + at };

			n = splice(p->ws, NULL, fd[1], NULL, 50000, 0);
			ASSERT_LT(0, n);
			ASSERT_GE(sizes[i], at + n);
			d.len = n;
			ASSERT_EQ(0, pthread_create(&d.thread, NULL, drain_message, &d));
			ASSERT_EQ(n, splice(fd[0], NULL, p->ws, NULL, n, 0));
			ASSERT_EQ(0, pthread_join(d.thread, NULL));
			EXPECT_TRUE(d.ok);
		}
	}
	/* SPLICE_F_NONBLOCK is about the pipe: recvmsg() would wait. */
	ASSERT_EQ(0, fcntl(p->ws, F_SETFL, O_NONBLOCK));
	EXPECT_EQ(-1, splice(p->ws, NULL, fd[1], NULL, 1, SPLICE_F_NONBLOCK));
	EXPECT_EQ(EAGAIN, errno);
	close(fd[0]);
	close(fd[1]);
}

struct count {
	struct pair *p;
	size_t bytes;
	int pings;
	pthread_t thread;
	bool ok;
};

/* Reads an endless pattern until a frame with FIN, and PINGs between. */
static void *count(void *arg)
{
	struct count *c = arg;
	struct frame f;
	bool fin, same;

	do {
		if (!read_frame(c->p, &f))
			return NULL;
		fin = f.first & FIN;
		if (f.first == PING) {
			same = f.len == 4 && !memcmp(f.data, "ping", 4);
			c->pings++;
			fin = false;
		} else {
			same = is_pattern(f.data, c->bytes, f.len);
			__atomic_fetch_add(&c->bytes, f.len, __ATOMIC_RELEASE);
		}
		free(f.data);
		if (!same) {
			complain("frame %02x before %zu", f.first, c->bytes);
			return NULL;
		}
	} while (!fin);
	c->ok = true;
	return NULL;
}

static bool counted(struct count *c, size_t want)
{
	uint64_t end = now_ms() + WS_TEST_MS;

	while (now_ms() < end) {
		if (__atomic_load_n(&c->bytes, __ATOMIC_ACQUIRE) == want)
			return true;
		usleep(5000);
	}
	return complain("%zu bytes of %zu", c->bytes, want);
}

/*
 * Signals may end splice() between two pages. What it has counted by then goes
 * out although no other call follows.
 */
TEST_F(splice, interrupted)
{
	struct itimerval fast = { { 0, 500 }, { 0, 500 } }, stop = { 0 };
	struct sigaction sa = { .sa_handler = on_signal };
	struct count c = { .p = &self->p };
	int fd[2], short_ones = 0, i;
	size_t sum = 0, piped = 0;
	sigset_t set;

	ASSERT_EQ(0, pipe(fd));
	ASSERT_EQ(1 << 20, fcntl(fd[1], F_SETPIPE_SZ, 1 << 20));
	ASSERT_EQ(0, sigaction(SIGALRM, &sa, NULL));
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	ASSERT_EQ(0, pthread_create(&c.thread, NULL, count, &c));
	for (i = 0; i < 30 && short_ones < 10; i++) {
		ssize_t n;

		/* Pages of 251 bytes, the pattern's period. */
		while (piped < 250 * 251) {
			ASSERT_EQ(251, write(fd[1], pattern(0, 251), 251));
			piped += 251;
		}
		pthread_sigmask(SIG_UNBLOCK, &set, NULL);
		setitimer(ITIMER_REAL, &fast, NULL);
		n = splice(fd[0], NULL, self->p.ws, NULL, piped, SPLICE_F_MORE);
		setitimer(ITIMER_REAL, &stop, NULL);
		pthread_sigmask(SIG_BLOCK, &set, NULL);
		if (n < 0) {
			ASSERT_EQ(EINTR, errno);
			continue;
		}
		sum += n;
		piped -= n;
		if (piped) {
			short_ones++;
			ASSERT_TRUE(counted(&c, sum));
		}
	}
	ASSERT_EQ(0, ws_send(self->p.ws, WS_OP_CONT, "", 0, 0));
	ASSERT_EQ(0, pthread_join(c.thread, NULL));
	EXPECT_TRUE(c.ok);
	EXPECT_EQ(sum, c.bytes);
	close(fd[0]);
	close(fd[1]);
}

/* Somebody else sends while page after page comes. */
TEST_F(splice, others_send)
{
	struct count c = { .p = &self->p };
	size_t len = 760000;
	int fd, i, status;
	off_t at = 0;
	pid_t pid;

	fd = temp_file(len);
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, pthread_create(&c.thread, NULL, count, &c));
	pid = fork();
	if (!pid) {
		for (i = 0; i < 300; i++)
			if (ws_send(self->p.ws, WS_OP_PING, "ping", 4, 0) != 4)
				_exit(1);
		_exit(0);
	}
	while (at < (off_t)len)
		ASSERT_LT(0, sendfile(self->p.ws, fd, &at, len - at));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(0, pthread_join(c.thread, NULL));
	EXPECT_TRUE(c.ok);
	EXPECT_EQ(len, c.bytes);
	close(fd);
}

TEST_HARNESS_MAIN
