// SPDX-License-Identifier: GPL-2.0-only
/* WS_ATTACH while others use the socket, who began before it. */
#include <pthread.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "ws_test.h"

#include "kselftest_harness.h"

static void *sets_keys(void *arg)
{
	int *fd = arg;

	while (__atomic_load_n(fd, __ATOMIC_RELAXED) >= 0) {
		tls_keys(*fd, "1.3", true, TLS_RECEIVES);
		tls_keys(*fd, "1.3", true, TLS_SENDS);
	}
	return NULL;
}

/* Newer kernels take new keys: not of an attached socket, however late. */
TEST(keys_and_attach)
{
	pthread_t thread;
	struct pair p;
	int fd, i;

	setenv("WS_TEST_TLS", "1.3", 1);
	for (i = 0; i < 100; i++) {
		ASSERT_TRUE(pair_connect(&p, AF_INET, WS_ROLE_SERVER));
		fd = p.ws;
		ASSERT_EQ(0, pthread_create(&thread, NULL, sets_keys, &fd));
		usleep(i * 10);
		EXPECT_EQ(0, ws_attach_config(p.ws, NULL));
		usleep(500);
		__atomic_store_n(&fd, -1, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		/* Still ours. */
		EXPECT_EQ(0, ws_get_info(p.ws).state);
		pair_close(&p);
	}
}

struct early_reader {
	struct pair *p;
	pid_t tid;
};

static void *reads_once(void *arg)
{
	struct early_reader *r = arg;
	struct pair *p = r->p;
	char buf[100];

	__atomic_store_n(&r->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	return (void *)recv(p->ws, buf, sizeof(buf), 0);
}

/*
 * Who sleeps in recv() since before the attach takes the record that wakes him;
 * what comes then is the WebSocket's.
 */
TEST(reader_from_before)
{
	struct early_reader r = { 0 };
	pthread_t thread;
	struct pair p;
	void *got;

	setenv("WS_TEST_TLS", "1.3", 1);
	ASSERT_TRUE(pair_connect(&p, AF_INET, WS_ROLE_SERVER));
	r.p = &p;
	ASSERT_EQ(0, pthread_create(&thread, NULL, reads_once, &r));
	ASSERT_TRUE(wait_until(thread_sleeps(&r.tid)));
	ASSERT_EQ(0, ws_attach_config(p.ws, NULL));
	ASSERT_EQ(0, poll_now(p.ws, POLLIN));
	ASSERT_TRUE(raw_send(&p, "whatever", 8));
	ASSERT_EQ(0, pthread_join(thread, &got));
	EXPECT_EQ(8, (ssize_t)got);
	ASSERT_TRUE(raw_frame(&p, TEXT, "mine", 4));
	EXPECT_EQ(POLLIN, poll_for(p.ws, POLLIN, WS_TEST_MS));
	EXPECT_TRUE(expect_text(p.ws, "mine"));
	pair_close(&p);
}

static void *attaches(void *arg)
{
	int *fd = arg;

	while (__atomic_load_n(fd, __ATOMIC_RELAXED) >= 0)
		if (!ws_attach_config(*fd, NULL))
			return arg;
	return NULL;
}

/*
 * SMC has a TCP socket of its own below it, lets options through to it, and
 * takes its sk_user_data when it falls back to TCP.
 */
TEST(smc)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0), i;
	socklen_t len = sizeof(addr);
	struct utsname name;

	ASSERT_EQ(0, listen(listener, 100));
	ASSERT_EQ(0, getsockname(listener, (void *)&addr, &len));
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, uname(&name));
	for (i = 0; i < 50; i++) {
		int fd = socket(AF_SMC, SOCK_STREAM | SOCK_NONBLOCK, 0);
		int shared = fd;
		pthread_t thread;
		void *attached;

		if (fd < 0 && errno == EAFNOSUPPORT) {
			/* Debian builds it for this one. */
			ASSERT_NE(0, strncmp(name.release, "6.1.", 4));
			break;
		}
		ASSERT_LE(0, fd);
		ASSERT_EQ(0, pthread_create(&thread, NULL, attaches, &shared));
		usleep(1000);
		connect(fd, (void *)&addr, sizeof(addr));
		poll_for(fd, POLLOUT, WS_TEST_MS);
		__atomic_store_n(&shared, -1, __ATOMIC_RELAXED);
		pthread_join(thread, &attached);
		EXPECT_EQ(NULL, attached);
		close(fd);
	}
	close(listener);
}

/* Accepted by SMC from a client that has none, it is TCP's under a file of SMC's. */
TEST(smc_accepted)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	int listener = socket(AF_SMC, SOCK_STREAM, 0);
	int client = socket(AF_INET, SOCK_STREAM, 0), fd;
	socklen_t len = sizeof(addr);

	/* As above. */
	if (listener < 0 && errno == EAFNOSUPPORT)
		return;
	ASSERT_EQ(0, bind(listener, (void *)&addr, sizeof(addr)));
	ASSERT_EQ(0, listen(listener, 1));
	ASSERT_EQ(0, getsockname(listener, (void *)&addr, &len));
	addr.sin_family = AF_INET;
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ASSERT_EQ(0, connect(client, (void *)&addr, sizeof(addr)));
	fd = accept(listener, NULL, NULL);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EOPNOTSUPP, ws_attach_config(fd, NULL));
	EXPECT_EQ(-1, setsockopt(fd, SOL_TCP, TCP_ULP, "ws", 2));
	EXPECT_EQ(EOPNOTSUPP, errno);
	close(fd);
	close(client);
	close(listener);
}

TEST_HARNESS_MAIN
