/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that stalls whoever touches it, and socket locks that are held over
 * it. Any program can do this with memory of a file system of its own (FUSE);
 * userfaultfd needs no file system.
 */
#ifndef _WS_STALL_H
#define _WS_STALL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

/* @page begins where the missing page does; what lies before it is there. */
struct stall {
	int uffd;
	char *map;
	char *page;
	size_t size;
};

bool stall_open(struct stall *s);
/* Waits until a thread sleeps in its page fault. */
bool stall_reached(struct stall *s, int ms);
/* Gives the page, and so wakes that thread. */
void stall_release(struct stall *s);
void stall_close(struct stall *s);

/* The calls that keep a socket's lock while they sleep in a page fault. */
enum hold {
	HOLD_OPTION,	/* setsockopt(TCP_MD5SIG) */
	HOLD_SEND,	/* sendmsg() of HOLD_BYTES */
	HOLD_RECV,	/* recvmsg() of a message of HOLD_BYTES that is there */
};

#define HOLD_BYTES	200

/* A thread that is in such a call. */
struct holder {
	struct stall stall;
	int fd;
	enum hold how;
	int delay;		/* microseconds before the call */
	pthread_t thread;
	bool running;
};

/* The call begins after so many microseconds; stall_reached() waits for it. */
bool holder_launch(struct holder *h, int fd, enum hold how, int delay);
/* Returns when the thread sleeps in its fault. */
bool holder_start(struct holder *h, int fd, enum hold how);
/* The call goes on and returns. May be called twice. */
void holder_end(struct holder *h);

#endif /* _WS_STALL_H */
