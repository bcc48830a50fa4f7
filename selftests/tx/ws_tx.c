// SPDX-License-Identifier: GPL-2.0-only
/* Sending: opcodes, fragments, masks, and what a bad request gets. */
#include "kselftest_harness.h"
#include "ws_test.h"

#include <sys/mman.h>
#include <sys/uio.h>

FIXTURE(tx)
{
	struct pair p;
};

FIXTURE_VARIANT(tx)
{
	int family;
	__u32 role;
};

FIXTURE_VARIANT_ADD(tx, server4)
{
	.family = AF_INET,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(tx, server6)
{
	.family = AF_INET6,
	.role = WS_ROLE_SERVER,
};

FIXTURE_VARIANT_ADD(tx, client4)
{
	.family = AF_INET,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_VARIANT_ADD(tx, client6)
{
	.family = AF_INET6,
	.role = WS_ROLE_CLIENT,
};

FIXTURE_SETUP(tx)
{
	ASSERT_TRUE(pair_open(&self->p, variant->family, variant->role));
}

FIXTURE_TEARDOWN(tx)
{
	pair_close(&self->p);
}

TEST_F(tx, opcodes)
{
	struct ws_config cfg = { .role = variant->role };
	struct pair *p = &self->p;

	EXPECT_EQ(1, ws_send(p->ws, WS_OP_TEXT, "t", 1, 0));
	EXPECT_TRUE(expect_frame(p, TEXT, "t", 1));
	EXPECT_EQ(1, ws_send(p->ws, WS_OP_BINARY, "b", 1, 0));
	EXPECT_TRUE(expect_frame(p, BINARY, "b", 1));
	/* Binary is the default, with and without a WS_MSG. */
	EXPECT_EQ(1, write(p->ws, "d", 1));
	EXPECT_TRUE(expect_frame(p, BINARY, "d", 1));
	EXPECT_EQ(1, ws_send(p->ws, WS_OP_CONT, "c", 1, 0));
	EXPECT_TRUE(expect_frame(p, BINARY, "c", 1));
	cfg.send_opcode = WS_OP_TEXT;
	ASSERT_EQ(0, ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)));
	EXPECT_EQ(1, write(p->ws, "d", 1));
	EXPECT_TRUE(expect_frame(p, TEXT, "d", 1));
	EXPECT_EQ(1, ws_send(p->ws, WS_OP_CONT, "c", 1, 0));
	EXPECT_TRUE(expect_frame(p, TEXT, "c", 1));
	EXPECT_EQ(6, ws_get_info(p->ws).tx_messages);
	EXPECT_EQ(6, ws_get_info(p->ws).tx_bytes);
}

/* What was received can be passed back as it is. */
TEST_F(tx, echo)
{
	struct pair *p = &self->p;
	char buf[32], control[64];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n;

	ASSERT_TRUE(raw_frame(p, TEXT, "back", 4));
	n = recvmsg(p->ws, &msg, 0);
	ASSERT_EQ(4, n);
	iov.iov_len = n;
	ASSERT_EQ(4, sendmsg(p->ws, &msg, 0));
	EXPECT_TRUE(expect_frame(p, TEXT, "back", 4));
}

struct big {
	int fd;
	size_t len;
	ssize_t n;
};

static void *big_send(void *arg)
{
	struct big *b = arg;

	b->n = ws_send(b->fd, WS_OP_BINARY, pattern(0, b->len), b->len, 0);
	return NULL;
}

/* Up to 64 KiB one frame, with the shortest length; beyond it fragments. */
TEST_F(tx, length_edges)
{
	static const size_t edges[] = {
		0, 1, 125, 126, 127, 65535, 65536, 1 << 20,
	};
	struct pair *p = &self->p;
	pthread_t thread;
	size_t i, at;

	for (i = 0; i < ARRAY_SIZE(edges); i++) {
		struct big b = { .fd = p->ws, .len = edges[i] };
		struct frame f;

		ASSERT_EQ(0, pthread_create(&thread, NULL, big_send, &b));
		for (at = 0, f.first = 0; !(f.first & FIN); at += f.len) {
			ASSERT_TRUE(read_frame(p, &f));
			ASSERT_EQ(at ? WS_OP_CONT : WS_OP_BINARY,
				  f.first & 0x7f);
			ASSERT_GE(edges[i], at + f.len);
			ASSERT_TRUE(is_pattern(f.data, at, f.len));
			if (edges[i] <= 65536)
				ASSERT_EQ(edges[i], f.len);
			free(f.data);
		}
		ASSERT_EQ(0, pthread_join(thread, NULL));
		EXPECT_EQ(edges[i], at);
		EXPECT_EQ((ssize_t)edges[i], b.n);
	}
}

/* Section 5.3: a new key for each frame, and one that cannot be foreseen. */
TEST_F(tx, keys)
{
	unsigned char seen[64][4];
	struct pair *p = &self->p;
	int i, k, same = 0, bits = 0;

	for (i = 0; i < 64; i++) {
		struct frame f;

		ASSERT_EQ(3, ws_send(p->ws, WS_OP_TEXT, "abc", 3, 0));
		ASSERT_TRUE(read_frame(p, &f));
		EXPECT_EQ(0, memcmp(f.data, "abc", 3));
		free(f.data);
		if (p->role == WS_ROLE_SERVER)
			continue;
		memcpy(seen[i], f.key, 4);
		for (k = 0; k < 4; k++)
			bits += __builtin_popcount(f.key[k]);
		for (k = 0; k < i; k++)
			same += !memcmp(seen[k], seen[i], 4);
	}
	if (p->role == WS_ROLE_SERVER)
		return;
	/* Of 2048 bits about half; by chance, two alike once in two million. */
	EXPECT_GE(1, same);
	EXPECT_LT(800, bits);
	EXPECT_GT(1250, bits);
}

/* Section 5.4: MSG_MORE leaves the message open. */
TEST_F(tx, fragments)
{
	struct pair *p = &self->p;

	ASSERT_EQ(3, ws_send(p->ws, WS_OP_TEXT, "one", 3, MSG_MORE));
	ASSERT_EQ(3, ws_send(p->ws, WS_OP_CONT, "two", 3, MSG_MORE));
	ASSERT_EQ(3, ws_send(p->ws, WS_OP_TEXT, "tri", 3, MSG_MORE));
	/* Section 5.5: control frames may come between. */
	ASSERT_EQ(1, ws_send(p->ws, WS_OP_PING, "?", 1, 0));
	ASSERT_EQ(1, ws_send(p->ws, WS_OP_PONG, "!", 1, 0));
	ASSERT_EQ(0, ws_send(p->ws, WS_OP_CONT, "", 0, MSG_MORE));
	EXPECT_EQ(-EINVAL, ws_send(p->ws, WS_OP_BINARY, "no", 2, 0));
	EXPECT_EQ(-EINVAL, ws_send(p->ws, WS_OP_BINARY, "no", 2, MSG_MORE));
	EXPECT_EQ(0, ws_get_info(p->ws).tx_messages);
	ASSERT_EQ(4, write(p->ws, "last", 4));
	EXPECT_EQ(1, ws_get_info(p->ws).tx_messages);
	ASSERT_EQ(4, ws_send(p->ws, WS_OP_BINARY, "next", 4, 0));
	EXPECT_TRUE(expect_frame(p, F_TEXT, "one", 3));
	EXPECT_TRUE(expect_frame(p, F_CONT, "two", 3));
	EXPECT_TRUE(expect_frame(p, F_CONT, "tri", 3));
	EXPECT_TRUE(expect_frame(p, PING, "?", 1));
	EXPECT_TRUE(expect_frame(p, PONG, "!", 1));
	EXPECT_TRUE(expect_frame(p, F_CONT, "", 0));
	EXPECT_TRUE(expect_frame(p, CONT, "last", 4));
	EXPECT_TRUE(expect_frame(p, BINARY, "next", 4));
}

TEST_F(tx, empty_fragments)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, ws_send(p->ws, WS_OP_TEXT, "", 0, MSG_MORE));
	ASSERT_EQ(0, ws_send(p->ws, WS_OP_CONT, "", 0, 0));
	ASSERT_EQ(0, ws_send(p->ws, WS_OP_TEXT, "", 0, 0));
	EXPECT_TRUE(expect_frame(p, F_TEXT, "", 0));
	EXPECT_TRUE(expect_frame(p, CONT, "", 0));
	EXPECT_TRUE(expect_frame(p, TEXT, "", 0));
}

/* A fragment goes out although the next one may be long in coming. */
TEST_F(tx, a_fragment_does_not_wait)
{
	struct pair *p = &self->p;

	ASSERT_EQ(4, ws_send(p->ws, WS_OP_TEXT, "half", 4, MSG_MORE));
	EXPECT_EQ(POLLIN, poll_for(p->raw, POLLIN, 2000));
	EXPECT_TRUE(expect_frame(p, F_TEXT, "half", 4));
}

TEST_F(tx, gathered)
{
	struct iovec iov[] = {
		{ "a", 1 }, { NULL, 0 }, { "bcd", 3 }, { "ef", 2 },
	};
	struct pair *p = &self->p;

	ASSERT_EQ(6, writev(p->ws, iov, ARRAY_SIZE(iov)));
	EXPECT_TRUE(expect_frame(p, BINARY, "abcdef", 6));
}

TEST_F(tx, sendmmsg)
{
	struct iovec iov[] = { { "one", 3 }, { "two", 3 }, { "", 0 } };
	struct mmsghdr mm[3] = { 0 };
	struct pair *p = &self->p;
	int i;

	for (i = 0; i < 3; i++) {
		mm[i].msg_hdr.msg_iov = &iov[i];
		mm[i].msg_hdr.msg_iovlen = 1;
	}
	ASSERT_EQ(3, sendmmsg(p->ws, mm, 3, 0));
	EXPECT_TRUE(expect_frame(p, BINARY, "one", 3));
	EXPECT_TRUE(expect_frame(p, BINARY, "two", 3));
	EXPECT_TRUE(expect_frame(p, BINARY, "", 0));
}

TEST_F(tx, control_lengths)
{
	static const size_t lengths[] = { 0, 1, 124, 125 };
	struct pair *p = &self->p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t len = lengths[i];

		ASSERT_EQ((ssize_t)len, ws_send(p->ws, WS_OP_PING,
						pattern(1, len), len, 0));
		EXPECT_TRUE(expect_frame(p, PING, pattern(1, len), len));
		ASSERT_EQ((ssize_t)len, ws_send(p->ws, WS_OP_PONG,
						pattern(2, len), len, 0));
		EXPECT_TRUE(expect_frame(p, PONG, pattern(2, len), len));
	}
	EXPECT_EQ(-EMSGSIZE, ws_send(p->ws, WS_OP_PING, pattern(0, 126), 126,
				     0));
	EXPECT_EQ(-EMSGSIZE, ws_send(p->ws, WS_OP_PONG, pattern(0, 200000),
				     200000, 0));
	EXPECT_TRUE(expect_silence(p));
}

/* sendmsg() with control messages as given. */
static ssize_t send_cmsgs(int fd, void *control, size_t len)
{
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = len,
	};
	ssize_t n = sendmsg(fd, &msg, MSG_NOSIGNAL);

	return n < 0 ? -errno : n;
}

/* A bad request is refused, and leaves nothing on the wire. */
TEST_F(tx, bad_requests)
{
	static const int ops[] = {
		3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 16, 0x81, 0xff,
	};
	struct {
		struct cmsghdr c;
		struct ws_msg m;
		struct cmsghdr c2;
		struct ws_msg m2;
	} two = {
		.c = { CMSG_LEN(sizeof(struct ws_msg)), SOL_WS, WS_MSG },
		.m = { .opcode = WS_OP_TEXT },
		.c2 = { CMSG_LEN(sizeof(struct ws_msg)), SOL_WS, WS_MSG },
		.m2 = { .opcode = WS_OP_TEXT },
	};
	struct pair *p = &self->p;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		EXPECT_EQ(-EINVAL, ws_send(p->ws, ops[i], "x", 1, 0));
	EXPECT_EQ(-EINVAL, ws_send(p->ws, WS_OP_PING, "x", 1, MSG_MORE));
	EXPECT_EQ(-EINVAL, ws_send(p->ws, WS_OP_CLOSE, "", 0, MSG_MORE));
	EXPECT_EQ(-EOPNOTSUPP, ws_send(p->ws, WS_OP_TEXT, "x", 1, MSG_OOB));
	EXPECT_EQ(-EOPNOTSUPP, ws_send(p->ws, WS_OP_TEXT, "x", 1,
				       MSG_FASTOPEN));
	EXPECT_EQ(-EINVAL, send_cmsgs(p->ws, &two, sizeof(two)));
	for (i = 0; i <= 16; i++) {
		if (i == sizeof(struct ws_msg))
			continue;
		two.c.cmsg_len = CMSG_LEN(i);
		EXPECT_EQ(-EINVAL, send_cmsgs(p->ws, &two, sizeof(two.c) + i)) {
			TH_LOG("cmsg of %zu bytes", i);
		}
	}
	two.c.cmsg_len = CMSG_LEN(sizeof(struct ws_msg));
	two.c.cmsg_type = WS_MSG + 1;
	EXPECT_EQ(-EINVAL, send_cmsgs(p->ws, &two, 24));
	EXPECT_TRUE(expect_silence(p));
	two.c.cmsg_type = WS_MSG;
	EXPECT_EQ(1, send_cmsgs(p->ws, &two, 24));
	EXPECT_TRUE(expect_frame(p, TEXT, "x", 1));
}

/* Section 7.4: only codes that may be sent; the connection stays open. */
TEST_F(tx, close_codes)
{
	static const int bad[] = {
		1, 999, 1004, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535,
	};
	static const int good[] = { 0, 1005, 1000, 1014, 3000, 4999 };
	char reason[125] = { 0 };
	size_t i;

	memcpy(reason, pattern(0, 124), 124);
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(-EINVAL, ws_send_close(self->p.ws, bad[i], "")) {
			TH_LOG("code %d", bad[i]);
		}
	EXPECT_EQ(-EINVAL, ws_send_close(self->p.ws, 0, "why"));
	EXPECT_EQ(-EINVAL, ws_send_close(self->p.ws, 1005, "why"));
	EXPECT_EQ(-EMSGSIZE, ws_send_close(self->p.ws, 1000, reason));
	EXPECT_EQ(-EILSEQ, ws_send_close(self->p.ws, 1000, "a\xff"));
	EXPECT_EQ(-EILSEQ, ws_send_close(self->p.ws, 1000, "\xe2\x82"));
	EXPECT_EQ(0, ws_get_info(self->p.ws).state);
	EXPECT_TRUE(expect_silence(&self->p));
	reason[123] = 0;
	EXPECT_EQ(123, ws_send_close(self->p.ws, 1000, reason));
	EXPECT_TRUE(expect_close(&self->p, 1000, reason));

	for (i = 0; i < ARRAY_SIZE(good); i++) {
		int code = good[i] ? good[i] : 1005;
		struct pair p;

		ASSERT_TRUE(pair_open(&p, variant->family, variant->role));
		EXPECT_EQ(0, ws_send_close(p.ws, good[i], ""));
		EXPECT_TRUE(expect_close(&p, code, ""));
		EXPECT_EQ(code, ws_get_info(p.ws).close_sent);
		pair_close(&p);
	}
}

/* A bad pointer: nothing on the wire, and the next message is whole. */
TEST_F(tx, efault)
{
	static const size_t good[] = { 0, 1, 100, 4095, 60000 };
	struct pair *p = &self->p;
	size_t i, room = 65536;
	char *map;

	map = mmap(NULL, 2 * room, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	ASSERT_EQ(0, mprotect(map + room, room, PROT_NONE));
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(-EFAULT, ws_send(p->ws, WS_OP_TEXT,
					   map + room - good[i], good[i] + 5,
					   0));
		EXPECT_EQ(-EFAULT, ws_send(p->ws, WS_OP_PING,
					   map + room - 1, 5, 0));
	}
	EXPECT_TRUE(expect_silence(p));
	ASSERT_EQ(4, ws_send(p->ws, WS_OP_TEXT, "good", 4, 0));
	EXPECT_TRUE(expect_frame(p, TEXT, "good", 4));
	munmap(map, 2 * room);
}

/* For more than one frame a short count may come, but no torn frame. */
TEST_F(tx, efault_in_a_long_message)
{
	size_t room = 512 * 1024, at = 0;
	struct pair *p = &self->p;
	struct frame f;
	ssize_t n;
	char *map;

	map = mmap(NULL, 2 * room, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, map);
	memcpy(map, pattern(0, room), room);
	ASSERT_EQ(0, mprotect(map + room, room, PROT_NONE));
	n = ws_send(p->ws, WS_OP_TEXT, map, room + 5, 0);
	if (n < 0) {
		EXPECT_EQ(-EFAULT, n);
		n = 0;
	}
	ASSERT_EQ(4, ws_send(p->ws, WS_OP_TEXT, pattern(n, 4), 4, 0));
	do {
		ASSERT_TRUE(read_frame(p, &f));
		ASSERT_TRUE(is_pattern(f.data, at, f.len));
		at += f.len;
		free(f.data);
	} while (!(f.first & FIN));
	EXPECT_EQ((size_t)n + 4, at);
	EXPECT_TRUE(expect_silence(p));
	munmap(map, 2 * room);
}

TEST_HARNESS_MAIN
