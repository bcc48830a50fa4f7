/* SPDX-License-Identifier: MIT */
/* Negotiating permessage-deflate, RFC 7692 section 7. */
#ifndef KWS_EXTENSIONS_H
#define KWS_EXTENSIONS_H

#include <stdbool.h>

#include "kws.h"

/* Room for the longest offer or answer and a NUL. */
#define EXTENSION_SIZE	160

bool extensions_options_ok(const struct kws_options *options);
char *extensions_offer(const struct kws_options *options);
int extensions_accept(const char *offers, const struct kws_options *options,
		      struct kws_deflate *agreed, char answer[EXTENSION_SIZE]);
int extensions_check(const char *answer, const struct kws_options *options,
		     struct kws_deflate *agreed, const char **why);

#endif /* KWS_EXTENSIONS_H */
