// SPDX-License-Identifier: MIT
/* RFC 6455 section 9.1: 1#( token *( ";" token [ "=" value ] ) ) */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "list.h"

/* RFC 9110 section 5.6.2 */
static bool token_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/**
 * list_token_ok() - is this a token, RFC 9110 section 5.6.2?
 * @text: a string
 */
bool list_token_ok(const char *text)
{
	if (!*text)
		return false;
	while (token_char(*text))
		text++;
	return !*text;
}

/**
 * list_name_is() - compare a name, in any case
 * @name: not NUL-terminated
 * @len: its length
 * @wanted: a string
 */
bool list_name_is(const char *name, size_t len, const char *wanted)
{
	return len == strlen(wanted) && !strncasecmp(name, wanted, len);
}

/* White space may stand between any two of the grammar's parts. */
static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t");
}

/* How many token characters there are; 0 is a fault. */
static size_t token_len(const char *p)
{
	size_t n = 0;

	while (token_char(p[n]))
		n++;
	return n;
}

static bool put_value(struct list_param *param, char c)
{
	if (!token_char(c))
		return false;
	if (param->value_len < LIST_VALUE_MAX - 1)
		param->value[param->value_len] = c;
	param->value_len++;
	return true;
}

/* What is between the quotes has to be a token, too. */
static const char *quoted_value(const char *p, struct list_param *param)
{
	for (p++; *p != '"'; p++) {
		if (*p == '\\')
			p++;
		if (!put_value(param, *p))
			return NULL;
	}
	return param->value_len ? p + 1 : NULL;
}

static const char *token_value(const char *p, struct list_param *param)
{
	while (put_value(param, *p))
		p++;
	return param->value_len ? p : NULL;
}

/* Returns where the parameter ends, or NULL for a fault. */
static const char *parse_param(const char *p, struct list_param *param)
{
	memset(param, 0, sizeof(*param));
	param->name = p;
	param->name_len = token_len(p);
	if (!param->name_len)
		return NULL;
	p = skip_space(p + param->name_len);
	if (*p != '=')
		return p;
	p = skip_space(p + 1);
	param->has_value = true;
	return *p == '"' ? quoted_value(p, param) : token_value(p, param);
}

/**
 * list_next() - the next element of a list
 * @at: where to go on; at first the start of the header's value
 * @e: set when 1 is returned; it points into the list
 *
 * Empty elements are skipped, as RFC 9110 section 5.6.1 asks for.
 *
 * Return: 1, 0 at the end of the list, or -1 for what is no such list.
 */
int list_next(const char **at, struct list_element *e)
{
	const char *p = *at + strspn(*at, ", \t");
	struct list_param beyond;

	*at = p;
	if (!*p)
		return 0;
	e->count = 0;
	e->name = p;
	e->name_len = token_len(p);
	if (!e->name_len)
		return -1;
	p = skip_space(p + e->name_len);
	while (*p == ';') {
		p = parse_param(skip_space(p + 1),
				e->count < LIST_PARAMS_MAX ?
				&e->params[e->count] : &beyond);
		if (!p)
			return -1;
		e->count++;
		p = skip_space(p);
	}
	if (*p && *p != ',')
		return -1;
	*at = p;
	return 1;
}
