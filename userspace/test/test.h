/* SPDX-License-Identifier: MIT */
/* The least that tests of libkws need: TAP, and two ends of a stream. */
#ifndef KWS_TEST_H
#define KWS_TEST_H

#include <stdbool.h>
#include <stddef.h>

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

#endif /* KWS_TEST_H */
