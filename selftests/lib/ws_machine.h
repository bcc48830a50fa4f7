/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine around the sockets: its memory for TCP, and its small files. */
#ifndef _WS_MACHINE_H
#define _WS_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

#include "ws_test.h"

/* All of @text in one write(); false and a complaint. */
bool file_write(const char *path, const char *text);
/* Up to @size - 1 bytes and a zero. */
bool file_read(const char *path, char *buf, size_t size);
/* The number behind @name in lines of "name number", -1 when there is none. */
long long file_number(const char *path, const char *name);

/* Pages that TCP has taken for buffers, of all sockets. */
long tcp_pages(void);
/* Does each object of the kernel have what watches it beside it? */
bool debug_kernel(void);
/* Bytes in the receive queue of @fd, with what TCP counts for them. */
long receive_memory(int fd);

/*
 * TCP memory pressure for the whole machine, without a shortage: the marks of
 * tcp_mem go down to nothing and its limit stays. Begins with the next buffer
 * that any socket takes, and tcp_squeeze() takes one.
 */
struct squeeze {
	char saved[96];
	struct pair hog;	/* plain TCP */
};

bool tcp_squeeze(struct squeeze *s);
void tcp_unsqueeze(struct squeeze *s);

/*
 * Memory cgroups, of version 2, in a mount of our own. By name; the calling
 * process enters it. The mount and the groups go with groups_end().
 */
bool group_enter(const char *name, const char *memory_max);
/* Back to the group of all. */
void group_leave(void);
/* Bytes that are charged to it, -1 when that is not known. */
long long group_memory(const char *name);
void groups_end(const char *const *names, int n);

/* Swap space in compressed memory: zram0, of this size. Twice is once. */
bool swap_start(const char *size);
void swap_end(void);

/* A network namespace with lo, as root; another user needs one of users, too. */
bool net_own(void);
bool user_and_net_own(void);
/* For good, with all of its groups. */
bool become_user(int uid);

#endif /* _WS_MACHINE_H */
