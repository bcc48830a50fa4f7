/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine around the sockets: its memory for TCP, and its small files. */
#ifndef _WS_MACHINE_H
#define _WS_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

/* All of @text in one write(); false and a complaint. */
bool file_write(const char *path, const char *text);
/* Up to @size - 1 bytes and a zero. */
bool file_read(const char *path, char *buf, size_t size);
/* The number behind @name in lines of "name number", -1 when there is none. */
long long file_number(const char *path, const char *name);

/* Pages that TCP has taken for buffers, of all sockets. */
long tcp_pages(void);
/* Bytes in the receive queue of @fd, with what TCP counts for them. */
long receive_memory(int fd);

/*
 * TCP memory pressure for the whole machine, without a shortage: the marks of
 * tcp_mem go down to nothing and its limit stays. Begins with the next buffer
 * that any socket takes, and tcp_squeeze() takes one.
 */
struct squeeze {
	char saved[96];
	int hog[2];
};

bool tcp_squeeze(struct squeeze *s);
void tcp_unsqueeze(struct squeeze *s);

#endif /* _WS_MACHINE_H */
