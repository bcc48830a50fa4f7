/* SPDX-License-Identifier: MIT */
/* The subcommands of kws and what they share. */
#ifndef KWS_CMD_H
#define KWS_CMD_H

#include <stdbool.h>
#include <stdint.h>
#include "kws.h"

#define EXIT_USAGE	2

int cmd_echo(int argc, char **argv);
int cmd_cat(int argc, char **argv);
int cmd_bench(int argc, char **argv);

void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void complain_no_module(void);
int usage_error(const char *subcommand);
bool parse_deflate(const char *text, struct kws_deflate *d);
bool parse_ktls(const char *text, enum kws_ktls *ktls);
bool parse_number(const char *text, uint64_t max, uint64_t *value);
int64_t now_ns(void);

/*
 * Request target of a connection whose messages are answered by empty ones;
 * behind it the bytes a message takes on the wire, for a server without framing.
 */
#define BENCH_ACK	"ack?"

/* Of one that wants a PING every so many milliseconds. */
#define BENCH_PING	"ping?"

/*
 * Of one whose messages are answered by one of so many bytes from a file, or
 * from memory and by so many messages: "memory?BYTES,COUNT".
 */
#define BENCH_FILE	"file?"
#define BENCH_MEMORY	"memory?"

/* A byte of the payload of all messages of a benchmark. */
static inline unsigned char bench_pattern(unsigned long i)
{
	return i * 7 + (i >> 8);
}

#endif /* KWS_CMD_H */
