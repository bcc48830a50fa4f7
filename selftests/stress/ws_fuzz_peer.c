// SPDX-License-Identifier: GPL-2.0-only
/*
 * The world of a run of ws_fuzz, and the peer's side of it: streams that are
 * valid, nearly valid or not, cut at random.
 */
#include "ws_fuzz.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/time.h>

static void limit_time(int fd)
{
	struct timeval tv = { .tv_usec = 20000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static void roll_prefix(struct world *w, struct dice *d)
{
	struct bytes b = { 0 };
	int n = 1 + roll(d, 3);

	while (n--)
		bytes_frame(&b, &w->p, FIN | (1 + roll(d, 2)), pattern(0, 300),
			    roll(d, 300));
	if (chance(d, 2))
		b.n -= roll(d, b.n);
	ws_set(w->p.ws, WS_RX_PREFIX, b.p, b.n);
	bytes_free(&b);
}

bool world_open(struct world *w, struct dice *d, bool valid)
{
	static const int buffers[] = { 0, 0, 0, 2048, 4096, 16384 };
	static const int segments[] = { 0, 0, 536, 1448 };
	struct ws_config cfg = { 0 };

	w->other = -1;
	w->p.ws = -1;
	w->p.raw = -1;
	w->epoll = epoll_create1(0);
	w->pipe[0] = -1;
	w->pipe[1] = -1;
	wire_off(NULL, "calls with bad pointers");
	if (w->epoll < 0 || pipe2(w->pipe, O_NONBLOCK) ||
	    !pair_open_rcvbuf(&w->p, chance(d, 4) ? AF_INET6 : AF_INET,
			      roll(d, 2), buffers[roll(d, 6)],
			      buffers[roll(d, 6)], segments[roll(d, 4)]))
		return complain("no world: %s", strerror(errno));
	limit_time(w->p.ws);
	limit_time(w->p.raw);
	if (valid)
		return true;
	cfg.role = w->p.role;
	cfg.rsv = chance(d, 4) ? WS_RSV1 : 0;
	cfg.max_message = chance(d, 4) ? roll_size(d, 1 << 17) : 0;
	cfg.ping_interval = chance(d, 8) ? WS_TIME_MIN : 0;
	cfg.assembly_timeout = chance(d, 8) ? WS_TIME_MIN : 0;
	cfg.close_timeout = chance(d, 2) ? WS_TIME_MIN : 2000;
	if (ws_set(w->p.ws, WS_CONFIG, &cfg, sizeof(cfg)))
		return complain("WS_CONFIG: %s", strerror(errno));
	if (chance(d, 4))
		roll_prefix(w, d);
	return true;
}

void world_close(struct world *w)
{
	pair_close(&w->p);
	if (w->other >= 0)
		close(w->other);
	close(w->epoll);
	close(w->pipe[0]);
	close(w->pipe[1]);
}

/* One frame, as it should be or a little beside. */
static void roll_frame(struct world *w, struct dice *d, struct bytes *b)
{
	static const uint8_t firsts[] = {
		TEXT, BINARY, F_TEXT, F_BINARY, CONT, F_CONT, PING, PONG,
		TEXT, BINARY, CONT, PING, 0x80 | WS_RSV1 | WS_OP_TEXT,
		WS_RSV1 | WS_OP_BINARY, 0x83, 0x0b,
	};
	uint8_t first = firsts[roll(d, 16)];
	size_t start = b->n, len = roll_size(d, 70000);

	if (chance(d, 12)) {
		bytes_close(b, &w->p, chance(d, 4) ? (int)roll(d, 5000) : 1000,
			    chance(d, 4) ? "\xc3(" : "done");
	} else {
		if (first & 8)
			len = chance(d, 16) ? len : len % 126;
		/* Any bytes: text may be none. */
		if (chance(d, 8))
			bytes_frame(b, &w->p, first, w->map, len);
		else
			bytes_frame(b, &w->p, first, pattern(0, len), len);
	}
	if (chance(d, 8))
		b->p[start + roll(d, b->n - start < 4 ? 2 : 4)] ^=
			1 << roll(d, 8);
	if (chance(d, 32))
		b->p[start + roll(d, b->n - start)] ^= 1 << roll(d, 8);
	if (chance(d, 32))
		b->n -= roll(d, b->n - start);
}

static void send_cut(struct world *w, struct dice *d, const unsigned char *p,
		     size_t n)
{
	int cuts = roll(d, 6);

	while (n) {
		size_t part = cuts-- > 0 ? 1 + roll_size(d, n - 1) : n;
		ssize_t sent = send(w->p.raw, p, part, MSG_NOSIGNAL |
				    (chance(d, 4) ? MSG_MORE : 0));

		if (sent <= 0)
			return;
		p += sent;
		n -= sent;
	}
}

static void peer_frames(struct world *w, struct dice *d)
{
	struct bytes b = { 0 };
	int n = 1 + roll(d, chance(d, 8) ? 80 : 4);

	while (n-- && b.n < 1 << 20)
		roll_frame(w, d, &b);
	send_cut(w, d, b.p, b.n);
	bytes_free(&b);
}

static void peer_garbage(struct world *w, struct dice *d)
{
	unsigned char buf[300];
	size_t i, n = roll(d, sizeof(buf));

	for (i = 0; i < n; i++)
		buf[i] = roll(d, 256);
	send_cut(w, d, buf, n);
}

/* Pages that are on their way to the reader are changed behind TCP's back. */
static void peer_sendfile(struct world *w, struct dice *d)
{
	struct bytes b = { 0 };
	off_t at = 0;
	size_t n;

	while (b.n < 4096)
		roll_frame(w, d, &b);
	n = b.n < ARENA ? b.n : ARENA;
	memcpy(w->map, b.p, n);
	bytes_free(&b);
	sendfile(w->p.raw, w->file, &at, n);
	if (chance(d, 2))
		w->map[roll(d, 256)] ^= 1 << roll(d, 8);
}

static void peer_read(struct world *w, struct dice *d)
{
	int n = 1 + roll(d, 8);

	while (n-- && recv(w->p.raw, w->arena, roll_size(d, ARENA),
			   MSG_DONTWAIT) > 0)
		;
}

void fuzz_peer(struct world *w, struct dice *d)
{
	struct linger rst = { .l_onoff = 1 };

	doing("the peer");
	switch (roll(d, 16)) {
	case 0:
		peer_garbage(w, d);
		break;
	case 1:
		peer_sendfile(w, d);
		break;
	case 2:
	case 3:
	case 4:
	case 5:
		peer_read(w, d);
		break;
	case 6:
		send(w->p.raw, "!", 1, MSG_OOB | MSG_NOSIGNAL);
		break;
	case 7:
		if (chance(d, 4))
			shutdown(w->p.raw, SHUT_WR);
		break;
	case 8:
		if (chance(d, 4)) {
			if (chance(d, 2))
				setsockopt(w->p.raw, SOL_SOCKET, SO_LINGER,
					   &rst, sizeof(rst));
			close(w->p.raw);
			w->p.raw = -1;
		}
		break;
	case 9:
		usleep(roll(d, 3000));
		break;
	default:
		peer_frames(w, d);
		break;
	}
	doing(NULL);
	__atomic_fetch_add(&fuzz_calls, 1, __ATOMIC_RELAXED);
}
