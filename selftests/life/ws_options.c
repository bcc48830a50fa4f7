// SPDX-License-Identifier: GPL-2.0-only
/*
 * Socket options at their bounds: how long a WS_CONFIG may be, the least and the
 * greatest time; and options of other levels, which are not ours to refuse.
 */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <sys/mman.h>

#ifndef SOL_TLS
#define SOL_TLS	282
#endif

FIXTURE(options)
{
	struct pair p;
};

FIXTURE_SETUP(options)
{
	ASSERT_TRUE(pair_open(&self->p, AF_INET, WS_ROLE_SERVER));
}

FIXTURE_TEARDOWN(options)
{
	pair_close(&self->p);
}

/* A page at most, and every byte of it is looked at. */
TEST_F(options, config_of_a_page)
{
	struct ws_config cfg = { .max_message = 9 };
	long page = sysconf(_SC_PAGESIZE);
	int fd = self->p.ws;
	char *map, *end;

	map = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	end = map + 2 * page;
	ASSERT_EQ(0, munmap(end, page));
	memcpy(map, &cfg, sizeof(cfg));
	EXPECT_EQ(-E2BIG, ws_set(fd, WS_CONFIG, map, page + 1));
	map[page - 1] = 1;
	EXPECT_EQ(-E2BIG, ws_set(fd, WS_CONFIG, map, page));
	EXPECT_EQ(WS_MAX_MESSAGE_DEFAULT, ws_get_config(fd).max_message);
	map[page - 1] = 0;
	EXPECT_EQ(0, ws_set(fd, WS_CONFIG, map, page));
	EXPECT_EQ(9, ws_get_config(fd).max_message);
	/* What it knows is there, and zeros; of the rest a byte is missing. */
	memcpy(end - sizeof(cfg) - 8, &cfg, sizeof(cfg));
	EXPECT_EQ(0, ws_set(fd, WS_CONFIG, end - sizeof(cfg) - 8,
			    sizeof(cfg) + 8));
	EXPECT_EQ(-EFAULT, ws_set(fd, WS_CONFIG, end - sizeof(cfg) - 8,
				  sizeof(cfg) + 9));
	EXPECT_EQ(-EFAULT, ws_set(fd, WS_CONFIG, end - sizeof(cfg) + 1,
				  sizeof(cfg)));
	munmap(map, 2 * page);
}

/* The least and the greatest of each time, and one beyond. */
TEST_F(options, config_times)
{
	static const size_t members[] = {
		offsetof(struct ws_config, ping_interval),
		offsetof(struct ws_config, ping_timeout),
		offsetof(struct ws_config, assembly_timeout),
		offsetof(struct ws_config, close_timeout),
	};
	static const __u32 bad[] = { 1, WS_TIME_MIN - 1, WS_TIME_MAX + 1, ~0U };
	static const __u32 good[] = { WS_TIME_MIN, WS_TIME_MAX };
	int fd = self->p.ws;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(members); i++) {
		struct ws_config cfg = { 0 }, now;
		__u32 *value = (void *)((char *)&cfg + members[i]);

		for (j = 0; j < ARRAY_SIZE(good); j++) {
			*value = good[j];
			EXPECT_EQ(0, ws_set(fd, WS_CONFIG, &cfg, sizeof(cfg)));
			now = ws_get_config(fd);
			EXPECT_EQ(0, memcmp((char *)&now + members[i], value,
					    4));
		}
		for (j = 0; j < ARRAY_SIZE(bad); j++) {
			*value = bad[j];
			EXPECT_EQ(-EINVAL, ws_set(fd, WS_CONFIG, &cfg,
						  sizeof(cfg))) {
				TH_LOG("member %zu, %u", i, bad[j]);
			}
		}
	}
}

/* Options of other levels that have the numbers of those that are refused. */
TEST_F(options, options_of_other_levels)
{
	bool tls = test_tls();
	int fd = self->p.ws, one = 1, mss = 1000, opt;
	socklen_t len = sizeof(one);
	char key[64] = { 3, 3 };

	EXPECT_EQ(0, setsockopt(fd, SOL_TCP, 1 /* TCP_NODELAY */, &one, 4));
	EXPECT_EQ(0, setsockopt(fd, SOL_TCP, 2 /* TCP_MAXSEG */, &mss, 4));
	EXPECT_EQ(0, setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, 4));
	EXPECT_EQ(0, setsockopt(fd, SOL_IP, 1 /* IP_TOS */, &one, 4));
	EXPECT_EQ(0, getsockopt(fd, SOL_TCP, 1, &one, &len));
	EXPECT_EQ(1, one);
	for (opt = 1; opt <= 2; opt++) {
		EXPECT_EQ(-1, setsockopt(fd, SOL_TLS, opt, key, 40));
		EXPECT_EQ(tls ? EBUSY : ENOPROTOOPT, errno);
	}
	EXPECT_EQ(-1, setsockopt(fd, SOL_TLS, 99, key, 40));
	EXPECT_EQ(ENOPROTOOPT, errno);
	/* TCP_REPAIR, _REPAIR_QUEUE and _QUEUE_SEQ, and their neighbours. */
	for (opt = 19; opt <= 21; opt++) {
		EXPECT_EQ(-1, setsockopt(fd, SOL_TCP, opt, &one, 4));
		EXPECT_EQ(EOPNOTSUPP, errno);
		EXPECT_EQ(-ENOPROTOOPT, ws_set(fd, opt, &one, 4));
	}
	/* IP_TRANSPARENT, IP_RECVORIGDSTADDR and IP_MINTTL. */
	for (opt = 19; opt <= 21; opt++)
		EXPECT_EQ(0, setsockopt(fd, SOL_IP, opt, &one, 4));
	EXPECT_EQ(0, setsockopt(fd, SOL_TCP, 18 /* TCP_USER_TIMEOUT */, &mss, 4));
	EXPECT_TRUE(raw_frame(&self->p, TEXT, "a", 1));
	EXPECT_TRUE(expect_text(fd, "a"));
}

TEST_HARNESS_MAIN
