/* SPDX-License-Identifier: MIT */
/* An HTTP/1.1 head, in one buffer, parsed in place by llhttp. */
#ifndef KWS_HEAD_H
#define KWS_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <llhttp.h>

#define HEAD_FIELDS_MAX		100

struct head_text {
	char *at;
	size_t len;
};

struct head_field {
	struct head_text name;
	struct head_text value;
};

/**
 * struct head - a head, complete or not
 * @parser: llhttp's state
 * @buf: @size bytes, of which @len are filled and @parsed are parsed
 * @end: when @done: bytes of the head; the bytes behind it are surplus
 * @target: request target
 * @fields: the header lines in order, strings once @done
 * @value_open: the last field's value has begun
 * @overflow: more than HEAD_FIELDS_MAX lines
 * @done: the head is complete
 */
struct head {
	llhttp_t parser;
	char *buf;
	size_t size;
	size_t len;
	size_t parsed;
	size_t end;
	struct head_text target;
	struct head_field fields[HEAD_FIELDS_MAX];
	unsigned int count;
	bool value_open;
	bool overflow;
	bool done;
};

int head_init(struct head *h, llhttp_type_t type, size_t size);
void head_free(struct head *h);
int head_feed(struct head *h, size_t n);

unsigned int head_count(const struct head *h, const char *name);
const char *head_value(const struct head *h, const char *name);
bool head_has_token(const struct head *h, const char *name, const char *token);
char *head_join(const struct head *h, const char *name);

bool list_has(const char *list, const char *token, size_t len, bool fold_case);

#endif /* KWS_HEAD_H */
