// SPDX-License-Identifier: MIT
/* RFC 6455 section 9.1: 1#( token *( ";" token [ "=" value ] ) ) */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "list.h"

/* RFC 9110 section 5.6.2 */
static bool is_token_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/**
 * list_token_ok() - is a string a token, RFC 9110 section 5.6.2?
 * @text: a string
 */
bool list_token_ok(const char *text)
{
	if (!*text)
		return false;
	while (is_token_char(*text))
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

/* White space is allowed between any two parts of the grammar. */
static const char *skip_space(const char *p)
{
	return p + strspn(p, " \t");
}

/* Counts the token characters; 0 is a fault. */
static size_t measure_token(const char *p)
{
	size_t n = 0;

	while (is_token_char(p[n]))
		n++;
	return n;
}

static bool add_char(struct list_param *param, char c)
{
	if (!is_token_char(c))
		return false;
	if (param->value_len < LIST_VALUE_MAX - 1)
		param->value[param->value_len] = c;
	param->value_len++;
	return true;
}

/* A value in quotes has to be a token, too. */
static const char *parse_quoted(const char *p, struct list_param *param)
{
	for (p++; *p != '"'; p++) {
		if (*p == '\\')
			p++;
		if (!add_char(param, *p))
			return NULL;
	}
	return param->value_len ? p + 1 : NULL;
}

static const char *parse_token(const char *p, struct list_param *param)
{
	while (add_char(param, *p))
		p++;
	return param->value_len ? p : NULL;
}

/* Returns the end of the parameter, or NULL for a fault. */
static const char *parse_param(const char *p, struct list_param *param)
{
	memset(param, 0, sizeof(*param));
	param->name = p;
	param->name_len = measure_token(p);
	if (!param->name_len)
		return NULL;
	p = skip_space(p + param->name_len);
	if (*p != '=')
		return p;
	p = skip_space(p + 1);
	param->has_value = true;
	return *p == '"' ? parse_quoted(p, param) : parse_token(p, param);
}

/**
 * list_next() - parse the next element of a list
 * @at: the position in the list; at first the value of the header
 * @e: set when 1 is returned; it points into the list
 *
 * Empty elements are skipped, as RFC 9110 section 5.6.1 demands.
 *
 * Return: 1, 0 at the end of the list, or -1 if it is not such a list.
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
	e->name_len = measure_token(p);
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
