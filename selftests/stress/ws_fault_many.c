// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of one connection, see ws_fault.h: many messages in one call, as
 * records and as an array, and sends that do not copy.
 */
#include "kselftest.h"
#include "ws_fault.h"
#include "ws_ways.h"

#define MANY		3
/* A call may give or take less than all of it. */
#define ROOM		1000

static const size_t sizes[MANY] = { 200, 3000, 0 };
static const int firsts[MANY] = { TEXT, BINARY, BINARY };

static bool peer_sends(struct life *l)
{
	size_t i, at = 0;

	for (i = 0; i < MANY; i++) {
		if (!peer_frame(l, firsts[i], at, sizes[i]))
			return false;
		at += sizes[i];
	}
	return true;
}

/* What message @n of the peer's is said to be, with some of its payload. */
static bool is_piece(struct life *l, const struct ws_msg *m, const void *data,
		     unsigned int *n, size_t *done)
{
	if (*n == MANY || m->opcode != (firsts[*n] & 0x0f) ||
	    *done + m->len > sizes[*n] || !is_pattern(data, l->to_ws, m->len))
		return complain("message %u at %zu: opcode %u, %u bytes", *n,
				*done, m->opcode, m->len);
	l->to_ws += m->len;
	*done += m->len;
	if (!(m->flags & WS_MSG_END))
		return true;
	if (*done != sizes[*n])
		return complain("message %u: %zu bytes", *n, *done);
	++*n;
	*done = 0;
	return true;
}

static bool records_in(struct life *l)
{
	size_t done = 0, at;
	unsigned int n = 0;
	char buf[ROOM];
	struct ws_msg m;
	ssize_t got;

	while (n < MANY) {
		got = recv(l->p.ws, buf, sizeof(buf), 0);
		if (!got || (got < 0 && !fault_allows(l, errno)))
			return complain("records: %zd", got);
		for (at = 0; got > 0 && at < (size_t)got;
		     at += WS_RECORD_SIZE(m.len)) {
			memcpy(&m, buf + at, sizeof(m));
			if (!is_piece(l, &m, buf + at + sizeof(m), &n, &done))
				return false;
		}
	}
	return true;
}

static bool array_in(struct life *l)
{
	char control[CMSG_SPACE(8 * sizeof(struct ws_msg))], buf[ROOM];
	struct iovec iov = { .iov_base = buf, .iov_len = sizeof(buf) };
	size_t done = 0, at, i, count;
	struct ws_msg m[8];
	unsigned int n = 0;
	ssize_t got;

	while (n < MANY) {
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		struct cmsghdr *c;

		got = recvmsg(l->p.ws, &msg, 0);
		if (got < 0 && fault_allows(l, errno))
			continue;
		c = got < 0 ? NULL : CMSG_FIRSTHDR(&msg);
		if (!c || c->cmsg_type != WS_MSG)
			return complain("array: %zd", got);
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(*m);
		memcpy(m, CMSG_DATA(c), count * sizeof(*m));
		for (i = 0, at = 0; i < count; at += m[i++].len)
			if (!is_piece(l, &m[i], buf + at, &n, &done))
				return false;
		if (at != (size_t)got)
			return complain("array: %zu bytes, not %zd", at, got);
	}
	return true;
}

/* The peer may read them before the call says that they are taken. */
static void announce(struct life *l, struct ws_msg *m)
{
	size_t i;

	for (i = 0; i < MANY; i++) {
		l->opcode[l->messages + i] = firsts[i] & 0x0f;
		l->len[l->messages + i] = sizes[i];
		m[i] = (struct ws_msg){
			.opcode = firsts[i] & 0x0f,
			.len = sizes[i],
			.flags = WS_MSG_END,
		};
	}
}

static void taken(struct life *l)
{
	size_t i;

	for (i = 0; i < MANY; i++)
		l->from_ws += sizes[i];
	l->messages += MANY;
}

static bool records_out(struct life *l)
{
	uint64_t from = l->from_ws;
	struct ws_msg m[MANY];
	size_t i, at = 0;
	char buf[4096];
	ssize_t n;

	announce(l, m);
	for (i = 0; i < MANY; i++) {
		memcpy(buf + at, &m[i], sizeof(m[i]));
		memcpy(buf + at + sizeof(m[i]), pattern(from, sizes[i]),
		       sizes[i]);
		at += WS_RECORD_SIZE(sizes[i]);
		from += sizes[i];
	}
	for (i = 0; i < at;) {
		n = send(l->p.ws, buf + i, at - i, MSG_NOSIGNAL);
		if (n < 0 && !fault_allows(l, errno))
			return complain("send of records at %zu of %zu", i, at);
		i += n > 0 ? n : 0;
	}
	taken(l);
	return true;
}

static bool array_out(struct life *l)
{
	uint64_t from = l->from_ws;
	struct ws_msg m[MANY];
	size_t i = 0, j, left;
	ssize_t n;

	announce(l, m);
	do {
		for (left = 0, j = i; j < MANY; j++)
			left += m[j].len;
		n = send_array(l->p.ws, m + i, MANY - i, pattern(from, ROOM * 4),
			       left, 0);
		if (n < 0 && !fault_allows(l, -n))
			return complain("send of an array, from %zu", i);
		if (n < 0)
			continue;
		from += n;
		/* An empty one behind the last byte is out as well. */
		for (left = n; i < MANY && m[i].len <= left; i++)
			left -= m[i].len;
		if (i < MANY)
			m[i].len -= left;
	} while (i < MANY);
	taken(l);
	return true;
}

static bool not_copied(struct life *l)
{
	size_t len = 20000;
	int one = 1;
	ssize_t n;

	if (setsockopt(l->p.ws, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		return complain("SO_ZEROCOPY: %s", strerror(errno));
	l->opcode[l->messages] = WS_OP_BINARY;
	l->len[l->messages] = len;
	while (len) {
		n = ws_send(l->p.ws, WS_OP_BINARY, pattern(l->from_ws, len),
			    len, MSG_ZEROCOPY);
		if (n < 0 && !fault_allows(l, -n))
			return complain("MSG_ZEROCOPY, %zu left", len);
		if (n > 0) {
			l->from_ws += n;
			len -= n;
		}
	}
	l->messages++;
	return peer_reads_until(l, &l->seen_messages, l->messages);
}

bool life_many(struct life *l)
{
	return life_config(l, WS_F_RECORDS) && peer_sends(l) &&
	       records_in(l) && records_out(l) &&
	       life_config(l, WS_F_BATCH) && peer_sends(l) && array_in(l) &&
	       array_out(l) && life_config(l, 0) &&
	       peer_reads_until(l, &l->seen_messages, l->messages) &&
	       not_copied(l);
}
