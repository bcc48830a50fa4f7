/* SPDX-License-Identifier: GPL-2.0-only */
/* The scripted life of a connection that ws_fault.c puts faults into. */
#ifndef _WS_FAULT_H
#define _WS_FAULT_H

#include "ws_test.h"

/* How a connection comes to its end. */
enum ending {
	END_SHUTDOWN,		/* shutdown(SHUT_WR), the peer answers */
	END_CLOSE_FRAME,	/* sendmsg() of a Close, the peer answers */
	END_CLOSE,		/* close(), the peer answers */
	END_PEER,		/* the peer's Close, we answer */
};

#define LIFE_MESSAGES	32

/**
 * struct life - one connection and what has passed over it
 * @p: connected, not attached
 * @ending: how it ends
 * @ping: wait for a PING of the kernel's
 * @failures: calls that failed and were made again
 * @to_ws: place in the pattern of what the peer has sent
 * @from_ws: place in the pattern of what the socket has taken
 * @len: length of each message the socket has taken, in order
 * @opcode: its opcode
 * @messages: how many there are
 * @got: bytes that the peer has read and that make no frame yet
 * @seen: place in the pattern of what the peer has read
 * @seen_len: payload of the message the peer is reading
 * @seen_open: ... which has begun
 * @seen_messages: messages it has read to their end
 * @pings: PINGs the peer has sent
 * @pongs: how many of them were answered, or passed over
 * @pongs_lost: passed over
 * @dropped: WsPongDropped before this life
 * @our_pings: PINGs it has read of those that the test sent
 * @kernel_pings: ... that the kernel sent
 * @close: code of the Close it has read
 * @over: it has read FIN
 */
struct life {
	struct pair p;
	enum ending ending;
	bool ping;
	unsigned int failures;
	uint64_t to_ws;
	uint64_t from_ws;
	uint64_t len[LIFE_MESSAGES];
	int opcode[LIFE_MESSAGES];
	unsigned int messages;
	struct bytes got;
	uint64_t seen;
	uint64_t seen_len;
	bool seen_open;
	unsigned int seen_messages;
	unsigned int pings;
	unsigned int pongs;
	unsigned int pongs_lost;
	long long dropped;
	unsigned int our_pings;
	unsigned int kernel_pings;
	unsigned int close;
	bool over;
};

/* From the attach to what comes before the end. */
bool life_run(struct life *l);
/* The closing handshake. */
bool life_close(struct life *l);
/* Closes what is left and looks for leftovers. */
bool life_end(struct life *l);

/* Its middle, see ws_fault_many.c. */
bool life_many(struct life *l);
/* Settings other than WS_F_* are always the same. */
bool life_config(struct life *l, __u32 flags);
/* A frame of the peer's from the pattern, @ahead of what has been received. */
bool peer_frame(struct life *l, int first, size_t ahead, size_t len);

/*
 * For the thread that calls fault_open(): the @nth time that it comes by one of
 * the points, it fails; 0 for no more of that.
 */
bool fault_open(void);
void fault_close(void);
bool fault_arm(unsigned int nth);
bool fault_fired(void);

/* What fails by chance, in every context, does so in @percent of the cases. */
bool fault_points(int percent_memory, int percent_copy);

/* Faults may be any number, not one at most. */
extern bool fault_by_chance;
/* May this call have failed? Then it is made again. */
bool fault_allows(struct life *l, int err);
/* Calls for which that is done. */
bool life_attach(struct life *l);
bool life_set(struct life *l, int opt, const void *val, socklen_t len);
bool life_info(struct life *l, struct ws_info *info);

/* What the peer reads, frame by frame: false when anything is wrong. */
bool peer_read(struct life *l);
/* ... until @what counts @n, or the time is over. */
bool peer_reads_until(struct life *l, const unsigned int *what, unsigned int n);
bool peer_reads_close(struct life *l, int code);

#endif /* _WS_FAULT_H */
