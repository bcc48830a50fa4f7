/* SPDX-License-Identifier: MIT */
/* The framings that only the load of kws-bench asks for. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include "echo.h"

extern const struct framing framing_raw;
extern const struct framing framing_download;
extern const struct framing upload_kernel;
extern const struct framing upload_records;
extern const struct framing upload_batch;
extern const struct framing upload_user;
extern const struct framing upload_library;

int serve(int argc, char **argv);
size_t ack_size(const char *target);
bool wants_download(const char *target);

#endif /* BENCH_SERVER_H */
