// SPDX-License-Identifier: GPL-2.0-only
/* WS_CONFIG, WS_INFO, WS_RX_PREFIX, and /proc/net/ws_stat. */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <sched.h>

FIXTURE(sockopt)
{
	struct pair p;
};

FIXTURE_SETUP(sockopt)
{
	ASSERT_TRUE(pair_open(&self->p, AF_INET, WS_ROLE_SERVER));
}

FIXTURE_TEARDOWN(sockopt)
{
	pair_close(&self->p);
}

static int get(int fd, int opt, void *val, int len)
{
	socklen_t n = len;

	return getsockopt(fd, SOL_WS, opt, val, &n) ? -errno : (int)n;
}

static bool same_config(int fd, __u32 role, __u64 max, __u32 opcode)
{
	struct ws_config cfg = ws_get_config(fd);

	return (cfg.role == role && cfg.max_message == max &&
		cfg.send_opcode == opcode && !cfg.flags && !cfg.rsv) ||
	       complain("role %u max %llu opcode %x flags %x rsv %x",
			cfg.role, cfg.max_message, cfg.send_opcode, cfg.flags,
			cfg.rsv);
}

TEST_F(sockopt, config_defaults)
{
	struct ws_config cfg = { 0 };
	int fd = self->p.ws;

	EXPECT_EQ(sizeof(cfg), get(fd, WS_CONFIG, &cfg, sizeof(cfg)));
	EXPECT_TRUE(same_config(fd, WS_ROLE_SERVER, WS_MAX_MESSAGE_DEFAULT,
				WS_OP_BINARY));
	cfg = (struct ws_config){ .max_message = 5,
				  .send_opcode = WS_OP_TEXT };
	ASSERT_EQ(0, ws_set(fd, WS_CONFIG, &cfg, sizeof(cfg)));
	EXPECT_TRUE(same_config(fd, WS_ROLE_SERVER, 5, WS_OP_TEXT));
	cfg = (struct ws_config){ .max_message = WS_MAX_MESSAGE_NONE };
	ASSERT_EQ(0, ws_set(fd, WS_CONFIG, &cfg, sizeof(cfg)));
	EXPECT_TRUE(same_config(fd, WS_ROLE_SERVER, WS_MAX_MESSAGE_NONE,
				WS_OP_BINARY));
	cfg = (struct ws_config){ .role = WS_ROLE_CLIENT };
	ASSERT_EQ(0, ws_set(fd, WS_CONFIG, &cfg, sizeof(cfg)));
	EXPECT_TRUE(same_config(fd, WS_ROLE_CLIENT, WS_MAX_MESSAGE_DEFAULT,
				WS_OP_BINARY));
}

/* Any size: what is missing reads as 0, what is beyond must be 0. */
TEST_F(sockopt, config_sizes)
{
	struct {
		struct ws_config cfg;
		char more[64];
	} big = {
		.cfg.max_message = 77,
		.cfg.send_opcode = WS_OP_TEXT,
	};
	int fd = self->p.ws;
	int len;

	for (len = 1; len <= (int)sizeof(big); len++) {
		/* max_message in the lowest byte, send_opcode at 16 */
		__u64 max = len > 8 ? 77 : WS_MAX_MESSAGE_DEFAULT;
		__u32 opcode = len > 16 ? WS_OP_TEXT : WS_OP_BINARY;

		ASSERT_EQ(0, ws_set(fd, WS_CONFIG, &big, len)) {
			TH_LOG("size %d", len);
		}
		ASSERT_TRUE(same_config(fd, WS_ROLE_SERVER, max, opcode)) {
			TH_LOG("size %d", len);
		}
	}
	for (len = 0; len < (int)sizeof(big.more); len++) {
		big.cfg.max_message = 78;
		big.more[len] = 1;
		EXPECT_EQ(-E2BIG, ws_set(fd, WS_CONFIG, &big, sizeof(big)));
		big.more[len] = 0;
	}
	EXPECT_EQ(-EINVAL, ws_set(fd, WS_CONFIG, &big, 0));
	EXPECT_NE(0, ws_set(fd, WS_CONFIG, &big, (socklen_t)-1));
	EXPECT_TRUE(same_config(fd, WS_ROLE_SERVER, 77, WS_OP_TEXT));
}

/* One bad member, and nothing is changed. */
TEST_F(sockopt, config_bad_values)
{
	static const struct ws_config bad[] = {
		{ .role = 2 }, { .role = ~0U }, { .flags = 8 }, { .flags = 3 },
		{ .flags = 7 }, { .flags = 1U << 31 }, { .rsv = 1 },
		{ .send_opcode = 3 }, { .send_opcode = WS_OP_CLOSE },
		{ .send_opcode = WS_OP_PING }, { .send_opcode = 0x101 },
		{ .role = 1, .max_message = 9, .rsv = 1 },
		{ .role = 1, .max_message = 9, .send_opcode = 15 },
	};
	struct ws_config cfg = { .max_message = 4000,
				 .send_opcode = WS_OP_TEXT };
	int fd = self->p.ws;
	size_t i;

	ASSERT_EQ(0, ws_set(fd, WS_CONFIG, &cfg, sizeof(cfg)));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_EQ(-EINVAL, ws_set(fd, WS_CONFIG, &bad[i],
					  sizeof(bad[i])));
		EXPECT_TRUE(same_config(fd, WS_ROLE_SERVER, 4000,
					WS_OP_TEXT)) {
			TH_LOG("case %zu", i);
		}
	}
	EXPECT_EQ(-EFAULT, ws_set(fd, WS_CONFIG, NULL, sizeof(cfg)));
	EXPECT_EQ(-EFAULT, ws_set(fd, WS_CONFIG, (void *)8, sizeof(cfg)));
	EXPECT_TRUE(same_config(fd, WS_ROLE_SERVER, 4000, WS_OP_TEXT));
}

/* The role is settled by the first I/O, whichever it is. */
TEST_F(sockopt, role_is_settled)
{
	struct ws_config cfg = { .role = WS_ROLE_CLIENT, .max_message = 5 };
	char buf[4];
	int how;

	for (how = 0; how < 5; how++) {
		struct pair p;

		ASSERT_TRUE(pair_open(&p, AF_INET, WS_ROLE_SERVER));
		ASSERT_EQ(0, ws_set_role(p.ws, WS_ROLE_CLIENT));
		ASSERT_EQ(0, ws_set_role(p.ws, WS_ROLE_SERVER));
		ws_get_info(p.ws);
		ASSERT_EQ(0, ws_set_role(p.ws, WS_ROLE_SERVER));
		switch (how) {
		case 0:
			ws_recv(p.ws, buf, 4, MSG_DONTWAIT);
			break;
		case 1:
			ws_recv(p.ws, buf, 4, MSG_DONTWAIT | MSG_PEEK);
			break;
		case 2:
			poll_now(p.ws, POLLIN);
			break;
		case 3:
			ASSERT_EQ(1, ws_send(p.ws, WS_OP_TEXT, "a", 1, 0));
			break;
		case 4:
			ASSERT_EQ(1, write(p.ws, "a", 1));
			break;
		}
		EXPECT_EQ(-EBUSY, ws_set(p.ws, WS_CONFIG, &cfg, sizeof(cfg))) {
			TH_LOG("after I/O %d", how);
		}
		EXPECT_TRUE(same_config(p.ws, WS_ROLE_SERVER,
					WS_MAX_MESSAGE_DEFAULT, WS_OP_BINARY));
		EXPECT_EQ(-EBUSY, ws_set(p.ws, WS_RX_PREFIX, "a", 1));
		/* Everything else may change at any time. */
		EXPECT_EQ(0, ws_set_max(&p, 6));
		EXPECT_TRUE(same_config(p.ws, WS_ROLE_SERVER, 6,
					WS_OP_BINARY));
		pair_close(&p);
	}
}

TEST_F(sockopt, get_sizes)
{
	unsigned char buf[512], whole[512];
	int fd = self->p.ws, opt;

	for (opt = WS_CONFIG; opt <= WS_INFO; opt++) {
		int size = opt == WS_CONFIG ? sizeof(struct ws_config)
					    : sizeof(struct ws_info);
		int len, i;

		ASSERT_EQ(size, get(fd, opt, whole, sizeof(whole)));
		for (len = 0; len <= size; len++) {
			memset(buf, 0xa5, sizeof(buf));
			ASSERT_EQ(len, get(fd, opt, buf, len));
			ASSERT_EQ(0, memcmp(buf, whole, len));
			for (i = len; i < (int)sizeof(buf); i++)
				ASSERT_EQ(0xa5, buf[i]);
		}
		EXPECT_EQ(-EINVAL, get(fd, opt, buf, -1));
		EXPECT_EQ(-EFAULT, get(fd, opt, (void *)8, size));
		EXPECT_EQ(-1, getsockopt(fd, SOL_WS, opt, buf, (void *)8));
		EXPECT_EQ(EFAULT, errno);
	}
}

TEST_F(sockopt, unknown_options)
{
	static const int opts[] = { 0, 4, 99, -1, 0x7fffffff };
	struct ws_info info = { 0 };
	int fd = self->p.ws, val = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(opts); i++) {
		EXPECT_EQ(-ENOPROTOOPT, ws_set(fd, opts[i], &val, 4));
		EXPECT_EQ(-ENOPROTOOPT, get(fd, opts[i], &val, 4));
	}
	EXPECT_EQ(-ENOPROTOOPT, ws_set(fd, WS_INFO, &info, sizeof(info)));
	EXPECT_EQ(-ENOPROTOOPT, get(fd, WS_RX_PREFIX, &info, sizeof(info)));
	EXPECT_EQ(-1, setsockopt(fd, SOL_WS + 1, WS_CONFIG, &val, 4));
	EXPECT_EQ(ENOPROTOOPT, errno);
	/* Without an attach IP answers, which says so in two ways. */
	EXPECT_EQ(-ENOPROTOOPT, ws_set(self->p.raw, WS_CONFIG, &val, 4));
	EXPECT_EQ(-EOPNOTSUPP, get(self->p.raw, WS_INFO, &info,
				   sizeof(info)));
	/* TCP's own options still work. */
	EXPECT_EQ(0, setsockopt(fd, SOL_TCP, 1 /* TCP_NODELAY */, &val, 4));
}

TEST_F(sockopt, info_counts)
{
	struct pair *p = &self->p;
	struct ws_info info;
	char buf[16];

	info = ws_get_info(p->ws);
	EXPECT_EQ(WS_ROLE_SERVER, info.role);
	EXPECT_EQ(0, info.state);
	EXPECT_EQ(0, info.rx_messages + info.tx_messages + info.rx_bytes +
		     info.tx_bytes + info.wakeups);
	ASSERT_TRUE(raw_frame(p, TEXT, "12345", 5));
	ASSERT_TRUE(raw_frame(p, BINARY, "", 0));
	ASSERT_EQ(2, recv(p->ws, buf, 2, 0));
	info = ws_get_info(p->ws);
	EXPECT_EQ(0, info.rx_messages);
	EXPECT_EQ(2, info.rx_bytes);
	ASSERT_EQ(3, recv(p->ws, buf, 16, 0));
	ASSERT_EQ(0, recv(p->ws, buf, 16, 0));
	ASSERT_EQ(7, ws_send(p->ws, WS_OP_TEXT, "1234567", 7, 0));
	ASSERT_EQ(1, ws_send(p->ws, WS_OP_PING, "1", 1, 0));
	info = ws_get_info(p->ws);
	EXPECT_EQ(2, info.rx_messages);
	EXPECT_EQ(5, info.rx_bytes);
	EXPECT_EQ(1, info.tx_messages);
	EXPECT_EQ(7, info.tx_bytes);
	EXPECT_EQ(0, info.tx_pongs);
}

TEST_F(sockopt, prefix_sizes)
{
	static char big[WS_RX_PREFIX_MAX + 1];
	struct bytes b = { 0 };
	int fd = self->p.ws;

	EXPECT_EQ(-EINVAL, ws_set(fd, WS_RX_PREFIX, big, 0));
	EXPECT_EQ(-EMSGSIZE, ws_set(fd, WS_RX_PREFIX, big, sizeof(big)));
	EXPECT_EQ(-EFAULT, ws_set(fd, WS_RX_PREFIX, (void *)8, 100));
	/* The largest, with the rest of its message behind it. */
	bytes_frame(&b, &self->p, BINARY, pattern(0, 80000), 80000);
	ASSERT_EQ(0, ws_set(fd, WS_RX_PREFIX, b.p, WS_RX_PREFIX_MAX));
	EXPECT_EQ(-EBUSY, ws_set(fd, WS_RX_PREFIX, b.p, 1));
	ASSERT_TRUE(raw_send(&self->p, b.p + WS_RX_PREFIX_MAX,
			     b.n - WS_RX_PREFIX_MAX));
	bytes_free(&b);
	EXPECT_TRUE(expect_message(fd, WS_OP_BINARY, pattern(0, 80000),
				   80000));
}

/* Prefix first, role second: nothing is judged before the first I/O. */
TEST_F(sockopt, prefix_before_role)
{
	struct bytes b = { 0 };
	struct pair p;

	ASSERT_TRUE(pair_connect(&p, AF_INET, WS_ROLE_CLIENT));
	ASSERT_EQ(0, ws_attach(p.ws));
	bytes_frame(&b, &p, TEXT, "hello", 5);
	ASSERT_EQ(0, ws_set(p.ws, WS_RX_PREFIX, b.p, b.n));
	bytes_free(&b);
	ASSERT_TRUE(raw_frame(&p, PING, "?", 1));
	ASSERT_TRUE(settle(&p));
	ASSERT_EQ(0, ws_set_role(p.ws, WS_ROLE_CLIENT));
	EXPECT_TRUE(expect_text(p.ws, "hello"));
	EXPECT_TRUE(expect_frame(&p, PONG, "?", 1));
	pair_close(&p);
}

/* All there is, with a PING, a Close, and no byte in the socket. */
TEST_F(sockopt, prefix_alone)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_frame(&b, p, F_TEXT, "ab", 2);
	bytes_frame(&b, p, PING, "?", 1);
	bytes_frame(&b, p, CONT, "c", 1);
	bytes_close(&b, p, 1001, "gone");
	ASSERT_EQ(0, ws_set(p->ws, WS_RX_PREFIX, b.p, b.n));
	bytes_free(&b);
	/* On kTLS a work starts the parser, and wakes the poller. */
	EXPECT_EQ(POLLIN, poll_for(p->ws, POLLIN, WS_TEST_MS));
	EXPECT_TRUE(expect_frame(p, PONG, "?", 1));
	EXPECT_TRUE(expect_text(p->ws, "abc"));
	EXPECT_TRUE(expect_received_close(p->ws, 1001, "gone"));
	EXPECT_TRUE(expect_close(p, 1001, ""));
	EXPECT_TRUE(expect_eof(p->ws));
}

/* A fault in it, at a place that counts from its first byte. */
TEST_F(sockopt, prefix_with_a_fault)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	bytes_frame(&b, p, TEXT, "abc", 3);
	bytes_frame(&b, p, FIN | 3, "", 0);
	ASSERT_EQ(0, ws_set(p->ws, WS_RX_PREFIX, b.p, b.n));
	EXPECT_TRUE(expect_text(p->ws, "abc"));
	EXPECT_TRUE(expect_error(p->ws, EPROTO));
	EXPECT_EQ(WS_RULE_OPCODE, ws_get_info(p->ws).rule);
	EXPECT_EQ(b.n - 6, ws_get_info(p->ws).fault_offset);
	EXPECT_TRUE(expect_close(p, 1002, ""));
	bytes_free(&b);
}

/* TCP ended long ago; the prefix still counts. */
TEST_F(sockopt, prefix_then_fin)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };

	ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	bytes_frame(&b, p, TEXT, "abc", 3);
	bytes_frame(&b, p, TEXT, "def", 3);
	ASSERT_EQ(0, ws_set(p->ws, WS_RX_PREFIX, b.p, b.n - 1));
	bytes_free(&b);
	EXPECT_TRUE(expect_text(p->ws, "abc"));
	EXPECT_TRUE(expect_error(p->ws, EPROTO));
	EXPECT_EQ(WS_RULE_TRUNCATED, ws_get_info(p->ws).rule);
	EXPECT_TRUE(expect_eof(p->ws));
}

static const char counters[][24] = {
	"WsCurrSockets", "WsAttached", "WsRxMessages", "WsTxMessages",
	"WsRxBytes", "WsTxBytes", "WsRxPing", "WsRxPong", "WsTxPong",
	"WsPongDropped", "WsRxClose", "WsTxClose", "WsRxPieces", "WsNoMemory",
	"WsErrRsv", "WsErrOpcode", "WsErrLength", "WsErrUnmasked",
	"WsErrMasked", "WsErrControlLength", "WsErrControlFragment",
	"WsErrContinuation", "WsErrInterleaved", "WsErrCloseLength",
	"WsErrCloseCode", "WsErrCloseUtf8", "WsErrUtf8", "WsErrTooBig",
	"WsErrTruncated", "WsErrStream", "WsAttachedTls", "WsTlsErrors",
};

TEST_F(sockopt, stat_counts)
{
	long long rx = ws_stat("WsRxMessages"), tx = ws_stat("WsTxMessages");
	long long in = ws_stat("WsRxBytes"), out = ws_stat("WsTxBytes");
	struct pair *p = &self->p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counters); i++)
		EXPECT_LE(0, ws_stat(counters[i])) {
			TH_LOG("%s", counters[i]);
		}
	EXPECT_LE(1, ws_stat("WsCurrSockets"));
	ASSERT_TRUE(raw_frame(p, TEXT, "abc", 3));
	ASSERT_TRUE(expect_text(p->ws, "abc"));
	ASSERT_EQ(2, ws_send(p->ws, WS_OP_TEXT, "de", 2, 0));
	EXPECT_EQ(rx + 1, ws_stat("WsRxMessages"));
	EXPECT_EQ(tx + 1, ws_stat("WsTxMessages"));
	EXPECT_EQ(in + 3, ws_stat("WsRxBytes"));
	EXPECT_EQ(out + 2, ws_stat("WsTxBytes"));
}

/* Each network namespace counts for itself. */
TEST_F(sockopt, stat_of_another_namespace)
{
	size_t i;

	EXPECT_LE(1, ws_stat("WsAttached"));
	ASSERT_EQ(0, unshare(CLONE_NEWNET));
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		EXPECT_EQ(0, ws_stat(counters[i])) {
			TH_LOG("%s", counters[i]);
		}
}

TEST_HARNESS_MAIN
