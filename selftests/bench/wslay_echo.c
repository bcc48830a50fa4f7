// SPDX-License-Identifier: GPL-2.0-only
/*
 * An echo server on wslay (Debian's libwslay-dev), for comparison.
 *
 * wslay asks for 4 KiB at a time: it is served from reads of 64 KiB, and what
 * it writes is gathered into one send(). The handshake is libkws's.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <wslay/wslay.h>

#include "kws.h"
#include "peer.h"

#define READ_SIZE	65536
#define MESSAGE_MAX	(64 << 20)

/**
 * struct client - one connection
 * @ack: answered by empty messages
 * @in: bytes in[in_from] to in[in_to] have been read, wslay has not had them
 * @out: bytes out[out_from] to out[out_to] are to be sent
 */
struct client {
	int fd;
	wslay_event_context_ptr ws;
	int ack;
	uint8_t in[READ_SIZE];
	size_t in_from;
	size_t in_to;
	uint8_t *out;
	size_t out_from;
	size_t out_to;
	size_t out_size;
	uint32_t events;
};

static int epoll_fd;

static ssize_t on_recv(wslay_event_context_ptr ws, uint8_t *buf, size_t len,
		       int flags, void *arg)
{
	struct client *c = arg;
	size_t n = c->in_to - c->in_from;

	(void)flags;
	if (!n) {
		wslay_event_set_error(ws, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	if (n > len)
		n = len;
	memcpy(buf, c->in + c->in_from, n);
	c->in_from += n;
	return n;
}

static ssize_t on_send(wslay_event_context_ptr ws, const uint8_t *data,
		       size_t len, int flags, void *arg)
{
	struct client *c = arg;

	(void)flags;
	if (c->out_size - c->out_to < len) {
		size_t size = (c->out_to + len) * 2;
		uint8_t *out = realloc(c->out, size);

		if (!out) {
			wslay_event_set_error(ws, WSLAY_ERR_CALLBACK_FAILURE);
			return -1;
		}
		c->out = out;
		c->out_size = size;
	}
	memcpy(c->out + c->out_to, data, len);
	c->out_to += len;
	return len;
}

static void on_message(wslay_event_context_ptr ws,
		       const struct wslay_event_on_msg_recv_arg *arg, void *user)
{
	struct client *c = user;
	struct wslay_event_msg msg = {
		.opcode = arg->opcode,
		.msg = arg->msg,
		.msg_length = c->ack ? 0 : arg->msg_length,
	};

	if (!wslay_is_ctrl_frame(arg->opcode))
		wslay_event_queue_msg(ws, &msg);
}

static const struct wslay_event_callbacks callbacks = {
	.recv_callback = on_recv,
	.send_callback = on_send,
	.on_msg_recv_callback = on_message,
};

static int flush(struct client *c)
{
	while (c->out_from < c->out_to) {
		ssize_t n = send(c->fd, c->out + c->out_from,
				 c->out_to - c->out_from, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return 1;
		if (n < 0)
			return -1;
		c->out_from += n;
	}
	c->out_from = 0;
	c->out_to = 0;
	return 0;
}

/* -1: the connection is over. */
static int serve(struct client *c)
{
	struct epoll_event e = { .data.ptr = c };
	int full = flush(c);

	if (full < 0)
		return -1;
	if (!full) {
		ssize_t n = recv(c->fd, c->in, sizeof(c->in), 0);

		if (!n || (n < 0 && errno != EAGAIN))
			return -1;
		c->in_from = 0;
		c->in_to = n > 0 ? n : 0;
		/* One call goes on until on_recv() has no more. */
		if (wslay_event_recv(c->ws) || wslay_event_send(c->ws))
			return -1;
		full = flush(c);
		if (full < 0 || (!wslay_event_want_read(c->ws) &&
				 !wslay_event_want_write(c->ws) && !full))
			return -1;
	}
	e.events = full ? EPOLLOUT : EPOLLIN;
	if (e.events == c->events)
		return 0;
	c->events = e.events;
	return epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &e);
}

static void end(struct client *c)
{
	wslay_event_context_free(c->ws);
	close(c->fd);
	free(c->out);
	free(c);
}

static void welcome(int listener)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct kws_handshake *hs;
	struct client *c;
	int fd, one = 1;

	fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c = calloc(1, sizeof(*c));
	/* A client of a benchmark does not keep us waiting. */
	if (!c || kws_accept(fd, NULL, &hs) ||
	    wslay_event_context_server_init(&c->ws, &callbacks, c)) {
		free(c);
		close(fd);
		return;
	}
	c->ack = !strncmp(kws_handshake_result(hs)->target, PEER_ACK,
			  strlen(PEER_ACK));
	kws_handshake_free(hs);
	wslay_event_config_set_max_recv_msg_length(c->ws, MESSAGE_MAX);
	c->fd = fd;
	c->events = EPOLLIN;
	e.data.ptr = c;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e))
		end(c);
}

int main(int argc, char **argv)
{
	int listener = peer_listen(peer_port(argc, argv));
	struct epoll_event events[64], e = { .events = EPOLLIN };

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &e);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, 64, -1), i;

		for (i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (!c)
				welcome(listener);
			else if (serve(c))
				end(c);
		}
	}
}
