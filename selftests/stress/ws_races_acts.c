// SPDX-License-Identifier: GPL-2.0-only
/* What a program may do to a socket, at any time; see ws_races.h. */
#include "ws_races.h"

#include <fcntl.h>
#include <signal.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

struct race the_race;

static uint32_t pick(struct racer *r, uint32_t n)
{
	return next_random(&r->seed) % n;
}

static int any_fd(struct racer *r)
{
	return FIRST_FD + pick(r, ENDS);
}

/* A connection, whatever signals come. */
static bool undisturbed_connect(struct pair *p, int family)
{
	sigset_t set, old;
	bool ok;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	ok = pair_connect(p, family, WS_ROLE_SERVER);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ok;
}

bool refill(struct racer *r, int number)
{
	struct timeval tv = { .tv_usec = 5000 };
	int first = FIRST_FD + number * 2, i;
	struct pair p;

	if (!undisturbed_connect(&p, pick(r, 2) ? AF_INET : AF_INET6))
		return false;
	for (i = 0; i < 2; i++) {
		int fd = i ? p.raw : p.ws;

		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
		if (pick(r, 4))
			ws_attach(fd);
		if (pick(r, 2))
			ws_set_role(fd, i);
		dup2(fd, first + i);
		close(fd);
	}
	return true;
}

static void do_refill(struct racer *r)
{
	if (!pick(r, 4))
		refill(r, pick(r, PAIRS));
}

static void do_attach(struct racer *r)
{
	ws_attach(any_fd(r));
}

static void do_config(struct racer *r)
{
	static const __u32 times[] = { 0, WS_TIME_MIN, WS_TIME_MIN + 3, 130 };
	struct ws_config cfg = {
		.role = pick(r, 2),
		.max_message = pick(r, 3) ? 0 : 1000,
		.rsv = pick(r, 2) ? WS_RSV1 : 0,
		.ping_interval = times[pick(r, 4)],
		.ping_timeout = times[pick(r, 4)],
		.assembly_timeout = times[pick(r, 4)],
		.close_timeout = times[pick(r, 3) + 1],
	};
	int fd = any_fd(r);

	if (ws_set(fd, WS_CONFIG, &cfg, sizeof(cfg))) {
		cfg.role = !cfg.role;
		ws_set(fd, WS_CONFIG, &cfg, sizeof(cfg));
	}
	if (!pick(r, 8))
		ws_set(fd, WS_RX_PREFIX, "\x81\x85\0\0\0\0hello",
		       1 + pick(r, 11));
}

static void do_recv(struct racer *r)
{
	static const int flags[] = { 0, MSG_DONTWAIT, MSG_PEEK, MSG_TRUNC,
				     MSG_WAITALL, MSG_OOB, MSG_ERRQUEUE,
				     MSG_PEEK | MSG_TRUNC };
	char buf[20000];

	if (pick(r, 4))
		ws_recv(any_fd(r), buf, pick(r, sizeof(buf)), flags[pick(r, 8)]);
	else
		recv(any_fd(r), buf, pick(r, sizeof(buf)), MSG_DONTWAIT);
}

static void do_send(struct racer *r)
{
	static const int flags[] = { 0, MSG_DONTWAIT, MSG_MORE, MSG_OOB };
	size_t len = pick(r, 8) ? pick(r, 2000) : pick(r, 300000);

	ws_send(any_fd(r), pick(r, 3), pattern(0, len), len, flags[pick(r, 4)]);
	if (!pick(r, 4))
		ws_send(any_fd(r), WS_OP_PING + pick(r, 2), "?", 1, 0);
	if (!pick(r, 16))
		ws_send_close(any_fd(r), 1000, "bye");
}

/* Frames from a plain end; to an attached one these are just payload. */
static void do_send_frames(struct racer *r)
{
	static const int firsts[] = { TEXT, F_TEXT, CONT, F_CONT, BINARY, PING,
				      PONG, CLOSE, 0x83, TEXT, BINARY, PING };
	int fd = any_fd(r), n = pick(r, 5) + 1;
	struct pair p = { .role = pick(r, 2) };
	struct bytes b = { 0 };

	while (n--) {
		int first = firsts[pick(r, ARRAY_SIZE(firsts))];
		size_t len = first & 8 ? pick(r, 126) : pick(r, 5000);

		bytes_frame(&b, &p, first, pattern(0, len), len);
	}
	send(fd, b.p, pick(r, 3) ? b.n : pick(r, b.n), MSG_NOSIGNAL |
	     MSG_DONTWAIT);
	bytes_free(&b);
}

static void do_splice(struct racer *r)
{
	int fd = any_fd(r), pipes[2], flags = SPLICE_F_NONBLOCK;

	if (pipe2(pipes, O_NONBLOCK))
		return;
	if (!pick(r, 2))
		flags |= SPLICE_F_MORE;
	if (pick(r, 2))
		splice(fd, NULL, pipes[1], NULL, 1 + pick(r, 20000), flags);
	else if (write(pipes[1], pattern(0, 9000), 9000) > 0)
		splice(pipes[0], NULL, fd, NULL, 1 + pick(r, 9000), flags);
	close(pipes[0]);
	close(pipes[1]);
}

static void do_poll(struct racer *r)
{
	struct pollfd pfd[ENDS];
	int i, n;

	for (i = 0; i < ENDS; i++)
		pfd[i] = (struct pollfd){ .fd = FIRST_FD + i,
					  .events = pick(r, 2) ? POLLIN :
						    POLLOUT | POLLRDHUP };
	poll(pfd, ENDS, pick(r, 5));
	ioctl(any_fd(r), FIONREAD, &n);
}

static void do_shutdown(struct racer *r)
{
	if (!pick(r, 6))
		shutdown(any_fd(r), pick(r, 3));
}

static void do_sockopt(struct racer *r)
{
	static const struct {
		int level, opt;
	} opts[] = {
		{ SOL_SOCKET, SO_RCVBUF }, { SOL_SOCKET, SO_SNDBUF },
		{ SOL_SOCKET, SO_RCVLOWAT }, { SOL_SOCKET, SO_BUSY_POLL },
		{ SOL_SOCKET, SO_OOBINLINE }, { SOL_SOCKET, SO_PEEK_OFF },
		{ SOL_TCP, TCP_CORK }, { SOL_TCP, TCP_NODELAY },
		{ SOL_TCP, TCP_QUICKACK }, { SOL_TCP, TCP_WINDOW_CLAMP },
		{ SOL_TCP, TCP_NOTSENT_LOWAT }, { SOL_TCP, TCP_REPAIR },
		{ SOL_TCP, TCP_USER_TIMEOUT },
	};
	struct linger reset = { .l_onoff = pick(r, 2) };
	struct sockaddr sa = { .sa_family = AF_UNSPEC };
	int which = pick(r, ARRAY_SIZE(opts)), fd = any_fd(r), off = 0;
	int value = pick(r, 2) ? pick(r, 2) : pick(r, 100000);

	setsockopt(fd, opts[which].level, opts[which].opt, &value,
		   sizeof(value));
	if (opts[which].opt == TCP_REPAIR)
		setsockopt(fd, SOL_TCP, TCP_REPAIR, &off, sizeof(off));
	if (!pick(r, 8))
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	if (!pick(r, 20))
		connect(fd, &sa, sizeof(sa));
	else if (!pick(r, 20))
		listen(fd, 1);
}

static void do_info(struct racer *r)
{
	struct ws_config cfg;
	struct ws_info info;
	struct tcp_info tcp;
	socklen_t len;
	int fd = any_fd(r);

	len = sizeof(cfg);
	getsockopt(fd, SOL_WS, WS_CONFIG, &cfg, &len);
	len = sizeof(info);
	getsockopt(fd, SOL_WS, WS_INFO, &info, &len);
	len = sizeof(tcp);
	getsockopt(fd, SOL_TCP, TCP_INFO, &tcp, &len);
	ws_stat("WsAttached");
}

static void do_dup(struct racer *r)
{
	char buf[2000];
	int fd = dup(any_fd(r));

	recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	close(fd);
}

/* Through a Unix socket, where it may stay for a while, or for ever. */
static void do_pass(struct racer *r)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .align = {
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	int fd = any_fd(r);
	char byte;

	memcpy(CMSG_DATA(&control.align), &fd, sizeof(fd));
	sendmsg(the_race.unix_sv[0], &msg, MSG_DONTWAIT);
	if (!pick(r, 3))
		return;
	iov.iov_base = &byte;
	msg.msg_controllen = sizeof(control);
	if (recvmsg(the_race.unix_sv[1], &msg, MSG_DONTWAIT) == 1 &&
	    CMSG_FIRSTHDR(&msg)) {
		memcpy(&fd, CMSG_DATA(&control.align), sizeof(fd));
		ws_send(fd, WS_OP_TEXT, "passed", 6, MSG_DONTWAIT);
		close(fd);
	}
}

static void do_signal(struct racer *r)
{
	pthread_kill(the_race.racers[pick(r, THREADS)].thread, SIGUSR1);
	usleep(pick(r, 2000));
}

/* A process with all the sockets, which ends or is killed at its work. */
static void do_fork(struct racer *r)
{
	int n = pick(r, 20);
	pid_t pid;

	if (pick(r, 8))
		return;
	pid = fork();
	if (!pid) {
		while (n--) {
			do_send(r);
			do_recv(r);
			do_config(r);
		}
		_exit(0);
	}
	if (pid < 0)
		return;
	usleep(pick(r, 10000));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

void *take_part(void *racer)
{
	static void (*const acts[])(struct racer *r) = {
		do_refill, do_attach, do_config, do_recv, do_send,
		do_send_frames, do_splice, do_poll, do_shutdown, do_sockopt,
		do_info, do_dup, do_pass, do_signal, do_fork, do_recv, do_send,
	};
	struct racer *r = racer;

	/* A signal needs somebody to be sent to. */
	while (!get(the_race.begun))
		usleep(1000);
	while (!get(the_race.over)) {
		acts[pick(r, ARRAY_SIZE(acts))](r);
		r->done++;
	}
	return NULL;
}
