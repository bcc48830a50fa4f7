// SPDX-License-Identifier: GPL-2.0-only
/*
 * A call that is refused changes nothing: nothing is on the wire, no counter has
 * moved, an open message stays open as it was, and the next call is fine.
 */
#include "kselftest_harness.h"
#include "ws_ways.h"

#include <sys/mman.h>
#include <sys/uio.h>

/* All that the program can see of a socket. */
struct view {
	struct ws_info info;
	struct ws_config cfg;
	long long messages, bytes, closes, referenced;
};

FIXTURE(refuse)
{
	struct pair p;
	struct view before;
	char *map;		/* a page, and one that is not there */
	size_t page;
};

FIXTURE_VARIANT(refuse)
{
	__u32 role;
	__u32 flags;
	bool open;		/* while a message is open */
};

FIXTURE_VARIANT_ADD(refuse, server) { WS_ROLE_SERVER, 0, false };
FIXTURE_VARIANT_ADD(refuse, client) { WS_ROLE_CLIENT, 0, false };
FIXTURE_VARIANT_ADD(refuse, open) { WS_ROLE_SERVER, 0, true };
FIXTURE_VARIANT_ADD(refuse, records) { WS_ROLE_SERVER, WS_F_RECORDS, false };
FIXTURE_VARIANT_ADD(refuse, records_client) { WS_ROLE_CLIENT, WS_F_RECORDS, false };
FIXTURE_VARIANT_ADD(refuse, records_open) { WS_ROLE_SERVER, WS_F_RECORDS, true };
FIXTURE_VARIANT_ADD(refuse, array) { WS_ROLE_SERVER, WS_F_BATCH, false };
FIXTURE_VARIANT_ADD(refuse, array_client) { WS_ROLE_CLIENT, WS_F_BATCH, false };
FIXTURE_VARIANT_ADD(refuse, array_open) { WS_ROLE_CLIENT, WS_F_BATCH, true };

static ssize_t send_text(struct pair *p, __u32 flags, const char *text, bool end)
{
	struct ws_msg m = { .len = strlen(text), .flags = end ? END : 0 };

	m.opcode = WS_OP_TEXT;
	return flags & WS_F_RECORDS ? send_record(p->ws, m, text, 0) :
	       ws_send(p->ws, WS_OP_TEXT, text, m.len, end ? 0 : MSG_MORE);
}

static struct view view_of(int fd)
{
	return (struct view){
		.info = ws_get_info(fd),
		.cfg = ws_get_config(fd),
		.messages = ws_stat("WsTxMessages"),
		.bytes = ws_stat("WsTxBytes"),
		.closes = ws_stat("WsTxClose"),
		.referenced = ws_stat("WsTxReferenced"),
	};
}

FIXTURE_SETUP(refuse)
{
	struct pair *p = &self->p;
	int one = 1;

	self->page = sysconf(_SC_PAGESIZE);
	self->map = mmap(NULL, 2 * self->page, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->map);
	ASSERT_EQ(0, mprotect(self->map + self->page, self->page, PROT_NONE));
	ASSERT_TRUE(pair_open(p, AF_INET, variant->role));
	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_ZEROCOPY, &one,
				sizeof(one)));
	ASSERT_EQ(0, set_flags(p->ws, variant->flags));
	ASSERT_EQ(5, send_text(p, variant->flags, "begin", !variant->open));
	ASSERT_TRUE(expect_frame(p, variant->open ? F_TEXT : TEXT, "begin", 5));
	self->before = view_of(p->ws);
}

FIXTURE_TEARDOWN(refuse)
{
	munmap(self->map, 2 * self->page);
	pair_close(&self->p);
}

/* After all that was refused. */
static bool unchanged(struct pair *p, const struct view *before, bool open)
{
	struct view now = view_of(p->ws);
	__u32 flags = now.cfg.flags;

	if (memcmp(&now, before, sizeof(now)))
		return complain("%llu messages, %llu bytes, %llu calls, state %x",
				now.info.tx_messages, now.info.tx_bytes,
				now.info.tx_calls, now.info.state);
	if (!(poll_now(p->ws, POLLOUT) & POLLOUT))
		return complain("it cannot be sent to");
	if (!expect_silence(p))
		return false;
	if (send_text(p, flags, "next", true) != 4 ||
	    !expect_frame(p, open ? CONT : TEXT, "next", 4))
		return false;
	/* The message that was open has ended with that. */
	if (send_text(p, flags, "last", true) != 4 ||
	    !expect_frame(p, TEXT, "last", 4))
		return false;
	now = view_of(p->ws);
	return now.info.tx_messages == before->info.tx_messages + 2 &&
	       now.info.tx_bytes == before->info.tx_bytes + 8 &&
	       now.info.tx_calls == before->info.tx_calls + 2;
}

/* Bad in a single message, and in the last record or entry of many. */
#define BAD(e, n, ...)	{ .err = e, .len = n, .m = { __VA_ARGS__ } }

static const struct bad {
	int err;
	struct ws_msg m;
	size_t len;
	int flags;
	bool only_one;		/* by flags of the call */
	bool only_open;
} bad[] = {
	BAD(EINVAL, 1, .opcode = 3, .flags = END),
	BAD(EINVAL, 1, .opcode = 7, .flags = END),
	BAD(EINVAL, 1, .opcode = 11, .flags = END),
	BAD(EINVAL, 1, .opcode = 0x81, .flags = END),
	BAD(EINVAL, 1, .opcode = WS_OP_TEXT, .flags = END | 8),
	BAD(EINVAL, 1, .opcode = WS_OP_TEXT, .flags = END | 0x80),
	BAD(EINVAL, 1, .opcode = WS_OP_TEXT, .flags = END | WS_MSG_RSV1),
	BAD(EINVAL, 1, .opcode = WS_OP_PING, .flags = END | WS_MSG_RSV1),
	BAD(EINVAL, 0, .opcode = WS_OP_CLOSE, .flags = END | WS_MSG_RSV1),
	BAD(EMSGSIZE, 126, .opcode = WS_OP_PING, .flags = END),
	BAD(EMSGSIZE, 126, .opcode = WS_OP_PONG, .flags = END),
	BAD(EMSGSIZE, 65536, .opcode = WS_OP_PONG, .flags = END),
	BAD(EMSGSIZE, 124, .opcode = WS_OP_CLOSE, .flags = END, .code = 1000),
	BAD(EINVAL, 1, .opcode = WS_OP_CLOSE, .flags = END, .code = 0),
	BAD(EINVAL, 1, .opcode = WS_OP_CLOSE, .flags = END, .code = 1005),
	BAD(EINVAL, 0, .opcode = WS_OP_CLOSE, .flags = END, .code = 999),
	BAD(EINVAL, 0, .opcode = WS_OP_CLOSE, .flags = END, .code = 1004),
	BAD(EINVAL, 0, .opcode = WS_OP_CLOSE, .flags = END, .code = 1006),
	BAD(EINVAL, 5, .opcode = WS_OP_CLOSE, .flags = END, .code = 1015),
	BAD(EINVAL, 0, .opcode = WS_OP_CLOSE, .flags = END, .code = 2999),
	BAD(EINVAL, 123, .opcode = WS_OP_CLOSE, .flags = END, .code = 5000),
	{ .err = EINVAL, .len = 3, .m = { .opcode = WS_OP_BINARY, .flags = END },
	  .only_open = true },
	{ .err = EINVAL, .len = 0, .m = { .opcode = WS_OP_BINARY },
	  .only_open = true },
	{ .err = EINVAL, .len = 1, .m = { .opcode = WS_OP_PING, .flags = END },
	  .flags = MSG_MORE, .only_one = true },
	{ .err = EINVAL, .len = 0, .m = { .opcode = WS_OP_CLOSE, .flags = END },
	  .flags = MSG_MORE, .only_one = true },
	{ .err = EOPNOTSUPP, .len = 1, .m = { .opcode = WS_OP_TEXT, .flags = END },
	  .flags = MSG_OOB },
	{ .err = EOPNOTSUPP, .len = 1, .m = { .opcode = WS_OP_PING, .flags = END },
	  .flags = MSG_ZEROCOPY },
	{ .err = EOPNOTSUPP, .len = 1, .m = { .opcode = WS_OP_TEXT, .flags = END },
	  .flags = MSG_FASTOPEN },
};

/* In the way that the socket is set to; a good message before it in an array. */
static ssize_t send_bad(int fd, __u32 flags, const struct bad *b)
{
	struct ws_msg m[2] = { { .len = 2, .flags = END }, b->m };
	static char buf[2 + 65536];

	memset(buf, 'a', sizeof(buf));
	m[1].len = b->len;
	/* What follows a message that is open continues it; then none is. */
	if (b->only_open)
		m[0] = (struct ws_msg){ .len = 2 };
	if (flags & WS_F_RECORDS)
		return send_record(fd, m[1], buf, b->flags);
	if (flags & WS_F_BATCH)
		return send_array(fd, m, 2, buf, b->len + 2, b->flags);
	return send_array(fd, m + 1, 1, buf, b->len, b->flags);
}

TEST_F(refuse, bad_messages)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		if ((bad[i].only_one && variant->flags) ||
		    (bad[i].only_open && !variant->open))
			continue;
		EXPECT_EQ(-bad[i].err, send_bad(self->p.ws, variant->flags,
						&bad[i])) {
			TH_LOG("%zu: opcode %d, %zu bytes", i, bad[i].m.opcode,
			       bad[i].len);
		}
	}
	EXPECT_TRUE(unchanged(&self->p, &self->before, variant->open));
}

/* A reason that is not UTF-8, whole or cut. */
TEST_F(refuse, bad_reasons)
{
	static const char *const reasons[] = {
		"a\xff", "\xe2\x82", "\xed\xa0\x80", "\xc0\x80", "\xf4\x90\x80\x80",
	};
	struct pair *p = &self->p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(reasons); i++) {
		struct ws_msg m[2] = {
			{ .opcode = WS_OP_PING, .flags = END },
			{ .opcode = WS_OP_CLOSE, .flags = END, .code = 3000 },
		};
		ssize_t n;

		m[1].len = strlen(reasons[i]);
		if (variant->flags & WS_F_RECORDS)
			n = send_record(p->ws, m[1], reasons[i], 0);
		else if (variant->flags & WS_F_BATCH)
			n = send_array(p->ws, m, 2, reasons[i], m[1].len, 0);
		else
			n = ws_send_close(p->ws, 3000, reasons[i]);
		EXPECT_EQ(-EILSEQ, n);
	}
	EXPECT_TRUE(unchanged(p, &self->before, variant->open));
}

/* Memory that cannot be read, of which some is good. */
TEST_F(refuse, bad_memory)
{
	static const size_t good[] = { 0, 1, 8, 9, 64, 125, 4096 };
	static const size_t beyond[] = { 1, 7, 100, 3000 };
	struct pair *p = &self->p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(good) * ARRAY_SIZE(beyond); i++) {
		size_t n = good[i / ARRAY_SIZE(beyond)];
		size_t len = n + beyond[i % ARRAY_SIZE(beyond)];
		char *at = self->map + self->page - n;
		struct ws_msg m[2] = { { .flags = END }, { .flags = END } };

		m[0].len = n / 2;
		m[1].len = len - m[0].len;
		if (variant->flags & WS_F_RECORDS) {
			struct ws_msg r = { .len = len, .flags = END };

			if (n < 8)
				len = 16;
			else
				memcpy(at, &r, sizeof(r));
			EXPECT_EQ(-1, send(p->ws, at, len + 8, MSG_NOSIGNAL));
			EXPECT_EQ(EFAULT, errno);
			continue;
		}
		if (variant->flags & WS_F_BATCH)
			EXPECT_EQ(-EFAULT, send_array(p->ws, m, 2, at, len, 0));
		EXPECT_EQ(-EFAULT, ws_send(p->ws, 0, at, len, 0));
		EXPECT_EQ(-EFAULT, ws_send(p->ws, 0, at, len, MSG_ZEROCOPY));
		if (len < 126)
			EXPECT_EQ(-EFAULT, ws_send(p->ws, WS_OP_PING, at, len,
						   0));
	}
	EXPECT_TRUE(unchanged(p, &self->before, variant->open));
}

/* The control message itself. */
TEST_F(refuse, bad_control_messages)
{
	struct ws_msg m[WS_BATCH_MAX + 1] = { { .flags = END } };
	struct {
		struct cmsghdr c;
		struct ws_msg m;
		struct cmsghdr c2;
		struct ws_msg m2;
	} two = {
		.c = { .cmsg_len = CMSG_LEN(8), .cmsg_level = SOL_WS,
		       .cmsg_type = WS_MSG },
		.c2 = { .cmsg_len = CMSG_LEN(8), .cmsg_level = SOL_WS,
			.cmsg_type = WS_MSG },
	};
	struct msghdr msg = { .msg_control = &two };
	struct pair *p = &self->p;
	int i;

	for (i = 0; i <= WS_BATCH_MAX; i++)
		m[i].flags = END;
	/* None, or one too many; two where only one is taken, or lengths. */
	EXPECT_EQ(-EINVAL, send_array(p->ws, m, 0, "", 0, 0));
	EXPECT_EQ(-EINVAL, send_array(p->ws, m, WS_BATCH_MAX + 1, "", 0, 0));
	if (!(variant->flags & WS_F_BATCH))
		EXPECT_EQ(-EINVAL, send_array(p->ws, m, 2, "", 0, 0));
	if (variant->flags & WS_F_RECORDS)
		EXPECT_EQ(-EINVAL, send_array(p->ws, m, 1, "", 0, 0));
	m[1].len = 5;
	EXPECT_EQ(-EINVAL, send_array(p->ws, m, 2, "123456", 4, 0));
	EXPECT_EQ(-EINVAL, send_array(p->ws, m, 2, "123456", 6, 0));
	m[0].len = UINT32_MAX;
	EXPECT_EQ(-EINVAL, send_array(p->ws, m, 2, "123456", 4, 0));

	msg.msg_controllen = sizeof(two);
	EXPECT_EQ(-1, sendmsg(p->ws, &msg, 0));
	EXPECT_EQ(EINVAL, errno);
	msg.msg_controllen = CMSG_LEN(8);
	for (i = 1; i < 8; i++) {
		two.c.cmsg_len = CMSG_LEN(i);
		EXPECT_EQ(-1, sendmsg(p->ws, &msg, 0));
		EXPECT_EQ(EINVAL, errno);
	}
	two.c.cmsg_len = CMSG_LEN(16);
	EXPECT_EQ(-1, sendmsg(p->ws, &msg, 0));
	EXPECT_EQ(EINVAL, errno);
	two.c.cmsg_len = CMSG_LEN(8);
	two.c.cmsg_type = WS_INFO;
	EXPECT_EQ(-1, sendmsg(p->ws, &msg, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_TRUE(unchanged(p, &self->before, variant->open));
}

/* Settings that are refused while a message is open. */
TEST_F(refuse, bad_settings)
{
	static const __u32 flags[] = { 0, WS_F_RECORDS, WS_F_BATCH, WS_F_CLOSE };
	struct pair *p = &self->p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct ws_config cfg = {
			.role = variant->role,
			.flags = flags[i],
			.send_opcode = WS_OP_TEXT,
			.close_timeout = 777,
		};

		if (flags[i] == variant->flags)
			continue;
		/* Only an open message is in the way. */
		EXPECT_EQ(variant->open ? -EBUSY : 0,
			  ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)));
		EXPECT_EQ(0, ws_set(p->ws, WS_CONFIG, &self->before.cfg,
				    sizeof(cfg)));
	}
	EXPECT_TRUE(unchanged(p, &self->before, variant->open));
}

TEST_HARNESS_MAIN
