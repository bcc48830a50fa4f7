// SPDX-License-Identifier: GPL-2.0-only
/* The life of one connection, see ws_fault.h: the socket's side of it. */
#include <sys/time.h>

#include "ws_fault.h"

/* One message from where the pattern is, to the end or left open. */
static bool send_message(struct life *l, int opcode, size_t len, bool end)
{
	uint64_t limit = now_ms() + WS_TEST_MS;
	size_t left = len;
	ssize_t n;

	do {
		n = ws_send(l->p.ws, opcode, pattern(l->from_ws, left), left,
			    MSG_DONTWAIT | (end ? 0 : MSG_MORE));
		if (n == -EAGAIN) {
			if (now_ms() > limit)
				return complain("no room for %zu bytes", left);
			usleep(1000);
			if (!peer_read(l))
				return false;
		} else if (n < 0) {
			if (!fault_allows(l, -n))
				return complain("send of %zu", left);
		} else {
			l->from_ws += n;
			l->len[l->messages] += n;
			l->opcode[l->messages] = opcode;
			left -= n;
		}
	} while (n < 0 || left);
	l->messages += end;
	return true;
}

static bool send_ping(struct life *l)
{
	ssize_t n;

	while ((n = ws_send(l->p.ws, WS_OP_PING, "ours", 4, 0)) < 0)
		if (!fault_allows(l, -n))
			return complain("PING");
	return peer_reads_until(l, &l->our_pings, l->our_pings + 1);
}

/* A message of the peer's, in pieces of @room at most. */
static bool receive(struct life *l, int opcode, size_t len, size_t room)
{
	size_t done = 0;
	struct got got;
	char *buf;
	bool ok;

	buf = malloc(room);
	if (!buf)
		abort();
	do {
		got = ws_recv(l->p.ws, buf, room, 0);
		ok = got.n >= 0 || fault_allows(l, -got.n);
		if (!ok)
			complain("recv at %zu of %zu", done, len);
		if (got.n < 0)
			continue;
		ok = is_pattern(buf, l->to_ws, got.n) && got.cmsgs == 1 &&
		     got.m.opcode == opcode && done + got.n <= len;
		if (!ok)
			complain("%zd bytes at %zu of %zu, opcode %x", got.n,
				 done, len, got.m.opcode);
		done += got.n;
		l->to_ws += got.n;
	} while (ok && (got.n < 0 || !(got.flags & MSG_EOR)));
	free(buf);
	return ok && (done == len || complain("%zu of %zu", done, len));
}

static bool peer_ping(struct life *l)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "ping %u", l->pings);

	l->pings++;
	return raw_frame(&l->p, PING, text, n);
}

static bool set_up(struct life *l)
{
	struct bytes b = { 0 };
	bool ok;

	l->dropped = ws_stat("WsPongDropped");
	if (!life_attach(l) || !life_config(l, 0))
		return false;
	/* The first message was read together with the handshake. */
	bytes_frame(&b, &l->p, TEXT, pattern(0, 300), 300);
	ok = life_set(l, WS_RX_PREFIX, b.p, 100) && raw_send(&l->p, b.p + 100,
							     b.n - 100);
	bytes_free(&b);
	return ok && receive(l, WS_OP_TEXT, 300, 1000);
}

static bool receive_all(struct life *l)
{
	int i;

	/* Whole; in a small buffer; empty. */
	if (!peer_frame(l, BINARY, 0, 3000) ||
	    !receive(l, WS_OP_BINARY, 3000, 4000) ||
	    !peer_frame(l, TEXT, 0, 2000) ||
	    !receive(l, WS_OP_TEXT, 2000, 700) ||
	    !peer_frame(l, BINARY, 0, 0) || !receive(l, WS_OP_BINARY, 0, 100))
		return false;
	/* In fragments, with PINGs among them, and a burst of those. */
	if (!peer_frame(l, F_TEXT, 0, 1000) || !peer_ping(l) ||
	    !peer_frame(l, F_CONT, 1000, 5000) || !peer_ping(l) ||
	    !peer_frame(l, CONT, 6000, 10) ||
	    !receive(l, WS_OP_TEXT, 6010, 8000))
		return false;
	for (i = 0; i < 8; i++)
		if (!peer_ping(l))
			return false;
	/* More than lies in one page, cut into segments. */
	for (i = 0; i < 3; i++)
		if (!peer_frame(l, i ? (i == 2 ? CONT : F_CONT) : F_BINARY,
				i * 12000, 12000))
			return false;
	return receive(l, WS_OP_BINARY, 36000, 50000);
}

static bool send_all(struct life *l)
{
	return send_message(l, WS_OP_TEXT, 5, true) &&
	       send_message(l, WS_OP_BINARY, 0, true) &&
	       send_message(l, WS_OP_BINARY, 3000, true) &&
	       send_ping(l) &&
	       send_message(l, WS_OP_TEXT, 10, false) &&
	       send_message(l, WS_OP_TEXT, 6000, false) &&
	       send_message(l, WS_OP_TEXT, 0, true) &&
	       send_message(l, WS_OP_BINARY, 200000, true) &&
	       peer_reads_until(l, &l->seen_messages, l->messages);
}

static bool receive_close(struct life *l)
{
	struct got got;
	char buf[200];

	while ((got = ws_recv(l->p.ws, buf, sizeof(buf), 0)).n < 0)
		if (!fault_allows(l, -got.n))
			return complain("recv of the Close");
	return (got.m.opcode == WS_OP_CLOSE && got.m.code == 1000) ||
	       complain("opcode %x code %u, not the Close", got.m.opcode,
			got.m.code);
}

static bool end_received(struct life *l)
{
	struct got got;
	char buf[16];

	while ((got = ws_recv(l->p.ws, buf, sizeof(buf), 0)).n < 0)
		if (!fault_allows(l, -got.n))
			return complain("recv of the end");
	return (!got.n && !got.cmsgs) || complain("more after the Close");
}

bool life_close(struct life *l)
{
	ssize_t n;

	switch (l->ending) {
	case END_SHUTDOWN:
		if (shutdown(l->p.ws, SHUT_WR))
			return complain("shutdown: %s", strerror(errno));
		break;
	case END_CLOSE_FRAME:
		while ((n = ws_send_close(l->p.ws, 1000, "")) < 0)
			if (!fault_allows(l, -n))
				return complain("Close");
		break;
	case END_CLOSE:
		close(l->p.ws);
		l->p.ws = -1;
		return peer_reads_close(l, 1001) && raw_close(&l->p, 1000, "");
	case END_PEER:
		return raw_close(&l->p, 1000, "") && receive_close(l) &&
		       peer_reads_close(l, 1000) && end_received(l);
	}
	return peer_reads_close(l, 1000) && raw_close(&l->p, 1000, "") && receive_close(l) &&
	       end_received(l);
}

bool life_run(struct life *l)
{
	struct ws_info i;

	if (!set_up(l) || !receive_all(l) || !send_all(l) || !life_many(l))
		return false;
	if (l->ping && !peer_reads_until(l, &l->kernel_pings, 1))
		return complain("no PING from the kernel");
	if (!life_info(l, &i))
		return false;
	if (i.rx_messages != 12 || i.rx_bytes != l->to_ws ||
	    i.tx_messages != l->messages || i.tx_bytes != l->from_ws)
		return complain("%llu messages, %llu bytes; %llu, %llu",
				i.rx_messages, i.rx_bytes, i.tx_messages,
				i.tx_bytes);
	return true;
}

bool life_end(struct life *l)
{
	long long dropped, lost;
	bool ok;

	if (l->p.ws >= 0)
		close(l->p.ws);
	l->p.ws = -1;
	/* A client waits for the server, which is the peer, to end TCP. */
	shutdown(l->p.raw, SHUT_WR);
	ok = peer_reads_until(l, NULL, 0);
	dropped = ws_stat("WsPongDropped") - l->dropped;
	lost = l->pongs_lost + l->pings - l->pongs;
	if (lost != dropped)
		ok = complain("%u PINGs, %lld PONGs missing, %lld dropped",
			      l->pings, lost, dropped);
	if (l->got.n)
		ok = complain("%zu bytes of a frame that never ended",
			      l->got.n);
	bytes_free(&l->got);
	pair_close(&l->p);
	return stat_becomes("WsCurrSockets", 0) &&
	       stat_becomes("WsCurrLingering", 0) && ok;
}
