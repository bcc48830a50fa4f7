// SPDX-License-Identifier: GPL-2.0-only
/* MSG_ZEROCOPY: the program hears of each call once, however the socket ends. */
#include "kselftest_harness.h"
#include "ws_zc.h"

#include <sys/mman.h>

/* The ends of a life that a program can still ask the socket about. */
enum life {
	READ_BY_PEER,
	PEER_RESETS,
	PEER_ENDS_AND_READS,
	SHUT_AND_READ,
	SHUT_BOTH_AND_READ,
	CLOSE_TIMEOUT,
	PING_TIMEOUT,
};

FIXTURE(zc_lives)
{
	struct sender_zc s;
};

FIXTURE_VARIANT(zc_lives)
{
	__u32 role;
	enum life life;
};

FIXTURE_VARIANT_ADD(zc_lives, read) { WS_ROLE_SERVER, READ_BY_PEER };
FIXTURE_VARIANT_ADD(zc_lives, reset) { WS_ROLE_SERVER, PEER_RESETS };
FIXTURE_VARIANT_ADD(zc_lives, peer_ends) { WS_ROLE_SERVER, PEER_ENDS_AND_READS };
FIXTURE_VARIANT_ADD(zc_lives, shut) { WS_ROLE_SERVER, SHUT_AND_READ };
FIXTURE_VARIANT_ADD(zc_lives, shut_both) { WS_ROLE_SERVER, SHUT_BOTH_AND_READ };
FIXTURE_VARIANT_ADD(zc_lives, close_timeout) { WS_ROLE_SERVER, CLOSE_TIMEOUT };
FIXTURE_VARIANT_ADD(zc_lives, ping_timeout) { WS_ROLE_SERVER, PING_TIMEOUT };
FIXTURE_VARIANT_ADD(zc_lives, read_client) { WS_ROLE_CLIENT, READ_BY_PEER };
FIXTURE_VARIANT_ADD(zc_lives, reset_client) { WS_ROLE_CLIENT, PEER_RESETS };
FIXTURE_VARIANT_ADD(zc_lives, close_timeout_client) { WS_ROLE_CLIENT, CLOSE_TIMEOUT };

FIXTURE_SETUP(zc_lives)
{
	struct sender_zc *s = &self->s;
	int one = 1;

	ASSERT_TRUE(pair_open_rcvbuf(&s->p, AF_INET, variant->role, 0, 20000,
				     0));
	ASSERT_EQ(0, setsockopt(s->p.ws, SOL_SOCKET, SO_ZEROCOPY, &one,
				sizeof(one)));
	s->buf = mmap(NULL, PATTERN_MAX, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, s->buf);
	memcpy(s->buf, pattern(0, PATTERN_MAX), PATTERN_MAX);
}

FIXTURE_TEARDOWN(zc_lives)
{
	munmap(self->s.buf, PATTERN_MAX);
	pair_close(&self->s.p);
}

static void *peer_reads(void *arg)
{
	struct sender_zc *s = arg;
	char buf[65536];

	while (read(s->p.raw, buf, sizeof(buf)) > 0)
		;
	return NULL;
}

static bool live(struct sender_zc *s, enum life life)
{
	struct ws_config cfg = ws_get_config(s->p.ws);
	struct linger hard = { .l_onoff = 1 };
	int err = 0;

	switch (life) {
	case PEER_RESETS:
		err = setsockopt(s->p.raw, SOL_SOCKET, SO_LINGER, &hard,
				 sizeof(hard));
		close(s->p.raw);
		s->p.raw = -1;
		break;
	case PEER_ENDS_AND_READS:
		err = shutdown(s->p.raw, SHUT_WR);
		break;
	case SHUT_AND_READ:
		err = shutdown(s->p.ws, SHUT_WR);
		break;
	case SHUT_BOTH_AND_READ:
		err = shutdown(s->p.ws, SHUT_RDWR);
		break;
	case CLOSE_TIMEOUT:
		cfg.close_timeout = 300;
		err = ws_set(s->p.ws, WS_CONFIG, &cfg, sizeof(cfg)) ||
		      shutdown(s->p.ws, SHUT_WR);
		break;
	case PING_TIMEOUT:
		cfg.ping_interval = 300;
		cfg.ping_timeout = 300;
		err = ws_set(s->p.ws, WS_CONFIG, &cfg, sizeof(cfg));
		break;
	default:
		break;
	}
	return !err || complain("life %d: %s", life, strerror(errno));
}

/*
 * Frames in TCP's hands, one that is cut, and a call that found no room, which
 * takes no number: each call that took anything is told of once.
 */
static bool told_once(struct sender_zc *s, enum life life)
{
	bool reads = life != PEER_RESETS && life != CLOSE_TIMEOUT &&
		     life != PING_TIMEOUT;
	size_t bytes;
	__u32 calls = fill(s, &bytes);
	pthread_t thread;

	if (!calls || ws_send(s->p.ws, 0, s->buf, 1000, MSG_ZEROCOPY |
			      MSG_DONTWAIT | MSG_MORE) != -EAGAIN)
		return complain("not full after %u calls", calls);
	if (!live(s, life))
		return false;
	if (reads && pthread_create(&thread, NULL, peer_reads, s))
		return false;
	/* poll() says that there is a report, and not any more when it is read. */
	if (!wait_until(poll_now(s->p.ws, 0) & POLLERR))
		return complain("life %d: poll() does not tell of it", life);
	if (!completed(s, calls))
		return complain("life %d", life);
	if (reads && poll_now(s->p.ws, 0) & POLLERR)
		return complain("life %d: poll() still tells of it", life);
	/* What is asked for when all is over takes a number only if it is sent. */
	if (life != READ_BY_PEER && life != PEER_ENDS_AND_READS &&
	    ws_send(s->p.ws, 0, s->buf, 1000,
		    MSG_ZEROCOPY | MSG_DONTWAIT) >= 0)
		return complain("life %d can still send", life);
	usleep(test_patience(50000));
	if (!completed(s, calls))
		return complain("life %d, later", life);
	if (!reads)
		return true;
	shutdown(s->p.raw, SHUT_RDWR);
	return !pthread_join(thread, NULL);
}

/* However it ends, a call is told of exactly once. */
TEST_F(zc_lives, told_once)
{
	EXPECT_TRUE(told_once(&self->s, variant->life));
}

TEST_HARNESS_MAIN
