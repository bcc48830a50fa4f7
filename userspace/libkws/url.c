// SPDX-License-Identifier: MIT
/* ws:// and wss:// addresses, RFC 6455 section 3. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "url.h"

/* No character of an address may end a line or a word of the request. */
static bool is_clean(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text <= ' ' || *text == 0x7f)
			return false;
	return true;
}

static bool is_valid_port(const char *port)
{
	size_t len = strlen(port);

	return len && len <= 5 && strspn(port, "0123456789") == len &&
	       atoi(port) >= 1 && atoi(port) <= 65535;
}

/* Splits "host", "host:port", "[v6]" and "[v6]:port". */
static int split_authority(const char *text, struct url *url)
{
	size_t len;

	if (*text == '[') {
		text++;
		len = strcspn(text, "]");
		if (text[len] != ']')
			return -1;
		url->host = strndup(text, len);
		text += len + 1;
	} else {
		len = strcspn(text, ":");
		url->host = strndup(text, len);
		text += len;
	}
	if (!len || (*text && *text != ':'))
		return -1;
	/* "host:" means the default port, RFC 3986 section 3.2.3 */
	url->port = strdup(text[0] && text[1] ? text + 1 :
			   url->secure ? "443" : "80");
	return 0;
}

/**
 * url_parse() - parse an address
 * @text: ws://host[:port][/path][?query], or wss://
 * @url: its parts, for url_free(), also after a failure
 *
 * Return: 0, or -1 with EINVAL (not such an address) or ENOMEM.
 */
int url_parse(const char *text, struct url *url)
{
	size_t len;

	memset(url, 0, sizeof(*url));
	errno = EINVAL;
	url->secure = !strncasecmp(text, "wss://", 6);
	if ((!url->secure && strncasecmp(text, "ws://", 5)) || !is_clean(text) ||
	    strpbrk(text, "#@\\"))
		return -1;
	text += url->secure ? 6 : 5;
	len = strcspn(text, "/?");
	url->authority = strndup(text, len);
	text += len;
	url->target = malloc(strlen(text) + 2);
	if (!url->authority || !url->target)
		return -1;
	strcpy(url->target, *text == '/' ? "" : "/");
	strcat(url->target, text);

	if (split_authority(url->authority, url))
		goto err_set_errno;
	if (!url->host || !url->port) {
		errno = ENOMEM;
		return -1;
	}
	if (is_valid_port(url->port))
		return 0;
err_set_errno:
	errno = EINVAL;
	return -1;
}

void url_free(struct url *url)
{
	free(url->host);
	free(url->port);
	free(url->authority);
	free(url->target);
	memset(url, 0, sizeof(*url));
}
