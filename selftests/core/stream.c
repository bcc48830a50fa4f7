// SPDX-License-Identifier: GPL-2.0-only
/*
 * The receiver of stream.h. Its log is a line of words:
 *
 *	text(Hello) binary[300] ping(a) pong() close:1000(bye) !Rsv@12 ...
 *	text+rsv1(Hello)
 *
 * Long payloads show as their length, with a checksum unless all bytes are
 * 'x'. A fault shows as its rule and where the frame began.
 */
#include <stdarg.h>

#include "core_test.h"
#include "stream.h"

__printf(2, 3)
static void put(struct stream *s, const char *fmt, ...)
{
	char word[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(word, sizeof(word), fmt, ap);
	va_end(ap);
	if (n < 0 || n >= (int)sizeof(word))
		abort();
	if (s->log_len + n + 1 > s->log_room) {
		s->log_room = (s->log_room + n + 1) * 2;
		s->log = realloc(s->log, s->log_room);
		if (!s->log)
			abort();
	}
	memcpy(s->log + s->log_len, word, n + 1);
	s->log_len += n;
}

static void put_payload(struct stream *s, const u8 *p, size_t n)
{
	bool filler = true;
	u32 sum = 0;
	size_t i, k;

	if (n <= 64) {
		char text[64 * 3 + 1];

		for (i = 0, k = 0; i < n; i++) {
			if (p[i] >= 0x20 && p[i] <= 0x7e) {
				text[k++] = p[i];
				continue;
			}
			text[k++] = '\\';
			text[k++] = "0123456789abcdef"[p[i] >> 4];
			text[k++] = "0123456789abcdef"[p[i] & 15];
		}
		text[k] = '\0';
		put(s, "(%s)", text);
		return;
	}
	for (i = 0; i < n; i++) {
		filler &= p[i] == 'x';
		sum = sum * 31 + p[i];
	}
	if (filler)
		put(s, "[%zu]", n);
	else
		put(s, "[%zu:%08x]", n, sum);
}

static void word(struct stream *s, const char *name)
{
	put(s, "%s%s", s->log_len ? " " : "", name);
}

void stream_log(struct stream *s, const char *name, const u8 *p, size_t n)
{
	s->log_last = s->log_len;
	word(s, name);
	put_payload(s, p, n);
	s->log_good = s->log_len;
}

static void event(struct stream *s, u8 opcode, const char *name, const u8 *p,
		  size_t n)
{
	stream_log(s, name, p, n);
	if (s->event)
		s->event(s->arg, opcode, p, n);
}

static void fault(struct stream *s, enum ws_rule rule)
{
	s->rule = rule;
	s->log_good = s->log_len;
	word(s, "!");
	put(s, "%s@%llu", ws_rule_name(rule), s->frame_at + 0ULL);
	s->over = true;
}

static void keep(struct stream *s, const u8 *p, size_t n)
{
	if (s->data_len + n > s->data_room) {
		s->data_room = (s->data_len + n) * 2;
		s->data = realloc(s->data, s->data_room);
		if (!s->data)
			abort();
	}
	ws_mask_copy(s->data + s->data_len, p, n, s->key);
	s->data_len += n;
}

static void control_end(struct stream *s)
{
	size_t n = s->hdr.len;
	enum ws_rule rule;
	char name[16];
	u16 code;

	switch (s->hdr.opcode) {
	case WS_OP_PING:
		event(s, WS_OP_PING, "ping", s->control, n);
		break;
	case WS_OP_PONG:
		event(s, WS_OP_PONG, "pong", s->control, n);
		break;
	case WS_OP_CLOSE:
		rule = ws_close_parse(s->control, n, &code);
		if (rule) {
			fault(s, rule);
			break;
		}
		snprintf(name, sizeof(name), "close:%u", code);
		event(s, WS_OP_CLOSE, name, s->control + 2, n ? n - 2 : 0);
		s->over = true;
		break;
	}
}

/* What is compressed is not text yet, RFC 7692 section 7.2.2. */
static bool is_text(const struct stream *s)
{
	return s->opcode == WS_OP_TEXT && !s->message_rsv;
}

static void message_end(struct stream *s)
{
	char name[16];

	if (is_text(s) && s->utf8 != WS_UTF8_OK) {
		fault(s, WS_RULE_UTF8);
		return;
	}
	snprintf(name, sizeof(name), "%s%s",
		 s->opcode == WS_OP_TEXT ? "text" : "binary",
		 s->message_rsv ? "+rsv1" : "");
	event(s, s->opcode, name, s->data, s->data_len);
	s->data_len = 0;
}

static void frame_end(struct stream *s)
{
	s->in_payload = false;
	s->head_len = 0;
	if (ws_op_is_control(s->hdr.opcode))
		control_end(s);
	else if (s->hdr.fin)
		message_end(s);
	if (!s->over)
		s->frame_at = s->taken;
}

static void header(struct stream *s)
{
	enum ws_rule rule;

	rule = ws_seq_check(&s->seq, &s->hdr, s->role, s->rsv, s->max_message);
	if (rule) {
		fault(s, rule);
		return;
	}
	ws_seq_frame(&s->seq, &s->hdr);
	if (!ws_op_is_control(s->hdr.opcode) && s->hdr.opcode != WS_OP_CONT) {
		s->opcode = s->hdr.opcode;
		s->message_rsv = s->hdr.rsv;
		s->utf8 = WS_UTF8_OK;
	}
	s->key = s->hdr.key;
	s->left = s->hdr.len;
	s->in_payload = true;
	if (!s->left)
		frame_end(s);
}

/* Returns how many of the bytes belong to the header. */
static size_t feed_header(struct stream *s, const u8 *p, size_t n)
{
	size_t take = WS_HDR_MAX - s->head_len;
	size_t used;
	int ret;

	if (take > n)
		take = n;
	memcpy(s->head + s->head_len, p, take);
	ret = ws_hdr_parse(s->head, s->head_len + take, &s->hdr);
	if (ret < 0) {
		fault(s, -ret);
		return take;
	}
	if (!ret) {
		s->head_len += take;
		s->taken += take;
		return take;
	}
	used = ret - s->head_len;
	s->taken += used;
	header(s);
	return used;
}

static size_t feed_payload(struct stream *s, const u8 *p, size_t n)
{
	if (n > s->left)
		n = s->left;
	if (ws_op_is_control(s->hdr.opcode)) {
		ws_mask_copy(s->control + (s->hdr.len - s->left), p, n, s->key);
	} else {
		if (is_text(s)) {
			s->utf8 = ws_utf8(s->utf8, p, n, s->key);
			if (s->utf8 == WS_UTF8_BAD) {
				fault(s, WS_RULE_UTF8);
				return n;
			}
		}
		keep(s, p, n);
	}
	s->key = ws_key_rotate(s->key, n);
	s->left -= n;
	s->taken += n;
	if (!s->left)
		frame_end(s);
	return n;
}

void stream_init(struct stream *s, u32 role, u8 rsv, u64 max_message)
{
	memset(s, 0, sizeof(*s));
	s->role = role;
	s->rsv = rsv;
	s->max_message = max_message;
	put(s, "%s", "");
}

void stream_feed(struct stream *s, const u8 *p, size_t n)
{
	while (n && !s->over) {
		size_t used;

		used = s->in_payload ? feed_payload(s, p, n)
				     : feed_header(s, p, n);
		p += used;
		n -= used;
	}
}

const char *stream_end(struct stream *s)
{
	if (!s->over && !s->ended &&
	    (s->head_len || s->in_payload || s->seq.opcode))
		word(s, "...");
	s->ended = true;
	return s->log;
}

void stream_free(struct stream *s)
{
	free(s->data);
	free(s->log);
}
