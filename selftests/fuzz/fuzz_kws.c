// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkws's framing in user space on a socket pair: the stream goes in piece by
 * piece, and what kws_recv() gives, what it answers, its errno and its
 * counters must be what the core's functions make of the whole stream.
 */
#include "kws_run.h"

/* What must come of it. */
struct want {
	struct stream app;	/* used as a log only: the messages */
	struct stream wire;	/* the same: the answers */
	unsigned int messages, pings, pongs;
};

static void on_event(void *arg, u8 opcode, const u8 *p, size_t n)
{
	struct want *want = arg;

	switch (opcode) {
	case WS_OP_PING:
		stream_log(&want->wire, "pong", p, n);
		want->pings++;
		break;
	case WS_OP_PONG:
		want->pongs++;
		break;
	case WS_OP_CLOSE:
		stream_log(&want->app, "close", p, n);
		break;
	default:
		stream_log(&want->app, opcode == WS_OP_TEXT ? "text" : "binary",
			   p, n);
		want->messages++;
	}
}

static void log_close(struct stream *log, unsigned int code)
{
	char name[16];

	snprintf(name, sizeof(name), "close:%u", code);
	stream_log(log, name, NULL, 0);
}

static unsigned int received_code(const struct stream *s)
{
	return s->hdr.len ? s->control[0] << 8 | s->control[1] : 1005;
}

/* The answer that ends the connection; 0 when the stream just ends. */
static int expect_end(const struct stream *s, struct want *want)
{
	enum ws_rule rule = s->rule;

	if (s->over && !rule) {
		log_close(&want->wire, received_code(s));
		return 0;
	}
	if (!rule && (s->head_len || s->in_payload || s->seq.opcode))
		rule = WS_RULE_TRUNCATED;
	if (rule && ws_rule_code(rule) != 1006)
		log_close(&want->wire, ws_rule_code(rule));
	return rule;
}

static void check_info(const struct ws_info *info, const struct want *want,
		       const struct stream *s, int rule)
{
	if (info->rule != (u32)rule)
		DIE("rule %u, not %d", info->rule, rule);
	if (info->rx_messages != want->messages ||
	    info->rx_pings != want->pings || info->rx_pongs != want->pongs)
		DIE("%llu messages, %u pings, %u pongs, not %u, %u, %u",
		    info->rx_messages + 0ULL, info->rx_pings, info->rx_pongs,
		    want->messages, want->pings, want->pongs);
	if (rule && info->fault_offset != s->frame_at)
		DIE("fault at %llu, not %llu", info->fault_offset + 0ULL,
		    s->frame_at + 0ULL);
}

static void expect(const struct input *in, struct stream *s, struct want *want,
		   int *rule)
{
	stream_init(&want->app, in->role, 0, 0);
	stream_init(&want->wire, in->role, 0, 0);
	want->messages = 0;
	want->pings = 0;
	want->pongs = 0;
	input_start(in, s);
	s->event = on_event;
	s->arg = want;
	stream_feed(s, in->stream, in->n);
	*rule = expect_end(s, want);
}

int fuzz_one(const u8 *data, size_t size)
{
	struct outcome got;
	struct stream s;
	struct input in;
	struct want want;
	int rule;

	if (!input_parse(&in, data, size))
		return 0;
	in.rsv = 0;
	expect(&in, &s, &want, &rule);
	kws_run(&in, NULL, &got);
	if (strcmp(got.app.log, want.app.log))
		DIE("messages \"%s\", not \"%s\"", got.app.log, want.app.log);
	if (strcmp(got.wire.log, want.wire.log))
		DIE("answers \"%s\", not \"%s\"", got.wire.log, want.wire.log);
	if (got.error != -ws_rule_errno(rule))
		DIE("error %d, not %d", got.error, -ws_rule_errno(rule));
	check_info(&got.info, &want, &s, rule);
	kws_run_free(&got);
	stream_free(&want.app);
	stream_free(&want.wire);
	stream_free(&s);
	return 0;
}
