// SPDX-License-Identifier: MIT
/*
 * Where the kernel does the records: on TCP over loopback, with the modules tls
 * and ws. Records are made and looked at on one end, libkws is on the other.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/tls.h>

#include "test.h"
#include "tls_ends.h"

#ifndef SOL_TLS
#define SOL_TLS		282
#endif

#define STEPS		100000

/* Both ends do not block. */
static void tcp_pair(int ends[2])
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(a);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ends[1] = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(listener, (struct sockaddr *)&a, len) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&a, &len) ||
	    connect(ends[1], (struct sockaddr *)&a, len)) {
		perror("loopback");
		exit(1);
	}
	ends[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	close(listener);
}

static struct kws_tls *tls_always(unsigned int role)
{
	struct kws_tls_options o = { .ktls = KWS_KTLS_ALWAYS };

	if (role == WS_ROLE_SERVER) {
		o.certificate = certificate_file("good.pem");
		o.key = certificate_file("good.key");
	} else {
		o.ca = certificate_file("ca.pem");
	}
	return kws_tls_new(role, &o, NULL);
}

/* After both handshakes; nothing is open yet. */
static bool shake(struct ends *e)
{
	struct kws_tls *server = tls_always(WS_ROLE_SERVER);
	struct kws_tls *client = tls_always(WS_ROLE_CLIENT);
	bool good;

	*e = (struct ends){ .relay = { -1, -1 } };
	tcp_pair(e->fds);
	good = ends_shake(e, server, client, "wss://localhost/") &&
		e->done[0] == 1 && e->done[1] == 1 &&
		kws_handshake_result(e->hs[0])->ktls &&
		kws_handshake_result(e->hs[1])->ktls &&
		!kws_handshake_result(e->hs[0])->ktls_error;
	if (!good)
		note("%s, %s", kws_handshake_result(e->hs[0])->error,
		     kws_handshake_result(e->hs[1])->error);
	kws_tls_free(server);
	kws_tls_free(client);
	return good;
}

/* From one end to the other, whatever fits at a time. */
static bool carry(struct ends *e, int from, size_t len)
{
	struct ws_msg msg = { .opcode = WS_OP_BINARY };
	struct kws_message m = { 0 };
	unsigned char *data = malloc(len + 1);
	bool good = false;
	size_t i;
	int r = -1;

	for (i = 0; i < len; i++)
		data[i] = i * 13 + (i >> 8);
	if (kws_send(e->conn[from], &msg, data, len, 0))
		goto out;
	for (i = 0; i < STEPS && r < 0; i++) {
		if (kws_pending(e->conn[from]) && kws_flush(e->conn[from]) &&
		    errno != EAGAIN)
			goto out;
		r = kws_recv(e->conn[!from], &m);
		if (r < 0 && errno != EAGAIN)
			goto out;
		if (r < 0)
			usleep(100);
	}
	good = r == 1 && m.len == len && !memcmp(m.data, data, len);
out:
	free(data);
	return good;
}

/* Who frames on which end. */
static void frame(enum kws_framing server, enum kws_framing client,
		  const char *name)
{
	static const size_t lens[] = { 0, 1, 126, 16384, 65536, 1 << 20 };
	enum kws_framing framings[2] = { server, client };
	struct ws_msg msg = { .opcode = WS_OP_CLOSE, .code = 1000 };
	struct kws_message m;
	struct ends e;
	bool good = shake(&e);
	unsigned int i;
	int r = -1;

	for (i = 0; i < 2 && good; i++) {
		e.conn[i] = kws_handshake_open(e.hs[i], e.fds[i], framings[i]);
		good = e.conn[i] && kws_is_kernel(e.conn[i]) ==
			(framings[i] != KWS_USER);
	}
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]) && good; i++)
		good = carry(&e, 0, lens[i]) && carry(&e, 1, lens[i]);
	good = good && !kws_send(e.conn[1], &msg, NULL, 0, 0) &&
		!kws_flush(e.conn[1]);
	for (i = 0; i < STEPS && good && r < 0; i++) {
		r = kws_recv(e.conn[0], &m);
		usleep(100);
	}
	result(good && r == 1 && m.opcode == WS_OP_CLOSE && m.code == 1000,
	       "ktls: %s", name);
	ends_close(&e);
}

/* One record of any type. */
static bool put_record(int fd, int type, const void *data, size_t len)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(1)];
	} control = { 0 };
	struct iovec iov = { (void *)data, len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

	cm->cmsg_level = SOL_TLS;
	cm->cmsg_type = TLS_SET_RECORD_TYPE;
	cm->cmsg_len = CMSG_LEN(1);
	*CMSG_DATA(cm) = type;
	return sendmsg(fd, &msg, MSG_NOSIGNAL) == (ssize_t)len;
}

/**
 * struct event - records that are not data, then a text message
 * @times: so many records
 * @type: of each
 * @body: what is in it, @len bytes
 * @more: the message comes in any case; otherwise @last and @error are what
 *	kws_recv() returns instead
 */
static const struct event {
	const char *name;
	int times;
	int type;
	const char *body;
	size_t len;
	bool more;
	int last;
	int error;
} events[] = {
	{ "32 session tickets", 32, 22, "\x04\x00\x00\x01\x00", 5, true },
	{ "too many session tickets", 100, 22, "\x04\x00\x00\x01\x00", 5, false,
	  -1, EBADMSG },
	{ "a session ticket", 1, 22, "\x04\x00\x00\x01\x00", 5, true },
	{ "a wish for a new handshake", 1, 22, "\x00\x00\x00\x00", 4, true },
	{ "user_canceled", 1, 21, "\x01\x5a", 2, true },
	{ "an empty record", 1, 23, "", 0, true },
	{ "close_notify", 1, 21, "\x01\x00", 2, false, 0 },
	{ "an alert", 1, 21, "\x02\x28", 2, false, -1, ECONNABORTED },
	{ "half an alert", 1, 21, "\x02", 1, false, -1, EBADMSG },
	{ "a key update", 1, 22, "\x18\x00\x00\x01\x00", 5, false, -1, EKEYEXPIRED },
	{ "another handshake message", 1, 22, "\x01\x00\x00\x00", 4, false, -1,
	  EBADMSG },
	{ "a change of ciphers", 1, 20, "\x01", 1, false, -1, EBADMSG },
};

static void happen(const struct event *v)
{
	static const char text[] = "\x81\x82" MASKED "hi";
	struct kws_message m = { 0 };
	struct ends e;
	bool good = shake(&e);
	int r = -2, i;

	/* Without a handshake: that there is kTLS is found out. */
	if (good) {
		e.conn[0] = kws_open(e.fds[0], WS_ROLE_SERVER, NULL, 0, KWS_USER);
		good = e.conn[0];
		for (i = 0; i < v->times && good; i++)
			good = put_record(e.fds[1], v->type, v->body, v->len);
		if (good && v->more)
			put(e.fds[1], text, sizeof(text) - 1);
		for (i = 0, errno = EAGAIN; i < STEPS && good && r < 0 &&
		     errno == EAGAIN; i++) {
			r = kws_recv(e.conn[0], &m);
			if (r < 0 && errno == EAGAIN)
				usleep(100);
		}
	}
	good = v->more ? r == 1 && m.len == 2 :
		r == v->last && (r >= 0 || errno == v->error);
	result(good, "ktls: %s", v->name);
	if (!good)
		note("%d, %s", r, strerror(errno));
	ends_close(&e);
}

/* What OpenSSL does is nothing for the kernel. */
static void not_attached(void)
{
	struct kws_tls *server = tls_server("good"), *client = tls_client("");
	struct kws_tls_options never = { .insecure = 1, .ktls = KWS_KTLS_NEVER };
	struct ends e = { .relay = { -1, -1 } };
	int attached, error;
	bool good;

	kws_tls_free(client);
	client = kws_tls_new(WS_ROLE_CLIENT, &never, NULL);
	tcp_pair(e.fds);
	/* A server that may, a client that does not: TLS 1.3 here or there. */
	good = ends_shake(&e, server, client, "wss://localhost/") &&
		e.done[0] == 1 && e.done[1] == 1 &&
		!kws_handshake_result(e.hs[1])->ktls;
	e.conn[1] = kws_handshake_open(e.hs[1], e.fds[1], KWS_KERNEL);
	error = errno;
	result(good && !e.conn[1] && error == ENOKEY,
	       "ktls: no framing in the kernel without it");
	e.conn[1] = kws_handshake_open(e.hs[1], e.fds[1], KWS_AUTO);
	result(e.conn[1] && !kws_is_kernel(e.conn[1]),
	       "ktls: framing in user space without it");
	if (!kws_handshake_result(e.hs[0])->ktls) {
		attached = kws_attach(e.fds[0], WS_ROLE_SERVER, NULL, 0);
		result(attached && errno == ENOKEY,
		       "ktls: a socket that has no keys is not attached");
	}
	kws_tls_free(server);
	kws_tls_free(client);
	ends_close(&e);
}

void test_ktls(void)
{
	unsigned int i;

	frame(KWS_KERNEL, KWS_KERNEL, "framing in the kernel");
	frame(KWS_USER, KWS_USER, "framing in user space");
	frame(KWS_AUTO, KWS_USER, "a server in the kernel, a client not");
	frame(KWS_USER, KWS_AUTO, "a client in the kernel, a server not");
	for (i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		happen(&events[i]);
	not_attached();
}
