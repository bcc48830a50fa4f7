// SPDX-License-Identifier: GPL-2.0-only
/*
 * The victim, and its peer in the same process, see ws_isolation.h.
 *
 * PONG is the kernel's answer. Without the module it is the program's, as every
 * WebSocket library answers PINGs: so a thread that waits in epoll_wait() and
 * sends the byte back is what it is compared with. TCP's own answer would be an
 * ACK, which TCP delays as it likes.
 *
 * EPOLLIN is from the peer's send() to the victim's return from epoll_wait().
 *
 * Close is from close() to what tells the peer that it was orderly: our Close
 * frame and then FIN, although it sends until it has read the Close. On plain
 * TCP it is the FIN, and the peer does not send, as that would be a reset.
 *
 * The time limit is ping_timeout of a peer that has sent the beginning of a
 * message and is silent then, and SO_RCVTIMEO: how much too late they come.
 */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <time.h>

#include "ws_isolation.h"
#include "ws_machine.h"

/* The shortest times there are: PING after 100 ms, or an eighth less. */
#define LIMIT_MS	200
#define LIMIT_LEAST_US	187000

/* Whole in one call, or the kernel has not held it together. */
#define MESSAGE		20000

struct victim {
	struct pair pong[KINDS];
	struct pair input[KINDS];
	int ep;
	int told;		/* eventfd: the server has had its input */
	uint64_t stamp;		/* microseconds; when it had */
	bool whole;
	pthread_t server;
};

/* One event loop for all of its sockets, as servers have. */
static void *serve(void *arg)
{
	struct victim *v = arg;
	static char buf[2 * MESSAGE];
	struct epoll_event ev;

	while (epoll_wait(v->ep, &ev, 1, -1) == 1) {
		uint64_t one = 1, stamp = now_us();
		ssize_t n;

		if (ev.data.fd == v->pong[K_PLAIN].ws) {
			n = recv(ev.data.fd, buf, 1, MSG_DONTWAIT);
			if (n == 1)
				send(ev.data.fd, buf, 1, MSG_NOSIGNAL);
			continue;
		}
		n = recv(ev.data.fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n <= 0)
			continue;
		v->whole = n == MESSAGE;
		v->stamp = stamp;
		if (write(v->told, &one, sizeof(one)) < 0)
			break;
	}
	return NULL;
}

static bool watch(struct victim *v, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.fd = fd };

	return !epoll_ctl(v->ep, EPOLL_CTL_ADD, fd, &ev) ||
	       complain("epoll: %s", strerror(errno));
}

static bool start(struct victim *v)
{
	v->ep = epoll_create1(0);
	v->told = eventfd(0, 0);
	return pair_open(&v->pong[K_WS], AF_INET, WS_ROLE_SERVER) &&
	       pair_open(&v->input[K_WS], AF_INET, WS_ROLE_SERVER) &&
	       pair_connect(&v->pong[K_PLAIN], AF_INET, WS_ROLE_SERVER) &&
	       pair_connect(&v->input[K_PLAIN], AF_INET, WS_ROLE_SERVER) &&
	       watch(v, v->pong[K_WS].ws) && watch(v, v->input[K_WS].ws) &&
	       watch(v, v->pong[K_PLAIN].ws) &&
	       watch(v, v->input[K_PLAIN].ws) &&
	       !pthread_create(&v->server, NULL, serve, v);
}

static uint32_t since(uint64_t begin)
{
	return now_us() - begin;
}

static uint32_t measure_pong(struct victim *v, enum kind kind)
{
	struct pair *p = &v->pong[kind];
	uint64_t begin = now_us();
	char byte;

	if (kind == K_WS)
		return raw_frame(p, PING, "are you there", 13) &&
		       expect_frame(p, PONG, "are you there", 13) ?
		       since(begin) : NEVER;
	return send(p->raw, "?", 1, MSG_NOSIGNAL) == 1 &&
	       recv(p->raw, &byte, 1, 0) == 1 ? since(begin) : NEVER;
}

static uint32_t measure_input(struct victim *v, enum kind kind)
{
	struct pair *p = &v->input[kind];
	uint64_t begin = now_us(), count;

	if (kind == K_WS ? !raw_frame(p, BINARY, pattern(0, MESSAGE), MESSAGE) :
			   send(p->raw, "?", 1, MSG_NOSIGNAL) != 1)
		return NEVER;
	if (!poll_for(v->told, POLLIN, WS_TEST_MS) ||
	    read(v->told, &count, sizeof(count)) < 0)
		return NEVER;
	if (kind == K_WS && !v->whole) {
		complain("a message of %d bytes comes in pieces", MESSAGE);
		return NEVER;
	}
	return v->stamp - begin;
}

static bool fin_comes(int fd)
{
	char byte;

	return !recv(fd, &byte, 1, 0) || complain("no FIN: %s", strerror(errno));
}

static bool close_in_order(struct pair *p, uint64_t *begin)
{
	struct bytes b = { 0 };

	if (ws_send(p->ws, WS_OP_TEXT, "last word", 9, 0) != 9)
		return complain("victim's send: %s", strerror(errno));
	*begin = now_us();
	close(p->ws);
	p->ws = -1;
	bytes_close(&b, p, 1001, "");
	return raw_frame(p, TEXT, "what I still had to say", 23) &&
	       expect_frame(p, TEXT, "last word", 9) &&
	       expect_close(p, 1001, "") && raw_send_bytes(p, &b) &&
	       expect_fin(p);
}

static uint32_t measure_close(struct victim *v, enum kind kind)
{
	uint64_t begin = 0;
	uint32_t us = NEVER;
	struct pair p;

	(void)v;
	if (kind == K_WS ? !pair_open(&p, AF_INET, WS_ROLE_SERVER) :
			   !pair_connect(&p, AF_INET, WS_ROLE_SERVER))
		return NEVER;
	if (kind == K_WS) {
		poll_now(p.ws, POLLIN);
		if (close_in_order(&p, &begin))
			us = since(begin);
	} else {
		begin = now_us();
		close(p.ws);
		p.ws = -1;
		if (fin_comes(p.raw))
			us = since(begin);
	}
	pair_close(&p);
	return us;
}

/* A program that reads what there is; the error is what it waits for. */
static bool times_out(int fd)
{
	uint64_t end = now_ms() + WS_TEST_MS;
	static char buf[65536];
	ssize_t n;

	do {
		poll_for(fd, POLLIN, 1000);
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	} while ((n > 0 || (n < 0 && errno == EAGAIN)) && now_ms() < end);
	return (n < 0 && errno == ETIMEDOUT) || complain("no time-out: %zd", n);
}

static uint32_t measure_timeout(struct victim *v, enum kind kind)
{
	struct ws_config cfg = { .ping_interval = LIMIT_MS / 2,
				 .ping_timeout = LIMIT_MS / 2 };
	struct timeval tv = { .tv_usec = LIMIT_MS * 1000 };
	unsigned char head[14];
	uint32_t us, due;
	uint64_t begin;
	struct pair p;
	char byte;
	size_t n;

	(void)v;
	n = frame_header(head, BINARY, 6 << 20,
			 (const unsigned char *)"\0\0\0");
	if (kind == K_WS ? !pair_open(&p, AF_INET, WS_ROLE_SERVER) :
			   !pair_connect(&p, AF_INET, WS_ROLE_SERVER))
		return NEVER;
	if (kind == K_WS) {
		raw_send(&p, head, n);
		raw_send(&p, pattern(0, 100), 100);
		ws_set(p.ws, WS_CONFIG, &cfg, sizeof(cfg));
		begin = now_us();
		us = times_out(p.ws) ? since(begin) : NEVER;
	} else {
		setsockopt(p.ws, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		begin = now_us();
		us = recv(p.ws, &byte, 1, 0) < 0 && errno == EAGAIN ?
		     since(begin) : NEVER;
	}
	pair_close(&p);
	due = kind == K_WS ? LIMIT_LEAST_US : LIMIT_MS * 1000;
	if (us == NEVER)
		return NEVER;
	return us > due ? us - due : 0;
}

static uint32_t measure_jitter(void)
{
	uint64_t begin = now_us();

	usleep(1000);
	return since(begin) - 1000;
}

/* What never came is not waited for again, and its socket may be out of step. */
static void measure_all(struct victim *v, struct results *r, int phase,
			int round)
{
	static uint32_t (*const how[MEASURES])(struct victim *v, enum kind kind) = {
		[M_PONG] = measure_pong,
		[M_INPUT] = measure_input,
		[M_CLOSE] = measure_close,
		[M_TIMEOUT] = measure_timeout,
	};
	int m, k;

	r->jitter[phase][round] = measure_jitter();
	for (m = 0; m < MEASURES; m++)
		for (k = 0; k < KINDS; k++)
			r->us[phase][m][k][round] =
				round && r->us[phase][m][k][round - 1] == NEVER ?
				NEVER : how[m](v, k);
	__atomic_store_n(&r->rounds[phase], round + 1, __ATOMIC_RELEASE);
}

bool victim_run(struct results *r)
{
	static struct victim v;
	int phase;

	if (!group_enter("victim", "max") || !net_own() ||
	    !become_user(VICTIM_UID) || !start(&v))
		return false;
	do {
		phase = __atomic_load_n(&r->phase, __ATOMIC_ACQUIRE);
		if (phase < PHASES && r->rounds[phase] < ROUNDS)
			measure_all(&v, r, phase, r->rounds[phase]);
		else
			usleep(1000);
	} while (phase < PHASES);
	return true;
}
