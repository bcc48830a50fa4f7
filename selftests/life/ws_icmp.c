// SPDX-License-Identifier: GPL-2.0-only
/*
 * An error that ends nothing: with IP_RECVERR an ICMP message from on the way is
 * one, for the program to take once. The connection lives on.
 */
#include "kselftest_harness.h"
#include "ws_ways.h"

#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <linux/tcp.h>

#ifndef TCP_REPAIR
#define TCP_REPAIR		19
#define TCP_REPAIR_QUEUE	20
#define TCP_QUEUE_SEQ		21
#endif
#define SEND_QUEUE		2	/* TCP_SEND_QUEUE */
#define REPAIR_OFF		-1	/* and no window probe */

FIXTURE(icmp)
{
	struct pair p;
	__u32 seq;		/* of the next byte that is sent */
	int raw;
};

FIXTURE_VARIANT(icmp)
{
	__u32 role;
};

FIXTURE_VARIANT_ADD(icmp, server) { WS_ROLE_SERVER };
FIXTURE_VARIANT_ADD(icmp, client) { WS_ROLE_CLIENT };

static __u32 write_seq(int fd)
{
	int on = 1, queue = SEND_QUEUE, off = REPAIR_OFF;
	socklen_t len = sizeof(__u32);
	__u32 seq = 0;

	if (setsockopt(fd, SOL_TCP, TCP_REPAIR, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) ||
	    getsockopt(fd, SOL_TCP, TCP_QUEUE_SEQ, &seq, &len) ||
	    setsockopt(fd, SOL_TCP, TCP_REPAIR, &off, sizeof(off)))
		complain("TCP_REPAIR: %s", strerror(errno));
	return seq;
}

FIXTURE_SETUP(icmp)
{
	int one = 1;

	ASSERT_TRUE(pair_connect(&self->p, AF_INET, variant->role));
	self->seq = write_seq(self->p.ws);
	ASSERT_EQ(0, ws_attach(self->p.ws));
	ASSERT_EQ(0, ws_set_role(self->p.ws, variant->role));
	ASSERT_EQ(0, setsockopt(self->p.ws, SOL_IP, IP_RECVERR, &one,
				sizeof(one)));
	self->raw = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
	ASSERT_LE(0, self->raw);
}

FIXTURE_TEARDOWN(icmp)
{
	close(self->raw);
	pair_close(&self->p);
}

static __u16 checksum(const void *data, size_t len)
{
	const unsigned char *p = data;
	__u32 sum = 0;
	size_t i;

	for (i = 0; i < len; i += 2)
		sum += p[i] * 256 + p[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

/* "Host unreachable" for the segment that begins at @seq. */
static bool unreachable(struct pair *p, int raw, __u32 seq)
{
	struct sockaddr_in from, to;
	socklen_t len = sizeof(from);
	struct {
		struct icmphdr icmp;
		struct iphdr ip;
		__be16 ports[2];
		__be32 seq;
	} packet = {
		.icmp = { .type = ICMP_DEST_UNREACH,
			  .code = ICMP_HOST_UNREACH },
		.ip = { .version = 4, .ihl = 5, .ttl = 64,
			.protocol = IPPROTO_TCP },
		.seq = htonl(seq),
	};

	if (getsockname(p->ws, (void *)&from, &len) ||
	    getpeername(p->ws, (void *)&to, &len))
		return complain("no addresses: %s", strerror(errno));
	packet.ip.saddr = from.sin_addr.s_addr;
	packet.ip.daddr = to.sin_addr.s_addr;
	packet.ip.tot_len = htons(sizeof(packet.ip) + 20);
	packet.ports[0] = from.sin_port;
	packet.ports[1] = to.sin_port;
	packet.icmp.checksum = checksum(&packet, sizeof(packet));
	from.sin_port = 0;
	return sendto(raw, &packet, sizeof(packet), 0, (void *)&from,
		      sizeof(from)) == sizeof(packet) ||
	       complain("ICMP: %s", strerror(errno));
}

/* It has arrived: poll() tells of an error. */
static bool has_error(int fd)
{
	return wait_until(poll_now(fd, 0) & POLLERR) ||
	       complain("no error arrived");
}

static int take_error(int fd)
{
	socklen_t len = sizeof(int);
	int err = -1;

	getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len);
	return err;
}

static bool works(struct pair *p)
{
	return raw_frame(p, TEXT, "in", 2) && expect_text(p->ws, "in") &&
	       ws_send(p->ws, WS_OP_TEXT, "out", 3, 0) == 3 &&
	       expect_frame(p, TEXT, "out", 3);
}

/* A reader gets it, once. */
TEST_F(icmp, reader)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	ASSERT_TRUE(unreachable(p, self->raw, self->seq));
	ASSERT_TRUE(has_error(p->ws));
	EXPECT_TRUE(expect_error(p->ws, EHOSTUNREACH));
	EXPECT_EQ(0, ws_get_info(p->ws).state);
	EXPECT_TRUE(works(p));
}

/* What is complete comes first. */
TEST_F(icmp, reader_of_a_message)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "before", 6));
	ASSERT_TRUE(poll_for(p->ws, POLLIN, WS_TEST_MS) & POLLIN);
	ASSERT_TRUE(unreachable(p, self->raw, self->seq));
	ASSERT_TRUE(has_error(p->ws));
	EXPECT_TRUE(expect_text(p->ws, "before"));
	EXPECT_TRUE(expect_error(p->ws, EHOSTUNREACH));
	EXPECT_TRUE(works(p));
}

/* A sender gets it, once, and nothing of that call is sent. */
TEST_F(icmp, sender)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	ASSERT_TRUE(unreachable(p, self->raw, self->seq));
	ASSERT_TRUE(has_error(p->ws));
	EXPECT_EQ(-EHOSTUNREACH, ws_send(p->ws, WS_OP_TEXT, "no", 2, 0));
	EXPECT_TRUE(works(p));
}

/* What the kernel has to send waits until it has been taken, and then goes. */
TEST_F(icmp, pong)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	ASSERT_TRUE(unreachable(p, self->raw, self->seq));
	ASSERT_TRUE(has_error(p->ws));
	ASSERT_TRUE(raw_frame(p, PING, "1", 1));
	ASSERT_TRUE(raw_frame(p, PING, "2", 1));
	ASSERT_TRUE(settle(p));
	EXPECT_EQ(EHOSTUNREACH, take_error(p->ws));
	EXPECT_TRUE(expect_frame(p, PONG, "1", 1));
	EXPECT_TRUE(expect_frame(p, PONG, "2", 1));
	EXPECT_TRUE(works(p));
}

TEST_F(icmp, close_frame)
{
	struct pair *p = &self->p;

	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	ASSERT_TRUE(unreachable(p, self->raw, self->seq));
	ASSERT_TRUE(has_error(p->ws));
	EXPECT_EQ(0, shutdown(p->ws, SHUT_WR));
	EXPECT_EQ(EHOSTUNREACH, take_error(p->ws));
	EXPECT_TRUE(expect_close(p, 1000, ""));
}

/* Ours go on, although nobody else needs the connection. */
TEST_F_TIMEOUT(icmp, keepalive, 60)
{
	struct ws_config cfg = { .role = variant->role, .ping_interval = 400,
				 .ping_timeout = 10 * WS_TEST_MS };
	struct pair *p = &self->p;

	ASSERT_EQ(0, ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)));
	ASSERT_EQ(0, poll_now(p->ws, POLLIN));
	ASSERT_TRUE(unreachable(p, self->raw, self->seq));
	ASSERT_TRUE(has_error(p->ws));
	/* While it is there, the interval passes. */
	usleep(test_patience(700000));
	EXPECT_EQ(EHOSTUNREACH, take_error(p->ws));
	EXPECT_TRUE(expect_frame(p, PING, "", 0));
	ASSERT_TRUE(raw_frame(p, PONG, "", 0));
	EXPECT_TRUE(expect_frame(p, PING, "", 0));
	EXPECT_EQ(0, ws_get_info(p->ws).rule);
}

static __u32 bytes_acked(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len);
	return info.tcpi_bytes_acked;
}

/* A frame that TCP has in part stays whole, whoever takes the error, and when. */
TEST_F(icmp, frame_under_way)
{
	struct pair *p = &self->p;
	__u32 acked = bytes_acked(p->ws);
	int small = 16384, filled, i;

	ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_SNDBUF, &small,
				sizeof(small)));
	filled = fill_way(p->ws);
	ASSERT_LT(0, filled);
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(unreachable(p, self->raw, self->seq - acked +
					bytes_acked(p->ws)));
		ASSERT_TRUE(has_error(p->ws));
		/* Whatever else would have gone out now. */
		ASSERT_TRUE(raw_frame(p, PING, "x", 1));
		ASSERT_TRUE(settle(p));
		EXPECT_EQ(EHOSTUNREACH, i == 1 ?
			  (int)-ws_send(p->ws, WS_OP_TEXT, "no", 2,
					MSG_DONTWAIT) : take_error(p->ws));
	}
	EXPECT_TRUE(drain_way(p, filled));
	for (i = 0; i < 3; i++)
		EXPECT_TRUE(expect_frame(p, PONG, "x", 1));
	EXPECT_TRUE(works(p));
}

TEST_HARNESS_MAIN
