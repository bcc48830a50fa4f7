// SPDX-License-Identifier: GPL-2.0-only
/* The life of one connection, see ws_fault.h: what the peer reads of it. */
#include "ws_fault.h"

static bool data_frame(struct life *l, int first, const void *data, size_t len)
{
	unsigned int m = l->seen_messages;
	int opcode = first & 0x0f;

	if (!is_pattern(data, l->seen, len))
		return complain("message %u: other bytes at %llu", m,
				0ULL + l->seen_len);
	/* A message is named by its first frame. */
	if (opcode != (l->seen_open ? WS_OP_CONT : l->opcode[m]))
		return complain("message %u: opcode %x", m, opcode);
	l->seen_open = !(first & FIN);
	l->seen += len;
	l->seen_len += len;
	if (!(first & FIN))
		return true;
	/* What the socket is still taking has no length yet. */
	if (m >= l->messages && l->seen_len < l->len[m])
		return complain("message %u ends early", m);
	if (m < l->messages && l->seen_len != l->len[m])
		return complain("message %u: %llu bytes, not %llu", m,
				0ULL + l->seen_len, 0ULL + l->len[m]);
	l->seen_messages++;
	l->seen_len = 0;
	return true;
}

static bool pong_frame(struct life *l, const char *data, size_t len)
{
	char text[16];

	/* In order; those that memory did not last for are left out. */
	while (l->pongs < l->pings) {
		snprintf(text, sizeof(text), "ping %u", l->pongs);
		if (len == strlen(text) && !memcmp(text, data, len))
			break;
		l->pongs_lost++;
		l->pongs++;
	}
	return l->pongs++ < l->pings || complain("a PONG that nobody asked for");
}

static bool one_frame(struct life *l, int first, unsigned char *data, size_t len)
{
	if (l->close)
		return complain("frame %02x after the Close", first);
	switch (first) {
	case CLOSE:
		l->close = len < 2 ? 1005 : data[0] * 256 + data[1];
		return true;
	case PONG:
		return pong_frame(l, (char *)data, len);
	case PING:
		if (len == 4 && !memcmp(data, "ours", 4))
			l->our_pings++;
		else
			l->kernel_pings++;
		return true;
	case F_CONT: case F_TEXT: case F_BINARY: case CONT: case TEXT:
	case BINARY:
		return data_frame(l, first, data, len);
	default:
		return complain("frame %02x", first);
	}
}

/* Bytes of the first frame in @l->got, 0 when it is not whole; checks it. */
static size_t next_frame(struct life *l, size_t at, bool *ok)
{
	bool masked = l->p.role == WS_ROLE_CLIENT;
	unsigned char *p = l->got.p + at;
	size_t have = l->got.n - at, n = 2, len, i;

	if (have < 2)
		return 0;
	len = p[1] & 127;
	if (len >= 126) {
		n += len == 126 ? 2 : 8;
		if (have < n)
			return 0;
		for (len = 0, i = 2; i < n; i++)
			len = len * 256 + p[i];
	}
	n += masked * 4;
	if (have < n + len)
		return 0;
	if (!!(p[1] & 128) != masked) {
		*ok = complain("frame %02x: the MASK bit is wrong", p[0]);
		return 0;
	}
	for (i = 0; masked && i < len; i++)
		p[n + i] ^= p[n - 4 + i % 4];
	*ok = one_frame(l, p[0], p + n, len);
	return n + len;
}

bool peer_read(struct life *l)
{
	static char chunk[65536];
	size_t at = 0, size;
	bool ok = true;
	ssize_t n;

	while ((n = recv(l->p.raw, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		bytes_raw(&l->got, chunk, n);
	if (!n)
		l->over = true;
	else if (errno != EAGAIN)
		return complain("peer's recv: %s", strerror(errno));
	while (ok && (size = next_frame(l, at, &ok)))
		at += size;
	l->got.n -= at;
	if (l->got.n)
		memmove(l->got.p, l->got.p + at, l->got.n);
	return ok;
}

bool peer_reads_until(struct life *l, const unsigned int *what, unsigned int n)
{
	uint64_t end = now_ms() + 2 * WS_TEST_MS;

	for (;;) {
		if (!peer_read(l))
			return false;
		if (what ? *what >= n : l->over)
			return true;
		if (l->over)
			return complain("the peer sees FIN too early");
		if (now_ms() > end)
			return complain("the peer waits in vain; Close %d, %u of %u messages",
					l->close, l->seen_messages,
					l->messages);
		poll_for(l->p.raw, POLLIN, 20);
	}
}

bool peer_reads_close(struct life *l, int code)
{
	return peer_reads_until(l, &l->close, 1) &&
	       (l->close == (unsigned int)code ||
		complain("Close %u, not %d", l->close, code));
}

bool peer_frame(struct life *l, int first, size_t ahead, size_t len)
{
	return raw_frame(&l->p, first, pattern(l->to_ws + ahead, len), len);
}
