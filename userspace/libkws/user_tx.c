// SPDX-License-Identifier: MIT
/* Sending with framing in user space: one send() takes many small messages. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <openssl/rand.h>

#include "conn.h"

/* Keys have to be unpredictable, section 5.3; many are made at once. */
static int get_key(struct kws_conn *c, u32 *key)
{
	do {
		if (c->next_key == KEYS) {
			if (RAND_bytes((u8 *)c->keys, sizeof(c->keys)) != 1) {
				errno = EIO;
				return -1;
			}
			c->next_key = 0;
		}
		*key = c->keys[c->next_key++];
	} while (!*key);
	return 0;
}

/* Drops @n sent bytes from the front. */
static void drop_sent(struct buffer *b, size_t n)
{
	b->from += n;
	if (b->from == b->to) {
		b->from = 0;
		b->to = 0;
	}
}

/* As send(), through TLS if there is TLS. */
static ssize_t send_bytes(struct kws_conn *c, const void *data, size_t len,
			  int flags)
{
	if (c->tls)
		return tls_write(c->tls, data, len, flags);
	return send(c->fd, data, len, flags | MSG_NOSIGNAL);
}

/**
 * user_flush() - send pending bytes
 * @c: the connection
 *
 * Return: 0 when all is out, or -1.
 */
int user_flush(struct kws_conn *c)
{
	struct buffer *b = &c->tx;

	if (c->tls)
		c->tls->blocked = false;
	while (b->from < b->to) {
		ssize_t n = send_bytes(c, b->data + b->from, b->to - b->from,
				       0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		drop_sent(b, n);
	}
	return 0;
}

/* Adds bytes to the pending ones, masked if @key is not 0. */
static int append_bytes(struct kws_conn *c, const void *data, size_t len,
			u32 key)
{
	struct buffer *b = &c->tx;

	if (b->from && b->size - b->to < len) {
		memmove(b->data, b->data + b->from, b->to - b->from);
		b->to -= b->from;
		b->from = 0;
	}
	if (buffer_reserve(b, len))
		return -1;
	if (key)
		ws_mask_copy(b->data + b->to, data, len, key);
	else if (len)
		memcpy(b->data + b->to, data, len);
	b->to += len;
	return 0;
}

/*
 * Sends a large payload from its place, behind pending bytes and its header.
 * Only bytes that the socket has no room for are copied.
 */
static int send_direct(struct kws_conn *c, const u8 *data, size_t len)
{
	struct buffer *b = &c->tx;
	struct iovec iov[2] = {
		{ b->data + b->from, b->to - b->from },
		{ (void *)data, len },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	while (iov[1].iov_len) {
		ssize_t n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
		size_t first = iov[0].iov_len;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return -1;
		if (n < 0)
			return append_bytes(c, iov[1].iov_base,
					    iov[1].iov_len, 0);
		if ((size_t)n < first)
			first = n;
		drop_sent(b, first);
		iov[0].iov_base = b->data + b->from;
		iov[0].iov_len = b->to - b->from;
		iov[1].iov_base = (u8 *)iov[1].iov_base + (n - first);
		iov[1].iov_len -= n - first;
	}
	return 0;
}

/*
 * The same with OpenSSL, which has no writev(): pending bytes are filled up to
 * full records.
 */
static int send_records(struct kws_conn *c, const u8 *data, size_t len)
{
	size_t some = TLS_RECORD - kws_pending(c) % TLS_RECORD;

	if (some > len)
		some = len;
	if (append_bytes(c, data, some, 0))
		return -1;
	data += some;
	len -= some;
	if (user_flush(c))
		return errno == EAGAIN ? append_bytes(c, data, len, 0) : -1;
	while (len) {
		ssize_t n = send_bytes(c, data, len, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ?
				append_bytes(c, data, len, 0) : -1;
		data += n;
		len -= n;
	}
	return 0;
}

/* Adds one frame to the pending bytes. */
static int put_frame(struct kws_conn *c, struct ws_hdr *hdr, const void *data)
{
	struct buffer *b = &c->tx;
	u8 head[WS_HDR_MAX];

	hdr->masked = c->role == WS_ROLE_CLIENT;
	hdr->key = 0;
	if (hdr->masked && get_key(c, &hdr->key))
		return -1;
	/* All memory is allocated before the header is written. */
	if (hdr->len < DIRECT_SIZE || hdr->masked) {
		if (buffer_reserve(b, WS_HDR_MAX + hdr->len))
			return -1;
		b->to += ws_hdr_build(b->data + b->to, hdr);
		return append_bytes(c, data, hdr->len, hdr->key);
	}
	if (append_bytes(c, head, ws_hdr_build(head, hdr), 0))
		return -1;
	if (c->tls && !c->tls->sends)
		return send_records(c, data, hdr->len);
	return send_direct(c, data, hdr->len);
}

/**
 * user_last_words() - send pending bytes, as far as there is room
 * @c: a connection that is about to be closed
 */
void user_last_words(struct kws_conn *c)
{
	struct buffer *b = &c->tx;

	if (b->from < b->to)
		send_bytes(c, b->data + b->from, b->to - b->from, MSG_DONTWAIT);
}

/**
 * user_control() - add a control frame to the pending bytes
 * @c: the connection
 * @opcode: WS_OP_CLOSE, WS_OP_PING or WS_OP_PONG
 * @data: its payload
 * @len: at most WS_CTRL_MAX
 *
 * Return: 0, or -1 with ENOMEM or EIO.
 */
int user_control(struct kws_conn *c, u8 opcode, const u8 *data, size_t len)
{
	struct ws_hdr hdr = { .fin = true, .opcode = opcode, .len = len };

	return put_frame(c, &hdr, data);
}

/**
 * user_close() - send a Close, once
 * @c: the connection
 * @code: its status code, 0 or 1005 for none
 * @reason: UTF-8
 * @len: its length, at most WS_CTRL_MAX - 2
 *
 * Return: 0, or -1.
 */
int user_close(struct kws_conn *c, u16 code, const void *reason, size_t len)
{
	u8 body[WS_CTRL_MAX] = { code >> 8, code };
	bool empty = !code || code == 1005;

	if (c->info.state & WS_STATE_CLOSE_SENT)
		return 0;
	if (len)
		memcpy(body + 2, reason, len);
	if (user_control(c, WS_OP_CLOSE, body, empty ? 0 : 2 + len))
		return -1;
	c->info.state |= WS_STATE_CLOSE_SENT;
	c->info.close_sent = empty ? 1005 : code;
	return 0;
}

static int send_control(struct kws_conn *c, const struct ws_msg *msg,
			const void *data, size_t len, int flags)
{
	bool empty = !msg->code || msg->code == 1005;

	errno = EINVAL;
	if (flags & MSG_MORE)
		return -1;
	if (msg->opcode != WS_OP_CLOSE) {
		if (len <= WS_CTRL_MAX)
			return user_control(c, msg->opcode, data, len);
		errno = EMSGSIZE;
		return -1;
	}
	if (empty ? len != 0 : !ws_close_code_ok(msg->code))
		return -1;
	if (len > WS_CTRL_MAX - 2) {
		errno = EMSGSIZE;
		return -1;
	}
	if (ws_utf8(WS_UTF8_OK, data, len, 0) != WS_UTF8_OK) {
		errno = EILSEQ;
		return -1;
	}
	return user_close(c, msg->code, data, len);
}

/* Returns the opcode of the frame, or -1: section 5.4. */
static int get_wire_opcode(const struct kws_conn *c, const struct ws_msg *msg)
{
	u8 open = c->tx_seq.opcode;

	if (msg->opcode == WS_OP_CONT)
		return open ? WS_OP_CONT : WS_OP_BINARY;
	if (msg->opcode != WS_OP_TEXT && msg->opcode != WS_OP_BINARY)
		return -1;
	if (!open)
		return msg->opcode;
	return open == msg->opcode ? WS_OP_CONT : -1;
}

/**
 * user_send() - kws_send() with framing in user space
 * @c: the connection
 * @msg: opcode and code
 * @data: payload
 * @len: payload bytes
 * @flags: MSG_MORE or 0
 *
 * Return: 0, or -1.
 */
ssize_t user_send(struct kws_conn *c, const struct ws_msg *msg,
		  const void *data, size_t len, int flags)
{
	struct ws_hdr hdr = { .fin = !(flags & MSG_MORE), .len = len };
	int opcode;

	if (c->info.state & (WS_STATE_CLOSE_SENT | WS_STATE_FAILED)) {
		errno = EPIPE;
		return -1;
	}
	if (kws_pending(c) >= PENDING_MAX && user_flush(c))
		return -1;
	if (msg->opcode == WS_OP_PING || msg->opcode == WS_OP_PONG ||
	    msg->opcode == WS_OP_CLOSE)
		return send_control(c, msg, data, len, flags);

	opcode = get_wire_opcode(c, msg);
	if (opcode < 0 || len > SSIZE_MAX) {
		errno = EINVAL;
		return -1;
	}
	hdr.opcode = opcode;
	if (opcode != WS_OP_CONT && c->deflate)
		hdr.rsv = msg->flags & WS_MSG_RSV1 ? WS_RSV1 : 0;
	if (put_frame(c, &hdr, data))
		return -1;
	ws_seq_frame(&c->tx_seq, &hdr);
	c->info.tx_messages += hdr.fin;
	c->info.tx_bytes += len;
	if (kws_pending(c) >= FLUSH_SIZE && user_flush(c) && errno != EAGAIN)
		return -1;
	return 0;
}
