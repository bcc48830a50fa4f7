// SPDX-License-Identifier: GPL-2.0-only
/* The calls on an attached socket, and what is expected of them. */
#include <linux/tcp.h>

#include "ws_test.h"

int ws_attach_config(int fd, const struct ws_config *cfg)
{
	return setsockopt(fd, SOL_IP, WS_ATTACH, cfg,
			  cfg ? sizeof(*cfg) : 0) ? -errno : 0;
}

int ws_attach(int fd)
{
	if (test_tls())
		return ws_attach_config(fd, NULL);
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

int set_flags(int fd, __u32 flags)
{
	struct ws_config cfg = ws_get_config(fd);

	cfg.flags = flags;
	return ws_set(fd, WS_CONFIG, &cfg, sizeof(cfg));
}

int set_close_timeout(int fd, __u32 ms)
{
	struct ws_config cfg = ws_get_config(fd);

	cfg.close_timeout = ms;
	return ws_set(fd, WS_CONFIG, &cfg, sizeof(cfg));
}

int set_int(int fd, int level, int opt, int value)
{
	return setsockopt(fd, level, opt, &value, sizeof(value)) ? -errno : 0;
}

bool pair_start(struct pair *p, struct ws_config cfg)
{
	cfg.role = p->role;
	return !ws_set(p->ws, WS_CONFIG, &cfg, sizeof(cfg)) &&
	       !poll_now(p->ws, POLLIN);
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

bool stat_becomes(const char *name, long long value)
{
	uint64_t end = now_ms() + 2 * WS_TEST_MS;

	while (ws_stat(name) != value) {
		if (now_ms() > end)
			return complain("%s is %lld, not %lld", name,
					ws_stat(name), value);
		usleep(10000);
	}
	return true;
}

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
