// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of a test's peer, with the checker of ws_wire.c behind them. The
 * linker puts these functions in the place of the C library's, see the Makefile;
 * what they do not know they pass on as it is.
 *
 * What is known of a connection is shared by all processes of a test; which
 * descriptor belongs to it is each one's own.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "ws_wire.h"

#ifndef SOL_TLS
#define SOL_TLS		282
#endif
#define TLS_DATA	23

#define STREAMS		1024
#define DESCRIPTORS	65536

struct stream {
	pthread_mutex_t lock;
	bool used;
	bool attached;
	bool blind;		/* nothing is checked any more */
	int holders;		/* processes that have the peer's descriptor */
	int senders;		/* calls that are under way */
	int readers;
	uint64_t skip;		/* bytes that are older than the attach */
	struct wire w;
};

/* Untouched pages take no memory. */
static struct all_streams {
	pthread_mutex_t lock;
	unsigned int breaches;
	struct stream s[STREAMS];
} *all;

/* n + 1 for the peer of stream n, -n - 1 for its attached end. */
static int16_t of_fd[DESCRIPTORS];
/* All behind it are unknown. */
static int end_of_fds;

static void lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(lock, &attr);
}

/* A process may have been killed with it. */
static void lock_take(pthread_mutex_t *lock)
{
	if (pthread_mutex_lock(lock) == EOWNERDEAD)
		pthread_mutex_consistent(lock);
}

static int lookup(int fd)
{
	return all && fd >= 0 && fd < DESCRIPTORS ?
	       __atomic_load_n(&of_fd[fd], __ATOMIC_RELAXED) : 0;
}

static void assign(int fd, int value)
{
	if (fd >= end_of_fds)
		end_of_fds = fd + 1;
	__atomic_store_n(&of_fd[fd], value, __ATOMIC_RELAXED);
}

static struct stream *peer_of(int fd)
{
	int n = lookup(fd);

	return n > 0 ? &all->s[n - 1] : NULL;
}

static struct stream *attached_of(int fd)
{
	int n = lookup(fd);

	return n < 0 ? &all->s[-n - 1] : NULL;
}

/* Locked, or NULL. */
static struct stream *take(struct stream *s)
{
	if (s)
		lock_take(&s->lock);
	return s;
}

static void put(struct stream *s)
{
	pthread_mutex_unlock(&s->lock);
}

static void make_blind(struct stream *s)
{
	if (!take(s))
		return;
	s->blind = true;
	put(s);
}

static void any_pong(struct stream *s)
{
	if (!take(s))
		return;
	s->w.any_pong = true;
	put(s);
}

void wire_off(const struct pair *p, const char *why)
{
	(void)why;
	make_blind(peer_of(p->raw));
}

void wire_own_pongs(const struct pair *p, const char *why)
{
	(void)why;
	any_pong(peer_of(p->raw));
}

/* Without a room for it the pair is not watched. */
void wire_watch(const struct pair *p)
{
	struct stream *s;
	int n;

	if (!all || p->ws >= DESCRIPTORS || p->raw >= DESCRIPTORS)
		return;
	lock_take(&all->lock);
	for (n = 0; n < STREAMS && all->s[n].used; n++)
		;
	if (n < STREAMS) {
		s = &all->s[n];
		memset(s, 0, offsetof(struct stream, w.hashes));
		lock_init(&s->lock);
		s->used = true;
		s->holders = 1;
		s->w.server = p->role == WS_ROLE_SERVER;
		assign(p->raw, n + 1);
		assign(p->ws, -n - 1);
	}
	pthread_mutex_unlock(&all->lock);
}

static void report(bool good)
{
	if (!good)
		__atomic_add_fetch(&all->breaches, 1, __ATOMIC_RELAXED);
}

/* @len bytes for the peer, or 0 for the end. Locked. */
static void check(struct stream *s, struct wire *w, const void *data, size_t len)
{
	size_t old = len < s->skip ? len : s->skip;

	s->skip -= old;
	if (s->blind || !s->attached)
		return;
	if (!len)
		report(wire_ended(w));
	report(wire_received(w, (const char *)data + old, len - old));
}

/* Of two readers at a time nobody knows who was first. */
static void reading(struct stream *s)
{
	if (!take(s))
		return;
	if (s->readers++)
		s->blind = true;
	put(s);
}

/* With @n < 0 nothing has come. */
static void received(struct stream *s, const void *data, ssize_t n)
{
	int err = errno;

	take(s);
	s->readers--;
	if (n >= 0)
		check(s, &s->w, data, n);
	put(s);
	errno = err;
}

/*
 * Who reads the answer may be faster than the call returns: what is to be sent
 * is noted before it, and taken back when it was less.
 */
struct undo {
	struct wire_half in;
	unsigned int pings;
	bool any_pong;
};

static void sending(struct stream *s, const void *data, size_t len,
		    struct undo *undo)
{
	take(s);
	if (s->senders++)
		s->w.any_pong = true;
	*undo = (struct undo){ s->w.in, s->w.pings, s->w.any_pong };
	wire_sent(&s->w, data, len);
	put(s);
}

static void has_sent(struct stream *s, const void *data, size_t len, ssize_t n,
		     const struct undo *undo)
{
	int err = errno;

	take(s);
	if (--s->senders)
		s->w.any_pong = true;
	if (n != (ssize_t)len && !s->senders) {
		s->w.in = undo->in;
		s->w.pings = undo->pings;
		s->w.any_pong = undo->any_pong;
		wire_sent(&s->w, data, n < 0 ? 0 : n);
	}
	put(s);
	errno = err;
}

/* What the attached end sends before it is attached is no frame. */
static void plain_sent(struct stream *s, ssize_t n)
{
	if (n <= 0 || !take(s))
		return;
	if (!s->attached)
		s->skip += n;
	put(s);
}

/* What takes no bytes of the stream. */
#define PASSED_OVER	(MSG_PEEK | MSG_ERRQUEUE | MSG_OOB)

ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags)
{
	struct stream *s = len && !(flags & PASSED_OVER) ? peer_of(fd) : NULL;
	ssize_t n;

	reading(s);
	if (flags & MSG_TRUNC)
		make_blind(s);
	n = __real_recv(fd, buf, len, flags);
	if (s)
		received(s, buf, n);
	return n;
}

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
	struct stream *s = len ? peer_of(fd) : NULL;
	ssize_t n;

	reading(s);
	n = __real_read(fd, buf, len);
	if (s)
		received(s, buf, n);
	return n;
}

static bool is_data(struct msghdr *msg)
{
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c))
		if (c->cmsg_level == SOL_TLS && *CMSG_DATA(c) != TLS_DATA)
			return false;
	return true;
}

/* Of peers it only reads TLS records, into one piece of memory. */
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags)
{
	struct stream *s = flags & PASSED_OVER ? NULL : peer_of(fd);
	ssize_t n;

	reading(s);
	if (msg->msg_iovlen != 1)
		make_blind(s);
	n = __real_recvmsg(fd, msg, flags);
	if (s)
		received(s, msg->msg_iovlen ? msg->msg_iov->iov_base : NULL,
			 n < 0 || !is_data(msg) ? -1 : n);
	return n;
}

ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags)
{
	struct stream *s = peer_of(fd);
	struct undo undo;
	ssize_t n;

	if (s)
		sending(s, buf, len, &undo);
	n = __real_send(fd, buf, len, flags);
	if (s)
		has_sent(s, buf, len, n, &undo);
	plain_sent(attached_of(fd), n);
	return n;
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	struct stream *s = peer_of(fd);
	struct undo undo;
	ssize_t n;

	if (s)
		sending(s, buf, len, &undo);
	n = __real_write(fd, buf, len);
	if (s)
		has_sent(s, buf, len, n, &undo);
	plain_sent(attached_of(fd), n);
	return n;
}

/* A PONG of the program's own? */
static bool has_pong(const struct msghdr *msg)
{
	struct msghdr *m = (struct msghdr *)msg;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_WS && c->cmsg_type == WS_MSG &&
		    c->cmsg_len >= CMSG_LEN(sizeof(struct ws_msg)) &&
		    ((struct ws_msg *)CMSG_DATA(c))->opcode == WS_OP_PONG)
			return true;
	return false;
}

/* Of peers only TLS records of other types are sent by it. */
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags)
{
	struct stream *s = attached_of(fd);
	ssize_t n;

	if (s && has_pong(msg))
		any_pong(s);
	any_pong(peer_of(fd));
	n = __real_sendmsg(fd, msg, flags);
	plain_sent(s, n);
	return n;
}

ssize_t __wrap_sendfile(int out, int in, off_t *at, size_t len)
{
	ssize_t n;

	any_pong(peer_of(out));
	n = __real_sendfile(out, in, at, len);
	plain_sent(attached_of(out), n);
	return n;
}

ssize_t __wrap_splice(int in, off_t *at_in, int out, off_t *at_out, size_t len,
		      unsigned int flags)
{
	ssize_t n;

	any_pong(peer_of(out));
	make_blind(peer_of(in));
	n = __real_splice(in, at_in, out, at_out, len, flags);
	plain_sent(attached_of(out), n);
	return n;
}

static bool is_attach(int level, int opt, const void *val, socklen_t len)
{
	return (level == SOL_IP && opt == WS_ATTACH) ||
	       (level == SOL_TCP && opt == TCP_ULP && len >= 2 &&
		!memcmp(val, "ws", 2));
}

/* A prefix has come from the peer before all that it sends here. */
static void prefix_set(struct stream *s, const void *val, socklen_t len)
{
	if (s->w.in.at)
		s->w.any_pong = true;
	wire_sent(&s->w, val, len);
}

static void config_set(struct stream *s, const struct ws_config *cfg)
{
	s->w.server = cfg->role == WS_ROLE_SERVER;
	s->w.rsv |= cfg->rsv & 0x70;
}

static void option_set(struct stream *s, int level, int opt, const void *val,
		       socklen_t len)
{
	bool attach = is_attach(level, opt, val, len);

	if (attach)
		s->attached = true;
	if (level == SOL_WS && opt == WS_RX_PREFIX)
		prefix_set(s, val, len);
	if (((attach && level == SOL_IP) || (level == SOL_WS && opt == WS_CONFIG)) &&
	    len >= offsetof(struct ws_config, rsv) + sizeof(__u32))
		config_set(s, val);
}

int __wrap_setsockopt(int fd, int level, int opt, const void *val, socklen_t len)
{
	struct stream *s = attached_of(fd);
	int ret = __real_setsockopt(fd, level, opt, val, len);
	int err = errno;

	if (!ret && take(s)) {
		option_set(s, level, opt, val, len);
		put(s);
	}
	/* Both ends are attached: none is a peer that reads frames. */
	if (!ret && peer_of(fd) && is_attach(level, opt, val, len))
		make_blind(peer_of(fd));
	errno = err;
	return ret;
}

#define PEEK	(256 << 10)

/* What the peer has left unread is checked as well. */
static void check_unread(int fd, struct stream *s)
{
	struct wire *w;
	uint64_t skip;
	void *buf;
	ssize_t n;

	if (s->blind || !s->attached || s->readers || !poll_now(fd, POLLIN))
		return;
	buf = malloc(PEEK);
	w = malloc(sizeof(*w));
	if (!buf || !w)
		abort();
	n = __real_recv(fd, buf, PEEK, MSG_PEEK | MSG_DONTWAIT);
	take(s);
	/* Another process may have it, too, and read on. */
	*w = s->w;
	skip = s->skip;
	if (n > 0)
		check(s, w, buf, n);
	s->skip = skip;
	s->w.broken = w->broken;
	put(s);
	free(w);
	free(buf);
}

static void forget(int fd)
{
	struct stream *s = peer_of(fd);

	if (s) {
		check_unread(fd, s);
		take(s);
		if (!--s->holders)
			s->used = false;
		put(s);
	}
	if (lookup(fd))
		assign(fd, 0);
}

int __wrap_close(int fd)
{
	forget(fd);
	return __real_close(fd);
}

/* A peer with two descriptors is read behind our back. */
int __wrap_dup(int fd)
{
	int copy = __real_dup(fd);

	make_blind(peer_of(fd));
	if (copy >= 0 && copy < DESCRIPTORS && attached_of(fd))
		assign(copy, lookup(fd));
	return copy;
}

int __wrap_dup2(int fd, int other)
{
	make_blind(peer_of(fd));
	if (fd != other)
		forget(other);
	return __real_dup2(fd, other);
}

/* Pairs are the tests': the harness has no descriptor of any. */
void wire_before_test(void)
{
	if (all)
		munmap(all, sizeof(*all));
	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (all == MAP_FAILED) {
		complain("no memory for the checks: %s", strerror(errno));
		abort();
	}
	lock_init(&all->lock);
}

bool wire_after_test(void)
{
	return !all || !all->breaches;
}

void wire_fork(void)
{
	int fd;

	for (fd = 0; fd < end_of_fds; fd++)
		if (of_fd[fd] > 0)
			all->s[of_fd[fd] - 1].holders++;
}
