// SPDX-License-Identifier: MIT
/* --deflate=NAME[=VALUE],... of echo and cat. */
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "kws.h"

enum kind {
	FLAG,
	WINDOW,
	LEVEL,
	BYTES,
};

static const struct {
	const char *name;
	enum kind kind;
	size_t offset;
} parts[] = {
	{ "server_no_context_takeover", FLAG,
	  offsetof(struct kws_deflate, server_no_context_takeover) },
	{ "client_no_context_takeover", FLAG,
	  offsetof(struct kws_deflate, client_no_context_takeover) },
	{ "server_max_window_bits", WINDOW,
	  offsetof(struct kws_deflate, server_max_window_bits) },
	{ "client_max_window_bits", WINDOW,
	  offsetof(struct kws_deflate, client_max_window_bits) },
	{ "level", LEVEL, offsetof(struct kws_deflate, level) },
	{ "memory", LEVEL, offsetof(struct kws_deflate, memory) },
	{ "threshold", BYTES, offsetof(struct kws_deflate, threshold) },
};

static bool set_part(struct kws_deflate *d, enum kind kind, size_t offset,
		     const char *value)
{
	char *member = (char *)d + offset;
	uint64_t number = 1;

	if (kind == FLAG ? !!value : !value)
		return false;
	if (value && !parse_number(value, UINT32_MAX, &number))
		return false;
	if ((kind == WINDOW && (number < 8 || number > 15)) ||
	    (kind == LEVEL && (number < 1 || number > 9)))
		return false;
	if (kind == BYTES)
		*(uint32_t *)(void *)member = number ? number : 1;
	else
		*(uint8_t *)member = number;
	return true;
}

static bool parse_part(char *text, struct kws_deflate *d)
{
	char *value = strchr(text, '=');
	size_t i;

	if (value)
		*value++ = '\0';
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!strcmp(text, parts[i].name))
			return set_part(d, parts[i].kind, parts[i].offset, value);
	return false;
}

/**
 * parse_deflate() - read the argument of --deflate
 * @text: the argument, or NULL for none
 * @d: set
 *
 * Return: true, or false after a complaint.
 */
bool parse_deflate(const char *text, struct kws_deflate *d)
{
	char *copy = strdup(text ? text : ""), *rest = copy, *part;
	bool good = copy;

	memset(d, 0, sizeof(*d));
	while (good && (part = strsep(&rest, ",; ")))
		good = !*part || parse_part(part, d);
	free(copy);
	if (!good)
		complain("--deflate=%s: server_no_context_takeover, client_no_context_takeover,\n"
			 "     server_max_window_bits=8..15, client_max_window_bits=8..15, level=1..9,\n"
			 "     memory=1..9, threshold=BYTES are known", text);
	return good;
}
