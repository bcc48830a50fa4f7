// SPDX-License-Identifier: GPL-2.0-only
/* Connections over loopback, and how they are closed. */
#include <linux/tcp.h>

#include "ws_test.h"

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

void pair_close_ws(struct pair *p)
{
	close(p->ws);
	p->ws = -1;
}

void close_reset(int *fd)
{
	struct linger now = { .l_onoff = 1 };

	setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(*fd);
	*fd = -1;
}

bool pairs_connect(struct pair *p, int n)
{
	int listener = socket(AF_INET, SOCK_STREAM, 0), i;
	struct sockaddr_storage ss;
	socklen_t len;

	len = loopback(&ss, AF_INET);
	if (bind(listener, (void *)&ss, len) || listen(listener, 16) ||
	    getsockname(listener, (void *)&ss, &len)) {
		close(listener);
		return complain("listen: %s", strerror(errno));
	}
	for (i = 0; i < n; i++) {
		p[i] = (struct pair){ .raw = socket(AF_INET, SOCK_STREAM, 0),
				      .ws = -1 };
		if (!connect(p[i].raw, (void *)&ss, len))
			p[i].ws = accept(listener, NULL, NULL);
		if (p[i].ws < 0)
			break;
	}
	close(listener);
	return i == n || complain("connection %d: %s", i, strerror(errno));
}
