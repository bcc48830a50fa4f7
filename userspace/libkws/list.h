/* SPDX-License-Identifier: MIT */
/* Lists of tokens with parameters, as in Sec-WebSocket-Extensions. */
#ifndef KWS_LIST_H
#define KWS_LIST_H

#include <stdbool.h>
#include <stddef.h>

#define LIST_PARAMS_MAX		16
#define LIST_VALUE_MAX		32

/**
 * struct list_param - ";name", ";name=value" or ";name="value""
 * @name: not NUL-terminated
 * @name_len: its length
 * @has_value: the parameter has a value
 * @value: without quotes and backslashes, cut after LIST_VALUE_MAX - 1 bytes
 * @value_len: length of the whole value
 */
struct list_param {
	const char *name;
	size_t name_len;
	bool has_value;
	char value[LIST_VALUE_MAX];
	size_t value_len;
};

/**
 * struct list_element - one element of a list
 * @name: not NUL-terminated
 * @name_len: its length
 * @params: its parameters in order, the first LIST_PARAMS_MAX of them
 * @count: how many parameters there are
 */
struct list_element {
	const char *name;
	size_t name_len;
	struct list_param params[LIST_PARAMS_MAX];
	unsigned int count;
};

int list_next(const char **at, struct list_element *e);
bool list_name_is(const char *name, size_t len, const char *wanted);
bool list_token_ok(const char *text);

#endif /* KWS_LIST_H */
