/* SPDX-License-Identifier: MIT */
/* The subcommands of kws, and functions that they share. */
#ifndef KWS_CMD_H
#define KWS_CMD_H

#include <stdbool.h>
#include <stdint.h>
#include "kws.h"

#define EXIT_USAGE	2

int cmd_echo(int argc, char **argv);
int cmd_cat(int argc, char **argv);

void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
void complain_no_module(void);
int usage_error(const char *command);
bool parse_deflate(const char *text, struct kws_deflate *d);
bool parse_ktls(const char *text, enum kws_ktls *ktls);
bool parse_number(const char *text, uint64_t max, uint64_t *value);
int64_t now_ns(void);

#endif /* KWS_CMD_H */
