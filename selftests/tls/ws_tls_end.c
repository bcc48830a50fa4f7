// SPDX-License-Identifier: GPL-2.0-only
/*
 * kTLS below: how it ends, by close_notify, by an error, or by the application's
 * TLS library, and what else is in its records.
 */
#include "kselftest_harness.h"
#include "ws_tls_pair.h"

#include <signal.h>
#include <sys/sendfile.h>
#include <sys/wait.h>

/* After a message, and with half a message unread. */
TEST_F(tls, close_notify)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, TEXT, "last", 4));
	ASSERT_EQ(2, tls_send(p->raw, TLS_ALERT, "\1\0", 2));
	EXPECT_TRUE(expect_text(p->ws, "last"));
	EXPECT_TRUE(poll_for(p->ws, POLLIN, WS_TEST_MS) & POLLIN);
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_TRUE(ws_get_info(p->ws).state & WS_STATE_EOF);
}

TEST_F(tls, close_notify_inside)
{
	struct pair *p = &self->p;

	ASSERT_TRUE(raw_frame(p, F_TEXT, "half", 4));
	ASSERT_EQ(2, tls_send(p->raw, TLS_ALERT, "\1\0", 2));
	EXPECT_TRUE(poll_for(p->ws, POLLIN, WS_TEST_MS) & POLLIN);
	EXPECT_TRUE(expect_error(p->ws, EPROTO));
	EXPECT_EQ(WS_RULE_TRUNCATED, ws_get_info(p->ws).rule);
}

static bool broken_by(struct pair *p, int type, const char *body, size_t len,
		      int err)
{
	long long errors = ws_stat("WsTlsErrors");

	return ws_stat("WsAttachedTls") > 0 &&
	       raw_frame(p, TEXT, "whole", 5) &&
	       raw_frame(p, F_TEXT, "half", 4) &&
	       tls_send(p->raw, type, body, len) == (ssize_t)len &&
	       expect_text(p->ws, "whole") &&
	       poll_for(p->ws, POLLIN, WS_TEST_MS) & POLLIN &&
	       expect_error(p->ws, err) && expect_eof(p->ws) &&
	       ws_stat("WsTlsErrors") == errors + 1;
}

TEST_F(tls, fatal_alert)
{
	EXPECT_TRUE(broken_by(&self->p, TLS_ALERT, "\2\50", 2, ECONNABORTED));
}

TEST_F(tls, alert_of_one_byte)
{
	EXPECT_TRUE(broken_by(&self->p, TLS_ALERT, "\2", 1, EBADMSG));
}

TEST_F(tls, unknown_type)
{
	EXPECT_TRUE(broken_by(&self->p, 99, "what", 4, EBADMSG));
}

TEST_F(tls, key_update)
{
	EXPECT_TRUE(broken_by(&self->p, TLS_HANDSHAKE, "\30\0\0\1\0", 5,
			      EKEYEXPIRED));
}

TEST_F(tls, other_handshake)
{
	EXPECT_TRUE(broken_by(&self->p, TLS_HANDSHAKE, "\15\0\0\1\0", 5,
			      EBADMSG));
}

/* Bytes that are no record of this connection, from a peer without keys. */
TEST(forged)
{
	static const char *const bad[] = {
		"\27\3\3\0\0400123456789abcdef0123456789abcdef",
		"\27\3\3\377\3770123456789abcdef0123456789abcdef",
		"GET / HTTP/1.1\r\n\r\n0123456789abcdef",
	};
	long long errors = ws_stat("WsTlsErrors");
	struct pair p;
	size_t i;

	unsetenv("WS_TEST_TLS");
	for (i = 0; i < 3; i++) {
		ASSERT_TRUE(pair_connect(&p, AF_INET, WS_ROLE_SERVER));
		wire_off(&p, "the peer has no keys");
		ASSERT_EQ(0, tls_start(p.ws, "1.2", true, TLS_BOTH));
		ASSERT_EQ(0, ws_attach_config(p.ws, NULL));
		EXPECT_EQ(0, poll_now(p.ws, POLLIN));
		ASSERT_EQ(37, send(p.raw, bad[i], 37, 0));
		EXPECT_TRUE(poll_for(p.ws, POLLIN, WS_TEST_MS) & POLLERR);
		EXPECT_TRUE(expect_error(p.ws, EBADMSG));
		EXPECT_TRUE(expect_eof(p.ws));
		/* Once, however often kTLS says so. */
		EXPECT_EQ(errors + 1 + (long long)i, ws_stat("WsTlsErrors"));
		pair_close(&p);
	}
}

/* Records and nothing else; none of it can be read. */
static bool only_records(const unsigned char *p, size_t len)
{
	size_t at = 0;

	while (len - at >= 5) {
		if ((p[at] != 23 && p[at] != TLS_ALERT) || p[at + 1] != 3 ||
		    p[at + 2] != 3)
			return complain("no record at %zu: %02x", at, p[at]);
		at += 5 + p[at + 3] * 256 + p[at + 4];
		if (at > len)
			break;
	}
	if (at != len)
		return complain("%zu bytes, records end at %zu", len, at);
	return !memmem(p, len, "secret", 6) || complain("it can be read");
}

/* Whatever way it is sent, what goes over the wire is encrypted. */
TEST(nothing_in_clear)
{
	int one = 1, i, file = memfd_create("secret", 0);
	struct timeval tv = { .tv_usec = 300000 };
	struct bytes seen = { 0 };
	char text[6000], buf[8192];
	struct pair p;
	off_t off = 0;
	ssize_t n;

	for (i = 0; i < 1000; i++)
		memcpy(text + 6 * i, "secret", 6);
	ASSERT_EQ(6000, write(file, text, 6000));
	unsetenv("WS_TEST_TLS");
	ASSERT_TRUE(pair_connect(&p, AF_INET, WS_ROLE_SERVER));
	wire_off(&p, "the peer has no keys");
	ASSERT_EQ(0, tls_start(p.ws, "1.3", true, TLS_BOTH));
	ASSERT_EQ(0, ws_attach_config(p.ws, NULL));
	setsockopt(p.ws, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one));
	EXPECT_EQ(6000, ws_send(p.ws, WS_OP_TEXT, text, 6000, 0));
	EXPECT_EQ(6000, ws_send(p.ws, WS_OP_TEXT, text, 6000, MSG_ZEROCOPY));
	EXPECT_EQ(60, ws_send(p.ws, WS_OP_PING, text, 60, 0));
	EXPECT_EQ(6000, sendfile(p.ws, file, &off, 6000));
	EXPECT_EQ(12, ws_send_close(p.ws, 1000, "secretsecret"));
	setsockopt(p.raw, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	while ((n = recv(p.raw, buf, sizeof(buf), 0)) > 0)
		bytes_raw(&seen, buf, n);
	close(p.ws);
	while ((n = recv(p.raw, buf, sizeof(buf), 0)) > 0)
		bytes_raw(&seen, buf, n);
	EXPECT_LT(18000, seen.n);
	EXPECT_TRUE(only_records(seen.p, seen.n));
	bytes_free(&seen);
	close(file);
	close(p.raw);
}

/* The TLS library ends TLS when the WebSocket has ended, and not before. */
TEST_F(tls, library_sends_close_notify)
{
	struct pair *p = &self->p;
	unsigned char alert[2];

	EXPECT_EQ(-EBUSY, tls_send(p->ws, TLS_ALERT, "\1\0", 2));
	EXPECT_EQ(0, shutdown(p->ws, SHUT_WR));
	EXPECT_TRUE(expect_close(p, 1000, ""));
	EXPECT_EQ(2, tls_send(p->ws, TLS_ALERT, "\1\0", 2));
	EXPECT_EQ(TLS_ALERT, tls_recv(p->raw, alert, 2));
	EXPECT_EQ(2, tls_send(p->ws, TLS_ALERT, "\1\0", 2));
	EXPECT_EQ(-EINVAL, tls_send(p->ws, TLS_HANDSHAKE, "\1\0", 2));
}

/* The peer's Close, the answer, and on both sides the end of TLS. */
static bool closed_by_peer(struct pair *p)
{
	struct bytes b = { 0 };
	bool ok;

	bytes_close(&b, p, 1000, "");
	ok = raw_send_bytes(p, &b) && expect_received_close(p->ws, 1000, "") &&
	     expect_close(p, 1000, "");
	bytes_free(&b);
	return ok;
}

/* SSL_shutdown() twice: the second call waits for the peer's alert. */
TEST_F(tls, library_gets_close_notify)
{
	struct pair *p = &self->p;
	unsigned char alert[2] = { 0 };

	ASSERT_TRUE(closed_by_peer(p));
	EXPECT_EQ(2, tls_send(p->ws, TLS_ALERT, "\1\0", 2));
	EXPECT_EQ(TLS_ALERT, tls_recv(p->raw, alert, 2));
	EXPECT_EQ(0, poll_now(p->ws, POLLIN) & (POLLERR | POLLHUP));
	EXPECT_EQ(-EAGAIN, ws_recv(p->ws, alert, 2, MSG_DONTWAIT).n);
	EXPECT_EQ(0, poll_now(p->ws, POLLIN));
	ASSERT_EQ(2, tls_send(p->raw, TLS_ALERT, "\1\0", 2));
	EXPECT_TRUE(poll_for(p->ws, POLLIN, WS_TEST_MS) & POLLIN);
	alert[0] = 0;
	EXPECT_EQ(TLS_ALERT, tls_recv(p->ws, alert, 2));
	EXPECT_EQ(1, alert[0]);
	EXPECT_TRUE(expect_eof(p->ws));
}

static void *alert_later(void *arg)
{
	struct pair *p = arg;

	usleep(100000);
	tls_send(p->raw, TLS_ALERT, "\1\0", 2);
	return NULL;
}

TEST_F(tls, library_waits_for_close_notify)
{
	struct pair *p = &self->p;
	unsigned char alert[2] = { 0 };
	pthread_t thread;

	ASSERT_TRUE(closed_by_peer(p));
	EXPECT_EQ(2, tls_send(p->ws, TLS_ALERT, "\1\0", 2));
	ASSERT_EQ(0, pthread_create(&thread, NULL, alert_later, p));
	EXPECT_EQ(TLS_ALERT, tls_recv(p->ws, alert, 2));
	pthread_join(thread, NULL);
	EXPECT_TRUE(expect_eof(p->ws));
}

/* ... which need not come. */
TEST_F(tls, library_gets_fin)
{
	struct pair *p = &self->p;
	unsigned char alert[2] = { 0 };

	ASSERT_TRUE(closed_by_peer(p));
	EXPECT_EQ(2, tls_send(p->ws, TLS_ALERT, "\1\0", 2));
	ASSERT_EQ(0, shutdown(p->raw, SHUT_WR));
	EXPECT_EQ(0, tls_recv(p->ws, alert, 2));
	EXPECT_TRUE(expect_eof(p->ws));
}

/* It came before anybody asked; without a library it is the end, no more. */
TEST_F(tls, close_notify_before_it_is_asked_for)
{
	struct pair *p = &self->p;
	unsigned char alert[2] = { 0 };

	ASSERT_TRUE(closed_by_peer(p));
	ASSERT_EQ(2, tls_send(p->raw, TLS_ALERT, "\1\0", 2));
	EXPECT_EQ(0, tls_recv(p->ws, alert, 2));
	EXPECT_TRUE(expect_eof(p->ws));
	EXPECT_EQ(2, tls_send(p->ws, TLS_ALERT, "\1\0", 2));
	EXPECT_TRUE(poll_for(p->ws, POLLIN, WS_TEST_MS) & POLLIN);
	EXPECT_EQ(2, ws_recv(p->ws, alert, 2, MSG_PEEK).n);
	EXPECT_EQ(TLS_ALERT, tls_recv(p->ws, alert, 2));
	EXPECT_TRUE(expect_eof(p->ws));
}

static bool to_the_end(struct pair *p, size_t sent)
{
	unsigned char alert[2] = { 0 };
	size_t got = 0;
	struct frame f;

	do {
		if (!read_frame(p, &f))
			return complain("after %zu bytes", got);
		got += f.first == CLOSE ? 0 : f.len;
		free(f.data);
	} while (f.first != CLOSE);
	if (got != sent)
		return complain("%zu bytes, not %zu", got, sent);
	if (tls_recv(p->raw, alert, 2) != TLS_ALERT || alert[1])
		return complain("no close_notify");
	return tls_recv(p->raw, alert, 2) == 0;
}

/* The FIN behind a Close cuts off nothing that waits for room. */
TEST_F_TIMEOUT(tls, fin_waits, 200)
{
	struct pair *p = &self->p;
	struct bytes b = { 0 };
	int round, little;
	size_t sent;

	pair_close(p);
	for (round = 0; round < 8; round++) {
		ASSERT_TRUE(pair_open_rcvbuf(p, AF_INET, variant->role, 0,
					     8000 + 1000 * round, 0));
		little = 20000 + 1500 * round;
		ASSERT_EQ(0, setsockopt(p->ws, SOL_SOCKET, SO_SNDBUF, &little,
					sizeof(little)));
		sent = 0;
		for (;;) {
			ssize_t n = ws_send(p->ws, WS_OP_BINARY, pattern(0, 9000),
					    9000, MSG_DONTWAIT | MSG_MORE);

			if (n <= 0)
				break;
			sent += n;
		}
		bytes_close(&b, p, 1000, "");
		ASSERT_TRUE(raw_send_bytes(p, &b));
		EXPECT_TRUE(expect_received_close(p->ws, 1000, ""));
		EXPECT_EQ(0, shutdown(p->ws, SHUT_RDWR));
		EXPECT_TRUE(to_the_end(p, sent));
		bytes_free(&b);
		pair_close(p);
	}
}

/* Records of nothing without end keep nobody from going away. */
TEST_F_TIMEOUT(tls, endless_empty_records, 120)
{
	struct pair *p = &self->p;
	uint64_t begin;
	pid_t pid;
	char byte;

	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		while (tls_send(p->raw, 23, "", 0) >= 0)
			;
		_exit(0);
	}
	begin = now_ms();
	while (now_ms() < begin + 500)
		EXPECT_EQ(-EAGAIN, ws_recv(p->ws, &byte, 1, MSG_DONTWAIT).n);
	EXPECT_TRUE(in_time(begin, 5000));
	begin = now_ms();
	close(p->ws);
	EXPECT_TRUE(in_time(begin, 5000));
	p->ws = -1;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* A dead peer is found although a message lies unread: it could still answer. */
TEST_F_TIMEOUT(tls, dead_peer_and_a_message, 60)
{
	struct ws_config cfg = { .role = variant->role, .ping_interval = 300,
				 .ping_timeout = 300 };
	struct pair *p = &self->p;

	/* More than may be read ahead, but not at a time. */
	ASSERT_TRUE(pass_message(p, 60000));
	ASSERT_TRUE(pass_message(p, 60000));
	ASSERT_TRUE(raw_frame(p, TEXT, "unread", 6));
	ASSERT_TRUE(poll_for(p->ws, POLLIN, WS_TEST_MS) & POLLIN);
	ASSERT_EQ(0, ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)));
	EXPECT_TRUE(wait_until(ws_get_info(p->ws).rule ==
			       WS_RULE_PING_TIMEOUT));
	EXPECT_TRUE(expect_text(p->ws, "unread"));
}

TEST_HARNESS_MAIN
