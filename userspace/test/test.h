/* SPDX-License-Identifier: MIT */
/* The least that tests of libkws need: TAP, and two ends of a stream. */
#ifndef KWS_TEST_H
#define KWS_TEST_H

#include <stdbool.h>
#include <stddef.h>

#define MASKED	"\x00\x00\x00\x00"

struct kws_deflate;

/**
 * struct stream - bytes of a peer and their story
 * @in: the bytes, @len of them
 * @story: what kws_recv() gives: T"..." text, B"..." binary, C<code>"..."
 *	Close, then E<name> for an error, "." for the end, "-" for EAGAIN
 * @out: what is sent, in hex; the Close of kws_close() is not part of it
 * @deflate: the compression agreed on, or NULL
 */
struct stream {
	const char *name;
	unsigned int role;
	const char *in;
	size_t len;
	const char *story;
	const char *out;
	const struct kws_deflate *deflate;
};

bool stream_good(const struct stream *s);
void result(bool good, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void stream_pair(int ends[2]);
void put(int fd, const void *data, size_t len);
size_t get(int fd, void *data, size_t size);

void test_requests(void);
void test_responses(void);
void test_urls(void);
void test_frames(void);
void test_sending(void);
void test_negotiation(void);
void test_deflate(void);
void test_packing(void);
void test_limits_of_deflate(void);
void test_records(void);
void test_tls_handshakes(void);
void test_tls_peers(void);
void test_tls_streams(void);
void test_ktls(void);

#endif /* KWS_TEST_H */
