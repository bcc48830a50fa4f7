// SPDX-License-Identifier: GPL-2.0-only
/* The ways to read from a socket, see ws_reader.h. */
#include "ws_reader.h"

__u32 reader_flags(enum reader by)
{
	switch (by) {
	case BY_RECORDS:
		return WS_F_RECORDS;
	case BY_BATCH:
	case BY_BATCH_BARE:
		return WS_F_BATCH;
	default:
		return 0;
	}
}

bool reader_set(struct pair *p, enum reader by, struct ws_config cfg)
{
	int err;

	cfg.role = p->role;
	cfg.flags |= reader_flags(by);
	err = ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg));
	return !err || complain("WS_CONFIG: %s", strerror(-err));
}

bool reader_begin(struct pair *p, enum reader by)
{
	return reader_idle(p, by);
}

size_t reader_room(enum reader by, size_t len)
{
	return by == BY_RECORDS ? WS_RECORD_SIZE(len) : len;
}

static void split_records(struct given *g, const unsigned char *p, size_t n)
{
	size_t at = 0;

	while (at + sizeof(g->m[0]) <= n && g->count < GIVEN_MAX) {
		struct ws_msg *m = &g->m[g->count];

		memcpy(m, p + at, sizeof(*m));
		g->at[g->count++] = p + at + sizeof(*m);
		at += WS_RECORD_SIZE(m->len);
	}
	if (at != n)
		complain("records of %zu bytes in %zu", at, n);
}

/* Also says so when there is a control message that was not asked for. */
static void split_batch(struct given *g, struct msghdr *msg,
			const unsigned char *p, bool asked)
{
	struct cmsghdr *c;
	int i, n = 0;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_WS || c->cmsg_type != WS_MSG || !asked)
			complain("a control message %x", c->cmsg_type);
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(g->m[0]);
		if (n > GIVEN_MAX)
			n = GIVEN_MAX;
		memcpy(g->m, CMSG_DATA(c), n * sizeof(g->m[0]));
	}
	g->count = n;
	for (i = 0; i < n; i++) {
		g->at[i] = p;
		p += g->m[i].len;
	}
}

struct given reader_call(struct pair *p, enum reader by, size_t room, int flags)
{
	static unsigned char buf[GIVEN_ROOM];
	union {
		char buf[CMSG_SPACE(GIVEN_MAX * sizeof(struct ws_msg))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = room };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct given g = { 0 };

	if (room > sizeof(buf))
		abort();
	memset(buf, 0xa5, room);
	if (by == BY_MSG || by == BY_BATCH) {
		msg.msg_control = &control;
		msg.msg_controllen = by == BY_MSG ?
			CMSG_SPACE(sizeof(struct ws_msg)) : sizeof(control);
	}
	g.n = recvmsg(p->ws, &msg, flags);
	if (g.n < 0) {
		g.n = -errno;
		return g;
	}
	g.flags = msg.msg_flags & ~MSG_CMSG_CLOEXEC;
	if (by == BY_RECORDS) {
		split_records(&g, buf, g.n);
		return g;
	}
	split_batch(&g, &msg, buf, by == BY_MSG || by == BY_BATCH);
	if (!sees_opcodes(by) && (g.n || g.flags)) {
		g.count = 1;
		g.m[0] = (struct ws_msg){ .len = g.n };
		g.at[0] = buf;
	}
	return g;
}

/* Is the @i-th one of @g the whole message @w? */
static bool is_message(const struct given *g, int i, const struct want *w,
		       enum reader by, bool more)
{
	int flags = WS_MSG_END;
	const struct ws_msg *m = &g->m[i];

	if (reads_many(by) && more)
		flags |= WS_MSG_MORE;
	if (sees_opcodes(by) &&
	    (m->opcode != w->opcode || m->flags != flags || m->code))
		return complain("opcode %x flags %x code %u, not %x %x",
				m->opcode, m->flags, m->code, w->opcode, flags);
	if (m->len != w->len)
		return complain("%u bytes, not %zu", m->len, w->len);
	return !m->len || !memcmp(g->at[i], w->data, m->len) ||
	       complain("other bytes, \"%.20s\"", (char *)g->at[i]);
}

/* This call gave whole messages from @w on. */
static bool are_messages(const struct given *g, const struct want *w, int n,
			 enum reader by, bool more)
{
	int want = reads_many(by) ? n : 1, i;
	size_t bytes = 0;

	if (g->n < 0)
		return complain("expected %d messages: %s", n, strerror(-g->n));
	if (g->count != want)
		return complain("%d messages in a call, not %d (%zd bytes)",
				g->count, want, g->n);
	if (g->flags != MSG_EOR)
		return complain("msg_flags %x", g->flags);
	for (i = 0; i < want; i++) {
		bytes += reader_room(by, w[i].len);
		if (!is_message(g, i, w + i, by, i + 1 < n || more))
			return complain("^^^ message %d of %d", i, n);
	}
	return g->n == (ssize_t)bytes ||
	       complain("the call says %zd, not %zu", g->n, bytes);
}

bool reader_gets(struct pair *p, enum reader by, const struct want *w, int n,
		 bool more, int flags)
{
	while (n > 0) {
		struct given g = reader_call(p, by, GIVEN_ROOM, flags);

		if (!are_messages(&g, w, n, by, more))
			return false;
		if (flags & MSG_PEEK)
			return true;
		w += g.count;
		n -= g.count;
	}
	return true;
}

bool reader_gets_one(struct pair *p, enum reader by, int opcode,
		     const void *data, size_t len)
{
	struct want w = { opcode, data, len };

	return reader_gets(p, by, &w, 1, false, 0);
}

bool reader_fails(struct pair *p, enum reader by, int err)
{
	struct given g = reader_call(p, by, GIVEN_ROOM, 0);

	return g.n == -err ||
	       complain("%zd (%s), not \"%s\"", g.n,
			g.n < 0 ? strerror(-g.n) : "", strerror(err));
}

bool reader_idle(struct pair *p, enum reader by)
{
	struct given g = reader_call(p, by, GIVEN_ROOM, MSG_DONTWAIT);

	return g.n == -EAGAIN ||
	       complain("%zd (%s), not EAGAIN", g.n,
			g.n < 0 ? strerror(-g.n) : "");
}

bool reader_ends(struct pair *p, enum reader by, int err, int code)
{
	int i;

	if (!reader_fails(p, by, err))
		return false;
	for (i = 0; i < 2; i++) {
		struct given g = reader_call(p, by, GIVEN_ROOM, 0);

		if (g.n || g.flags || g.count)
			return complain("%zd, flags %x, %d messages, not the end",
					g.n, g.flags, g.count);
	}
	if (!code)
		return expect_fin(p);
	return expect_close(p, code, "") && expect_fin(p);
}

struct ws_msg msg_at(const unsigned char *p)
{
	struct ws_msg m;

	memcpy(&m, p, sizeof(m));
	return m;
}

const unsigned char *record_is(const unsigned char *p, int opcode, int flags,
			       const void *data, size_t len)
{
	static const unsigned char zeros[8];
	struct ws_msg m;

	if (!p)
		return NULL;
	memcpy(&m, p, sizeof(m));
	p += sizeof(m);
	if (m.opcode != opcode || m.flags != flags || m.len != len ||
	    (opcode != WS_OP_CLOSE && m.code)) {
		complain("record: opcode %d flags %d len %u code %u, not %d %d %zu",
			 m.opcode, m.flags, m.len, m.code, opcode, flags, len);
		return NULL;
	}
	if (memcmp(p, data, len) || memcmp(p + len, zeros, -len & 7)) {
		complain("record of %zu bytes: wrong payload or padding", len);
		return NULL;
	}
	return p + WS_RECORD_SIZE(len) - sizeof(m);
}

bool send_unscanned(struct pair *p, struct bytes *b)
{
	struct ws_config cfg = ws_get_config(p->ws);
	struct bytes all = { 0 };
	char byte[64];

	cfg.max_message = 1000;
	if (ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)) ||
	    recv(p->ws, byte, sizeof(byte), MSG_DONTWAIT) >= 0)
		return complain("not begun: %s", strerror(errno));
	bytes_frame(&all, p, BINARY, "first", 5);
	bytes_raw(&all, b->p, b->n);
	bytes_free(b);
	return raw_send_bytes(p, &all) && settle(p);
}
