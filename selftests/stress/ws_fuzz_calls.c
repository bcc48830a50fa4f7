// SPDX-License-Identifier: GPL-2.0-only
/* Random calls on an attached socket: all that it answers to, and more. */
#include "ws_fuzz.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/time.h>
#include <sys/uio.h>

#include <linux/sockios.h>
#include <linux/tcp.h>

#ifndef SO_PEEK_OFF
#define SO_PEEK_OFF	42
#endif
#ifndef SO_ZEROCOPY
#define SO_ZEROCOPY	60
#endif

/* Memory for @len bytes that may end too early, or not be there at all. */
static void *place(struct world *w, struct dice *d, size_t len)
{
	switch (roll(d, 16)) {
	case 0:
		return NULL;
	case 1:
		return (void *)0xffff800000000000UL;
	case 2:
		return w->wall;
	case 3:
		return w->wall - roll(d, 64);
	case 4:
		return (void *)-16L;
	case 5:
		return w->wall - len;
	default:
		return w->arena + roll(d, 64);
	}
}

static int place_iov(struct world *w, struct dice *d, struct iovec *iov)
{
	int i, n = chance(d, 4) ? roll(d, 5) : 1;

	for (i = 0; i < n; i++) {
		iov[i].iov_len = roll_size(d, ARENA / 2);
		iov[i].iov_base = place(w, d, iov[i].iov_len);
	}
	return n;
}

static const int flags_of_msg[] = {
	MSG_PEEK, MSG_TRUNC, MSG_WAITALL, MSG_DONTWAIT, MSG_DONTWAIT, MSG_MORE,
	MSG_MORE, MSG_EOR, MSG_OOB, MSG_ERRQUEUE, MSG_ZEROCOPY, MSG_FASTOPEN,
	MSG_CTRUNC, MSG_DONTROUTE, MSG_NOSIGNAL, MSG_CMSG_CLOEXEC,
};

static int roll_flags(struct dice *d)
{
	int flags = MSG_NOSIGNAL;

	while (chance(d, 2))
		flags |= flags_of_msg[roll(d, 16)];
	return chance(d, 32) ? flags | (int)roll64(d) : flags;
}

static void call_recvmsg(struct world *w, int fd, struct dice *d)
{
	static const size_t sizes[] = { 0, 1, 16, 23, 24, 32, 256 };
	struct mmsghdr m[2];
	struct iovec iov[4];
	int n = place_iov(w, d, iov);
	char control[256];
	int flags = roll_flags(d);

	memset(m, 0, sizeof(m));
	m[0].msg_hdr.msg_iov = iov;
	m[0].msg_hdr.msg_iovlen = n;
	m[0].msg_hdr.msg_controllen = sizes[roll(d, 7)];
	m[0].msg_hdr.msg_control = chance(d, 8) ? place(w, d, 64) : control;
	m[1] = m[0];
	if (chance(d, 8))
		recvmmsg(fd, m, 2, flags, NULL);
	else
		recvmsg(fd, &m[0].msg_hdr, flags);
}

static size_t put_cmsg(struct dice *d, char *control, size_t at)
{
	static const uint8_t opcodes[] = {
		WS_OP_CONT, WS_OP_TEXT, WS_OP_BINARY, WS_OP_CLOSE, WS_OP_PING,
		WS_OP_PONG, WS_OP_TEXT, 3,
	};
	static const uint16_t codes[] = {
		0, 1000, 1001, 1005, 1006, 3000, 4999, 5000,
	};
	struct ws_msg m = {
		.opcode = opcodes[roll(d, 8)],
		.code = codes[roll(d, 8)],
		.flags = chance(d, 4) ? roll(d, 8) : 0,
	};
	struct cmsghdr c = {
		.cmsg_len = CMSG_LEN(sizeof(m)),
		.cmsg_level = SOL_WS,
		.cmsg_type = WS_MSG,
	};

	if (chance(d, 12))
		c.cmsg_len = roll(d, 64);
	if (chance(d, 12))
		c.cmsg_level = roll(d, 2) ? SOL_SOCKET : SOL_TCP;
	if (chance(d, 12))
		c.cmsg_type = roll(d, 4);
	memcpy(control + at, &c, sizeof(c));
	memcpy(control + at + sizeof(c), &m, sizeof(m));
	return at + CMSG_SPACE(sizeof(m));
}

static void call_sendmsg(struct world *w, int fd, struct dice *d)
{
	char control[256] __aligned(8);
	struct mmsghdr m[2];
	struct iovec iov[4];
	size_t at = 0;
	int flags, n = chance(d, 4) ? roll(d, 4) : roll(d, 2);

	memset(m, 0, sizeof(m));
	while (n--)
		at = put_cmsg(d, control, at);
	m[0].msg_hdr.msg_iov = iov;
	m[0].msg_hdr.msg_iovlen = place_iov(w, d, iov);
	/* What control frames can have. */
	if (at && chance(d, 2))
		iov[0].iov_len = roll(d, 128);
	m[0].msg_hdr.msg_control = control;
	m[0].msg_hdr.msg_controllen = chance(d, 16) ? roll(d, 64) : at;
	m[1] = m[0];
	flags = roll_flags(d);
	if (chance(d, 8))
		sendmmsg(fd, m, 2, flags);
	else
		sendmsg(fd, &m[0].msg_hdr, flags | MSG_NOSIGNAL);
}

static void call_plain(struct world *w, int fd, struct dice *d)
{
	struct iovec iov[4];
	int n = place_iov(w, d, iov);

	switch (roll(d, 4)) {
	case 0:
		n = readv(fd, iov, n);
		break;
	case 1:
		n = writev(fd, iov, n);
		break;
	case 2:
		n = recv(fd, w->arena, roll_size(d, ARENA), roll_flags(d));
		break;
	default:
		n = send(fd, w->arena, roll_size(d, ARENA), roll_flags(d));
		break;
	}
}

static uint32_t roll_time(struct dice *d)
{
	static const uint32_t times[] = {
		0, 0, 100, 150, 1000, 99, WS_TIME_MAX, WS_TIME_MAX + 1,
	};

	return times[roll(d, 8)];
}

static void call_config(int fd, struct dice *d)
{
	union {
		struct ws_config cfg;
		char room[8192];
	} u;
	struct ws_config *cfg = &u.cfg;
	socklen_t len = sizeof(*cfg);

	memset(&u, 0, sizeof(u));
	getsockopt(fd, SOL_WS, WS_CONFIG, cfg, &len);
	len = sizeof(*cfg);
	if (chance(d, 4))
		cfg->role = roll(d, 3);
	if (chance(d, 3))
		cfg->max_message = chance(d, 2) ? roll_size(d, 1 << 20) :
						  roll64(d);
	if (chance(d, 3))
		cfg->rsv = chance(d, 4) ? roll(d, 256) : WS_RSV1;
	if (chance(d, 3))
		cfg->send_opcode = roll(d, 4);
	if (chance(d, 2))
		cfg->ping_interval = roll_time(d);
	if (chance(d, 3))
		cfg->ping_timeout = roll_time(d);
	if (chance(d, 2))
		cfg->assembly_timeout = roll_time(d);
	if (chance(d, 3))
		cfg->close_timeout = roll_time(d);
	if (chance(d, 16))
		cfg->flags = 1;
	if (chance(d, 8))
		len = roll_size(d, sizeof(u));
	if (chance(d, 16))
		u.room[roll(d, 128)] = 1;
	setsockopt(fd, SOL_WS, WS_CONFIG, &u, len);
}

static void call_ws_option(struct world *w, int fd, struct dice *d)
{
	socklen_t len = roll_size(d, 200);
	void *at = place(w, d, len);

	switch (roll(d, 6)) {
	case 0:
	case 1:
		call_config(fd, d);
		break;
	case 2:
		if (chance(d, 4))
			len = chance(d, 2) ? (socklen_t)-1 : 70000;
		setsockopt(fd, SOL_WS, roll(d, 5), at, len);
		break;
	case 3:
		if (chance(d, 4))
			len = -1;
		getsockopt(fd, SOL_WS, roll(d, 5), at, &len);
		break;
	case 4:
		getsockopt(fd, SOL_WS, WS_INFO, at,
			   (void *)((char *)at + roll(d, 8)));
		break;
	default:
		setsockopt(fd, SOL_TCP, TCP_ULP, chance(d, 2) ? "ws" : "tls",
			   chance(d, 2) ? 2 : 3);
		break;
	}
}

static const struct option {
	int level, name;
} options[] = {
	{ SOL_SOCKET, SO_RCVBUF }, { SOL_SOCKET, SO_SNDBUF },
	{ SOL_SOCKET, SO_RCVBUF }, { SOL_SOCKET, SO_SNDBUF },
	{ SOL_SOCKET, SO_RCVLOWAT }, { SOL_SOCKET, SO_OOBINLINE },
	{ SOL_SOCKET, SO_PEEK_OFF }, { SOL_SOCKET, SO_ZEROCOPY },
	{ SOL_SOCKET, SO_BUSY_POLL }, { SOL_SOCKET, SO_TIMESTAMP },
	{ SOL_SOCKET, SO_KEEPALIVE }, { SOL_SOCKET, SO_ERROR },
	{ SOL_TCP, TCP_NODELAY }, { SOL_TCP, TCP_CORK },
	{ SOL_TCP, TCP_MAXSEG }, { SOL_TCP, TCP_WINDOW_CLAMP },
	{ SOL_TCP, TCP_QUICKACK }, { SOL_TCP, TCP_NOTSENT_LOWAT },
	{ SOL_TCP, TCP_REPAIR }, { SOL_TCP, TCP_REPAIR_QUEUE },
	{ SOL_TCP, TCP_QUEUE_SEQ }, { SOL_TCP, TCP_INQ },
	{ SOL_TCP, TCP_ZEROCOPY_RECEIVE }, { SOL_TCP, TCP_INFO },
	{ SOL_TCP, TCP_FASTOPEN }, { SOL_TCP, TCP_DEFER_ACCEPT },
	{ IPPROTO_IP, 1 /* IP_TOS */ }, { IPPROTO_IPV6, 1 /* ADDRFORM */ },
};

static void call_option(struct world *w, int fd, struct dice *d)
{
	const struct option *o = &options[roll(d, ARRAY_SIZE(options))];
	struct linger linger = { .l_onoff = roll(d, 2) };
	int value = chance(d, 2) ? (int)roll(d, 3) : (int)roll_size(d, 1 << 20);
	socklen_t len = chance(d, 16) ? roll(d, 8) : sizeof(value);

	/* With a number of seconds close() may wait: seldom. */
	if (chance(d, 16)) {
		linger.l_linger = chance(d, 8);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	} else if (chance(d, 4)) {
		len = roll_size(d, 300);
		getsockopt(fd, o->level, o->name, place(w, d, len), &len);
	} else {
		setsockopt(fd, o->level, o->name, &value, len);
	}
}

static void call_poll(struct world *w, int fd, struct dice *d)
{
	struct epoll_event ev = { .events = roll64(d), .data.fd = fd };
	int ms = chance(d, 4) ? roll(d, 4) : 0;

	switch (roll(d, 4)) {
	case 0:
		epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev);
		break;
	case 1:
		epoll_ctl(w->epoll, chance(d, 2) ? EPOLL_CTL_MOD :
			  EPOLL_CTL_DEL, fd, &ev);
		break;
	case 2:
		epoll_wait(w->epoll, &ev, 1, ms);
		break;
	default:
		poll_for(fd, roll(d, 65536), ms);
		break;
	}
}

static void call_splice(struct world *w, int fd, struct dice *d)
{
	size_t len = roll_size(d, ARENA);
	off_t at = roll(d, 4096);
	int flags = SPLICE_F_NONBLOCK;

	if (chance(d, 2))
		flags |= SPLICE_F_MORE;
	switch (roll(d, 5)) {
	case 0:
		splice(fd, NULL, w->pipe[1], NULL, len, flags);
		break;
	case 1:
		splice(w->pipe[0], NULL, fd, NULL, len, flags);
		break;
	case 2:
		len = write(w->pipe[1], w->arena, roll_size(d, 4096));
		break;
	case 3:
		len = read(w->pipe[0], w->arena, roll_size(d, ARENA));
		break;
	default:
		/* Up to its end, and beyond. */
		if (chance(d, 2))
			at = ARENA - roll(d, 4096);
		sendfile(fd, w->file, &at, len);
		break;
	}
}

static void call_ioctl(struct world *w, int fd, struct dice *d)
{
	static const unsigned long requests[] = {
		FIONREAD, SIOCOUTQ, SIOCATMARK, SIOCOUTQNSD, FIOASYNC,
		SIOCGSTAMP, FIONBIO, 0x5412,
	};
	unsigned long request = requests[roll(d, 8)];
	int value = 0;

	ioctl(fd, request, chance(d, 8) ? place(w, d, 4) : &value);
}

static void call_life(struct world *w, int fd, struct dice *d)
{
	struct sockaddr sa = { .sa_family = AF_UNSPEC };
	int copy;

	switch (roll(d, 8)) {
	case 0:
		shutdown(fd, roll(d, 4));
		break;
	case 1:
		connect(fd, &sa, sizeof(sa));
		break;
	case 2:
		listen(fd, 1);
		break;
	case 3:
		copy = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
		if (copy >= 0)
			close(copy);
		break;
	case 4:
		fcntl(fd, F_SETFL, chance(d, 2) ? O_NONBLOCK : 0);
		break;
	case 5:
		if (w->other >= 0)
			close(w->other);
		w->other = dup(fd);
		break;
	case 6:
		copy = dup(fd);
		close(copy);
		break;
	default:
		/* The end of it, when no other descriptor has it open. */
		if (chance(d, 4) && w->other >= 0) {
			copy = w->other;
			w->other = -1;
			dup2(copy, fd);
			close(copy);
		}
		break;
	}
}

static const struct {
	const char *name;
	void (*call)(struct world *w, int fd, struct dice *d);
} calls[] = {
	{ "recvmsg", call_recvmsg },
	{ "recvmsg", call_recvmsg },
	{ "recvmsg", call_recvmsg },
	{ "sendmsg", call_sendmsg },
	{ "sendmsg", call_sendmsg },
	{ "sendmsg", call_sendmsg },
	{ "read or write", call_plain },
	{ "read or write", call_plain },
	{ "an option of SOL_WS", call_ws_option },
	{ "an option of SOL_WS", call_ws_option },
	{ "an option", call_option },
	{ "poll", call_poll },
	{ "poll", call_poll },
	{ "splice", call_splice },
	{ "ioctl", call_ioctl },
	{ "shutdown, connect, dup", call_life },
};

void fuzz_call(struct world *w, int fd, struct dice *d)
{
	unsigned int i = roll(d, ARRAY_SIZE(calls));

	if (w->other >= 0 && chance(d, 4))
		fd = w->other;
	doing(calls[i].name);
	calls[i].call(w, fd, d);
	doing(NULL);
	__atomic_fetch_add(&fuzz_calls, 1, __ATOMIC_RELAXED);
}
