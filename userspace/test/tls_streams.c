// SPDX-License-Identifier: MIT
/* Messages over TLS that OpenSSL does, and how they end. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test.h"
#include "tls_ends.h"

static bool open_ends(struct ends *e, bool bytewise, int sndbuf)
{
	struct kws_tls *server = tls_server("good"), *client = tls_client("ca.pem");
	int a[2], b[2], i;
	bool good;

	*e = (struct ends){ .relay = { -1, -1 } };
	stream_pair(a);
	e->fds[0] = a[0];
	e->fds[1] = a[1];
	if (bytewise) {
		stream_pair(b);
		e->relay[0] = a[1];
		e->relay[1] = b[1];
		e->fds[1] = b[0];
	}
	for (i = 0; sndbuf && i < 2; i++)
		setsockopt(e->fds[i], SOL_SOCKET, SO_SNDBUF, &sndbuf,
			   sizeof(sndbuf));
	good = ends_shake(e, server, client, "wss://localhost/") && ends_open(e);
	kws_tls_free(server);
	kws_tls_free(client);
	return good;
}

/* From one end to the other, whatever fits at a time. */
static bool carry(struct ends *e, int from, size_t len, unsigned int seed)
{
	struct ws_msg msg = { .opcode = WS_OP_BINARY };
	struct kws_message m;
	unsigned char *data = malloc(len + 1);
	bool good = false;
	size_t i;
	int r;

	for (i = 0; i < len; i++)
		data[i] = i * 7 + (i >> 8) + seed;
	if (kws_send(e->conn[from], &msg, data, len, 0))
		goto out;
	for (i = 0; i < 200000; i++) {
		if (kws_pending(e->conn[from]) && kws_flush(e->conn[from]) &&
		    errno != EAGAIN)
			goto out;
		ends_relay(e);
		r = kws_recv(e->conn[!from], &m);
		if (r > 0)
			break;
		if (!r || errno != EAGAIN)
			goto out;
	}
	good = m.opcode == WS_OP_BINARY && m.len == len &&
		!memcmp(m.data, data, len);
out:
	free(data);
	return good;
}

static void sizes(bool bytewise, int sndbuf, const char *how)
{
	static const size_t lens[] = { 0, 1, 125, 126, 8191, 8192, 16369, 16370,
		16371, 16380, 16384, 16385, 32768, 65535, 65536, 65537, 200000,
		1 << 20, 3000000 };
	unsigned int i, bad = 0;
	struct ends e;
	int from;

	if (!open_ends(&e, bytewise, sndbuf)) {
		result(false, "tls: messages, %s", how);
		ends_close(&e);
		return;
	}
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]) && !bad; i++) {
		if (bytewise && lens[i] > 70000)
			break;
		for (from = 0; from < 2 && !bad; from++)
			if (!carry(&e, from, lens[i], i))
				bad = lens[i] ? lens[i] : 1;
	}
	result(!bad, "tls: messages of all sizes, both ways, %s", how);
	if (bad)
		note("%u bytes: %s", bad, strerror(errno));
	ends_close(&e);
}

/* Many small ones, gathered: several to a record and records to a read. */
static void many(void)
{
	struct ws_msg msg = { .opcode = WS_OP_TEXT };
	unsigned int sent = 0, got = 0;
	struct kws_message m;
	struct ends e;
	char text[64];
	bool good = open_ends(&e, false, 0);

	while (good && sent < 5000) {
		int len = sprintf(text, "message %u", sent);

		if (kws_send(e.conn[1], &msg, text, len, 0)) {
			good = errno == EAGAIN;
			break;
		}
		sent++;
		if (sent % 1000)
			continue;
		kws_flush(e.conn[1]);
		while (good && kws_recv(e.conn[0], &m) > 0) {
			sprintf(text, "message %u", got++);
			good = m.len == strlen(text) &&
				!memcmp(m.data, text, m.len);
		}
	}
	result(good && sent == 5000 && got == sent,
	       "tls: many messages to a record");
	ends_close(&e);
}

static bool waits(struct kws_conn *c)
{
	struct kws_message m;

	return kws_recv(c, &m) < 0 && errno == EAGAIN;
}

/* The whole end, as cat and echo do it. */
static void close_properly(void)
{
	struct ws_msg msg = { .opcode = WS_OP_CLOSE, .code = 1000 };
	struct kws_message m = { 0 };
	struct ends e;
	bool good = open_ends(&e, false, 0) && waits(e.conn[0]) &&
		waits(e.conn[1]);

	good = good && !kws_send(e.conn[1], &msg, "bye", 3, 0) &&
		!kws_flush(e.conn[1]) && kws_recv(e.conn[0], &m) == 1 &&
		m.opcode == WS_OP_CLOSE && m.code == 1000 && m.len == 3;
	good = good && kws_finish(e.conn[0]) < 0 && errno == EAGAIN &&
		kws_recv(e.conn[1], &m) == 1 && m.opcode == WS_OP_CLOSE &&
		!kws_recv(e.conn[1], &m) && !kws_finish(e.conn[1]);
	result(good, "tls: a Close, its answer, the end");
	ends_close(&e);
}

/* OpenSSL after an upgrade; the frames in @with came in the same record. */
static SSL *upgraded(struct kws_handshake *hs, int ends[2], const char *with,
		     size_t len)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n"
		"Upgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
	SSL *ssl = peer_new(ends[1], false, NULL);
	char buf[1024];
	int r = 0, i;

	memcpy(buf, request, sizeof(request) - 1);
	memcpy(buf + sizeof(request) - 1, with, len);
	for (i = 0; i < 100 && peer_shake(ssl) != 1; i++)
		kws_handshake_step(hs, ends[0]);
	SSL_write(ssl, buf, sizeof(request) - 1 + len);
	for (i = 0; i < 100 && !r; i++)
		r = kws_handshake_step(hs, ends[0]);
	if (r == 1)
		return ssl;
	peer_free(ssl);
	return NULL;
}

/* A record that nobody who has the keys made. */
static const char forged[] =
	"\027\003\003\000\040a record that nobody can decrypt";

enum ending {
	NOTHING,
	CLOSE_NOTIFY,
	FIN,
	ALERT,
	FORGED,
};

static void end_by(SSL *ssl, int ends[2], enum ending ending)
{
	char scrap[64];

	switch (ending) {
	case NOTHING:
		return;
	case CLOSE_NOTIFY:
		SSL_shutdown(ssl);
		break;
	case FIN:
		break;
	case ALERT:
		/* It says so when it is sent what it cannot read. */
		put(ends[0], forged, sizeof(forged) - 1);
		while (SSL_read(ssl, scrap, sizeof(scrap)) > 0)
			;
		break;
	case FORGED:
		put(ends[1], forged, sizeof(forged) - 1);
	}
	shutdown(ends[1], SHUT_WR);
}

/**
 * struct finale - what comes behind the frame that came with the request
 * @text: bytes of frames, @len of them
 * @ending: then
 * @last: what kws_recv() returns for that
 * @error: with which errno
 */
static const struct finale {
	const char *name;
	const char *text;
	size_t len;
	enum ending ending;
	int last;
	int error;
} finales[] = {
	{ "frames with the request and behind it", "\x81\x82" MASKED "ho", 8,
	  CLOSE_NOTIFY, 1 },
	{ "close_notify is the end", "", 0, CLOSE_NOTIFY, 0 },
	{ "the end of TCP is the end", "", 0, FIN, 0 },
	{ "the end within a message", "\x81\x82" MASKED, 6, CLOSE_NOTIFY, -1,
	  EPROTO },
	{ "an alert", "", 0, ALERT, -1, ECONNABORTED },
	{ "a record that is not the peer's", "", 0, FORGED, -1, EBADMSG },
	{ "nothing for now", "", 0, NOTHING, -1, EAGAIN },
};

static void end(const struct finale *f)
{
	struct kws_tls *tls = tls_server("good");
	struct kws_options o = { .tls = tls };
	struct kws_handshake *hs = kws_handshake_server(&o);
	struct kws_conn *c = NULL;
	struct kws_message m;
	int ends[2], r = -2;
	SSL *ssl;

	stream_pair(ends);
	ssl = upgraded(hs, ends, "\x81\x82" MASKED "hi", 8);
	if (ssl) {
		if (f->len)
			SSL_write(ssl, f->text, f->len);
		end_by(ssl, ends, f->ending);
		c = kws_handshake_open(hs, ends[0], KWS_USER);
	}
	if (c && kws_recv(c, &m) == 1 && m.len == 2)
		r = kws_recv(c, &m);
	result(r == f->last && (r >= 0 || errno == f->error), "tls: %s",
	       f->name);
	peer_free(ssl);
	kws_handshake_free(hs);
	kws_tls_free(tls);
	kws_close(c);
	if (!c)
		close(ends[0]);
	close(ends[1]);
}

void test_tls_streams(void)
{
	unsigned int i;

	sizes(false, 0, "at once");
	sizes(false, 4096, "with little room");
	sizes(true, 0, "byte by byte");
	many();
	close_properly();
	for (i = 0; i < sizeof(finales) / sizeof(finales[0]); i++)
		end(&finales[i]);
}
