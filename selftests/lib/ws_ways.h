/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways in which a program can send: a message for each call, records, an
 * array of messages; and the ways in which it can end. For tests about sending.
 */
#ifndef _WS_WAYS_H
#define _WS_WAYS_H

#include "ws_test.h"

#define END	WS_MSG_END

/* Builds a record, with anything but zeros as padding; returns its size. */
size_t put_record(void *to, struct ws_msg m, const void *data);
/* One record in a call of its own; payload bytes or a negated errno. */
ssize_t send_record(int fd, struct ws_msg m, const void *data, int flags);
/* Bytes or a negated errno. */
ssize_t send_array(int fd, const struct ws_msg *m, int n, const void *buf,
		   size_t len, int flags);

/* How a program sends a Close, or has one sent. */
enum way {
	BY_MESSAGE,
	BY_RECORD,
	BY_ARRAY,
	BY_SHUTDOWN,
	BY_SHUTDOWN_BOTH,
	BY_CLOSE,
};

/* The flags of WS_CONFIG that it needs. */
__u32 way_flags(enum way way);
/* The status code that the peer sees. */
int way_code(enum way way);
/* 0 or a negated errno. An array has a message "last" before its Close. */
int close_by(struct pair *p, enum way by, int flags);
/* The peer reads what close_by() has sent. */
bool expect_close_by(struct pair *p, enum way way);

/* A connection of which little fits into the send buffer, or to the peer. */
bool pair_open_small(struct pair *p, int family, __u32 role);

#define FILL		4000
/*
 * Messages of FILL bytes until there is no room for one more; returns how many.
 * The last are still in the module, in part at least: an array is taken whole,
 * and TCP does not take so much when the peer's window is closed. No message is
 * open.
 */
int fill_way(int fd);
/* The peer reads what fill_way() has sent. */
bool drain_way(struct pair *p, int n);

#endif /* _WS_WAYS_H */
