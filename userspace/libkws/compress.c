// SPDX-License-Identifier: MIT
/* Compressed messages (RFC 7692 section 6) over either kind of framing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "deflate.h"

/*
 * Compressed data may be longer than the message. Returns how many bytes a peer
 * may send for a message of at most @max_message.
 */
static u64 get_wire_limit(u64 max_message)
{
	u64 more = max_message / 4 + 1024;

	return max_message < WS_MAX_MESSAGE_NONE - more ? max_message + more :
		WS_MAX_MESSAGE_NONE;
}

/**
 * compress_limit() - set the limits for received messages
 * @c: the connection, with max_message and deflate set
 *
 * Return: 0, or -1 with an errno of setsockopt().
 */
int compress_limit(struct kws_conn *c)
{
	struct ws_config config;
	socklen_t len = sizeof(config);

	c->wire_max = c->deflate ? get_wire_limit(c->max_message) :
				   c->max_message;
	if (!c->kernel)
		return 0;
	if (getsockopt(c->fd, SOL_WS, WS_CONFIG, &config, &len))
		return -1;
	config.max_message = c->wire_max;
	config.rsv = c->deflate ? WS_RSV1 : 0;
	return setsockopt(c->fd, SOL_WS, WS_CONFIG, &config, len);
}

/**
 * kws_deflate() - compress messages from here on
 * @conn: a connection on which nothing has been sent or received
 * @agreed: kws_result::deflate; NULL changes nothing
 *
 * kws_recv() then returns inflated messages, and kws_send() compresses messages
 * from the threshold on. The limit of kws_max_message() is for inflated
 * messages. If memory is short for a message, the connection ends with code
 * 1011, because later messages may refer to it.
 *
 * Return: 0, or -1 with EINVAL, EBUSY (done before), ENOMEM or an errno of
 * setsockopt().
 */
int kws_deflate(struct kws_conn *conn, const struct kws_deflate *agreed)
{
	if (!agreed)
		return 0;
	if (agreed->server_max_window_bits < 8 ||
	    agreed->server_max_window_bits > 15 ||
	    agreed->client_max_window_bits < 8 ||
	    agreed->client_max_window_bits > 15 ||
	    !agreed->level || agreed->level > 9 ||
	    !agreed->memory || agreed->memory > 9) {
		errno = EINVAL;
		return -1;
	}
	if (conn->deflate) {
		errno = EBUSY;
		return -1;
	}
	conn->deflate = deflate_new(agreed, conn->role);
	if (!conn->deflate)
		return -1;
	if (!compress_limit(conn))
		return 0;
	deflate_free(conn->deflate);
	conn->deflate = NULL;
	return -1;
}

static int return_inflated(struct kws_conn *c, struct kws_message *m)
{
	struct deflate *d = c->deflate;

	switch (deflate_unpack(d, m->data, m->len, c->max_message, &d->out)) {
	case UNPACK_GOOD:
		break;
	case UNPACK_CORRUPT:
		return conn_fail(c, KWS_RULE_DEFLATE, 1007, EBADMSG);
	case UNPACK_TOO_BIG:
		return conn_fail(c, WS_RULE_TOO_BIG, 1009, EMSGSIZE);
	case UNPACK_NO_MEMORY:
		return conn_fail(c, WS_RULE_NONE, 1011, ENOMEM);
	}
	if (d->out.data)
		m->data = d->out.data;
	m->len = d->out.to;
	if (m->opcode == WS_OP_TEXT &&
	    ws_utf8(WS_UTF8_OK, m->data, m->len, 0) != WS_UTF8_OK)
		return conn_fail(c, WS_RULE_UTF8, 1007, EILSEQ);
	return 1;
}

/**
 * compress_recv() - kws_recv() where compression was agreed on
 * @c: the connection
 * @m: the message
 *
 * Return: 1, 0 or -1.
 */
int compress_recv(struct kws_conn *c, struct kws_message *m)
{
	struct deflate *d = c->deflate;
	int r;

	/* An idle connection keeps no buffer. */
	free(d->out.data);
	memset(&d->out, 0, sizeof(d->out));
	r = c->kernel ? kernel_recv(c, m) : user_recv(c, m);
	if (r <= 0 || m->opcode == WS_OP_CLOSE)
		return r;
	if (c->compressed)
		return return_inflated(c, m);
	/* The limit of the kernel is for compressed messages. */
	if (m->len > c->max_message)
		return conn_fail(c, WS_RULE_TOO_BIG, 1009, EMSGSIZE);
	return 1;
}

static bool is_valid_opcode(const struct deflate *d, u8 opcode)
{
	if (opcode == WS_OP_CONT || opcode == d->open)
		return true;
	return !d->open && (opcode == WS_OP_TEXT || opcode == WS_OP_BINARY);
}

/* Before compression: a compressed message cannot be refused any more. */
static int check_room(struct kws_conn *c)
{
	if (c->kernel)
		return kernel_flush(c);
	return kws_pending(c) < PENDING_MAX ? 0 : user_flush(c);
}

/* In the kernel, bytes that do not go out become the pending ones. */
static int send_packed(struct kws_conn *c, const struct ws_msg *msg,
		       struct buffer *packed, int flags)
{
	struct deflate *d = c->deflate;

	/* An empty fragment is not sent: RSV1 goes with a first frame. */
	if (!packed->to)
		return 0;
	if (!c->kernel) {
		if (user_send(c, msg, packed->data, packed->to, flags) < 0)
			return -1;
		d->begun = true;
		return 0;
	}
	d->begun = true;
	free(c->tx.data);
	c->tx = *packed;
	memset(packed, 0, sizeof(*packed));
	c->tx_msg = *msg;
	c->tx_flags = flags;
	c->tx_waiting = true;
	return kernel_flush(c) && errno != EAGAIN ? -1 : 0;
}

/* Returns 1 if compression would not make the message shorter. */
static int pack_and_send(struct kws_conn *c, const struct ws_msg *msg,
			 const void *data, size_t len, int flags)
{
	struct deflate *d = c->deflate;
	bool more = flags & MSG_MORE;
	struct buffer packed = { 0 };
	int r;

	r = deflate_pack(d, data, len, !more, &packed);
	if (!r && !d->open && !more && packed.to >= len)
		r = 1;
	if (!r)
		r = send_packed(c, msg, &packed, flags);
	if (r)
		deflate_forget(d);
	free(packed.data);
	return r;
}

/**
 * compress_send() - kws_send() where compression was agreed on
 * @c: the connection
 * @msg: opcode and code
 * @data: payload
 * @len: payload bytes
 * @flags: MSG_MORE or 0
 *
 * Return: 0, or -1; with EAGAIN nothing was accepted.
 */
ssize_t compress_send(struct kws_conn *c, const struct ws_msg *msg,
		      const void *data, size_t len, int flags)
{
	struct deflate *d = c->deflate;
	struct ws_msg m = { .opcode = msg->opcode };
	bool more = flags & MSG_MORE;
	ssize_t r = 1;

	if (!is_valid_opcode(d, m.opcode)) {
		errno = EINVAL;
		return -1;
	}
	if (check_room(c))
		return -1;
	/* The length of the whole message is unknown at its first fragment. */
	if (d->open || more || len >= d->params.threshold) {
		if (!m.opcode)
			m.opcode = d->open ? d->open : WS_OP_BINARY;
		m.flags = d->begun ? 0 : WS_MSG_RSV1;
		r = pack_and_send(c, &m, data, len, flags);
		m.flags = 0;
	}
	if (r > 0)
		r = frame_send(c, &m, data, len, flags);
	if (r < 0)
		return -1;
	d->open = more ? m.opcode : 0;
	if (!more)
		d->begun = false;
	return 0;
}
