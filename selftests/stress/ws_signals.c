// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals in the middle of calls: what was taken or given is said, nothing of it
 * is lost or comes twice, and close() does not wait any longer.
 */
#include "kselftest_harness.h"
#include "ws_ways.h"

#include <signal.h>
#include <sys/time.h>

FIXTURE(signals)
{
	struct pair p;
};

FIXTURE_VARIANT(signals)
{
	__u32 role;
};

FIXTURE_VARIANT_ADD(signals, server) { WS_ROLE_SERVER };
FIXTURE_VARIANT_ADD(signals, client) { WS_ROLE_CLIENT };

/* Those that have come since alarm_often(). */
static int signals;

static int came(void)
{
	return __atomic_load_n(&signals, __ATOMIC_RELAXED);
}

static void on_alarm(int sig)
{
	(void)sig;
	__atomic_fetch_add(&signals, 1, __ATOMIC_RELAXED);
}

/* One after another until alarm_off(), so that none can come too early. */
static void alarm_often(unsigned int ms, int flags)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = flags };
	struct itimerval it;

	it.it_interval.tv_sec = ms / 1000;
	it.it_interval.tv_usec = ms % 1000 * 1000;
	it.it_value = it.it_interval;
	__atomic_store_n(&signals, 0, __ATOMIC_RELAXED);
	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &it, NULL);
}

static void alarm_off(void)
{
	struct itimerval none = { { 0, 0 }, { 0, 0 } };

	setitimer(ITIMER_REAL, &none, NULL);
}

/* A thread that no signal comes to. */
static int start_quiet(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	sigset_t set, old;
	int err;

	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	err = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err;
}

/* Without them a call that is interrupted may be restarted. */
static void no_timeouts(int fd)
{
	struct timeval none = { 0 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &none, sizeof(none));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof(none));
}

FIXTURE_SETUP(signals)
{
	ASSERT_TRUE(pair_open_small(&self->p, AF_INET, variant->role));
}

FIXTURE_TEARDOWN(signals)
{
	alarm_off();
	pair_close(&self->p);
}

/* What MSG_WAITALL has gathered is given; the rest comes with the next call. */
TEST_F(signals, waitall)
{
	static char buf[200000];
	unsigned char head[14], key[4] = { 0 };
	struct pair p;
	struct got got;
	size_t at;

	ASSERT_TRUE(pair_open_rcvbuf(&p, AF_INET, variant->role, 32768, 0, 0));
	at = frame_header(head, BINARY, sizeof(buf),
			  p.role == WS_ROLE_SERVER ? key : NULL);
	ASSERT_TRUE(raw_send(&p, head, at));
	ASSERT_TRUE(raw_send(&p, pattern(0, 150000), 150000));
	alarm_often(test_patience(300), 0);
	got = ws_recv(p.ws, buf, sizeof(buf), MSG_WAITALL);
	alarm_off();
	EXPECT_LE(1, came());
	ASSERT_LT(0, got.n);
	ASSERT_GE(150000, got.n);
	EXPECT_EQ(0, got.flags);
	EXPECT_TRUE(is_pattern(buf, 0, got.n));
	at = got.n;
	ASSERT_TRUE(raw_send(&p, pattern(150000, 50000), 50000));
	got = ws_recv(p.ws, buf, sizeof(buf), MSG_WAITALL);
	EXPECT_EQ(sizeof(buf) - at, got.n);
	EXPECT_EQ(MSG_EOR, got.flags);
	EXPECT_TRUE(is_pattern(buf, at, sizeof(buf) - at));
	pair_close(&p);
}

/* A call that has sent a part says how much; the message is open. */
TEST_F(signals, part_of_a_message)
{
	struct pair *p = &self->p;
	struct drain d = { .p = p, .len = PATTERN_MAX };
	ssize_t n;

	/* Even where a call that has done nothing would be restarted. */
	no_timeouts(p->ws);
	alarm_often(test_patience(200), SA_RESTART);
	n = ws_send(p->ws, WS_OP_BINARY, pattern(0, PATTERN_MAX), PATTERN_MAX,
		    0);
	alarm_off();
	EXPECT_LE(1, came());
	ASSERT_LT(0, n);
	ASSERT_GT(PATTERN_MAX, n);
	ASSERT_EQ(0, start_quiet(&d.thread, drain_message, &d));
	EXPECT_EQ(PATTERN_MAX - n,
		  ws_send(p->ws, WS_OP_CONT, pattern(n, PATTERN_MAX - n),
			  PATTERN_MAX - n, 0));
	ASSERT_EQ(0, pthread_join(d.thread, NULL));
	EXPECT_TRUE(d.ok);
	EXPECT_EQ(1, (int)ws_get_info(p->ws).tx_messages);
}

/* A peer that reads what fill_way() has sent, and another message. */
struct late {
	struct pair *p;
	int filled;
	bool ok;
};

static void *read_later(void *arg)
{
	struct late *l = arg;

	wait_until(came() >= 2);
	l->ok = drain_way(l->p, l->filled) && expect_frame(l->p, TEXT, "abc", 3);
	return NULL;
}

/* A call that has sent nothing is restarted, and sends its message once. */
TEST_F(signals, restarted)
{
	struct pair *p = &self->p;
	struct late l = { .p = p, .filled = fill_way(p->ws) };
	pthread_t thread;

	ASSERT_LT(0, l.filled);
	no_timeouts(p->ws);
	alarm_often(test_patience(100), SA_RESTART);
	ASSERT_EQ(0, start_quiet(&thread, read_later, &l));
	EXPECT_EQ(3, ws_send(p->ws, WS_OP_TEXT, "abc", 3, 0));
	alarm_off();
	EXPECT_LE(2, came());
	ASSERT_EQ(0, pthread_join(thread, NULL));
	EXPECT_TRUE(l.ok);
	EXPECT_TRUE(expect_silence(p));
	EXPECT_EQ(l.filled + 1, (int)ws_get_info(p->ws).tx_messages);
}

/* Interruptions that a storm must have had. */
#define STORM	10

/* Message after message, and each call goes on where the last one was ended. */
TEST_F_TIMEOUT(signals, storm_of_a_sender, 60)
{
	uint64_t end = now_ms() + WS_TEST_MS;
	struct pair *p = &self->p;
	int interrupted = 0, messages = 0;

	alarm_often(test_patience(2), 0);
	while (interrupted < STORM && now_ms() < end) {
		struct drain d = { .p = p, .len = PATTERN_MAX / 4 };
		size_t at = 0;

		ASSERT_EQ(0, start_quiet(&d.thread, drain_message, &d));
		while (at < d.len) {
			ssize_t n = ws_send(p->ws, at ? WS_OP_CONT : WS_OP_TEXT,
					    pattern(at, d.len - at),
					    d.len - at, 0);

			if (n != -EINTR)
				ASSERT_LT(0, n);
			at += n > 0 ? n : 0;
			interrupted += at < d.len;
		}
		messages++;
		ASSERT_EQ(0, pthread_join(d.thread, NULL));
		ASSERT_TRUE(d.ok);
	}
	alarm_off();
	EXPECT_LE(STORM, interrupted);
	EXPECT_EQ(messages, (int)ws_get_info(p->ws).tx_messages);
}

#define RECORDS	40
#define RECORD	1500

static void *read_records(void *arg)
{
	struct pair *p = arg;
	int i;

	for (i = 0; i < RECORDS; i++)
		if (!expect_frame(p, TEXT, pattern(i, RECORD), RECORD))
			return NULL;
	return p;
}

/* A call with many records is ended anywhere, in a record, too. */
TEST_F_TIMEOUT(signals, storm_of_records, 60)
{
	size_t size = WS_RECORD_SIZE(RECORD) * RECORDS, to = 0;
	uint64_t end = now_ms() + WS_TEST_MS;
	struct pair *p = &self->p;
	char *buf = malloc(size);
	int interrupted = 0, i;

	ASSERT_NE(NULL, buf);
	ASSERT_EQ(0, set_flags(p->ws, WS_F_RECORDS));
	for (i = 0; i < RECORDS; i++)
		to += put_record(buf + to, (struct ws_msg){
					.len = RECORD, .opcode = WS_OP_TEXT,
					.flags = END }, pattern(i, RECORD));
	ASSERT_EQ(size, to);
	alarm_often(test_patience(2), 0);
	while (interrupted < STORM && now_ms() < end) {
		pthread_t thread;
		size_t at = 0;
		void *ok;

		ASSERT_EQ(0, start_quiet(&thread, read_records, p));
		while (at < size) {
			ssize_t n = send(p->ws, buf + at, size - at,
					 MSG_NOSIGNAL);

			if (n < 0)
				ASSERT_EQ(EINTR, errno);
			at += n > 0 ? n : 0;
			interrupted += at < size;
		}
		ASSERT_EQ(0, pthread_join(thread, &ok));
		ASSERT_NE(NULL, ok);
	}
	alarm_off();
	EXPECT_LE(STORM, interrupted);
	free(buf);
}

/* A reader that is interrupted again and again loses nothing. */
TEST_F_TIMEOUT(signals, storm_of_a_reader, 60)
{
	uint64_t end = now_ms() + WS_TEST_MS;
	static char buf[PATTERN_MAX];
	struct pair *p = &self->p;
	int interrupted = 0, messages = 0;

	while (interrupted < STORM && now_ms() < end) {
		size_t at = 0, len = PATTERN_MAX / 4;
		struct sender s;
		sigset_t set, old;

		sigemptyset(&set);
		sigaddset(&set, SIGALRM);
		pthread_sigmask(SIG_BLOCK, &set, &old);
		ASSERT_TRUE(sender_start(&s, p, BINARY, len));
		pthread_sigmask(SIG_SETMASK, &old, NULL);
		alarm_often(test_patience(2), 0);
		while (at < len) {
			struct got got = ws_recv(p->ws, buf, sizeof(buf),
						 messages & 1 ? MSG_WAITALL :
						 0);

			interrupted += got.n == -EINTR;
			if (got.n == -EINTR)
				continue;
			ASSERT_LT(0, got.n);
			ASSERT_TRUE(is_pattern(buf, at, got.n));
			at += got.n;
			ASSERT_EQ(at == len ? MSG_EOR : 0, got.flags);
		}
		/* There is no more: this one must be ended. */
		EXPECT_EQ(-EINTR, ws_recv(p->ws, buf, sizeof(buf), 0).n);
		interrupted++;
		alarm_off();
		messages++;
		ASSERT_TRUE(sender_join(&s));
	}
	EXPECT_LE(STORM, interrupted);
	EXPECT_EQ(messages, (int)ws_get_info(p->ws).rx_messages);
}

/* close() with SO_LINGER ends at a signal; the handshake goes on without it. */
TEST_F(signals, close)
{
	struct linger l = { .l_onoff = 1, .l_linger = test_patience(20) };
	long long lingering = ws_stat("WsCurrLingering");
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	uint64_t begin;

	ASSERT_EQ(0, set_close_timeout(p->ws, test_patience(30000)));
	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_LINGER, &l, sizeof(l)));
	alarm_often(test_patience(200), 0);
	begin = now_ms();
	EXPECT_EQ(0, close(p->ws));
	p->ws = -1;
	EXPECT_TRUE(in_time(begin, 5000));
	EXPECT_LE(1, came());
	alarm_off();
	EXPECT_EQ(lingering + 1, ws_stat("WsCurrLingering"));
	EXPECT_TRUE(expect_close(p, 1001, ""));
	EXPECT_TRUE(expect_silence(p));
	bytes_close(&b, p, 1001, "");
	ASSERT_TRUE(raw_send_bytes(p, &b));
	if (p->role == WS_ROLE_CLIENT)
		shutdown(p->raw, SHUT_WR);
	EXPECT_TRUE(expect_fin(p));
	EXPECT_TRUE(stat_becomes("WsCurrLingering", lingering));
}

TEST_HARNESS_MAIN
