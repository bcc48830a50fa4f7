/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the test programs share. The frames of the peer are made and read
 * here, byte by byte from RFC 6455 and without the module's core, so that
 * the two check each other.
 *
 * A helper that returns bool says on stderr what was wrong and leaves the
 * verdict to the test: ASSERT_TRUE(expect_message(...)).
 */
#ifndef _WS_TEST_H
#define _WS_TEST_H

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <linux/ws.h>

#ifndef TCP_ULP
#define TCP_ULP		31
#endif
#ifndef SOL_TCP
#define SOL_TCP		6
#endif

/*
 * How many times longer than in an idle emulated guest system calls take here
 * and now; at least 1. Measured when the program begins.
 */
unsigned int test_slowness(void);
/* The same, measured now. */
unsigned int slowness_now(void);
/* A limit against hangs, not a measure of speed: on a slow machine it is longer. */
#define test_patience(limit)	((limit) * test_slowness())
/* alarm() as the C library has it, and as the tests call it; see the Makefile. */
unsigned int __real_alarm(unsigned int seconds);
unsigned int __wrap_alarm(unsigned int seconds);
/* After this long a call that should have ended has failed. */
#define WS_TEST_MS	test_patience(20000)
/*
 * Have less than @ms passed since @begin? On a machine that is slow now, as
 * many times more.
 */
bool in_time(uint64_t begin, unsigned int ms);

/* First bytes of frames. */
#define FIN		0x80
#define F_CONT		0x00
#define F_TEXT		0x01
#define F_BINARY	0x02
#define TEXT		(FIN | WS_OP_TEXT)
#define BINARY		(FIN | WS_OP_BINARY)
#define CONT		(FIN | WS_OP_CONT)
#define CLOSE		(FIN | WS_OP_CLOSE)
#define PING		(FIN | WS_OP_PING)
#define PONG		(FIN | WS_OP_PONG)

#ifndef __printf
#define __printf(a, b)	__attribute__(( \
				format(printf, a, b)))
#endif

/* Says why on stderr; returns false. */
__printf(1, 2)
bool complain(const char *fmt, ...);

/*
 * A TCP connection over loopback: @ws is or will be attached, @raw is its
 * peer and stays plain TCP. @sent counts what raw_send() has sent.
 */
struct pair {
	int ws;
	int raw;
	__u32 role;
	uint64_t sent;
};

/* Connected, with TCP_NODELAY and WS_TEST_MS as timeouts; not attached. */
bool pair_connect(struct pair *p, int family, __u32 role);
/* ... and attached in this role. */
bool pair_open(struct pair *p, int family, __u32 role);
/*
 * ... with SO_RCVBUF of the attached end and of its peer, and TCP_MAXSEG of
 * both; 0 for the default. Set before connecting: TCP drops what it has
 * offered too much room for, and then waits longer and longer to send it
 * again. Loopback's own segments are larger than a small buffer, and each may
 * have to wait for a timer.
 */
bool pair_open_rcvbuf(struct pair *p, int family, __u32 role, int rcvbuf,
		      int peer_rcvbuf, int mss);
void pair_close(struct pair *p);
/* The attached end alone. */
void pair_close_ws(struct pair *p);
/* close() that resets the connection; -1 is left. */
void close_reset(int *fd);
/*
 * @n connections by one listener, whose end is @ws; without the options and the
 * checks of pair_connect(), and never with kTLS.
 */
bool pairs_connect(struct pair *p, int n);
/* A message each way, and nothing is wrong. */
bool pair_works(struct pair *p);

/*
 * What the attached end sends is checked on its way to the peer, see ws_wire.c;
 * pair_connect() says so for its pairs.
 */
void wire_watch(const struct pair *p);
/*
 * For a test that lets the attached end break a rule on purpose, or reads as no
 * checker can follow. NULL for all pairs that are still to come: a test that
 * passes bad pointers must not have them looked at. @why is for the reader.
 */
void wire_off(const struct pair *p, const char *why);
/* The program sends PONGs by itself. */
void wire_own_pongs(const struct pair *p, const char *why);

/*
 * With WS_TEST_TLS in the environment, "1.2" or "1.3", or these and another
 * cipher, "1.3-aes256" or "1.3-chacha20", every pair has that kTLS below on both
 * ends, from pair_connect() on; NULL without.
 */
const char *test_tls(void);
bool pair_secure(struct pair *p, const char *version);
#define TLS_SENDS	1
#define TLS_RECEIVES	2
#define TLS_BOTH	3
/* On one end, for these directions; 0 or a negated errno. */
int tls_start(int fd, const char *version, bool server, int directions);
int tls_keys(int fd, const char *version, bool server, int directions);
/* A record of any type; bytes or a negated errno. */
ssize_t tls_send(int fd, int type, const void *data, size_t len);
#define TLS_ALERT	21
#define TLS_HANDSHAKE	22
/* The type of the record that came, 0 for the end, or a negated errno. */
int tls_recv(int fd, void *data, size_t len);

/* 0 or a negated errno. By WS_ATTACH when there is TLS below. */
int ws_attach(int fd);
/* By WS_ATTACH; no settings when @cfg is NULL. */
int ws_attach_config(int fd, const struct ws_config *cfg);
int ws_set(int fd, int opt, const void *val, socklen_t len);
int ws_set_role(int fd, __u32 role);
int ws_set_max(struct pair *p, __u64 max);
/* One member of WS_CONFIG; the others stay as they are. */
int set_flags(int fd, __u32 flags);
int set_close_timeout(int fd, __u32 ms);
/* Any option that is an int. */
int set_int(int fd, int level, int opt, int value);
/* With these settings; the first I/O starts their clocks. */
bool pair_start(struct pair *p, struct ws_config cfg);
struct ws_info ws_get_info(int fd);
struct ws_config ws_get_config(int fd);
/* A line of /proc/net/ws_stat, -1 when there is none. */
long long ws_stat(const char *name);
/* Waits for something that is bound to happen; false if it hangs. */
#define wait_until(condition) ({ \
	uint64_t end_ = now_ms() + WS_TEST_MS; \
	bool true_; \
	while (!(true_ = (condition)) && now_ms() < end_) \
		usleep(5000); \
	true_; })

/* Waits until it has this value. */
bool stat_becomes(const char *name, long long value);
/* Does the thread sleep that has put its number there? */
bool thread_sleeps(const pid_t *tid);
/* How long a test of chance lasts: WS_TEST_SECONDS, or so many. */
int test_seconds(int seconds);

/* Bytes on their way together, in one send() or cut as the test likes. */
struct bytes {
	unsigned char *p;
	size_t n;
	size_t room;
};

void bytes_raw(struct bytes *b, const void *data, size_t len);
/* A frame as the peer of @p sends it: masked for a server, by a new key. */
void bytes_frame(struct bytes *b, const struct pair *p, int first,
		 const void *data, size_t len);
void bytes_close(struct bytes *b, const struct pair *p, int code,
		 const char *reason);
void bytes_free(struct bytes *b);

/* A new one each time; the same ones in each run. */
void frame_key(unsigned char *key);
/* Just the header, for a payload that follows in other ways. */
size_t frame_header(unsigned char *out, int first, uint64_t len,
		    const unsigned char *key);

/* All of it, or false. */
bool raw_send(struct pair *p, const void *data, size_t len);
bool raw_send_bytes(struct pair *p, struct bytes *b);
bool raw_frame(struct pair *p, int first, const void *data, size_t len);
bool raw_close(struct pair *p, int code, const char *reason);
/* Waits until all that was sent lies in the receive queue of @p->ws. */
bool settle(struct pair *p);

/* A frame that the module sent. */
struct frame {
	int first;
	bool masked;
	unsigned char key[4];
	size_t len;
	unsigned char *data;
};

/* Checks the MASK bit against the role; unmasks. */
bool read_frame(struct pair *p, struct frame *f);
bool expect_frame(struct pair *p, int first, const void *data, size_t len);
/* 1005 stands for an empty Close. */
bool expect_close(struct pair *p, int code, const char *reason);
/* The peer sees FIN, and nothing before it. */
bool expect_fin(struct pair *p);
/*
 * RFC 6455 section 7.1.1: when both have sent a Close, the server ends TCP first;
 * the client waits for that. The peer does its part here.
 */
bool expect_tcp_end(struct pair *p);
/* The peer finds the connection reset, behind what it has read. */
bool expect_reset(struct pair *p);
/* Nothing comes for a tenth of a second. */
bool expect_silence(struct pair *p);

/* Result of a recvmsg() with room for one WS_MSG and more. */
struct got {
	ssize_t n;		/* or a negated errno */
	int flags;
	int cmsgs;
	struct ws_msg m;
};

struct got ws_recv(int fd, void *buf, size_t len, int flags);
/* One call, one whole message. */
bool expect_message(int fd, int opcode, const void *data, size_t len);
bool expect_text(int fd, const char *text);
bool expect_received_close(int fd, int code, const char *reason);
bool expect_error(int fd, int err);
bool expect_eof(int fd);

/* sendmsg() with a WS_MSG; bytes or a negated errno, never SIGPIPE. */
ssize_t ws_send(int fd, int opcode, const void *data, size_t len, int flags);
ssize_t ws_send_close(int fd, int code, const char *reason);

/* poll(); 0 at the timeout, else revents. */
int poll_for(int fd, int events, int ms);
/* poll_for() without waiting. */
int poll_now(int fd, int events);

/*
 * Printable bytes that differ from place to place, as endless text. @at is
 * the place in it.
 */
const void *pattern(uint64_t at, size_t len);
bool is_pattern(const void *data, uint64_t at, size_t len);
#define PATTERN_MAX	(1 << 20)

/* A thread that sends one frame of the pattern from @p->raw. */
struct sender {
	struct pair *p;
	int first;
	uint64_t len;
	pthread_t thread;
	bool ok;
};

bool sender_start(struct sender *s, struct pair *p, int first, uint64_t len);
bool sender_join(struct sender *s);
/*
 * Sends and reads a message, in pieces if need be. After that the receive buffer
 * grows for a frame of half its length: a new connection has it grow for short
 * ones only.
 */
bool pass_message(struct pair *p, uint64_t len);

/*
 * Reads one message that the module sends, in a thread if need be: @len bytes
 * of the pattern from @from on, in any number of frames.
 */
struct drain {
	struct pair *p;
	size_t from, len;
	pthread_t thread;
	int frames;
	bool ok;
};

void *drain_message(void *drain);

uint64_t now_ms(void);
uint64_t now_us(void);
/* A handler that does nothing: the signal ends a call that waits. */
void on_signal(int sig);
uint32_t next_random(uint32_t *seed);
/* A whole message of any kind and length, to be sent; most are short. */
struct ws_msg random_msg(uint32_t *seed);

#endif /* _WS_TEST_H */
