/* SPDX-License-Identifier: MIT */
/* The requests of the load for other answers, in the request target. */
#ifndef BENCH_REQUESTS_H
#define BENCH_REQUESTS_H

/*
 * Answer each message with an empty one. The number behind it is the size of
 * a message on the wire, which a server without framing has to know.
 */
#define BENCH_ACK	"ack?"

/* Send a PING every so many milliseconds. */
#define BENCH_PING	"ping?"

/*
 * Answer each message with one of so many bytes from a file; or from memory,
 * with so many messages: "memory?BYTES,COUNT".
 */
#define BENCH_FILE	"file?"
#define BENCH_MEMORY	"memory?"

/* A byte of the payload of all messages. */
static inline unsigned char bench_pattern(unsigned long i)
{
	return i * 7 + (i >> 8);
}

#endif /* BENCH_REQUESTS_H */
