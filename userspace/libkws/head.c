// SPDX-License-Identifier: MIT
/* HTTP heads, parsed by llhttp and stored here. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "head.h"

static struct head *get_head(llhttp_t *parser)
{
	return parser->data;
}

/*
 * llhttp reports a string in parts, as the bytes arrived. All parts are in one
 * buffer, so the first and the last part give the whole string.
 */
static void extend_text(struct head_text *text, const char *at, size_t n)
{
	/* An empty part may point anywhere, for example to the next line. */
	if (!n)
		return;
	if (!text->at)
		text->at = (char *)at;
	text->len = at + n - text->at;
}

static int on_begin(llhttp_t *parser)
{
	struct head *h = get_head(parser);

	h->count = 0;
	h->value_open = false;
	memset(&h->target, 0, sizeof(h->target));
	return 0;
}

static int on_url(llhttp_t *parser, const char *at, size_t n)
{
	extend_text(&get_head(parser)->target, at, n);
	return 0;
}

static int on_field(llhttp_t *parser, const char *at, size_t n)
{
	struct head *h = get_head(parser);

	if (!h->count || h->value_open) {
		if (h->count == HEAD_FIELDS_MAX) {
			h->overflow = true;
			return -1;
		}
		memset(&h->fields[h->count++], 0, sizeof(h->fields[0]));
		h->value_open = false;
	}
	extend_text(&h->fields[h->count - 1].name, at, n);
	return 0;
}

/* Begins the value: on_value() is not called for an empty one. */
static int on_field_end(llhttp_t *parser)
{
	get_head(parser)->value_open = true;
	return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t n)
{
	struct head *h = get_head(parser);

	extend_text(&h->fields[h->count - 1].value, at, n);
	return 0;
}

/* Interim answers (100, 103) are skipped; everything else ends the parsing. */
static int on_headers(llhttp_t *parser)
{
	if (parser->type == HTTP_RESPONSE && parser->status_code / 100 == 1 &&
	    parser->status_code != 101)
		return 1;
	return 2;
}

static const llhttp_settings_t settings = {
	.on_message_begin = on_begin,
	.on_url = on_url,
	.on_header_field = on_field,
	.on_header_field_complete = on_field_end,
	.on_header_value = on_value,
	.on_headers_complete = on_headers,
};

/**
 * head_init() - initialize an empty head
 * @h: the head, for head_free()
 * @type: HTTP_REQUEST or HTTP_RESPONSE
 * @size: bytes to be read at most, head and surplus
 *
 * Return: 0, or -1 with ENOMEM.
 */
int head_init(struct head *h, llhttp_type_t type, size_t size)
{
	memset(h, 0, sizeof(*h));
	/* One more for the NUL behind a value that ends the buffer. */
	h->buf = malloc(size + 1);
	if (!h->buf)
		return -1;
	h->size = size;
	llhttp_init(&h->parser, type, &settings);
	h->parser.data = h;
	return 0;
}

void head_free(struct head *h)
{
	free(h->buf);
	h->buf = NULL;
}

/* llhttp accepts a lone CR or LF in places; here a line must end with CRLF. */
static bool has_clean_lines(const char *p, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (p[i] == '\r' && (i + 1 == n || p[i + 1] != '\n'))
			return false;
		if (p[i] == '\n' && (i == 0 || p[i - 1] != '\r'))
			return false;
	}
	return true;
}

static bool terminate_text(struct head_text *text)
{
	if (!text->at) {
		text->at = "";
		return true;
	}
	/* A folded line would hide a line end in a value. */
	if (memchr(text->at, '\n', text->len))
		return false;
	while (text->len && (text->at[text->len - 1] == ' ' ||
			     text->at[text->len - 1] == '\t'))
		text->len--;
	text->at[text->len] = '\0';
	return true;
}

static int finish_head(struct head *h)
{
	unsigned int i;

	if (!has_clean_lines(h->buf, h->end))
		return -1;
	if (!terminate_text(&h->target))
		return -1;
	for (i = 0; i < h->count; i++) {
		struct head_text *name = &h->fields[i].name;

		/* RFC 9112 section 5.1: no white space before the colon */
		if (!name->len || strchr(" \t", name->at[name->len - 1]) ||
		    !terminate_text(name) ||
		    !terminate_text(&h->fields[i].value))
			return -1;
	}
	h->done = true;
	return 1;
}

/**
 * head_feed() - parse the bytes at buf + len
 * @h: the head
 * @n: how many; with the earlier bytes at most @h->size
 *
 * Return: 1 when the head is complete, 0 when it needs more bytes, or -1 when
 * it is not HTTP.
 */
int head_feed(struct head *h, size_t n)
{
	llhttp_errno_t err;

	h->len += n;
	err = llhttp_execute(&h->parser, h->buf + h->parsed,
			     h->len - h->parsed);
	if (err == HPE_OK) {
		h->parsed = h->len;
		return 0;
	}
	if (err != HPE_PAUSED_UPGRADE)
		return -1;
	h->end = llhttp_get_error_pos(&h->parser) - h->buf;
	h->parsed = h->end;
	return finish_head(h);
}

/**
 * head_count() - count the header lines of a name
 * @h: a complete head
 * @name: in any case
 */
unsigned int head_count(const struct head *h, const char *name)
{
	unsigned int i, n = 0;

	for (i = 0; i < h->count; i++)
		n += !strcasecmp(h->fields[i].name.at, name);
	return n;
}

/**
 * head_value() - get the first value of a header
 * @h: a complete head
 * @name: in any case
 *
 * Return: the value without the white space around it, or NULL.
 */
const char *head_value(const struct head *h, const char *name)
{
	unsigned int i;

	for (i = 0; i < h->count; i++)
		if (!strcasecmp(h->fields[i].name.at, name))
			return h->fields[i].value.at;
	return NULL;
}

/**
 * list_has() - is a token an element of a comma separated list?
 * @list: the list, RFC 9110 section 5.6.1; empty elements do not count
 * @token: the element, not NUL-terminated
 * @len: its length
 * @fold_case: whether A and a are the same
 */
bool list_has(const char *list, const char *token, size_t len, bool fold_case)
{
	while (*list) {
		size_t n;

		list += strspn(list, ", \t");
		n = strcspn(list, ",");
		while (n && (list[n - 1] == ' ' || list[n - 1] == '\t'))
			n--;
		if (n && n == len && (fold_case ? !strncasecmp(list, token, n) :
				      !memcmp(list, token, n)))
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

/**
 * head_has_token() - is a token in one of the lists of a header?
 * @h: a complete head
 * @name: the header, in any case
 * @token: in any case
 */
bool head_has_token(const struct head *h, const char *name, const char *token)
{
	unsigned int i;

	for (i = 0; i < h->count; i++)
		if (!strcasecmp(h->fields[i].name.at, name) &&
		    list_has(h->fields[i].value.at, token, strlen(token), true))
			return true;
	return false;
}

/**
 * head_join() - join all values of a header to one list
 * @h: a complete head
 * @name: in any case
 *
 * Return: a string, which the caller frees; NULL if there is no such header, or
 * with errno set to ENOMEM.
 */
char *head_join(const struct head *h, const char *name)
{
	size_t size = 1;
	unsigned int i;
	char *list;

	errno = 0;
	if (!head_count(h, name))
		return NULL;
	for (i = 0; i < h->count; i++)
		size += h->fields[i].value.len + 2;
	list = calloc(1, size);
	if (!list)
		return NULL;
	for (i = 0; i < h->count; i++) {
		if (strcasecmp(h->fields[i].name.at, name))
			continue;
		if (*list)
			strcat(list, ", ");
		strcat(list, h->fields[i].value.at);
	}
	return list;
}
