// SPDX-License-Identifier: GPL-2.0-only
/*
 * A valid stream from the peer, cut at random, read in random ways; at the
 * same time messages to the peer, sent in random ways. Nothing may be lost,
 * doubled or changed, and no boundary moved. One thread and no call that
 * waits, so that a recipe tells the whole story.
 */
#include "ws_fuzz.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define MESSAGES	12
/* TCP's own timers, several of them, under a slow kernel. */
#define VALID_MS	test_patience(60000)

struct valid {
	struct world w;
	struct bytes out;		/* what the peer sends ... */
	size_t sent;			/* ... and has sent */
	struct bytes in;		/* what it has got */
	size_t end[MESSAGES];		/* where messages end, in payload */
	uint64_t messages;
	size_t received;
	size_t to_send;
	size_t taken;			/* of that by sendmsg() */
	char buf[1 << 17];
	char peeked[1 << 17];
	bool moved;
};

static void make_message(struct valid *v, struct dice *d)
{
	size_t at = v->messages ? v->end[v->messages - 1] : 0;
	size_t left = roll_size(d, chance(d, 4) ? 1 << 17 : 5000);
	int first = 1 + roll(d, 2);
	bool last;

	v->end[v->messages++] = at + left;
	do {
		size_t part = chance(d, 2) ? left : roll_size(d, left);

		if (chance(d, 4))
			bytes_frame(&v->out, &v->w.p, roll(d, 2) ? PING : PONG,
				    "ping", roll(d, 5));
		last = part == left;
		bytes_frame(&v->out, &v->w.p, first | (last ? FIN : 0),
			    pattern(at, part), part);
		first = F_CONT;
		at += part;
		left -= part;
	} while (!last);
}

static bool check_read(struct valid *v, const void *data, size_t n, bool eor)
{
	struct ws_info info = ws_get_info(v->w.p.ws);
	size_t at = v->received + n;

	if (!is_pattern(data, v->received, n))
		return complain("other bytes from %zu on", v->received);
	v->received = at;
	v->moved = true;
	if (info.rx_bytes != at || info.rx_messages > v->messages)
		return complain("%llu messages, %llu bytes, not %zu",
				info.rx_messages, info.rx_bytes, at);
	if (info.rx_messages && at < v->end[info.rx_messages - 1])
		return complain("message %llu ended at %zu",
				info.rx_messages, at);
	if (info.rx_messages < v->messages && at > v->end[info.rx_messages])
		return complain("message %llu had no end at %zu",
				info.rx_messages, at);
	return !eor || (info.rx_messages &&
			at == v->end[info.rx_messages - 1]) ||
		complain("an end at %zu", at);
}

static bool no_read(ssize_t n)
{
	return n < 0 && errno != EAGAIN && errno != EFAULT ?
		complain("read: %s", strerror(errno)) : true;
}

static bool read_splice(struct valid *v, struct dice *d)
{
	ssize_t n = splice(v->w.p.ws, NULL, v->w.pipe[1], NULL,
			   1 + roll_size(d, 60000), SPLICE_F_NONBLOCK);

	if (n < 0)
		return no_read(n);
	if (n && read(v->w.pipe[0], v->buf, n) != n)
		return complain("a pipe with less than %zd", n);
	return check_read(v, v->buf, n, false);
}

static bool read_message(struct valid *v, struct dice *d)
{
	size_t room = roll_size(d, sizeof(v->buf)), part = roll(d, 200);
	bool bad = chance(d, 8), peek = chance(d, 4);
	char control[64];
	struct iovec iov[2] = { { .iov_base = v->buf } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n, peeked = -1;

	if (chance(d, 2)) {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
	}
	iov[0].iov_len = part < room ? part : room;
	iov[1].iov_len = room - iov[0].iov_len;
	iov[1].iov_base = v->buf + iov[0].iov_len;
	if (peek)
		peeked = recv(v->w.p.ws, v->peeked, room,
			      MSG_PEEK | MSG_DONTWAIT);
	if (bad && iov[1].iov_len)
		iov[1].iov_base = v->w.wall - roll(d, iov[1].iov_len);
	n = recvmsg(v->w.p.ws, &msg, MSG_DONTWAIT |
		    (chance(d, 4) ? MSG_WAITALL : 0));
	if (n < 0)
		return no_read(n);
	if ((size_t)n > iov[0].iov_len)
		memmove(v->buf + iov[0].iov_len, iov[1].iov_base,
			n - iov[0].iov_len);
	if (peeked > n || (peeked > 0 && memcmp(v->peeked, v->buf, peeked)))
		return complain("%zd bytes peeked, %zd read", peeked, n);
	return check_read(v, v->buf, n, msg.msg_flags & MSG_EOR);
}

static bool some_read(struct valid *v, struct dice *d)
{
	int inq, size = roll_size(d, 1 << 18);

	if (ws_get_info(v->w.p.ws).rx_messages == v->messages)
		return true;
	switch (roll(d, 16)) {
	case 0:
	case 1:
	case 2:
		return read_splice(v, d);
	case 3:
		return !ioctl(v->w.p.ws, FIONREAD, &inq);
	case 4:
		if (chance(d, 4))
			setsockopt(v->w.p.ws, SOL_SOCKET, SO_RCVBUF, &size,
				   sizeof(size));
		return true;
	default:
		return read_message(v, d);
	}
}

static bool some_send(struct valid *v, struct dice *d)
{
	size_t n = roll_size(d, v->to_send - v->taken);
	int flags = chance(d, 3) ? MSG_MORE : 0;
	ssize_t ret;

	if (chance(d, 8))
		ret = ws_send(v->w.p.ws, roll(d, 2) ? WS_OP_PING : WS_OP_PONG,
			      "p", 1, MSG_DONTWAIT);
	else if (chance(d, 8) && n)
		ret = ws_send(v->w.p.ws, WS_OP_CONT, v->w.wall - 1, n + 1,
			      MSG_DONTWAIT);
	else
		goto data;
	/* Above 64 KiB a bad pointer may cost only the rest. */
	if (ret == 1 || ret == -EAGAIN || ret == -EFAULT)
		return true;
	return complain("a send gave %zd", ret);
data:
	ret = ws_send(v->w.p.ws, WS_OP_CONT, pattern(v->taken, n), n,
		      flags | MSG_DONTWAIT);
	if (ret == -EAGAIN)
		return true;
	if (ret < 0 || ret > (ssize_t)n)
		return complain("%zd of %zu bytes sent", ret, n);
	v->taken += ret;
	v->moved |= ret > 0;
	return true;
}

static bool some_peer(struct valid *v, struct dice *d)
{
	size_t n = chance(d, 2) ? roll_size(d, 1 << 17) : roll(d, 40);
	ssize_t ret;

	if (chance(d, 3)) {
		ret = recv(v->w.p.raw, v->buf, n, MSG_DONTWAIT);
		if (ret > 0)
			bytes_raw(&v->in, v->buf, ret);
	} else {
		if (n > v->out.n - v->sent)
			n = v->out.n - v->sent;
		ret = n ? send(v->w.p.raw, v->out.p + v->sent, n,
			       MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
		v->sent += ret > 0 ? ret : 0;
	}
	v->moved |= ret > 0;
	return ret >= 0 || errno == EAGAIN ||
		complain("the peer: %s", strerror(errno));
}

/* What the module sent must be frames, and their payload what was taken. */
static bool check_sent(struct valid *v, bool *closed)
{
	const unsigned char *p = v->in.p, *end = p + v->in.n;
	bool masked = v->w.p.role == WS_ROLE_CLIENT;
	size_t at = 0;

	while (end - p >= 2) {
		size_t i, len = p[1] & 127, head = 2 + (masked ? 4 : 0);
		static unsigned char data[1 << 19];
		uint8_t opcode = p[0] & 15;

		if (masked != !!(p[1] & 128) || p[0] & 0x70)
			return complain("a frame of %02x %02x", p[0], p[1]);
		if (len == 126)
			len = p[2] << 8 | p[3];
		else if (len == 127)
			len = p[7] << 16 | p[8] << 8 | p[9];
		head += (p[1] & 127) == 127 ? 8 : (p[1] & 127) == 126 ? 2 : 0;
		if ((size_t)(end - p) < head + len || len > sizeof(data))
			break;
		for (i = 0; i < len; i++)
			data[i] = p[head + i] ^
				  (masked ? p[head - 4 + i % 4] : 0);
		p += head + len;
		*closed |= opcode == WS_OP_CLOSE;
		if (opcode & 8)
			continue;
		if (!is_pattern(data, at, len))
			return complain("sent bytes differ after %zu", at);
		at += len;
	}
	return !*closed || (at == v->taken && p == end) ||
		complain("%zu bytes came of %zu", at, v->taken);
}

/* The peer's Close is all that is left; ours follows it. */
static bool finish(struct valid *v)
{
	uint64_t until = now_ms() + VALID_MS;
	bool read_it = false, closed = false;

	while (!closed) {
		struct got got = ws_recv(v->w.p.ws, v->buf, 64, MSG_DONTWAIT);
		ssize_t n;

		if (got.n != -EAGAIN && !read_it &&
		    (got.m.opcode != WS_OP_CLOSE || got.m.code != 1000))
			return complain("%zd, opcode %x at the end", got.n,
					got.m.opcode);
		read_it |= got.n != -EAGAIN;
		n = v->sent < v->out.n ?
			send(v->w.p.raw, v->out.p + v->sent, v->out.n - v->sent,
			     MSG_DONTWAIT | MSG_NOSIGNAL) : 0;
		v->sent += n > 0 ? n : 0;
		n = recv(v->w.p.raw, v->buf, sizeof(v->buf), MSG_DONTWAIT);
		if (n > 0)
			bytes_raw(&v->in, v->buf, n);
		else
			poll_for(v->w.p.raw, POLLIN, 10);
		if (!check_sent(v, &closed))
			return false;
		if (now_ms() > until)
			return complain("no Close came");
	}
	return true;
}

static bool exchange(struct valid *v, struct dice *d)
{
	uint64_t until = now_ms() + VALID_MS;
	int idle = 0;

	while (v->received < v->end[v->messages - 1] || v->taken < v->to_send ||
	       ws_get_info(v->w.p.ws).rx_messages < v->messages) {
		v->moved = false;
		if (!some_peer(v, d) || !some_read(v, d) ||
		    (chance(d, 2) && !some_send(v, d)))
			return false;
		idle = v->moved ? 0 : idle + 1;
		/* A debug kernel takes its time for single bytes. */
		if (v->moved)
			until = now_ms() + VALID_MS;
		if (idle > 8)
			poll_for(v->w.p.ws, POLLIN, 2);
		if (now_ms() > until)
			return complain("%zu of %zu read, %zu of %zu taken",
					v->received, v->end[v->messages - 1],
					v->taken, v->to_send);
	}
	return true;
}

bool fuzz_valid(struct world *w, struct dice *d)
{
	struct valid *v = calloc(1, sizeof(*v));
	struct ws_config cfg = { 0 };
	int n = 1 + roll(d, MESSAGES - 1);
	bool ok;

	if (!v)
		abort();
	v->w = *w;
	cfg.role = w->p.role;
	ok = !ws_set(w->p.ws, WS_CONFIG, &cfg, sizeof(cfg));
	while (n--)
		make_message(v, d);
	bytes_close(&v->out, &v->w.p, 1000, "done");
	if (chance(d, 3)) {
		v->sent = roll(d, v->out.n);
		if (v->sent > WS_RX_PREFIX_MAX)
			v->sent = WS_RX_PREFIX_MAX;
		ok = ok && (!v->sent || !ws_set(w->p.ws, WS_RX_PREFIX,
						v->out.p, v->sent));
	}
	v->to_send = roll_size(d, 70000);
	doing("a valid stream");
	ok = ok && exchange(v, d) && finish(v);
	doing(NULL);
	bytes_free(&v->out);
	bytes_free(&v->in);
	free(v);
	return ok;
}
