// SPDX-License-Identifier: GPL-2.0-only
/* The helpers of ws_test.h but for the peer, which is in ws_peer.c. */
#include <stdarg.h>
#include <time.h>
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

static uint64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

#define ROUNDS		2000
#define ROUNDS_US	100000

/* A byte through a pair of sockets, many times. */
unsigned int slowness_now(void)
{
	uint64_t begin = now_us(), took;
	int fds[2], i;
	char byte = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
		return 1;
	for (i = 0; i < ROUNDS; i++)
		if (write(fds[0], &byte, 1) != 1 || read(fds[1], &byte, 1) != 1)
			break;
	close(fds[0]);
	close(fds[1]);
	took = now_us() - begin;
	return took < 2 * ROUNDS_US ? 1 : (took + ROUNDS_US - 1) / ROUNDS_US;
}

static unsigned int slowness = 1;

/*
 * Before any test: they are children of this process. Whoever runs many programs
 * in a row measures for all of them, and says so in the environment.
 */
__attribute__((constructor))
static void measure_once(void)
{
	const char *known = getenv("WS_TEST_SLOWNESS");

	slowness = known && atoi(known) > 0 ? (unsigned int)atoi(known) :
					      slowness_now();
}

unsigned int test_slowness(void)
{
	return slowness;
}

bool in_time(uint64_t begin, unsigned int ms)
{
	uint64_t took = now_ms() - begin;
	unsigned int now;

	if (took < ms)
		return true;
	now = slowness_now();
	if (now < slowness)
		now = slowness;
	return took < (uint64_t)ms * now ||
	       complain("took %llu ms, not %u; %u times slower than idle",
			0ULL + took, ms, now);
}

/*
 * The harness ends a test by alarm() when its time is over (see the Makefile):
 * this is for those that hang, not for those that are slow. Some tests last as
 * long as they are told to.
 */
unsigned int __wrap_alarm(unsigned int seconds)
{
	return __real_alarm(seconds ? test_patience(4 * seconds) +
			    12 * test_seconds(0) : 0);
}

uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

struct ws_msg random_msg(uint32_t *seed)
{
	static const int most[] = { 6000, 400, 400, 400, 140, 140, 140, 140 };
	struct ws_msg m = { .flags = WS_MSG_END };

	m.len = most[next_random(seed) % 8];
	m.len = next_random(seed) % m.len;
	m.opcode = next_random(seed) % 3;
	if (next_random(seed) & 1)
		m.flags |= WS_MSG_MORE;
	return m;
}

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

static void set_rcvbuf(int fd, int size)
{
	if (size)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
}

static bool connect_rcvbuf(struct pair *p, int family, __u32 role, int rcvbuf,
			   int peer_rcvbuf, int mss)
{
	bool server_role = role == WS_ROLE_SERVER;
	int listener, client, server = -1;
	struct sockaddr_storage ss;
	socklen_t len;

	memset(p, 0, sizeof(*p));
	p->ws = -1;
	p->raw = -1;
	p->role = role;
	len = loopback(&ss, family);
	listener = socket(family, SOCK_STREAM, 0);
	client = socket(family, SOCK_STREAM, 0);
	set_rcvbuf(listener, server_role ? rcvbuf : peer_rcvbuf);
	set_rcvbuf(client, server_role ? peer_rcvbuf : rcvbuf);
	if (mss) {
		setsockopt(listener, SOL_TCP, TCP_MAXSEG, &mss, sizeof(mss));
		setsockopt(client, SOL_TCP, TCP_MAXSEG, &mss, sizeof(mss));
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
	p->ws = server_role ? server : client;
	p->raw = server_role ? client : server;
	wire_watch(p);
	return !test_tls() || pair_secure(p, test_tls());
}

bool pair_connect(struct pair *p, int family, __u32 role)
{
	return connect_rcvbuf(p, family, role, 0, 0, 0);
}

bool pair_open_rcvbuf(struct pair *p, int family, __u32 role, int rcvbuf,
		      int peer_rcvbuf, int mss)
{
	int err;

	if (!connect_rcvbuf(p, family, role, rcvbuf, peer_rcvbuf, mss))
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
	return pair_open_rcvbuf(p, family, role, 0, 0, 0);
}

void pair_close(struct pair *p)
{
	if (p->ws >= 0)
		close(p->ws);
	if (p->raw >= 0)
		close(p->raw);
	p->ws = -1;
	p->raw = -1;
}

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

bool thread_sleeps(const pid_t *tid)
{
	pid_t number = __atomic_load_n(tid, __ATOMIC_ACQUIRE);
	char path[64], state = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", number);
	f = number ? fopen(path, "r") : NULL;
	if (!f)
		return false;
	if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
		state = 0;
	fclose(f);
	return state == 'S';
}

int test_seconds(int seconds)
{
	const char *given = getenv("WS_TEST_SECONDS");

	return given && atoi(given) > 0 ? atoi(given) : seconds;
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
