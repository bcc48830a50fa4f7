// SPDX-License-Identifier: MIT
/*
 * Receiving with framing in user space: large reads, unmasking in place, and
 * fragments moved together, so that each message is contiguous.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "conn.h"

/* The result of parsing. */
enum parsed {
	MORE,		/* more bytes are needed */
	MESSAGE,	/* at c->message */
	CLOSED,		/* a Close is at rx.from - hdr.len */
	FAULT,		/* c->rule_pending */
};

static enum parsed note_fault(struct kws_conn *c, enum ws_rule rule)
{
	c->rule_pending = rule;
	return FAULT;
}

/* Section 5.5: control frames are answered at once, also between fragments. */
static enum parsed answer_control(struct kws_conn *c)
{
	const u8 *body = c->rx.data + c->rx.from - c->hdr.len;

	switch (c->hdr.opcode) {
	case WS_OP_PING:
		c->info.rx_pings++;
		/* A peer that sends PINGs and does not read gets no PONG. */
		if (kws_pending(c) < PENDING_MAX &&
		    !(c->info.state & WS_STATE_CLOSE_SENT) &&
		    !user_control(c, WS_OP_PONG, body, c->hdr.len))
			c->info.tx_pongs++;
		return MORE;
	case WS_OP_PONG:
		c->info.rx_pongs++;
		return MORE;
	}
	return CLOSED;
}

static enum parsed start_frame(struct kws_conn *c)
{
	struct buffer *b = &c->rx;
	enum ws_rule rule;
	u64 max;
	int n;

	c->frame_at = c->stream;
	n = ws_hdr_parse(b->data + b->from, b->to - b->from, &c->hdr);
	if (n < 0)
		return note_fault(c, -n);
	if (!n)
		return MORE;
	/* A compressed message is limited as it is on the wire. */
	if (c->hdr.opcode == WS_OP_CONT ? c->compressed : !!c->hdr.rsv)
		max = c->wire_max;
	else
		max = c->max_message;
	rule = ws_seq_check(&c->rx_seq, &c->hdr, c->role,
			    c->deflate ? WS_RSV1 : 0, max);
	if (rule)
		return note_fault(c, rule);
	b->from += n;
	c->stream += n;
	c->in_frame = true;
	c->left = c->hdr.len;
	c->key = c->hdr.key;
	if (!ws_op_is_control(c->hdr.opcode) && c->hdr.opcode != WS_OP_CONT) {
		c->message = b->from;
		c->message_len = 0;
		c->compressed = c->hdr.rsv;
		c->utf8 = WS_UTF8_OK;
	}
	return MESSAGE;
}

/* Compressed text is checked after it is inflated. */
static bool is_text(const struct kws_conn *c)
{
	return !c->compressed && (c->rx_seq.opcode == WS_OP_TEXT ||
				  c->hdr.opcode == WS_OP_TEXT);
}

/* Unmasks, checks and joins the received payload of a data frame. */
static enum parsed take_payload(struct kws_conn *c)
{
	struct buffer *b = &c->rx;
	size_t n = b->to - b->from;
	u8 *p = b->data + b->from;

	if (n > c->left)
		n = c->left;
	kws_mask(p, n, c->key);
	c->key = ws_key_rotate(c->key, n);
	if (is_text(c)) {
		c->utf8 = ws_utf8(c->utf8, p, n, 0);
		if (c->utf8 == WS_UTF8_BAD)
			return note_fault(c, WS_RULE_UTF8);
	}
	if (c->message + c->message_len != b->from)
		memmove(b->data + c->message + c->message_len, p, n);
	c->message_len += n;
	b->from += n;
	c->stream += n;
	c->left -= n;
	if (c->left)
		return MORE;
	c->in_frame = false;
	if (c->hdr.fin && is_text(c) && c->utf8 != WS_UTF8_OK)
		return note_fault(c, WS_RULE_UTF8);
	return MESSAGE;
}

static enum parsed end_control(struct kws_conn *c)
{
	struct buffer *b = &c->rx;

	if (b->to - b->from < c->left)
		return MORE;
	kws_mask(b->data + b->from, c->left, c->key);
	b->from += c->left;
	c->stream += c->left;
	c->in_frame = false;
	return answer_control(c);
}

/* Parses received bytes until there is something to return. */
static enum parsed parse_frames(struct kws_conn *c)
{
	for (;;) {
		enum parsed r;

		if (!c->in_frame && start_frame(c) != MESSAGE)
			return c->rule_pending ? FAULT : MORE;
		if (ws_op_is_control(c->hdr.opcode)) {
			r = end_control(c);
			if (r == CLOSED || c->in_frame)
				return r;
			continue;
		}
		r = take_payload(c);
		if (r != MESSAGE)
			return r;
		c->info.rx_bytes += c->hdr.len;
		/* The opcode of the message, before FIN clears rx_seq. */
		if (c->hdr.opcode == WS_OP_CONT)
			c->hdr.opcode = c->rx_seq.opcode;
		if (c->hdr.fin) {
			memset(&c->rx_seq, 0, sizeof(c->rx_seq));
			return MESSAGE;
		}
		c->rx_seq.opcode = c->hdr.opcode;
		c->rx_seq.len = c->message_len;
	}
}

/*
 * Moves the bytes still needed to the front and makes room for the rest of the
 * frame, if its length is known. For a length that a peer only announced, not
 * more than GROW_MAX is allocated ahead of the received bytes.
 */
static int make_room(struct kws_conn *c)
{
	struct buffer *b = &c->rx;
	bool open = c->rx_seq.opcode ||
		    (c->in_frame && !ws_op_is_control(c->hdr.opcode));
	size_t held = open ? c->message_len : 0;
	size_t rest = b->to - b->from;
	size_t want = WS_HDR_MAX + WS_CTRL_MAX;

	if (held && c->message)
		memmove(b->data, b->data + c->message, held);
	if (rest && b->from != held)
		memmove(b->data + held, b->data + b->from, rest);
	c->message = 0;
	c->message_len = held;
	b->from = held;
	b->to = held + rest;

	if (c->in_frame && c->left > want)
		want = c->left < GROW_MAX ? c->left : GROW_MAX;
	if (!held && !rest && b->size > GROW_MAX && want <= READ_SIZE) {
		/* A large message must not keep its memory forever. */
		free(b->data);
		memset(b, 0, sizeof(*b));
	}
	if (b->to + want > b->size || !b->size)
		return buffer_reserve(b, want < READ_SIZE ? READ_SIZE : want);
	return 0;
}

/* Returns 1 after reading, 0 at the end of the stream, or -1. */
static int read_more(struct kws_conn *c)
{
	struct buffer *b = &c->rx;
	ssize_t n;

	/* Pending bytes first: the peer may be waiting for them. */
	if (kws_pending(c) && user_flush(c) && errno != EAGAIN &&
	    errno != EPIPE)
		return -1;
	if (c->drained && c->nonblocking) {
		c->drained = false;
		errno = EAGAIN;
		return -1;
	}
	if (make_room(c))
		return -1;
	n = c->tls ? tls_read(c->tls, b->data + b->to, b->size - b->to, 0) :
		recv(c->fd, b->data + b->to, b->size - b->to, 0);
	if (n < 0)
		return -1;
	c->drained = n && (size_t)n < b->size - b->to &&
		!(c->tls && c->tls->holds);
	b->to += n;
	c->info.wakeups += n > 0;
	return n > 0;
}

/* Ends the sending direction, once all pending bytes are out. */
static int end_sending(struct kws_conn *c)
{
	if (c->tls && tls_end(c->tls) && errno == EAGAIN)
		return -1;
	return shutdown(c->fd, SHUT_WR);
}

/*
 * Nothing more is returned. The server ends TCP first, or the side that fails
 * the connection (section 7.1).
 */
static void end_stream(struct kws_conn *c, bool fin)
{
	c->ended = true;
	user_flush(c);
	if (fin && !kws_pending(c))
		end_sending(c);
}

/**
 * user_fail() - send a Close and end the sending direction
 * @c: the connection
 * @code: the status code, 1006 for no Close
 */
void user_fail(struct kws_conn *c, u16 code)
{
	if (code != 1006)
		user_close(c, code, NULL, 0);
	end_stream(c, true);
}

static int report_fault(struct kws_conn *c)
{
	enum ws_rule rule = c->rule_pending;

	return conn_fail(c, rule, ws_rule_code(rule), -ws_rule_errno(rule));
}

static int handle_end(struct kws_conn *c)
{
	if (c->in_frame || c->rx_seq.opcode || c->rx.from != c->rx.to) {
		c->rule_pending = WS_RULE_TRUNCATED;
		return report_fault(c);
	}
	c->info.state |= WS_STATE_EOF;
	end_stream(c, true);
	return 0;
}

static int return_close(struct kws_conn *c, struct kws_message *m)
{
	u8 *body = c->rx.data + c->rx.from - c->hdr.len;
	enum ws_rule rule;
	u16 code;

	rule = ws_close_parse(body, c->hdr.len, &code);
	if (rule) {
		c->rule_pending = rule;
		return report_fault(c);
	}
	c->info.state |= WS_STATE_CLOSE_RECEIVED;
	c->info.close_received = code;
	user_close(c, code, NULL, 0);
	end_stream(c, c->role == WS_ROLE_SERVER);
	m->opcode = WS_OP_CLOSE;
	m->code = code;
	m->len = c->hdr.len > 2 ? c->hdr.len - 2 : 0;
	m->data = body + (c->hdr.len ? 2 : 0);
	return 1;
}

/**
 * user_recv() - kws_recv() with framing in user space
 * @c: the connection
 * @m: the message
 *
 * Return: 1, 0 or -1.
 */
int user_recv(struct kws_conn *c, struct kws_message *m)
{
	if (c->ended)
		return 0;
	for (;;) {
		int r;

		switch (parse_frames(c)) {
		case MESSAGE:
			c->info.rx_messages++;
			m->opcode = c->hdr.opcode;
			m->code = 0;
			m->data = c->rx.data + c->message;
			m->len = c->message_len;
			return 1;
		case CLOSED:
			return return_close(c, m);
		case FAULT:
			return report_fault(c);
		case MORE:
			break;
		}
		r = read_more(c);
		if (r < 0)
			return -1;
		if (!r)
			return handle_end(c);
	}
}

/**
 * user_finish() - kws_finish() with framing in user space
 * @c: the connection
 *
 * Return: 0 or -1.
 */
int user_finish(struct kws_conn *c)
{
	int i;

	if (!(c->info.state & (WS_STATE_CLOSE_SENT | WS_STATE_FAILED)))
		user_close(c, 1001, NULL, 0);
	c->ended = true;
	if (user_flush(c))
		return -1;
	if (c->role == WS_ROLE_SERVER || c->info.state & WS_STATE_FAILED)
		end_sending(c);
	for (i = 0; i < FINISH_READS; i++) {
		ssize_t n = record_drop(c->fd);

		if (!n)
			return 0;
		if (n < 0)
			return -1;
	}
	errno = EAGAIN;
	return -1;
}

/**
 * user_end() - prepare close()
 * @c: the connection
 *
 * Never waits. Unread bytes would make TCP send a reset, which may overtake our
 * Close (section 7.1.1): received data is read and dropped first.
 */
void user_end(struct kws_conn *c)
{
	int i;

	if (!(c->info.state & (WS_STATE_CLOSE_SENT | WS_STATE_FAILED)))
		user_close(c, 1001, NULL, 0);
	user_last_words(c);
	if (end_sending(c))
		shutdown(c->fd, SHUT_WR);
	for (i = 0; i < FINISH_READS; i++)
		if (record_drop(c->fd) <= 0)
			break;
}
