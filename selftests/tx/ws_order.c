// SPDX-License-Identifier: GPL-2.0-only
/*
 * The order of what is sent: data under way, PONGs that are owed, PING, Close,
 * FIN; and nothing behind the Close.
 */
#include "kselftest_harness.h"
#include "ws_ways.h"

#include <sys/syscall.h>

FIXTURE(order)
{
	struct pair p;
	int filled;
};

FIXTURE_VARIANT(order)
{
	__u32 role;
	enum way way;
};

FIXTURE_VARIANT_ADD(order, message) { WS_ROLE_SERVER, BY_MESSAGE };
FIXTURE_VARIANT_ADD(order, message_client) { WS_ROLE_CLIENT, BY_MESSAGE };
FIXTURE_VARIANT_ADD(order, record) { WS_ROLE_SERVER, BY_RECORD };
FIXTURE_VARIANT_ADD(order, array) { WS_ROLE_SERVER, BY_ARRAY };
FIXTURE_VARIANT_ADD(order, shutdown) { WS_ROLE_SERVER, BY_SHUTDOWN };
FIXTURE_VARIANT_ADD(order, shutdown_both) { WS_ROLE_CLIENT, BY_SHUTDOWN_BOTH };
FIXTURE_VARIANT_ADD(order, close) { WS_ROLE_SERVER, BY_CLOSE };

FIXTURE_SETUP(order)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(pair_open_small(p, AF_INET, variant->role));
	/* A Close that waits for the peer must not be in a hurry. */
	ASSERT_EQ(0, set_close_timeout(p->ws, 10 * WS_TEST_MS));
	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	self->filled = fill_way(p->ws);
	ASSERT_LT(0, self->filled);
	ASSERT_EQ(0, set_flags(p->ws, way_flags(variant->way)));
}

FIXTURE_TEARDOWN(order)
{
	pair_close(&self->p);
}

/* The peer's PINGs "0" to "4", which are not answered yet. */
static bool ping_it(struct pair *p, int from, int n)
{
	char text[2] = { 0 };
	int i;

	for (i = from; i < from + n; i++) {
		text[0] = '0' + i;
		if (!raw_frame(p, PING, text, 1))
			return false;
	}
	return p->ws < 0 ||
	       wait_until((int)ws_get_info(p->ws).rx_pings == from + n);
}

static bool expect_pongs(struct pair *p, int n)
{
	char text[2] = { 0 };
	int i;

	for (i = 0; i < n; i++) {
		text[0] = '0' + i;
		if (!expect_frame(p, PONG, text, 1))
			return complain("PONG %d of %d", i, n);
	}
	return true;
}

/* A thread that sends a Close and may have to wait for it. */
struct closer {
	struct pair p;
	enum way way;
	pid_t tid;
	int err;
};

static void *send_close(void *arg)
{
	struct closer *c = arg;

	__atomic_store_n(&c->tid, syscall(SYS_gettid), __ATOMIC_RELEASE);
	c->err = close_by(&c->p, c->way, 0);
	return NULL;
}

/* The end of TCP, whose part on the client's side is the peer's. */
static bool ends(struct pair *p, enum way way)
{
	struct bytes b = { 0 };

	if (way != BY_SHUTDOWN_BOTH) {
		if (!expect_silence(p))
			return false;
		bytes_close(&b, p, 1000, "");
		if (!raw_send_bytes(p, &b))
			return false;
		if (way != BY_CLOSE && !poll_for(p->ws, POLLIN, WS_TEST_MS))
			return false;
		if (way != BY_CLOSE && recv(p->ws, &b, sizeof(b), 0) < 0)
			return complain("Close: %s", strerror(errno));
		if (p->role == WS_ROLE_CLIENT) {
			if (!expect_silence(p) || shutdown(p->raw, SHUT_WR))
				return false;
			close(p->ws);
			p->ws = -1;
		}
	}
	return expect_fin(p);
}

/*
 * PINGs come while the send buffer is full, then a Close is asked for, then
 * more PINGs come: data, the PONGs that were owed, the Close, and no more.
 */
TEST_F(order, pongs_before_the_close)
{
	struct closer c = { .p = self->p, .way = variant->way };
	struct pair *p = &self->p;
	pthread_t thread;

	ASSERT_TRUE(ping_it(p, 0, 5));
	EXPECT_EQ(0, ws_get_info(p->ws).tx_pongs);
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_close, &c));
	if (variant->way < BY_SHUTDOWN) {
		ASSERT_TRUE(wait_until(thread_sleeps(&c.tid)));
		/* The Close is not ours yet, so these are owed, too. */
		ASSERT_TRUE(ping_it(p, 5, 2));
	} else {
		pthread_join(thread, NULL);
		p->ws = c.p.ws;
		ASSERT_TRUE(ping_it(p, 5, 2));
	}
	EXPECT_TRUE(drain_way(p, self->filled));
	EXPECT_TRUE(expect_pongs(p, variant->way < BY_SHUTDOWN ? 7 : 5));
	EXPECT_TRUE(expect_close_by(p, variant->way));
	if (variant->way < BY_SHUTDOWN)
		pthread_join(thread, NULL);
	EXPECT_EQ(0, c.err);
	if (p->ws >= 0)
		EXPECT_EQ(variant->way < BY_SHUTDOWN ? 7 : 5,
			  (int)ws_get_info(p->ws).tx_pongs);
	EXPECT_TRUE(ends(p, variant->way));
}

/* PINGs, keepalive and data behind the Close: nothing of it is sent. */
TEST_F(order, nothing_behind_the_close)
{
	struct ws_config cfg = ws_get_config(self->p.ws);
	struct pair *p = &self->p;

	EXPECT_TRUE(drain_way(p, self->filled));
	ASSERT_TRUE(wait_until(poll_now(p->ws, POLLOUT) & POLLOUT));
	cfg.ping_interval = 100;
	cfg.ping_timeout = 10 * WS_TEST_MS;
	ASSERT_EQ(0, ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)));
	ASSERT_EQ(0, close_by(p, variant->way, 0));
	for (;;) {
		/* A PING of ours may have come before it. */
		struct frame f;
		bool is_close;

		ASSERT_TRUE(read_frame(p, &f));
		is_close = f.first == CLOSE;
		if (is_close) {
			EXPECT_EQ(way_code(variant->way),
				  f.data[0] * 256 + f.data[1]);
		} else if (f.first != PING) {
			EXPECT_EQ(TEXT, f.first);
		}
		free(f.data);
		if (is_close)
			break;
	}
	if (variant->way == BY_SHUTDOWN_BOTH) {
		EXPECT_TRUE(expect_fin(p));
		return;
	}
	ASSERT_TRUE(raw_frame(p, PING, "unasked", 7));
	ASSERT_TRUE(raw_frame(p, TEXT, "late", 4));
	if (p->ws >= 0) {
		EXPECT_EQ(-1, send(p->ws, "12345678", 8,
				   MSG_DONTWAIT | MSG_NOSIGNAL));
		EXPECT_EQ(EPIPE, errno);
		EXPECT_EQ(0, shutdown(p->ws, SHUT_WR));
	}
	usleep(250000);
	EXPECT_TRUE(expect_silence(p));
	if (p->ws >= 0) {
		close(p->ws);
		p->ws = -1;
		EXPECT_TRUE(expect_silence(p));
	}
}

/* A sender that waits for room is overtaken by the Close, not cut by it. */
TEST_F(order, sender_that_waits)
{
	/* A call that sends would wait for its turn. */
	enum way way = variant->way < BY_SHUTDOWN ? BY_SHUTDOWN : variant->way;
	struct closer c = { .p = self->p, .way = BY_ARRAY };
	struct pair *p = &self->p;
	pthread_t thread;

	ASSERT_EQ(0, set_flags(p->ws, WS_F_BATCH));
	ASSERT_EQ(0, pthread_create(&thread, NULL, send_close, &c));
	ASSERT_TRUE(wait_until(thread_sleeps(&c.tid)));
	EXPECT_EQ(0, way == BY_CLOSE ? shutdown(p->ws, SHUT_WR) :
		     close_by(p, way, 0));
	pthread_join(thread, NULL);
	EXPECT_EQ(-EPIPE, c.err);
	EXPECT_TRUE(drain_way(p, self->filled));
	EXPECT_TRUE(expect_close(p, 1000, ""));
	EXPECT_EQ(0, (int)ws_get_info(p->ws).tx_pongs);
	EXPECT_EQ(self->filled, (int)ws_get_info(p->ws).tx_messages);
}

/* Control frames go between the fragments of an open message, PONGs too. */
TEST_F(order, between_fragments)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, set_flags(p->ws, 0));
	EXPECT_TRUE(drain_way(p, self->filled));
	ASSERT_EQ(1, ws_send(p->ws, WS_OP_TEXT, "a", 1, MSG_MORE));
	ASSERT_EQ(1, ws_send(p->ws, WS_OP_PONG, "b", 1, 0));
	ASSERT_EQ(1, ws_send(p->ws, 0, "c", 1, MSG_MORE));
	ASSERT_TRUE(raw_frame(p, PING, "d", 1));
	ASSERT_TRUE(wait_until(ws_get_info(p->ws).tx_pongs == 1));
	ASSERT_EQ(1, ws_send(p->ws, WS_OP_PING, "e", 1, 0));
	ASSERT_EQ(1, ws_send(p->ws, WS_OP_TEXT, "f", 1, 0));
	ASSERT_EQ(1, ws_send(p->ws, WS_OP_BINARY, "g", 1, 0));
	EXPECT_TRUE(expect_frame(p, F_TEXT, "a", 1));
	EXPECT_TRUE(expect_frame(p, PONG, "b", 1));
	EXPECT_TRUE(expect_frame(p, F_CONT, "c", 1));
	EXPECT_TRUE(expect_frame(p, PONG, "d", 1));
	EXPECT_TRUE(expect_frame(p, PING, "e", 1));
	EXPECT_TRUE(expect_frame(p, CONT, "f", 1));
	EXPECT_TRUE(expect_frame(p, BINARY, "g", 1));
}

/* At most 64 PONGs wait; of more the newest are kept, and the rest counted. */
TEST_F(order, most_pongs)
{
	long long dropped = ws_stat("WsPongDropped");
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	unsigned char i;

	for (i = 0; i < 64; i++)
		bytes_frame(&b, p, PING, &i, 1);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(wait_until(ws_get_info(p->ws).rx_pings == 64));
	EXPECT_EQ(dropped, ws_stat("WsPongDropped"));
	for (; i < 67; i++)
		bytes_frame(&b, p, PING, &i, 1);
	ASSERT_TRUE(raw_send_bytes(p, &b));
	ASSERT_TRUE(wait_until(ws_get_info(p->ws).rx_pings == 67));
	EXPECT_EQ(dropped + 3, ws_stat("WsPongDropped"));
	EXPECT_TRUE(drain_way(p, self->filled));
	for (i = 3; i < 67 && expect_frame(p, PONG, &i, 1); i++)
		;
	EXPECT_EQ(67, i);
	EXPECT_EQ(64, (int)ws_get_info(p->ws).tx_pongs);
	EXPECT_TRUE(expect_silence(p));
}

TEST_HARNESS_MAIN
