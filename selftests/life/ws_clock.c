// SPDX-License-Identifier: GPL-2.0-only
/*
 * When a limit of time begins, when it begins anew, and what it is not about.
 * Times that a test keeps are fractions of a limit that grows with the
 * slowness of the machine; of the module's only the lower bounds are judged.
 */
#include "kselftest_harness.h"
#include "ws_reader.h"

FIXTURE(clock)
{
	struct pair p;
};

FIXTURE_VARIANT(clock)
{
	__u32 role;
	enum reader by;
};

READER_VARIANT(clock, server, SERVER, MSG);
READER_VARIANT(clock, client, CLIENT, MSG);
READER_VARIANT(clock, server_records, SERVER, RECORDS);
READER_VARIANT(clock, client_batch, CLIENT, BATCH);

FIXTURE_SETUP(clock)
{
	ASSERT_TRUE(pair_open(&self->p, AF_INET, variant->role));
	ASSERT_TRUE(reader_set(&self->p, variant->by, (struct ws_config){}));
	ASSERT_TRUE(reader_begin(&self->p, variant->by));
}

FIXTURE_TEARDOWN(clock)
{
	pair_close(&self->p);
}

static void sleep_ms(unsigned int ms)
{
	usleep(ms * 1000);
}

static bool limit_assembly(struct pair *p, enum reader by, __u32 ms)
{
	return reader_set(p, by, (struct ws_config){ .assembly_timeout = ms });
}

/* What has come and is over; @rest of it follows the first part. */
struct course {
	const char *name;
	struct bytes first, rest;
	int messages;
	bool late;		/* the limit is set when all is over */
};

#define COURSES	9

static void two_parts(struct course *c, struct bytes *all, size_t cut)
{
	bytes_raw(&c->first, all->p, cut);
	bytes_raw(&c->rest, all->p + cut, all->n - cut);
	bytes_free(all);
}

static void plan(struct course *c, const struct pair *p)
{
	size_t head = p->role == WS_ROLE_SERVER ? 6 : 2;
	struct bytes b = { 0 };

	memset(c, 0, COURSES * sizeof(*c));
	c[0].name = "a PING";
	bytes_frame(&c[0].first, p, PING, "?", 1);
	c[1].name = "a PING in two segments";
	bytes_frame(&b, p, PING, "hello", 5);
	two_parts(&c[1], &b, head + 2);
	c[2].name = "the header of a PING in two segments";
	bytes_frame(&b, p, PING, "", 0);
	two_parts(&c[2], &b, 1);
	c[3].name = "a PONG behind a message";
	bytes_frame(&c[3].first, p, TEXT, "a", 1);
	bytes_frame(&c[3].first, p, PONG, "", 0);
	c[3].messages = 1;
	c[4].name = "PINGs between fragments, and behind them";
	bytes_frame(&c[4].first, p, F_TEXT, "a", 1);
	bytes_frame(&c[4].first, p, PING, "1", 1);
	bytes_frame(&c[4].rest, p, PING, "2", 1);
	bytes_frame(&c[4].rest, p, CONT, "", 0);
	bytes_frame(&c[4].rest, p, PING, "3", 1);
	c[4].messages = 1;
	c[5].name = "a message in two segments, and another";
	bytes_frame(&b, p, BINARY, "a", 1);
	two_parts(&c[5], &b, 1);
	bytes_frame(&c[5].rest, p, BINARY, "a", 1);
	c[5].messages = 2;
	c[6].name = "a message in two segments, before there was a limit";
	bytes_frame(&b, p, BINARY, "a", 1);
	two_parts(&c[6], &b, head);
	bytes_frame(&c[6].rest, p, BINARY, "a", 1);
	bytes_frame(&c[6].rest, p, BINARY, "a", 1);
	c[6].messages = 3;
	c[6].late = true;
	c[7].name = "a PING in two segments, before there was a limit";
	bytes_frame(&b, p, PING, "hello", 5);
	two_parts(&c[7], &b, head + 2);
	c[7].late = true;
	c[8].name = "an empty message in two segments";
	bytes_frame(&b, p, TEXT, "", 0);
	two_parts(&c[8], &b, 1);
	c[8].messages = 1;
}

/* Between messages no time runs, whatever came last; then it still does. */
TEST_F_TIMEOUT(clock, nothing_is_open, 60)
{
	unsigned int limit = test_patience(400);
	enum reader by = variant->by;
	struct course c[COURSES];
	struct pair p[COURSES];
	int i, n;

	plan(c, &self->p);
	for (i = 0; i < COURSES; i++) {
		ASSERT_TRUE(pair_open(&p[i], AF_INET, variant->role));
		ASSERT_TRUE(limit_assembly(&p[i], by, c[i].late ? 0 : limit));
		ASSERT_TRUE(reader_begin(&p[i], by));
		ASSERT_TRUE(raw_send_bytes(&p[i], &c[i].first));
		ASSERT_TRUE(settle(&p[i]));
		if (c[i].rest.n)
			ASSERT_TRUE(raw_send_bytes(&p[i], &c[i].rest));
		for (n = 0; n < c[i].messages;) {
			struct given g = reader_call(&p[i], by, 1000, 0);

			ASSERT_LE(0, g.n);
			ASSERT_LT(0, g.count);
			n += g.count;
		}
		if (c[i].late)
			ASSERT_TRUE(settle(&p[i]));
		ASSERT_TRUE(limit_assembly(&p[i], by, limit));
	}
	sleep_ms(2 * limit);
	for (i = 0; i < COURSES; i++) {
		EXPECT_TRUE(reader_idle(&p[i], by)) {
			TH_LOG("after %s", c[i].name);
		}
		ASSERT_TRUE(raw_send(&p[i], "\x81", 1));
	}
	for (i = 0; i < COURSES; i++) {
		EXPECT_TRUE(reader_fails(&p[i], by, ETIMEDOUT)) {
			TH_LOG("after %s", c[i].name);
		}
		pair_close(&p[i]);
	}
}

/* The next message has all of the time, also when it begins behind the last. */
TEST_F_TIMEOUT(clock, next_message, 60)
{
	unsigned int limit = test_patience(1000);
	enum reader by = variant->by;
	struct course c[COURSES];
	struct pair p[COURSES];
	struct bytes next[COURSES] = { 0 };
	int i, n;

	plan(c, &self->p);
	for (i = 0; i < COURSES; i++) {
		ASSERT_TRUE(pair_open(&p[i], AF_INET, variant->role));
		ASSERT_TRUE(limit_assembly(&p[i], by, limit));
		ASSERT_TRUE(reader_begin(&p[i], by));
		ASSERT_TRUE(raw_send_bytes(&p[i], &c[i].first));
	}
	sleep_ms(limit * 6 / 10);
	for (i = 0; i < COURSES; i++) {
		bytes_frame(&next[i], &p[i], TEXT, "next", 4);
		bytes_raw(&c[i].rest, next[i].p, 3);
		ASSERT_TRUE(raw_send_bytes(&p[i], &c[i].rest));
	}
	sleep_ms(limit * 6 / 10);
	for (i = 0; i < COURSES; i++) {
		ASSERT_TRUE(raw_send(&p[i], next[i].p + 3, next[i].n - 3));
		bytes_free(&next[i]);
		ASSERT_TRUE(settle(&p[i]));
		for (n = 0; n <= c[i].messages;) {
			struct given g = reader_call(&p[i], by, 1000, 0);

			ASSERT_LE(0, g.n) {
				TH_LOG("after %s: %s", c[i].name, strerror(-g.n));
			}
			n += g.count;
		}
		EXPECT_EQ(0, ws_get_info(p[i].ws).rule);
		pair_close(&p[i]);
	}
}

/* Later fragments, PINGs and bytes do not put the end off, and it is not early. */
TEST_F_TIMEOUT(clock, one_message, 60)
{
	enum reader by = variant->by;
	struct pair *p = &self->p;
	uint64_t begin;
	int i;

	ASSERT_TRUE(limit_assembly(p, by, 800));
	begin = now_ms();
	ASSERT_TRUE(raw_frame(p, F_TEXT, "a", 1));
	for (i = 0; i < 4; i++) {
		sleep_ms(150);
		ASSERT_TRUE(raw_frame(p, i & 1 ? PING : F_CONT, "b", 1));
	}
	EXPECT_TRUE(reader_fails(p, by, ETIMEDOUT));
	EXPECT_LE(700, now_ms() - begin);
	EXPECT_TRUE(in_time(begin, 1350));
}

/* WS_CONFIG begins all times anew, also of a message that is open. */
TEST_F_TIMEOUT(clock, set_again, 60)
{
	unsigned int limit = test_patience(1000);
	enum reader by = variant->by;
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	ASSERT_TRUE(limit_assembly(p, by, limit));
	bytes_frame(&b, p, BINARY, "open", 4);
	ASSERT_TRUE(raw_send(p, b.p, 3));
	sleep_ms(limit * 6 / 10);
	ASSERT_TRUE(limit_assembly(p, by, limit));
	sleep_ms(limit * 6 / 10);
	ASSERT_TRUE(raw_send(p, b.p + 3, b.n - 3));
	bytes_free(&b);
	EXPECT_TRUE(reader_gets_one(p, by, WS_OP_BINARY, "open", 4));
}

/* A limit that is set while a message is open is one for this message, too. */
TEST_F_TIMEOUT(clock, set_in_a_message, 60)
{
	enum reader by = variant->by;
	struct pair *p = &self->p;
	uint64_t begin;

	ASSERT_TRUE(raw_frame(p, F_TEXT, "open", 4));
	ASSERT_TRUE(settle(p));
	sleep_ms(400);
	begin = now_ms();
	ASSERT_TRUE(limit_assembly(p, by, 400));
	EXPECT_TRUE(reader_fails(p, by, ETIMEDOUT));
	EXPECT_LE(340, now_ms() - begin);
}

/* A PING that is out is forgotten with the settings that asked for it. */
TEST_F_TIMEOUT(clock, ping_set_again, 60)
{
	unsigned int limit = test_patience(1000);
	struct ws_config cfg = { .ping_interval = 200, .ping_timeout = limit };
	enum reader by = variant->by;
	struct pair *p = &self->p;
	uint64_t begin;

	ASSERT_TRUE(reader_set(p, by, cfg));
	ASSERT_TRUE(expect_frame(p, PING, "", 0));
	sleep_ms(limit * 6 / 10);
	cfg.ping_interval = WS_TIME_MAX;
	ASSERT_TRUE(reader_set(p, by, cfg));
	sleep_ms(limit * 3 / 2);
	EXPECT_TRUE(reader_idle(p, by));

	/* And the silence before it does not count for the next. */
	cfg.ping_interval = 1600;
	ASSERT_TRUE(reader_set(p, by, cfg));
	sleep_ms(800);
	begin = now_ms();
	ASSERT_TRUE(reader_set(p, by, cfg));
	ASSERT_TRUE(expect_frame(p, PING, "", 0));
	EXPECT_LE(1350, now_ms() - begin);
}

#define MANY	12

/*
 * Never before seven eighths of the interval, by chance, and not later. Not
 * all at once.
 */
TEST_F_TIMEOUT(clock, ping_interval, 60)
{
	struct ws_config cfg = { .ping_interval = 1600, .ping_timeout = 60000 };
	uint64_t begin[MANY], first = ~0ULL, last = 0;
	struct pollfd fds[MANY];
	struct pair p[MANY];
	int i, left = MANY;

	for (i = 0; i < MANY; i++) {
		ASSERT_TRUE(pair_open(&p[i], AF_INET, variant->role));
		ASSERT_TRUE(reader_begin(&p[i], variant->by));
		begin[i] = now_ms();
		ASSERT_TRUE(reader_set(&p[i], variant->by, cfg));
		fds[i] = (struct pollfd){ .fd = p[i].raw, .events = POLLIN };
	}
	while (left) {
		ASSERT_LT(0, poll(fds, MANY, WS_TEST_MS));
		for (i = 0; i < MANY; i++) {
			uint64_t took = now_ms() - begin[i];

			if (!fds[i].revents)
				continue;
			EXPECT_LE(1350, took);
			EXPECT_TRUE(in_time(begin[i], 1800));
			first = took < first ? took : first;
			last = took > last ? took : last;
			fds[i].fd = -1;
			left--;
		}
	}
	EXPECT_LE(20, last - first);
	for (i = 0; i < MANY; i++)
		pair_close(&p[i]);
}

/* A byte that comes moves the next PING by as much. */
TEST_F_TIMEOUT(clock, ping_after_a_byte, 60)
{
	struct ws_config cfg = { .ping_interval = 1600, .ping_timeout = 60000 };
	struct pair *p = &self->p;
	uint64_t begin;

	ASSERT_TRUE(reader_set(p, variant->by, cfg));
	sleep_ms(700);
	begin = now_ms();
	ASSERT_TRUE(raw_send(p, "\x81", 1));
	ASSERT_TRUE(expect_frame(p, PING, "", 0));
	EXPECT_LE(1350, now_ms() - begin);
}

/* The peer has all of ping_timeout, and no more. */
TEST_F_TIMEOUT(clock, ping_timeout, 60)
{
	struct ws_config cfg = { .ping_interval = 400, .ping_timeout = 1000 };
	struct pair *p = &self->p;
	uint64_t begin = now_ms();

	ASSERT_TRUE(reader_set(p, variant->by, cfg));
	EXPECT_TRUE(reader_fails(p, variant->by, ETIMEDOUT));
	EXPECT_LE(1250, now_ms() - begin);
	EXPECT_TRUE(in_time(begin, 2200));
	EXPECT_EQ(1, ws_get_info(p->ws).tx_pings);
}

/* Fills the window; a frame that nobody ends. */
static bool fill(struct pair *p)
{
	unsigned char key[4] = { 0 }, head[14];
	ssize_t n;

	if (!raw_send(p, head, frame_header(head, BINARY, 1 << 24,
					    p->role == WS_ROLE_SERVER ? key : NULL)))
		return false;
	do {
		n = send(p->raw, pattern(0, 4096), 4096, MSG_DONTWAIT);
		if (n < 0 && !wait_until(send(p->raw, "x", 1, MSG_DONTWAIT) < 0))
			return complain("the window does not shut");
	} while (n > 0);
	return true;
}

/*
 * Time in which the peer could not send does not count: it has all of the
 * limit from the moment on at which reading lets it.
 */
TEST_F_TIMEOUT(clock, excuse, 90)
{
	unsigned int limit = 1000;
	struct ws_config cfg[] = {
		{ .assembly_timeout = limit },
		{ .ping_interval = 100, .ping_timeout = limit },
	};
	enum reader by = variant->by;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cfg); i++) {
		uint64_t begin;
		struct given g;
		struct pair p;

		ASSERT_TRUE(pair_open_rcvbuf(&p, AF_INET, variant->role, 16384,
					     16384, 1400));
		ASSERT_TRUE(reader_set(&p, by, cfg[i]));
		ASSERT_TRUE(reader_begin(&p, by));
		ASSERT_TRUE(fill(&p));
		/* Shut, and in the last third of what would be a limit. */
		sleep_ms(100 * i + limit * 27 / 10);
		EXPECT_EQ(0, ws_get_info(p.ws).rule);
		begin = now_ms();
		do {
			g = reader_call(&p, by, GIVEN_ROOM, 0);
		} while (g.n > 0);
		EXPECT_EQ(-ETIMEDOUT, g.n);
		EXPECT_LE(limit * 8 / 10, now_ms() - begin);
		pair_close(&p);
	}
}

TEST_HARNESS_MAIN
