// SPDX-License-Identifier: GPL-2.0-only
/*
 * libkws with permessage-deflate, in user space. The first byte chooses:
 *
 * With bit 7 clear the input is that of fuzz_kws (and bit 4: no context
 * takeover). A stream that may be compressed, or claim to be, comes whole and
 * in pieces: the same must come of it, and never a message above the limit.
 *
 * With bit 7 set the rest is what one end sends to the other: a byte for the
 * windows, then for each message a byte of flags, a length, and that many
 * bytes, which are repeated. They must arrive as they were.
 */
#include <errno.h>
#include <sys/socket.h>

#include "kws_run.h"

#define LARGEST	(32 * 255)

static u8 message[LARGEST * 64];

static void cut_anywhere(const struct input *in, bool forget)
{
	struct kws_deflate agreed = {
		.server_no_context_takeover = forget,
		.client_no_context_takeover = forget,
		.server_max_window_bits = 15, .client_max_window_bits = 15,
		.level = 1, .memory = 1, .threshold = 1,
	};
	struct outcome pieces, whole;
	struct input once = *in;

	once.n_pieces = 0;
	kws_run(in, &agreed, &pieces);
	kws_run(&once, &agreed, &whole);
	if (strcmp(pieces.app.log, whole.app.log))
		DIE("messages \"%s\" in pieces, \"%s\" whole",
		    pieces.app.log, whole.app.log);
	if (strcmp(pieces.wire.log, whole.wire.log))
		DIE("answers \"%s\" in pieces, \"%s\" whole",
		    pieces.wire.log, whole.wire.log);
	if (pieces.error != whole.error ||
	    pieces.info.rule != whole.info.rule ||
	    pieces.info.fault_offset != whole.info.fault_offset)
		DIE("error %d, rule %u at %llu in pieces, %d, %u at %llu whole",
		    pieces.error, pieces.info.rule,
		    pieces.info.fault_offset + 0ULL, whole.error,
		    whole.info.rule, whole.info.fault_offset + 0ULL);
	kws_run_free(&pieces);
	kws_run_free(&whole);
}

/* One call of kws_send(). Return: how many bytes of the input it took. */
static size_t send_some(struct kws_conn *from, const u8 *p, size_t n,
			size_t *len, struct stream *want)
{
	struct ws_msg msg = { .opcode = WS_OP_BINARY };
	size_t size, i, repeat = 1 + (p[0] >> 2 & 31), k;
	bool more = p[0] & 2;

	size = p[1] < n - 2 ? p[1] : n - 2;
	if (*len + size * repeat > sizeof(message))
		repeat = 0;
	for (i = 0, k = *len; i < repeat; i++, k += size)
		memcpy(message + k, p + 2, size);
	if (kws_send(from, &msg, message + *len, k - *len,
		     more ? MSG_MORE : 0) || kws_flush(from))
		DIE("kws_send: %s", strerror(errno));
	*len = k;
	if (!more) {
		stream_log(want, "binary", message, *len);
		*len = 0;
	}
	return 2 + size;
}

static void receive_all(struct kws_conn *to, struct stream *got)
{
	struct kws_message m;

	while (kws_recv(to, &m) == 1)
		stream_log(got, "binary", m.data, m.len);
	if (errno != EAGAIN)
		DIE("kws_recv: %s", strerror(errno));
}

static void there(const u8 *p, size_t n)
{
	struct kws_deflate agreed = {
		.server_no_context_takeover = p[1] & 1,
		.client_no_context_takeover = p[1] >> 1 & 1,
		.server_max_window_bits = 8 + (p[1] >> 2 & 7),
		.client_max_window_bits = 8 + (p[1] >> 5 & 7),
		.level = 1 + (p[0] >> 1 & 7), .memory = 8, .threshold = 1,
	};
	u32 role = p[0] & 1;
	struct kws_conn *from, *to;
	struct stream want, got;
	size_t at = 2, len = 0;
	int fds[2];

	stream_init(&want, 0, 0, 0);
	stream_init(&got, 0, 0, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds))
		DIE("socketpair: %s", strerror(errno));
	from = kws_open(fds[0], role, NULL, 0, KWS_USER);
	to = kws_open(fds[1], !role, NULL, 0, KWS_USER);
	if (!from || !to || kws_deflate(from, &agreed) ||
	    kws_deflate(to, &agreed))
		DIE("kws_open: %s", strerror(errno));
	while (n - at >= 2) {
		at += send_some(from, p + at, n - at, &len, &want);
		receive_all(to, &got);
		receive_all(to, &got);
	}
	if (strcmp(got.log, want.log))
		DIE("\"%s\", not \"%s\"", got.log, want.log);
	kws_close(from);
	kws_close(to);
	stream_free(&want);
	stream_free(&got);
}

int fuzz_one(const u8 *data, size_t size)
{
	struct input in;

	if (size > 2 && data[0] & 0x80) {
		there(data, size < 512 ? size : 512);
	} else if (input_parse(&in, data, size)) {
		/* What a few KiB inflate to must not take all the time. */
		if (in.max_message > 1 << 20)
			in.max_message = 1 << 20;
		cut_anywhere(&in, data[0] & 0x10);
	}
	return 0;
}
