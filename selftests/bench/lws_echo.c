// SPDX-License-Identifier: GPL-2.0-only
/*
 * An echo server on libwebsockets (Debian's libwebsockets-dev), for
 * comparison: 64 KiB reads, messages put together and queued, and as many
 * written a writable callback as the socket takes. libwebsockets sets
 * TCP_NODELAY itself; no extension is offered.
 */
#include <libwebsockets.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "peer.h"

#define READ_SIZE	65536

/**
 * struct message - one to be sent, behind room for its header
 */
struct message {
	struct message *next;
	size_t len;
	enum lws_write_protocol type;
	unsigned char data[];
};

/**
 * struct session - one connection
 * @ack: answered by empty messages
 * @part: the message that is coming in, with room for @part_size bytes
 * @first: messages to be sent
 * @last: where the next one is linked
 */
struct session {
	int ack;
	struct message *part;
	size_t part_size;
	struct message *first;
	struct message **last;
};

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	(void)number;
	stopped = 1;
}

static int take(struct session *s, struct lws *wsi, const void *in, size_t len)
{
	size_t have = s->part ? s->part->len : 0;
	size_t need = have + len + lws_remaining_packet_payload(wsi);

	if (!s->part || need > s->part_size) {
		struct message *m = realloc(s->part, sizeof(*m) + LWS_PRE +
					    need);

		if (!m)
			return -1;
		m->len = have;
		s->part = m;
		s->part_size = need;
	}
	memcpy(s->part->data + LWS_PRE + have, in, len);
	s->part->len += len;
	if (!lws_is_final_fragment(wsi) || lws_remaining_packet_payload(wsi))
		return 0;
	s->part->type = lws_frame_is_binary(wsi) ? LWS_WRITE_BINARY :
		LWS_WRITE_TEXT;
	s->part->next = NULL;
	if (s->ack)
		s->part->len = 0;
	*s->last = s->part;
	s->last = &s->part->next;
	s->part = NULL;
	s->part_size = 0;
	lws_callback_on_writable(wsi);
	return 0;
}

static int give(struct session *s, struct lws *wsi)
{
	while (s->first && !lws_partial_buffered(wsi)) {
		struct message *m = s->first;
		int n = lws_write(wsi, m->data + LWS_PRE, m->len, m->type);

		if (n < (int)m->len)
			return -1;
		s->first = m->next;
		if (!s->first)
			s->last = &s->first;
		free(m);
	}
	if (s->first)
		lws_callback_on_writable(wsi);
	return 0;
}

static void forget(struct session *s)
{
	while (s->first) {
		struct message *m = s->first;

		s->first = m->next;
		free(m);
	}
	free(s->part);
	s->part = NULL;
}

static int callback(struct lws *wsi, enum lws_callback_reasons reason,
		    void *user, void *in, size_t len)
{
	struct session *s = user;
	char path[64];

	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		memset(s, 0, sizeof(*s));
		s->last = &s->first;
		/* libwebsockets has taken the target apart. */
		s->ack = lws_hdr_copy(wsi, path, sizeof(path),
				      WSI_TOKEN_GET_URI) > 0 &&
			!strcmp(path, "/ack");
		return 0;
	case LWS_CALLBACK_RECEIVE:
		return take(s, wsi, in, len);
	case LWS_CALLBACK_SERVER_WRITEABLE:
		return give(s, wsi);
	case LWS_CALLBACK_CLOSED:
		forget(s);
		return 0;
	default:
		return 0;
	}
}

static const struct lws_protocols protocols[] = {
	{
		.name = "echo",
		.callback = callback,
		.per_session_data_size = sizeof(struct session),
		.rx_buffer_size = READ_SIZE,
	},
	{ 0 }
};

int main(int argc, char **argv)
{
	struct lws_context_creation_info info = { 0 };
	struct lws_context *context;
	int r = 0;

	info.port = peer_port(argc, argv);
	info.iface = "127.0.0.1";
	info.protocols = protocols;
	info.gid = -1;
	info.uid = -1;
	info.pt_serv_buf_size = READ_SIZE;
	signal(SIGTERM, on_signal);
	lws_set_log_level(LLL_ERR, NULL);
	context = lws_create_context(&info);
	if (!context)
		return 1;
	while (!r && !stopped)
		r = lws_service(context, 0);
	lws_context_destroy(context);
	return r < 0;
}
