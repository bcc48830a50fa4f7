/* SPDX-License-Identifier: MIT */
#ifndef KWS_URL_H
#define KWS_URL_H

#include <stdbool.h>

struct url {
	bool secure;	/* wss:// */
	char *host;	/* without brackets: for getaddrinfo() */
	char *port;	/* decimal */
	char *authority;/* as in the Host header */
	char *target;	/* path and query, at least "/" */
};

int url_parse(const char *text, struct url *url);
void url_free(struct url *url);

#endif /* KWS_URL_H */
