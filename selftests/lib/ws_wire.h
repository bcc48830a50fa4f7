/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every test gets without asking: its traffic is checked against RFC 6455,
 * and after it nothing of the module is left.
 *
 * ws_wire.c has the rules, ws_wire_streams.c the connections, ws_wire_calls.c the
 * calls by which a test sends and receives; ws_left.c counts what is there before
 * and after. The linker puts them in, see the Makefile.
 */
#ifndef _WS_WIRE_H
#define _WS_WIRE_H

#include "ws_test.h"

/* PINGs that wait for their PONG; with more than these, any PONG is right. */
#define WIRE_PINGS	16384

/* One direction of a connection: the frame that is under way. */
struct wire_half {
	uint64_t at;		/* bytes so far */
	uint64_t start;		/* where the frame begins */
	uint64_t left;		/* payload to come */
	uint64_t hash;		/* of the payload of a control frame */
	unsigned char head[14];
	unsigned char key[4];
	unsigned int have;	/* bytes of the header */
	unsigned int phase;	/* of the key */
	bool payload;		/* the header is complete */
	bool message;		/* a message is under way */
	bool closed;		/* by a Close frame */
};

/*
 * A connection as its peer sees it. @in is what the peer has sent: only its
 * PINGs count, and when it breaks a rule any PONG is right.
 */
struct wire {
	struct wire_half in, out;
	bool server;		/* the attached end's role */
	unsigned int rsv;	/* bits that it may set */
	bool any_pong;
	bool broken;		/* has been reported */
	unsigned int pings;	/* sent by the peer */
	unsigned int answered;	/* of these, by a PONG for it or for a later one */
	unsigned int frames;	/* with a mask */
	unsigned int zero_keys;
	unsigned int same_keys;
	unsigned char last_key[4];
	uint64_t hashes[WIRE_PINGS];
};

/* What the peer sends. */
void wire_sent(struct wire *w, const void *data, size_t len);
/* What the peer has received; false when that breaks a rule. */
bool wire_received(struct wire *w, const void *data, size_t len);
/* The peer has seen FIN. */
bool wire_ended(struct wire *w);

/* In the process of the harness, before and after each test. */
void wire_before_test(void);
bool wire_after_test(void);
/* A test starts a process, which has the same descriptors. */
void wire_fork(void);

/* Of the harness: the test that is waited for, in its own process only. */
struct __test_metadata;
extern struct __test_metadata *__active_test __attribute__((__weak__));

/* The C library's functions, and those in their place. */
ssize_t __real_recv(int fd, void *buf, size_t len, int flags);
ssize_t __real_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __real_send(int fd, const void *buf, size_t len, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __real_write(int fd, const void *buf, size_t len);
ssize_t __real_sendfile(int out, int in, off_t *at, size_t len);
ssize_t __real_splice(int in, off_t *at_in, int out, off_t *at_out, size_t len,
		      unsigned int flags);
int __real_setsockopt(int fd, int level, int opt, const void *val, socklen_t len);
int __real_dup(int fd);
int __real_dup2(int fd, int other);
int __real_close(int fd);

ssize_t __wrap_recv(int fd, void *buf, size_t len, int flags);
ssize_t __wrap_recvmsg(int fd, struct msghdr *msg, int flags);
ssize_t __wrap_read(int fd, void *buf, size_t len);
ssize_t __wrap_send(int fd, const void *buf, size_t len, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *msg, int flags);
ssize_t __wrap_write(int fd, const void *buf, size_t len);
ssize_t __wrap_sendfile(int out, int in, off_t *at, size_t len);
ssize_t __wrap_splice(int in, off_t *at_in, int out, off_t *at_out, size_t len,
		      unsigned int flags);
int __wrap_setsockopt(int fd, int level, int opt, const void *val, socklen_t len);
int __wrap_dup(int fd);
int __wrap_dup2(int fd, int other);
int __wrap_close(int fd);
pid_t __real_fork(void);
pid_t __wrap_fork(void);
pid_t __real_waitpid(pid_t pid, int *status, int options);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);

#endif /* _WS_WIRE_H */
