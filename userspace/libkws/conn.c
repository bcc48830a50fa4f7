// SPDX-License-Identifier: MIT
/* Connections: opening, closing, and the choice of their framing. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "deflate.h"
#include "handshake.h"

/**
 * buffer_reserve() - make room for @n more bytes behind the last one
 * @b: the buffer; its bytes keep their offsets
 * @n: bytes
 *
 * Return: 0, or -1 with ENOMEM.
 */
int buffer_reserve(struct buffer *b, size_t n)
{
	size_t size = b->size ? b->size : READ_SIZE;
	u8 *data;

	if (b->size - b->to >= n)
		return 0;
	while (size - b->to < n)
		size *= 2;
	data = realloc(b->data, size);
	if (!data)
		return -1;
	b->data = data;
	b->size = size;
	return 0;
}

/* Makes the surplus of the handshake received bytes, and looks for kTLS. */
static int start_user(struct kws_conn *c, const void *prefix, size_t len)
{
	if (buffer_reserve(&c->rx, len > READ_SIZE ? len : READ_SIZE))
		return -1;
	if (len)
		memcpy(c->rx.data, prefix, len);
	c->rx.to = len;
	if (c->tls)
		return 0;
	c->tls = tls_of_socket(c->fd);
	return c->tls || !errno ? 0 : -1;
}

/* Starts framing in the kernel, if @framing allows it. */
static int start_kernel(struct kws_conn *c, const void *prefix, size_t len,
			enum kws_framing framing)
{
	if (framing == KWS_USER)
		return 0;
	/* With OpenSSL the socket has no plain text for the kernel. */
	errno = ENOKEY;
	if (c->tls && !tls_is_kernel(c->tls))
		return framing == KWS_KERNEL ? -1 : 0;
	if (!kws_attach(c->fd, c->role, prefix, len)) {
		c->kernel = true;
		return 0;
	}
	return framing == KWS_KERNEL || errno != ENOENT ? -1 : 0;
}

/* @tls may be NULL; after a failure the caller still owns it. */
static struct kws_conn *open_conn(int fd, unsigned int role, const void *prefix,
				  size_t len, enum kws_framing framing,
				  struct tls *tls)
{
	struct kws_conn *c;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return NULL;
	if (role > WS_ROLE_CLIENT ||
	    (len > WS_RX_PREFIX_MAX && framing != KWS_USER)) {
		errno = EINVAL;
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->fd = fd;
	c->tls = tls;
	c->role = role;
	c->info.role = role;
	c->nonblocking = flags & O_NONBLOCK;
	c->max_message = WS_MAX_MESSAGE_DEFAULT;
	c->wire_max = c->max_message;
	c->next_key = KEYS;
	if (start_kernel(c, prefix, len, framing) ||
	    (!c->kernel && start_user(c, prefix, len)))
		goto err_free_conn;
	return c;

err_free_conn:
	flags = errno;
	free(c->rx.data);
	free(c);
	errno = flags;
	return NULL;
}

/**
 * kws_open() - make a connection that sends and receives messages
 * @fd: a connected TCP socket after its handshake, with kTLS in both directions
 *	or without TLS; kws_close() closes it
 * @role: WS_ROLE_SERVER or WS_ROLE_CLIENT: our side
 * @prefix: kws_result::surplus
 * @len: kws_result::surplus_len, at most WS_RX_PREFIX_MAX unless @framing is
 *	KWS_USER
 * @framing: by the kernel or in user space
 *
 * O_NONBLOCK of the socket is read here; later changes have no effect.
 *
 * Return: the connection, or NULL with EINVAL, ENOMEM or an errno of
 * kws_attach(), but not ENOENT for KWS_AUTO. @fd stays open then.
 */
struct kws_conn *kws_open(int fd, unsigned int role, const void *prefix,
			  size_t len, enum kws_framing framing)
{
	return open_conn(fd, role, prefix, len, framing, NULL);
}

/**
 * kws_handshake_open() - make the connection of a successful handshake
 * @hs: a handshake whose upgrade is done; the caller still frees it
 * @fd: its socket; kws_close() closes it
 * @framing: by the kernel or in user space. KWS_AUTO means user space also when
 *	OpenSSL does the records of TLS.
 *
 * Does the same as kws_open() and kws_deflate(), and works with TLS by OpenSSL,
 * too. Call kws_recv() before waiting for the socket: OpenSSL may have read
 * ahead.
 *
 * Return: the connection, or NULL with an errno of kws_open() or ENOKEY
 * (KWS_KERNEL, but OpenSSL does the records). @fd stays open then.
 */
struct kws_conn *kws_handshake_open(struct kws_handshake *hs, int fd,
				    enum kws_framing framing)
{
	const struct kws_result *result = &hs->result;
	struct kws_conn *c;

	if (hs->state != HANDSHAKE_DONE) {
		errno = EINVAL;
		return NULL;
	}
	c = open_conn(fd, hs->client ? WS_ROLE_CLIENT : WS_ROLE_SERVER,
		      result->surplus, result->surplus_len, framing, hs->tls);
	if (!c)
		return NULL;
	if (kws_deflate(c, result->deflate)) {
		int error = errno;

		if (c->tls != hs->tls)
			tls_free(c->tls);
		free(c->rx.data);
		free(c);
		errno = error;
		return NULL;
	}
	if (c->kernel) {
		tls_free(c->tls);
		c->tls = NULL;
	}
	hs->tls = NULL;
	return c;
}

/**
 * kws_max_message() - limit the size of received messages
 * @conn: the connection
 * @bytes: payload bytes of a message, all fragments together, inflated; 0
 *	for WS_MAX_MESSAGE_DEFAULT, WS_MAX_MESSAGE_NONE for no limit
 *
 * A larger message ends the connection with code 1009 (RFC 6455 section
 * 7.4.1) and kws_recv() fails with EMSGSIZE.
 *
 * Return: 0, or -1 with an errno of setsockopt().
 */
int kws_max_message(struct kws_conn *conn, uint64_t bytes)
{
	u64 old = conn->max_message;

	conn->max_message = bytes ? bytes : WS_MAX_MESSAGE_DEFAULT;
	if (!compress_limit(conn))
		return 0;
	conn->max_message = old;
	return -1;
}

/**
 * kws_recv() - receive the next message
 * @conn: the connection
 * @message: set when 1 is returned; its data is valid until the next call of
 *	any function on @conn
 *
 * A PING is answered and a PONG dropped here. A Close is returned as a message,
 * after it has been answered. On a non-blocking socket call again when the
 * socket is readable, with level-triggered polling: one call reads at most
 * once. Pending bytes are sent before the socket is read.
 *
 * Return: 1 for a message, 0 for the end of the connection, -1 with EAGAIN,
 * EINTR, ENOMEM or an errno of recv(). A fault of the peer is returned once,
 * after every complete message before it, as EPROTO, EILSEQ, EMSGSIZE or
 * EBADMSG (compressed data is corrupt); kws_info() has the rule.
 */
int kws_recv(struct kws_conn *conn, struct kws_message *message)
{
	if (conn->deflate)
		return compress_recv(conn, message);
	return conn->kernel ? kernel_recv(conn, message) :
		user_recv(conn, message);
}

/* Like kws_send(), without compression. */
ssize_t frame_send(struct kws_conn *c, const struct ws_msg *msg,
		   const void *data, size_t len, int flags)
{
	return c->kernel ? kernel_send(c, msg, data, len, flags) :
		user_send(c, msg, data, len, flags);
}

/**
 * kws_send() - send one message, or one fragment of one
 * @conn: the connection
 * @msg: its opcode is WS_OP_TEXT, WS_OP_BINARY, WS_OP_PING, WS_OP_PONG or
 *	WS_OP_CLOSE (then with code); WS_OP_CONT to continue a message
 * @data: the payload; it is not modified
 * @len: its length in bytes; at most 125 for PING and PONG, 123 for the
 *	reason of a Close
 * @flags: MSG_MORE when the next call continues the message, else 0
 *
 * The message is accepted as a whole: bytes that the socket has no room for
 * become pending, see kws_pending(), and go out with the next kws_send(),
 * kws_recv() or kws_flush(). With framing in user space small messages become
 * pending, too, so that one send() takes many.
 *
 * Return: 0, or -1 with EAGAIN (too much is pending: flush first), EPIPE
 * (after a Close), EINVAL (opcode or code), EMSGSIZE (a control frame that is
 * too long), EILSEQ (a reason that is not UTF-8), ENOMEM, EIO or an errno of
 * send().
 */
int kws_send(struct kws_conn *conn, const struct ws_msg *msg,
	     const void *data, size_t len, int flags)
{
	ssize_t n;

	if (conn->deflate && !ws_op_is_control(msg->opcode))
		n = compress_send(conn, msg, data, len, flags);
	else
		n = frame_send(conn, msg, data, len, flags);
	return n < 0 ? -1 : 0;
}

/**
 * kws_flush() - send pending bytes
 * @conn: the connection
 *
 * Return: 0 when nothing is left, or -1 with EAGAIN (wait until the socket
 * is writable) or an errno of send().
 */
int kws_flush(struct kws_conn *conn)
{
	return conn->kernel ? kernel_flush(conn) : user_flush(conn);
}

/**
 * kws_pending() - count pending bytes
 * @conn: the connection
 *
 * Return: bytes that wait to be sent, 1 for an empty message; 0 when there is
 * no need to wait for room.
 */
size_t kws_pending(const struct kws_conn *conn)
{
	size_t n = conn->tx.to - conn->tx.from;

	if (!n && conn->tls && conn->tls->blocked)
		return 1;
	return conn->tx_waiting && !n ? 1 : n;
}

/**
 * kws_info() - counters and state of a connection
 * @conn: the connection
 * @info: filled. With framing in user space tx counts accepted messages, and
 *	wakeups the read() calls that returned data.
 *
 * Return: 0, or -1 with an errno of getsockopt().
 */
int kws_info(struct kws_conn *conn, struct ws_info *info)
{
	socklen_t len = sizeof(*info);

	if (!conn->kernel) {
		*info = conn->info;
		return 0;
	}
	memset(info, 0, sizeof(*info));
	if (getsockopt(conn->fd, SOL_WS, WS_INFO, info, &len))
		return -1;
	/* Faults that only the inflated message shows. */
	if (conn->info.state & WS_STATE_FAILED) {
		info->state |= WS_STATE_FAILED;
		info->rule = conn->info.rule;
	}
	return 0;
}

/**
 * kws_is_kernel() - does the kernel do the framing?
 * @conn: the connection
 *
 * Return: 1 for the kernel, 0 for user space.
 */
int kws_is_kernel(const struct kws_conn *conn)
{
	return conn->kernel;
}

/**
 * kws_finish() - end a connection so that the peer sees why
 * @conn: a connection to be ended: after a Close, a fault or by choice
 *
 * close() with unread bytes makes TCP send a reset, which may overtake our
 * Close. So this sends pending bytes, a Close with code 1001 if none was sent,
 * ends the sending direction (a client in a clean close leaves that to the
 * server, RFC 6455 section 7.1.1) and drops received data. It does not wait for
 * data. Call it again until a time limit of your own, then call kws_close().
 * With framing in the kernel there is nothing to do: close() does the same.
 *
 * Return: 0 when the peer has ended TCP, -1 with EAGAIN when the socket must
 * become readable (writable, if kws_pending() is not 0) first, or with an
 * errno of send() or recv().
 */
int kws_finish(struct kws_conn *conn)
{
	return conn->kernel ? 0 : user_finish(conn);
}

/**
 * kws_close() - close the connection and its socket without waiting
 * @conn: may be NULL
 *
 * The peer gets a Close with code 1001 if none was sent before.
 */
void kws_close(struct kws_conn *conn)
{
	if (!conn)
		return;
	if (!conn->kernel)
		user_end(conn);
	else if (conn->ended)
		kernel_flush(conn);
	close(conn->fd);
	tls_free(conn->tls);
	deflate_free(conn->deflate);
	free(conn->rx.data);
	free(conn->tx.data);
	free(conn);
}

/**
 * conn_fail() - fail the connection, RFC 6455 section 7.1.7
 * @c: the connection
 * @rule: the rule that the peer broke, for kws_info()
 * @code: for the Close; 1006 for none
 * @error: for errno
 *
 * Return: -1.
 */
int conn_fail(struct kws_conn *c, unsigned int rule, u16 code, int error)
{
	c->info.rule = rule;
	c->info.fault_offset = c->frame_at;
	c->info.state |= WS_STATE_FAILED;
	if (c->kernel)
		kernel_fail(c, code);
	else
		user_fail(c, code);
	errno = error;
	return -1;
}

/**
 * kws_rule_text() - describe ws_info::rule
 * @rule: &enum ws_rule, or KWS_RULE_DEFLATE
 *
 * Return: a static string.
 */
const char *kws_rule_text(unsigned int rule)
{
	if (rule == KWS_RULE_DEFLATE)
		return "Deflate";
	return rule < WS_RULE_MAX ? ws_rule_name(rule) : "Unknown";
}
