// SPDX-License-Identifier: GPL-2.0-only
/*
 * wslay 1.1.1, as Debian 12 has it, reads the same stream: the same messages,
 * the same end. wslay gets the stream whole, the core in pieces. Where the two
 * are known to differ stands in the table below; any other difference is a
 * finding.
 *
 * Three differences are kept out of the way instead:
 *  - wslay judges a header only when the first byte of its payload is there,
 *    so a stream that the core refuses is one byte longer for wslay;
 *  - wslay takes the first two bytes of each piece of a Close for its code
 *    and does not look at them as text, so wslay reads it all at once, which
 *    is 4096 bytes at most;
 *  - wslay's limit is on control frames, too, and it believes a length and
 *    allocates it, so limits are from 125 to 65536 here.
 */
#include <wslay/wslay.h>

#include "fuzz.h"

#define WSLAY_BUFFER	4096

struct difference {
	const char *what;
	bool (*applies)(const struct stream *s);
	const char *last;	/* in place of the core's last event */
	unsigned int code;	/* of the Close that wslay sends */
};

static bool in_the_header(const struct stream *s)
{
	return s->rule == WS_RULE_CONTROL_LENGTH ||
	       s->rule == WS_RULE_CONTROL_FRAGMENT ||
	       s->rule == WS_RULE_LENGTH;
}

static bool close_of_one_byte(const struct stream *s)
{
	return s->rule == WS_RULE_CLOSE_LENGTH;
}

static unsigned int close_code(const struct stream *s)
{
	if (s->hdr.opcode != WS_OP_CLOSE || s->hdr.len < 2)
		return 0;
	return s->control[0] << 8 | s->control[1];
}

static bool close_of_later_years(const struct stream *s)
{
	unsigned int code = close_code(s);

	return s->over && !s->rule && code >= 1012 && code <= 1014;
}

static bool bad_code_and_reason(const struct stream *s)
{
	return s->rule == WS_RULE_CLOSE_CODE &&
	       ws_utf8(WS_UTF8_OK, s->control + 2, s->hdr.len - 2, 0);
}

static bool bad_reason_begins(const struct stream *s)
{
	size_t n = s->hdr.len - s->left;

	if (s->over || !s->in_payload || s->hdr.opcode != WS_OP_CLOSE || n < 2)
		return false;
	return ws_utf8(WS_UTF8_OK, s->control + 2, n - 2, 0) == WS_UTF8_BAD;
}

static const struct difference differences[] = {
	{ "gives no code when the header alone is wrong",
	  in_the_header, NULL, 1005 },
	{ "takes a Close of one byte for one without a code",
	  close_of_one_byte, "close:1005()", 1005 },
	{ "does not know the codes 1012 to 1014, registered after it",
	  close_of_later_years, "", 1002 },
	{ "looks at a Close's reason before its code",
	  bad_code_and_reason, NULL, 1007 },
	{ "does not wait for the rest of a reason that is not UTF-8",
	  bad_reason_begins, NULL, 1007 },
};

/* What wslay reads, writes, and has to say. */
struct peer {
	u8 in[WSLAY_BUFFER + 1];
	size_t at, n;
	struct stream log;	/* used as a log only */
	struct stream out;	/* reads what wslay sends */
};

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *buf, size_t len,
		       int flags, void *arg)
{
	struct peer *peer = arg;
	size_t n = peer->n - peer->at;

	if (!n) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (n > len)
		n = len;
	memcpy(buf, peer->in + peer->at, n);
	peer->at += n;
	return n;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data,
		       size_t len, int flags, void *arg)
{
	struct peer *peer = arg;

	stream_feed(&peer->out, data, len);
	return len;
}

static int on_mask(wslay_event_context_ptr ctx, uint8_t *buf, size_t len,
		   void *arg)
{
	memset(buf, 0xa5, len);
	return 0;
}

static void on_message(wslay_event_context_ptr ctx,
		       const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
	static const char *const names[16] = {
		[WS_OP_TEXT] = "text", [WS_OP_BINARY] = "binary",
		[WS_OP_PING] = "ping", [WS_OP_PONG] = "pong",
	};
	struct peer *peer = arg;
	char name[16];

	if (m->opcode == WS_OP_CLOSE) {
		snprintf(name, sizeof(name), "close:%u",
			 m->status_code ? m->status_code : 1005);
		if (m->msg_length > 2)
			stream_log(&peer->log, name, m->msg + 2,
				   m->msg_length - 2);
		else
			stream_log(&peer->log, name, NULL, 0);
		return;
	}
	snprintf(name, sizeof(name), "%s%s", names[m->opcode],
		 m->rsv ? "+rsv1" : "");
	stream_log(&peer->log, name, m->msg, m->msg_length);
}

static const struct wslay_event_callbacks callbacks = {
	.recv_callback = on_recv,
	.send_callback = on_send,
	.genmask_callback = on_mask,
	.on_msg_recv_callback = on_message,
};

/* Return: whether wslay would read on. */
static bool ask_wslay(const struct input *in, struct peer *peer)
{
	wslay_event_context_ptr ctx;
	bool reading;
	int r;

	if (in->role == WS_ROLE_SERVER)
		r = wslay_event_context_server_init(&ctx, &callbacks, peer);
	else
		r = wslay_event_context_client_init(&ctx, &callbacks, peer);
	if (r)
		DIE("wslay: %d", r);
	if (in->rsv)
		wslay_event_config_set_allowed_rsv_bits(ctx, WSLAY_RSV1_BIT);
	wslay_event_config_set_max_recv_msg_length(ctx, in->max_message);
	wslay_event_recv(ctx);
	reading = wslay_event_get_read_enabled(ctx);
	if (wslay_event_send(ctx))
		DIE("wslay does not send");
	wslay_event_context_free(ctx);
	return reading;
}

/* The code of the Close that wslay sent, 0 for none. */
static unsigned int sent_code(struct stream *out)
{
	if (out->rule)
		DIE("what wslay sends: %s", stream_end(out));
	if (!out->over)
		return 0;
	return close_code(out) ? close_code(out) : 1005;
}

static void compare(struct stream *s, struct peer *peer, bool reading)
{
	const struct difference *d = differences, *end;
	unsigned int code, want_code = 0;
	const char *last = NULL;
	char *want;

	if (s->rule)
		want_code = ws_rule_code(s->rule);
	else if (s->over)
		want_code = close_code(s) ? close_code(s) : 1005;
	stream_end(s);
	s->log[s->log_good] = '\0';
	end = differences + sizeof(differences) / sizeof(differences[0]);
	for (; d < end; d++) {
		if (!d->applies(s))
			continue;
		want_code = d->code;
		last = d->last;
		if (last && !*last)
			s->log[s->log_last] = '\0';
	}
	want = malloc(strlen(s->log) + 32);
	if (!want)
		DIE("no memory");
	sprintf(want, "%s%s%s", s->log, last && *last && *s->log ? " " : "",
		last ? last : "");

	if (strcmp(want, peer->log.log))
		DIE("wslay: \"%s\", not \"%s\"", peer->log.log, want);
	code = sent_code(&peer->out);
	if (code != want_code)
		DIE("wslay sends Close %u, not %u (%s) after \"%s\"", code,
		    want_code, ws_rule_name(s->rule), want);
	if (reading == !!want_code)
		DIE("wslay %s after \"%s\"", reading ? "reads on" : "stops",
		    want);
	free(want);
}

int fuzz_one(const u8 *data, size_t size)
{
	struct stream s;
	struct input in;
	struct peer peer;
	bool reading;

	if (!input_parse(&in, data, size) || in.n > WSLAY_BUFFER)
		return 0;
	if (in.max_message < WS_CTRL_MAX)
		in.max_message = WS_CTRL_MAX;
	if (in.max_message > 65536)
		in.max_message = 65536;
	input_start(&in, &s);
	input_feed_pieces(&in, &s);

	memcpy(peer.in, in.stream, in.n);
	peer.in[in.n] = 0;
	peer.at = 0;
	peer.n = in.n + !!s.rule;
	stream_init(&peer.log, in.role, 0, 0);
	stream_init(&peer.out, !in.role, 0, WS_MAX_MESSAGE_NONE);
	reading = ask_wslay(&in, &peer);
	compare(&s, &peer, reading);
	stream_free(&peer.log);
	stream_free(&peer.out);
	stream_free(&s);
	return 0;
}
