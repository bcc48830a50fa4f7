// SPDX-License-Identifier: GPL-2.0-only
/*
 * A socket after close(), seen from outside: whose it is, what it shares with
 * other such sockets (nothing), and whether bytes that come at that moment cost
 * the peer its Close.
 */
#include "kselftest_harness.h"
#include "ws_machine.h"
#include "ws_test.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define USER	1000

FIXTURE(orphan)
{
	struct pair p;
};

FIXTURE_VARIANT(orphan)
{
	const char *tls;
	__u32 role;
};

FIXTURE_VARIANT_ADD(orphan, server) { NULL, WS_ROLE_SERVER };
FIXTURE_VARIANT_ADD(orphan, client) { NULL, WS_ROLE_CLIENT };
FIXTURE_VARIANT_ADD(orphan, tls_server) { "1.3", WS_ROLE_SERVER };
FIXTURE_VARIANT_ADD(orphan, tls_client) { "1.2", WS_ROLE_CLIENT };

FIXTURE_SETUP(orphan)
{
	memset(self, 0, sizeof(*self));
	self->p.ws = -1;
	self->p.raw = -1;
	signal(SIGPIPE, SIG_IGN);
	if (variant->tls)
		setenv("WS_TEST_TLS", variant->tls, 1);
}

FIXTURE_TEARDOWN(orphan)
{
	pair_close(&self->p);
}

static int local_port(int fd)
{
	struct sockaddr_in sin = { 0 };
	socklen_t len = sizeof(sin);

	getsockname(fd, (void *)&sin, &len);
	return ntohs(sin.sin_port);
}

/* The user that /proc/net/tcp shows from the port @from to @to, or -1. */
static int user_of(int from, int to)
{
	FILE *f = fopen("/proc/net/tcp", "r");
	int uid = -1, u;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		unsigned int lport, rport, state;

		if (sscanf(line, " %*d: %*x:%x %*x:%x %x %*s %*s %*s %d",
			   &lport, &rport, &state, &u) == 4 &&
		    (int)lport == from && (int)rport == to)
			uid = u;
	}
	if (f)
		fclose(f);
	return uid;
}

/* Whose an open socket, and one that was closed, is. */
struct users {
	int open;
	int closed;
};

static void fill_send_buffer(int fd)
{
	while (send(fd, pattern(0, 65536), 65536, MSG_DONTWAIT) > 0)
		;
}

/* As an ordinary user, in a process of its own. */
static bool users_of(__u32 role, bool attached, struct users *u)
{
	struct pair p;
	int from, to;

	if (setgid(USER) || setuid(USER))
		return complain("user %d: %s", USER, strerror(errno));
	if (!(attached ? pair_open : pair_connect)(&p, AF_INET, role))
		return false;
	from = local_port(p.ws);
	to = local_port(p.raw);
	u->open = user_of(from, to);
	/* TCP keeps what was not read, and so its socket. */
	if (!attached)
		fill_send_buffer(p.ws);
	pair_close_ws(&p);
	usleep(100000);
	u->closed = user_of(from, to);
	pair_close(&p);
	return true;
}

static bool ask_users(__u32 role, bool attached, struct users *u)
{
	struct users *shared = mmap(NULL, sizeof(*shared),
				    PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(!users_of(role, attached, shared));
	waitpid(pid, &status, 0);
	*u = *shared;
	munmap(shared, sizeof(*shared));
	return !status || complain("status %x", status);
}

/*
 * For rules by user and for accounting. What plain TCP makes of an orphan is
 * right, too.
 */
TEST_F(orphan, keeps_its_user)
{
	struct users tcp, ws;

	ASSERT_TRUE(ask_users(variant->role, false, &tcp));
	ASSERT_TRUE(ask_users(variant->role, true, &ws));
	TH_LOG("TCP: user %d, then %d; ws: user %d, then %d", tcp.open,
	       tcp.closed, ws.open, ws.closed);
	EXPECT_EQ(USER, ws.open);
	ASSERT_NE(-1, ws.closed);
	EXPECT_TRUE(ws.closed == USER || ws.closed == tcp.closed);
}

/* Reads whatever frames there are, up to a Close. */
static bool read_to_close(struct pair *p)
{
	struct frame f;

	do {
		if (!read_frame(p, &f))
			return complain("no Close");
		free(f.data);
	} while (f.first != CLOSE);
	return true;
}

/*
 * Each has a full send buffer, with its Close behind it. That one's peer makes
 * room must not take from another what has TCP tell it of room.
 */
#define FULL	12
TEST_F_TIMEOUT(orphan, shares_no_flags, 120)
{
	struct ws_config cfg = { .role = variant->role,
				 .close_timeout = 60000 };
	long long limits = ws_stat("WsErrCloseTimeout");
	struct pair p[FULL];
	int i, size = 65536;
	uint64_t begin;

	for (i = 0; i < FULL; i++) {
		ASSERT_TRUE(pair_open_rcvbuf(&p[i], AF_INET, variant->role, 0,
					     16384, 0));
		ASSERT_EQ(0, setsockopt(p[i].ws, SOL_SOCKET, SO_SNDBUF, &size,
					sizeof(size)));
		ASSERT_EQ(0, ws_set(p[i].ws, WS_CONFIG, &cfg, sizeof(cfg)));
		while (ws_send(p[i].ws, WS_OP_BINARY, pattern(0, 8192), 8192,
			       MSG_DONTWAIT) > 0)
			;
	}
	for (i = 0; i < FULL; i++)
		pair_close_ws(&p[i]);
	begin = now_ms();
	for (i = 0; i < FULL; i++)
		EXPECT_TRUE(read_to_close(&p[i])) {
			TH_LOG("socket %d", i);
		}
	TH_LOG("%llu ms", 0ULL + now_ms() - begin);
	EXPECT_EQ(limits, ws_stat("WsErrCloseTimeout"));
	for (i = 0; i < FULL; i++)
		pair_close(&p[i]);
}

struct talker {
	struct pair *p;
	pthread_t thread;
	bool stop;
	bool started;
};

/* Whole messages, as fast as TCP takes them. */
static void *talk(void *arg)
{
	struct talker *t = arg;
	struct bytes b = { 0 };

	bytes_frame(&b, t->p, TEXT, "and another thing", 17);
	while (!__atomic_load_n(&t->stop, __ATOMIC_ACQUIRE) &&
	       send(t->p->raw, b.p, b.n, MSG_NOSIGNAL) == (ssize_t)b.n)
		__atomic_store_n(&t->started, true, __ATOMIC_RELEASE);
	bytes_free(&b);
	return NULL;
}

/* The peer is in the middle of sending. */
TEST_F_TIMEOUT(orphan, close_while_bytes_come, 180)
{
	uint64_t end = now_ms() + test_seconds(10) * 1000ULL;
	int round;

	for (round = 0; now_ms() < end; round++) {
		struct pair *p = &self->p;
		struct talker t = { .p = p };

		ASSERT_TRUE(pair_open(p, AF_INET, variant->role));
		if (round % 2)
			ASSERT_EQ(0, poll_now(p->ws, POLLIN));
		ASSERT_EQ(9, ws_send(p->ws, WS_OP_TEXT, "last word", 9, 0));
		ASSERT_EQ(0, pthread_create(&t.thread, NULL, talk, &t));
		while (!__atomic_load_n(&t.started, __ATOMIC_ACQUIRE))
			sched_yield();
		usleep(round % 7 * 100);
		pair_close_ws(p);
		usleep(round % 5 * 500);
		__atomic_store_n(&t.stop, true, __ATOMIC_RELEASE);
		ASSERT_EQ(0, pthread_join(t.thread, NULL));
		EXPECT_TRUE(expect_frame(p, TEXT, "last word", 9));
		ASSERT_TRUE(expect_close(p, 1001, "")) {
			TH_LOG("round %d", round);
		}
		pair_close(p);
	}
	TH_LOG("%d rounds", round);
}

/* ... and says goodbye at the same moment. Both Closes are on their way. */
TEST_F_TIMEOUT(orphan, close_while_a_close_comes, 180)
{
	uint64_t end = now_ms() + test_seconds(10) * 1000ULL;
	int round;

	for (round = 0; now_ms() < end; round++) {
		struct pair *p = &self->p;
		struct talker t = { .p = p };
		struct bytes b = { 0 };

		ASSERT_TRUE(pair_open(p, AF_INET, variant->role));
		ASSERT_EQ(0, poll_now(p->ws, POLLIN));
		ASSERT_EQ(9, ws_send(p->ws, WS_OP_TEXT, "last word", 9, 0));
		bytes_close(&b, p, 1000, "");
		ASSERT_EQ(0, pthread_create(&t.thread, NULL, talk, &t));
		usleep(round % 7 * 100);
		__atomic_store_n(&t.stop, true, __ATOMIC_RELEASE);
		if (round % 2)
			ASSERT_EQ(0, pthread_join(t.thread, NULL));
		pair_close_ws(p);
		if (!(round % 2))
			ASSERT_EQ(0, pthread_join(t.thread, NULL));
		ASSERT_TRUE(raw_send_bytes(p, &b));
		EXPECT_TRUE(expect_frame(p, TEXT, "last word", 9));
		ASSERT_TRUE(read_to_close(p)) {
			TH_LOG("round %d", round);
		}
		if (variant->role == WS_ROLE_SERVER)
			ASSERT_TRUE(expect_fin(p));
		pair_close(p);
	}
	TH_LOG("%d rounds", round);
}

TEST_HARNESS_MAIN
