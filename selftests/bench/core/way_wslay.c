// SPDX-License-Identifier: GPL-2.0-only
/*
 * wslay (Debian's libwslay-dev) with the same frames: it takes the bytes by a
 * callback, checks, unmasks and keeps the message in memory of its own.
 */
#include <wslay/wslay.h>

#include "bench.h"

static wslay_event_context_ptr context;
static const u8 *in;
static size_t in_left;
static size_t got;

static ssize_t on_recv(wslay_event_context_ptr ws, uint8_t *buf, size_t len,
		       int flags, void *arg)
{
	(void)flags;
	(void)arg;
	if (!in_left) {
		wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (len > in_left)
		len = in_left;
	memcpy(buf, in, len);
	in += len;
	in_left -= len;
	return len;
}

static void on_message(wslay_event_context_ptr ws,
		       const struct wslay_event_on_msg_recv_arg *arg,
		       void *user)
{
	(void)ws;
	(void)user;
	got = arg->msg_length;
}

static void begin(const struct job *j)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv,
		.on_msg_recv_callback = on_message,
	};

	if (context)
		wslay_event_context_free(context);
	if (j->hdr.masked)
		wslay_event_context_server_init(&context, &callbacks, NULL);
	else
		wslay_event_context_client_init(&context, &callbacks, NULL);
	wslay_event_config_set_max_recv_msg_length(context, 1 << 30);
}

static bool run(const struct job *j, u8 *to, const u8 *frame)
{
	(void)to;
	in = frame;
	in_left = j->frame;
	got = 0;
	return !wslay_event_recv(context) && got == j->n;
}

const struct way way_wslay = {
	.name = "wslay", .begin = begin, .run = run, .no_copy = true,
};
