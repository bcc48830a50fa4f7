// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which connections a test has and where the checker of ws_wire.c stands in
 * each. That is shared by all processes of a test; which descriptor belongs to a
 * connection is each one's own.
 */
#include <netinet/tcp.h>
#include <sys/mman.h>

#include "ws_wire_streams.h"

#define STREAMS		1024

/* Untouched pages take no memory. */
static struct all_streams {
	pthread_mutex_t lock;
	unsigned int breaches;
	struct stream s[STREAMS];
} *all;

/* n + 1 for the peer of stream n, -n - 1 for its attached end. */
static int16_t of_fd[WIRE_DESCRIPTORS];
/* All behind it are unknown. */
static int end_of_fds;
/* By wire_off(), of this test. */
static bool off;

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

int wire_lookup(int fd)
{
	return all && fd >= 0 && fd < WIRE_DESCRIPTORS ?
	       __atomic_load_n(&of_fd[fd], __ATOMIC_RELAXED) : 0;
}

void wire_assign(int fd, int value)
{
	if (fd >= end_of_fds)
		end_of_fds = fd + 1;
	__atomic_store_n(&of_fd[fd], value, __ATOMIC_RELAXED);
}

struct stream *wire_peer(int fd)
{
	int n = wire_lookup(fd);

	return n > 0 ? &all->s[n - 1] : NULL;
}

struct stream *wire_attached(int fd)
{
	int n = wire_lookup(fd);

	return n < 0 ? &all->s[-n - 1] : NULL;
}

/* Locked, or NULL. */
struct stream *wire_take(struct stream *s)
{
	if (s)
		lock_take(&s->lock);
	return s;
}

void wire_put(struct stream *s)
{
	pthread_mutex_unlock(&s->lock);
}

void wire_blind(struct stream *s)
{
	if (!wire_take(s))
		return;
	s->blind = true;
	wire_put(s);
}

void wire_any_pong(struct stream *s)
{
	if (!wire_take(s))
		return;
	s->w.any_pong = true;
	wire_put(s);
}

void wire_off(const struct pair *p, const char *why)
{
	(void)why;
	if (p)
		wire_blind(wire_peer(p->raw));
	else
		off = true;
}

void wire_own_pongs(const struct pair *p, const char *why)
{
	(void)why;
	wire_any_pong(wire_peer(p->raw));
}

/* Without a room for it the pair is not watched. */
void wire_watch(const struct pair *p)
{
	struct stream *s;
	int n;

	if (!all || off || p->ws >= WIRE_DESCRIPTORS || p->raw >= WIRE_DESCRIPTORS)
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
		wire_assign(p->raw, n + 1);
		wire_assign(p->ws, -n - 1);
	}
	pthread_mutex_unlock(&all->lock);
}

static void report(bool good)
{
	if (!good)
		__atomic_add_fetch(&all->breaches, 1, __ATOMIC_RELAXED);
}

/* Then a call has taken the error, and recv() returns 0 as it does for FIN. */
static bool was_reset(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	return getsockopt(fd, SOL_TCP, TCP_INFO, &info, &len) ||
	       info.tcpi_state == TCP_CLOSE;
}

/* @len bytes for the peer, or 0 for the end. Locked. */
static void check(int fd, struct stream *s, struct wire *w, const void *data,
		  size_t len)
{
	size_t old = len < s->skip ? len : s->skip;

	s->skip -= old;
	if (s->blind || !s->attached)
		return;
	if (!len && !was_reset(fd))
		report(wire_ended(w));
	report(wire_received(w, (const char *)data + old, len - old));
}

/* Of two readers at a time nobody knows who was first. */
void wire_reading(struct stream *s)
{
	if (!wire_take(s))
		return;
	if (s->readers++)
		s->blind = true;
	wire_put(s);
}

/* With @n < 0 nothing has come. */
void wire_has_read(int fd, struct stream *s, const void *data, ssize_t n)
{
	int err = errno;

	wire_take(s);
	s->readers--;
	if (n >= 0)
		check(fd, s, &s->w, data, n);
	wire_put(s);
	errno = err;
}

void wire_sending(struct stream *s, const void *data, size_t len,
		  struct wire_undo *undo)
{
	wire_take(s);
	if (s->senders++)
		s->w.any_pong = true;
	*undo = (struct wire_undo){ s->w.in, s->w.pings, s->w.any_pong };
	wire_sent(&s->w, data, len);
	wire_put(s);
}

void wire_has_sent(struct stream *s, const void *data, size_t len, ssize_t n,
		   const struct wire_undo *undo)
{
	int err = errno;

	wire_take(s);
	if (--s->senders)
		s->w.any_pong = true;
	if (n != (ssize_t)len && !s->senders) {
		s->w.in = undo->in;
		s->w.pings = undo->pings;
		s->w.any_pong = undo->any_pong;
		wire_sent(&s->w, data, n < 0 ? 0 : n);
	}
	wire_put(s);
	errno = err;
}

/* What the attached end sends before it is attached is no frame. */
void wire_plain_sent(struct stream *s, ssize_t n)
{
	if (n <= 0 || !wire_take(s))
		return;
	if (!s->attached)
		s->skip += n;
	wire_put(s);
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
	wire_take(s);
	/* Another process may have it, too, and read on. */
	*w = s->w;
	skip = s->skip;
	if (n > 0)
		check(fd, s, w, buf, n);
	s->skip = skip;
	s->w.broken = w->broken;
	wire_put(s);
	free(w);
	free(buf);
}

void wire_forget(int fd)
{
	struct stream *s = wire_peer(fd);

	if (s) {
		check_unread(fd, s);
		wire_take(s);
		if (!--s->holders)
			s->used = false;
		wire_put(s);
	}
	if (wire_lookup(fd))
		wire_assign(fd, 0);
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
