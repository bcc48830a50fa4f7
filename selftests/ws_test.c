// SPDX-License-Identifier: GPL-2.0-only
/* The helpers of ws_test.h. */
#include <stdarg.h>
#include <time.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include <linux/tcp.h>

#include "ws_test.h"

bool complain(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	fprintf(stderr, "#   %s\n", line);
	return false;
}

uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* ---- connections ---- */

static bool prepare(int fd)
{
	struct timeval tv = { .tv_sec = WS_TEST_MS / 1000 };
	int one = 1;

	return !setsockopt(fd, SOL_TCP, TCP_NODELAY, &one, sizeof(one)) &&
	       !setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) &&
	       !setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}

static socklen_t loopback(struct sockaddr_storage *ss, int family)
{
	struct sockaddr_in6 *sin6 = (void *)ss;
	struct sockaddr_in *sin = (void *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = family;
	if (family == AF_INET) {
		sin->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return sizeof(*sin);
	}
	sin6->sin6_addr = in6addr_loopback;
	return sizeof(*sin6);
}

bool pair_connect(struct pair *p, int family, __u32 role, int rcvbuf)
{
	int listener, client, server = -1;
	struct sockaddr_storage ss;
	socklen_t len;

	memset(p, 0, sizeof(*p));
	p->ws = p->raw = -1;
	p->role = role;
	len = loopback(&ss, family);
	listener = socket(family, SOCK_STREAM, 0);
	client = socket(family, SOCK_STREAM, 0);
	if (rcvbuf) {
		int fd = role == WS_ROLE_SERVER ? listener : client;

		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	}
	if (!bind(listener, (void *)&ss, len) && !listen(listener, 1) &&
	    !getsockname(listener, (void *)&ss, &len) &&
	    !connect(client, (void *)&ss, len))
		server = accept(listener, NULL, NULL);
	if (server < 0 || !prepare(server) || !prepare(client)) {
		complain("no connection: %s", strerror(errno));
		close(client);
		close(listener);
		return false;
	}
	close(listener);
	p->ws = role == WS_ROLE_SERVER ? server : client;
	p->raw = role == WS_ROLE_SERVER ? client : server;
	return true;
}

bool pair_open_rcvbuf(struct pair *p, int family, __u32 role, int rcvbuf)
{
	int err;

	if (!pair_connect(p, family, role, rcvbuf))
		return false;
	err = ws_attach(p->ws);
	if (err)
		return complain("attach: %s", strerror(-err));
	if (role != WS_ROLE_SERVER) {
		err = ws_set_role(p->ws, role);
		if (err)
			return complain("role: %s", strerror(-err));
	}
	return true;
}

bool pair_open(struct pair *p, int family, __u32 role)
{
	return pair_open_rcvbuf(p, family, role, 0);
}

void pair_close(struct pair *p)
{
	if (p->ws >= 0)
		close(p->ws);
	if (p->raw >= 0)
		close(p->raw);
	p->ws = p->raw = -1;
}

/* ---- options ---- */

int ws_attach(int fd)
{
	return setsockopt(fd, SOL_TCP, TCP_ULP, "ws", 2) ? -errno : 0;
}

int ws_set(int fd, int opt, const void *val, socklen_t len)
{
	return setsockopt(fd, SOL_WS, opt, val, len) ? -errno : 0;
}

int ws_set_role(int fd, __u32 role)
{
	struct ws_config cfg = { .role = role };

	return ws_set(fd, WS_CONFIG, &cfg, sizeof(cfg));
}

int ws_set_max(struct pair *p, __u64 max)
{
	struct ws_config cfg = { .role = p->role, .max_message = max };

	return ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg));
}

struct ws_info ws_get_info(int fd)
{
	struct ws_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_WS, WS_INFO, &info, &len))
		complain("WS_INFO: %s", strerror(errno));
	return info;
}

struct ws_config ws_get_config(int fd)
{
	struct ws_config cfg = { 0 };
	socklen_t len = sizeof(cfg);

	if (getsockopt(fd, SOL_WS, WS_CONFIG, &cfg, &len))
		complain("WS_CONFIG: %s", strerror(errno));
	return cfg;
}

long long ws_stat(const char *name)
{
	FILE *f = fopen("/proc/net/ws_stat", "r");
	long long value = -1, v;
	char word[64];

	if (!f) {
		complain("/proc/net/ws_stat: %s", strerror(errno));
		return -1;
	}
	while (fscanf(f, "%63s %lld", word, &v) == 2)
		if (!strcmp(word, name))
			value = v;
	fclose(f);
	return value;
}

/* ---- the peer: making frames ---- */

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

static void new_key(unsigned char *key)
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

	new_key(key);
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

static uint64_t bytes_received(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t len = sizeof(info);

	if (getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len))
		return 0;
	return info.tcpi_bytes_received;
}

bool settle(struct pair *p)
{
	uint64_t end = now_ms() + WS_TEST_MS;

	while (bytes_received(p->ws) < p->sent) {
		if (now_ms() > end)
			return complain("%llu of %llu bytes have arrived",
					0ULL + bytes_received(p->ws),
					0ULL + p->sent);
		usleep(500);
	}
	return true;
}

/* ---- the peer: reading frames ---- */

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
		for (len = i = 0; i < n; i++)
			len = len * 256 + head[i];
		if (len < (n == 2 ? 126 : 65536) || len > 1ULL << 28)
			return complain("length %llu in %zu bytes",
					0ULL + len, n);
	}
	if (f->masked != (p->role == WS_ROLE_CLIENT))
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
	ssize_t n = recv(p->raw, &byte, 1, 0);

	if (n < 0)
		return complain("peer expects FIN: %s", strerror(errno));
	return !n || complain("peer expects FIN, gets %02x", byte & 255);
}

bool expect_silence(struct pair *p)
{
	return !poll_for(p->raw, POLLIN, 100) ||
	       complain("peer gets something unexpected");
}

/* ---- the attached socket ---- */

struct got ws_recv(int fd, void *buf, size_t len, int flags)
{
	union {
		char buf[256];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = buf, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct got got = { 0 };
	struct cmsghdr *c;

	got.n = recvmsg(fd, &msg, flags);
	if (got.n < 0) {
		got.n = -errno;
		return got;
	}
	got.flags = msg.msg_flags;
	for (c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c)) {
		if (c->cmsg_level != SOL_WS || c->cmsg_type != WS_MSG ||
		    c->cmsg_len != CMSG_LEN(sizeof(got.m)))
			continue;
		memcpy(&got.m, CMSG_DATA(c), sizeof(got.m));
		got.cmsgs++;
	}
	return got;
}

bool expect_message(int fd, int opcode, const void *data, size_t len)
{
	char *buf = malloc(len + 64);
	struct got got;
	bool ok = false;

	if (!buf)
		abort();
	got = ws_recv(fd, buf, len + 64, 0);
	if (got.n < 0)
		complain("expected a message of %zu: %s", len,
			 strerror(-got.n));
	else if (got.n != (ssize_t)len)
		complain("%zd bytes (flags %x, opcode %x), not %zu", got.n,
			 got.flags, got.m.opcode, len);
	else if (got.cmsgs != 1 || got.m.opcode != opcode ||
		 got.m.flags != WS_MSG_END || got.m.len != len || got.m.code)
		complain("%d WS_MSG: opcode %x flags %x len %u code %u",
			 got.cmsgs, got.m.opcode, got.m.flags, got.m.len,
			 got.m.code);
	else if (got.flags != MSG_EOR)
		complain("msg_flags %x", got.flags);
	else if (len && memcmp(buf, data, len))
		complain("the payload differs");
	else
		ok = true;
	free(buf);
	return ok;
}

bool expect_text(int fd, const char *text)
{
	return expect_message(fd, WS_OP_TEXT, text, strlen(text));
}

bool expect_received_close(int fd, int code, const char *reason)
{
	size_t len = strlen(reason);
	struct got got;
	char buf[200];

	got = ws_recv(fd, buf, sizeof(buf), 0);
	if (got.n < 0)
		return complain("expected a Close: %s", strerror(-got.n));
	if (got.cmsgs != 1 || got.m.opcode != WS_OP_CLOSE ||
	    got.m.flags != WS_MSG_END || got.m.len != len ||
	    got.flags != MSG_EOR)
		return complain("%d WS_MSG: opcode %x flags %x len %u, %x",
				got.cmsgs, got.m.opcode, got.m.flags,
				got.m.len, got.flags);
	if (got.m.code != code || got.n != (ssize_t)len ||
	    memcmp(buf, reason, len))
		return complain("Close %u \"%.*s\", not %d \"%s\"", got.m.code,
				(int)got.n, buf, code, reason);
	return true;
}

bool expect_error(int fd, int err)
{
	char buf[64];
	struct got got = ws_recv(fd, buf, sizeof(buf), 0);

	if (got.n >= 0)
		return complain("%zd bytes (opcode %x, flags %x), not %s",
				got.n, got.m.opcode, got.flags, strerror(err));
	return got.n == -err ||
	       complain("%s, not %s", strerror(-got.n), strerror(err));
}

bool expect_eof(int fd)
{
	char buf[64];
	struct got got = ws_recv(fd, buf, sizeof(buf), 0);

	if (got.n < 0)
		return complain("%s, not the end", strerror(-got.n));
	return (!got.n && !got.cmsgs && !got.flags) ||
	       complain("%zd bytes (opcode %x, flags %x), not the end", got.n,
			got.m.opcode, got.flags);
}

static ssize_t send_msg(int fd, const struct ws_msg *m, const void *data,
			size_t len, int flags)
{
	union {
		char buf[CMSG_SPACE(sizeof(struct ws_msg))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c;
	ssize_t n;

	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_WS;
	c->cmsg_type = WS_MSG;
	c->cmsg_len = CMSG_LEN(sizeof(*m));
	memcpy(CMSG_DATA(c), m, sizeof(*m));
	n = sendmsg(fd, &msg, flags | MSG_NOSIGNAL);
	return n < 0 ? -errno : n;
}

ssize_t ws_send(int fd, int opcode, const void *data, size_t len, int flags)
{
	struct ws_msg m = { .opcode = opcode };

	return send_msg(fd, &m, data, len, flags);
}

ssize_t ws_send_close(int fd, int code, const char *reason)
{
	struct ws_msg m = { .opcode = WS_OP_CLOSE, .code = code };

	return send_msg(fd, &m, reason, strlen(reason), 0);
}

int poll_for(int fd, int events, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	return poll(&pfd, 1, ms) == 1 ? pfd.revents : 0;
}

int poll_now(int fd, int events)
{
	return poll_for(fd, events, 0);
}

/* ---- the pattern ---- */

#define PERIOD	251

const void *pattern(uint64_t at, size_t len)
{
	static char *text;
	size_t i;

	if (len > PATTERN_MAX)
		abort();
	if (!__atomic_load_n(&text, __ATOMIC_ACQUIRE)) {
		char *p = malloc(PATTERN_MAX + PERIOD), *none = NULL;

		if (!p)
			abort();
		for (i = 0; i < PATTERN_MAX + PERIOD; i++)
			p[i] = ' ' + i % PERIOD * 7 % 95;
		if (!__atomic_compare_exchange_n(&text, &none, p, false,
						 __ATOMIC_ACQ_REL,
						 __ATOMIC_ACQUIRE))
			free(p);
	}
	return text + at % PERIOD;
}

bool is_pattern(const void *data, uint64_t at, size_t len)
{
	const char *p = data;

	while (len) {
		size_t n = len < PATTERN_MAX ? len : PATTERN_MAX;

		if (memcmp(p, pattern(at, n), n))
			return false;
		p += n;
		at += n;
		len -= n;
	}
	return true;
}

static void *sender_thread(void *arg)
{
	unsigned char head[14], chunk[65536], key[4];
	struct sender *s = arg;
	bool masked = s->p->role == WS_ROLE_SERVER;
	uint64_t at;

	new_key(key);
	s->ok = raw_send(s->p, head, frame_header(head, s->first, s->len,
						  masked ? key : NULL));
	for (at = 0; s->ok && at < s->len;) {
		size_t n = sizeof(chunk), i;

		if (n > s->len - at)
			n = s->len - at;
		memcpy(chunk, pattern(at, n), n);
		for (i = 0; masked && i < n; i++)
			chunk[i] ^= key[i % 4];
		s->ok = raw_send(s->p, chunk, n);
		at += n;
	}
	return NULL;
}

bool sender_start(struct sender *s, struct pair *p, int first, uint64_t len)
{
	*s = (struct sender){ .p = p, .first = first, .len = len };
	return !pthread_create(&s->thread, NULL, sender_thread, s);
}

bool sender_join(struct sender *s)
{
	return !pthread_join(s->thread, NULL) && s->ok;
}
