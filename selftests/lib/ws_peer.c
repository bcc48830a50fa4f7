// SPDX-License-Identifier: GPL-2.0-only
/*
 * The peer: frames made and read byte by byte from RFC 6455 section 5.2, and
 * what they carry.
 */
#include <sys/ioctl.h>

#include <linux/sockios.h>
#include <linux/tcp.h>

#include "ws_test.h"

void bytes_raw(struct bytes *b, const void *data, size_t len)
{
	if (b->n + len > b->room) {
		b->room = (b->n + len) * 2;
		b->p = realloc(b->p, b->room);
		if (!b->p)
			abort();
	}
	if (len)
		memcpy(b->p + b->n, data, len);
	b->n += len;
}

void bytes_free(struct bytes *b)
{
	free(b->p);
	memset(b, 0, sizeof(*b));
}

/* RFC 6455 section 5.2. */
size_t frame_header(unsigned char *out, int first, uint64_t len,
		    const unsigned char *key)
{
	size_t n = 2;
	int i;

	out[0] = first;
	if (len < 126) {
		out[1] = len;
	} else if (len < 65536) {
		out[1] = 126;
		out[2] = len / 256;
		out[3] = len % 256;
		n = 4;
	} else {
		out[1] = 127;
		for (i = 9; i > 1; i--, len /= 256)
			out[i] = len % 256;
		n = 10;
	}
	if (key) {
		out[1] += 128;
		memcpy(out + n, key, 4);
		n += 4;
	}
	return n;
}

void frame_key(unsigned char *key)
{
	static uint32_t seed = 7;
	int i;

	for (i = 0; i < 4; i++)
		key[i] = next_random(&seed);
}

void bytes_frame(struct bytes *b, const struct pair *p, int first,
		 const void *data, size_t len)
{
	bool masked = p->role == WS_ROLE_SERVER;
	unsigned char head[14], key[4];
	size_t i, at;

	frame_key(key);
	bytes_raw(b, head, frame_header(head, first, len, masked ? key : NULL));
	at = b->n;
	bytes_raw(b, data, len);
	for (i = 0; masked && i < len; i++)
		b->p[at + i] ^= key[i % 4];
}

void bytes_close(struct bytes *b, const struct pair *p, int code,
		 const char *reason)
{
	unsigned char body[127] = { code / 256, code % 256 };

	strncpy((char *)body + 2, reason, sizeof(body) - 3);
	bytes_frame(b, p, CLOSE, body, code == 1005 ? 0 : 2 + strlen(reason));
}

bool raw_send(struct pair *p, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t n = send(p->raw, at, len, MSG_NOSIGNAL);

		if (n < 0)
			return complain("peer's send: %s", strerror(errno));
		p->sent += n;
		at += n;
		len -= n;
	}
	return true;
}

bool raw_send_bytes(struct pair *p, struct bytes *b)
{
	bool ok = raw_send(p, b->p, b->n);

	bytes_free(b);
	return ok;
}

bool raw_frame(struct pair *p, int first, const void *data, size_t len)
{
	struct bytes b = { 0 };

	bytes_frame(&b, p, first, data, len);
	return raw_send_bytes(p, &b);
}

bool raw_close(struct pair *p, int code, const char *reason)
{
	struct bytes b = { 0 };

	bytes_close(&b, p, code, reason);
	return raw_send_bytes(p, &b);
}

static uint64_t bytes_received(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len))
		return 0;
	return info.tcpi_bytes_received;
}

/* The kernel pulls records in its own time. */
static void quiet(int fd)
{
	struct ws_info before, now = { 0 };
	socklen_t len;

	do {
		before = now;
		usleep(test_patience(20000));
		len = sizeof(now);
		if (getsockopt(fd, SOL_WS, WS_INFO, &now, &len))
			break;
	} while (memcmp(&before, &now, sizeof(now)));
}

bool settle(struct pair *p)
{
	uint64_t end = now_ms() + WS_TEST_MS;
	int left = 1;

	if (test_tls()) {
		/* TLS adds bytes that are not counted; then it takes a while. */
		while (!ioctl(p->raw, SIOCOUTQ, &left) && left &&
		       now_ms() < end)
			usleep(500);
		quiet(p->ws);
		return !left || complain("%d bytes are on the way", left);
	}
	while (bytes_received(p->ws) < p->sent) {
		if (now_ms() > end)
			return complain("%llu of %llu bytes have arrived",
					0ULL + bytes_received(p->ws),
					0ULL + p->sent);
		usleep(500);
	}
	return true;
}

static bool read_all(int fd, void *data, size_t len)
{
	char *at = data;

	while (len) {
		ssize_t n = recv(fd, at, len, 0);

		if (n < 0)
			return complain("peer's recv: %s", strerror(errno));
		if (!n)
			return complain("peer sees FIN, %zu bytes missing",
					len);
		at += n;
		len -= n;
	}
	return true;
}

bool read_frame(struct pair *p, struct frame *f)
{
	unsigned char head[8];
	uint64_t len;
	bool server;
	size_t i, n;

	memset(f, 0, sizeof(*f));
	if (!read_all(p->raw, head, 2))
		return false;
	f->first = head[0];
	f->masked = head[1] & 128;
	len = head[1] & 127;
	if (len > 125) {
		n = len == 126 ? 2 : 8;
		if (!read_all(p->raw, head, n))
			return false;
		len = 0;
		for (i = 0; i < n; i++)
			len = len * 256 + head[i];
		if (len < (n == 2 ? 126 : 65536) || len > 1ULL << 28)
			return complain("length %llu in %zu bytes",
					0ULL + len, n);
	}
	server = p->role == WS_ROLE_SERVER;
	if (f->masked == server)
		return complain("frame %02x: the MASK bit is %d", f->first,
				f->masked);
	if (f->masked && !read_all(p->raw, f->key, 4))
		return false;
	f->len = len;
	f->data = malloc(len + 1);
	if (!f->data)
		abort();
	if (!read_all(p->raw, f->data, len)) {
		free(f->data);
		f->data = NULL;
		return false;
	}
	for (i = 0; f->masked && i < len; i++)
		f->data[i] ^= f->key[i % 4];
	f->data[len] = 0;
	return true;
}

bool expect_frame(struct pair *p, int first, const void *data, size_t len)
{
	struct frame f;
	bool ok;

	if (!read_frame(p, &f))
		return complain("expected frame %02x of %zu", first, len);
	ok = f.first == first && f.len == len &&
	     (!len || !memcmp(f.data, data, len));
	if (!ok)
		complain("frame %02x of %zu \"%.20s\", not %02x of %zu",
			 f.first, f.len, f.data, first, len);
	free(f.data);
	return ok;
}

bool expect_close(struct pair *p, int code, const char *reason)
{
	size_t len = strlen(reason);
	struct frame f;
	bool ok;

	if (!read_frame(p, &f))
		return complain("expected a Close %d", code);
	if (f.first != CLOSE || (f.len && f.len < 2))
		ok = complain("frame %02x of %zu, not a Close", f.first, f.len);
	else if (!f.len)
		ok = code == 1005 || complain("empty Close, not %d", code);
	else if (code == 1005 || f.data[0] * 256 + f.data[1] != code)
		ok = complain("Close %d, not %d",
			      f.data[0] * 256 + f.data[1], code);
	else if (f.len != 2 + len || memcmp(f.data + 2, reason, len))
		ok = complain("Close reason \"%s\", not \"%s\"", f.data + 2,
			      reason);
	else
		ok = true;
	free(f.data);
	return ok;
}

bool expect_fin(struct pair *p)
{
	char byte;
	ssize_t n;

	if (test_tls()) {
		unsigned char alert[2] = { 0 };
		int type = tls_recv(p->raw, alert, sizeof(alert));

		if (type != TLS_ALERT || alert[1])
			return complain("peer expects close_notify: %d (%02x)",
					type, alert[1]);
	}
	n = recv(p->raw, &byte, 1, 0);
	if (n < 0)
		return complain("peer expects FIN: %s", strerror(errno));
	return !n || complain("peer expects FIN, gets %02x", byte & 255);
}

bool expect_silence(struct pair *p)
{
	return !poll_for(p->raw, POLLIN, 100) ||
	       complain("peer gets something unexpected");
}

bool expect_tcp_end(struct pair *p)
{
	if (p->role == WS_ROLE_SERVER)
		return expect_fin(p);
	return expect_silence(p) && !shutdown(p->raw, SHUT_WR) &&
	       poll_for(p->ws, POLLRDHUP, WS_TEST_MS);
}

bool expect_reset(struct pair *p)
{
	char byte;
	ssize_t n = recv(p->raw, &byte, 1, 0);

	return (n < 0 && errno == ECONNRESET) ||
	       complain("peer expects RST: %zd (%s)", n, strerror(errno));
}

bool pair_works(struct pair *p)
{
	return raw_frame(p, TEXT, "there", 5) && expect_text(p->ws, "there") &&
	       ws_send(p->ws, WS_OP_TEXT, "back", 4, 0) == 4 &&
	       expect_frame(p, TEXT, "back", 4);
}
