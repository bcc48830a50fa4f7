// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sockets that end at a bad moment: with work queued, when their timers fire,
 * while they linger and the peer does something else, and with the network
 * namespace they are in. The peer sees whole frames and one Close, or a reset.
 * See ws_races.h.
 */
#include "ws_machine.h"
#include "ws_races.h"

static bool set_times(struct pair *p, __u32 ping, __u32 assembly)
{
	struct ws_config cfg = {
		.role = p->role,
		.ping_interval = ping,
		.assembly_timeout = assembly,
		.close_timeout = WS_TIME_MIN,
	};

	return !ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg));
}

/*
 * What the peer sends. A reset that send() has told of looks like an end to
 * recv(), so the peer is done then.
 */
static void peer_sends(struct pair *p, const void *data, size_t len)
{
	if (send(p->raw, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
	    errno == EAGAIN)
		return;
	close(p->raw);
	p->raw = -1;
}

/* More PINGs than PONGs find room: the peer reads nothing. */
static void stuff_pair(struct pair *p, uint32_t *seed)
{
	struct bytes b = { 0 };
	int i;

	if (next_random(seed) % 2)
		while (ws_send(p->ws, WS_OP_BINARY, pattern(0, 16384), 16384,
			       MSG_DONTWAIT) > 0)
			;
	for (i = next_random(seed) % 90; i; i--)
		bytes_frame(&b, p, PING, pattern(i, 125), 125);
	for (i = next_random(seed) % 4; i; i--)
		bytes_frame(&b, p, TEXT, pattern(0, 3000), 3000);
	bytes_frame(&b, p, F_BINARY, "half", 4);
	/* On a slow machine its timers may have ended it already. */
	peer_sends(p, b.p, b.n - next_random(seed) % 5);
	bytes_free(&b);
	if (next_random(seed) % 2)
		poll_now(p->ws, POLLIN);
	if (next_random(seed) % 4 == 0)
		ws_send(p->ws, WS_OP_TEXT, "open", 4, MSG_MORE | MSG_DONTWAIT);
}

/* The peer ends in one of its ways, or goes on. */
static void end_peer(struct pair *p, uint32_t *seed)
{
	struct linger reset = { .l_onoff = 1 };
	struct bytes b = { 0 };

	switch (next_random(seed) % 6) {
	case 0:
		setsockopt(p->raw, SOL_SOCKET, SO_LINGER, &reset,
			   sizeof(reset));
		break;
	case 1:
		shutdown(p->raw, SHUT_WR);
		return;
	case 2:
		bytes_close(&b, p, 1000, "");
		break;
	case 3:
		bytes_raw(&b, "\x83\xff", 2);
		break;
	case 4:
		bytes_frame(&b, p, TEXT, pattern(0, 5000), 5000);
		break;
	default:
		return;
	}
	if (b.n) {
		peer_sends(p, b.p, b.n);
		bytes_free(&b);
		return;
	}
	close(p->raw);
	p->raw = -1;
}

static void end_ws(struct pair *p, uint32_t *seed)
{
	struct linger linger = { .l_onoff = 1,
				 .l_linger = next_random(seed) % 2 };

	if (next_random(seed) % 8 == 0)
		setsockopt(p->ws, SOL_SOCKET, SO_LINGER, &linger,
			   sizeof(linger));
	if (next_random(seed) % 4 == 0)
		shutdown(p->ws, next_random(seed) % 3);
	close(p->ws);
	p->ws = -1;
}

/* TLS says so when there is a record that is no data: its alert. */
static bool is_end(void)
{
	return errno == ECONNRESET || errno == EPIPE ||
	       (test_tls() && errno == EIO);
}

/*
 * The payload, in as many parts as it comes: a wait has a limit. After a reset
 * the next recv() finds the end.
 */
static bool tidy_payload(int fd, size_t len)
{
	unsigned char skip[65536];
	size_t left = len;

	while (left) {
		ssize_t n = recv(fd, skip, left, MSG_WAITALL);

		if (n < 0)
			return is_end() ||
			       complain("%s", strerror(errno));
		if (!n)
			return complain("the end of TCP %zu before that of %zu",
					left, len);
		left -= n;
	}
	return true;
}

/* Whole frames to the end; at most one of them a Close. */
static bool tidy_end(int fd)
{
	unsigned char head[4], skip[1];
	size_t closes = 0;

	for (;;) {
		ssize_t n = recv(fd, head, 2, MSG_WAITALL);
		size_t len;

		if (n <= 0)
			return !n || is_end() ||
			       complain("%s", strerror(errno));
		if (n < 2)
			return recv(fd, head, 1, 0) < 0 ||
			       complain("the end of TCP in a header");
		len = head[1] & 127;
		if (len == 127)
			return complain("a frame that was not sent");
		if (len == 126) {
			if (recv(fd, head + 2, 2, MSG_WAITALL) != 2)
				return recv(fd, skip, 1, 0) < 0;
			len = head[2] * 256 + head[3];
		}
		if (closes)
			return complain("%02x after the Close", head[0]);
		closes += head[0] == CLOSE;
		if (!tidy_payload(fd, len))
			return false;
	}
}

bool end_pairs(uint32_t *seed)
{
	struct pair p[ENDING_PAIRS];
	bool ok = true;
	int i;

	for (i = 0; i < ENDING_PAIRS; i++) {
		if (!pair_open(&p[i], i & 1 ? AF_INET : AF_INET6,
			       WS_ROLE_SERVER))
			return false;
		if (next_random(seed) % 4)
			ok &= set_times(&p[i], WS_TIME_MIN, WS_TIME_MIN);
		else
			ok &= set_times(&p[i], 0, 0);
		stuff_pair(&p[i], seed);
	}
	/* Close to the moment when all the timers fire. */
	usleep(next_random(seed) % 150000);
	for (i = 0; i < ENDING_PAIRS; i++) {
		if (p[i].raw >= 0 && next_random(seed) % 3 == 0)
			end_peer(&p[i], seed);
		end_ws(&p[i], seed);
		if (p[i].raw >= 0 && next_random(seed) % 2)
			end_peer(&p[i], seed);
	}
	for (i = 0; i < ENDING_PAIRS; i++) {
		if (p[i].raw < 0)
			continue;
		if (next_random(seed) % 2)
			ok &= tidy_end(p[i].raw);
		close(p[i].raw);
	}
	return ok;
}

int live_in_a_namespace(uint32_t seed)
{
	struct pair p[4];
	int i;

	if (!net_own())
		return 1;
	for (i = 0; i < 4; i++) {
		if (!pair_open(&p[i], AF_INET, WS_ROLE_SERVER))
			return 2;
		if (i && !set_times(&p[i], WS_TIME_MIN, WS_TIME_MIN))
			return 3;
		stuff_pair(&p[i], &seed);
		if (next_random(&seed) % 2)
			end_ws(&p[i], &seed);
	}
	if (ws_stat("WsAttached") != 4)
		return 4;
	usleep(next_random(&seed) % 120000);
	return 0;
}
